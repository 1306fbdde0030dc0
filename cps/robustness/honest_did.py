"""Does the effect survive if trends depart from parallel as much as they did before the start?"""

from __future__ import annotations

import math

from cps.design.record import Design
from cps.errors import Text
from cps.result import Check, Effect
from cps.robustness._honest import (
    EventStudy,
    Interval,
    breakdown,
    original_set,
    relative_magnitude_excludes_zero,
    relative_magnitude_set,
)
from cps.robustness._honest_event import Vector, event_vector, periods_before
from cps.robustness._parts import amount

NAME = Text(
    "偏离平行趋势的承受度（相对幅度）", "Departures from parallel trends, relative to past ones"
)
THRESHOLD = 1.0
MOST = 10.0
SIZES = (0.0, 0.5, 1.0, 1.5, 2.0)


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why there is nothing to judge departures by, or None."""
    if periods_before(design) < 3:
        return Text(
            "启动前不足三期，无从估量偏离平行趋势的幅度",
            "fewer than three periods before the start to gauge departures by",
        )
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Find how large departures may be, as a multiple of the largest one before the start.

    Rambachan & Roth (2023), doi:10.1093/restud/rdad018: relative magnitudes, conditional test with
    a least favourable first stage. The breakdown value is the largest multiple at which the robust
    set of the average effect excludes zero; from 1 on the check is passed. Where the usual interval
    covers zero there is nothing to break.
    """
    found = event_vector(design, effect)
    if isinstance(found, Text):
        return Check("honest_did", effect.method, None, None, None, NAME, found)
    alpha = 1 - effect.level
    study = found.study(found.headline, effect.level)
    first = found.study(found.first, effect.level)
    sets = [relative_magnitude_set(study, size, alpha=alpha) for size in SIZES]
    table: dict[str, tuple[float | int | str | None, ...]] = {
        "mbar": SIZES,
        "low": tuple(_finite(low) for low, _ in sets),
        "high": tuple(_finite(high) for _, high in sets),
    }
    usual = original_set(study, alpha=alpha)
    if usual[0] <= 0 <= usual[1]:
        return Check(
            name="honest_did",
            method=effect.method,
            verdict=None,
            statistic=None,
            threshold=THRESHOLD,
            title=NAME,
            explanation=_nothing_to_break(design, found, study, usual),
            table=table,
        )
    value, value_first = (_breakdown(one, alpha) for one in (study, first))
    return Check(
        name="honest_did",
        method=effect.method,
        verdict=value >= THRESHOLD,
        statistic=value,
        threshold=THRESHOLD,
        title=NAME,
        explanation=_explanation(
            design,
            found,
            level=effect.level,
            usual=usual,
            at_one=sets[SIZES.index(1.0)],
            value=value,
            first=value_first,
        ),
        table=table,
    )


def interval(design: Design, one: Interval) -> Text:
    """Write a set's two ends."""
    low, high = (amount(design, end) for end in one)
    return Text(f"{low.zh} 至 {high.zh}", f"{low.en} to {high.en}")


def _breakdown(study: EventStudy, alpha: float) -> float:
    """Give 0 where zero is in the set already without departures."""
    value = breakdown(
        lambda size: relative_magnitude_excludes_zero(study, size, alpha=alpha),
        start=0.5,
        most=MOST,
    )
    return value or 0.0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _nothing_to_break(design: Design, found: Vector, study: EventStudy, usual: Interval) -> Text:
    shown, ends = amount(design, study.estimate), interval(design, usual)
    return Text(
        f"{found.source.zh}：启动后平均效应为 {shown.zh}，区间 {ends.zh} 本就含零，谈不上推翻",
        f"{found.source.en}: the average effect is {shown.en} and its interval, {ends.en}, covers "
        "zero as it is, so there is nothing to break",
    )


def _explanation(
    design: Design,
    found: Vector,
    *,
    level: float,
    usual: Interval,
    at_one: Interval,
    value: float,
    first: float,
) -> Text:
    ends, robust = interval(design, usual), interval(design, at_one)
    covers = not (at_one[0] > 0 or at_one[1] < 0)
    breaks = [f"{MOST:g} 以上" if one >= MOST else f"{one:.2f}" for one in (value, first)]
    breaks_en = [f"above {MOST:g}" if one >= MOST else f"{one:.2f}" for one in (value, first)]
    n, unit, share = found.n_pre + 1, found.unit, f"{100 * level:g}%"
    return Text(
        f"{found.source.zh}：启动后平均效应的 {share} 区间为 {ends.zh}。若启动后每{unit.zh}偏离平行趋势的"
        f"幅度不超过启动前 {n} {unit.zh}中最大一次的 1 倍，稳健区间为 {robust.zh}，"
        f"{'已含零' if covers else '仍不含零'}；突破值 {breaks[0]}（首{unit.zh}效应为 {breaks[1]}），"
        f"不低于 {THRESHOLD:g} 方算稳健",
        f"{found.source.en}: the {share} interval of the average effect is {ends.en}. If each "
        f"{unit.en}'s departure from parallel trends after the start is at most 1 times the largest "
        f"of the {n} {unit.en}s before it, the robust interval is {robust.en}, which "
        f"{'covers' if covers else 'still excludes'} zero; the breakdown value is {breaks_en[0]} "
        f"({breaks_en[1]} for the first {unit.en}'s effect), to be {THRESHOLD:g} or more to pass",
    )
