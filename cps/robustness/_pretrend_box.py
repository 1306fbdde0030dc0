"""Probability of a box under a normal distribution, with the mean of what lies inside."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cps.robustness._pretrend_points import sobol_points

Floats = NDArray[np.float64]
_POWER = 13  # of two, points
# Nodes a side of Gauss's rule, by sides: closer than the points, for less work, where no side is
# nearly settled by those before it.
_NODES = {2: 48, 3: 32, 4: 20}
_LOOSE = 0.3  # share of a side's deviation that those before it must leave
_FAR = 8.0  # deviations, beyond which nothing lies
_DENSITY = float(1 / np.sqrt(2 * np.pi))
MOST_DIMENSIONS = 20


@dataclass(frozen=True, slots=True)
class Box:
    """A box with sides ``low`` to ``high``, each shape (n,), under N(0, root @ root.T)."""

    low: Floats
    high: Floats
    root: Floats  # lower triangle


def box_probability(mean: Floats, covariance: Floats, low: Floats, high: Floats) -> float:
    """Give P(low < X < high) for X ~ N(mean, covariance).

    Separation of variables (Genz 1992, doi:10.1080/10618600.1992.10477010): two to four sides by
    Gauss's rule, to 1e-7; more, or nearly collinear ones, over the same Sobol points each time, to
    some 1e-5 for five sides and a few 1e-4 for twenty. Nothing is drawn.
    """
    from scipy.special import ndtr, ndtri

    box = _ordered(low - mean, high - mean, covariance)
    n = len(box.low)
    # The first side is cut alike for all points.
    begin, end = (float(ndtr(side[0] / box.root[0, 0])) for side in (box.low, box.high))
    if n == 1:
        return end - begin
    deviation = np.sqrt((box.root**2).sum(axis=1))
    if n in _NODES and bool((np.diag(box.root) >= _LOOSE * deviation).all()):
        return _by_gauss(box, _NODES[n])
    points = _points(n - 1)
    drawn = np.empty(points.shape)
    begins: Floats | float = begin
    spans: Floats | float = end - begin
    weight = np.full(points.shape[1], spans)
    for j in range(1, n):
        inside = points[j - 1] * spans
        inside += begins
        drawn[j - 1] = ndtri(np.clip(inside, 1e-300, 1 - 1e-16, out=inside))
        centre = (box.root[j, :j] @ drawn[:j]) / box.root[j, j]
        begins = ndtr(box.low[j] / box.root[j, j] - centre)
        spans = ndtr(box.high[j] / box.root[j, j] - centre) - begins
        weight *= spans
    return float(weight.mean())


def _by_gauss(box: Box, n_nodes: int) -> float:
    """Integrate over all sides but the last, one inside the other; the last is known in full."""
    from scipy.special import ndtr

    at, share = _gauss(n_nodes)
    drawn, weight, last = np.zeros((0, 1)), np.ones(1), len(box.low) - 1
    for j in range(last):
        begin, end = (np.clip(one, -_FAR, _FAR) for one in _ends(box, j, drawn))
        half = (end - begin) / 2
        x = (begin + half)[:, None] + half[:, None] * at
        weight = ((weight * half)[:, None] * share * np.exp(-(x**2) / 2)).ravel() * _DENSITY
        drawn = np.vstack([np.repeat(drawn, n_nodes, axis=1), x.ravel()])
    begin, end = _ends(box, last, drawn)
    return float(weight @ (ndtr(end) - ndtr(begin)))


def _ends(box: Box, j: int, drawn: Floats) -> tuple[Floats, Floats]:
    """Give the ends of side ``j`` as independent normals see it, given those drawn before."""
    own = box.root[j, j]
    centre = (box.root[j, :j] @ drawn) / own
    return box.low[j] / own - centre, box.high[j] / own - centre


@lru_cache(maxsize=8)
def _gauss(n_nodes: int) -> tuple[Floats, Floats]:
    """Give nodes and weights on −1 to 1."""
    return np.polynomial.legendre.leggauss(n_nodes)


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


def _ordered(low: Floats, high: Floats, covariance: Floats) -> Box:
    """Put first, step by step, the side least likely to hold given those before at their means.

    Gibson, Glasbey & Elston (1994), as Genz & Bretz (2009, doi:10.1007/978-3-642-01689-9) have it.
    """
    from scipy.special import ndtr

    low, high, rest = low.copy(), high.copy(), covariance.astype(float)
    n = len(low)
    root, centre = np.zeros((n, n)), np.zeros(n)
    for j in range(n):
        deviation = np.sqrt(np.maximum(np.diag(rest)[j:], 1e-300))
        begin, end = ((side[j:] - centre[j:]) / deviation for side in (low, high))
        chance = ndtr(end) - ndtr(begin)
        k = j + int(chance.argmin())
        order = np.arange(n)
        order[[j, k]] = order[[k, j]]
        low, high, centre, root = low[order], high[order], centre[order], root[order]
        rest = rest[np.ix_(order, order)]
        root[j:, j] = rest[j:, j] / np.sqrt(rest[j, j])
        rest[j:, j:] -= np.outer(root[j:, j], root[j:, j])
        ends = np.array([begin[k - j], end[k - j]])
        density = np.exp(-(ends**2) / 2) / np.sqrt(2 * np.pi)
        mean = (density[0] - density[1]) / max(float(chance[k - j]), 1e-300)
        centre[j + 1 :] += root[j + 1 :, j] * mean
    return Box(low, high, root)


@lru_cache(maxsize=MOST_DIMENSIONS)
def _points(n: int) -> Floats:
    """Give scrambled Sobol points, always the same, shape (n, n_points)."""
    points = sobol_points(n, _POWER)
    points.flags.writeable = False
    return points


def fill_caches() -> None:
    """Find nodes, and draw the points for as many periods before a start as are common."""
    for n in range(1, 7):
        _points(n)
    for n_nodes in _NODES.values():
        _gauss(n_nodes)
