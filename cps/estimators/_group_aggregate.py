"""From ATT(g, t) to averages over cells: weights, and how they depend on the cohorts' sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._group_cells import Cells, Floats, Ints


@dataclass(frozen=True, slots=True)
class Sums:
    """Weighted sums of cells, one for each label.

    Parameters
    ----------
    labels : ndarray of int, shape (n_sums,)
        Event times, cohorts or periods.
    att : ndarray, shape (n_sums,)
    weights : ndarray, shape (n_sums, n_cells)
    of_totals : ndarray, shape (n_sums, n_cohorts)
        Derivative of ``att`` with respect to the cohorts' sums of weights.
    """

    labels: Ints
    att: Floats
    weights: Floats
    of_totals: Floats

    def where(self, mask: NDArray[np.bool_]) -> Sums:
        """Give some of the sums."""
        return Sums(self.labels[mask], self.att[mask], self.weights[mask], self.of_totals[mask])

    def mean(self) -> Sums:
        """Give their plain mean, as one sum."""
        return Sums(
            np.zeros(1, np.int64),
            self.att.mean(keepdims=True),
            self.weights.mean(axis=0, keepdims=True),
            self.of_totals.mean(axis=0, keepdims=True),
        )


@dataclass(frozen=True, slots=True)
class Window:
    """Which event times enter; None sets no limit (R ``aggte``: balance_e, min_e, max_e)."""

    balance: float | None = None
    first: float | None = None
    last: float | None = None


@dataclass(frozen=True, slots=True)
class Averages:
    """The four aggregations and their parts."""

    by_event: Sums
    by_cohort: Sums
    by_calendar: Sums
    overall: dict[str, Sums]


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
    by_event = _labelled(event, _in_window(event, start, periods, window), cells, att, total)
    by_cohort = _cohort_means(cells, att, is_post, starts)
    by_calendar = _labelled(period, event >= 0, cells, att, total)
    overall = {
        "simple": _labelled(np.zeros_like(event), is_post, cells, att, total),
        "dynamic": by_event.where(by_event.labels >= 0),
        "group": _over_cohorts(by_cohort, total, starts),
        "calendar": by_calendar,
    }
    for name in ("dynamic", "calendar"):
        overall[name] = overall[name].mean()
    return Averages(by_event, by_cohort, by_calendar, overall)


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


def _labelled(
    label: Ints,
    keep: NDArray[np.bool_],
    cells: Cells,
    att: Floats,
    total: Floats,
) -> Sums:
    """Average the kept cells of each label by cohort size."""
    share = total[cells.cohort]
    here = np.flatnonzero(keep)
    labels, place = np.unique(label[here], return_inverse=True)
    size = np.bincount(place, share[here], len(labels))
    weights = np.zeros((len(labels), len(att)))
    weights[place, here] = share[here] / size[place]
    means = weights @ att
    of_totals = np.zeros((len(labels), len(total)))
    np.add.at(of_totals, (place, cells.cohort[here]), (att[here] - means[place]) / size[place])
    return Sums(labels.astype(np.int64), means, weights, of_totals)


def _cohort_means(cells: Cells, att: Floats, keep: NDArray[np.bool_], starts: Ints) -> Sums:
    here = np.flatnonzero(keep)
    found, place = np.unique(cells.cohort[here], return_inverse=True)
    weights = np.zeros((len(found), len(att)))
    weights[place, here] = 1.0 / np.bincount(place, minlength=len(found))[place]
    return Sums(starts[found], weights @ att, weights, np.zeros((len(found), len(starts))))


def _over_cohorts(by_cohort: Sums, total: Floats, starts: Ints) -> Sums:
    found = np.searchsorted(starts, by_cohort.labels)
    size = total[found]
    att = float(size @ by_cohort.att / size.sum()) if len(found) else np.nan
    of_totals = np.zeros((1, len(starts)))
    of_totals[0, found] = (by_cohort.att - att) / size.sum() if len(found) else 0.0
    weights = (size / size.sum())[None, :] @ by_cohort.weights
    return Sums(np.zeros(1, np.int64), np.array([att]), weights, of_totals)
