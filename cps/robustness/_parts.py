"""What checks share: smaller designs, and amounts in words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Text
from cps.provenance import sha256_json


def smaller_design(
    design: Design,
    *,
    units: NDArray[np.bool_] | None = None,
    periods: NDArray[np.bool_] | None = None,
    cohort: Sequence[int | None] | None = None,
) -> Design:
    """Keep some units and periods of a design, with other starts if ``cohort`` gives them.

    Parameters
    ----------
    units : ndarray of bool, shape (n_units,)
    periods : ndarray of bool, shape (n_periods,)
    cohort : sequence, length n_units before the cut
    """
    rows = np.ones(len(design.units), bool) if units is None else units
    columns = np.ones(len(design.periods), bool) if periods is None else periods
    starts = design.cohort if cohort is None else tuple(cohort)

    kept_units = tuple(compress(design.units, rows))
    kept_periods = tuple(compress(design.periods, columns))
    kept_starts = tuple(compress(starts, rows))
    return dataclasses.replace(
        design,
        units=kept_units,
        periods=kept_periods,
        cohort=kept_starts,
        period_labels=tuple(compress(design.period_labels, columns)),
        y=design.y[np.ix_(rows, columns)],
        y_natural=design.y_natural[np.ix_(rows, columns)],
        is_donor=design.is_donor[rows],
        minimum_detectable_effect=None,
        design_hash=sha256_json([design.design_hash, kept_units, kept_periods, kept_starts]),
    )


def amount(design: Design, value: float) -> Text:
    """Write an effect on the design's scale as a clerk would say it."""
    if design.form == "log":
        return Text(*[f"{100 * math.expm1(value):+.1f}%"] * 2)
    if design.measure == "yuan":
        return Text(f"{value / 1e4:+.1f}万元", f"CNY {value:+,.0f}")
    if design.measure == "persons":
        return Text(f"{value:+.1f}人", f"{value:+.1f} persons")
    return Text(*[f"{value:+.3g}"] * 2)
