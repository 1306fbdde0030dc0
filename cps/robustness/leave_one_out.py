"""Does the estimate hang on a single unit?"""

from __future__ import annotations

import numpy as np

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError, Text
from cps.estimators.registry import point_estimate
from cps.result import Check, Effect
from cps.robustness._parts import amount

NAME = Text("逐一剔除", "Leave one out")
MOST = 10


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why no unit can be left out, or None."""
    if effect.overall.att is None or (design.n_donors < 3 and design.n_treated < 2):
        return Text("单位太少，无法剔除", "too few units to leave one out")
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Estimate again without each treated unit, and without each of the heaviest comparison units.

    It passes if every such estimate keeps the sign and lies within the headline's interval. Where
    the interval covers zero the sign is not asked for: it was not known before either.
    """
    overall = effect.overall
    att = overall.att or 0.0
    estimates: dict[str, float] = {}
    for unit in _candidates(design, effect):
        keep = np.array([one != unit for one in design.units])
        try:
            one = point_estimate(
                subset_design(design, units=keep), effect.method, options=effect.options
            )
        except DesignError:
            continue
        if one is not None:
            estimates[unit] = one
    if not estimates:
        reason = Text("剔除后均无法估计", "nothing can be estimated without any of them")
        return Check("leave_one_out", effect.method, None, None, None, NAME, reason)
    unit = max(estimates, key=lambda name: abs(estimates[name] - att))
    low, high = min(estimates.values()), max(estimates.values())
    moved = estimates[unit]
    ends = (overall.ci_low, overall.ci_high)
    inside = ends[0] is None or ends[1] is None or (ends[0] <= low and high <= ends[1])
    covers_zero = ends[0] is not None and ends[1] is not None and ends[0] <= 0 <= ends[1]
    same_sign = covers_zero or (low > 0) == (high > 0) == (att > 0)
    shown = [amount(design, value) for value in (low, high, moved, att)]
    return Check(
        name="leave_one_out",
        method=effect.method,
        verdict=inside and same_sign,
        statistic=abs(moved - att),
        threshold=None if ends[0] is None or ends[1] is None else (ends[1] - ends[0]) / 2,
        title=NAME,
        explanation=Text(
            f"逐一剔除 {len(estimates)} 个单位，估计在 {shown[0].zh} 至 {shown[1].zh} 之间；"
            f"影响最大的是{unit}（{shown[3].zh} 变为 {shown[2].zh}）",
            f"without each of {len(estimates)} units the estimate lies between {shown[0].en} and "
            f"{shown[1].en}; {unit} moves it most ({shown[3].en} to {shown[2].en})",
        ),
        table={"unit": tuple(estimates), "att": tuple(estimates.values())},
    )


def _candidates(design: Design, effect: Effect) -> list[str]:
    treated = [
        unit for unit, cohort in zip(design.units, design.cohort, strict=True) if cohort is not None
    ]
    weight: dict[str, float] = {}
    for one in effect.weights:
        if one.unit is not None:
            weight[one.unit] = max(weight.get(one.unit, 0.0), one.weight)
    heaviest = sorted(weight, key=lambda unit: -weight[unit])[:MOST]
    if not heaviest and design.n_donors:
        means = design.y[design.is_donor].mean(axis=1)
        donors = [u for u, is_one in zip(design.units, design.is_donor, strict=True) if is_one]
        heaviest = [donors[i] for i in np.argsort(-np.abs(means - np.median(means)))[:MOST]]
    return [*(treated[:MOST] if len(treated) > 1 else []), *heaviest]
