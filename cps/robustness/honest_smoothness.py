"""Does the effect survive if treated and comparison units had a trend of their own that bends?"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

import numpy as np

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
    smoothness_set,
)
from cps.robustness._honest_event import Vector, event_vector, periods_before
from cps.robustness._honest_options import Target, sizes_of, target_of
from cps.robustness._parts import amount

NAME = Text("偏离平行趋势的承受度（趋势弯折）", "Departures from parallel trends that bend slowly")
OPTIONS: dict[str, tuple[str, ...] | Free] = {
    "m": Free("auto"),  # bends a period, separated by commas; auto: multiples of the largest seen
    "target": Free("average"),  # or first, k for the k-th period from the start, or weights
    "method": ("flci", "c_f", "c_lf", "conditional"),
}
_METHODS: dict[str, Method] = {
    "flci": "FLCI",
    "c_f": "C-F",
    "c_lf": "C-LF",
    "conditional": "Conditional",
}
_STEPS = (0.0, 0.5, 1.0, 1.5, 2.0)
_MOST = 1000.0


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why there is no bend to measure, or None."""
    if periods_before(design) < 3:
        return Text(
            "启动前不足三期，看不出趋势的弯折",
            "fewer than three periods before the start: no bend of a trend to be seen",
        )
    return None


def run(design: Design, effect: Effect, *, seed: int, options: Mapping[str, str]) -> Check:
    """Find how much the difference in trends may bend from period to period.

    Rambachan & Roth (2023), doi:10.1093/restud/rdad018: smoothness, fixed-length intervals unless a
    conditional test is asked for. Any linear difference in trends is allowed for; the breakdown
    value is the largest change of its slope per period at which the interval of the effect asked
    for excludes zero. It must exceed the bend that the periods before the start show beyond their
    error. The table holds the set for every bend asked for.
    """
    found = event_vector(design, effect)
    if isinstance(found, Text):
        return Check("honest_smoothness", effect.method, None, None, None, NAME, found)
    alpha, method = 1 - effect.level, _METHODS[options["method"]]
    asked = target_of(found, options["target"], where="honest_smoothness")
    plain = found.study(asked.l_vec, effect.level)
    # Only the fixed-length interval chooses weights to make its variance small.
    n_fitted = found.n_pre - 1 if method in ("FLCI", "C-F") else 0
    study = found.study(asked.l_vec, effect.level, n_fitted=n_fitted)
    path = np.append(study.beta[: study.n_pre], 0.0)
    largest = float(np.abs(np.diff(path, n=2)).max())
    certain = shown_bend(plain, alpha)
    sizes = tuple(step * largest for step in _STEPS)
    if options["m"] != "auto":
        sizes = sizes_of(options["m"], option="m", where="honest_smoothness")

    def robust(size: float) -> Interval:
        return smoothness_set(study, size, alpha=alpha, method=method)

    sets = [robust(size) for size in sizes]
    usual = original_set(plain, alpha=alpha)
    if _covers_zero(usual):
        value, verdict = None, None
        words = _nothing_to_break(design, found, asked, plain, usual)
    else:
        value = breakdown(
            lambda size: not _covers_zero(robust(size)),
            start=max(largest, 1e-3 * study.se),
            most=_MOST * max(largest, study.se),
        )
        verdict = value is not None and value >= certain
        words = _explanation(
            design,
            found,
            asked,
            linear=sets[sizes.index(0.0)] if 0.0 in sizes else robust(0.0),
            level=effect.level,
            value=value,
            largest=largest,
            certain=certain,
        )
    return Check(
        name="honest_smoothness",
        method=effect.method,
        verdict=verdict,
        statistic=value,
        threshold=certain,
        title=NAME,
        explanation=words,
        table={
            "m": sizes,
            "low": tuple(low for low, _ in sets),
            "high": tuple(high for _, high in sets),
        },
    )


def _covers_zero(one: Interval) -> bool:
    return one[0] <= 0 <= one[1]


def shown_bend(study: EventStudy, alpha: float) -> float:
    """Give the bend that the periods before the start show for certain: 0 if noise explains all.

    The largest estimated change of slope less its error, with Bonferroni's allowance for choosing
    the largest.
    """
    turns = np.delete(np.diff(np.eye(study.n_pre + 1), n=2, axis=0), study.n_pre, axis=1)
    before = study.sigma[: study.n_pre, : study.n_pre]
    bends = np.abs(turns @ study.beta[: study.n_pre])
    errors = np.sqrt(np.einsum("ij,jk,ik->i", turns, before, turns))
    wide = NormalDist().inv_cdf(1 - alpha / (2 * len(bends)))
    return max(0.0, float((bends - wide * errors).max()))


def _nothing_to_break(
    design: Design, found: Vector, asked: Target, study: EventStudy, usual: Interval
) -> Text:
    shown, low, high = (amount(design, one) for one in (study.estimate, *usual))
    return Text(
        f"{found.source.zh}：{asked.name.zh}为 {shown.zh}，区间 {low.zh} 至 {high.zh} 本就含零，谈不上推翻",
        f"{found.source.en}: {asked.name.en} is {shown.en} and its interval, {low.en} to "
        f"{high.en}, covers zero as it is, so there is nothing to break",
    )


def _explanation(
    design: Design,
    found: Vector,
    asked: Target,
    *,
    linear: Interval,
    level: float,
    value: float | None,
    largest: float,
    certain: float,
) -> Text:
    low, high = (amount(design, one) for one in linear)
    bend, sure = (_size(amount(design, one)) for one in (largest, certain))
    unit, share = found.unit, f"{100 * level:g}%"
    noise = (
        ("，未超出误差", ", within its error")
        if certain == 0
        else (f"，扣除误差仍有 {sure.zh}", f", {sure.en} net of its error")
    )
    before = Text(
        f"启动前趋势差每{unit.zh}的弯折，估计最大为 {bend.zh}{noise[0]}",
        f"the largest bend of the difference in trends before the start is estimated at {bend.en} a "
        f"{unit.en}{noise[1]}",
    )
    head = Text(
        f"{found.source.zh}：若两组原有的线性趋势差延续下去，{asked.name.zh}的 {share} 稳健区间为 "
        f"{low.zh} 至 {high.zh}",
        f"{found.source.en}: if the linear difference in trends went on, the {share} robust interval "
        f"of {asked.name.en} is {low.en} to {high.en}",
    )
    if value is None:
        return Text(f"{head.zh}，已含零；{before.zh}", f"{head.en}, which covers zero; {before.en}")
    broken = _size(amount(design, value))
    return Text(
        f"{head.zh}，仍不含零；趋势差每{unit.zh}再弯折 {broken.zh} 以内，结论不变（{before.zh}）",
        f"{head.en}, which still excludes zero; so it does if the difference bends by up to "
        f"{broken.en} a {unit.en} ({before.en})",
    )


def _size(shown: Text) -> Text:
    return Text(shown.zh.replace("+", ""), shown.en.replace("+", ""))
