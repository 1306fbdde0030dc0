"""Tests of moment inequalities that hold for some value of nuisance parameters.

Andrews, Roth & Pakes (2023), Review of Economic Studies 90(6), doi:10.1093/restud/rdad004: the
conditional test and its hybrids, for ``E[y − direction · θ − nuisance @ τ] ≤ 0``. The linear
programme of the paper is solved once and for all by listing the vertices of its dual, so that a
whole grid of θ costs a few products of matrices. Sets of inequalities that differ in their numbers
only are tested side by side, along a first axis that may be left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.robustness._honest_rays import extreme_rays

Floats = NDArray[np.float64]
_TINY = 1e-9
_CELLS = 2**18  # of pairs by vertices, in one go


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments in terms of the vertices of the dual, one row for each.

    Parameters
    ----------
    value, slope : ndarray, shape (..., n_vertices)
        A vertex is worth ``value − slope · θ``.
    loading : ndarray, shape (..., n_vertices, n_coefficients)
        What a vertex takes of the coefficients' noise.
    covariance : ndarray, shape (..., n_vertices, n_vertices)
    """

    value: Floats
    slope: Floats
    loading: Floats
    covariance: Floats


@dataclass(frozen=True, slots=True)
class FirstStage:
    """What a hybrid test rejects by before it conditions; of size ``kappa``.

    ``bound`` is the largest value of the statistic that goes on (least favourable), one number or
    one for each set, and the second stage knows that it was not passed if ``is_conditioned``. With
    ``weights`` and ``half_length`` an affine estimator must lie that near to θ (fixed length).
    """

    kappa: float = 0.0
    bound: float | Floats | None = None
    is_conditioned: bool = True
    weights: Floats | None = None
    half_length: float = 0.0


def moments(
    matrix: Floats,
    limit: Floats,
    beta: Floats,
    sigma: Floats,
    *,
    direction: Floats,
    nuisance: Floats,
) -> Moments:
    """Restate ``matrix @ bias ≤ limit`` for coefficients ``beta`` = bias + effect.

    Parameters
    ----------
    matrix : ndarray, shape (..., n_moments, n_coefficients)
        Sets must not differ in what they say of the nuisance.
    limit : ndarray, shape (n_moments,)
    direction : ndarray, shape (n_coefficients,)
        The effect's part that θ moves.
    nuisance : ndarray, shape (n_coefficients, n_nuisance)
        The effect's parts that nobody asks about.
    """
    deviation = np.sqrt(np.einsum("...ij,...ij->...i", matrix @ sigma, matrix))
    one = matrix.reshape(-1, *matrix.shape[-2:])[0]
    rays = extreme_rays((one @ nuisance).T)
    vertices = rays / (deviation @ rays.T)[..., None]
    loading = vertices @ matrix
    return Moments(
        value=loading @ beta - vertices @ limit,
        slope=loading @ direction,
        loading=loading,
        covariance=loading @ sigma @ np.swapaxes(loading, -1, -2),
    )


