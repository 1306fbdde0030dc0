"""How often a pretended initiative with an effect is found, from estimates without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Trials:
    """Pretended initiatives in one window, estimated without an effect.

    ``estimates`` (n,) of the units in question; ``reference`` (m,) of all assignments that the test
    ranks them among, or None where ``low`` and ``high`` (n,) are the ends of each trial's interval;
    ``is_own`` tells whether the trials are the reference's, and count themselves.
    """

    estimates: Floats
    reference: Floats | None
    is_own: bool
    low: Floats | None = None
    high: Floats | None = None

    @property
    def floor(self) -> float | None:
        """Smallest p-value of the rank test."""
        if self.reference is None:
            return None
        return 1 / (len(self.reference) + (0 if self.is_own else 1))

    def found(self, effects: Floats, alpha: float) -> NDArray[np.bool_]:
        """Tell which trials the test finds with the effects (n,) added to their estimates."""
        moved = self.estimates + effects
        if self.reference is None:
            low = np.zeros_like(moved) if self.low is None else self.low + effects
            high = np.zeros_like(moved) if self.high is None else self.high + effects
            return np.asarray((low > 0) | (high < 0))
        ranked = np.sort(np.abs(self.reference))
        as_large = len(ranked) - np.searchsorted(ranked, np.abs(moved) * (1 - 1e-12))
        if self.is_own:
            # Without an effect each trial is among the reference itself; it then stands in for the
            # estimate, which counts once.
            own = np.abs(self.estimates) >= np.abs(moved) * (1 - 1e-12)
            as_large = as_large - own
            p_value = (1 + as_large) / len(ranked)
        else:
            p_value = (1 + as_large) / (1 + len(ranked))
        return np.asarray(p_value <= alpha + 1e-12)


def share_found(trials: list[Trials], effects: list[Floats], alpha: float) -> float:
    """Average over windows the share of trials found."""
    return float(
        np.mean([one.found(size, alpha).mean() for one, size in zip(trials, effects, strict=True)])
    )


def smallest_found(power_of: Callable[[float], float], target: float, most: float) -> float | None:
    """Give the smallest size whose power, and that of every larger size tried, meets the target.

    ``power_of`` gives the power of a size; sizes are searched up to ``most``.
    """
    grid = most * np.geomspace(1e-3, 1.0, _STEPS)
    powers = np.array([power_of(float(size)) for size in grid])
    short = np.flatnonzero(powers < target)
    if len(short) and short[-1] == len(grid) - 1:
        return None
    first = int(short[-1]) + 1 if len(short) else 0
    low, high = (float(grid[first - 1]) if first else 0.0), float(grid[first])
    for _ in range(20):
        middle = (low + high) / 2
        if power_of(middle) >= target:
            high = middle
        else:
            low = middle
    return high
