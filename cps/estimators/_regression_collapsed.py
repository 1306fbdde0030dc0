"""Regressions of a balanced panel on columns that are the same for all units of a group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cps.estimators._regression import Regression, SmallSample, independent
from cps.estimators._regression_absorb import level_sums

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

    Raises
    ------
    ValueError
        As ``regress``.
    """
    n_units, n_periods = y.shape
    k, n_groups, _ = columns.shape
    size = np.bincount(group, weights=weight, minlength=n_groups).astype(float)
    x = demeaned(columns, size)
    left = demeaned(y, weight)
    flat = x.reshape(k, -1)
    mass = np.repeat(size, n_periods)
    before = (columns.reshape(k, -1) ** 2) @ mass
    kept, inverse = independent((flat * mass) @ flat.T, before)
    if not kept.any():
        raise ValueError("no column is left once the effects are taken out")
    flat = flat[kept]
    sums = level_sums(weight[:, None] * left, group, n_groups).ravel()
    coefficients = inverse @ (flat @ sums)
    coefficients = coefficients + inverse @ (flat @ (sums - mass * (coefficients @ flat)))
    residuals = left - (coefficients @ flat).reshape(n_groups, n_periods)[group]
    n, parameters = y.size, len(flat) + n_units + n_periods - 1
    if small_sample == "nested" and errors == "cluster":
        parameters -= n_units - 1
    if n <= parameters:
        raise ValueError(f"{n} rows for {parameters} parameters")
    scores, degrees = None, n - parameters
    exact = 1.0 if small_sample == "none" else 0.0
    if errors == "iid":
        spread = float(weight @ (residuals**2).sum(axis=1))
        covariance = inverse * (spread / (n if exact else n - parameters))
    elif errors == "robust":
        square = level_sums((weight[:, None] * residuals) ** 2, group, n_groups).ravel()
        covariance = inverse @ ((flat * square) @ flat.T) @ inverse
        covariance = covariance * (1.0 if exact else n / (n - parameters))
    else:
        n_clusters = int(cluster.max()) + 1
        scores = np.zeros((n_clusters, len(flat)))
        cells = flat.reshape(len(flat), n_groups, n_periods)
        for g in range(n_groups):
            member = group == g
            part = (weight[member, None] * residuals[member]) @ cells[:, g].T
            np.add.at(scores, cluster[member], part)
        factor = n_clusters / (n_clusters - 1) * (n - 1) / (n - parameters)
        scores = scores @ inverse * np.sqrt(1.0 if exact else factor)
        covariance, degrees = scores.T @ scores, n_clusters - 1
    labels = np.array(list(names), dtype=object)
    return Regression(
        tuple(labels[kept]),
        coefficients,
        covariance,
        scores,
        residuals.ravel(),
        tuple(labels[~kept]),
        n,
        parameters,
        degrees,
    )
