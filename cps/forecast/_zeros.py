"""Months that bring nothing: whether those to come will, from how often they did."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.forecast._prior import PRIOR

Floats = NDArray[np.float64]


def is_paid(income_yuan: Floats, rng: np.random.Generator) -> Floats:
    """Draw whether months of the last year bring anything, from how often they did."""
    seen = ~np.isnan(income_yuan)
    blank = income_yuan == 0
    if not blank.any():
        return np.ones((len(income_yuan), 12))
    by_month = (blank.sum(axis=(0, 1)) + 0.5) / (seen.sum(axis=(0, 1)) + 1.0)
    by_unit = (blank.sum(axis=(1, 2)) + 0.5) / (seen.sum(axis=(1, 2)) + 1.0)
    usual = PRIOR.zero_weight * (by_month + by_unit[:, None]) / 2
    zero = blank.sum(axis=1) + usual
    paid = (seen & ~blank).sum(axis=1) + PRIOR.zero_weight - usual
    return np.asarray(rng.random(zero.shape) >= rng.beta(zero, paid), dtype=float)
