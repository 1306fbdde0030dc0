"""Averages, slopes and ratios of treated effects against a dose, with errors by cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._imputation import Targets

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Treated:
    """Treated cells.

    Parameters
    ----------
    effect, dose, event, weight : ndarray, shape (n,)
    cluster : ndarray of int, shape (n,)
    row : ndarray of int, shape (n,)
        Place of the cell among all rows.
    """

    effect: Floats
    dose: Floats
    event: Floats
    weight: Floats
    cluster: Codes
    row: Codes


@dataclass(frozen=True, slots=True)
class Line:
    """One linear summary of effects: which share each cell has, and what it is expected to be.

    Parameters
    ----------
    value : float
    share : ndarray, shape (n,)
        ``value = share @ effect``.
    residual : ndarray, shape (n,)
        Effect less what the summary makes of it.
    n_clusters, degrees : int
        Clusters with a share; degrees of freedom left to them.
    """

    value: float
    share: Floats
    residual: Floats
    n_clusters: int
    degrees: int


def mean_line(cells: Treated, keep: NDArray[np.bool_]) -> Line:
    """Average the effects of the cells within ``keep``."""
    share = np.where(keep, cells.weight, 0.0)
    share = share / share.sum()
    value = float(share @ cells.effect)
    count = len(np.unique(cells.cluster[keep]))
    return Line(value, share, cells.effect - value, count, count - 1)


def per_unit_line(cells: Treated) -> Line:
    """Divide the average effect by the average dose."""
    share = cells.weight / float(cells.weight @ cells.dose)
    value = float(share @ cells.effect)
    count = len(np.unique(cells.cluster))
    return Line(value, share, cells.effect - value * cells.dose, count, count - 1)


def slope_line(cells: Treated, *, within_event: bool) -> Line | None:
    """Regress effects on the dose, with a level for each event time if asked for.

    None if the dose does not vary (within event times).
    """
    group = (
        np.unique(cells.event, return_inverse=True)[1].ravel()
        if within_event
        else np.zeros(len(cells.effect), dtype=np.int64)
    )
    total = np.bincount(group, weights=cells.weight)

    def centred(values: Floats) -> Floats:
        means = np.bincount(group, weights=cells.weight * values) / total
        return np.asarray(values - means[group])

    dose = centred(cells.dose)
    square = float(cells.weight @ dose**2)
    if square <= 1e-18 * float(cells.weight @ cells.dose**2):
        return None
    share = cells.weight * dose / square
    value = float(share @ cells.effect)
    count = len(np.unique(cells.cluster))
    return Line(value, share, centred(cells.effect) - value * dose, count, count - 2)


def line_scores(
    cells: Treated,
    lines: list[Line],
    n_clusters: int,
    untreated: Callable[[Targets], Floats],
) -> Floats:
    """Give each cluster's part in each summary's error, shape (n_clusters, n_lines).

    Treated clusters' residuals are scaled up by ``n / degrees`` (their mean or line was fitted to
    them), the untreated part comes from ``untreated``. NaN where no degree of freedom is left.
    """
    shares = np.stack([line.share for line in lines])
    which, place = np.nonzero(shares)
    targets = Targets(cells.row[place], which.astype(np.int64), shares[which, place], len(lines))
    scores = untreated(targets)
    for k, line in enumerate(lines):
        own = np.bincount(cells.cluster, weights=line.share * line.residual, minlength=n_clusters)
        factor = np.sqrt(line.n_clusters / line.degrees) if line.degrees > 0 else np.nan
        scores[:, k] += factor * own
    return scores


def long_differences(
    y: Floats,
    start: Floats,
    periods: Floats,
    weight: Floats,
    is_never: NDArray[np.bool_],
    *,
    anticipation: int,
) -> Floats:
    """Give effects by cell against the never treated's change since the last period before.

    Parameters
    ----------
    y, weight : ndarray, shape (n_units, n_periods)
        NaN where not observed.

    Returns
    -------
    ndarray, shape (n_units, n_periods)
        NaN outside treated cells, or where the base period or a comparison is missing.
    """
    effects = np.full(y.shape, np.nan)
    for g in np.unique(start[np.isfinite(start)]):
        b = int((periods < g - anticipation).sum()) - 1
        if b < 0:
            continue
        member = start == g
        for t in np.flatnonzero(periods >= g):
            mean = _norm(y, weight, is_never, int(t), b)[0]
            effects[member, t] = y[member, t] - y[member, b] - mean
    return effects


def long_difference_scores(
    targets: Targets,
    unit: Codes,
    period: Codes,
    *,
    y: Floats,
    start: Floats,
    periods: Floats,
    weight: Floats,
    is_never: NDArray[np.bool_],
    cluster: Codes,
    anticipation: int,
) -> Floats:
    """Give the never treated's part in the error of targets of :func:`long_differences`."""
    n_periods = y.shape[1]
    n_clusters = int(cluster.max()) + 1
    scores = np.zeros((n_clusters, targets.size))
    cohorts = np.unique(start[np.isfinite(start)])
    code = np.searchsorted(cohorts, start[unit[targets.row]])
    cell = (code * n_periods + period[targets.row]) * targets.size + targets.target
    mass = np.bincount(
        cell, weights=targets.share, minlength=len(cohorts) * n_periods * targets.size
    ).reshape(len(cohorts), n_periods, targets.size)
    for k, g in enumerate(cohorts):
        b = int((periods < g - anticipation).sum()) - 1
        for t in np.flatnonzero(np.abs(mass[k]).sum(axis=1) > 0):
            mean, share, change = _norm(y, weight, is_never, int(t), b)
            noise = np.bincount(
                cluster,
                weights=share * np.where(share > 0, change - mean, 0.0),
                minlength=n_clusters,
            )
            scores -= noise[:, None] * mass[k, t][None]
    return scores


def _norm(
    y: Floats, weight: Floats, is_never: NDArray[np.bool_], t: int, b: int
) -> tuple[float, Floats, Floats]:
    change = y[:, t] - y[:, b]
    seen = is_never & np.isfinite(change)
    if not seen.any():
        return float("nan"), np.zeros(len(y)), change
    share = np.where(seen, weight[:, t], 0.0)
    share = share / share.sum()
    return float(share[seen] @ change[seen]), share, change
