"""P-values, and the intervals that belong to them, from the rank of a number among placebos."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_FAR = 1e6  # steps; what reaches further has no end
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


def outermost(p_at: Callable[[float], float], alpha: float) -> float:
    """Find the outermost number of steps whose p-value is above ``alpha``; infinite if there is none.

    The p-value at 0 is taken to be above. It need not fall steadily: a grid is looked through
    before the last crossing is narrowed down.
    """
    far = 2.0
    while p_at(far) > alpha or p_at(1.3 * far) > alpha or p_at(1.7 * far) > alpha:
        far *= 2
        if far > _FAR:
            return float("inf")
    grid = np.linspace(0.0, far, 65)
    inside = max(place for place, one in enumerate(grid) if place == 0 or p_at(float(one)) > alpha)
    low, high = float(grid[inside]), float(grid[min(inside + 1, len(grid) - 1)])
    for _ in range(45):
        middle = (low + high) / 2
        low, high = (middle, high) if p_at(middle) > alpha else (low, middle)
    return low
