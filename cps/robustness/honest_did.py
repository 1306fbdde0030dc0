"""Does the effect survive if trends depart from parallel as much as they did before the start?"""

from __future__ import annotations

from collections.abc import Mapping

from cps.design.record import Design
from cps.errors import Text
from cps.estimators._options import Free
from cps.result import Check, Effect
from cps.robustness._honest import (
    EventStudy,
    Interval,
    Method,
    breakdown,
    original_set,
    relative_magnitude_excludes_zero,
    relative_magnitude_sets,
    smoothness_relative_excludes_zero,
    smoothness_relative_sets,
)
from cps.robustness._honest_event import Vector, event_vector, periods_before
from cps.robustness._honest_options import Target, sizes_of, target_of
from cps.robustness._parts import amount

NAME = Text(
    "偏离平行趋势的承受度（相对幅度）", "Departures from parallel trends, relative to past ones"
)
OPTIONS: dict[str, tuple[str, ...] | Free] = {
    "mbar": Free("0,0.5,1,1.5,2"),  # multiples, separated by commas
    "target": Free("average"),  # or first, k for the k-th period from the start, or weights
    "method": ("c_lf", "conditional"),
    "restriction": ("relative_magnitude", "smoothness_relative_magnitude"),
}
THRESHOLD = 1.0
MOST = 10.0
_METHODS: dict[str, Method] = {"c_lf": "C-LF", "conditional": "Conditional"}


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why there is nothing to judge departures by, or None."""
    if periods_before(design) < 3:
        return Text(
            "启动前不足三期，无从估量偏离平行趋势的幅度",
            "fewer than three periods before the start to gauge departures by",
        )
    return None


def run(design: Design, effect: Effect, *, seed: int, options: Mapping[str, str]) -> Check:
    """Find how large departures may be, as a multiple of the largest one before the start.

    Rambachan & Roth (2023), doi:10.1093/restud/rdad018: relative magnitudes of the steps of the
    bias, or of the changes of its slope; conditional test, with a least favourable first stage or
    without. The breakdown value is the largest multiple at which the robust set of the effect asked
    for excludes zero; from 1 on the check is passed. Where the usual interval covers zero there is
    nothing to break. The table holds the set for every multiple asked for.
    """
    found = event_vector(design, effect)
    if isinstance(found, Text):
        return Check("honest_did", effect.method, None, None, None, NAME, found)
    alpha = 1 - effect.level
    sizes = sizes_of(options["mbar"], option="mbar", where="honest_did")
    asked = target_of(found, options["target"], where="honest_did")
    study, how = found.study(asked.l_vec, effect.level), _Test(alpha, options)
    usual = original_set(study, alpha=alpha)
    is_claimed = not usual[0] <= 0 <= usual[1]
    sets = how.robust_sets(study, (*sizes, *((THRESHOLD,) if is_claimed else ())))
    value: float | None = None
    if not is_claimed:
        words = _nothing_to_break(design, found, asked, study, usual)
    else:
        value = how.breakdown(study)
        is_average = options["target"] == "average"
        first = how.breakdown(found.study(found.first, effect.level)) if is_average else None
        words = _explanation(
            design,
            found,
            asked,
            level=effect.level,
            usual=usual,
            at_one=sets[THRESHOLD],
            value=value,
            first=first,
            of_slopes=how.of_slopes,
        )
    return Check(
        name="honest_did",
        method=effect.method,
        verdict=None if value is None else value >= THRESHOLD,
        statistic=value,
        threshold=THRESHOLD,
        title=NAME,
        explanation=words,
        table={
            "mbar": sizes,
            "low": tuple(sets[size][0] for size in sizes),
            "high": tuple(sets[size][1] for size in sizes),
        },
    )


class _Test:
    """The restriction and the test that were chosen."""

    def __init__(self, alpha: float, options: Mapping[str, str]) -> None:
        self.alpha = alpha
        self.method = _METHODS[options["method"]]
        self.of_slopes = options["restriction"] == "smoothness_relative_magnitude"

    def robust_sets(self, study: EventStudy, sizes: tuple[float, ...]) -> dict[float, Interval]:
        of = smoothness_relative_sets if self.of_slopes else relative_magnitude_sets
        each = tuple(dict.fromkeys(sizes))
        found = of(study, each, alpha=self.alpha, method=self.method)
        return dict(zip(each, found, strict=True))

    def breakdown(self, study: EventStudy) -> float:
        """Give 0 where zero is in the set already without departures."""
        one = smoothness_relative_excludes_zero if self.of_slopes else _steps_exclude_zero
        value = breakdown(
            lambda size: one(study, size, alpha=self.alpha, method=self.method),
            start=0.5,
            most=MOST,
        )
        return value or 0.0


_steps_exclude_zero = relative_magnitude_excludes_zero


def interval(design: Design, one: Interval) -> Text:
    """Write a set's two ends."""
    low, high = (amount(design, end) for end in one)
    return Text(f"{low.zh} 至 {high.zh}", f"{low.en} to {high.en}")


