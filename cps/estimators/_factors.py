"""Panels of additive effects, covariates and a few common factors, complete or with gaps.

Bai (2009), Econometrica 77(4), 1229-1279, doi:10.3982/ECTA6135, for complete panels; Gobillon &
Magnac (2016), Review of Economics and Statistics 98(3), 535-551, doi:10.1162/REST_a_00537, for the
panel with cells filled in by expectation-maximisation. Arrays run over units, then periods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
STEPS = 20_000
ROUGH_STEPS = 500  # as R gsynth has it
ROUGH = 1e-5  # tolerance for fits that are made hundreds of times


@dataclass(frozen=True, slots=True)
class FactorFit:
    """What a panel without treatment is made of.

    Parameters
    ----------
    fitted : ndarray, shape (n_units, n_periods)
        Of every cell, those left out of the fit too.
    beta : ndarray, shape (n_covariates,)
        0 for a covariate that additive effects take up.
    level, units, periods : float, ndarray (n_units,), ndarray (n_periods,)
        Grand mean and additive effects.
    factors, loadings : ndarray, shapes (n_periods, r) and (n_units, r)
        Factors have mean square one.
    variance, ic, pc : float
        Error variance and the two criteria for r, as R ``gsynth`` counts degrees of freedom.
    """

    fitted: Floats
    beta: Floats
    level: float
    units: Floats
    periods: Floats
    factors: Floats
    loadings: Floats
    variance: float
    ic: float
    pc: float


def split_additive(values: Floats, effects: str) -> tuple[float, Floats, Floats, Floats]:
    """Take the mean, unit and period effects out of a complete panel.

    Parameters
    ----------
    effects : {"two_way", "unit", "time", "none"}

    Returns
    -------
    mean, unit effects, period effects, rest
    """
    level = float(values.mean())
    n_units, n_periods = values.shape
    units = values.mean(axis=1) - level if effects in ("two_way", "unit") else np.zeros(n_units)
    periods = values.mean(axis=0) - level if effects in ("two_way", "time") else np.zeros(n_periods)
    return level, units, periods, values - level - units[:, None] - periods


def principal_factors(rest: Floats, r: int) -> tuple[Floats, Floats]:
    """Give factors (n_periods, r), of mean square one, and loadings (n_units, r)."""
    n_units, n_periods = rest.shape
    if r == 0:
        return np.zeros((n_periods, 0)), np.zeros((n_units, 0))
    # The smaller of the two cross-products costs a fraction of a full decomposition.
    if n_periods <= n_units:
        vectors = np.linalg.eigh(rest.T @ rest)[1][:, : -r - 1 : -1]
        factors = vectors * np.sqrt(n_periods)
        return factors, rest @ factors / n_periods
    vectors = np.linalg.eigh(rest @ rest.T)[1][:, : -r - 1 : -1]
    factors = rest.T @ vectors
    size = np.sqrt((factors**2).mean(axis=0))
    size = np.where(size > 0, size, 1.0)
    return factors / size, vectors * size


def fit_factors(
    y: Floats,
    r: int,
    *,
    covariates: Floats | None = None,
    observed: Bools | None = None,
    effects: str = "two_way",
    tolerance: float = 1e-9,
    start: FactorFit | None = None,
) -> FactorFit:
    """Fit additive effects, coefficients and ``r`` factors by least squares over observed cells.

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods)
        Whatever stands in cells that are not observed is ignored.
    covariates : ndarray, shape (n_covariates, n_units, n_periods), or None
    observed : ndarray of bool, shape (n_units, n_periods), or None
        None if all are.
    tolerance : float
        Relative change of the fit at which iteration ends.
    start : FactorFit or None
        Where to start from.
    """
    seen = None if observed is None or bool(observed.all()) else observed
    task = _Task(y, r, seen, effects, tolerance)
    if covariates is None or not len(covariates):
        return _without_covariates(task, start)
    return _with_covariates(task, covariates, start)


@dataclass(frozen=True, slots=True)
class _Task:
    y: Floats
    r: int
    seen: Bools | None  # None: every cell
    effects: str
    tolerance: float


def _without_covariates(task: _Task, start: FactorFit | None) -> FactorFit:
    y, r, seen, effects = task.y, task.r, task.seen, task.effects
    none = np.zeros(0)
    if seen is None:
        return _finish(task, y, none, np.zeros_like(y))
    guess = _first_guess(y, seen, effects) if start is None else start.fitted

    def step(fit: Floats) -> Floats:
        return _common(np.where(seen, y, fit), r, effects)

    fitted = _fixed_point(step, guess, task.tolerance)
    return _finish(task, np.where(seen, y, fitted), none, np.zeros_like(y))


def _with_covariates(task: _Task, covariates: Floats, start: FactorFit | None) -> FactorFit:
    y, r, seen, effects = task.y, task.r, task.seen, task.effects
    within = np.array([split_additive(one, effects)[3] for one in covariates])
    size = np.abs(covariates).max(axis=(1, 2))
    moves = np.abs(within).max(axis=(1, 2)) > 1e-8 * np.where(size > 0, size, 1.0)
    kept = covariates[moves] if seen is not None else within[moves]
    flat = kept.reshape(len(kept), -1)
    inverse = np.linalg.pinv(flat @ flat.T)
    beta = np.zeros(len(kept)) if start is None else start.beta[moves]
    if seen is None:
        _, _, _, target = split_additive(y, effects)
        beta = inverse @ (flat @ target.ravel()) if start is None else beta

        def step(coefficients: Floats) -> Floats:
            rest = target - np.tensordot(coefficients, kept, 1)
            factors, loadings = principal_factors(rest, r)
            return np.asarray(inverse @ (flat @ (target - loadings @ factors.T).ravel()))

        beta = _fixed_point(step, beta, task.tolerance) if r else beta
        every = np.zeros(len(covariates))
        every[moves] = beta
        return _finish(task, y, every, np.tensordot(every, covariates, 1))
    guess = _first_guess(y, seen, effects) if start is None else start.fitted
    packed = np.concatenate([beta, (guess - np.tensordot(beta, kept, 1)).ravel()])

    def both(state: Floats) -> Floats:
        common = state[len(kept) :].reshape(y.shape)
        explained = np.tensordot(state[: len(kept)], kept, 1)
        filled = np.where(seen, y, explained + common)
        new = inverse @ (flat @ (filled - common).ravel())
        left = np.where(seen, y - np.tensordot(new, kept, 1), common)
        return np.concatenate([new, _common(left, r, effects).ravel()])

    packed = _fixed_point(both, packed, task.tolerance)
    every = np.zeros(len(covariates))
    every[moves] = packed[: len(kept)]
    explained = np.tensordot(every, covariates, 1)
    filled = np.where(seen, y, explained + packed[len(kept) :].reshape(y.shape))
    return _finish(task, filled, every, explained)


def _common(values: Floats, r: int, effects: str) -> Floats:
    level, units, periods, rest = split_additive(values, effects)
    factors, loadings = principal_factors(rest, r)
    return np.asarray(level + units[:, None] + periods + loadings @ factors.T)


def _fixed_point(step: Callable[[Floats], Floats], state: Floats, tolerance: float) -> Floats:
    """Repeat ``step`` until it changes nothing, with Anderson's mixing of two where it helps."""
    before_value: Floats | None = None
    before_move: Floats | None = None
    value = state
    for _ in range(STEPS if tolerance < ROUGH else ROUGH_STEPS):
        value = step(state)
        move = value - state
        if float(np.linalg.norm(move)) <= tolerance * float(np.linalg.norm(value)):
            return np.asarray(value)
        state = value
        if before_move is not None and before_value is not None:
            turn = move - before_move
            square = float((turn**2).sum())
            share = float((move * turn).sum()) / square if square > 0 else 0.0
            # Far extrapolation leaves the region where the map is nearly linear.
            if np.linalg.norm(move) < np.linalg.norm(before_move) and abs(share) < 20:
                state = value - share * (value - before_value)
        before_value, before_move = value, move
    return np.asarray(value)


