"""Effects found where nothing happened: a method fitted to comparison units alone."""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.estimators.registry import refit
from cps.result import Effect
from cps.robustness._units import starts_of

DRAWS = 99


def placebo_effects(design: Design, effect: Effect, *, seed: int) -> NDArray[np.float64]:
    """Deal the treated units' starts out among comparison units, and estimate anew.

    All assignments are enumerated for one treated unit and up to ``DRAWS`` comparison units;
    otherwise ``DRAWS`` are drawn.

    Returns
    -------
    ndarray, shape (n_placebos,)
        Empty where too few comparison units are there, or the method can't be fitted to them.
    """
    starts = starts_of(design)
    pattern = starts[np.isfinite(starts)]
    n, k = design.n_donors, len(pattern)
    if n - k < 2:
        return np.zeros(0)
    again = refit(design, effect.method, options=effect.options)
    rng = np.random.default_rng(seed)
    if k == 1 and comb(n, k) <= DRAWS:
        drawn = np.arange(n)[:, None]
    else:
        drawn = np.array([rng.permutation(n)[:k] for _ in range(DRAWS)])
    assigned = np.full((len(drawn), n), np.inf)
    np.put_along_axis(assigned, drawn, np.broadcast_to(pattern, drawn.shape), axis=1)
    found = again.under(assigned, units=design.is_donor)
    return found[np.isfinite(found)]
