"""Units taken in or out of a design, and chance by permutation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design, LeftOut
from cps.provenance import sha256_json

PERMUTATIONS = 2_000

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def can_take_in(design: Design) -> bool:
    """Tell whether a series alone makes a unit of this design."""
    return (
        design.covariates is None
        and design.weights is None
        and design.cluster is None
        and design.dose is None
    )


def take_in(design: Design, units: Sequence[LeftOut]) -> Design:
    """Add never-treated units that were left out to the comparison."""
    if not units:
        return design
    y = np.vstack([design.y, *(one.y[None, :] for one in units)])
    more = np.array([one.y for one in units])
    natural = np.vstack([design.y_natural, np.exp(more) if design.form == "log" else more])
    nobody = (None,) * len(units)
    denominator = design.denominator
    if denominator is not None:
        denominator = np.vstack([denominator, np.ones_like(more)])
    names = tuple(one.unit for one in units)
    return dataclasses.replace(
        design,
        units=(*design.units, *names),
        y=y,
        y_natural=natural,
        cohort=(*design.cohort, *nobody),
        is_donor=np.append(design.is_donor, np.ones(len(units), bool)),
        denominator=denominator,
        other_cohorts={name: (*starts, *nobody) for name, starts in design.other_cohorts.items()},
        left_out=(),
        minimum_detectable_effect=None,
        design_hash=sha256_json([design.design_hash, names]),
    )


def change_around(design: Design, series: Floats) -> Floats:
    """Give each series' mean after the starts less before, averaged over starts by treated units.

    Parameters
    ----------
    series : ndarray, shape (n, n_periods)
        On the scale of the design's ``y``; NaN where unobserved.

    Returns
    -------
    ndarray, shape (n,)
        NaN where a series was not seen on both sides of a start.
    """
    periods = np.asarray(design.periods)
    starts = design.starts
    total, weight = np.zeros(len(series)), 0.0
    for start in design.cohorts:
        size = float((starts == start).sum())
        after = mean_seen(series[:, periods >= start])
        total += size * (after - mean_seen(series[:, periods < start - design.anticipation]))
        weight += size
    return total / weight


def mean_seen(array: Floats) -> Floats:
    """Average rows over what was observed; NaN where nothing was."""
    n = (~np.isnan(array)).sum(axis=1)
    return np.divide(np.nansum(array, axis=1), n, out=np.full(len(array), np.nan), where=n > 0)


def permutation_p_value(group: Floats, others: Floats, seed: int) -> tuple[float, float]:
    """Give the p-value of a difference in means under relabelling, and its smallest value.

    All relabellings are enumerated where there are no more than ``PERMUTATIONS``.
    """
    pool, k = np.concatenate([group, others]), len(group)
    n = len(pool)
    total = pool.sum()
    if comb(n, k) <= PERMUTATIONS:
        chosen = np.array(list(combinations(range(n), k)))
        as_drawn = 0
    else:
        rng = np.random.default_rng(seed)
        chosen = np.argsort(rng.random((PERMUTATIONS, n)), axis=1)[:, :k]
        as_drawn = 1
    sums = pool[chosen].sum(axis=1)
    gaps = np.abs(sums / k - (total - sums) / (n - k))
    actual = abs(float(group.mean() - others.mean()))
    # The labels as they are count among the draws; enumerated, they are in already.
    as_large = int((gaps >= actual * (1 - 1e-12)).sum()) + as_drawn
    n_draws = len(chosen) + as_drawn
    return as_large / n_draws, 1 / n_draws


def join(names: Sequence[str], most: int = 5, *, comma: str = ", ") -> str:
    """List names, the first few; in Chinese the comma is ``、``."""
    return comma.join(names[:most]) + (" …" if len(names) > most else "")
