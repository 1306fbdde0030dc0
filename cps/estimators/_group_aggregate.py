"""From ATT(g, t) to averages over cells: weights, and how they depend on the cohorts' sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._group_cells import Cells, Floats, Ints


@dataclass(frozen=True, slots=True)
class Sums:
    """Weighted sums of cells, one for each label; a cell enters one of them at most.

    Parameters
    ----------
    labels : ndarray of int, shape (n_sums,)
        Event times, cohorts or periods.
    att : ndarray, shape (n_sums,)
    place : ndarray of int, shape (n_cells,)
        Which sum a cell enters; -1 for none.
    weight : ndarray, shape (n_cells,)
    of_totals : ndarray, shape (n_sums, n_cohorts)
        Derivative of ``att`` with respect to the cohorts' sums of weights: shares are estimated.
    """

    labels: Ints
    att: Floats
    place: Ints
    weight: Floats
    of_totals: Floats


def each_cell(mask: NDArray[np.bool_], att: Floats, n_cohorts: int) -> Sums:
    """Give the cells within ``mask``, each as a sum of its own."""
    n = int(mask.sum())
    place = np.where(mask, np.cumsum(mask) - 1, -1)
    return Sums(np.arange(n), att[mask], place, np.ones(len(att)), np.zeros((n, n_cohorts)))


@dataclass(frozen=True, slots=True)
class Window:
    """Which event times enter; None sets no limit (R ``aggte``: balance_e, min_e, max_e)."""

    balance: float | None = None
    first: float | None = None
    last: float | None = None


@dataclass(frozen=True, slots=True)
class Averages:
    """Averages by event time, cohort and period, over all treated cells, and over cohorts."""

    by_event: Sums
    by_cohort: Sums
    by_calendar: Sums
    simple: Sums
    group: Sums

    def all(self) -> tuple[Sums, ...]:
        """Give them in order."""
        return (self.by_event, self.by_cohort, self.by_calendar, self.simple, self.group)


def average(
    cells: Cells, att: Floats, total: Floats, *, starts: Ints, periods: Ints, window: Window
) -> Averages:
    """Build the aggregations of Callaway & Sant'Anna (2021), section 3.

    Parameters
    ----------
    att : ndarray, shape (n_cells,); finite
    total : ndarray, shape (n_cohorts,)
        Sums of weights of the treated cohorts.
    """
    period, start = periods[cells.time], starts[cells.cohort]
    event = period - start
    last = np.inf if window.last is None else window.last
    is_post = (event >= 0) & (event <= last)
    by_cohort = _cohort_means(cells, att, is_post, starts)
    return Averages(
        by_event=_labelled(event, _in_window(event, start, periods, window), cells, att, total),
        by_cohort=by_cohort,
        by_calendar=_labelled(period, event >= 0, cells, att, total),
        simple=_labelled(np.zeros_like(event), is_post, cells, att, total),
        group=_over_cohorts(by_cohort, total, starts),
    )


def _in_window(event: Ints, start: Ints, periods: Ints, window: Window) -> NDArray[np.bool_]:
    keep = np.ones(len(event), bool)
    if window.first is not None:
        keep &= event >= window.first
    if window.last is not None:
        keep &= event <= window.last
    if window.balance is not None:
        keep &= (periods[-1] - start >= window.balance) & (event <= window.balance)
        keep &= event >= window.balance - (periods[-1] - periods[0])
    return keep


def _binned(place: Ints, value: Floats, n: int) -> Floats:
    return np.asarray(np.bincount(place, value, n), dtype=np.float64)


def _labelled(
    label: Ints,
    keep: NDArray[np.bool_],
    cells: Cells,
    att: Floats,
    total: Floats,
) -> Sums:
    """Average the kept cells of each label by cohort size."""
    here = np.flatnonzero(keep)
    labels, inverse = np.unique(label[here], return_inverse=True)
    share = total[cells.cohort[here]]
    size = np.bincount(inverse, share, len(labels))
    place, weight = np.full(len(att), -1), np.zeros(len(att))
    place[here], weight[here] = inverse, share / size[inverse]
    means = _binned(inverse, weight[here] * att[here], len(labels))
    of_totals = np.zeros((len(labels), len(total)))
    np.add.at(
        of_totals, (inverse, cells.cohort[here]), (att[here] - means[inverse]) / size[inverse]
    )
    return Sums(labels.astype(np.int64), means, place, weight, of_totals)


def _cohort_means(cells: Cells, att: Floats, keep: NDArray[np.bool_], starts: Ints) -> Sums:
    here = np.flatnonzero(keep)
    found, inverse = np.unique(cells.cohort[here], return_inverse=True)
    place, weight = np.full(len(att), -1), np.zeros(len(att))
    place[here] = inverse
    weight[here] = 1.0 / np.bincount(inverse, minlength=len(found))[inverse]
    means = _binned(inverse, weight[here] * att[here], len(found))
    return Sums(starts[found], means, place, weight, np.zeros((len(found), len(starts))))


def _over_cohorts(by_cohort: Sums, total: Floats, starts: Ints) -> Sums:
    found = np.searchsorted(starts, by_cohort.labels)
    share = total[found] / total[found].sum()
    att = share @ by_cohort.att
    of_totals = np.zeros((1, len(starts)))
    of_totals[0, found] = (by_cohort.att - att) / total[found].sum()
    enters = by_cohort.place >= 0
    weight = np.where(enters, share[by_cohort.place] * by_cohort.weight, 0.0)
    place = np.where(enters, 0, -1)
    return Sums(np.zeros(1, np.int64), np.array([att]), place, weight, of_totals)
