"""How an estimate weighs the treated units' outcomes, found by moving them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.estimators.registry import Refit

Floats = NDArray[np.float64]
_AT_ONCE = 1 << 22  # cells of moved outcomes
_EXACT = 1e-6  # of the estimate's size; a method that is linear errs by rounding alone


def treated_weights(design: Design, refit: Refit) -> Floats | None:
    """Find the weight of each treated unit's outcome in each period.

    Moves one outcome at a time and estimates again. Units that start together weigh alike in most
    methods: one of each start is moved first, and all of them only if moving everything together
    shows that this was not so. None if the estimate is not linear in the treated units' outcomes:
    if moving them all together is not the sum of moving each.

    Returns
    -------
    ndarray, shape (n_treated, n_periods), or None
    """
    starts = design.starts
    treated = np.flatnonzero(np.isfinite(starts))
    step = float(np.nanstd(design.y)) or 1.0
    # Uneven and large steps, so that a method which picks its weights by fit can't pass.
    push = step * np.random.default_rng(0).uniform(-3, 3, (len(treated), len(design.periods)))
    together = np.zeros(design.y.shape)
    together[treated] = push
    base, pushed = refit.of(design.y + np.array([np.zeros(design.y.shape), together]))

    def weights_of(units: NDArray[np.int64]) -> Floats:
        return (_moved(design, refit, [[int(one)] for one in units], step) - base) / step

    def is_right(weights: Floats) -> bool:
        size = step * float(np.abs(weights).sum())
        off = abs(float(pushed - base) - float((weights * push).sum()))
        return bool(np.isfinite(weights).all()) and off <= _EXACT * size

    _, first, code = np.unique(starts[treated], return_index=True, return_inverse=True)
    if len(first) < len(treated):
        weights = weights_of(treated[first])[code.ravel()]
        if is_right(weights):
            return weights
    weights = weights_of(treated)
    return weights if is_right(weights) else None


def _moved(design: Design, refit: Refit, groups: list[list[int]], step: float) -> Floats:
    """Estimate with the outcomes of a group of units moved in one period.

    Returns
    -------
    ndarray, shape (n_groups, n_periods)
    """
    n_periods = len(design.periods)
    cells = [(units, t) for units in groups for t in range(n_periods)]
    size = max(1, _AT_ONCE // design.y.size)
    found = []
    for low in range(0, len(cells), size):
        some = cells[low : low + size]
        outcomes = np.repeat(design.y[None], len(some), axis=0)
        for one, (units, t) in zip(outcomes, some, strict=True):
            one[units, t] += step
        found.append(refit.of(outcomes))
    return np.concatenate(found).reshape(len(groups), n_periods)


def common_contrast(design: Design, att: float | None, refit: Refit) -> Floats | None:
    """Find the periods' weights in a comparison of treated with comparison units.

    Moves all treated units together, one period at a time. None if the estimate does not exist.

    Returns
    -------
    ndarray, shape (n_periods,), or None
    """
    if att is None:
        return None
    step = float(np.nanstd(design.y)) or 1.0
    treated = np.flatnonzero(np.isfinite(design.starts)).tolist()
    found = (_moved(design, refit, [treated], step)[0] - att) / step
    return found if np.isfinite(found).all() else None


def is_linear_in_treated(design: Design, refit: Refit) -> bool:
    """Tell whether the estimate follows the treated units' outcomes in a straight line.

    Moves all of them at random, then twice as far; a method that picks weights by fit bends.
    """
    starts = design.starts
    treated = np.isfinite(starts)
    step = float(np.nanstd(design.y)) or 1.0
    push = np.zeros(design.y.shape)
    push[treated] = step * np.random.default_rng(0).uniform(-3, 3, push[treated].shape)
    base, once, twice = refit.of(design.y + np.arange(3.0)[:, None, None] * push).tolist()
    return abs(twice - 2 * once + base) <= _EXACT * step
