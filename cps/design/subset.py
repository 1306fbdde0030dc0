"""A design with fewer units or periods, or with other starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.provenance import sha256_json


def subset_design(
    design: Design,
    *,
    units: NDArray[np.bool_] | None = None,
    periods: NDArray[np.bool_] | None = None,
    cohort: Sequence[int | None] | None = None,
) -> Design:
    """Keep some units and periods of a design, with other starts if ``cohort`` gives them.

    Everything that runs along units or periods is cut with them. Where ``cohort`` is given, units
    without a start may serve as comparison.

    Parameters
    ----------
    units : ndarray of bool, shape (n_units,)
    periods : ndarray of bool, shape (n_periods,)
    cohort : sequence of (int or None), length n_units before the cut
    """
    rows = np.ones(len(design.units), bool) if units is None else np.asarray(units, bool)
    columns = np.ones(len(design.periods), bool) if periods is None else np.asarray(periods, bool)
    starts = design.cohort if cohort is None else tuple(cohort)
    donors = design.is_donor if cohort is None else np.array([one is None for one in starts])
    both = np.ix_(rows, columns)

    def cut(array: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        return None if array is None else array[both]

    kept_units = tuple(compress(design.units, rows))
    kept_periods = tuple(compress(design.periods, columns))
    kept_starts = tuple(compress(starts, rows))
    return dataclasses.replace(
        design,
        units=kept_units,
        periods=kept_periods,
        cohort=kept_starts,
        period_labels=tuple(compress(design.period_labels, columns)),
        y=design.y[both],
        y_natural=design.y_natural[both],
        is_donor=donors[rows],
        covariates=None if design.covariates is None else design.covariates[:, rows][:, :, columns],
        weights=cut(design.weights),
        cluster=None if design.cluster is None else tuple(compress(design.cluster, rows)),
        dose=cut(design.dose),
        denominator=cut(design.denominator),
        other_cohorts={
            name: tuple(compress(one, rows)) for name, one in design.other_cohorts.items()
        },
        exposure=None if design.exposure is None else design.exposure[rows],
        left_out=tuple(
            dataclasses.replace(
                one,
                y=one.y[columns],
                covariates=None if one.covariates is None else one.covariates[:, columns],
                weights=None if one.weights is None else one.weights[columns],
            )
            for one in design.left_out
        ),
        regimes=tuple(compress(design.regimes, columns)),
        minimum_detectable_effect=None,
        design_hash=sha256_json([design.design_hash, kept_units, kept_periods, kept_starts]),
    )
