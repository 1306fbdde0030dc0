"""What moves the net present value most: one input at a time, and the value at which it is zero."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cps.errors import Text
from cps.indicators.benefit._flows import Flows, Inputs, make_flows, quantile, single
from cps.indicators.benefit.finance import present_value
from cps.indicators.benefit.record import Assumptions, Bar, Capital, Gain, HostGain, Spread

Floats = NDArray[np.float64]
_SHARES = (0.1, 0.9)
_NAMES = {
    "gain": Text("合计年增收", "yearly gain of all hosts"),
    "margin": Text("净收益占增收的比例", "surplus share of extra income"),
    "persistence": Text("增收逐年保留比例", "share kept each year"),
    "overrun": Text("实际投资与所列之比", "outlays over those listed"),
    "displacement": Text("从他处转移的比例", "share taken from elsewhere"),
    "residual": Text("期末残值占投资比例", "residual share of outlays"),
    "running_yuan": Text("另需的年运行费", "running cost a year"),
    "sharing": Text("增收在村间的分布", "spread of the gain over hosts"),
}
# Where an input can lie at all; a switching value outside is no answer. The gain's are in standard
# errors: beyond six no estimate leaves anything open.
_LIMITS = {
    "gain": (-6.0, 6.0),
    "margin": (-np.inf, 1.0),
    "persistence": (0.0, 1.5),
    "overrun": (0.0, np.inf),
    "displacement": (-np.inf, 1.0),
    "residual": (0.0, 1.0),
    "running_yuan": (0.0, np.inf),
    "sharing": (0.0, 1.0),
}
_NEAR_ENOUGH = 1e-3  # 元
_MOST_STEPS = 100


def tornado(
    gain: Gain | HostGain,
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
    middle = single(gain, assume)

    def at(name: str, x: float) -> Inputs:
        if name == "gain":
            return single(gain, assume, {name: x})
        moved: dict[str, Any] = {name: np.array([x])}
        return dataclasses.replace(middle, **moved)

    def value(name: str) -> Callable[[float], float]:
        def npv(x: float) -> float:
            return float(present_value(make_flows(at(name, x), capital, assume).net, rate)[0])

        return npv

    def own_unit(name: str, x: float) -> float:
        """Give an input in its own unit: the gain as 元 a year, on average over its years."""
        return float(at(name, x).extra()[0]) if name == "gain" else x

    worth = _ranks(present_value(flows.net, rate))
    bars = []
    for name, label in _NAMES.items():
        npv = value(name)
        spread = Spread(-1.0, 0.0, 1.0) if name == "gain" else getattr(assume, name)
        low, high = (
            NormalDist().inv_cdf(share) if name == "gain" else quantile(spread, share)
            for share in _SHARES
        )
        drawn = inputs.extra() if name == "gain" else getattr(inputs, name)
        ends = (npv(low), npv(high))
        switched = _switching(npv, _LIMITS[name], near=(low, ends[0]))
        bars.append(
            Bar(
                input=name,
                name=label,
                low=own_unit(name, low),
                high=own_unit(name, high),
                npv_at_low_yuan=ends[0],
                npv_at_high_yuan=ends[1],
                switching_value=None if switched is None else own_unit(name, switched),
                rank_correlation=_correlation(drawn, worth),
            )
        )
    return tuple(sorted(bars, key=lambda one: -abs(one.npv_at_high_yuan - one.npv_at_low_yuan)))


def _switching(
    npv: Callable[[float], float], limits: tuple[float, float], *, near: tuple[float, float]
) -> float | None:
    """Find where the NPV is zero; an input without a limit on both sides enters it linearly."""
    low, high = limits
    if np.isfinite(low) and np.isfinite(high):
        return _root(npv, low, high)
    x, at_x = near
    step = max(1.0, abs(x))
    slope = (npv(x + step) - at_x) / step
    if slope == 0:
        return None
    found = x - at_x / slope
    return found if low <= found <= high else None


def _root(npv: Callable[[float], float], low: float, high: float) -> float | None:
    """Close in on a change of sign (false position, the Illinois way); None if there is none."""
    start, end = npv(low), npv(high)
    if start == end or start * end > 0:
        return None
    side = 0
    for _ in range(_MOST_STEPS):
        middle = (low * end - high * start) / (end - start)
        value = npv(middle)
        if abs(value) < _NEAR_ENOUGH:
            return middle
        if value * end > 0:
            high, end = middle, value
            start = start / 2 if side == 1 else start
            side = 1
        else:
            low, start = middle, value
            end = end / 2 if side == -1 else end
            side = -1
    return (low + high) / 2


def _ranks(values: Floats) -> Floats | None:
    if np.ptp(values) == 0:
        return None
    ranks = np.empty(values.size)
    ranks[np.argsort(values, kind="stable")] = np.arange(values.size)
    return ranks - ranks.mean()


def _correlation(values: Floats, ranks: Floats | None) -> float | None:
    """Give Spearman's correlation with what has these centred ranks."""
    own = _ranks(values)
    if own is None or ranks is None:
        return None
    return float((own * ranks).sum() / np.sqrt((own**2).sum() * (ranks**2).sum()))
