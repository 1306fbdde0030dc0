"""Unit and period weights of synthetic difference-in-differences, one cohort at a time.

Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), doi:10.1257/aer.20190159, algorithm 1, and
the estimators of their tables 1 to 4 that differ from it in one choice or two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._frank_wolfe import simplex_weights, sparsify
from cps.estimators._simplex import evened, simplex_even, simplex_qp, simplex_ridge

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

STEPS = 10_000  # as synthdid has it
_TINY = 1e-6  # of the noise: the penalty that only makes weights unique
_ROUNDING = 1e-13  # of the largest outcome: smaller moves are none
_TIE = 1e-11  # of the products' size: gradients closer than that are alike


@dataclass(frozen=True, slots=True)
class Kind:
    """How an estimator finds its weights.

    Parameters
    ----------
    fits_units : bool
        False gives every comparison unit the same weight.
    has_intercept : bool
        Whether unit weights match movements only, not levels.
    is_penalised : bool
        Whether unit weights are spread by the penalty of algorithm 1.
    periods : {"fitted", "equal", "none"}
        Weights of pre-periods; none leaves levels as they are.
    """

    fits_units: bool
    has_intercept: bool
    is_penalised: bool
    periods: str


KINDS: dict[str, Kind] = {
    "sdid": Kind(True, True, True, "fitted"),
    "sc": Kind(True, False, False, "none"),
    "did": Kind(False, True, False, "equal"),
    "difp": Kind(True, True, False, "equal"),
    "sc_reg": Kind(True, False, True, "none"),
    "difp_reg": Kind(True, True, True, "equal"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Assignments of one cohort, all with the same pre-periods.

    Parameters
    ----------
    pool : ndarray, shape (n_pool, n_periods) or (n, n_pool, n_periods)
        Units that may be compared with: the same for every assignment, or each its own.
    treated : ndarray, shape (n, n_periods)
        Mean of the treated.
    allowed : ndarray of bool, shape (n, n_pool)
    pre, post : ndarray of bool, shape (n_periods,)
    noise : ndarray, shape (n,)
        Standard deviation of the comparison units' first differences before the start.
    n_treated : ndarray, shape (n,)
    """

    pool: Floats
    treated: Floats
    allowed: Booleans
    pre: Booleans
    post: Booleans
    noise: Floats
    n_treated: Floats

    @property
    def zeta(self) -> Floats:
        """Penalty of algorithm 1: noise × (treated units × periods after)^¼."""
        return np.asarray(self.noise * (self.n_treated * self.post.sum()) ** 0.25)


def noise_level(pool: Floats, allowed: Booleans, pre: Booleans) -> Floats:
    """Give the standard deviation of first differences before the start, shape (n,).

    Zero where it is nothing but rounding: units that move exactly alike, or not at all.
    """
    change = np.diff(pool[..., pre], axis=-1)
    if change.ndim == 3:
        sums, squares = change.sum(axis=2), (change**2).sum(axis=2)
        total = (allowed * sums).sum(axis=1)
        square = (allowed * squares).sum(axis=1)
    else:
        middle = change.mean() if change.size else 0.0
        change = change - middle
        total = allowed @ change.sum(axis=1)
        square = allowed @ (change**2).sum(axis=1)
    count = allowed.sum(axis=1) * change.shape[-1]
    spread = square - total**2 / np.maximum(count, 1)
    noise = np.sqrt(np.maximum(spread, 0.0) / np.maximum(count - 1, 1))
    return np.where(noise <= _ROUNDING * np.abs(pool[..., pre]).max(initial=0.0), 0.0, noise)


def without_rounding(values: Floats, level: float) -> Floats:
    """Set to zero what is left of differences between outcomes as large as ``level``."""
    return np.where(np.abs(values) <= _ROUNDING * level, 0.0, values)


def exact_weights(problem: Problem, kind: Kind) -> tuple[Floats, Floats]:
    """Solve for unit weights (n, n_pool) and pre-period weights (n, n_pre) to the last digit.

    Without a penalty, the most even of those that fit equally well.
    """
    n_pre = int(problem.pre.sum())
    if not kind.fits_units:
        omega = problem.allowed / problem.allowed.sum(axis=1, keepdims=True)
    else:
        omega = _unit_weights(problem, kind, n_pre)
    if kind.periods != "fitted":
        return omega, np.full((len(omega), n_pre), 1 / n_pre if kind.periods == "equal" else 0.0)
    return omega, _period_weights(problem)


def _unit_weights(problem: Problem, kind: Kind, n_pre: int) -> Floats:
    before, target = problem.pool[..., problem.pre], problem.treated[:, problem.pre]
    # What all units have in common moves no weight; without it the digits are better.
    common = before.mean(axis=-2)
    before, target = before - common[..., None, :], target - common
    if kind.has_intercept:
        before = before - before.mean(axis=-1, keepdims=True)
        target = target - target.mean(axis=-1, keepdims=True)
    level = float(np.abs(problem.pool[..., problem.pre]).max())
    before, target = without_rounding(before, level), without_rounding(target, level)
    columns = np.swapaxes(before, -1, -2)
    is_penalised = (problem.zeta > 0) & kind.is_penalised
    omega = np.zeros(problem.allowed.shape)
    for rows in (np.flatnonzero(is_penalised), np.flatnonzero(~is_penalised)):
        own = columns if columns.ndim == 2 else columns[rows]
        if len(rows) and is_penalised[rows[0]]:
            eta = n_pre * problem.zeta[rows] ** 2
            omega[rows] = simplex_ridge(own, target[rows], problem.allowed[rows], eta=eta)
        elif len(rows):
            omega[rows] = simplex_even(own, target[rows], problem.allowed[rows])
    return omega


