"""Permutation of residuals over time: p-values of sharp nulls, and sets of effects not rejected."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_GRID = 201
_DOUBLINGS = 14
_HALVINGS = 60
# Two sums of the same residuals in another order may differ in their last digits; so do 2/20 and 1 - 0.9.
_SLACK = 1e-12


@dataclass(frozen=True, slots=True)
class Permutations:
    """Which periods stand in for the post-periods, permutation by permutation.

    Parameters
    ----------
    places : ndarray of int, shape (n_permutations, n_post)
    is_drawn : bool
        True if the permutations are a random part of all: then the actual order is counted
        beside them.
    """

    places: NDArray[np.int64]
    is_drawn: bool

    @property
    def floor(self) -> float:
        """Smallest p-value that these permutations can give."""
        return 1 / (len(self.places) + self.is_drawn)


def moving_blocks(n_periods: int, n_post: int) -> Permutations:
    """Shift the residuals around the circle of periods: ``n_periods`` permutations."""
    first = np.arange(n_periods)[:, None]
    return Permutations((first + np.arange(n_post)) % n_periods, is_drawn=False)


def all_orders(n_periods: int, n_post: int, *, n_draws: int, seed: int) -> Permutations:
    """Permute the periods freely: every choice of post-periods, or ``n_draws`` of them."""
    if math.comb(n_periods, n_post) <= n_draws:
        return Permutations(np.array(list(combinations(range(n_periods), n_post))), is_drawn=False)
    rng = np.random.default_rng(seed)
    ranks = rng.random((n_draws, n_periods)).argpartition(n_post - 1, axis=1)
    return Permutations(ranks[:, :n_post], is_drawn=True)


def p_values(residuals: Floats, permutations: Permutations, *, norm: float) -> Floats:
    """Give the share of permutations whose post-residuals are as large as the actual ones.

    Parameters
    ----------
    residuals : ndarray, shape (n_hypotheses, n_periods)
        Pre-periods first.
    norm : float
        Power ``q`` of the statistic ``Σ|u|^q``.

    Returns
    -------
    ndarray, shape (n_hypotheses,)
    """
    sizes = np.abs(residuals) ** norm
    n_post = permutations.places.shape[1]
    actual = sizes[:, -n_post:].sum(axis=1, keepdims=True)
    statistics = sizes[:, permutations.places].sum(axis=2)
    as_large = (statistics >= actual * (1 - _SLACK)).sum(axis=1)
    n = len(permutations.places) + permutations.is_drawn
    return np.asarray((as_large + permutations.is_drawn) / n)


def not_rejected(
    p_of: Callable[[Floats], Floats], centre: float, scale: float, alpha: float
) -> tuple[float, float, bool] | None:
    """Give the outermost effects whose p-value exceeds ``alpha``; are all between them such?

    A grid around ``centre`` is widened until both its ends are rejected; then the last crossing on
    either side is found by halving, to rounding.

    Parameters
    ----------
    p_of : function of effects, shape (n,), giving p-values, shape (n,)
    scale : float
        Size of a typical residual.

    Returns
    -------
    tuple of (float, float, bool) or None
        The third is False if some effect between the ends is rejected. None if the set has no
        end, or is empty.
    """
    alpha += _SLACK
    half = 4 * scale
    for _ in range(_DOUBLINGS):
        ends = p_of(np.array([centre - half, centre + half]))
        if (ends <= alpha).all():
            break
        half *= 2
    else:
        return None
    grid = centre + half * np.linspace(-1, 1, _GRID)
    kept = np.flatnonzero(p_of(grid) > alpha)
    if not len(kept):
        return None
    inside = grid[[kept[0], kept[-1]]]
    outside = grid[[kept[0] - 1, kept[-1] + 1]]
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        is_in = p_of(middle) > alpha
        inside, outside = np.where(is_in, middle, inside), np.where(is_in, outside, middle)
    return float(inside[0]), float(inside[1]), bool(len(kept) == kept[-1] - kept[0] + 1)
