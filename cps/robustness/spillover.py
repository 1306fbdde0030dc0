"""Did untreated neighbours move when the treated units started?"""

from __future__ import annotations

import numpy as np

from cps.design._power import multiple
from cps.design.record import Design, LeftOut
from cps.errors import DesignError, Text
from cps.estimators.registry import point_estimate
from cps.result import Check, Effect
from cps.robustness._parts import amount, several
from cps.robustness._units import can_take_in, change_around, permutation_p_value, take_in

NAME = Text("外溢", "Spill-over")
SIZE = 0.05


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why there is no ring to look at, or None."""
    if not _ring(design):
        return Text(
            "没有登记为外溢圈、数据完整的邻近单位，无从检验外溢",
            "no neighbour with complete data was set aside as a ring: spill-over can't be looked for",
        )
    if design.n_donors < 2:
        return Text("圈外的对照单位不足 2 个", "fewer than 2 comparison units outside the ring")
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Compare the ring's change at the starts with that of units farther off.

    The change is from before a start to after it, averaged over starts by treated units; its
    p-value is the rank among all ways to call as many units the ring (permutation). The estimate
    with the ring among the comparison units says what the donut around them changes (Butts 2023,
    doi:10.48550/arXiv.2105.03737). The ring must be drawn without looking at outcomes.
    """
    ring = _ring(design)
    near = change_around(design, np.array([one.y for one in ring]))
    far = change_around(design, design.y[design.is_donor])
    near, far = near[np.isfinite(near)], far[np.isfinite(far)]
    if not len(near) or len(far) < 2:
        reason = Text(
            "圈内或圈外没有启动前后均有数据的单位",
            "no unit inside or outside the ring is seen before and after the starts",
        )
        return Check("spillover", effect.method, None, None, None, NAME, reason)
    p_value, floor = permutation_p_value(near, far, seed)
    gap = float(near.mean() - far.mean())
    too_few = floor > SIZE
    spread = float(far.std(ddof=1)) * float(np.sqrt(1 / len(near) + 1 / len(far)))
    shown = amount(design, gap)
    least = amount(design, multiple(len(far) - 1) * spread)
    missed = Text(least.zh.replace("+", ""), least.en.replace("+", ""))
    donut_zh, donut_en, with_ring = _donut(design, effect)
    tail = ("；单位太少，p 值到不了界限", "; too few units for any p-value to reach the bound")
    return Check(
        name="spillover",
        method=effect.method,
        verdict=None if too_few else p_value > SIZE,
        statistic=p_value,
        threshold=SIZE,
        title=NAME,
        explanation=Text(
            f"启动前后，圈内 {len(near)} 个邻近单位比圈外 {len(far)} 个单位多变动 {shown.zh}，"
            f"p = {p_value:.3f}；小于 {missed.zh} 的外溢多半发现不了{donut_zh}{tail[0] if too_few else ''}",
            f"around the starts {several(len(near), 'neighbour')} changed by {shown.en} more than {len(far)} "
            f"units farther off, p = {p_value:.3f}; spill-over of less than {missed.en} would most "
            f"likely go unseen{donut_en}{tail[1] if too_few else ''}",
        ),
        table={
            "quantity": ("ring_less_far", "att_without_ring", "att_with_ring"),
            "value": (gap, effect.overall.att, with_ring),
        },
    )


def _ring(design: Design) -> list[LeftOut]:
    return [one for one in design.left_out if one.reason == "spillover"]


def _donut(design: Design, effect: Effect) -> tuple[str, str, float | None]:
    if not can_take_in(design) or effect.overall.att is None:
        return "", "", None
    try:
        found = point_estimate(
            take_in(design, _ring(design)), effect.method, options=effect.options
        )
    except DesignError:
        return "", "", None
    if found is None or not np.isfinite(found):
        return "", "", None
    with_ring, without = amount(design, found), amount(design, effect.overall.att)
    return (
        f"；把邻近单位当作对照，估计为 {with_ring.zh}，剔除后为 {without.zh}",
        f"; with the neighbours as comparison the estimate is {with_ring.en}, without them "
        f"{without.en}",
        found,
    )
