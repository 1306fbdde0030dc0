"""P-values, and the intervals that belong to them, from the rank of a number among placebos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TIE = 1e-9  # relative; numbers that differ by rounding alone count as equal


def counted_p(statistic: float, placebos: Floats) -> float:
    """Give the two-sided p-value with the statistic itself counted among the placebos.

    Ties count against it, so that the test rejects no more often than it may.
    """
    size = np.abs(placebos)
    return (1 + int((size >= abs(statistic) * (1 - TIE)).sum())) / (1 + len(placebos))


def p_floor(n_placebos: int) -> float:
    """Give the smallest p-value that so many placebos allow."""
    return 1 / (1 + n_placebos)


def rejected_at_most(n_placebos: int, level: float) -> int:
    """Give how many placebos may be as large, for the statistic to be rejected; −1 if none can."""
    return int(np.floor((1 - level) * (1 + n_placebos) * (1 + TIE))) - 1


def accept_half_width(placebos: Floats, level: float) -> float:
    """Give how far a constant effect may lie from the estimate and not be rejected.

    For placebos that do not move with the effect tested. Infinite where no p-value is low enough.
    """
    allowed = rejected_at_most(len(placebos), level)
    if allowed < 0:
        return float("inf")
    return float(np.partition(np.abs(placebos), len(placebos) - 1 - allowed)[-1 - allowed])


def accept_interval(
    estimate: float, placebos: Floats, moves: Floats, level: float
) -> tuple[float, float]:
    """Give the constant effects that are not rejected, where placebos move with the effect.

    Under the effect τ placebo i is ``placebos[i] − τ · moves[i]`` beside ``estimate − τ``; the
    ends are found exactly, as order statistics of each placebo's own crossing points.

    Returns
    -------
    low, high : float
        Infinite where no p-value is low enough, or the placebos move as fast as the estimate.
    """
    allowed = rejected_at_most(len(placebos), level)
    if allowed < 0:
        return -np.inf, np.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.array([(estimate - placebos) / (1 - moves), (estimate + placebos) / (1 + moves)])
    bounded = np.abs(moves) < 1 - 1e-9
    low = np.where(bounded, np.min(ends, axis=0), -np.inf)
    high = np.where(bounded, np.max(ends, axis=0), np.inf)
    return float(np.sort(low)[allowed]), float(np.sort(high)[::-1][allowed])
