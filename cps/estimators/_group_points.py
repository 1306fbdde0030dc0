"""The average over all treated cells alone, for one assignment of starts or for many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cps.estimators._group_cells import Cells, Cohorts, Floats, Ints, plan_cells
from cps.estimators._group_moments import cell_effects, cohort_moments, control_totals
from cps.estimators._group_rows import Panel, fit_cells, is_constant

if TYPE_CHECKING:
    from cps.estimators._group_fit import Ask

_AT_ONCE = 1 << 22


def effect_alone(panel: Panel, cohorts: Cohorts, periods: Ints, ask: Ask) -> float:
    """Estimate the average over the treated cells that have a comparison; NaN if none has."""
    cells = _treated_cells(cohorts.starts, periods, ask)
    weight = None if panel.weights is None else panel.unit_weights()
    if (
        panel.is_complete
        and panel.covariates is None
        and (panel.weights is None or is_constant(panel.weights))
    ):
        moments = cohort_moments(panel.y, cohorts, weight, with_second=False)
        total = moments.total
        cells = cells.keep(control_totals(cells, total) > 0)
        att, _, _ = cell_effects(cells, moments)
    else:
        size = np.ones(len(panel.y)) if weight is None else weight
        total = np.asarray(
            np.bincount(cohorts.codes(), size, len(cohorts.bounds) - 1), dtype=np.float64
        )
        cells = cells.keep(control_totals(cells, total) > 0)
        att = fit_cells(panel, cohorts, cells, ask.method, with_influence=False).att
    share = np.where(np.isfinite(att), total[cells.cohort], 0.0)
    if not share.sum() > 0:
        return float("nan")
    return float(share @ np.nan_to_num(att) / share.sum())


def effects_under(
    panel: Panel, starts: Floats, periods: Ints, ask: Ask, outcomes: Floats | None = None
) -> Floats:
    """Estimate the average over treated cells under many assignments, without covariates.

    Parameters
    ----------
    starts : ndarray, shape (n_assignments, n_units)
        Infinity for never; NaN for a unit that takes no part in an assignment.
    outcomes : ndarray, shape (n_assignments, n_units, n_periods), or None
        Each assignment's own, in place of the panel's.
    """
    n_assignments, n_units = starts.shape
    values = np.unique(starts[np.isfinite(starts)]).astype(np.int64)
    cells = _treated_cells(values, periods, ask)
    weight = np.ones(n_units) if panel.weights is None else panel.weights[:, 0]
    y = panel.y[None] if outcomes is None else outcomes
    y = y - y.mean(axis=2, keepdims=True)
    y -= y.mean(axis=1, keepdims=True)
    weights = np.broadcast_to(weight[:, None], (len(y), n_units, 1))
    columns = np.concatenate([y * weight[:, None], weights], axis=2)
    everyone = columns.sum(axis=1)
    step = max(_AT_ONCE // n_units, 1)
    found = np.empty(n_assignments)
    for first in range(0, n_assignments, step):
        some = starts[first : first + step]
        here = slice(None) if outcomes is None else slice(first, first + step)
        sums = np.empty((len(values) + 1, len(some), columns.shape[2]))
        for place, value in enumerate(values):
            sums[place] = member_sums((some == value).astype(float), columns[here])
        if np.isnan(some).any():
            sums[-1] = member_sums(np.isposinf(some).astype(float), columns[here])
        else:
            sums[-1] = everyone[here] - sums[:-1].sum(axis=0)
        found[first : first + step] = _averages(cells, sums)
    return found


def member_sums(member: Floats, values: Floats) -> Floats:
    """Add up what members have: of one panel, or each assignment's own.

    Parameters
    ----------
    member : ndarray, shape (n_assignments, n_units)
    values : ndarray, shape (1 or n_assignments, n_units, n)

    Returns
    -------
    ndarray, shape (n_assignments, n)
    """
    if len(values) == 1:
        return np.asarray(member @ values[0])
    return np.asarray(np.matmul(member[:, None, :], values)[:, 0])


def _averages(cells: Cells, sums: Floats) -> Floats:
    """Average the cells of each assignment; ``sums`` by cohort, assignment and (period, weight)."""
    tail = np.cumsum(sums[::-1], axis=0)[::-1]
    gained, size = np.zeros(sums.shape[1]), np.zeros(sums.shape[1])
    least = 1e-9 * tail[0, :, -1].max()
    for place in range(len(sums) - 1):
        mine = np.flatnonzero(cells.cohort == place)
        if not len(mine):
            continue
        t, b, rank = cells.time[mine], cells.base[mine], cells.rank[mine]
        n_treated, n_control = sums[place, :, -1], tail[rank, :, -1]
        with np.errstate(divide="ignore", invalid="ignore"):
            change = (sums[place][:, t] - sums[place][:, b]).T / n_treated
            here = np.arange(sums.shape[1])[None, :]
            other = tail[rank[:, None], here, t[:, None]] - tail[rank[:, None], here, b[:, None]]
            att = change - other / n_control
        is_fine = (n_control > least) & (n_treated > least)[None, :]
        gained += n_treated * np.where(is_fine, att, 0.0).sum(axis=0)
        size += n_treated * is_fine.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(size > 0, gained / size, np.nan)


def _treated_cells(starts: Ints, periods: Ints, ask: Ask) -> Cells:
    cells = plan_cells(starts, periods, ask.anticipation, ask.control, "universal")
    event = periods[cells.time] - starts[cells.cohort]
    last = np.inf if ask.window.last is None else ask.window.last
    return cells.keep((event >= 0) & (event <= last))