def _first_guess(y: Floats, seen: Bools, effects: str) -> Floats:
    """Fill gaps with additive effects, by repeated demeaning."""
    guess = np.full(y.shape, y[seen].mean())

    def step(fit: Floats) -> Floats:
        return _common(np.where(seen, y, fit), 0, effects)

    return _fixed_point(step, guess, 1e-6)


def _finish(task: _Task, filled: Floats, beta: Floats, explained: Floats) -> FactorFit:
    r, seen, effects = task.r, task.seen, task.effects
    level, units, periods, rest = split_additive(filled - explained, effects)
    factors, loadings = principal_factors(rest, r)
    common = loadings @ factors.T
    error = rest - common if seen is None else np.where(seen, rest - common, 0.0)
    n_units, n_periods = filled.shape
    n_cells = filled.size if seen is None else int(seen.sum())
    n_beta = int((beta != 0).sum())
    used = r * (n_units + n_periods) - r**2 + n_beta
    squares = float((error**2).sum())
    variance = squares / max(n_cells - used, 1)
    small = max(60, n_units) * max(60, n_periods) / filled.size
    both = n_units + n_periods
    penalty = r * variance * small * both / filled.size * np.log(filled.size / both)
    return FactorFit(
        fitted=explained + level + units[:, None] + periods + common,
        beta=beta,
        level=level,
        units=units,
        periods=periods,
        factors=factors,
        loadings=loadings,
        variance=variance,
        ic=float(np.log(max(variance, 1e-300)) + used * np.log(n_cells) / n_cells),
        pc=float(squares / n_cells + penalty),
    )
