"""Simplex-constrained ridge regressions, many at a time, by Frank–Wolfe steps.

The problem and the steps are those of R ``synthdid`` (``sc.weight.fw``), so that results agree to
the digits at which that algorithm stops. Placebo draws are problems of equal shape: solving them
side by side costs little more than solving one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_COMPACT_EVERY = 64


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
    if len(target) == 1:
        matrix, target = matrix[0], target[0]
        if not allowed.all():
            weights[:, allowed[0]] = _one_problem(
                matrix[:, allowed[0]],
                target,
                weights[0, allowed[0]],
                (float(n_rows[0]), float(zeta[0]), float(min_decrease[0]), max_iterations),
            )
            return weights
        rules = (float(n_rows[0]), float(zeta[0]), float(min_decrease[0]), max_iterations)
        return _one_problem(matrix, target, weights[0], rules)[None]
    if matrix.shape[1] > matrix.shape[2]:
        matrix, target = _fewer_rows(matrix, target)
    state = _State(
        matrix,
        target,
        weights,
        barred=np.where(allowed, 0.0, np.inf),
        n_rows=n_rows,
        eta=n_rows * zeta**2,
        least=min_decrease**2,
    )
    for iteration in range(max_iterations):
        state.step(may_end=iteration >= 1)
        if state.is_done.all():
            break
        if iteration % _COMPACT_EVERY == 0 and state.is_done.any():
            weights[state.place[state.is_done]] = state.x[state.is_done]
            state.keep(~state.is_done)
    weights[state.place] = state.x
    return weights


def _one_problem(
    matrix: Floats, target: Floats, weights: Floats, rules: tuple[float, float, float, int]
) -> Floats:
    """Take the same steps for one problem, on products of columns in place of columns.

    A step then costs two passes over one row; steps and stopping rule are the same.
    """
    n_rows, zeta, min_decrease, max_iterations = rules
    eta, least = n_rows * zeta**2, n_rows * min_decrease**2
    gram = matrix.T @ matrix + eta * np.eye(len(weights))
    linear = target @ matrix
    towards = gram - linear  # row i: what the half-gradient would be at vertex i
    diagonal, aims = np.diagonal(gram).tolist(), linear.tolist()
    # A step shrinks everything and adds a little: what shrinks is kept in one number beside.
    x, half_gradient, scale = weights.copy(), gram @ weights - linear, 1.0
    square, cross = float(weights @ gram @ weights), float(weights @ linear)
    row = np.empty_like(half_gradient)
    for iteration in range(max_iterations):
        best = int(half_gradient.argmin())
        here = scale * float(half_gradient[best])
        at = here + aims[best]  # (Gx) at best
        size = diagonal[best] - 2 * at + square
        slope = square - cross - here
        step = min(1.0, max(0.0, slope / size)) if size > 0 else 0.0
        stay = 1.0 - step
        square = stay * stay * square + 2 * step * stay * at + step * step * diagonal[best]
        cross = stay * cross + step * aims[best]
        scale *= stay
        if scale < 1e-100:
            x *= scale
            half_gradient *= scale
            scale = 1.0
        np.multiply(towards[best], step / scale, out=row)
        half_gradient += row
        x[best] += step / scale
        if iteration >= 1 and step * (2 * slope - step * size) <= least:
            break
    return np.asarray(x * scale)


def _fewer_rows(matrix: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Rotate tall problems to k + 1 rows: lengths, and so the objective, stay the same."""
    k = matrix.shape[2]
    both = np.concatenate(
        [np.broadcast_to(matrix, (len(target), *matrix.shape[1:])), target[:, :, None]], axis=2
    )
    triangle = np.asarray(np.linalg.qr(both, mode="r"))
    return triangle[:, :, :k], triangle[:, :, k]


class _State:
    """Problems under way; everything that a step changes is updated, not computed anew."""

    def __init__(
        self,
        matrix: Floats,
        target: Floats,
        weights: Floats,
        *,
        barred: Floats,
        n_rows: NDArray[np.int64],
        eta: Floats,
        least: Floats,
    ) -> None:
        self.place = np.arange(len(target))
        self.matrix = matrix
        self.target = target
        self.barred = barred
        self.n_rows = n_rows.astype(float)
        self.eta = eta
        self.least = least
        self.x = weights.copy()
        self.fitted = self._times(self.x)
        self.squares = (self.x**2).sum(axis=1)
        self.value = np.full(len(target), np.inf)
        self.is_done = np.zeros(len(target), dtype=bool)
        self.rows = np.arange(len(target))

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drop the problems that are done."""
        for name in ("place", "target", "barred", "n_rows", "eta", "least", "x"):
            setattr(self, name, getattr(self, name)[mask])
        for name in ("fitted", "squares", "value", "is_done"):
            setattr(self, name, getattr(self, name)[mask])
        if len(self.matrix) > 1:
            self.matrix = self.matrix[mask]
        self.rows = np.arange(len(self.target))

    def step(self, *, may_end: bool) -> None:
        """Move every problem that is not done towards its steepest vertex."""
        residual = self.fitted - self.target
        gradient = self._transposed_times(residual)
        gradient += self.eta[:, None] * self.x
        gradient += self.barred
        best = gradient.argmin(axis=1)
        at = self.x[self.rows, best]
        column = (
            self.matrix[0].T[best] if len(self.matrix) == 1 else self.matrix[self.rows, :, best]
        )
        change = column - self.fitted
        along = (residual * self.fitted).sum(axis=1) + self.eta * self.squares
        slope = along - gradient[self.rows, best]
        length = self.squares - 2 * at + 1
        size = (change**2).sum(axis=1) + self.eta * length
        step = np.divide(slope, size, out=np.zeros_like(size), where=size > 0)
        step = np.where(self.is_done, 0.0, np.clip(step, 0, 1))
        stay = 1 - step
        self.x *= stay[:, None]
        self.x[self.rows, best] += step
        self.fitted += step[:, None] * change
        self.squares = stay**2 * self.squares + 2 * step * stay * at + step**2
        residual = self.fitted - self.target
        value = (self.eta * self.squares + (residual**2).sum(axis=1)) / self.n_rows
        if may_end:
            self.is_done |= self.value - value <= self.least
        self.value = value

    def _times(self, x: Floats) -> Floats:
        if len(self.matrix) == 1:
            return np.asarray(x @ self.matrix[0].T)
        return np.asarray(np.einsum("pmk,pk->pm", self.matrix, x))

    def _transposed_times(self, residual: Floats) -> Floats:
        if len(self.matrix) == 1:
            return np.asarray(residual @ self.matrix[0])
        return np.asarray((residual[:, None, :] @ self.matrix)[:, 0, :])


def sparsify(weights: Floats) -> Floats:
    """Drop weights of a quarter of the largest or less, and let the rest sum to one again."""
    kept = np.where(weights <= weights.max(axis=-1, keepdims=True) / 4, 0.0, weights)
    return kept / kept.sum(axis=-1, keepdims=True)
