"""Least squares on arrays: absorbed effects, sampling weights and errors that respect clusters.

Standard errors follow R ``fixest`` (Bergé 2018) and, for one cluster, Stata ``reghdfe``: an effect
nested in the clusters costs no degree of freedom. No formulas: columns in, numbers out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cps.estimators._regression_absorb import Absorber, dense, level_sums, n_free

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Errors = Literal["iid", "robust", "cluster"]
SmallSample = Literal["nested", "full", "none"]

# Share of a column's variation that must be left once those before it, or the effects, are out.
_COLLINEAR = 1e-11
_ABSORBED = 1e-20
CONSTANT = "(constant)"


@dataclass(frozen=True, slots=True)
class Regression:
    """Coefficients of the columns kept, and what is needed to combine them.

    Parameters
    ----------
    names : tuple of str, length k
        Columns kept; ``dropped`` are those that others span.
    coefficients : ndarray, shape (k,)
    covariance : ndarray, shape (k, k)
    scores : ndarray, shape (n_clusters, k), or None
        One row a cluster, scaled so that ``scores.T @ scores`` is the covariance; None unless
        errors are clustered one way.
    residuals : ndarray, shape (n,)
    n_parameters : int
        As counted for the small-sample factor.
    degrees : int
        Of freedom of Student's t.
    """

    names: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    scores: Floats | None
    residuals: Floats
    dropped: tuple[str, ...]
    n: int
    n_parameters: int
    degrees: int

    def get(self, name: str) -> tuple[float, float]:
        """Give the coefficient of a column, and its standard error."""
        place = self.names.index(name)
        return float(self.coefficients[place]), float(np.sqrt(self.covariance[place, place]))


def regress(
    y: Floats,
    columns: Floats,
    *,
    names: Sequence[str],
    absorb: Sequence[Codes] = (),
    weights: Floats | None = None,
    errors: Errors = "iid",
    clusters: Sequence[Codes] = (),
    small_sample: SmallSample = "nested",
) -> Regression:
    """Regress ``y`` on columns, with up to two sets of effects absorbed.

    Parameters
    ----------
    y : ndarray, shape (n,)
    columns : ndarray, shape (n, k)
        A constant is added, under the name ``CONSTANT``, if nothing is absorbed.
    absorb : sequence of at most two ndarrays of int, shape (n,)
        Level of each row, counted from 0.
    weights : ndarray, shape (n,), or None
        Sampling weights.
    errors : {"iid", "robust", "cluster"}
        Homoskedastic; HC1; or by ``clusters`` (one or several ways: Cameron, Gelbach & Miller 2011,
        doi:10.1198/jbes.2010.07136).
    small_sample : {"nested", "full", "none"}
        ``nested``: absorbed effects that lie within a cluster are not counted (``fixest``,
        ``reghdfe``, ``xtreg``); ``full``: all are (``areg``); ``none``: no factor at all.

    Raises
    ------
    ValueError
        If no column is left, or there are no more rows than parameters.
    """
    matrix, labels = np.asarray(columns, float).reshape(len(y), -1), list(names)
    if not absorb:
        matrix, labels = np.column_stack([np.ones(len(y)), matrix]), [CONSTANT, *labels]
    weight = np.ones(len(y)) if weights is None else np.asarray(weights, float)
    absorber = Absorber.of(absorb, weight)
    size = (weight @ matrix**2) if matrix.shape[1] else np.zeros(0)
    x, target = absorber.residuals(matrix), absorber.residuals(np.asarray(y, float)[:, None])[:, 0]
    kept, inverse = independent(x.T @ (weight[:, None] * x), size)
    if not kept.any():
        raise ValueError("no column is left once the effects are taken out")
    x = x[:, kept]
    weighted = weight[:, None] * x
    coefficients = inverse @ (weighted.T @ target)
    # One step of refinement: normal equations square the condition number.
    coefficients = coefficients + inverse @ (weighted.T @ (target - x @ coefficients))
    residuals = target - x @ coefficients
    n_parameters = count_parameters(
        int(kept.sum()), absorb, clusters, errors=errors, small_sample=small_sample
    )
    if len(y) <= n_parameters:
        raise ValueError(f"{len(y)} rows for {n_parameters} parameters")
    covariance, scores, degrees = _covariance(
        weighted,
        residuals,
        weight,
        inverse,
        n_parameters=n_parameters,
        errors=errors,
        clusters=clusters,
        small_sample=small_sample,
    )
    return Regression(
        tuple(name for name, is_kept in zip(labels, kept, strict=True) if is_kept),
        coefficients,
        covariance,
        scores,
        residuals,
        tuple(name for name, is_kept in zip(labels, kept, strict=True) if not is_kept),
        len(y),
        n_parameters,
        degrees,
    )


def independent(gram: Floats, size: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Find columns that those before them do not span, and the inverse of their cross-product.

    Parameters
    ----------
    gram : ndarray, shape (k, k)
        Cross-products of the columns.
    size : ndarray, shape (k,)
        Sum of squares of each column before anything was taken out of it.
    """
    k = len(gram)
    scale = np.sqrt(np.where(size > 0, size, 1.0))
    unit = gram / np.outer(scale, scale)
    left = unit.copy()
    kept = np.zeros(k, dtype=bool)
    for j in range(k):
        if unit[j, j] <= _ABSORBED or left[j, j] <= _COLLINEAR * unit[j, j]:
            continue
        kept[j] = True
        left -= np.outer(left[j], left[j] / left[j, j])
    inverse = np.linalg.inv(unit[np.ix_(kept, kept)]) if kept.any() else np.zeros((0, 0))
    return kept, inverse / np.outer(scale[kept], scale[kept])


