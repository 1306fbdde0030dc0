"""Imputation estimates of a balanced panel under many assignments of treatment at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.estimators._group_points import member_sums

Floats = NDArray[np.float64]
_CHUNK = 4_000_000  # floats held at a time


def imputation_points(
    design: Design, y: Floats, starts: Floats, options: Mapping[str, str]
) -> Floats:
    """Give the average imputed effect under each assignment.

    Units that start together share their untreated periods, so that sums by start carry all that is
    needed: one system as wide as the periods for each assignment.

    Parameters
    ----------
    design : Design
        Whose periods and anticipation hold.
    y : ndarray, shape (1 or n_assignments, n_units, n_periods)
        Of all assignments, or of each its own.
    starts : ndarray, shape (n_assignments, n_units)
        First treated period; infinity, or any after the last, for never; NaN for a unit that takes
        no part.

    Returns
    -------
    ndarray, shape (n_assignments,)
        NaN where a unit has no untreated period, or a treated cell's period no untreated unit,
        unless such cells are dropped.
    """
    periods, drop = np.asarray(design.periods, float), options["unidentified"] == "drop"
    n_assignments, n_units = starts.shape
    size = max(1, _CHUNK // max(n_units, len(periods) ** 2))
    found = [np.zeros(0)]
    for low in range(0, n_assignments, size):
        part = slice(low, low + size)
        mine = y if len(y) == 1 else y[part]
        found.append(_points(mine, periods, starts[part], design.anticipation, drop))
    return np.concatenate(found)


def _points(y: Floats, periods: Floats, starts: Floats, anticipation: int, drop: bool) -> Floats:
    n, n_periods = len(starts), len(periods)
    capped = np.where(starts > periods[-1], np.inf, starts)
    system = np.zeros((n, n_periods, n_periods))
    right = np.zeros((n, n_periods))
    comparable = np.zeros((n, n_periods), dtype=bool)
    is_bad = np.zeros(n, dtype=bool)
    parts = []
    for start in np.unique(capped):
        member = (capped == start).astype(float)
        count, sums = member.sum(axis=1), member_sums(member, y)
        before = (periods < start - anticipation).astype(float)
        k = before.sum()
        if k == 0:
            is_bad |= count > 0
            continue
        system += count[:, None, None] * (np.diag(before) - np.outer(before, before) / k)
        right += before * (sums - (sums @ before / k)[:, None])
        comparable |= (count > 0)[:, None] & (before > 0)[None]
        if np.isfinite(start):
            parts.append((periods >= start, before / k, count, sums))
    # The first period is everybody's; its effect is set to zero. Empty periods stay at zero.
    fixed = ~comparable
    fixed[:, 0] = True
    rows, columns = np.nonzero(fixed)
    system[rows, columns, :] = 0.0
    system[rows, :, columns] = 0.0
    system[rows, columns, columns] = 1.0
    right[rows, columns] = 0.0
    effects = np.linalg.solve(system, right[..., None])[..., 0]
    total, cells = np.zeros(n), np.zeros(n)
    for after, share, count, sums in parts:
        gap = sums - count[:, None] * effects
        gap = gap - (gap @ share)[:, None]
        inside = after[None] & comparable if drop else np.broadcast_to(after, comparable.shape)
        total += (gap * inside).sum(axis=1)
        cells += count * inside.sum(axis=1)
        if not drop:
            is_bad |= (count > 0) & (after[None] & ~comparable).any(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(is_bad | (cells == 0), np.nan, total / cells)
