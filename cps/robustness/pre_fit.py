"""How well does the comparison follow the treated units before the start?"""

from __future__ import annotations

import math

import numpy as np

from cps.design.record import Design
from cps.errors import Text
from cps.result import Check, Effect
from cps.robustness._parts import amount

NAME = Text("启动前拟合", "Fit before the start")


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why there is no fit to judge, or None."""
    if len(_gaps(design, effect)) < 2 or design.n_donors < 2:
        return Text("启动前不足两期有对照路径", "fewer than two pre-periods with a counterfactual")
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Set the root mean squared gap before the start against ordinary noise.

    The yardstick is the standard deviation of comparison units' changes from period to period: a
    gap beyond it is no fluctuation.
    """
    gaps = _gaps(design, effect)
    rmse = math.sqrt(sum(gap**2 for gap in gaps) / len(gaps))
    before = np.asarray(design.periods) < min(design.cohorts) - design.anticipation
    noise = float(np.diff(design.y[design.is_donor][:, before], axis=1).std(ddof=1))
    error, usual = amount(design, rmse), amount(design, noise)
    return Check(
        name="pre_fit",
        method=effect.method,
        verdict=rmse <= noise if noise > 0 else None,
        statistic=rmse,
        threshold=noise,
        title=NAME,
        explanation=Text(
            f"启动前 {len(gaps)} 期实际与对照的均方根差为 {error.zh.lstrip('+')}，"
            f"对照单位逐期变动的标准差为 {usual.zh.lstrip('+')}",
            f"over {len(gaps)} periods before the start the root mean squared gap is "
            f"{error.en.replace('+', '')}; comparison units change by "
            f"{usual.en.replace('+', '')} (s.d.) from one period to the next",
        ),
    )


def _gaps(design: Design, effect: Effect) -> list[float]:
    first = min(design.cohorts) - design.anticipation
    gaps = [
        one.observed - one.counterfactual
        for one in effect.paths
        if one.period < first and one.observed is not None and one.counterfactual is not None
    ]
    # A constant distance is no misfit to methods that difference it out.
    level = sum(gaps) / len(gaps) if gaps and effect.options.get("weights") != "sc" else 0.0
    return [gap - level for gap in gaps]
