"""Regressions on very many flags, of which each row has at most one, beside a few covariates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cps.estimators._regression import Regression, SmallSample, count_parameters, independent
from cps.estimators._regression_absorb import (
    components,
    dense,
    grounded_inverse,
    level_sums,
)

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def regress_flags(
    y: Floats,
    flag: Codes,
    covariates: Floats,
    *,
    names: Sequence[str],
    level: Codes,
    period: Codes,
    weights: Floats,
    cluster: Codes,
    small_sample: SmallSample,
) -> Regression:
    """Give what ``regress`` gives with two sets of effects, without laying the flags out.

    Parameters
    ----------
    y, weights : ndarray, shape (n,)
    flag : ndarray of int, shape (n,)
        Which flag is up, from 0; -1 for none.
    covariates : ndarray, shape (n, p)
    names : sequence of str
        Of the covariates, then of the flags.
    level, period, cluster : ndarray of int, shape (n,)
        Clusters hold whole levels.

    Raises
    ------
    ValueError
        As ``regress``.
    """
    from scipy import sparse

    level, period, cluster = dense(level), dense(period), dense(cluster)
    n, k = len(y), len(names) - covariates.shape[1]
    n_levels, n_periods = int(level.max()) + 1, int(period.max()) + 1
    up = np.flatnonzero(flag >= 0)
    flags = sparse.csr_array((np.ones(len(up)), (up, flag[up])), shape=(n, k))
    whole = sparse.csr_array(sparse.hstack([sparse.csr_array(covariates), flags]))
    own = sparse.csr_array((weights, (level, np.arange(n))), shape=(n_levels, n))
    when = sparse.csr_array((weights, (period, np.arange(n))), shape=(n_periods, n))
    totals = np.bincount(level, weights=weights)
    cross = sparse.csr_array((weights, (level, period)), shape=(n_levels, n_periods))
    scaled = sparse.csr_array(cross.multiply((1 / totals)[:, None]))
    reduced = np.diag(np.bincount(period, weights=weights)) - (cross.T @ scaled).toarray()
    factor = grounded_inverse(reduced, components(cross)[1])
    by_level: Any = own @ whole
    # What is left of each column's period sums once levels are out: (n_periods, p + k).
    right = (when @ whole).toarray() - (scaled.T @ by_level).toarray()
    of_period = factor @ right
    square = (whole.T @ sparse.csr_array(whole.multiply(weights[:, None]))).toarray()
    share = sparse.csr_array(by_level.multiply((1 / totals)[:, None]))
    gram = square - (by_level.T @ share).toarray() - right.T @ of_period
    kept, inverse = independent(gram, np.diag(square).copy())
    if not kept.any():
        raise ValueError("no column is left once the effects are taken out")

    def without_effects(values: Floats) -> Floats:
        sums = level_sums((weights * values)[:, None], level, n_levels)[:, 0]
        rest = values - (sums / totals)[level]
        periods = factor @ np.bincount(period, weights=weights * rest, minlength=n_periods)
        return np.asarray(rest - periods[period] + ((cross @ periods) / totals)[level])

    columns: Any = whole[:, np.flatnonzero(kept)]
    left = without_effects(y)
    coefficients = inverse @ (columns.T @ (weights * left))
    residuals = without_effects(y - columns @ coefficients)
    coefficients = coefficients + inverse @ (columns.T @ (weights * residuals))
    residuals = without_effects(y - columns @ coefficients)
    parameters = count_parameters(
        int(kept.sum()), [level, period], [cluster], errors="cluster", small_sample=small_sample
    )
    if n <= parameters:
        raise ValueError(f"{n} rows for {parameters} parameters")
    n_clusters = int(cluster.max()) + 1
    error = sparse.csr_array((weights * residuals, (cluster, np.arange(n))), shape=(n_clusters, n))
    # Residuals add up to zero by level, so that the levels' part of a column drops out.
    by_period = np.bincount(
        cluster * n_periods + period,
        weights=weights * residuals,
        minlength=n_clusters * n_periods,
    ).reshape(n_clusters, n_periods)
    scores = (error @ columns).toarray() - by_period @ of_period[:, kept]
    scale = 1.0
    if small_sample != "none":
        scale = n_clusters / (n_clusters - 1) * (n - 1) / (n - parameters)
    scores = np.sqrt(scale) * scores @ inverse
    return Regression(
        tuple(name for name, is_kept in zip(names, kept, strict=True) if is_kept),
        coefficients,
        scores.T @ scores,
        scores,
        residuals,
        tuple(name for name, is_kept in zip(names, kept, strict=True) if not is_kept),
        n,
        parameters,
        n_clusters - 1,
    )
