"""Households whose house was pulled down and who wait to be resettled, by village.

1,359 households of the subdistrict are resettled by the end, as published; how many waited at first
is not published, and is invented here. In the true mode the share of waiting households that are
resettled in a quarter rises by about three points once a village takes up a new mode; in the
spurious mode it rises as much in every village.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cps.demo.schemes._draw import (
    NEXT_DOOR,
    TARGET,
    Flags,
    Floats,
    Moments,
    Whole,
    after,
    dates,
    days,
    known_starts,
    lift_of,
    names,
    persistent,
    place_of,
    start_days,
)
from cps.demo.schemes._record import Drawn, Ledger, Outcome, Target

QUARTERS = 4 * 2020 + np.arange(18)  # 2020Q1 to 2024Q2
_N_INSIDE, _N_OUTSIDE = 16, 26
_STARTS = 4 * 2022 + np.arange(4)
_N_RESETTLED = 1_359
_HAZARD, _EFFECT = 2.6, (2.0, 4.2)  # percent of waiting households a quarter
_RAMP = (0.5, 1.0)
_N_DRAWN, _N_ELSEWHERE = 3_600, 4_000
NEW_MODES = np.array(["84.5号新政", "新社区集聚"])
OLD_MODES = np.array(["异地奔小康", "空心村改造", "84号高低结合"])


def draw(rng: np.random.Generator, *, is_spurious: bool) -> Drawn:
    """Draw households of 16 villages that take up a new mode in turn and of 26 next door that do not."""
    villages = names("示例村", _N_INSIDE, digits=2) + names("示例邻村", _N_OUTSIDE, digits=2)
    n = len(villages)
    starts: list[int | None] = [
        *rng.permutation(np.repeat(_STARTS, 4)).tolist(),
        *[None] * _N_OUTSIDE,
    ]
    is_in = np.arange(n) < _N_INSIDE
    effect = after(starts, QUARTERS, ramp=_RAMP) * rng.uniform(*_EFFECT, n)[:, None]
    noise = persistent(rng, n, len(QUARTERS), persistence=0.3, spread=0.35)
    usual = _HAZARD + rng.normal(0, 0.5, n)[:, None] + 0.03 * np.arange(len(QUARTERS)) + noise
    if is_spurious:
        usual = usual + lift_of(effect, is_in)
    usual = np.maximum(usual, 0.3)
    hazard = usual if is_spurious else usual + effect
    village = np.concatenate(
        [rng.integers(0, _N_INSIDE, _N_DRAWN), rng.integers(_N_INSIDE, n, _N_ELSEWHERE)]
    )
    down, resettled = _fates(rng, village, hazard)
    kept = _exactly(village, resettled)
    village, down, resettled = village[kept], down[kept], resettled[kept]
    waiting, exits = _counts(n, village, down, resettled)
    observed = pl.DataFrame(
        {
            "unit": np.repeat(villages, len(QUARTERS)),
            "period": np.tile(QUARTERS, n),
            "value": (100 * exits / waiting).ravel(),
        }
    )
    gain = np.zeros_like(effect) if is_spurious else effect
    known = known_starts(villages, starts)
    outcome = Outcome(
        "resettled_pct", "percent", "level", "quarter", observed, _less(observed, villages, gain)
    )
    inside = is_in[village]
    done = resettled >= 0
    before, late = _pooled(observed, known)
    targets = (
        Target(
            "organic_renewal__households_resettled_backlog",
            "=",
            _N_RESETTLED,
            int((inside & done).sum()),
            "household",
        ),
    )
    notes: dict[str, Any] = {
        "households_waiting_at_the_end": int((inside & ~done).sum()),
        "first_backlog_is_invented": int((inside & (down < QUARTERS[0])).sum()),
        "modes_named_by_the_source": 5,
    }
    households = _fill(rng, village, down, resettled, starts)
    register = Ledger(
        "村庄更新登记.xlsx",
        "农村有机更新村庄登记",
        {
            "村": villages,
            "镇街": place_of(is_in),
            "新模式启动日期": start_days(rng, starts, "quarter"),
        },
        dates="words",
    )
    return Drawn(
        "village",
        dict(zip(villages, place_of(is_in), strict=True)),
        known,
        (outcome,),
        (
            register,
            _report(villages, waiting, exits),
            _ledger(TARGET, inside, villages, households),
            _ledger(NEXT_DOOR, ~inside, villages, households),
        ),
        targets,
        {"resettled_a_quarter_points": late - before},
        notes,
    )


def _fates(rng: np.random.Generator, village: Whole, hazard: Floats) -> tuple[Whole, Whole]:
    """Draw the quarter a house came down and that of resettlement, -1 for still waiting."""
    n = len(village)
    is_old = rng.random(n) < 0.75
    down = np.where(
        is_old,
        QUARTERS[0] - 1 - rng.integers(0, 12, n),
        QUARTERS[0] + rng.integers(0, len(QUARTERS) - 4, n),
    )
    resettled = np.full(n, -1)
    for step, quarter in enumerate(QUARTERS):
        waits = (down < quarter) & (resettled < 0)
        moves = waits & (100 * rng.random(n) < hazard[village, step])
        resettled[moves] = quarter
    return down, resettled


def _exactly(village: Whole, resettled: Whole) -> Flags:
    """Keep the households of the subdistrict, in the order drawn, up to the last one resettled of 1,359."""
    inside = village < _N_INSIDE
    count = np.cumsum(inside & (resettled >= 0))
    last = int(np.argmax(count >= _N_RESETTLED))
    return np.asarray(~inside | (np.arange(len(count)) <= last))


def _counts(
    n_villages: int, village: Whole, down: Whole, resettled: Whole
) -> tuple[Floats, Floats]:
    """Count households waiting at the start of each quarter, and those resettled in it."""
    at_risk = np.zeros((n_villages, len(QUARTERS)))
    exits = np.zeros_like(at_risk)
    for step, quarter in enumerate(QUARTERS):
        waits = (down < quarter) & ((resettled < 0) | (resettled >= quarter))
        at_risk[:, step] = np.bincount(village[waits], minlength=n_villages)
        exits[:, step] = np.bincount(village[resettled == quarter], minlength=n_villages)
    return at_risk, exits


def _report(villages: list[str], waiting: Floats, exits: Floats) -> Ledger:
    """Give the villages' quarterly report, dated on the last day of the quarter."""
    ends = ((QUARTERS + 1) // 4 - 1970) * 12 + (QUARTERS + 1) % 4 * 3
    last = ends.astype("datetime64[M]").astype("datetime64[D]") - 1
    return Ledger(
        "安置进度季报.csv",
        "拆迁安置进度季报",
        {
            "镇街": np.repeat(
                place_of(np.arange(len(villages)) < _N_INSIDE), len(QUARTERS)
            ).tolist(),
            "填报村": np.repeat(villages, len(QUARTERS)).tolist(),
            "截止日期": dates(np.tile(last, len(villages))),
            "期初待安置户数": waiting.ravel().astype(int).tolist(),
            "本季安置户数": exits.ravel().astype(int).tolist(),
        },
        dates="words",
    )


def _less(observed: pl.DataFrame, villages: list[str], gain: Floats) -> pl.DataFrame:
    """Take the true rise of the rate off: drawn households, so to the rate and not to the count."""
    return observed.with_columns(pl.col("value") - pl.Series(gain.ravel()))


def _pooled(observed: pl.DataFrame, known: dict[str, int]) -> tuple[float, float]:
    cohort = pl.DataFrame({"unit": list(known), "cohort": list(known.values())})
    joined = observed.join(cohort, on="unit")
    is_late = joined["period"] >= joined["cohort"]
    values = joined["value"].to_numpy()
    return float(values[~is_late.to_numpy()].mean()), float(values[is_late.to_numpy()].mean())


@dataclass(frozen=True, slots=True, eq=False)
class _Households:
    village: Whole
    pulled: Moments
    moved: Moments
    is_done: Flags
    mode: NDArray[np.str_]
    floor: Floats  # m²


def _fill(
    rng: np.random.Generator,
    village: Whole,
    down: Whole,
    resettled: Whole,
    starts: list[int | None],
) -> _Households:
    first = np.array([one or 10**6 for one in starts])
    old = rng.choice(OLD_MODES, len(village), p=[0.3, 0.3, 0.4])
    return _Households(
        village,
        days(rng, down, "quarter"),
        days(rng, np.maximum(resettled, 0), "quarter"),
        resettled >= 0,
        np.where(resettled >= first[village], NEW_MODES[village % 2], old),
        np.round(rng.normal(140, 30, len(village)).clip(60, 240), 1),
    )


def _ledger(place: str, chosen: Flags, villages: list[str], every: _Households) -> Ledger:
    order = np.flatnonzero(chosen)
    order = order[np.lexsort((every.pulled[order], every.village[order]))]
    done = every.is_done[order].tolist()

    def if_done(values: list[Any]) -> list[Any]:
        return [one if ok else None for one, ok in zip(values, done, strict=True)]

    code = "JD" if place == TARGET else "LZ"
    return Ledger(
        f"{place}_拆迁安置台账.csv",
        f"{place}农户拆迁安置台账",
        {
            "户编号": [f"{code}{number:05d}" for number in range(1, len(order) + 1)],
            "镇街": [place] * len(order),
            "所在村": [villages[i] for i in every.village[order]],
            "拆除日期": dates(every.pulled[order]),
            "安置日期": if_done(dates(every.moved[order])),
            "安置模式": if_done(every.mode[order].tolist()),
            "安置面积（平方米）": if_done(every.floor[order].tolist()),
        },
        dates="dash" if place == TARGET else "slash",
    )
