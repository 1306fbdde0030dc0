"""Did units move before the start, in the expectation of it?"""

from __future__ import annotations

import dataclasses

from cps.design.record import Design
from cps.errors import Text
from cps.estimators.registry import estimate
from cps.provenance import sha256_json
from cps.result import Check, Effect, Estimate
from cps.robustness._honest_event import is_few, lead_p_value
from cps.robustness._parts import amount, several

NAME = Text("提前反应", "Anticipation")
SIZE = 0.05


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why no period can be spared, or None."""
    first = min(design.cohorts) - design.anticipation
    n_before = sum(period < first for period in design.periods)
    if n_before < 3 or effect.overall.att is None:
        return Text(
            f"最早批次启动前只有 {n_before} 期，再让出一期便无从比较",
            f"{several(n_before, 'period')} before the earliest start: none can be spared",
        )
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Allow for one more period of anticipation, and look at the effect in that period.

    Estimated again by the same method with the base one period earlier. Passed if the period before
    the start shows no effect of its own, and the estimate keeps its sign (where it was known) and
    stays in its interval.
    """
    earlier = dataclasses.replace(
        design,
        anticipation=design.anticipation + 1,
        design_hash=sha256_json([design.design_hash, "anticipation", design.anticipation + 1]),
    )
    found = estimate(earlier, effect.method, level=effect.level, seed=seed, options=effect.options)
    before, after = effect.overall.att or 0.0, found.overall.att
    if after is None:
        reason = Text("让出一期后没有估计", "no estimate with one period spared")
        return Check("anticipation", effect.method, None, None, None, NAME, reason)
    event_time = -1 - design.anticipation
    lead = next((one.estimate for one in found.by_event_time if one.event_time == event_time), None)
    if lead is not None and found.inference == "analytic" and is_few(design):
        # Few units' own errors are too small: the comparison units' noise tells.
        lead = dataclasses.replace(lead, p_value=lead_p_value(earlier, event_time))
    p_value = None if lead is None or lead.att is None else lead.p_value
    is_quiet = p_value is None or p_value > SIZE
    is_stable = is_like(effect.overall, after)
    # Too few placebos for any p-value to fall below the bound: quiet means nothing.
    is_blind = found.p_value_floor is not None and found.p_value_floor > SIZE
    return Check(
        name="anticipation",
        method=effect.method,
        verdict=None if is_blind and is_stable else is_quiet and is_stable,
        statistic=abs(after - before),
        threshold=_half_width(effect.overall),
        title=NAME,
        explanation=_explanation(design, before, after, lead, event_time),
        table={
            "event_time": (event_time,),
            "att": (None if lead is None else lead.att,),
            "se": (None if lead is None else lead.se,),
            "p_value": (p_value,),
            "overall": (after,),
        },
    )


def is_like(overall: Estimate, other: float) -> bool:
    """Tell whether another estimate lies in the interval, on the same side of zero if one is known."""
    if overall.att is None:
        return False
    if overall.ci_low is None or overall.ci_high is None:
        return (other > 0) == (overall.att > 0)
    inside = overall.ci_low <= other <= overall.ci_high
    covers_zero = overall.ci_low <= 0 <= overall.ci_high
    return inside and (covers_zero or (other > 0) == (overall.att > 0))


def _half_width(overall: Estimate) -> float | None:
    if overall.ci_low is None or overall.ci_high is None:
        return None
    return (overall.ci_high - overall.ci_low) / 2


def _explanation(
    design: Design, before: float, after: float, lead: Estimate | None, event_time: int
) -> Text:
    old, new = amount(design, before), amount(design, after)
    head = Text(
        f"把基期再提前一期（容许提前反应 {design.anticipation + 1} 期），估计由 {old.zh} 变为 {new.zh}",
        f"with the base one period earlier ({design.anticipation + 1} of anticipation allowed) the "
        f"estimate goes from {old.en} to {new.en}",
    )
    if lead is None or lead.att is None:
        return head
    shown = amount(design, lead.att)
    tail_zh = "" if lead.p_value is None else f"，p = {lead.p_value:.3f}"
    tail_en = "" if lead.p_value is None else f", p = {lead.p_value:.3f}"
    return Text(
        f"{head.zh}；第 {event_time} 期（启动之前）的“效应”为 {shown.zh}{tail_zh}",
        f"{head.en}; the effect in period {event_time}, before the start, is {shown.en}{tail_en}",
    )
