"""Nelder–Mead's downhill simplex, many problems side by side.

Nelder & Mead (1965), The Computer Journal 7(4), doi:10.1093/comjnl/7.4.308; steps, order of ties and
stopping rule are those of SciPy's ``minimize``, so that searches end where that one ends.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Loss = Callable[[NDArray[np.int64], Floats], Floats]

_TOLERANCE = 1e-4  # of arguments and values alike
_RELATIVE_STEP, _STEP_FROM_ZERO = 0.05, 0.00025


def nelder_mead(loss: Loss, start: Floats, *, max_iterations: int = 1_000) -> Floats:
    """Minimise ``loss`` from ``start``, shape (n_problems, k).

    Parameters
    ----------
    loss : callable
        From the numbers of the problems, shape (m,), and arguments (m, k) to values (m,).

    Returns
    -------
    ndarray, shape (n_problems, k)
    """
    n, k = start.shape
    corners = np.repeat(start[:, None, :], k + 1, axis=1)
    for i in range(k):
        at = corners[:, i + 1, i]
        corners[:, i + 1, i] = np.where(at != 0, at * (1 + _RELATIVE_STEP), _STEP_FROM_ZERO)
    every = np.repeat(np.arange(n), k + 1)
    values = loss(every, corners.reshape(-1, k)).reshape(n, k + 1)
    _sort(corners, values, np.arange(n))
    for _ in range(1, max_iterations):
        spread = np.abs(corners[:, 1:] - corners[:, :1]).max(axis=(1, 2))
        fall = np.abs(values[:, 1:] - values[:, :1]).max(axis=1)
        busy = np.flatnonzero((spread > _TOLERANCE) | (fall > _TOLERANCE))
        if not len(busy):
            break
        _move(loss, corners, values, busy)
        _sort(corners, values, busy)
    return np.asarray(corners[:, 0])


def _move(loss: Loss, corners: Floats, values: Floats, busy: NDArray[np.int64]) -> None:
    """Replace the worst corner of each busy problem, or draw all corners to the best."""
    centre = corners[busy, :-1].mean(axis=1)
    worst = corners[busy, -1]
    tried = 2 * centre - worst
    value = loss(busy, tried)
    best, second, last = values[busy, 0], values[busy, -2], values[busy, -1]
    farther = value < best
    outside = ~farther & (value >= second) & (value < last)
    inside = ~farther & (value >= second) & (value >= last)
    again = np.where(
        farther[:, None],
        3 * centre - 2 * worst,
        np.where(outside[:, None], 1.5 * centre - 0.5 * worst, 0.5 * centre + 0.5 * worst),
    )
    other = value.copy()
    asks = np.flatnonzero(farther | outside | inside)
    if len(asks):
        other[asks] = loss(busy[asks], again[asks])
    takes = np.where(
        farther, other < value, np.where(outside, other <= value, inside & (other < last))
    )
    shrinks = (outside & ~takes) | (inside & ~takes)
    kept = np.where(takes[:, None], again, tried)
    rows = busy[~shrinks]
    corners[rows, -1] = kept[~shrinks]
    values[rows, -1] = np.where(takes, other, value)[~shrinks]
    rows = busy[shrinks]
    if len(rows):
        k = corners.shape[2]
        corners[rows, 1:] = corners[rows, :1] + 0.5 * (corners[rows, 1:] - corners[rows, :1])
        values[rows, 1:] = loss(np.repeat(rows, k), corners[rows, 1:].reshape(-1, k)).reshape(-1, k)


def _sort(corners: Floats, values: Floats, rows: NDArray[np.int64]) -> None:
    order = np.argsort(values[rows], axis=1)
    values[rows] = np.take_along_axis(values[rows], order, axis=1)
    corners[rows] = np.take_along_axis(corners[rows], order[:, :, None], axis=1)
