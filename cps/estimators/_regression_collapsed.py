"""Regressions of a balanced panel on columns that are the same for all units of a group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cps.estimators._regression import Regression, SmallSample, independent
from cps.estimators._regression_absorb import Absorber, dense, level_sums

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def demeaned(array: Floats, weight: Floats) -> Floats:
    """Take unit and period means out of a balanced array, shape (…, n_units, n_periods)."""
    share = weight / weight.sum()
    by_period = np.einsum("i,...it->...t", share, array)[..., None, :]
    return (
        array - array.mean(axis=-1, keepdims=True) - by_period + by_period.mean(-1, keepdims=True)
    )


def regress_groups(
    y: Floats,
    group: Codes,
    columns: Floats,
    *,
    names: Sequence[str],
    weight: Floats,
    cluster: Codes,
    errors: str,
    small_sample: SmallSample,
    seen: NDArray[np.bool_] | None = None,
) -> Regression:
    """Give what ``regress`` gives with unit and period effects, at the cost of the groups.

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods), without gaps
    group, cluster : ndarray of int, shape (n_units,)
        Clusters hold whole units.
    columns : ndarray, shape (k, n_groups, n_periods)
    weight : ndarray, shape (n_units,)
        Constant over time.
    seen : ndarray of bool, shape (n_groups, n_periods), or None
        Cells that enter; all if None.

    Raises
    ------
    ValueError
        As ``regress``.
    """
    n_groups, n_periods = columns.shape[1:]
    kept_cells = np.ones((n_groups, n_periods), dtype=bool) if seen is None else seen
    kept_units = np.asarray(kept_cells.any(axis=1))[group]
    y, weight = y[kept_units], weight[kept_units]
    group, cluster = group[kept_units], dense(cluster[kept_units])
    size = np.bincount(group, weights=weight, minlength=n_groups).astype(float)
    of_group, of_period = (
        one.astype(np.int64) for one in np.nonzero(kept_cells & (size > 0)[:, None])
    )
    mass = size[of_group]
    absorber = Absorber.of([of_group, of_period], mass)
    flat = columns[:, of_group, of_period]
    x = absorber.residuals(flat.T).T
    kept, inverse = independent((x * mass) @ x.T, flat**2 @ mass)
    if not kept.any():
        raise ValueError("no column is left once the effects are taken out")
    x = x[kept]
    sums = level_sums(weight[:, None] * y, group, n_groups)
    mean = sums / np.where(size > 0, size, 1.0)[:, None]
    target = absorber.residuals(mean[of_group, of_period][:, None])[:, 0]
    coefficients = inverse @ (x @ (mass * target))
    coefficients = coefficients + inverse @ (x @ (mass * (target - coefficients @ x)))
    # A unit's residual: its deviation from its group, and its group's residual.
    of_cell = np.zeros((n_groups, n_periods))
    of_cell[of_group, of_period] = target - coefficients @ x
    residuals = _deviations(y - mean[group], kept_cells[group]) + of_cell[group]
    n = int(kept_cells[group].sum())
    n_units, n_seen = len(y), len(np.unique(of_period))
    parameters = len(x) + n_units + n_seen - 1
    if small_sample == "nested" and errors == "cluster":
        parameters -= n_units - 1
    if n <= parameters:
        raise ValueError(f"{n} rows for {parameters} parameters")
    scores, degrees = None, n - parameters
    is_plain = small_sample == "none"
    if errors == "iid":
        spread = float(weight @ (residuals**2).sum(axis=1))
        covariance = inverse * (spread / (n if is_plain else n - parameters))
    elif errors == "robust":
        square = level_sums((weight[:, None] * residuals) ** 2, group, n_groups)
        covariance = inverse @ ((x * square[of_group, of_period]) @ x.T) @ inverse
        covariance = covariance * (1.0 if is_plain else n / (n - parameters))
    else:
        n_clusters = int(cluster.max()) + 1
        scores = np.zeros((n_clusters, len(x)))
        for g in range(n_groups):
            member, inside = group == g, of_group == g
            part = (weight[member, None] * residuals[np.ix_(member, of_period[inside])]) @ (
                x[:, inside].T
            )
            np.add.at(scores, cluster[member], part)
        factor = n_clusters / (n_clusters - 1) * (n - 1) / (n - parameters)
        scores = scores @ inverse * np.sqrt(1.0 if is_plain else factor)
        covariance, degrees = scores.T @ scores, n_clusters - 1
    labels = np.array(list(names), dtype=object)
    return Regression(
        tuple(labels[kept]),
        coefficients,
        covariance,
        scores,
        residuals[kept_cells[group]],
        tuple(labels[~kept]),
        n,
        parameters,
        degrees,
    )


def _deviations(values: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Take each unit's mean over the cells seen off; zero elsewhere."""
    inside = np.where(seen, values, 0.0)
    mean = inside.sum(axis=1, keepdims=True) / seen.sum(axis=1, keepdims=True)
    return np.asarray(np.where(seen, inside - mean, 0.0))
