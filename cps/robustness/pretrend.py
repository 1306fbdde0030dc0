"""Did treated and comparison units move alike before the start, and would we have seen if not?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Text
from cps.estimators._options import Number
from cps.result import Check, Effect
from cps.robustness._honest_event import Vector, event_vector, periods_before
from cps.robustness._parts import amount
from cps.robustness._pretrend_box import MOST_DIMENSIONS
from cps.robustness._pretrend_power import (
    joint_p_value,
    joint_threshold,
    likelihood_ratio,
    mean_after_pretest,
    rejection_probability,
    slope_for_power,
)

NAME = Text("启动前趋势", "Trends before the start")
SIZE = 0.05
POWERS = (0.5, 0.8)
OPTIONS: dict[str, tuple[str, ...] | Number] = {
    "power": Number(0.8, low=0.5, high=0.999),  # with which a trend is taken to be seen
    "slope": Number("none", words=("none",)),  # a trend a period to be judged besides
}

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Seen:
    """The pre-test, and the trends that it would have missed."""

    ratios: Floats  # differences before the start, in standard errors
    threshold: float
    p_largest: float  # of the largest of them, under parallel trends
    p_wald: float | None  # of all together; None where their covariance can't bear it
    size: float  # of each test
    powers: tuple[float, ...]
    slopes: tuple[float, ...]  # by powers
    biases: tuple[float, ...]  # of the average effect, if those trends went on
    passed_bias: float  # the first of them, among studies that pass
    likelihood_ratio: float  # of the first trend, over none

    @property
    def is_passed(self) -> bool:
        largest = float(self.ratios.max()) <= self.threshold
        return largest and (self.p_wald is None or self.p_wald >= self.size)


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why there is nothing to compare, or None."""
    if periods_before(design) < 3:
        return Text(
            "启动前不足三期，无从比较趋势", "fewer than three periods before the start: no trend"
        )
    return None


def run(design: Design, effect: Effect, *, seed: int, options: Mapping[str, str]) -> Check:
    """Test the differences before the start jointly, and say what the test could not have seen.

    The largest difference, in standard errors, is set against the bound that all of them keep with
    95% probability if trends are parallel. Where treated units are many enough for errors of their
    own, Wald's test of all together is asked too, and each test is held to half the size: with few,
    a quadratic form trusts the comparison units' covariance too much.

    Roth (2022), doi:10.1257/aeri.20210236: the trend that the test finds in half, or in four fifths,
    of all cases; what it would do to the average effect; and what it does among studies that pass,
    which is more. Passed, but with a trend in the dark that could make the whole effect, the check
    has no verdict.
    """
    found = event_vector(design, effect)
    if isinstance(found, Text):
        return Check("pretrend", effect.method, None, None, None, NAME, found)
    seen = _see(found, (POWERS[0], float(options["power"])))
    overall = effect.overall
    claims = (
        overall.att is not None
        and overall.ci_low is not None
        and overall.ci_high is not None
        and not overall.ci_low <= 0 <= overall.ci_high
    )
    is_dark = claims and abs(seen.biases[-1]) >= abs(overall.att or 0.0)
    verdict = False if not seen.is_passed else (None if is_dark else True)
    words = _explanation(design, found, seen, att=overall.att, is_dark=is_dark)
    table = _table(found, seen)
    if options["slope"] != "none":
        slope = float(options["slope"])
        more = _given(design, found, seen, slope)
        words = Text(words.zh + more.zh, words.en + more.en)
        table["trend_given"] = tuple(slope * float(one) for one in found.times)
    return Check(
        name="pretrend",
        method=effect.method,
        verdict=verdict,
        statistic=float(seen.ratios.max()),
        threshold=seen.threshold,
        title=NAME,
        explanation=words,
        table=table,
    )


def _see(found: Vector, powers: tuple[float, ...]) -> _Seen:
    n = min(found.n_pre, MOST_DIMENSIONS)  # those nearest to the start
    low = found.n_pre - n
    sigma = found.widened()[low:, low:]
    beta, times = found.beta[low:], found.times[low:].astype(float)
    before = sigma[:n, :n]
    p_wald = None
    if not found.is_student:
        p_wald = joint_p_value(beta[:n], before, found.freedom)
    size = SIZE if p_wald is None else SIZE / 2
    threshold = joint_threshold(before, size)
    ratios = np.abs(beta[:n]) / np.sqrt(np.diag(before))
    slopes = []
    for power in powers:
        slope = slope_for_power(times[:n], before, power, threshold=threshold)
        slopes.append(0.0 if slope is None else slope)
    since = float(found.headline @ times[n:])
    passed = mean_after_pretest(slopes[0] * times, sigma, n, threshold=threshold)
    return _Seen(
        ratios=ratios,
        threshold=threshold,
        p_largest=rejection_probability(np.zeros(n), before, threshold=float(ratios.max())),
        p_wald=p_wald,
        size=size,
        powers=powers,
        slopes=tuple(slopes),
        biases=tuple(slope * since for slope in slopes),
        passed_bias=float(found.headline @ passed[n:]),
        likelihood_ratio=max(
            likelihood_ratio(beta[:n], before, side * slopes[0] * times[:n]) for side in (1.0, -1.0)
        ),
    )


