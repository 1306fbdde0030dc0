"""Tests of moment inequalities that hold for some value of nuisance parameters.

Andrews, Roth & Pakes (2023), Review of Economic Studies 90(6), doi:10.1093/restud/rdad004: the
conditional test and its hybrids, for ``E[y − direction · θ − nuisance @ τ] ≤ 0``. The linear
programme of the paper is solved once and for all by listing the vertices of its dual, so that a
whole grid of θ costs a few products of matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.robustness._honest_rays import extreme_rays

Floats = NDArray[np.float64]
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments in terms of the vertices of the dual, one row for each.

    Parameters
    ----------
    value, slope : ndarray, shape (n_vertices,)
        A vertex is worth ``value − slope · θ``.
    loading : ndarray, shape (n_vertices, n_coefficients)
        What a vertex takes of the coefficients' noise.
    covariance : ndarray, shape (n_vertices, n_vertices)
    """

    value: Floats
    slope: Floats
    loading: Floats
    covariance: Floats


@dataclass(frozen=True, slots=True)
class FirstStage:
    """What a hybrid test rejects by before it conditions; of size ``kappa``.

    ``bound`` is the largest value of the statistic that goes on (least favourable), and the second
    stage knows that it was not passed if ``is_conditioned``. With ``weights`` and ``half_length``
    an affine estimator must lie that near to θ (fixed length).
    """

    kappa: float = 0.0
    bound: float | None = None
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
    matrix : ndarray, shape (n_moments, n_coefficients)
    limit : ndarray, shape (n_moments,)
    direction : ndarray, shape (n_coefficients,)
        The effect's part that θ moves.
    nuisance : ndarray, shape (n_coefficients, n_nuisance)
        The effect's parts that nobody asks about.
    """
    deviation = np.sqrt(np.einsum("ij,jk,ik->i", matrix, sigma, matrix))
    vertices = extreme_rays((matrix @ nuisance).T)
    vertices = vertices / (vertices @ deviation)[:, None]
    loading = vertices @ matrix
    return Moments(
        value=loading @ beta - vertices @ limit,
        slope=loading @ direction,
        loading=loading,
        covariance=loading @ sigma @ loading.T,
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
    theta : ndarray, shape (n_theta,)
    beta, sigma : ndarray or None
        Asked for by a first stage of fixed length.
    """
    worth = found.value[:, None] - found.slope[:, None] * theta[None, :]
    best = worth.argmax(axis=0)
    eta = np.take_along_axis(worth, best[None], axis=0)[0]
    size = (alpha - first.kappa) / (1 - first.kappa)
    keep = np.ones(len(theta), dtype=bool)
    scale = max(float(np.abs(found.value).max()), 1e-300)
    least = _TINY**2 * float(np.trace(found.covariance))
    for vertex in np.unique(best):
        here = best == vertex
        variance = found.covariance[vertex, vertex]
        if variance <= least:  # a vertex without noise
            keep[here] = eta[here] <= _TINY * scale
            continue
        low, high = _truncation(found, int(vertex), worth[:, here], eta[here])
        if first.bound is not None and first.is_conditioned:
            high = np.minimum(high, first.bound)
        if first.weights is not None and beta is not None and sigma is not None:
            gap = first.weights @ beta - theta[here]
            rate = float(first.weights @ sigma @ found.loading[vertex]) / variance
            if abs(rate) > _TINY * _TINY:
                ends = np.sort(
                    [
                        eta[here] + (-first.half_length - gap) / rate,
                        eta[here] + (first.half_length - gap) / rate,
                    ],
                    axis=0,
                )
                low, high = np.maximum(low, ends[0]), np.minimum(high, ends[1])
        deviation = np.sqrt(variance)
        inside = (low <= eta[here] + _TINY * deviation) & (eta[here] <= high + _TINY * deviation)
        tail = _upper_tail(eta[here] / deviation, low / deviation, high / deviation)
        keep[here] = ~inside | (eta[here] <= 0) | (tail >= size)
    if first.bound is not None:
        keep &= eta <= first.bound
    if first.weights is not None and beta is not None:
        keep &= np.abs(first.weights @ beta - theta) <= first.half_length
    return keep


def least_favourable_bound(found: Moments, noise: Floats, tail: Floats, kappa: float) -> float:
    """Give the quantile ``1 − kappa`` of the statistic where every moment binds.

    The chance that the largest of several normals exceeds a bound is the sum of theirs, each times
    the mean of one over how many exceed it together (Adler, Blanchet & Liu 2012,
    doi:10.1214/11-AAP769): a few hundred fixed draws do what 10⁵ plain ones would.

    Parameters
    ----------
    noise : ndarray, shape (n_draws, n_coefficients)
        Draws of the coefficients' noise.
    tail : ndarray, shape (n_draws,)
        Shares between 0 and 1, independent of ``noise``.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    deviation = np.sqrt(np.diag(found.covariance))
    random = np.flatnonzero(deviation > _TINY * deviation.max())
    deviation = deviation[random]
    slope = found.covariance[np.ix_(random, random)] / deviation[:, None] ** 2  # [given, of]
    drawn = noise @ found.loading[random].T
    rest = drawn[:, None, :] - drawn[:, :, None] * slope[None]

    def excess(bound: float) -> float:
        chance = ndtr(-bound / deviation)
        given = -deviation * ndtri(np.maximum(chance * tail[:, None], 1e-300))
        joint = (rest + given[:, :, None] * slope[None] > bound).sum(axis=2)
        return float((chance / np.maximum(joint, 1)).mean(axis=0).sum()) - kappa

    low = -float(ndtri(kappa)) * float(deviation.max())
    high = -float(ndtri(kappa / len(random))) * float(deviation.max())
    if len(random) == 1 or excess(low) <= 0:
        return low
    return float(brentq(excess, low, high * (1 + 1e-9), xtol=1e-4 * low))


def _truncation(found: Moments, vertex: int, worth: Floats, eta: Floats) -> tuple[Floats, Floats]:
    """Give the values of the statistic between which ``vertex`` stays the best, all else as is."""
    share = found.covariance[:, vertex] / found.covariance[vertex, vertex]
    rest = worth - share[:, None] * eta[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = rest / (1 - share)[:, None]
    low = np.where((share < 1 - _TINY)[:, None], cut, -np.inf).max(axis=0)
    high = np.where((share > 1 + _TINY)[:, None], cut, np.inf).min(axis=0)
    return low, high


def _upper_tail(at: Floats, low: Floats, high: Floats) -> Floats:
    """Give P(Z > at | low < Z < high) for a standard normal Z, also far out."""
    from scipy.special import log_ndtr

    above, start, end = (np.asarray(log_ndtr(-one)) for one in (at, low, high))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.exp(above - start) * np.expm1(end - above) / np.expm1(end - start)
    return np.asarray(np.where(np.isfinite(share), share, 1.0))
