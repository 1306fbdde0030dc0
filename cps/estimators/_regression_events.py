"""Event-study regressions: one coefficient a cell of cohort and event time, and their averages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._regression import Errors, Regression, SmallSample, is_nested, regress
from cps.estimators._regression_panel import Rows
from cps.estimators._regression_sparse import regress_flags

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cells:
    """Effects by cohort and event time, from one regression.

    Parameters
    ----------
    cohort, event : ndarray, shape (n_cells,)
    att : ndarray, shape (n_cells,)
    size : ndarray, shape (n_cells,)
        Rows (or their weight) in the cell.
    covariance : ndarray, shape (n_cells, n_cells)
    degrees : int or None
        Of freedom of Student's t.
    dropped : tuple of (float, float)
        Cells that the rest spans.
    slopes : tuple of (name, coefficient, standard error)
        Of the covariates; ``lost`` names those left out.
    """

    cohort: Floats
    event: Floats
    att: Floats
    size: Floats
    covariance: Floats
    degrees: int | None
    dropped: tuple[tuple[float, float], ...] = ()
    slopes: tuple[tuple[str, float, float], ...] = ()
    lost: tuple[str, ...] = ()

    def mean(self, keep: NDArray[np.bool_]) -> tuple[float, float]:
        """Average cells by size: the estimate and its standard error, sizes taken as given."""
        share = np.where(keep, self.size, 0.0)
        share = share / share.sum()
        return float(share @ self.att), float(np.sqrt(max(share @ self.covariance @ share, 0.0)))

    def matrix(self, labels: Sequence[float], values: Floats) -> Floats:
        """Give the weights that average cells by label: shape (n_labels, n_cells)."""
        shares = np.array([np.where(values == one, self.size, 0.0) for one in labels])
        return shares / shares.sum(axis=1, keepdims=True)


def saturated_cells(
    rows: Rows,
    is_reference: NDArray[np.bool_],
    *,
    treated: NDArray[np.bool_],
    errors: Errors,
    small_sample: SmallSample,
) -> Cells:
    """Regress on a dummy for each cohort × event time but the reference, effects absorbed.

    Parameters
    ----------
    is_reference : ndarray of bool, shape (n,)
        Rows of their cohort's last period before the start.
    treated : ndarray of bool, shape (n,)
        Rows of cohorts that get dummies; the others are the comparison.
    """
    inside = treated & ~is_reference
    pairs, code = np.unique(
        np.column_stack([rows.cohort[inside], rows.event[inside]]), axis=0, return_inverse=True
    )
    names = [f"(cell) {place}" for place in range(len(pairs))]
    flag = np.full(len(rows.y), -1, dtype=np.int64)
    flag[inside] = code.ravel()
    # Covariates first: where they and the cells are collinear it is the cell that is named.
    if errors == "cluster" and is_nested(rows.level, rows.cluster):
        fitted = regress_flags(
            rows.y,
            flag,
            rows.covariates,
            names=[*rows.names, *names],
            level=rows.level,
            period=rows.period,
            weights=rows.weights,
            cluster=rows.cluster,
            small_sample=small_sample,
        )
    else:
        fitted = regress(
            rows.y,
            np.column_stack([rows.covariates, flag[:, None] == np.arange(len(pairs))]),
            names=[*rows.names, *names],
            absorb=[rows.level, rows.period],
            weights=rows.weights,
            errors=errors,
            clusters=[rows.cluster],
            small_sample=small_sample,
        )
    size = np.bincount(code.ravel(), weights=rows.weights[inside], minlength=len(pairs))
    return _cells(fitted, pairs, size.astype(float), names, rows.names)


def _cells(
    fitted: Regression, pairs: Floats, size: Floats, names: list[str], covariates: tuple[str, ...]
) -> Cells:
    place_of = {name: place for place, name in enumerate(fitted.names)}
    kept = [one for one, name in enumerate(names) if name in place_of]
    place = [place_of[names[one]] for one in kept]
    return Cells(
        pairs[kept, 0],
        pairs[kept, 1],
        fitted.coefficients[place],
        size[kept],
        fitted.covariance[np.ix_(place, place)],
        fitted.degrees,
        tuple(
            (float(pairs[one, 0]), float(pairs[one, 1]))
            for one, name in enumerate(names)
            if name not in place_of
        ),
        tuple((name, *fitted.get(name)) for name in covariates if name in place_of),
        tuple(name for name in covariates if name not in place_of),
    )


def balanced_cells(
    y: Floats,
    start: Floats,
    periods: Floats,
    *,
    anticipation: int,
    is_comparison: NDArray[np.bool_],
    weight: Floats,
    is_weighted: bool,
    cluster: Codes,
    small_sample: SmallSample,
) -> Cells:
    """Give what :func:`saturated_cells` gives for a balanced panel with constant weights.

    The saturated regression then is a table of means: each cell is the cohort's change since its
    reference less that of the comparison, and residuals are deviations from such means; errors by
    cluster follow without a regression.

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods)
    start, weight : ndarray, shape (n_units,)
    cluster : ndarray of int, shape (n_units,)

    Raises
    ------
    ValueError
        If there are no more cells than parameters.
    """
    n_units, n_periods = y.shape
    n_clusters = int(cluster.max()) + 1
    cohorts = np.unique(start[~is_comparison])
    places = [int((periods < g - anticipation).sum()) - 1 for g in cohorts]
    base = weight[is_comparison] / weight[is_comparison].sum()
    norm = base @ y[is_comparison]
    noise = np.zeros((n_clusters, n_periods))
    np.add.at(noise, cluster[is_comparison], base[:, None] * (y[is_comparison] - norm))
    own: list[Floats] = []
    table: list[Floats] = []
    for g, at in zip(cohorts, places, strict=True):
        member = (start == g) & ~is_comparison
        share = weight[member] / weight[member].sum()
        mean = share @ y[member]
        score = np.zeros((n_clusters, n_periods))
        np.add.at(score, cluster[member], share[:, None] * (y[member] - mean))
        own.append(score)
        gap = mean - norm
        size = weight[member].sum() if is_weighted else member.sum()
        full = np.column_stack(
            [np.full(n_periods, g), periods - g, gap - gap[at], np.full(n_periods, size)]
        )
        table.append(full[np.arange(n_periods) != at])
    cells = np.concatenate(table)
    k, n = len(cells), n_units * n_periods
    factor = 1.0
    if small_sample != "none":
        n_parameters = k + n_periods + (n_units - 1 if small_sample == "full" else 0)
        if n <= n_parameters:
            raise ValueError(f"{n} rows for {n_parameters} parameters")
        factor = n_clusters / (n_clusters - 1) * (n - 1) / (n - n_parameters)
    covariance = _difference_covariance(own, noise, places, n_clusters == n_units)
    return Cells(
        cells[:, 0],
        cells[:, 1],
        cells[:, 2],
        cells[:, 3],
        factor * covariance,
        n_clusters - 1,
    )


def _difference_covariance(
    own: list[Floats], noise: Floats, places: list[int], are_units: bool
) -> Floats:
    """Add up scores of changes since each cohort's reference; cohorts share the comparison's."""
    n_periods = noise.shape[1]
    kept = [np.flatnonzero(np.arange(n_periods) != at) for at in places]

    def changes(score: Floats, k: int) -> Floats:
        return (score - score[:, [places[k]]])[:, kept[k]]

    if not are_units:  # a cluster can hold several cohorts
        scores = np.concatenate([changes(one - noise, k) for k, one in enumerate(own)], axis=1)
        return np.asarray(scores.T @ scores)
    common = np.concatenate([changes(np.eye(n_periods), k) for k in range(len(own))], axis=1)
    covariance = common.T @ (noise.T @ noise) @ common
    low = 0
    for k, one in enumerate(own):
        part = changes(one[one.any(axis=1)], k)
        high = low + part.shape[1]
        covariance[low:high, low:high] += part.T @ part
        low = high
    return np.asarray(covariance)


def corrective_weights(
    stack: Codes, event: Codes, treated: NDArray[np.bool_], weights: Floats
) -> Floats:
    """Weigh controls so that sub-experiments have the treated's shares at every event time.

    Wing, Freedman & Hollingsworth (2024), doi:10.3386/w32054.

    Parameters
    ----------
    stack, event : ndarray of int, shape (n,)
    treated : ndarray of bool, shape (n,)
    weights : ndarray, shape (n,)
        Sampling weights; the factors returned, shape (n,), are to be multiplied with them.
    """
    n_events = int(event.max() - event.min()) + 1
    cell = stack * n_events + event - event.min()
    size = (int(stack.max()) + 1) * n_events
    of_treated, of_control = (
        np.bincount(cell[one], weights=weights[one], minlength=size).reshape(-1, n_events)
        for one in (treated, ~treated)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (of_treated / of_treated.sum(axis=0)) / (of_control / of_control.sum(axis=0))
    ratio = np.where(np.isfinite(ratio), ratio, 0.0)
    return np.asarray(np.where(treated, 1.0, ratio.ravel()[cell]))
