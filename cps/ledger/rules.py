"""Rules that a set of ledgers must keep once its cells are read: keys, identities, coverage."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import polars as pl

from cps.errors import Text
from cps.ledger._coverage import (
    all_zero,
    constant_villages,
    copied_months,
    coverage,
    running_totals,
    spikes,
)
from cps.ledger._given import FLOWS, PARTS, Given, period_text, shown
from cps.ledger._log import KEPT
from cps.ledger._slips import unit_slips
from cps.ledger.names import nearest_name
from cps.ledger.rows import ITEM_NAMES

_KEY = ["unit", "period_start", "frequency", "item", "item_name"]
_PEOPLE = (("employed_persons", "population"), ("local_jobs", "population"))


def apply_rules(given: Given) -> None:
    """Apply every rule; what they find goes to the log, each with its place."""
    for rule in RULES:
        rule(given)


def unknown_names(given: Given) -> None:
    """Names that the registry does not know, no longer knows, or knows by another name."""
    registry = given.registry
    if registry is None:
        return
    names = given.series["name"].unique(maintain_order=True).to_list()
    odd = [one for one in names if registry.unit(one) != one or one in registry.successors]
    strange = [one for one in odd if registry.unit(one) is None]
    if len(strange) > KEPT:  # the hundred that are shown are enough to find the rest
        extra = strange[KEPT:]
        n_more = given.series.filter(pl.col("name").is_in(extra)).height
        given.log.totals["E-LEDGER-VILLAGE"] += n_more
        hidden = set(extra)
        odd = [one for one in odd if one not in hidden]
    for name in odd:
        unit = registry.unit(name)
        rows = given.series.filter(pl.col("name") == name)
        first = rows.row(0, named=True)
        if unit is None:
            near = registry.suggestion(name)
            hint = Text(f"是否为“{near}”？", f"is it {near}? ") if near else Text("", "")
            given.say(
                "E-LEDGER-VILLAGE",
                "reject",
                Text(f"“{name}”不在村名册中", f"{name} is in no registry of villages"),
                first,
                mend=Text(
                    f"{hint.zh}改为登记名称，或把它登记到 {registry.path.name}",
                    f"{hint.en}write its registered name, or add it to {registry.path.name}",
                ),
                is_of_name=True,
                value=name,
                count=rows.height,
            )
        elif unit != name:
            given.say(
                "W-LEDGER-ALIAS",
                "warn",
                Text(f"“{name}”按名册读作“{unit}”", f"{name} is {unit} by the registry"),
                first,
                mend=Text("以后用登记名称", "use the registered name"),
                is_of_name=True,
                value=name,
                count=rows.height,
            )
        else:
            _ended(given, name, rows)


def _ended(given: Given, name: str, rows: pl.DataFrame) -> None:
    registry = given.registry
    if registry is None:
        return
    _, end = registry.units.get(name, (None, None))
    successor = registry.successors.get(name, "")
    late = rows.filter(pl.col("period_start") > end) if end else rows.head(0)
    if late.height and end:
        given.say(
            "E-LEDGER-VILLAGE-ENDED",
            "reject",
            Text(
                f"“{name}”自 {end:%Y-%m} 后已并入“{successor}”",
                f"{name} became part of {successor} after {end:%Y-%m}",
            ),
            late.row(0, named=True),
            mend=Text(f"之后的数填在“{successor}”", f"report later figures under {successor}"),
            is_of_name=True,
            value=name,
            count=late.height,
        )


def future_periods(given: Given) -> None:
    """Periods after the day as of which the ledgers are read."""
    late = given.series.filter(pl.col("period_start") > given.as_of)
    given.say_each(
        "E-LEDGER-FUTURE",
        "reject",
        lambda entry: Text(
            f"{period_text(entry)} 在截止日 {given.as_of} 之后",
            f"{period_text(entry)} lies after {given.as_of}",
        ),
        late,
        mend=Text("改正月份，或用 --as-of 写明截止日", "correct it, or give --as-of"),
    )


def duplicates(given: Given) -> None:
    """One figure given twice: alike it is said, unlike it is refused."""
    # A hash of the key tells at once that nothing is double; what may be is compared in full.
    code = functools.reduce(
        operator.add, (pl.col(name).hash(seed) for seed, name in enumerate(_KEY, start=1))
    )
    if given.series.select(code).n_unique() == given.series.height:
        return
    small = given.series.select(*_KEY, "cents", "source", "row", "column", "name")
    twice = small.filter(code.is_duplicated())
    groups = twice.group_by(_KEY, maintain_order=True).agg(
        "cents", "source", "row", "column", "name"
    )
    for one in groups.filter(pl.col("cents").list.len() > 1).head(4 * KEPT).to_dicts():
        places = [
            {**one, "source": s, "row": r, "column": c, "cents": v, "name": n}
            for s, r, c, v, n in zip(
                one["source"], one["row"], one["column"], one["cents"], one["name"], strict=True
            )
        ]
        is_alike = len(set(one["cents"])) == 1
        if is_alike and len({given.sources[place["source"]].file for place in places}) > 1:
            continue  # the panel counts it once, and says so
        first, other = places[0], places[1]
        values = " / ".join(str(shown(place["cents"])) for place in places[:3])
        given.say(
            "W-LEDGER-TWICE" if is_alike else "E-LEDGER-TWICE",
            "warn" if is_alike else "reject",
            Text(
                f"同一个数出现 {len(places)} 次（{given.place(first)}、{given.place(other)}）"
                + ("，数值相同，只计一次" if is_alike else f"，数值不同：{values}"),
                f"given {len(places)} times ({given.place(first)}, {given.place(other)})"
                + (": alike, counted once" if is_alike else f", unlike: {values}"),
            ),
            other,
            mend=Text("只保留正确的一处", "keep the right one"),
        )
    given.log.totals["E-LEDGER-TWICE"] += max(groups.height - 4 * KEPT, 0)
    given.series = given.series.unique(_KEY, keep="first", maintain_order=True)


def identities(given: Given) -> None:
    """A total is the sum of its parts, within 1 元 or 0.1%."""
    for total, parts in PARTS.items():
        if not given.items(total):
            continue
        known = given.where(
            pl.col("item").is_in([total, *parts]),
            *("unit", "period_start", "frequency", "item", "cents"),
        )
        is_total = pl.col("item") == total
        sums = known.group_by("unit", "period_start", "frequency").agg(
            pl.col("cents").filter(is_total).first().alias("total"),
            pl.col("cents").filter(~is_total).sum().alias("parts"),
            pl.col("item").filter(~is_total).n_unique().alias("n_parts"),
            pl.col("cents").null_count().alias("n_missing"),
            is_total.sum().alias("n_totals"),
        )
        gap = (pl.col("parts") - pl.col("total")).abs()
        off = sums.filter(
            (pl.col("n_parts") == len(parts))
            & (pl.col("n_missing") == 0)
            & (pl.col("n_totals") == 1)
            & (gap > 100)
            & (gap * 1000 > pl.col("total").abs())
        ).sort("period_start", "unit")
        for one in off.head(KEPT).to_dicts():
            rows = given.where(
                (pl.col("unit") == one["unit"])
                & (pl.col("period_start") == one["period_start"])
                & (pl.col("frequency") == one["frequency"])
                & is_total
            )
            gap_text = shown(one["parts"] - one["total"])
            given.say(
                "E-LEDGER-IDENTITY",
                "reject",
                Text(
                    f"{ITEM_NAMES[total]} {shown(one['total'])} 元，各项之和 {shown(one['parts'])} 元，"
                    f"相差 {gap_text} 元",
                    f"{total} is CNY {shown(one['total'])}, its parts give "
                    f"{shown(one['parts'])}: {gap_text} apart",
                ),
                rows.row(0, named=True),
                mend=Text("核对各项和合计，改正有误的一处", "check the parts and the total"),
            )
        given.log.totals["E-LEDGER-IDENTITY"] += max(off.height - KEPT, 0)


def frequencies(given: Given) -> None:
    """A quarter is its months, a year is what it is made of."""
    is_flow = pl.col("item").is_in(FLOWS)
    kinds = set(given.where(is_flow, "frequency")["frequency"].unique().to_list())
    if len(kinds) < 2:
        return
    flows = given.where(is_flow)
    for coarse, fine, n in (("quarter", "month", 3), ("year", "month", 12), ("year", "quarter", 4)):
        if not {coarse, fine} <= kinds:
            continue
        step = "1q" if coarse == "quarter" else "1y"
        sums = (
            flows.filter(pl.col("frequency") == fine)
            .with_columns(pl.col("period_start").dt.truncate(step))
            .group_by("unit", "period_start", "item")
            .agg(
                pl.col("cents").sum().alias("fine"),
                pl.len().alias("n"),
                pl.col("cents").null_count().alias("n_missing"),
            )
            .filter((pl.col("n") == n) & (pl.col("n_missing") == 0))
        )
        both = flows.filter(pl.col("frequency") == coarse).join(
            sums, on=["unit", "period_start", "item"], how="inner"
        )
        off = both.filter((pl.col("cents") - pl.col("fine")).abs() > 100)
        given.say_each(
            "W-LEDGER-FREQUENCY",
            "warn",
            functools.partial(_other_sum, n),
            off,
            mend=Text("核对两份台账", "check both ledgers"),
        )


def _other_sum(n: int, entry: dict[str, Any]) -> Text:
    return Text(
        f"{period_text(entry)} 为 {shown(entry['cents'])} 元，{n} 期相加为 "
        f"{shown(entry['fine'])} 元",
        f"CNY {shown(entry['cents'])} here, {n} shorter periods give {shown(entry['fine'])}",
    )


def people(given: Given) -> None:
    """More people at work than there are people."""
    for few, many in _PEOPLE:
        if len(given.items(few, many)) < 2:
            continue
        both = given.series.filter(pl.col("item") == few).join(
            given.series.filter(pl.col("item") == many).select(
                "unit", "period_start", "frequency", pl.col("cents").alias("all")
            ),
            on=["unit", "period_start", "frequency"],
            how="inner",
        )
        over = both.filter(pl.col("cents") > pl.col("all"))
        given.say_each(
            "E-LEDGER-JOBS-ABOVE-POPULATION",
            "reject",
            functools.partial(_too_many, few, many),
            over,
            mend=Text("核对两个数", "check both figures"),
        )


def _too_many(few: str, many: str, entry: dict[str, Any]) -> Text:
    return Text(
        f"{ITEM_NAMES[few]} {shown(entry['cents'])} 多于{ITEM_NAMES[many]} {shown(entry['all'])}",
        f"{shown(entry['cents'])} {few} of a {many} of {shown(entry['all'])}",
    )


def lookalikes(given: Given) -> None:
    """Two names a character apart, one of them rare: the same village, perhaps."""
    if given.registry is not None:
        return
    counts = given.series.group_by("unit").agg(pl.col("period_start").n_unique().alias("n"))
    if counts.height > 2_000:
        return
    most = max(counts["n"].to_list(), default=0)
    rare = counts.filter(pl.col("n") * 5 <= most)["unit"].to_list()
    common = counts.filter(pl.col("n") * 5 > most)["unit"].to_list()
    for name in rare[:KEPT]:
        near = nearest_name(name, [one for one in common if _one_apart(one, name)])
        if near:
            given.say(
                "W-LEDGER-LOOKALIKE",
                "warn",
                Text(
                    f"“{name}”只出现几期，与“{near}”仅一字之差", f"{name} is rare, and near {near}"
                ),
                given.series.filter(pl.col("unit") == name).row(0, named=True),
                mend=Text(f"如是“{near}”，请改正；用 --units 给出村名册可免疑", "give --units"),
                is_of_name=True,
                value=name,
            )


def _one_apart(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 1:
        return False
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other, strict=True)) == 1
    short, long = sorted((one, other), key=len)
    return any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


RULES: tuple[Callable[[Given], None], ...] = (
    unknown_names,
    future_periods,
    duplicates,
    identities,
    frequencies,
    people,
    unit_slips,
    copied_months,
    constant_villages,
    running_totals,
    all_zero,
    spikes,
    coverage,
    lookalikes,
)
