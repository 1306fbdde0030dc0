"""What moves the net present value most: one input at a time, and the value at which it is zero."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cps.errors import Text
from cps.indicators.benefit._flows import (
    Flows,
    Inputs,
    gain_quantile,
    make_flows,
    quantile,
    single,
)
from cps.indicators.benefit.finance import present_value
from cps.indicators.benefit.record import Assumptions, Bar, Capital, Gain

Floats = NDArray[np.float64]
_NAMES = {
    "gain": Text("年均增收效应（元）", "mean yearly gain (yuan)"),
    "margin": Text("净收益占总收入比例", "net surplus per yuan of gross income"),
    "persistence": Text("效应逐年保留比例", "share of the gain kept each year"),
    "overrun": Text("投资超支系数", "factor on outlays"),
    "displacement": Text("从他处转移的比例", "share taken from elsewhere"),
}
# Where an input can lie at all; a switching value outside is no answer.
_LIMITS = {
    "gain": (-np.inf, np.inf),
    "margin": (-np.inf, 1.0),
    "persistence": (0.0, 1.5),
    "overrun": (0.0, np.inf),
    "displacement": (-np.inf, 1.0),
}


def tornado(
    gain: Gain,
    capital: Capital,
    assume: Assumptions,
    *,
    rate: float,
    inputs: Inputs,
    flows: Flows,
) -> tuple[Bar, ...]:
    """Move each input from its 10th to its 90th percentile, all others at their medians.

    Parameters
    ----------
    inputs, flows
        The draws, for rank correlations.

    Returns
    -------
    tuple of Bar
        Widest first. An input that is fixed has a bar of no width.

    References
    ----------
    Howard, R. A. (1988). Decision analysis: practice and promise. Management Science 34, 679–695,
    doi:10.1287/mnsc.34.6.679 (tornado); HM Treasury, The Green Book (switching values).
    """

    def value(name: str) -> Callable[[float], float]:
        def npv(x: float) -> float:
            one = make_flows(single(gain, assume, {name: x}), capital, assume)
            return float(present_value(one.net, rate)[0])

        return npv

    worth = present_value(flows.net, rate)
    drawn = {
        "gain": inputs.gain_by_year.mean(axis=1),
        "margin": inputs.margin,
        "persistence": inputs.persistence,
        "overrun": inputs.overrun,
        "displacement": inputs.displacement,
    }
    bars = []
    for name, label in _NAMES.items():
        npv = value(name)
        low, high = (_at(name, gain, assume, share) for share in (0.1, 0.9))
        bars.append(
            Bar(
                input=name,
                name=label,
                low=low,
                high=high,
                npv_at_low_yuan=npv(low),
                npv_at_high_yuan=npv(high),
                switching_value=_switching(npv, *_LIMITS[name], near=_at(name, gain, assume, 0.5)),
                rank_correlation=_spearman(drawn[name], worth),
            )
        )
    return tuple(sorted(bars, key=lambda one: -abs(one.npv_at_high_yuan - one.npv_at_low_yuan)))


def _at(name: str, gain: Gain, assume: Assumptions, share: float) -> float:
    if name == "gain":
        return gain_quantile(gain, share)
    return quantile(getattr(assume, name), share)


def _switching(
    npv: Callable[[float], float], low: float, high: float, *, near: float
) -> float | None:
    """Find where the NPV is zero: all inputs but persistence enter it linearly."""
    if np.isfinite(low) and np.isfinite(high):
        return _bisect(npv, low, high)
    step = max(1.0, abs(near))
    slope = (npv(near + step) - npv(near)) / step
    if slope == 0:
        return None
    found = near - npv(near) / slope
    return found if low <= found <= high else None


def _bisect(npv: Callable[[float], float], low: float, high: float) -> float | None:
    start, end = npv(low), npv(high)
    if start == end or start * end > 0:
        return None
    for _ in range(80):
        middle = (low + high) / 2
        if npv(middle) * start > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _spearman(one: Floats, other: Floats) -> float | None:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    ranks = np.array([np.argsort(np.argsort(x)) for x in (one, other)], dtype=float)
    return float(np.corrcoef(ranks)[0, 1])
