"""Effects found where nothing happened: a method fitted to comparison units alone."""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.estimators.registry import refit
from cps.result import Effect
from cps.robustness._parts import MANY_CELLS

DRAWS, DRAWS_OF_MANY = 99, 39  # the latter still reach a p-value of 0.025


def placebo_effects(design: Design, effect: Effect, *, seed: int) -> NDArray[np.float64]:
    """Deal the treated units' starts out among comparison units, and estimate anew.

    Where whole clusters start together, the starts are dealt out among clusters. All assignments
    are enumerated for one start and up to ``DRAWS`` places; otherwise ``DRAWS`` are drawn, or fewer
    where units times periods are over 250,000.

    Returns
    -------
    ndarray, shape (n_placebos,)
        Empty where too few comparison units are there, or the method can't be fitted to them.
    """
    pattern, place = assignment(design)
    n, k = int(place.max(initial=-1)) + 1, len(pattern)
    if n - k < 2:
        return np.zeros(0)
    draws = DRAWS if design.y.size <= MANY_CELLS else DRAWS_OF_MANY
    again = refit(design, effect.method, options=effect.options)
    rng = np.random.default_rng(seed)
    if k == 1 and comb(n, k) <= DRAWS:
        drawn = np.arange(n)[:, None]
    else:
        drawn = np.array([rng.permutation(n)[:k] for _ in range(draws)])
    assigned = np.full((len(drawn), n), np.inf)
    np.put_along_axis(assigned, drawn, np.broadcast_to(pattern, drawn.shape), axis=1)
    found = again.under(assigned[:, place], units=design.is_donor)
    return found[np.isfinite(found)]


def assignment(design: Design) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give the starts to be dealt out, and for each comparison unit the place it belongs to.

    A place is a unit; it is a cluster where every cluster with treated units starts as a whole.

    Returns
    -------
    pattern : ndarray, shape (n_treated places,)
    place : ndarray of int, shape (n_donors,)
        From 0 on.
    """
    starts = design.starts
    if design.cluster is not None:
        _, groups = np.unique(np.array(design.cluster), return_inverse=True)
        hosts = np.unique(groups[np.isfinite(starts)])
        first = np.full(int(groups.max()) + 1, np.inf)
        np.minimum.at(first, groups, starts)
        if np.array_equal(first[groups], starts):
            places = np.unique(groups[design.is_donor], return_inverse=True)[1]
            return first[hosts], places.astype(np.int64)
    return starts[np.isfinite(starts)], np.arange(design.n_donors, dtype=np.int64)