def accepted(
    found: Moments,
    theta: Floats,
    *,
    alpha: float,
    first: FirstStage = FirstStage(),
    beta: Floats | None = None,
    sigma: Floats | None = None,
) -> NDArray[np.bool_]:
    """Tell which values of θ the test does not reject.

    Parameters
    ----------
    theta : ndarray, shape (..., n_theta)
        The same for all sets, or of each its own.
    beta, sigma : ndarray or None
        Asked for by a first stage of fixed length.

    Returns
    -------
    ndarray of bool, shape (..., n_theta)
    """
    worth = found.value[..., None] - found.slope[..., None] * theta[..., None, :]
    eta = worth.max(axis=-2)
    keep = np.ones(eta.shape, dtype=bool)
    bound = None if first.bound is None else np.asarray(first.bound)[..., None]
    if bound is not None:
        keep &= eta <= bound
    gap = None
    if first.weights is not None and beta is not None and sigma is not None:
        gap = np.broadcast_to(first.weights @ beta - theta, eta.shape)
        keep &= np.abs(gap) <= first.half_length
    # What is left of a positive statistic is for the second stage to tell.
    where = np.nonzero(keep & (eta > 0))
    share = max(1, _CELLS // worth.shape[-2])
    for low in range(0, len(where[0]), share):
        some = tuple(one[low : low + share] for one in where)
        at = _At(found, worth, eta[some], some)
        ends = _truncation(at)
        if bound is not None and first.is_conditioned:
            ends = ends[0], np.minimum(ends[1], np.broadcast_to(bound, eta.shape)[some])
        if gap is not None:
            ends = _both(ends, _by_length(at, first, gap[some], np.asarray(sigma)))
        keep[some] = _passes(at, *ends, size=(alpha - first.kappa) / (1 - first.kappa))
    return keep


class _At:
    """Pairs of a set and a value of θ, with the vertex that is best there.

    ``worth`` and ``share`` have shape (n_vertices, n_pairs): few are compared, of many at a time.
    """

    def __init__(
        self, found: Moments, worth: Floats, eta: Floats, some: tuple[NDArray[np.intp], ...]
    ) -> None:
        sets = some[:-1]
        self.worth = np.ascontiguousarray(np.swapaxes(worth, -1, -2)[some].T)
        self.eta = eta
        vertex = self.worth.argmax(axis=0)
        pairs = np.arange(len(eta))
        self.loading = found.loading[(*sets, vertex)]
        row = np.ascontiguousarray(found.covariance[(*sets, vertex)].T)  # with every other vertex
        variance = row[vertex, pairs]
        trace = np.trace(found.covariance, axis1=-2, axis2=-1)
        self.is_noisy = variance > _TINY**2 * trace[sets]
        self.scale = np.maximum(np.abs(found.value).max(axis=-1), 1e-300)[sets]
        self.variance = np.where(self.is_noisy, variance, 1.0)
        self.share = row / self.variance


def _passes(at: _At, low: Floats, high: Floats, *, size: float) -> NDArray[np.bool_]:
    deviation = np.sqrt(at.variance)
    slack = _TINY * deviation
    inside = (low <= at.eta + slack) & (at.eta <= high + slack)
    tail = _upper_tail(at.eta / deviation, low / deviation, high / deviation)
    passes = np.where(at.is_noisy, ~inside | (tail >= size), at.eta <= _TINY * at.scale)
    return np.asarray(passes, dtype=bool)


def _truncation(at: _At) -> tuple[Floats, Floats]:
    """Give the values of the statistic between which the vertex stays the best, all else as is."""
    rest = at.worth - at.share * at.eta
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = rest / (1 - at.share)
    low = np.where(at.share < 1 - _TINY, cut, -np.inf).max(axis=0)
    high = np.where(at.share > 1 + _TINY, cut, np.inf).min(axis=0)
    return low, high


def _by_length(at: _At, first: FirstStage, gap: Floats, sigma: Floats) -> tuple[Floats, Floats]:
    """Give the values of the statistic between which the affine estimator stays near enough."""
    rate = (at.loading @ (sigma @ np.asarray(first.weights))) / at.variance
    moves = np.abs(rate) > _TINY * _TINY
    safe = np.where(moves, rate, 1.0)
    ends = [at.eta + (side * first.half_length - gap) / safe for side in (-1.0, 1.0)]
    return (
        np.where(moves, np.minimum(*ends), -np.inf),
        np.where(moves, np.maximum(*ends), np.inf),
    )


def _both(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    return np.maximum(one[0], other[0]), np.minimum(one[1], other[1])


def _upper_tail(at: Floats, low: Floats, high: Floats) -> Floats:
    """Give P(Z > at | low < Z < high) for a standard normal Z, also far out."""
    from scipy.special import log_ndtr

    above, start, end = (np.asarray(log_ndtr(-one)) for one in (at, low, high))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.exp(above - start) * np.expm1(end - above) / np.expm1(end - start)
    return np.asarray(np.where(np.isfinite(share), share, 1.0))
