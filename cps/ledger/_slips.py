"""Slips of unit (元 written as 万元, or the reverse) found by level.

A figure is compared with the rest of its own series once what all villages share in that period
is taken out. A slip is a gap of close to 100, 1,000 or 10,000 times that one group of figures
keeps from the rest: one cell, one village from a date on, a whole month, a whole village.
Differences that come back in the same calendar months are seasons, not slips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from cps.errors import Text
from cps.ledger._given import Given, period_text, shown
from cps.ledger._log import KEPT
from cps.ledger.rows import ITEM_NAMES

_POWERS = (2, 3, 4)
_SUSPECT = 1.5  # range of a series, in powers of ten, below which nothing is looked at
_NEAR, _GAP = 0.45, 0.9
_FEWEST, _NEIGHBOURS = 3, 4
_LEVEL, _LEVEL_SPREADS = 1.75, 4.5
_MAX_SERIES = 20_000
# A village's yearly income, 元: a median beyond this is no ledger in the unit that it states.
_PLAUSIBLE = (10_000, 30_000_000)
_MEND = Text("核对该处的单位（元、万元）", "check the unit there (元 or 万元)")
_SERIES = ["unit", "item", "frequency"]
_PERIOD = ["item", "frequency", "period_start"]


@dataclass(frozen=True, slots=True)
class Slip:
    """Places of a series, from 0, that stand ``power`` powers of ten from the rest."""

    at: tuple[int, ...]
    power: int
    is_step: bool


def unit_slips(given: Given) -> None:
    """Find slips of unit by level against neighbours and history."""
    levels, shared, suspect = _levels_of(given)
    if not levels:
        _whole_file(given)
        return
    _shared(given, pl.concat(shared))
    found: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    stepped: set[tuple[str, str]] = set()  # a series whose unit changed has no level of its own
    for rows in (
        pl.concat(suspect).sort(*_SERIES, "period_start").partition_by(_SERIES, maintain_order=True)
    ):
        slip = find_slip(rows["own"].to_numpy(), _calendar(rows))
        if slip is None:
            continue
        entries = rows.to_dicts()
        if slip.is_step:
            first = entries[slip.at[0]]
            key = (first["unit"], period_text(first), slip.power)
            found.setdefault(key, []).append({**first, "n": len(slip.at)})
            stepped.add((first["unit"], first["item"]))
        else:
            for at in slip.at[:KEPT]:
                _say_cell(given, entries[at], slip.power)
    for (unit, start, power), firsts in found.items():
        _say_step(given, unit, start, power, firsts)
    _levels(given, pl.concat(levels), stepped)
    _whole_file(given)


def _levels_of(
    given: Given,
) -> tuple[list[pl.DataFrame], list[pl.DataFrame], list[pl.DataFrame]]:
    """Give each series' level, what villages share a period, and the series worth a closer look.

    An item at a time: of millions of figures no more than one item's lie there as logarithms.
    """
    levels, shared, suspect = [], [], []
    n_left = _MAX_SERIES
    for item in given.series["item"].unique(maintain_order=True).to_list():
        logs = _logs(given.where(pl.col("item") == item))
        if logs.is_empty():
            continue
        shared.append(logs.group_by(_PERIOD).agg(pl.col("shared").first()))
        spans = logs.group_by(_SERIES, maintain_order=True).agg(
            pl.col("level").first(),
            pl.len().alias("n"),
            (pl.col("own").max() - pl.col("own").min()).alias("range"),
            pl.struct("source", "row", "column", "name", "cents", "period_start")
            .first()
            .alias("first"),
        )
        levels.append(spans.drop("range"))
        wide = spans.filter((pl.col("n") >= _FEWEST) & (pl.col("range") >= _SUSPECT)).head(n_left)
        n_left -= wide.height
        suspect.append(logs.join(wide.select(_SERIES), on=_SERIES, how="semi"))
    return levels, shared, suspect


def find_slip(levels: np.ndarray, calendar: list[int]) -> Slip | None:
    """Find the figures of one series that a factor of 100, 1,000 or 10,000 sets apart.

    Parameters
    ----------
    levels : ndarray (n_periods,)
        Common logarithms, in order of time.
    calendar : list of int
        Calendar month of each; seasons come back in it.

    Returns
    -------
    Slip or None
    """
    if len(levels) < _FEWEST or np.ptp(levels) < _SUSPECT:
        return None
    ordered = np.sort(levels)
    gaps = np.diff(ordered)
    cut = int(np.argmax(gaps))
    middle = (ordered[cut] + ordered[cut + 1]) / 2
    is_high = levels > middle
    low, high = levels[~is_high], levels[is_high]
    distance = float(np.median(high) - np.median(low))
    spread = 1.4826 * float(
        np.median(np.abs(np.concatenate([low - np.median(low), high - np.median(high)])))
    )
    power = min(_POWERS, key=lambda one: abs(one - distance))
    if abs(power - distance) > max(_NEAR, min(2 * spread, 0.7)):
        return None
    if gaps[cut] < max(_GAP, 2.5 * spread):
        return None
    switches = np.flatnonzero(np.diff(is_high.astype(int)))
    is_step = len(switches) == 1 and min(len(low), len(high)) >= 2
    if is_step:
        start = int(switches[0]) + 1
        late_is_high = bool(is_high[-1])
        return Slip(tuple(range(start, len(levels))), power if late_is_high else -power, True)
    few_are_high = len(high) <= len(low)
    few = np.flatnonzero(is_high if few_are_high else ~is_high)
    if len(few) * 3 > len(levels):
        return None
    months = [calendar[one] for one in few]
    if len(few) > 1 and len(set(months)) < len(months):
        return None  # it comes back each year
    return Slip(tuple(int(one) for one in few), power if few_are_high else -power, False)


def _calendar(rows: pl.DataFrame) -> list[int]:
    if rows["frequency"][0] == "year":
        return list(range(rows.height))
    return rows["period_start"].dt.month().to_list()


def _logs(series: pl.DataFrame) -> pl.DataFrame:
    """Give common logs of positive figures, and ``own``: less the village's level and the period's."""
    columns = ["source", "row", "column", "name", "cents", *_SERIES, "period_start"]
    logs = series.filter((pl.col("cents") > 0) & pl.col("frequency").is_not_null()).select(
        *columns, pl.col("cents").cast(pl.Float32).log10().alias("log")
    )
    own = logs.group_by(_SERIES).agg(pl.col("log").median().alias("level"))
    logs = logs.join(own, on=_SERIES, how="left", maintain_order="left").with_columns(
        (pl.col("log") - pl.col("level")).alias("own")
    )
    shared = logs.group_by(_PERIOD).agg(
        pl.when(pl.len() >= _NEIGHBOURS).then(pl.col("own").median()).otherwise(0.0).alias("shared")
    )
    return logs.join(shared, on=_PERIOD, how="left", maintain_order="left").with_columns(
        pl.col("own") - pl.col("shared")
    )


def _shared(given: Given, shared: pl.DataFrame) -> None:
    """Find months in which all villages slip together."""
    for rows in shared.sort(_PERIOD).partition_by(["item", "frequency"], maintain_order=True):
        slip = find_slip(rows["shared"].to_numpy(), _calendar(rows))
        if slip is None:
            continue
        for at in slip.at[:1] if slip.is_step else slip.at[:KEPT]:
            one = rows.row(at, named=True)
            place = (
                given.where(
                    (pl.col("cents") > 0)
                    & (pl.col("item") == one["item"])
                    & (pl.col("frequency") == one["frequency"])
                    & (pl.col("period_start") == one["period_start"])
                )
                .sort("source", "row", "column")
                .row(0, named=True)
            )
            period, times = period_text({**one}), _times(slip.power)
            item = ITEM_NAMES.get(one["item"], one["item"])
            since = Text("起" if slip.is_step else "", " on" if slip.is_step else "")
            given.say(
                "W-LEDGER-UNIT-SLIP",
                "warn",
                Text(
                    f"{period}{since.zh} 各村的{item}都约为平常的 {times.zh}，单位可能写错",
                    f"from {period}{since.en} every village's {one['item']} is some {times.en} what it was",
                ),
                place,
                mend=_MEND,
            )


def _times(power: int) -> Text:
    if power < 0:
        return Text(f"1/{10**-power:,}", f"1/{10**-power:,} of")
    return Text(f"{10**power:,} 倍", f"{10**power:,} times")


def _say_cell(given: Given, entry: dict[str, Any], power: int) -> None:
    times = _times(power)
    given.say(
        "W-LEDGER-UNIT-SLIP",
        "warn",
        Text(
            f"{entry['unit']} {period_text(entry)} 的 {shown(entry['cents'])} 约为平常的 {times.zh}，"
            "单位可能写错",
            f"{shown(entry['cents'])} is some {times.en} what is usual there: a slip of unit?",
        ),
        entry,
        mend=_MEND,
    )


def _say_step(
    given: Given, unit: str, start: str, power: int, firsts: list[dict[str, Any]]
) -> None:
    names = "、".join(ITEM_NAMES.get(one["item"], one["item"]) for one in firsts[:8])
    times = _times(power)
    given.say(
        "W-LEDGER-UNIT-SLIP",
        "warn",
        Text(
            f"{unit} 自 {start} 起的数约为此前的 {times.zh}（{names}），单位可能改了",
            f"{unit} from {start} on is some {times.en} what it was ({len(firsts)} items): "
            "did its unit change?",
        ),
        firsts[0],
        mend=_MEND,
        count=sum(one["n"] for one in firsts),
    )


def _levels(given: Given, levels: pl.DataFrame, stepped: set[tuple[str, str]]) -> None:
    """Find villages whose every figure stands far from their neighbours'."""
    for rows in levels.partition_by(["item", "frequency"], maintain_order=True):
        if rows.height < _NEIGHBOURS:
            continue
        values = rows["level"].to_numpy()
        middle = float(np.median(values))
        spread = 1.4826 * float(np.median(np.abs(values - middle)))
        limit = max(_LEVEL, _LEVEL_SPREADS * spread)
        for at in np.flatnonzero(np.abs(values - middle) >= limit)[:KEPT]:
            one = rows.row(int(at), named=True)
            if (one["unit"], one["item"]) in stepped:
                continue
            distance = float(values[at]) - middle
            power = min(_POWERS, key=lambda p, d=distance: abs(p - abs(d)))  # type: ignore[misc]
            if abs(abs(distance) - power) > max(_NEAR, 2 * spread):
                continue
            entry = {**one["first"], **{key: one[key] for key in _SERIES}}
            times = _times(power if distance > 0 else -power)
            given.say(
                "W-LEDGER-UNIT-LEVEL",
                "warn",
                Text(
                    f"{one['unit']} 的{ITEM_NAMES.get(one['item'], one['item'])}始终约为其他村的 {times.zh}",
                    f"{one['unit']}'s {one['item']} is some {times.en} other villages', always",
                ),
                entry,
                mend=_MEND,
                count=one["n"],
            )


def _whole_file(given: Given) -> None:
    """Find ledgers whose every figure is beyond what a village's income can be."""
    per_year = {"month": 12, "quarter": 4, "year": 1}
    flows = given.series.filter(
        pl.col("item").is_in(["total_income", "operating_income"]) & (pl.col("cents") > 0)
    )
    for rows in flows.partition_by(["item", "frequency", "source"], maintain_order=True):
        one = rows.row(0, named=True)
        middle = float(rows["cents"].median() or 0) / 100  # type: ignore[arg-type]
        a_year = middle * per_year[one["frequency"]]
        if _PLAUSIBLE[0] <= a_year <= _PLAUSIBLE[1]:
            continue
        given.say(
            "W-LEDGER-UNIT-FILE",
            "warn",
            Text(
                f"按所写单位，一个村一年的{ITEM_NAMES[one['item']]}中位数约 {a_year:,.0f} 元，不合常理",
                f"in the unit stated, the median village has CNY {a_year:,.0f} a year: hardly so",
            ),
            one,
            mend=_MEND,
            count=rows.height,
        )
