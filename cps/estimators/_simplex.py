"""Least squares over the simplex to machine precision, many problems at a time.

Weights of synthetic controls solve ``min |Bx − y|² + η|x|²`` with ``x ≥ 0`` and ``Σx = 1``.
:func:`simplex_qp` adds and drops one column at a time (primal active set), which suits the few
weights that a problem without penalty has; :func:`simplex_ridge` solves the dual by Newton steps,
which suits the many weights of a penalised one. Problems that share ``B`` share its products.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

_MOST_ROUNDS = 40  # of Newton steps; a handful is usual
_MOST_HALVINGS = 30
_RELATIVE = 1e-11  # of a problem's scale: below it a gradient is rounding
_PERFECT, _TO_EVEN, _NEARLY = 1e-13, 1e-11, 1e-9  # of a problem's scale, in squares
_FLAT = 1e-15  # of all curvature: keeps a direction without any from making a system singular
_JITTER = 1e-13  # keeps equal columns from making a system singular


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
    return _active_set(_Gram(gram), linear, allowed, start)


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
    return _active_set(_Distances(points, wanted, v), np.zeros(allowed.shape), allowed, start)


class _Gram:
    """Products of columns, shape (n or 1, k, k)."""

    def __init__(self, gram: Floats) -> None:
        self.gram = gram
        self.diagonal = np.ascontiguousarray(np.diagonal(gram, axis1=1, axis2=2))

    def times(self, x: Floats) -> Floats:
        """Multiply (n, k) to (n, k)."""
        return x @ self.gram[0] if len(self.gram) == 1 else (x[:, None] @ self.gram)[:, 0]

    def block(self, order: NDArray[np.int64]) -> Floats:
        """Give the products of the columns in ``order``: (n, m) to (n, m, m)."""
        k = self.gram.shape[-1]
        pairs = order[:, :, None] * k + order[:, None, :]
        own = 0 if len(self.gram) == 1 else np.arange(len(order))[:, None, None]
        return np.asarray(self.gram.reshape(len(self.gram), -1)[own, pairs])

    def keep(self, left: Booleans) -> _Gram:
        """Keep some problems."""
        return self if len(self.gram) == 1 else _Gram(self.gram[left])


class _Distances:
    """Products of weighted deviations of shared points from each problem's target."""

    def __init__(self, points: Floats, wanted: Floats, v: Floats) -> None:
        self.points, self.wanted, self.v = points, wanted, v
        self.far = (v * wanted**2).sum(axis=1, keepdims=True)

    @property
    def diagonal(self) -> Floats:
        cross = (self.v * self.wanted) @ self.points.T
        return np.maximum(self.v @ (self.points**2).T - 2 * cross + self.far, 0.0)

    def times(self, x: Floats) -> Floats:
        """Multiply (n, k) to (n, k); rows of ``x`` sum to one."""
        rest = self.v * (x @ self.points - self.wanted)
        return np.asarray(rest @ self.points.T - (rest * self.wanted).sum(axis=1, keepdims=True))

    def block(self, order: NDArray[np.int64]) -> Floats:
        """Give the products of the points in ``order``: (n, m) to (n, m, m)."""
        gap = self.points[order] - self.wanted[:, None]
        return np.asarray((gap * self.v[:, None]) @ np.swapaxes(gap, 1, 2))

    def keep(self, left: Booleans) -> _Distances:
        """Keep some problems."""
        return _Distances(self.points, self.wanted[left], self.v[left])


def _active_set(
    products: _Gram | _Distances, linear: Floats, allowed: Booleans, start: Floats | None
) -> Floats:
    n, k = linear.shape
    diagonal = products.diagonal
    # Gradients that are small beside this are rounding.
    size = np.abs(diagonal).max(axis=1) + np.abs(linear).max(axis=1)
    size = np.broadcast_to(np.where(size > 0, size, 1.0), (n,))
    first = np.where(allowed, diagonal - 2 * linear, np.inf).argmin(axis=1)
    result = np.zeros((n, k))
    result[np.arange(n), first] = 1.0
    if start is not None:
        result = start.copy()
    place, done = np.arange(n), np.zeros(n, dtype=bool)
    x, support = result.copy(), result > 0
    for _ in range(20 * (k + 5)):
        wanted, multiplier = _on_support(products, linear, support, size)
        negative = support & (wanted < 0)
        inside: Booleans = np.logical_not(negative.any(axis=1))
        step = _step_to_edge(x, wanted, negative)
        moved = x + step[:, None] * (wanted - x)
        blocked = negative & (moved <= 1e-15)
        x = np.where(inside[:, None], wanted, np.where(blocked, 0.0, moved))
        support = support & ~blocked
        gradient = products.times(x) - linear
        gradient = np.where(allowed & ~support, gradient, np.inf)
        entering = gradient.argmin(axis=1)
        rows = np.arange(len(x))
        enters = inside & (multiplier - gradient[rows, entering] > _RELATIVE * size)
        done |= inside & ~enters
        support[rows[enters & ~done], entering[enters & ~done]] = True
        # Those that are done stay where they are until there are enough of them to leave out.
        if done.sum() * 4 >= len(done):
            result[place[done]] = x[done]
            left = ~done
            place, x, support, done = place[left], x[left], support[left], done[left]
            linear, allowed, size = linear[left], allowed[left], size[left]
            products = products.keep(left)
            if not len(place):
                break
    result[place] = x
    result = np.maximum(result, 0.0)
    return np.asarray(result / result.sum(axis=1, keepdims=True))


