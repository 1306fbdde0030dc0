"""Would units that were never treated show as large an effect?"""

from __future__ import annotations

from cps.design.record import Design
from cps.errors import Text
from cps.result import Check, Effect
from cps.robustness._parts import amount

NAME = Text("空间安慰剂", "Placebo in space")


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why there is no placebo distribution, or None."""
    if not effect.placebos or effect.overall.p_value is None or effect.overall.att is None:
        return Text("该方法没有安慰剂分布", "this method has no placebo distribution")
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Rank the estimate among the effects found where nothing happened.

    Abadie, Diamond & Hainmueller (2010), doi:10.1198/jasa.2009.ap08746. The verdict says whether
    the estimate stands out; one that does not may be small, or only hard to see.
    """
    p_value, att = effect.overall.p_value or 1.0, effect.overall.att or 0.0
    threshold = 1 - effect.level
    n = len(effect.placebos)
    as_large = sum(abs(one) >= abs(att) for one in effect.placebos)
    shown = amount(design, att)
    too_few = effect.p_value_floor is not None and effect.p_value_floor > threshold
    tail_zh = "；安慰剂太少，p 值再小也到不了界限" if too_few else ""
    tail_en = "; too few placebos for any p-value to reach the bound" if too_few else ""
    return Check(
        name="placebo_in_space",
        method=effect.method,
        verdict=None if too_few else p_value <= threshold,
        statistic=p_value,
        threshold=threshold,
        title=NAME,
        explanation=Text(
            f"{n} 次安慰剂中有 {as_large} 次不小于本估计（{shown.zh}），p = {p_value:.3f}{tail_zh}",
            f"{as_large} of {n} placebo effects are as large as the estimate ({shown.en}), "
            f"p = {p_value:.3f}{tail_en}",
        ),
    )
