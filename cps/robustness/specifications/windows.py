"""Which periods a specification keeps: a shorter time before the start, years dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Text
from cps.periods import PERIODS_PER_YEAR

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Why:
    """What stands in the way of a specification, and how to mend it."""

    what: Text
    mend: Text


def kept_periods(
    design: Design, before: str, calendar: str, *, years: int, shock_years: Sequence[int]
) -> Bools | Why:
    """Give the periods kept, shape (n_periods,), or why none could be compared.

    Years are dropped first; the short window then keeps the last ``years`` before the first start
    (less the anticipated periods) of what is left.
    """
    periods = np.asarray(design.periods)
    keep = np.ones(len(periods), dtype=bool)
    if calendar == "no_shock":
        keep &= ~np.isin(periods // PERIODS_PER_YEAR[design.frequency], list(shock_years))
    elif calendar == "no_break":
        keep &= ~under_other_rules(design)
    is_before = keep & (periods < min(design.cohorts) - design.anticipation)
    if before == "short":
        most = years * PERIODS_PER_YEAR[design.frequency]
        keep[np.flatnonzero(is_before)[:-most]] = False
        is_before &= keep
    if not is_before.any():
        return Why(
            Text(
                "剔除这些年份后，首次启动前没有一期",
                "without these years no period is left before the first start",
            ),
            Text("补充更早年份的台账", "add earlier ledgers"),
        )
    for cohort in design.cohorts:
        if not (keep & (periods >= cohort)).any():
            label = dict(zip(design.periods, design.period_labels, strict=True)).get(cohort, cohort)
            return Why(
                Text(
                    f"剔除这些年份后，{label} 启动的单位没有启动后的一期",
                    f"without these years hosts that started in {label} have no period after it",
                ),
                Text("待更晚的台账", "wait for later ledgers"),
            )
    return keep


def under_other_rules(design: Design) -> Bools:
    """Tell the periods whose accounting regime is not that of the last one before the first start."""
    if not design.regimes:
        return np.zeros(len(design.periods), dtype=bool)
    before = [
        regime
        for period, regime in zip(design.periods, design.regimes, strict=True)
        if period < min(design.cohorts) - design.anticipation and regime is not None
    ]
    own = before[-1] if before else None
    return np.array([own is not None and one not in (None, own) for one in design.regimes])


def words_for_options(design: Design, *, years: int, shock_years: Sequence[int]) -> dict[str, Text]:
    """Say which years the windows of this design are about."""
    per_year = PERIODS_PER_YEAR[design.frequency]
    there = {period // per_year for period in design.periods}
    changed = np.asarray(design.periods)[under_other_rules(design)] // per_year
    return {
        "years": Text(str(years), str(years)),
        "shock": _years(there & set(shock_years)),
        "regime": _years(set(changed.tolist())),
    }


def _years(years: set[int]) -> Text:
    if not years:
        return Text("（无）", "none here")
    first, last = min(years), max(years)
    if len(years) > 1 and last - first + 1 == len(years):
        return Text(f"{first}–{last}", f"{first}–{last}")
    listed = [str(year) for year in sorted(years)]
    return Text("、".join(listed), ", ".join(listed))
