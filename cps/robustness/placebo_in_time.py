"""Does an effect appear at a start that never was?"""

from __future__ import annotations

import numpy as np

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError, Text
from cps.estimators.registry import estimate
from cps.result import Check, Effect
from cps.robustness._parts import amount, several
from cps.robustness._placebos import placebo_effects
from cps.robustness._units import join

NAME = Text("时间安慰剂", "Placebo in time")
MOST = 3
_MIN_BEFORE = 2
_FEW = 5


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why no earlier start can be pretended, or None."""
    if _first(design) is None:
        n_before = sum(
            period < max(design.cohorts) - design.anticipation for period in design.periods
        )
        return Text(
            f"各批次启动前最多只有 {n_before} 期，不足以设置虚拟启动",
            f"{several(n_before, 'period')} before a start at most: too few to pretend an earlier one",
        )
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Estimate, by the same method, effects of starts put one to three periods earlier.

    Only periods before the true earliest start enter, so that nothing true can be found
    (Abadie, Diamond & Hainmueller 2015, doi:10.1111/ajps.12116). Cohorts with fewer than three
    periods before their start are left out first. It fails if any pretended start
    has a p-value under a Bonferroni bound; where no p-value could get there, it can't say. With
    fewer than five treated units analytic errors are too small: the p-value is then a rank among
    placebo units.
    """
    periods = np.asarray(design.periods)
    first = _first(design) or min(design.cohorts)
    before = periods < first - design.anticipation
    is_early = np.array([one is not None and one < first for one in design.cohort])
    labels = dict(zip(design.periods, design.period_labels, strict=True))
    n_back = min(MOST, int(before.sum()) - _MIN_BEFORE)
    found: list[tuple[int, float, float | None, float, float]] = []
    refused: Text | None = None
    for back in range(n_back, 0, -1):
        pretended = int(periods[before][-back])
        cohort = [None if one is None else pretended for one in design.cohort]
        earlier = subset_design(design, units=~is_early, periods=before, cohort=cohort)
        try:
            one = estimate(
                earlier, effect.method, level=effect.level, seed=seed, options=effect.options
            )
        except DesignError as error:
            refused = error.what
            continue
        p_value, floor = _p_value(earlier, one, seed)
        if one.overall.att is not None and p_value is not None:
            found.append((pretended, one.overall.att, one.overall.se, p_value, floor))
    if not found:
        reason = refused or Text(
            "虚拟启动的估计没有 p 值", "the pretended starts' estimates have no p-value"
        )
        return Check("placebo_in_time", effect.method, None, None, None, NAME, reason)
    bound = (1 - effect.level) / len(found)
    if min(one[4] for one in found) > bound:
        # Ranks among few placebos: look at the middle one alone, and ask no more of it.
        found, bound = [found[len(found) // 2]], 1 - effect.level
    can_tell = min(one[4] for one in found) <= bound
    worst = min(found, key=lambda one: one[3])
    shown = amount(design, worst[1])
    years = [labels[one[0]] for one in found]
    names = Text(join(years, comma="、"), join(years))
    n_kept = design.n_treated - int(is_early.sum())
    few = (
        (f"（{n_kept} 个承办单位）", f" ({several(n_kept, 'treated unit')})")
        if is_early.any()
        else ("", "")
    )
    tail = (
        ("", "") if can_tell else ("；p 值再小也到不了界限", "; no p-value could reach the bound")
    )
    return Check(
        name="placebo_in_time",
        method=effect.method,
        verdict=worst[3] > bound if can_tell else None,
        statistic=worst[3],
        threshold=bound,
        title=NAME,
        explanation=Text(
            f"分别假定 {names.zh} 启动（实际尚未启动）{few[0]}，最突出的 {labels[worst[0]]} 得“效应”{shown.zh}，"
            f"p = {worst[3]:.3f}，界限 {bound:.3f}{tail[0]}",
            f"of starts pretended in {names.en}, before any true one{few[1]}, {labels[worst[0]]} stands out most: "
            f"{shown.en}, p = {worst[3]:.3f} against a bound of {bound:.3f}{tail[1]}",
        ),
        table={
            "period": tuple(one[0] for one in found),
            "att": tuple(one[1] for one in found),
            "se": tuple(one[2] for one in found),
            "p_value": tuple(one[3] for one in found),
        },
    )


def _p_value(design: Design, effect: Effect, seed: int) -> tuple[float | None, float]:
    """Give the p-value and its smallest value; by rank where analytic errors can't be trusted."""
    own = effect.overall.p_value
    if effect.overall.att is None or (own is not None and effect.inference == "placebo"):
        return own, effect.p_value_floor or 0.0
    if design.n_treated < _FEW or own is None:
        placebos = placebo_effects(design, effect, seed=seed)
        if len(placebos):
            as_large = int((np.abs(placebos) >= abs(effect.overall.att)).sum())
            return (1 + as_large) / (1 + len(placebos)), 1 / (1 + len(placebos))
    return own, effect.p_value_floor or 0.0


def _first(design: Design) -> int | None:
    """Give the earliest start with enough periods before it, or None."""
    for start in design.cohorts:
        n_before = sum(period < start - design.anticipation for period in design.periods)
        if n_before > _MIN_BEFORE:
            return start
    return None
