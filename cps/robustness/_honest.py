"""Robust confidence sets for an event study whose trends may not have been parallel.

Rambachan & Roth (2023), Review of Economic Studies 90(5), 2555-2591, doi:10.1093/restud/rdad018;
conventions of R ``HonestDiD``, but for two: the ends of a set are found by bisection, not read off
a grid, and the least favourable bound is computed more closely than from 1000 draws.

Everywhere ``beta`` holds the coefficients in the order of time without the base period, which is
the last before the start: ``n_pre`` of them before, ``n_post`` after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cps.robustness._honest_bound import least_favourable_bounds, widest_bounds
from cps.robustness._honest_flci import shortest_affine
from cps.robustness._honest_hull import GRID, Interval, hulls
from cps.robustness._honest_test import FirstStage, Moments, accepted, moments

Floats = NDArray[np.float64]
Method = Literal["FLCI", "C-F", "C-LF", "Conditional"]
_DRAWS = 2**6  # and their opposites
_REACH = 20.0  # standard errors of the estimate that a grid spans to either side
_CELLS = 2**20  # of vertices by values, in one go


@dataclass(frozen=True, slots=True)
class EventStudy:
    """Coefficients of an event study, and what is asked of them.

    Parameters
    ----------
    beta : ndarray, shape (n_pre + n_post,)
    sigma : ndarray, shape (n_pre + n_post, n_pre + n_post)
    n_pre : int
    l_vec : ndarray, shape (n_post,)
        Weights of the effects after the start in the number asked for.
    """

    beta: Floats
    sigma: Floats
    n_pre: int
    l_vec: Floats

    @property
    def n_post(self) -> int:
        """Number of coefficients after the base period."""
        return len(self.beta) - self.n_pre

    @property
    def estimate(self) -> float:
        """The number asked for, if trends are parallel."""
        return float(self.l_vec @ self.beta[self.n_pre :])

    @property
    def se(self) -> float:
        """Its standard error."""
        after = self.sigma[self.n_pre :, self.n_pre :]
        return float(np.sqrt(self.l_vec @ after @ self.l_vec))


def original_set(study: EventStudy, *, alpha: float = 0.05) -> Interval:
    """Give the usual interval: trends are parallel."""
    half = NormalDist().inv_cdf(1 - alpha / 2) * study.se
    return study.estimate - half, study.estimate + half


def relative_magnitude_sets(
    study: EventStudy, mbar: Sequence[float], *, alpha: float = 0.05, method: Method = "C-LF"
) -> list[Interval]:
    """Give the robust sets if no step of the bias after the start exceeds a multiple of the largest
    one before.

    Parameters
    ----------
    mbar : sequence of float
        The multiples, one set for each.
    method : {"C-LF", "Conditional"}
        Conditional test with a least favourable first stage, of size alpha / 10, or without.

    Returns
    -------
    list of tuple of float
        Ends of each set's hull; infinite where no end was found, NaN if the set is empty.
    """
    return _union_sets(study, _first_differences(study), mbar, alpha=alpha, method=method)


def relative_magnitude_set(
    study: EventStudy, mbar: float, *, alpha: float = 0.05, method: Method = "C-LF"
) -> Interval:
    """Give one set of :func:`relative_magnitude_sets`."""
    return relative_magnitude_sets(study, [mbar], alpha=alpha, method=method)[0]


def smoothness_relative_sets(
    study: EventStudy, mbar: Sequence[float], *, alpha: float = 0.05, method: Method = "C-LF"
) -> list[Interval]:
    """Give the robust sets if the slope of the bias changes after the start by no more than a
    multiple of its largest change before. Needs two coefficients before the base period.
    """
    return _union_sets(study, _second_differences(study), mbar, alpha=alpha, method=method)


def smoothness_relative_set(
    study: EventStudy, mbar: float, *, alpha: float = 0.05, method: Method = "C-LF"
) -> Interval:
    """Give one set of :func:`smoothness_relative_sets`."""
    return smoothness_relative_sets(study, [mbar], alpha=alpha, method=method)[0]


def smoothness_set(
    study: EventStudy, m: float, *, alpha: float = 0.05, method: Method = "FLCI"
) -> Interval:
    """Give the robust set if the slope of the bias changes by at most ``m`` from period to period.

    Parameters
    ----------
    m : float, in units of the outcome per period
    method : {"FLCI", "C-F", "C-LF", "Conditional"}
        Fixed-length interval of the best affine estimator; conditional test with that interval (of
        level 1 − alpha / 10) or a least favourable one as its first stage; or with none.
    """
    if method == "FLCI":
        best = shortest_affine(study.sigma, study.n_pre, study.l_vec, m, alpha)
        middle = float(best.weights @ study.beta)
        return middle - best.half_length, middle + best.half_length
    second = _second_differences(study)
    matrix, limit = np.concatenate([second, -second]), np.full(2 * len(second), m)
    found = _moments(study, matrix[None, None], limit)
    first, kappa, middle = FirstStage(), alpha / 10, study.estimate
    steps = study.n_post * (study.n_post + 1) / 2
    reach = m * steps * float(np.abs(study.l_vec).sum()) + _REACH * study.se
    if method == "C-F":
        best = shortest_affine(study.sigma, study.n_pre, study.l_vec, m, kappa)
        first = FirstStage(kappa, weights=best.weights, half_length=best.half_length)
        middle = float(best.weights @ study.beta)
        reach = best.half_length
    if method == "C-LF":
        first = _least_favourable(study, found, kappa)
    return hulls(
        lambda one: _accepts(study, found, one, alpha, first),
        np.array([middle - reach]),
        np.array([middle + reach]),
        fixed=method == "C-F",
    )[0]


def relative_magnitude_excludes_zero(
    study: EventStudy, mbar: float, *, alpha: float = 0.05, method: Method = "C-LF"
) -> bool:
    """Tell whether the robust set lies on one side of zero; quicker than its two ends."""
    return _excludes_zero(study, _first_differences(study), mbar, alpha=alpha, method=method)


def smoothness_relative_excludes_zero(
    study: EventStudy, mbar: float, *, alpha: float = 0.05, method: Method = "C-LF"
) -> bool:
    """Tell the same of the set whose bias changes slope no more than before."""
    return _excludes_zero(study, _second_differences(study), mbar, alpha=alpha, method=method)


def _excludes_zero(
    study: EventStudy, rows: Floats, mbar: float, *, alpha: float, method: Method
) -> bool:
    if original_covers_zero(study, alpha):
        return False
    reach = float(_relative_reach(study, np.array([mbar]))[0])
    side = np.linspace(study.estimate - reach, study.estimate + reach, GRID)
    beyond = np.append(side[side * study.estimate <= 0], 0.0)
    found = _union(study, rows, [mbar])
    statistic = (found.value[..., None] - found.slope[..., None] * beyond).max(axis=-2)
    least = statistic.min(axis=-1)
    if (least <= 0).any():
        return False
    first = FirstStage()
    if method == "C-LF":
        # Only sets whose statistic may be within their bound are worth finding it for.
        near = least <= widest_bounds(found, alpha / 10)
        if not near.any():
            return True
        found = _only(found, near)
        first = _least_favourable(study, found, alpha / 10)
    return not _accepts(study, found, beyond[None], alpha, first).any()


def original_covers_zero(study: EventStudy, alpha: float) -> bool:
    """Tell whether the usual interval covers zero."""
    low, high = original_set(study, alpha=alpha)
    return low <= 0 <= high


def breakdown(excludes_zero: Callable[[float], bool], *, start: float, most: float) -> float | None:
    """Give the largest violation for which the robust set still excludes zero, to half a percent.

    Parameters
    ----------
    excludes_zero : callable
        From the size of the violation to whether the set excludes zero.
    start, most : float
        First violation tried, and the largest; ``most`` itself is given if zero is excluded there.

    Returns
    -------
    float or None
        None if zero is not excluded even without a violation.
    """
    if not excludes_zero(0.0):
        return None
    low, high = 0.0, start
    while excludes_zero(high):
        low, high = high, 2 * high
        if low >= most:
            return most
    while high - low > 5e-3 * high and high > 1e-3 * start:
        middle = (low + high) / 2
        low, high = (middle, high) if excludes_zero(middle) else (low, middle)
    return low


def _first_differences(study: EventStudy) -> Floats:
    steps = np.diff(np.eye(len(study.beta) + 1), axis=0)
    return np.delete(steps, study.n_pre, axis=1)


def _second_differences(study: EventStudy) -> Floats:
    turns = np.diff(np.eye(len(study.beta) + 1), n=2, axis=0)
    return np.delete(turns, study.n_pre, axis=1)


def _union(study: EventStudy, rows: Floats, mbar: Sequence[float]) -> Moments:
    """Restate the sets whose union is asked for: each row before in turn is the largest.

    Those in which it points the other way are mirror images, with the same noise; they stand after
    the others.

    Returns
    -------
    Moments
        Along axes of multiples and of sets.
    """
    before = len(rows) - study.n_post
    size = np.asarray(mbar, dtype=float)[:, None]
    factor = np.where(np.arange(len(rows)) < before, 1.0, size)[:, None, :, None]
    bounds = factor * rows[:before, None, :]
    parts = np.concatenate([rows - bounds, -rows - bounds], axis=2)
    # The largest held against itself says nothing.
    kept = np.array([np.delete(np.arange(parts.shape[2]), one) for one in range(before)])
    parts = np.take_along_axis(parts, kept[None, :, :, None], axis=2)
    one = _moments(study, parts, np.zeros(parts.shape[2]))
    return Moments(
        value=np.concatenate([one.value, -one.value], axis=1),
        slope=np.concatenate([one.slope, -one.slope], axis=1),
        loading=np.concatenate([one.loading, -one.loading], axis=1),
        covariance=np.concatenate([one.covariance, one.covariance], axis=1),
    )


def _only(found: Moments, kept: NDArray[np.bool_]) -> Moments:
    """Keep some sets of the only multiple there is."""
    return Moments(
        found.value[kept][None],
        found.slope[kept][None],
        found.loading[kept][None],
        found.covariance[kept][None],
    )


def _union_sets(
    study: EventStudy, rows: Floats, mbar: Sequence[float], *, alpha: float, method: Method
) -> list[Interval]:
    found, first = _union(study, rows, mbar), FirstStage()
    if method == "C-LF":
        half = found.value.shape[1] // 2
        one = Moments(
            found.value[:, :half],
            found.slope[:, :half],
            found.loading[:, :half],
            found.covariance[:, :half],
        )
        first = _least_favourable(study, one, alpha / 10)
        first = replace(first, bound=np.tile(np.asarray(first.bound), 2))
    reach = _relative_reach(study, np.asarray(mbar, dtype=float))
    return hulls(
        lambda one: _accepts(study, found, one, alpha, first),
        study.estimate - reach,
        study.estimate + reach,
    )


def _relative_reach(study: EventStudy, mbar: Floats) -> Floats:
    """Give how far from the estimate the package looks."""
    before = np.append(study.beta[: study.n_pre], 0.0)
    steps = float(np.arange(1, study.n_post + 1) @ np.abs(study.l_vec))
    return mbar * steps * float(np.abs(np.diff(before)).max()) + _REACH * study.se


def _moments(study: EventStudy, matrix: Floats, limit: Floats) -> Moments:
    """As ``HonestDiD`` has it: rows on periods before only are left out if there are nuisances."""
    if study.n_post > 1:
        # What the sets say of periods after is the same.
        involved = (np.abs(matrix[0, 0, :, study.n_pre :]) > 0).any(axis=1)
        matrix, limit = matrix[:, :, involved], limit[involved]
    pivot = int(np.abs(study.l_vec).argmax())
    direction = np.zeros(len(study.beta))
    direction[study.n_pre + pivot] = 1 / study.l_vec[pivot]
    others = [j for j in range(study.n_post) if j != pivot]
    nuisance = np.zeros((len(study.beta), len(others)))
    for column, j in enumerate(others):
        nuisance[study.n_pre + j, column] = 1.0
        nuisance[study.n_pre + pivot, column] = -study.l_vec[j] / study.l_vec[pivot]
    return moments(matrix, limit, study.beta, study.sigma, direction=direction, nuisance=nuisance)


def _accepts(
    study: EventStudy, found: Moments, theta: Floats, alpha: float, first: FirstStage
) -> NDArray[np.bool_]:
    """Tell which values some set of a union accepts.

    Parameters
    ----------
    found : Moments
        Along axes of unions and of sets.
    theta : ndarray, shape (n_unions, n)
    """
    size = max(1, _CELLS // found.value.size)
    kept = [
        accepted(
            found,
            theta[:, None, low : low + size],
            alpha=alpha,
            first=first,
            beta=study.beta,
            sigma=study.sigma,
        ).any(axis=1)
        for low in range(0, theta.shape[1], size)
    ]
    return np.concatenate(kept, axis=1)


def _least_favourable(study: EventStudy, found: Moments, kappa: float) -> FirstStage:
    normals, shares = _draws(len(study.beta))
    noise = normals @ _square_root(study.sigma)
    bounds = least_favourable_bounds(found, noise, shares, kappa)
    # With one coefficient after the start the package does not condition on the first stage.
    return FirstStage(kappa, bound=bounds, is_conditioned=study.n_post > 1)


def _square_root(sigma: Floats) -> Floats:
    value, vector = np.linalg.eigh(sigma)
    return np.asarray((vector * np.sqrt(np.maximum(value, 0.0))) @ vector.T)


@lru_cache(maxsize=8)
def _draws(n: int) -> tuple[Floats, Floats]:
    """Give normal draws, with evenly spread shares in any order."""
    rng = np.random.default_rng(0)
    normals = rng.standard_normal((_DRAWS, n))
    shares = (rng.permutation(_DRAWS) + 0.5) / _DRAWS
    for one in (normals, shares):
        one.flags.writeable = False
    return normals, shares


def with_weights(study: EventStudy, l_vec: Floats) -> EventStudy:
    """Ask the same coefficients for another number."""
    return replace(study, l_vec=np.asarray(l_vec, dtype=float))


def fill_caches() -> None:
    """Draw for as many coefficients as are common."""
    for n in range(5, 9):
        _draws(n)