def _on_support(
    products: _Gram | _Distances, linear: Floats, support: Booleans, size: Floats
) -> tuple[Floats, Floats]:
    """Minimise over the affine hull of each problem's support: weights and multiplier."""
    n, k = support.shape
    most = int(support.sum(axis=1).max())
    order = np.argsort(~support, axis=1, kind="stable")[:, :most]
    rows = np.arange(n)[:, None]
    used = support[rows, order]
    block = products.block(order)
    unit = size[:, None]
    system = np.zeros((n, most + 1, most + 1))
    system[:, :most, :most] = block * (used[:, :, None] & used[:, None, :])
    # Padding rows hold 1 on the diagonal and nothing else, so that their weight is 0.
    corner = np.arange(most)
    system[:, corner, corner] += np.where(used, _JITTER, 1.0) * unit
    system[:, :most, most] = system[:, most, :most] = used * unit
    right = np.empty((n, most + 1))
    right[:, :most] = linear[rows, order] * used
    right[:, most] = size
    solution = np.linalg.solve(system, right[:, :, None])[:, :, 0]
    weights = np.zeros((n, k))
    weights[rows, order] = solution[:, :most] * used
    return weights, -solution[:, most] * size


def _step_to_edge(now: Floats, wanted: Floats, negative: Booleans) -> Floats:
    fall = np.where(negative, now - wanted, 1.0)
    ratio = np.where(negative, now / np.where(fall > 0, fall, 1.0), np.inf)
    return np.asarray(np.clip(ratio.min(axis=1), 0.0, 1.0))


def simplex_even(columns: Floats, target: Floats, allowed: Booleans) -> Floats:
    """Minimise ``|Bx − y|²`` over the simplex; of many perfect fits take the most even one.

    Parameters
    ----------
    columns : ndarray, shape (m, k) or (n_problems, m, k)
    target : ndarray, shape (n_problems, m)
    allowed : ndarray of bool, shape (n_problems, k)

    Returns
    -------
    ndarray, shape (n_problems, k)
        Where the fit is perfect, those of least squared length: unique, and the same in any order.
    """
    every = _Rows(columns, np.zeros(0))
    gram = np.swapaxes(columns, -1, -2) @ columns
    gram = gram[None] if gram.ndim == 2 else gram
    x = simplex_qp(gram, every.transposed_times(target), allowed)
    size = np.diagonal(gram, axis1=1, axis2=2).max(axis=1) + (target**2).sum(axis=1)
    rest = ((target - every.times(x)) ** 2).sum(axis=1)
    # A fit that is perfect but for rounding in products of this size.
    rows = np.flatnonzero((rest <= _PERFECT * size) & (size > 0))
    if len(rows):
        own = columns if columns.ndim == 2 else columns[rows]
        even = simplex_ridge(own, target[rows], allowed[rows], eta=_TO_EVEN * size[rows])
        left = ((target[rows] - _Rows(own, np.zeros(0)).times(even)) ** 2).sum(axis=1)
        fits = left <= _NEARLY * size[rows]
        x[rows[fits]] = even[fits]
    return x


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
    if matrix.ndim == 2 and matrix.shape[0] > matrix.shape[1]:
        rotation, matrix = np.linalg.qr(matrix)
        target = target @ rotation
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
    for _ in range(_MOST_ROUNDS):
        rows, rate = every.of(active), rates[active]
        here, barrier = dual[active], allowed[active]
        score = rows.transposed_times(here)
        positive = barrier & (score > 0)
        force = here * rate - goal[active] + rows.times(np.where(positive, score, 0.0))
        curve = rows.products(positive)
        # Directions that nothing bends, such as those of periods that all units share.
        floor = _FLAT * (1 + np.trace(curve, axis1=1, axis2=2))
        curve[:, corner, corner] += rate + floor[:, None]
        step = np.asarray(np.linalg.solve(curve, -force[:, :, None])[:, :, 0], float)
        length = _line_search(
            here, step, force, rows=rows, goal=goal[active], barrier=barrier, rate=rate
        )
        dual[active] = here + length[:, None] * step
        score = rows.transposed_times(dual[active])
        moved = barrier & (score > 0)
        result[active] = np.where(moved, score, 0.0)
        # Under a small penalty, a second full step takes out the first one's rounding.
        stays = (length == 1.0) & (moved == positive).all(axis=1)
        done = stays & (is_strong | settled)[active]
        settled[active] = stays
        active = active[~done]
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

    def of(self, active: NDArray[np.int64]) -> _Rows:
        """Keep the problems named."""
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


def _line_search(
    here: Floats,
    step: Floats,
    force: Floats,
    *,
    rows: _Rows,
    goal: Floats,
    barrier: Booleans,
    rate: Floats,
) -> Floats:
    """Halve each problem's step until the dual objective falls enough."""

    def value(dual: Floats) -> Floats:
        score = np.where(barrier, np.maximum(rows.transposed_times(dual), 0.0), 0.0)
        return np.asarray(
            0.5 * (dual**2 * rate).sum(axis=1)
            - (dual * goal).sum(axis=1)
            + 0.5 * (score**2).sum(axis=1)
        )

    length = np.ones(len(here))
    began = value(here)
    slope = (force * step).sum(axis=1)
    slack = 1e-12 * (1 + np.abs(began))
    for _ in range(_MOST_HALVINGS):
        short = value(here + length[:, None] * step) > began + 1e-4 * length * slope + slack
        if not short.any():
            break
        length[short] /= 2
    return length
