"""Which two-by-two comparisons stand behind ATT(g, t): cohort, period, base period, controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cohorts:
    """Units sorted by cohort; the never treated, if any, stand last.

    Parameters
    ----------
    starts : ndarray of int, shape (n_cohorts,)
        First treated periods, ascending, without the never treated.
    order : ndarray of int, shape (n_units,)
        Rows of the design, sorted by cohort, in their own order within one.
    bounds : ndarray of int, shape (n_cohorts + 2,)
        Cohort ``c`` holds ``order[bounds[c]:bounds[c + 1]]``; the last one is never treated.
    """

    starts: Ints
    order: Ints
    bounds: Ints

    @property
    def sizes(self) -> Ints:
        """Units by cohort, shape (n_cohorts + 1,); the last are never treated."""
        return np.diff(self.bounds)

    def rows(self, place: int) -> Ints:
        """Rows of one cohort."""
        return self.order[self.bounds[place] : self.bounds[place + 1]]

    def codes(self) -> Ints:
        """Give the place of each unit's cohort, shape (n_units,)."""
        codes = np.empty(len(self.order), np.int64)
        codes[self.order] = np.repeat(np.arange(len(self.bounds) - 1), self.sizes)
        return codes


@dataclass(frozen=True, slots=True)
class Cells:
    """One entry for each ATT(g, t), all of shape (n_cells,).

    ``cohort`` and ``rank`` are places in ``Cohorts``; ``time`` and ``base`` places among the
    periods. A cell is compared with every cohort from ``rank`` on, but for its own.
    """

    cohort: Ints
    time: Ints
    base: Ints
    rank: Ints

    @property
    def is_base(self) -> NDArray[np.bool_]:
        """True for a universal base period: zero by construction."""
        return np.asarray(self.time == self.base)

    def keys(self) -> tuple[list[int], list[int], list[int]]:
        """Give cohort, time and base of each cell."""
        return self.cohort.tolist(), self.time.tolist(), self.base.tolist()

    def keep(self, mask: NDArray[np.bool_]) -> Cells:
        """Give the cells within ``mask``."""
        return Cells(self.cohort[mask], self.time[mask], self.base[mask], self.rank[mask])


def sort_cohorts(start: Floats) -> Cohorts:
    """Sort units by first treated period, shape (n_units,), infinity for never."""
    order = np.argsort(start, kind="stable")
    ordered = start[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(start) else order
    values = ordered[first]
    is_start = np.isfinite(values)
    n_treated = int(np.isfinite(ordered).sum())
    bounds = np.r_[first[is_start], n_treated, len(start)]
    return Cohorts(values[is_start].astype(np.int64), order, bounds.astype(np.int64))


def plan_cells(starts: Ints, periods: Ints, anticipation: int, control: str, base: str) -> Cells:
    """List the cells of every cohort and period that have a base period, by cohort, then period.

    A period before the start is compared with the one before it (``base="varying"``) or with the
    last one before treatment (``"universal"``), as R ``did`` does; periods from the start on always
    with the latter.
    """
    n_cohorts, n_periods = len(starts), len(periods)
    long_base = np.searchsorted(periods, starts - anticipation, side="left") - 1
    cohort = np.repeat(np.arange(n_cohorts), n_periods)
    time = np.tile(np.arange(n_periods), n_cohorts)
    is_long = (periods[time] >= starts[cohort]) | (base == "universal")
    against = np.where(is_long, long_base[cohort], time - 1)
    if control == "never":
        rank = np.full(len(time), n_cohorts)
    else:
        horizon = periods[np.maximum(time, against)] + anticipation
        rank = np.searchsorted(starts, horizon, side="right")
    cells = Cells(cohort, time, against, rank)
    return cells.keep(against >= 0)