def _nothing_to_break(
    design: Design, found: Vector, asked: Target, study: EventStudy, usual: Interval
) -> Text:
    shown, ends = amount(design, study.estimate), interval(design, usual)
    return Text(
        f"{found.source.zh}：{asked.name.zh}为 {shown.zh}，区间 {ends.zh} 本就含零，谈不上推翻",
        f"{found.source.en}: {asked.name.en} is {shown.en} and its interval, {ends.en}, covers "
        "zero as it is, so there is nothing to break",
    )


def _explanation(
    design: Design,
    found: Vector,
    asked: Target,
    *,
    level: float,
    usual: Interval,
    at_one: Interval,
    value: float,
    first: float | None,
    of_slopes: bool,
) -> Text:
    ends, robust = interval(design, usual), interval(design, at_one)
    covers = not (at_one[0] > 0 or at_one[1] < 0)
    broken = [None if one is None else _breaks(one) for one in (value, first)]
    n, unit, share = found.n_pre + 1, found.unit, f"{100 * level:g}%"
    about_first = Text("", "")
    if broken[1] is not None:
        about_first = Text(
            f"（首{unit.zh}效应的突破值为 {broken[1].zh}）",
            f" ({broken[1].en} for the first {unit.en}'s effect)",
        )
    bound = Text(
        f"若启动后每{unit.zh}偏离平行趋势的幅度不超过启动前 {n} {unit.zh}中最大一次的 1 倍",
        f"If each {unit.en}'s departure from parallel trends after the start is at most 1 times the "
        f"largest of the {n} {unit.en}s before it",
    )
    if of_slopes:
        bound = Text(
            f"若启动后两组趋势差每{unit.zh}的弯折不超过启动前 {n} {unit.zh}中最大一次的 1 倍",
            f"If the difference in trends bends after the start by at most 1 times its largest bend "
            f"in the {n} {unit.en}s before it",
        )
    value_shown = broken[0] or Text("", "")
    return Text(
        f"{found.source.zh}：{asked.name.zh}的 {share} 区间为 {ends.zh}。{bound.zh}，稳健区间为 "
        f"{robust.zh}，{'已含零' if covers else '仍不含零'}；突破值 {value_shown.zh}{about_first.zh}，"
        f"不低于 {THRESHOLD:g} 方算稳健",
        f"{found.source.en}: the {share} interval of {asked.name.en} is {ends.en}. {bound.en}, the "
        f"robust interval is {robust.en}, which {'covers' if covers else 'still excludes'} zero; "
        f"the breakdown value is {value_shown.en}{about_first.en}, to be {THRESHOLD:g} or more to "
        "pass",
    )


def _breaks(value: float) -> Text:
    if value >= MOST:
        return Text(f"{MOST:g} 以上", f"above {MOST:g}")
    return Text(*[f"{value:.2f}"] * 2)