def _period_weights(problem: Problem) -> Floats:
    pool, allowed = problem.pool, problem.allowed.astype(float)
    n_allowed = allowed.sum(axis=1)
    before, after = pool[..., problem.pre], pool[..., problem.post].mean(axis=-1)
    if pool.ndim == 2:
        middle = before.mean(axis=0)
        before, after = before - middle, after - after.mean()
        n_pre = before.shape[1]
        mean, end = allowed @ before / n_allowed[:, None], allowed @ after / n_allowed
        outer = (before[:, :, None] * before[:, None, :]).reshape(len(before), -1)
        gram = (allowed @ outer).reshape(-1, n_pre, n_pre)
        linear = allowed @ (before * after[:, None])
    else:
        mean = (allowed[:, None] @ before)[:, 0] / n_allowed[:, None]
        end = (allowed * after).sum(axis=1) / n_allowed
        before = (before - mean[:, None]) * allowed[:, :, None]
        after = (after - end[:, None]) * allowed
        gram = np.swapaxes(before, 1, 2) @ before
        linear = (after[:, None] @ before)[:, 0]
        mean, end = np.zeros_like(mean), np.zeros_like(end)
    gram = gram - n_allowed[:, None, None] * mean[:, :, None] * mean[:, None, :]
    linear = linear - n_allowed[:, None] * mean * end[:, None]
    eta = n_allowed * (_TINY * problem.noise) ** 2
    gram = gram + eta[:, None, None] * np.eye(gram.shape[-1])
    lam = simplex_qp(gram, linear, np.ones(linear.shape, dtype=bool))
    # So small a penalty is lost in the last digits; what it would choose is the most even of many.
    gradient = (lam[:, None] @ gram)[:, 0] - linear
    size = np.trace(gram, axis1=1, axis2=2) + np.abs(linear).max(axis=1)
    bound = (lam * gradient).sum(axis=1) + _TIE * size
    rows = np.flatnonzero(((lam == 0) & (gradient <= bound[:, None])).any(axis=1))
    if len(rows):
        lam[rows] = _even_periods(problem, rows, lam[rows])
    return lam


def _even_periods(problem: Problem, rows: NDArray[np.int64], lam: Floats) -> Floats:
    pool = problem.pool if problem.pool.ndim == 2 else problem.pool[rows]
    share = _equal(problem.allowed[rows])[..., None]
    before, after = pool[..., problem.pre], pool[..., problem.post].mean(axis=-1, keepdims=True)
    level = float(np.abs(before).max())
    before, after = (
        without_rounding(one - (share * one).sum(axis=-2, keepdims=True), level) * (share > 0)
        for one in (before, after)
    )
    return evened(lam, before, after[..., 0], np.ones(lam.shape, dtype=bool))


def _equal(allowed: Booleans) -> Floats:
    return np.asarray(allowed / allowed.sum(axis=-1, keepdims=True))


def stepwise_weights(problem: Problem, kind: Kind, *, steps: int = STEPS) -> tuple[Floats, Floats]:
    """Find the same weights by the steps and the stopping rule of R ``synthdid``.

    Its iterations stop where they no longer matter much. Where weights are weakly identified, or
    not unique without a penalty, the estimate hangs on where they stop. ``pool`` must be shared.
    """
    n, n_pre = len(problem.treated), int(problem.pre.sum())
    allowed, noise = problem.allowed, problem.noise
    n_allowed = allowed.sum(axis=1)
    solve = _Steps(noise * 1e-5, steps)
    before, target = problem.pool[:, problem.pre].T[None], problem.treated[:, problem.pre]
    if not kind.fits_units:
        omega = allowed / n_allowed[:, None]
    else:
        if kind.has_intercept:
            before = before - before.mean(axis=1, keepdims=True)
            target = target - target.mean(axis=1, keepdims=True)
        zeta = problem.zeta if kind.is_penalised else noise * _TINY
        omega = solve(before, target, allowed, np.full(n, n_pre), zeta)
    if kind.periods != "fitted":
        return omega, np.full((n, n_pre), 1 / n_pre if kind.periods == "equal" else 0.0)
    rows = problem.pool[:, problem.pre]
    after = problem.pool[:, problem.post].mean(axis=1)
    share = allowed / n_allowed[:, None]
    matrix = (rows[None] - (share @ rows)[:, None, :]) * allowed[:, :, None]
    end = (after[None] - (share @ after)[:, None]) * allowed
    return omega, solve(matrix, end, np.ones((n, n_pre), dtype=bool), n_allowed, noise * _TINY)


@dataclass(frozen=True, slots=True)
class _Steps:
    min_decrease: Floats
    most: int

    def __call__(
        self,
        matrix: Floats,
        target: Floats,
        allowed: Booleans,
        n_rows: NDArray[np.int64],
        zeta: Floats,
    ) -> Floats:
        """Solve roughly, drop small weights, solve again from there: as ``synthdid`` does."""
        start: Floats | None = None
        for most in (100, self.most):
            weights = simplex_weights(
                matrix,
                target,
                allowed,
                n_rows=n_rows,
                zeta=zeta,
                min_decrease=self.min_decrease,
                start=start,
                max_iterations=most,
            )
            start = sparsify(weights)
        return weights
