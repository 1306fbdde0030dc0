"""Simplex-constrained ridge regressions, many at a time, by Frank–Wolfe steps.

The problem and the steps are those of R ``synthdid`` (``sc.weight.fw``), so that results agree to
the digits at which that algorithm stops. Placebo draws are problems of equal shape: solving them
side by side costs little more than solving one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def simplex_weights(
    matrix: Floats,
    target: Floats,
    allowed: NDArray[np.bool_],
    *,
    n_rows: NDArray[np.int64],
    zeta: Floats,
    min_decrease: Floats,
    start: Floats | None = None,
    max_iterations: int = 10_000,
) -> Floats:
    """Minimise ``|matrix @ x − target|² / n_rows + zeta² |x|²`` over the simplex.

    Parameters
    ----------
    matrix : ndarray, shape (n_problems or 1, m, k)
    target : ndarray, shape (n_problems, m)
    allowed : ndarray of bool, shape (n_problems, k)
        Columns that may carry weight.
    n_rows : ndarray of int, shape (n_problems,)
        Rows that count; rows that do not are zero in ``matrix`` and ``target``.
    zeta, min_decrease : ndarray, shape (n_problems,)
        Ridge penalty; the step in the objective's root at which a problem is done.
    start : ndarray, shape (n_problems, k), or None
        First weights; equal ones if None.

    Returns
    -------
    ndarray, shape (n_problems, k)
    """
    weights = allowed / allowed.sum(axis=1, keepdims=True) if start is None else start.copy()
    active = np.arange(len(target))
    last = np.full(len(target), np.inf)
    for iteration in range(max_iterations):
        x, value = _step(
            matrix if len(matrix) == 1 else matrix[active],
            target[active],
            weights[active],
            allowed=allowed[active],
            n_rows=n_rows[active],
            zeta=zeta[active],
        )
        weights[active] = x
        is_done = (last[active] - value <= min_decrease[active] ** 2) & (iteration >= 1)
        last[active] = value
        active = active[~is_done]
        if not len(active):
            break
    return weights


def _step(
    matrix: Floats,
    target: Floats,
    x: Floats,
    *,
    allowed: NDArray[np.bool_],
    n_rows: NDArray[np.int64],
    zeta: Floats,
) -> tuple[Floats, Floats]:
    rows = np.arange(len(x))
    eta = n_rows * zeta**2
    residual = _times(matrix, x) - target
    half_gradient = _transposed_times(matrix, residual) + eta[:, None] * x
    best = np.where(allowed, half_gradient, np.inf).argmin(axis=1)
    direction = -x
    direction[rows, best] += 1
    column = matrix[0].T[best] if len(matrix) == 1 else matrix[rows, :, best]
    change = column - (residual + target)
    size = (change**2).sum(axis=1) + eta * (direction**2).sum(axis=1)
    slope = -(half_gradient * direction).sum(axis=1)
    step = np.clip(np.divide(slope, size, out=np.zeros_like(size), where=size > 0), 0, 1)
    x = x + step[:, None] * direction
    residual = residual + step[:, None] * change
    return x, zeta**2 * (x**2).sum(axis=1) + (residual**2).sum(axis=1) / n_rows


def _times(matrix: Floats, x: Floats) -> Floats:
    return x @ matrix[0].T if len(matrix) == 1 else np.einsum("pmk,pk->pm", matrix, x)


def _transposed_times(matrix: Floats, residual: Floats) -> Floats:
    if len(matrix) == 1:
        return residual @ matrix[0]
    return np.einsum("pmk,pm->pk", matrix, residual)


def sparsify(weights: Floats) -> Floats:
    """Drop weights of a quarter of the largest or less, and let the rest sum to one again."""
    kept = np.where(weights <= weights.max(axis=-1, keepdims=True) / 4, 0.0, weights)
    return kept / kept.sum(axis=-1, keepdims=True)
