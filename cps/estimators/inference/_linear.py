"""How an estimate weighs the treated units' outcomes, found by moving them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.estimators.registry import Refit

Floats = NDArray[np.float64]
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
    starts = design.starts[None]
    treated = np.flatnonzero(np.isfinite(starts[0]))
    step = float(np.nanstd(design.y)) or 1.0
    base = float(refit.under(starts, y=design.y)[0])
    # Uneven and large steps, so that a method which picks its weights by fit can't pass.
    push = step * np.random.default_rng(0).uniform(-3, 3, (len(treated), len(design.periods)))
    moved = design.y.copy()
    moved[treated] += push
    change = float(refit.under(starts, y=moved)[0]) - base

    def weights_of(unit: int) -> Floats:
        found = np.zeros(len(design.periods))
        for t in range(len(design.periods)):
            moved = design.y.copy()
            moved[unit, t] += step
            found[t] = (float(refit.under(starts, y=moved)[0]) - base) / step
        return found

    def is_right(weights: Floats) -> bool:
        size = step * float(np.abs(weights).sum())
        off = abs(change - float((weights * push).sum()))
        return bool(np.isfinite(weights).all()) and off <= _EXACT * size

    _, first, code = np.unique(starts[0][treated], return_index=True, return_inverse=True)
    if len(first) < len(treated):
        weights = np.array([weights_of(int(treated[one])) for one in first])[code.ravel()]
        if is_right(weights):
            return weights
    weights = np.array([weights_of(int(unit)) for unit in treated])
    return weights if is_right(weights) else None


def common_contrast(design: Design, att: float | None, refit: Refit) -> Floats | None:
    """Find the periods' weights in a comparison of treated with comparison units.

    Moves all treated units together, one period at a time. None if the estimate does not exist.

    Returns
    -------
    ndarray, shape (n_periods,), or None
    """
    if att is None:
        return None
    starts = design.starts[None]
    step = float(np.nanstd(design.y)) or 1.0
    found = np.zeros(len(design.periods))
    for t in range(len(design.periods)):
        moved = design.y.copy()
        moved[np.isfinite(starts[0]), t] += step
        found[t] = (float(refit.under(starts, y=moved)[0]) - att) / step
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
    base, once, twice = (
        float(refit.under(starts[None], y=design.y + k * push)[0]) for k in (0, 1, 2)
    )
    return abs(twice - 2 * once + base) <= _EXACT * step
