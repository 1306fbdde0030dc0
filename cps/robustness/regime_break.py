"""Does the effect hang on a change in how accounts are kept?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError, Text
from cps.estimators.registry import point_estimate
from cps.result import Check, Effect
from cps.robustness._parts import amount
from cps.robustness.anticipation import is_like

NAME = Text("核算口径变更", "Change of accounting regime")
SIZE = 0.05

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Within:
    """The estimate from periods of one regime, and what all periods say over the same horizon."""

    first: int  # places of the periods
    last: int
    att: float
    expected: float


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why there is no break to look at, or None."""
    if effect.overall.att is None:
        return Text("没有估计可比", "there is no estimate to compare")
    if not any(regime is not None for regime in design.regimes):
        return Text("设计未注明各期核算口径", "the design does not name accounting regimes")
    if not _breaks(design):
        return Text("各期核算口径一致", "all periods are kept under one regime")
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Estimate again within one regime, and see whether the two groups jump apart at a break.

    Within: the run of periods of one regime that holds most treated unit-periods with a period
    before. The estimate there is compared with what the headline says over the same horizon. Jump:
    treated units that do not start at the break, less comparison units, against the changes next to
    it, in the comparison units' noise. Where the start itself falls on the break and nothing else
    can be said, there is no verdict.
    """
    jumps = {b: _jump(design, b) for b in _breaks(design)}
    seen = {b: one for b, one in jumps.items() if one is not None}
    within = _within(design, effect)
    parts: list[Text] = []
    verdicts: list[bool] = []
    labels = [design.period_labels[b] for b in jumps]
    if within is not None:
        verdicts.append(_is_as_expected(effect, within))
        parts.append(_say_within(design, within))
    worst = min(seen, key=lambda b: seen[b][1], default=None)
    p_value = None
    if worst is not None:
        p_value = min(1.0, seen[worst][1] * len(seen))
        verdicts.append(p_value > SIZE)
        parts.append(_say_jump(design, worst, seen[worst][0], p_value))
    named = Text(
        f"核算口径在 {'、'.join(labels)} 变更", f"accounts change regime in {', '.join(labels)}"
    )
    if not parts:
        parts.append(
            Text(
                "启动与变更同期，或单位太少，二者的影响分不开",
                "the start falls on it, or units are too few: the two can't be told apart",
            )
        )
    return Check(
        name="regime_break",
        method=effect.method,
        verdict=all(verdicts) if verdicts else None,
        statistic=p_value,
        threshold=SIZE,
        title=NAME,
        explanation=Text(
            "；".join([named.zh, *(one.zh for one in parts)]),
            "; ".join([named.en, *(one.en for one in parts)]),
        ),
        table={
            "period": tuple(design.periods[b] for b in jumps),
            "jump": tuple(None if one is None else one[0] for one in jumps.values()),
            "p_value": tuple(None if one is None else one[1] for one in jumps.values()),
        },
    )


def _regimes(design: Design) -> list[str | None]:
    """Take a period without a regime to be kept like the one before."""
    filled: list[str | None] = []
    for regime in design.regimes:
        filled.append(regime if regime is not None or not filled else filled[-1])
    return filled


def _breaks(design: Design) -> list[int]:
    """Give the places of the first periods of a new regime."""
    kept = _regimes(design)
    return [t for t in range(1, len(kept)) if kept[t - 1] is not None and kept[t] != kept[t - 1]]


def _within(design: Design, effect: Effect) -> _Within | None:
    edges = [0, *_breaks(design), len(design.periods)]
    periods = np.asarray(design.periods)
    start = design.starts
    best, most = None, 0
    for low, high in pairwise(edges):
        held = (start - design.anticipation > periods[low]) & (start <= periods[high - 1])
        cells = int((periods[None, low:high] >= start[held][:, None]).sum())
        if cells > most:
            best, most = (low, high, held), cells
    if best is None:
        return None
    low, high, held = best
    inside = (np.arange(len(periods)) >= low) & (np.arange(len(periods)) < high)
    part = subset_design(design, units=held | np.isinf(start), periods=inside)
    try:
        att = point_estimate(part, effect.method, options=effect.options)
    except DesignError:
        return None
    if att is None:
        return None
    horizon = int(periods[high - 1] - start[held].min())
    return _Within(low, high - 1, att, _expected(effect, horizon))


def _expected(effect: Effect, horizon: int) -> float:
    """Give the headline's mean effect up to ``horizon`` periods after the start."""
    shown = [
        (one.estimate.att, one.n_treated)
        for one in effect.by_event_time
        if 0 <= one.event_time <= horizon and one.estimate.att is not None
    ]
    if not shown:
        return effect.overall.att or 0.0
    return float(np.average([att for att, _ in shown], weights=[n for _, n in shown]))


def _is_as_expected(effect: Effect, within: _Within) -> bool:
    """Compare as if the headline's interval lay around what is expected over that horizon."""
    overall = effect.overall
    return is_like(overall, (overall.att or 0.0) + within.att - within.expected)


def _jump(design: Design, at: int) -> tuple[float, float] | None:
    """Give the jump of treated against comparison units at a break, and its two-sided p-value.

    The change at the break less the mean of the changes next to it, so that effects that grow
    steadily are no jump; Student's t with the comparison units' standard deviation.
    """
    from scipy.special import stdtr

    periods = design.periods
    sides = [t for t in (at - 1, at + 1) if 1 <= t < len(periods)]
    used = {at, *sides}
    starts = {
        t for t, period in enumerate(periods) for cohort in design.cohorts if period == cohort
    }
    near = {periods[t] for t in used & starts}
    treated = np.array([one is not None and one not in near for one in design.cohort])
    if not sides or not treated.any():
        return None
    change = np.diff(design.y, axis=1, prepend=np.nan)
    bend = change[:, at] - change[:, sides].mean(axis=1)
    own, other = bend[treated & ~np.isnan(bend)], bend[design.is_donor & ~np.isnan(bend)]
    if len(own) < 1 or len(other) < 3:
        return None
    error = float(other.std(ddof=1)) * float(np.sqrt(1 / len(own) + 1 / len(other)))
    gap = float(own.mean() - other.mean())
    if error <= 0:
        return None
    return gap, float(2 * stdtr(len(other) - 1, -abs(gap) / error))


def _say_within(design: Design, within: _Within) -> Text:
    low, high = design.period_labels[within.first], design.period_labels[within.last]
    one, all_ = amount(design, within.att), amount(design, within.expected)
    return Text(
        f"只用同一口径的 {low} 至 {high} 估计，得 {one.zh}（用全部时期、同样年限为 {all_.zh}）",
        f"from {low} to {high} alone, under one regime, the estimate is {one.en} ({all_.en} over "
        "the same horizon with all periods)",
    )


def _say_jump(design: Design, at: int, gap: float, p_value: float) -> Text:
    label, shown = design.period_labels[at], amount(design, gap)
    return Text(
        f"{label} 变更时，承办与对照单位的差距跳变 {shown.zh}，p = {p_value:.3f}",
        f"at the change in {label} the gap between treated and comparison units jumps by "
        f"{shown.en}, p = {p_value:.3f}",
    )
