"""Probability of a box under a normal distribution, with the mean of what lies inside."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_POINTS = 2**12
_SHIFTS = 4
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)
MOST_DIMENSIONS = len(_PRIMES)


@dataclass(frozen=True, slots=True)
class Box:
    """A box with sides ``low`` to ``high``, each shape (n,), under N(0, covariance)."""

    low: Floats
    high: Floats
    covariance: Floats


def box_probability(mean: Floats, covariance: Floats, low: Floats, high: Floats) -> float:
    """Give P(low < X < high) for X ~ N(mean, covariance).

    Separation of variables (Genz 1992, doi:10.1080/10618600.1992.10477010), narrow sides first,
    over the same lattice of points each time: nothing is drawn. The error is near 5e-6.
    """
    from scipy.special import ndtr

    box = _sorted(Box(low - mean, high - mean, covariance))
    n = len(box.low)
    root = np.linalg.cholesky(box.covariance)
    start = float(ndtr(box.low[0] / root[0, 0]))
    width = float(ndtr(box.high[0] / root[0, 0])) - start
    if n == 1:
        return width
    return _separate(box, np.asarray(root), start, width)


def box_mean(mean: Floats, covariance: Floats, low: Floats, high: Floats) -> Floats:
    """Give E(X | low < X < high) for X ~ N(mean, covariance), shape (n,).

    Manjunath & Wilhelm (2021), doi:10.35566/jbds/v1n1/p2: the mean moves along the covariance by
    the density on either face of the box.
    """
    n = len(mean)
    inside = box_probability(mean, covariance, low, high)
    push = np.zeros(n)
    for k in range(n):
        others = np.arange(n) != k
        slope = covariance[others, k] / covariance[k, k]
        rest = covariance[np.ix_(others, others)] - np.outer(slope, covariance[k, others])
        for face, side in ((low[k], 1.0), (high[k], -1.0)):
            gap = face - mean[k]
            density = np.exp(-(gap**2) / (2 * covariance[k, k])) / np.sqrt(
                2 * np.pi * covariance[k, k]
            )
            if n > 1:
                shifted = mean[others] + slope * gap
                density *= box_probability(shifted, rest, low[others], high[others])
            push[k] += side * density
    return np.asarray(mean + covariance @ push / inside)


def _sorted(box: Box) -> Box:
    deviation = np.sqrt(np.diag(box.covariance))
    order = np.argsort((box.high - box.low) / deviation, kind="stable")
    return Box(box.low[order], box.high[order], box.covariance[np.ix_(order, order)])


def _separate(box: Box, root: Floats, start: float, width: float) -> float:
    from scipy.special import ndtr, ndtri

    n = len(box.low)
    points = _lattice(n - 1)
    drawn = np.zeros((n, points.shape[1]))
    begin, span = np.full(points.shape[1], start), np.full(points.shape[1], width)
    weight = span.copy()
    for j in range(1, n):
        inner = np.clip(begin + points[j - 1] * span, 1e-300, 1 - 1e-16)
        drawn[j - 1] = ndtri(inner)
        centre = root[j, :j] @ drawn[:j]
        begin = ndtr((box.low[j] - centre) / root[j, j])
        span = ndtr((box.high[j] - centre) / root[j, j]) - begin
        weight *= span
    return float(weight.mean())


@lru_cache(maxsize=MOST_DIMENSIONS)
def _lattice(n: int) -> Floats:
    """Give Richtmyer's lattice under a tent, with a few fixed shifts, shape (n, n_points)."""
    steps = np.sqrt(np.array(_PRIMES[:n], dtype=float))[:, None]
    shifts = np.random.default_rng(0).random((_SHIFTS, n, 1))
    place = np.arange(1, _POINTS + 1)[None, :] * steps
    points = np.concatenate([np.mod(place + one, 1.0) for one in shifts], axis=1)
    points = np.abs(2 * points - 1)
    points.flags.writeable = False
    return np.asarray(points)
