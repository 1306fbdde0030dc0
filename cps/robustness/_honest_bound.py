"""The bound that the largest of several normals keeps with a given probability, for many sets."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from cps.robustness._honest_test import Moments

Floats = NDArray[np.float64]
_TINY = 1e-9
_CELLS = 2**18  # of draws by pairs of vertices, in one go
_STEPS = 100
_ROUNDING = 4 * float(np.finfo(float).eps)


def least_favourable_bounds(found: Moments, noise: Floats, tail: Floats, kappa: float) -> Floats:
    """Give the quantile ``1 − kappa`` of the statistic where every moment binds, set by set.

    The chance that the largest of several normals exceeds a bound is the sum of theirs, each times
    the mean of one over how many exceed it together (Adler, Blanchet & Liu 2012,
    doi:10.1214/11-AAP769): a few hundred fixed draws do what 10⁵ plain ones would.

    Parameters
    ----------
    noise : ndarray, shape (n_draws, n_coefficients)
        Draws of the coefficients' noise, each of which stands for its opposite too.
    tail : ndarray, shape (n_draws,)
        Shares between 0 and 1, independent of ``noise``.

    Returns
    -------
    ndarray, shape (...)
    """
    *leading, n_vertices, n_coefficients = found.loading.shape
    loading = found.loading.reshape(-1, n_vertices, n_coefficients)
    covariance = found.covariance.reshape(-1, n_vertices, n_vertices)
    size = max(1, _CELLS // (len(noise) * n_vertices**2))
    parts = [slice(low, low + size) for low in range(0, len(loading), size)]
    bounds = [_bounds(loading[one], covariance[one], noise, tail, kappa) for one in parts]
    return np.concatenate(bounds).reshape(leading)


def widest_bounds(found: Moments, kappa: float) -> Floats:
    """Give what the bounds can't exceed, as every vertex had its share of ``kappa``."""
    from scipy.special import ndtri

    deviation, is_random = _noise(found.covariance)
    least = -ndtri(kappa / is_random.sum(axis=-1)) * deviation.max(axis=-1)
    return np.asarray(least * (1 + 1e-9))


def _noise(covariance: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    deviation = np.sqrt(np.maximum(np.diagonal(covariance, axis1=-2, axis2=-1), 0.0))
    return deviation, deviation > _TINY * deviation.max(axis=-1, keepdims=True)


def _bounds(
    loading: Floats, covariance: Floats, noise: Floats, tail: Floats, kappa: float
) -> Floats:
    from scipy.special import ndtri

    chances = _Chances(loading, covariance, noise, tail)
    deviation, is_random = _noise(covariance)
    n, largest = is_random.sum(axis=1), deviation.max(axis=1)
    low = -float(ndtri(kappa)) * largest
    high = -ndtri(kappa / n) * largest * (1 + 1e-9)
    at_low = chances.above(low) - kappa
    found = low.copy()
    open_ = np.flatnonzero((n > 1) & (at_low > 0))
    if not len(open_):
        return found
    at_high = chances.above(high) - kappa
    roots = {
        int(one): _brent(low[one], high[one], at_low[one], at_high[one], xtol=1e-4 * low[one])
        for one in open_
    }
    asked = {}
    for one, root in roots.items():
        try:
            asked[one] = next(root)
        except StopIteration as end:
            found[one] = end.value
    while asked:
        sets = np.array(list(asked))
        values = chances.above(np.array(list(asked.values())), sets) - kappa
        for one, value in zip(sets.tolist(), values.tolist(), strict=True):
            try:
                asked[one] = roots[one].send(value)
            except StopIteration as end:
                found[one] = end.value
                del asked[one]
    return found


class _Chances:
    """Chances that the largest of a set's normals is above a bound.

    Arrays run over sets, then vertices counted, pairs of draws, and vertices given to be above.
    """

    def __init__(self, loading: Floats, covariance: Floats, noise: Floats, tail: Floats) -> None:
        deviation, self.is_random = _noise(covariance)
        self.deviation = np.where(self.is_random, deviation, 1.0)
        self.tail = tail
        slope = covariance / self.deviation[:, None, :] ** 2
        self.slope = slope[:, :, None, :]
        drawn = noise @ np.swapaxes(loading, 1, 2)
        self.rest = np.swapaxes(drawn, 1, 2)[..., None] - drawn[:, None] * self.slope

    def above(self, bound: Floats, sets: NDArray[np.int64] | slice = slice(None)) -> Floats:
        from scipy.special import ndtr, ndtri

        deviation = self.deviation[sets]
        chance = np.where(self.is_random[sets], ndtr(-bound[:, None] / deviation), 0.0)
        share = np.maximum(chance[:, None, :] * self.tail[:, None], 1e-300)
        given = -deviation[:, None, :] * ndtri(share)
        excess = given[:, None] * self.slope[sets]
        excess -= bound[:, None, None, None]
        rest = self.rest[sets]
        mean = np.zeros(chance.shape)
        for is_above in (excess > -rest, excess > rest):  # a draw, and its opposite
            joint = np.add.reduce(is_above, axis=1, dtype=np.int32)
            mean += (1 / np.maximum(joint, 1)).mean(axis=1) / 2
        return np.asarray((chance * mean).sum(axis=1))


def _brent(
    low: float, high: float, at_low: float, at_high: float, *, xtol: float
) -> Generator[float, float, float]:
    """Find a root as ``scipy.optimize.brentq`` does, but ask for values: many go side by side.

    Brent (1973), Algorithms for Minimization without Derivatives, chapter 4.
    """
    before, at, value_before, value = low, high, at_low, at_high
    other, value_other, step_before, step = before, value_before, at - before, at - before
    for _ in range(_STEPS):
        if value_before != 0 and value != 0 and (value_before < 0) != (value < 0):
            other, value_other = before, value_before
            step_before = step = at - before
        if abs(value_other) < abs(value):
            before, at, other = at, other, at
            value_before, value, value_other = value, value_other, value
        least = (xtol + _ROUNDING * abs(at)) / 2
        half = (other - at) / 2
        if value == 0 or abs(half) < least:
            break
        tried = None
        if abs(step_before) > least and abs(value) < abs(value_before):
            if before == other:
                tried = -value * (at - before) / (value - value_before)
            else:
                one = (value_before - value) / (before - at)
                two = (value_other - value) / (other - at)
                tried = -value * (value_other * two - value_before * one)
                tried /= two * one * (value_other - value_before)
        if tried is not None and 2 * abs(tried) < min(abs(step_before), 3 * abs(half) - least):
            step_before, step = step, tried
        else:
            step_before = step = half
        before, value_before = at, value
        at += step if abs(step) > least else (least if half > 0 else -least)
        value = yield at
    return at
