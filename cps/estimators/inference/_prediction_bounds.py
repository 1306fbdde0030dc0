"""How far the counterfactual can move when weights move within their constraints and their noise.

Cattaneo, Feng & Titiunik (2021), JASA 116(536), 1865-1880, doi:10.1080/01621459.2021.1979561,
section 4: for each draw of noise the largest and the smallest ``p'(β − x)`` over weights ``x`` on
the simplex that fit no worse than ``β`` does. Each is a linear objective under one quadratic
constraint; the solution is followed along its path, piecewise linear in the constraint's
multiplier, many problems at a time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.estimators.inference._conformal_proxies import simplex_weights_exact

Floats = NDArray[np.float64]
_CHUNK = 4_000_000  # floats of stacked systems held at a time
_ZERO = 1e-11
_TILT = 14.0  # logarithm of the odds between the two constraints
_SECTIONS = 24


def extremes(
    gram: Floats,
    noise: Floats,
    targets: Floats,
    room: Floats,
    is_free: NDArray[np.bool_],
    *,
    ball: tuple[Floats, float] | None = None,
) -> Floats:
    """Find the largest ``p'δ`` under ``δ'Gδ − 2ζ'δ ≤ 0``, ``Σδ = 0`` over weights, ``δ ≥ −room``.

    Parameters
    ----------
    gram : ndarray, shape (k, k)
        ``G``, positive semi-definite.
    noise : ndarray, shape (n_sims, k)
        ``ζ``, in the range of ``G``.
    targets : ndarray, shape (n_targets, k)
        ``p``.
    room : ndarray, shape (k,)
        How far each weight may fall; of no account for free coefficients.
    is_free : ndarray of bool, shape (k,)
        Coefficients that are not weights: any sign, not part of the sum.
    ball : (ndarray of shape (k,), float) or None
        Weights ``β`` and the length that ``β + δ`` may have, free coefficients left out of it.

    Returns
    -------
    ndarray, shape (n_sims, n_targets)
    """
    ridge = 1e-11 * float(np.trace(gram)) / len(gram)
    matrix = gram + ridge * np.eye(len(gram))
    n_sims, n_targets = len(noise), len(targets)
    sim, target = np.divmod(np.arange(n_sims * n_targets), n_targets)
    starts = np.array([_least(matrix, one, room, is_free) for one in noise])
    found = np.empty(n_sims * n_targets)
    ends = np.empty((len(found), len(gram)))
    size = max(1, _CHUNK // (len(gram) + 1) ** 2)
    parts = [slice(low, low + size) for low in range(0, len(found), size)]
    for part in parts:
        problem = _Problem(matrix, noise[sim[part]], targets[target[part]], room, is_free)
        found[part], ends[part] = _follow(problem, starts[sim[part]])
    if ball is not None:
        beta, limit = np.where(is_free, 0.0, ball[0]), ball[1]
        slack = max(limit**2 - float(beta @ beta), 0.0)
        long = np.where(is_free, 0.0, beta + ends)
        over = np.flatnonzero((long**2).sum(axis=1) > limit**2 * (1 + 1e-9))
        for low in range(0, len(over), size):
            rows = over[low : low + size]
            found[rows] = _within_ball(
                matrix, noise[sim[rows]], targets[target[rows]], (room, is_free), (beta, slack)
            )
    return found.reshape(n_sims, n_targets)


def _within_ball(
    matrix: Floats,
    noise: Floats,
    targets: Floats,
    bounds: tuple[Floats, NDArray[np.bool_]],
    ball: tuple[Floats, float],
) -> Floats:
    """Solve with both quadratic constraints: the mixture of the two that binds most.

    For any mixture the maximum is an upper bound, and the least of these bounds is the maximum
    under both (strong duality); along mixtures it falls, then rises: golden section.
    """
    (room, is_free), (beta, slack) = bounds, ball
    scale = len(matrix) / float(np.trace(matrix))
    sphere = np.diag(np.where(is_free, 0.0, 1.0))

    def bound(tilt: Floats) -> Floats:
        share = 1 / (1 + np.exp(-tilt))
        mixed = (1 - share)[:, None, None] * scale * matrix + share[:, None, None] * sphere
        pull = (1 - share)[:, None] * scale * noise - share[:, None] * beta
        starts = np.array([_least(m, z, room, is_free) for m, z in zip(mixed, pull, strict=True)])
        problem = _Problem(mixed, pull, targets, room, is_free, slack=share * slack)
        return _follow(problem, starts)[0]

    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.full(len(targets), -_TILT), np.full(len(targets), _TILT)
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = bound(left), bound(right)
    for _ in range(_SECTIONS):
        falls = at_right < at_left
        low, high = np.where(falls, left, low), np.where(falls, high, right)
        new = np.where(falls, low + ratio * (high - low), high - ratio * (high - low))
        value = bound(new)
        left, right = np.where(falls, right, new), np.where(falls, new, left)
        at_left, at_right = np.where(falls, at_right, value), np.where(falls, value, at_left)
    return np.minimum(at_left, at_right)


def _least(matrix: Floats, noise: Floats, room: Floats, is_free: NDArray[np.bool_]) -> Floats:
    """Minimise ``δ'Gδ − 2ζ'δ``: a least-squares problem on a simplex, once shifted and scaled."""
    root = np.linalg.cholesky(matrix).T
    goal = np.linalg.solve(root.T, noise)
    weights = np.flatnonzero(~is_free)
    total = float(room[weights].sum())
    columns = root[:, weights]
    if is_free.any():
        basis = np.linalg.qr(root[:, is_free])[0]
        columns = columns - basis @ (basis.T @ columns)
        goal_inside = goal - basis @ (basis.T @ goal)
    else:
        goal_inside = goal
    corner = -columns @ room[weights]
    share = simplex_weights_exact((corner[:, None] + total * columns).T, goal_inside)
    found = np.zeros(len(matrix))
    found[weights] = total * share - room[weights]
    if is_free.any():
        left = goal - root[:, weights] @ found[weights]
        found[is_free] = np.linalg.lstsq(root[:, is_free], left, rcond=None)[0]
    return found


class _Problem:
    """Problems of equal shape, side by side; the first axis runs over them."""

    def __init__(
        self,
        matrix: Floats,
        noise: Floats,
        targets: Floats,
        room: Floats,
        is_free: NDArray[np.bool_],
        *,
        slack: Floats | None = None,
    ) -> None:
        self.matrix = matrix  # one for all, or one each
        self.slack = np.zeros(len(noise)) if slack is None else slack
        self.noise = noise
        self.targets = targets
        self.low = np.where(is_free, -np.inf, -room)
        self.is_free = is_free

    def keep(self, mask: NDArray[np.bool_]) -> None:
        self.noise, self.targets, self.slack = (
            self.noise[mask],
            self.targets[mask],
            self.slack[mask],
        )
        if self.matrix.ndim == 3:
            self.matrix = self.matrix[mask]

    def times(self, values: Floats) -> Floats:
        if self.matrix.ndim == 2:
            return np.asarray(values @ self.matrix)
        return np.asarray((values[:, None] @ self.matrix)[:, 0])

    def solve(self, moves: NDArray[np.bool_], right: Floats) -> tuple[Floats, Floats]:
        """Solve ``2Gd + ν·1 = right`` over coefficients that move, the others at rest, ``Σd = 0``."""
        n, k = moves.shape
        system = np.zeros((n, k + 1, k + 1))
        both = moves[:, :, None] & moves[:, None, :]
        system[:, :k, :k] = np.where(both, 2 * self.matrix, 0.0)
        places = np.arange(k)
        system[:, places, places] += ~moves
        summed = (moves & ~self.is_free).astype(float)
        system[:, :k, k] = summed
        system[:, k, :k] = summed
        # With no weight that moves the sum's multiplier is undetermined.
        system[:, k, k] = np.where(summed.any(axis=1), 0.0, 1.0)
        values = np.zeros((n, k + 1, 1))
        values[:, :k, 0] = np.where(moves, right, 0.0)
        solved = np.linalg.solve(system, values)[:, :, 0]
        return solved[:, :k], solved[:, k]


def _follow(problem: _Problem, delta: Floats) -> tuple[Floats, Floats]:
    """Raise the objective's weight from nothing until the constraint binds, or nothing can move.

    Returns
    -------
    values, shape (n,), and where they are reached, shape (n, k)
    """
    n, k = delta.shape
    found, ends_at = np.full(n, np.nan), np.full((n, k), np.nan)
    place = np.arange(n)
    delta = delta.copy()
    step_so_far = np.zeros(n)
    moves = problem.is_free | (delta > problem.low + _ZERO)
    for _ in range(20 * k + 50):
        rate, sum_rate = problem.solve(moves, problem.targets)
        pull = 2 * problem.times(delta) - 2 * problem.noise
        summed = moves & ~problem.is_free
        n_summed = np.maximum(summed.sum(axis=1), 1)
        drift = pull - step_so_far[:, None] * problem.targets
        level = -np.where(summed, drift, 0.0).sum(axis=1) / n_summed
        hold = drift + level[:, None]
        hold_rate = 2 * problem.times(rate) - problem.targets + sum_rate[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            to_bound = np.where(summed & (rate < -_ZERO), (problem.low - delta) / rate, np.inf)
            to_release = np.where(
                ~moves & (hold_rate < -_ZERO), np.maximum(hold, 0.0) / -hold_rate, np.inf
            )
        bound, release = to_bound.min(axis=1), to_release.min(axis=1)
        binds = _until_binding(problem, delta, rate)
        step = np.minimum(np.minimum(bound, release), binds)
        ends = (binds <= np.minimum(bound, release)) | ~np.isfinite(step)
        delta = delta + np.where(np.isfinite(step), step, 0.0)[:, None] * rate
        if ends.any():
            found[place[ends]] = (problem.targets[ends] * delta[ends]).sum(axis=1)
            ends_at[place[ends]] = delta[ends]
            rest = ~ends
            problem.keep(rest)
            place, delta, moves = place[rest], delta[rest], moves[rest]
            step_so_far, step = step_so_far[rest], step[rest]
            to_bound, to_release = to_bound[rest], to_release[rest]
            bound, release = bound[rest], release[rest]
            if not len(place):
                break
        step_so_far = step_so_far + step
        rows = np.arange(len(place))
        stops = bound <= release
        at = np.where(stops, to_bound.argmin(axis=1), to_release.argmin(axis=1))
        moves[rows, at] = ~stops
        delta[rows[stops], at[stops]] = problem.low[at[stops]]
    return found, ends_at


def _until_binding(problem: _Problem, delta: Floats, rate: Floats) -> Floats:
    """Step along ``rate`` at which ``δ'Gδ − 2ζ'δ`` comes up to the slack that it has."""
    along = problem.times(rate)
    a = (along * rate).sum(axis=1)
    b = (along * delta).sum(axis=1) - (problem.noise * rate).sum(axis=1)
    c = (problem.times(delta) * delta).sum(axis=1) - 2 * (problem.noise * delta).sum(axis=1)
    c = np.minimum(c - problem.slack, 0.0)
    root = np.sqrt(np.maximum(b**2 - a * c, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(b > 0, -c / (b + root), (root - b) / a)
    return np.where(a > 1e-300, np.maximum(step, 0.0), np.inf)