def _given(design: Design, found: Vector, seen: _Seen, slope: float) -> Text:
    """Say how likely the test is to find a trend that was asked about, and what it would do."""
    low = found.n_pre - len(seen.ratios)
    sigma = found.widened()[low : found.n_pre, low : found.n_pre]
    times = found.times.astype(float)
    power = rejection_probability(slope * times[low : found.n_pre], sigma, threshold=seen.threshold)
    bias = amount(design, slope * float(found.headline @ times[found.n_pre :]))
    shown, unit = amount(design, slope), found.unit
    return Text(
        f"。所问每{unit.zh} {shown.zh} 的趋势，有 {100 * power:.0f}% 的把握发现，会使平均效应偏 {bias.zh}",
        f". A trend of {shown.en} a {unit.en}, as asked, would be seen with {100 * power:.0f}% "
        f"probability and puts the average effect off by {bias.en}",
    )


def _explanation(
    design: Design, found: Vector, seen: _Seen, *, att: float | None, is_dark: bool
) -> Text:
    n, unit = len(seen.ratios), found.unit
    at = found.n_pre - n + int(seen.ratios.argmax())
    size = amount(design, float(found.beta[at]))
    ratio = seen.likelihood_ratio
    times = (
        ("1000 倍以上", "over 1000 times")
        if ratio > 1000
        else (f"{ratio:.2g} 倍", f"{ratio:.2g} times")
    )
    joint = Text(f"p = {seen.p_largest:.3f}", f"p = {seen.p_largest:.3f}")
    if seen.p_wald is not None:
        each = f"{100 * seen.size:g}%"
        joint = Text(
            f"{joint.zh}；Wald 联合检验 p = {seen.p_wald:.3f}（两项各以 {each} 为界）",
            f"{joint.en}; Wald's joint test has p = {seen.p_wald:.3f} (each held to {each})",
        )
    slopes = [_size(amount(design, one)) for one in seen.slopes]
    biases = [_size(amount(design, one)) for one in (*seen.biases, seen.passed_bias)]
    headline = amount(design, att or 0.0)
    shares = [f"{100 * one:g}%" for one in seen.powers]
    tail = (
        (
            f"。后者已不小于主估计（{headline.zh}），通过也不足为凭",
            f". The latter is no less than the headline ({headline.en}): passing is no evidence",
        )
        if is_dark and seen.is_passed
        else (f"（主估计 {headline.zh}）", f" (the headline is {headline.en})")
    )
    return Text(
        f"{found.source.zh}：启动前 {n} {unit.zh}中，相对基期差异最大的为 {size.zh}，是标准误的 "
        f"{seen.ratios.max():.2f} 倍，联合界限 {seen.threshold:.2f} 倍，{joint.zh}。"
        f"两组若每{unit.zh}拉开 {slopes[0].zh}，本检验只有 {shares[0]} 的把握发现；{slopes[1].zh} 才有 "
        f"{shares[1]}（所见差异在前一趋势下的似然，为平行趋势下的 {times[0]}）。"
        f"这样的趋势延续下去，会使平均效应偏 {biases[0].zh}（只看通过检验的情形则偏 "
        f"{biases[2].zh}）和 {biases[1].zh}{tail[0]}",
        f"{found.source.en}: of {n} {unit.en}s before the start the largest difference from the base "
        f"is {size.en}, {seen.ratios.max():.2f} standard errors against a joint bound of "
        f"{seen.threshold:.2f}, {joint.en}. Were the two drifting apart by "
        f"{slopes[0].en} a {unit.en}, this test would see it with {shares[0]} probability; by "
        f"{slopes[1].en}, with {shares[1]} (under the former, what was found is "
        f"{times[1]} as likely as under parallel trends). Such trends, going on, put the average effect off by "
        f"{biases[0].en} ({biases[2].en} among studies that pass) and {biases[1].en}{tail[1]}",
    )


def _table(found: Vector, seen: _Seen) -> dict[str, tuple[float | int | str | None, ...]]:
    """Give the coefficients beside the trends that would have been missed."""
    columns = {
        "att": found.beta,
        "se": np.sqrt(np.diag(found.widened())),
        **{
            f"trend_{100 * power:g}": slope * found.times
            for power, slope in zip(seen.powers, seen.slopes, strict=True)
        },
    }
    return {
        "event_time": tuple(int(one) + found.base for one in found.times),
        **{name: tuple(float(one) for one in column) for name, column in columns.items()},
    }


def _size(shown: Text) -> Text:
    return Text(shown.zh.replace("+", ""), shown.en.replace("+", ""))
