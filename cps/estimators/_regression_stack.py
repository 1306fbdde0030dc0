"""Stacked estimates of a balanced panel under many assignments of the same starts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.estimators._group_points import member_sums

Floats = NDArray[np.float64]


def stacked_points(
    y: Floats,
    places: Floats,
    weight: Floats,
    cohorts: tuple[int, ...],
    *,
    low: int,
    high: int,
    anticipation: int,
    not_yet: bool,
    is_corrected: bool,
) -> Floats:
    """Give the stacked estimate under each assignment.

    Each sub-experiment of a balanced panel is a table of four means; what distinguishes the two
    kinds of weights is how sub-experiments are averaged: by their treated units, or by the variance
    of treatment within them.

    Parameters
    ----------
    y : ndarray, shape (1 or n_assignments, n_units, n_periods)
        Of all assignments, or of each its own.
    places : ndarray, shape (n_assignments, n_units)
        Start as a place among the periods; infinity for never.
    weight : ndarray, shape (n_units,)
    cohorts : tuple of int
        Places of the starts that have the window.
    low, high : int
        First and last event time of the window.
    not_yet : bool
        Let later starters be controls until ``anticipation`` before their start.

    Returns
    -------
    ndarray, shape (n_assignments,)
        NaN where no sub-experiment has both sides.
    """
    n, n_periods = len(places), y.shape[2]
    weighted = weight[:, None] * y
    found = {
        place: ((places == place) @ weight, member_sums((places == place) * 1.0, weighted))
        for place in np.unique(places)
    }
    total, mass = np.zeros(n), np.zeros(n)
    for g in cohorts:
        size, sums = found.get(g, (np.zeros(n), np.zeros((n, n_periods))))
        end = min(g + high, n_periods - 1) + anticipation
        control, control_sums = np.zeros(n), np.zeros((n, n_periods))
        for place, (other, other_sums) in found.items():
            if np.isinf(place) or (not_yet and place > end):
                control, control_sums = control + other, control_sums + other_sums
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = sums / size[:, None] - control_sums / control[:, None]
        span = np.arange(max(g + low, 0), min(g + high, n_periods - 1) + 1)
        after, before = span[span >= g], span[span < g - anticipation]
        if is_corrected:
            before = before[-1:]  # the reference alone
            part = size
        else:
            n_after, n_before = len(after), len(before)
            with np.errstate(invalid="ignore", divide="ignore"):
                part = size * control / (size + control) * n_after * n_before / (n_after + n_before)
        effect = gap[:, after].mean(axis=1) - gap[:, before].mean(axis=1)
        usable = (size > 0) & (control > 0)
        total += np.where(usable, part * effect, 0.0)
        mass += np.where(usable, part, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(mass > 0, total / mass, np.nan)
