"""Does an effect appear at a start that never was?"""

from __future__ import annotations

import numpy as np

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import Text
from cps.estimators.registry import estimate
from cps.result import Check, Effect
from cps.robustness._parts import amount

NAME = Text("时间安慰剂", "Placebo in time")
_BACK = 2
_MIN_BEFORE = 2


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why no earlier start can be pretended, or None."""
    n_before = sum(period < min(design.cohorts) - design.anticipation for period in design.periods)
    if n_before < _MIN_BEFORE + 1:
        return Text(
            f"最早批次启动前只有 {n_before} 期，不足以设置虚拟启动",
            f"{n_before} periods before the earliest start: too few to pretend an earlier one",
        )
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Estimate, by the same method, an effect of a start put up to two periods earlier.

    Only periods before the true earliest start enter, so that nothing true can be found
    (Abadie, Diamond & Hainmueller 2015, doi:10.1111/ajps.12116).
    """
    periods = np.asarray(design.periods)
    before = periods < min(design.cohorts) - design.anticipation
    back = min(_BACK, int(before.sum()) - _MIN_BEFORE)
    pretended = int(periods[before][-back])
    cohort = [None if one is None else pretended for one in design.cohort]
    earlier = subset_design(design, periods=before, cohort=cohort)
    found = estimate(earlier, effect.method, level=effect.level, seed=seed, options=effect.options)
    overall = found.overall
    if overall.att is None or overall.p_value is None:
        reason = Text("虚拟启动的估计没有 p 值", "the pretended start's estimate has no p-value")
        return Check("placebo_in_time", effect.method, None, None, None, NAME, reason)
    label = dict(zip(design.periods, design.period_labels, strict=True))[pretended]
    shown = amount(design, overall.att)
    return Check(
        name="placebo_in_time",
        method=effect.method,
        verdict=overall.p_value > 1 - effect.level,
        statistic=overall.p_value,
        threshold=1 - effect.level,
        title=NAME,
        explanation=Text(
            f"假定 {label} 启动（实际尚未启动），得“效应”{shown.zh}，p = {overall.p_value:.3f}",
            f"a start pretended in {label}, before any true one, gives {shown.en}, "
            f"p = {overall.p_value:.3f}",
        ),
        table={"period": (pretended,), "att": (overall.att,), "se": (overall.se,)},
    )