def count_parameters(
    k: int,
    absorb: Sequence[Codes],
    clusters: Sequence[Codes],
    *,
    errors: str,
    small_sample: str,
) -> int:
    """Count the parameters as ``fixest`` does."""
    if not absorb:
        return k
    absorb = [dense(codes) for codes in absorb]
    sizes = [int(codes.max()) + 1 for codes in absorb]
    nested = [
        small_sample == "nested"
        and errors == "cluster"
        and any(is_nested(codes, groups) for groups in clusters)
        for codes in absorb
    ]
    if all(nested):
        return k + 1  # the constant
    free = k + n_free(absorb)
    return free - sum(size - 1 for size, is_in in zip(sizes, nested, strict=True) if is_in)


def is_nested(codes: Codes, groups: Codes) -> bool:
    """Tell whether every level lies within one group."""
    one_of = np.zeros(int(codes.max()) + 1, dtype=groups.dtype)
    one_of[codes] = groups
    return bool((one_of[codes] == groups).all())


def _covariance(
    weighted: Floats,
    residuals: Floats,
    weight: Floats,
    inverse: Floats,
    *,
    n_parameters: int,
    errors: str,
    clusters: Sequence[Codes],
    small_sample: str,
) -> tuple[Floats, Floats | None, int]:
    n = len(residuals)
    left = n - n_parameters
    if errors == "iid":
        spread = float(weight @ residuals**2)
        return inverse * (spread / (n if small_sample == "none" else left)), None, left
    rows = (weighted * residuals[:, None]) @ inverse
    if errors == "robust":
        factor = 1.0 if small_sample == "none" else n / left
        return factor * rows.T @ rows, None, left
    if not clusters:
        raise ValueError("clustered errors need clusters")
    counts = [int(dense(groups).max()) + 1 for groups in clusters]
    factor = 1.0 if small_sample == "none" else (n - 1) / left
    total = np.zeros_like(inverse)
    scores: Floats | None = None
    for many in range(1, len(clusters) + 1):
        for chosen in combinations(range(len(clusters)), many):
            sums = cluster_sums(rows, _joined([clusters[one] for one in chosen]))
            # As fixest and reghdfe: the smallest number of clusters serves every term.
            scale = 1.0 if small_sample == "none" else min(counts) / (min(counts) - 1) * factor
            total += (1.0 if many % 2 else -1.0) * scale * sums.T @ sums
            if len(clusters) == 1:
                scores = np.sqrt(scale) * sums
    if len(clusters) > 1:
        # Cameron, Gelbach & Miller: a difference of matrices may lose definiteness.
        values, vectors = np.linalg.eigh(total)
        if values.min() < 0:
            total = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return total, scores, min(counts) - 1


def _joined(groups: Sequence[Codes]) -> Codes:
    joined = groups[0]
    for other in groups[1:]:
        joined = np.unique(joined * (int(other.max()) + 1) + other, return_inverse=True)[1].ravel()
    return joined


def cluster_sums(rows: Floats, groups: Codes) -> Floats:
    """Add rows up by group: shape (n_groups, k)."""
    codes = dense(groups)
    return level_sums(rows, codes, int(codes.max()) + 1)


def as_codes(labels: Sequence[object] | NDArray[np.generic]) -> Codes:
    """Number labels from 0."""
    return np.unique(np.asarray(labels), return_inverse=True)[1].ravel().astype(np.int64)
