"""Least squares over the simplex to machine precision, many problems at a time.

Weights of synthetic controls solve ``min |Bx − y|² + η|x|²`` with ``x ≥ 0`` and ``Σx = 1``.
:func:`simplex_qp` adds and drops one column at a time (primal active set), which suits the few
weights that a problem without penalty has; :func:`simplex_ridge` solves the dual by Newton steps,
which suits the many weights of a penalised one. Problems that share ``B`` share its products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._simplex_active import Distances, Gram, Shared, active_set

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

MANY = 1_000  # columns, from which on their products are not held: these grow with the square
_MOST_ROUNDS = 40  # of Newton steps; a handful is usual
_MOST_HALVINGS = 30
_PERFECT, _TO_EVEN, _NEARLY = 1e-13, 1e-11, 1e-9  # of a problem's scale, in squares
_TIE = 1e-11  # of a problem's scale: gradients closer than that are alike
_FLAT = 1e-15  # of all curvature: keeps a direction without any from making a system singular


def simplex_qp(
    gram: Floats, linear: Floats, allowed: Booleans, *, start: Floats | None = None
) -> Floats:
    """Minimise ``x'Gx − 2c'x`` over the simplex.

    Parameters
    ----------
    gram : ndarray, shape (n_problems or 1, k, k)
        Positive semi-definite. Subtract from columns and target what they have in common before
        taking products: the minimiser stays, the digits are better.
    linear : ndarray, shape (n_problems, k)
    allowed : ndarray of bool, shape (n_problems, k)
        Columns that may carry weight; at least one in each problem.
    start : ndarray, shape (n_problems, k), or None
        Minimisers of similar problems, to begin with: their columns must be independent.

    Returns
    -------
    ndarray, shape (n_problems, k)
        A minimiser; where there are many, one with linearly independent columns.
    """
    return active_set(Gram(gram), linear, allowed, start)


def simplex_nearest(
    points: Floats, wanted: Floats, v: Floats, allowed: Booleans, *, start: Floats | None = None
) -> Floats:
    """Find mixes of shared points nearest to targets, coordinates weighted: ``min Σ v (P'x − w)²``.

    The same as :func:`simplex_qp` on products of the deviations; these are never formed, but for the
    few points that carry weight.

    Parameters
    ----------
    points : ndarray, shape (k, p)
        What they have in common, such as their mean, is best taken out of points and targets.
    wanted, v : ndarray, shape (n_problems, p)
    allowed : ndarray of bool, shape (n_problems, k)
    start : ndarray, shape (n_problems, k), or None
        As for :func:`simplex_qp`.

    Returns
    -------
    ndarray, shape (n_problems, k)
    """
    return active_set(Distances(points, wanted, v), np.zeros(allowed.shape), allowed, start)


def simplex_even(columns: Floats, target: Floats, allowed: Booleans) -> Floats:
    """Minimise ``|Bx − y|²`` over the simplex; of many minimisers take the most even one.

    Parameters
    ----------
    columns : ndarray, shape (m, k) or (n_problems, m, k)
    target : ndarray, shape (n_problems, m)
    allowed : ndarray of bool, shape (n_problems, k)

    Returns
    -------
    ndarray, shape (n_problems, k)
        Of least squared length among minimisers: unique, and the same in any order.
    """
    linear = _Rows(columns, np.zeros(0)).transposed_times(target)
    if columns.ndim == 2 and columns.shape[1] > MANY:
        x = active_set(Shared(columns), linear, allowed, None)
        return evened(x, columns, target, allowed)
    gram = np.swapaxes(columns, -1, -2) @ columns
    x = simplex_qp(gram[None] if gram.ndim == 2 else gram, linear, allowed)
    return evened(x, columns, target, allowed)


def evened(x: Floats, columns: Floats, target: Floats, allowed: Booleans) -> Floats:
    """Replace minimisers of ``|Bx − y|²`` by the most even ones that fit as well.

    All minimisers have the same fit, and weight only where the gradient is least: with a perfect fit
    that is everywhere, with repeated columns in each of them.
    """
    every = _Rows(columns, np.zeros(0))
    fitted = every.times(x)
    size = (columns**2).sum(axis=-2).max(axis=-1) + (target**2).sum(axis=1)
    gradient = every.transposed_times(fitted - target)
    least = (x * gradient).sum(axis=1)
    # A fit that is perfect but for rounding in products of this size.
    is_perfect = ((target - fitted) ** 2).sum(axis=1) <= _PERFECT * size
    may: Booleans = (gradient <= (least + _TIE * size)[:, None]) | is_perfect[:, None] | (x > 0)
    may = may & allowed
    rows = np.flatnonzero((may & (x == 0)).any(axis=1))
    if not len(rows):
        return x
    own = columns if columns.ndim == 2 else columns[rows]
    goal = np.where(is_perfect[rows, None], target[rows], fitted[rows])
    scale = np.where(size[rows] > 0, size[rows], 1.0)
    even = simplex_ridge(own, goal, may[rows], eta=_TO_EVEN * scale)
    left = ((goal - _Rows(own, np.zeros(0)).times(even)) ** 2).sum(axis=1)
    fits = left <= _NEARLY * scale
    found = x.copy()
    found[rows[fits]] = even[fits]
    return found


def simplex_ridge(matrix: Floats, target: Floats, allowed: Booleans, *, eta: Floats) -> Floats:
    """Minimise ``|Bx − y|² + η|x|²`` over the simplex, η > 0.

    In the dual, a scaled residual ``u = (y − Bx) / η`` and a multiplier ``ν`` decide all weights:
    ``x = max(0, B'u + ν)``. What is minimised there is smooth and piecewise quadratic; each Newton
    step solves one small system, of as many unknowns as ``B`` has rows, and one more.

    Parameters
    ----------
    matrix : ndarray, shape (m, k) or (n_problems, m, k)
    target : ndarray, shape (n_problems, m)
    allowed : ndarray of bool, shape (n_problems, k)
    eta : ndarray, shape (n_problems,)

    Returns
    -------
    ndarray, shape (n_problems, k)
    """
    # In units of the longest column, so that yuan and millions of yuan have the same digits.
    longest = float((matrix**2).sum(axis=-2).max())
    unit = np.sqrt(longest) if longest > 0 else 1.0
    matrix, target, eta = matrix / unit, target / unit, eta / unit**2
    whole, goal_of_all = matrix, target
    if matrix.shape[-2] > matrix.shape[-1]:
        rotation, matrix = np.linalg.qr(matrix)
        target = target @ rotation if rotation.ndim == 2 else (target[:, None] @ rotation)[:, 0]
    m, k = matrix.shape[-2:]
    n = len(target)
    # One more row of ones: the condition that weights sum to one is like any other.
    ones = np.ones((*matrix.shape[:-2], 1, k))
    every = _Rows(np.concatenate([matrix, ones], axis=-2))
    goal = np.hstack([target, np.ones((n, 1))])
    rates = np.hstack([np.repeat(eta[:, None], m, axis=1), np.zeros((n, 1))])
    dual = np.zeros((n, m + 1))
    dual[:, m] = 1 / allowed.sum(axis=1)
    result = np.zeros((n, k))
    is_strong = eta > 1e-3
    active, settled = np.arange(n), np.zeros(n, dtype=bool)
    corner = np.arange(m + 1)
    point = _Dual.at(dual, every, goal, allowed, rates)
    for _ in range(_MOST_ROUNDS):
        positive = point.weights > 0
        force = point.force()
        curve = point.rows.products(positive)
        # Directions that nothing bends, such as those of periods that all units share.
        floor = _FLAT * (1 + np.trace(curve, axis1=1, axis2=2))
        curve[:, corner, corner] += point.rate + floor[:, None]
        step = np.asarray(np.linalg.solve(curve, -force[:, :, None])[:, :, 0], float)
        point, length = _line_search(point, step, (force * step).sum(axis=1))
        result[active] = point.weights
        # Under a small penalty, a second full step takes out the first one's rounding.
        stays = (length == 1.0) & ((point.weights > 0) == positive).all(axis=1)
        done = stays & (is_strong | settled)[active]
        settled[active] = stays
        if done.any():
            active, point = active[~done], point.keep(~done)
            if not len(active):
                break
    if len(active):
        result[active] = _by_active_set(whole, goal_of_all, allowed, eta, active)
    return np.asarray(result / result.sum(axis=1, keepdims=True))


def _by_active_set(
    matrix: Floats, target: Floats, allowed: Booleans, eta: Floats, active: NDArray[np.int64]
) -> Floats:
    """Solve the few problems that Newton steps left open."""
    own = matrix if matrix.ndim == 2 else matrix[active]
    gram = np.swapaxes(own, -1, -2) @ own + eta[active][:, None, None] * np.eye(own.shape[-1])
    linear = (target[active][:, None, :] @ own)[:, 0, :]
    return simplex_qp(gram, linear, allowed[active])


class _Rows:
    """Products with a matrix that problems share, shape (m, k), or with one each."""

    def __init__(self, rows: Floats, outer: Floats | None = None) -> None:
        self.rows = rows
        self.outer = outer
        if rows.ndim == 2 and outer is None:
            self.outer = np.einsum("ak,bk->kab", rows, rows).reshape(rows.shape[1], -1)

    def of(self, active: Booleans) -> _Rows:
        """Keep some problems."""
        return self if self.rows.ndim == 2 else _Rows(self.rows[active])

    def times(self, x: Floats) -> Floats:
        """Multiply (n, k) to (n, m)."""
        if self.rows.ndim == 2:
            return np.asarray(x @ self.rows.T)
        return np.asarray((self.rows @ x[:, :, None])[:, :, 0])

    def transposed_times(self, r: Floats) -> Floats:
        """Multiply (n, m) to (n, k)."""
        if self.rows.ndim == 2:
            return np.asarray(r @ self.rows)
        return np.asarray((r[:, None, :] @ self.rows)[:, 0, :])

    def products(self, chosen: Booleans) -> Floats:
        """Sum the outer products of each problem's chosen columns: (n, m, m)."""
        m = self.rows.shape[-2]
        if self.outer is not None:
            return np.asarray((chosen.astype(float) @ self.outer).reshape(-1, m, m))
        return np.asarray((self.rows * chosen[:, None, :]) @ np.swapaxes(self.rows, 1, 2))


@dataclass(frozen=True, slots=True)
class _Dual:
    """Points in the dual with what they give; the first axis runs over problems."""

    rows: _Rows
    goal: Floats
    allowed: Booleans
    rate: Floats
    dual: Floats
    weights: Floats
    value: Floats

    @classmethod
    def at(cls, dual: Floats, rows: _Rows, goal: Floats, allowed: Booleans, rate: Floats) -> _Dual:
        weights = np.where(allowed, np.maximum(rows.transposed_times(dual), 0.0), 0.0)
        value = ((0.5 * rate * dual - goal) * dual).sum(axis=1) + 0.5 * (weights**2).sum(axis=1)
        return cls(rows, goal, allowed, rate, dual, weights, value)

    def moved(self, dual: Floats) -> _Dual:
        """Give other points of the same problems."""
        return _Dual.at(dual, self.rows, self.goal, self.allowed, self.rate)

    def keep(self, left: Booleans) -> _Dual:
        """Keep some problems."""
        return _Dual(
            self.rows.of(left),
            self.goal[left],
            self.allowed[left],
            self.rate[left],
            self.dual[left],
            self.weights[left],
            self.value[left],
        )

    def force(self) -> Floats:
        """Give the gradient, shape (n, m + 1)."""
        return np.asarray(self.dual * self.rate - self.goal + self.rows.times(self.weights))


def _line_search(point: _Dual, step: Floats, slope: Floats) -> tuple[_Dual, Floats]:
    """Halve each problem's step until the dual objective falls enough."""
    length = np.ones(len(step))
    slack = 1e-12 * (1 + np.abs(point.value))
    tried = point.moved(point.dual + step)
    for _ in range(_MOST_HALVINGS):
        short = tried.value > point.value + 1e-4 * length * slope + slack
        if not short.any():
            break
        length[short] /= 2
        tried = point.moved(point.dual + length[:, None] * step)
    return tried, length
