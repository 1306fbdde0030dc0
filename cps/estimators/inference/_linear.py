"""How an estimate weighs the treated units' outcomes, found by moving them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.estimators.registry import Refit

Floats = NDArray[np.float64]
_EXACT = 1e-6  # of the estimate's size; a method that is linear errs by rounding alone


def starts_of(design: Design) -> Floats:
    """Give the first treated period of each unit, infinity for never."""
    return np.array([np.inf if one is None else float(one) for one in design.cohort])


def treated_weights(design: Design, refit: Refit) -> Floats | None:
    """Find the weight of each treated unit's outcome in each period.

    Moves one outcome at a time and estimates again. None if the estimate is not linear in the
    treated units' outcomes: if moving them all together is not the sum of moving each.

    Returns
    -------
    ndarray, shape (n_treated, n_periods), or None
    """
    starts = starts_of(design)[None]
    treated = np.flatnonzero(np.isfinite(starts[0]))
    step = float(np.nanstd(design.y)) or 1.0
    base = float(refit.under(starts, y=design.y)[0])
    weights = np.zeros((len(treated), len(design.periods)))
    for place, unit in enumerate(treated):
        for t in range(len(design.periods)):
            moved = design.y.copy()
            moved[unit, t] += step
            weights[place, t] = (float(refit.under(starts, y=moved)[0]) - base) / step
    # Uneven and large steps, so that a method which picks its weights by fit can't pass.
    push = step * np.random.default_rng(0).uniform(-3, 3, weights.shape)
    moved = design.y.copy()
    moved[treated] += push
    change = float(refit.under(starts, y=moved)[0]) - base
    size = step * float(np.abs(weights).sum())
    is_linear = np.isfinite(weights).all() and abs(change - (weights * push).sum()) <= _EXACT * size
    return weights if is_linear else None


def common_contrast(design: Design, att: float | None, refit: Refit) -> Floats | None:
    """Find the periods' weights in a comparison of treated with comparison units.

    Moves all treated units together, one period at a time. None if the estimate does not exist.

    Returns
    -------
    ndarray, shape (n_periods,), or None
    """
    if att is None:
        return None
    starts = starts_of(design)[None]
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
    starts = starts_of(design)
    treated = np.isfinite(starts)
    step = float(np.nanstd(design.y)) or 1.0
    push = np.zeros(design.y.shape)
    push[treated] = step * np.random.default_rng(0).uniform(-3, 3, push[treated].shape)
    base, once, twice = (
        float(refit.under(starts[None], y=design.y + k * push)[0]) for k in (0, 1, 2)
    )
    return abs(twice - 2 * once + base) <= _EXACT * step
