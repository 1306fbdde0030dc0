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
    found : Moments
        With an axis of sets.
    noise : ndarray, shape (n_draws, n_coefficients)
        Draws of the coefficients' noise.
    tail : ndarray, shape (n_draws,)
        Shares between 0 and 1, independent of ``noise``.

    Returns
    -------
    ndarray, shape (n_sets,)
    """
    n_sets, n_vertices = found.value.shape
    size = max(1, _CELLS // max(len(noise) * n_vertices**2, 1))
    bounds = [
        _bounds(found.loading[low : low + size], found.covariance[low : low + size],
                noise, tail, kappa)
        for low in range(0, n_sets, size)
    ]  # fmt: skip
    return np.concatenate(bounds)


def _bounds(
    loading: Floats, covariance: Floats, noise: Floats, tail: Floats, kappa: float
) -> Floats:
    from scipy.special import ndtri

    chances = _Chances(loading, covariance, noise, tail)
    n = chances.is_random.sum(axis=1)
    largest = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)).max(axis=1)
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
    asked = {one: next(root) for one, root in roots.items()}
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
    """Chances that the largest of a set's normals is above a bound."""

    def __init__(self, loading: Floats, covariance: Floats, noise: Floats, tail: Floats) -> None:
        deviation = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        self.is_random = deviation > _TINY * deviation.max(axis=1, keepdims=True)
        self.deviation = np.where(self.is_random, deviation, 1.0)
        self.slope = covariance / self.deviation[:, :, None] ** 2  # [set, given, of]
        self.drawn = noise @ np.swapaxes(loading, 1, 2)  # [set, draw, vertex]
        self.tail = tail
        self.rest = (
            self.drawn[:, :, None, :] - self.drawn[:, :, :, None] * self.slope[:, None, :, :]
        )

    def above(self, bound: Floats, sets: NDArray[np.int64] | slice = slice(None)) -> Floats:
        from scipy.special import ndtr, ndtri

        deviation = self.deviation[sets]
        chance = np.where(self.is_random[sets], ndtr(-bound[:, None] / deviation), 0.0)
        share = np.maximum(chance[:, None, :] * self.tail[:, None], 1e-300)
        given = -deviation[:, None, :] * ndtri(share)
        values = given[:, :, :, None] * self.slope[sets][:, None, :, :]
        values += self.rest[sets]
        joint = np.count_nonzero(values > bound[:, None, None, None], axis=3)
        found = (chance[:, None, :] / np.maximum(joint, 1)).mean(axis=1).sum(axis=1)
        return np.asarray(found)


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
