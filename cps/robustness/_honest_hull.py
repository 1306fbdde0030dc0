"""The least and the greatest value that a test accepts, for many tests side by side."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Interval = tuple[float, float]
EMPTY: Interval = (math.nan, math.nan)
GRID = 1000
_WIDENINGS = 12
_CUTS = 64


def hulls(
    accepts: Callable[[Floats], Bools], low: Floats, high: Floats, *, fixed: bool = False
) -> list[Interval]:
    """Find the least and the greatest value that each test accepts.

    Parameters
    ----------
    accepts : callable
        From values, shape (n_tests, n), to whether each test accepts its own.
    low, high : ndarray, shape (n_tests,)
        Where to look; further out too, unless the limits are ``fixed`` and rule out all beyond.

    Returns
    -------
    list of tuple of float
        Infinite where no end was found, NaN where nothing is accepted.
    """
    for _ in range(_WIDENINGS):
        grid = np.linspace(low, high, GRID, axis=-1)
        keep = accepts(grid)
        is_cut = keep[:, 0] | keep[:, -1]
        if fixed or not is_cut.any():
            break
        middle, half = (low + high) / 2, (high - low) / 2
        low = np.where(is_cut, middle - 2 * half, low)
        high = np.where(is_cut, middle + 2 * half, high)
    first, last = keep.argmax(axis=1), GRID - 1 - keep[:, ::-1].argmax(axis=1)
    at = np.stack([first, last], axis=1)
    beyond = np.clip(at + np.array([-1, 1]), 0, GRID - 1)
    inside, outside = (np.take_along_axis(grid, one, axis=1) for one in (at, beyond))
    ends = np.where(at == beyond, inside, _edges(accepts, inside, outside))
    if not fixed:
        ends = np.where(at == beyond, np.array([-math.inf, math.inf]), ends)
    return [
        (float(one[0]), float(one[1])) if mine.any() else EMPTY
        for one, mine in zip(ends, keep, strict=True)
    ]


def _edges(accepts: Callable[[Floats], Bools], inside: Floats, outside: Floats) -> Floats:
    """Find where acceptance ends, by cutting each stretch in 64 four times over."""
    for _ in range(4):
        stretch = np.linspace(inside, outside, _CUTS + 1, axis=-1)
        keep = accepts(stretch.reshape(len(stretch), -1)).reshape(stretch.shape)
        out = np.where(keep.all(axis=-1), _CUTS, keep.argmin(axis=-1))[..., None]
        inside = np.take_along_axis(stretch, np.maximum(out - 1, 0), axis=-1)[..., 0]
        outside = np.take_along_axis(stretch, out, axis=-1)[..., 0]
    return inside
