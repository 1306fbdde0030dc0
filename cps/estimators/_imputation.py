"""Impute what treated cells would have been from untreated cells, and weigh the result exactly.

Borusyak, Jaravel & Spiess (2024), Review of Economic Studies 91(6), 3253-3285,
doi:10.1093/restud/rdae007. Standard errors are their conservative ones (equation 8 with the
averages of equation 10, and the leave-one-out variant of their appendix), as Stata
``did_imputation`` computes them. Nothing iterates: levels are eliminated, periods solved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._regression import independent
from cps.estimators._regression_absorb import components, grounded_inverse, level_sums

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FirstStep:
    """The regression on untreated rows: ``y = level + period + covariates × slopes``.

    Parameters
    ----------
    effects : ndarray, shape (n,)
        ``y`` less its imputed untreated value, for every row; the residual where untreated; NaN
        where the level or the period has no untreated row to be known from.
    level, period : ndarray, shapes (n_levels,), (n_periods,)
    slopes : ndarray, shape (k,)
        Of the covariates ``kept``; ``extrapolates`` names by place those dropped that the treated
        rows would need.
    """

    effects: Floats
    level: Floats
    period: Floats
    slopes: Floats
    kept: Mask
    extrapolates: tuple[int, ...]
    system: _System


@dataclass(frozen=True, slots=True)
class _System:
    """Normal equations of the untreated rows, factorised."""

    totals: Floats  # (n_levels,)
    cross: Floats  # (n_levels, n_periods), weight of each pair
    factor: Floats  # (n_periods, n_periods)
    x_level: Floats  # (n_levels, k): the covariates' own effects
    x_period: Floats  # (n_periods, k)
    x_inverse: Floats  # (k, k)

    def effects(self, by_level: Floats, by_period: Floats) -> tuple[Floats, Floats]:
        """Solve for level and period effects, shapes (n_levels, m), (n_periods, m)."""
        share = np.divide(1.0, self.totals, out=np.zeros_like(self.totals), where=self.totals > 0)
        periods = self.factor @ (by_period - self.cross.T @ (share[:, None] * by_level))
        return share[:, None] * (by_level - self.cross @ periods), periods

    def solve(
        self, by_level: Floats, by_period: Floats, by_covariate: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Solve the whole system for m right-hand sides."""
        left = by_covariate - self.x_level.T @ by_level - self.x_period.T @ by_period
        slopes = self.x_inverse @ left
        level, period = self.effects(by_level, by_period)
        return level - self.x_level @ slopes, period - self.x_period @ slopes, slopes


def is_identified(
    level: Codes, period: Codes, untreated: Mask, n_levels: int, n_periods: int
) -> Mask:
    """Tell which rows' level and period are both known from untreated rows that are connected."""
    table = _table(level[untreated], period[untreated], None, n_levels, n_periods)
    of_level, of_period = components(table)
    return np.asarray(of_level[level] == of_period[period])


def _table(
    rows: Codes, columns: Codes, values: Floats | None, n_rows: int, n_columns: int
) -> Floats:
    """Add values (counts, if None) up by pair of codes; never larger than the panel."""
    flat = np.bincount(rows * n_columns + columns, weights=values, minlength=n_rows * n_columns)
    return flat.reshape(n_rows, n_columns).astype(float)


def first_step(
    y: Floats,
    level: Codes,
    period: Codes,
    untreated: Mask,
    *,
    weights: Floats,
    covariates: Floats,
    n_levels: int,
    n_periods: int,
) -> FirstStep:
    """Fit the untreated rows and impute all.

    Parameters
    ----------
    y, weights : ndarray, shape (n,)
    level, period : ndarray of int, shape (n,)
    untreated : ndarray of bool, shape (n,)
        Rows that the model is fitted to; rows under anticipation are in neither part.
    covariates : ndarray, shape (n, p)
    """
    w = np.where(untreated, weights, 0.0)
    rows = np.flatnonzero(untreated)
    cross = _table(level[rows], period[rows], w[rows], n_levels, n_periods)
    totals = cross.sum(axis=1)
    share = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    reduced = np.diag(cross.sum(axis=0)) - cross.T @ (cross * share[:, None])
    factor = grounded_inverse(reduced, components(cross)[1])
    bare = _System(
        totals,
        cross,
        factor,
        np.zeros((n_levels, 0)),
        np.zeros((n_periods, 0)),
        np.zeros((0, 0)),
    )

    def project(columns: Floats) -> tuple[Floats, Floats]:
        weighted = w[:, None] * columns
        return bare.effects(
            level_sums(weighted, level, n_levels), level_sums(weighted, period, n_periods)
        )

    of_level, of_period = project(y[:, None])
    left = y - of_level[level, 0] - of_period[period, 0]
    if not covariates.shape[1]:
        return FirstStep(
            left, of_level[:, 0], of_period[:, 0], np.zeros(0), np.zeros(0, bool), (), bare
        )
    x_level, x_period = project(covariates)
    x = covariates - x_level[level] - x_period[period]
    weighted_x = w[:, None] * x
    kept, inverse = independent(x.T @ weighted_x, w @ covariates**2)
    slopes = inverse @ (weighted_x[:, kept].T @ left)
    slopes = slopes + inverse @ (weighted_x[:, kept].T @ (left - x[:, kept] @ slopes))
    system = _System(totals, cross, factor, x_level[:, kept], x_period[:, kept], inverse)
    return FirstStep(
        left - x[:, kept] @ slopes,
        of_level[:, 0] - x_level[:, kept] @ slopes,
        of_period[:, 0] - x_period[:, kept] @ slopes,
        slopes,
        kept,
        _extrapolates(x, weighted_x, kept, inverse, covariates),
        system,
    )


def _extrapolates(
    x: Floats, weighted: Floats, kept: Mask, inverse: Floats, covariates: Floats
) -> tuple[int, ...]:
    """Find dropped covariates that the others span on untreated rows, but not on all."""
    found = []
    for place in np.flatnonzero(~kept):
        spanned = x[:, kept] @ (inverse @ (weighted[:, kept].T @ x[:, place]))
        scale = float(np.abs(covariates[:, place]).max())
        if float(np.abs(x[:, place] - spanned).max()) > 1e-6 * max(scale, 1e-300):
            found.append(int(place))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Targets:
    """Weighted averages (or sums) of treated effects, kept as the cells that enter them.

    Parameters
    ----------
    row, target : ndarray of int, shape (nnz,)
        Which row enters which of the ``size`` targets; ``share`` with what weight.
    """

    row: Codes
    target: Codes
    share: Floats
    size: int

    @classmethod
    def means(cls, labels: list[Codes], weights: Floats, sizes: list[int]) -> Targets:
        """Average rows by label; each array of labels, shape (n,), is a family, -1 for no part."""
        rows, targets, shares, offset = [], [], [], 0
        for one, size in zip(labels, sizes, strict=True):
            inside = np.flatnonzero(one >= 0)
            total = np.bincount(one[inside], weights=weights[inside], minlength=size)
            rows.append(inside)
            targets.append(one[inside] + offset)
            shares.append(weights[inside] / total[one[inside]])
            offset += size
        return cls(np.concatenate(rows), np.concatenate(targets), np.concatenate(shares), offset)

    def values(self, effects: Floats) -> Floats:
        """Give the targets, shape (size,)."""
        parts = self.share * effects[self.row]
        return np.bincount(self.target, weights=parts, minlength=self.size).astype(float)

    def sums(self, codes: Codes, n_codes: int) -> Floats:
        """Add the weights up by level: shape (n_codes, size)."""
        flat = np.bincount(
            codes[self.row] * self.size + self.target,
            weights=self.share,
            minlength=n_codes * self.size,
        )
        return flat.reshape(n_codes, self.size).astype(float)


def target_scores(
    step: FirstStep,
    targets: Targets,
    level: Codes,
    period: Codes,
    untreated: Mask,
    *,
    weights: Floats,
    covariates: Floats,
    cluster: Codes,
    group: Codes,
    leave_out: bool = False,
) -> Floats:
    """Give each cluster's part in each target's error: ``scores.T @ scores`` is the covariance.

    Parameters
    ----------
    group : ndarray of int, shape (n,)
        Cells whose effects are taken to be alike when the treated residual is formed.
    leave_out : bool
        Average over the other clusters of the group alone.

    Returns
    -------
    ndarray, shape (n_clusters, n_targets)
        NaN for a target that has a group of a single cluster while ``leave_out`` asks for others.
    """
    scores = untreated_scores(
        step,
        targets,
        level,
        period,
        untreated,
        weights=weights,
        covariates=covariates,
        cluster=cluster,
    )
    return scores + _treated_scores(step.effects, targets, cluster, group, leave_out)


def untreated_scores(
    step: FirstStep,
    targets: Targets,
    level: Codes,
    period: Codes,
    untreated: Mask,
    *,
    weights: Floats,
    covariates: Floats,
    cluster: Codes,
) -> Floats:
    """Give each cluster's part in the error that comes from the untreated rows' noise."""
    n_clusters = int(cluster.max()) + 1
    n_levels, n_periods = len(step.level), len(step.period)
    kept = covariates[:, step.kept]
    by_covariate = np.zeros((kept.shape[1], targets.size))
    for place in range(kept.shape[1]):
        by_covariate[place] = targets.values(kept[:, place])
    of_level, of_period, of_covariate = step.system.solve(
        targets.sums(level, n_levels), targets.sums(period, n_periods), by_covariate
    )
    # The weights of untreated rows are −w(level + period + x·slope); their products with the
    # residuals add up by cluster without ever being laid out cell by cell.
    rows = np.flatnonzero(untreated)
    error = weights[rows] * step.effects[rows]
    c, lv, t = cluster[rows], level[rows], period[rows]
    scores = -(_table(c, t, error, n_clusters, n_periods) @ of_period)
    whose = np.zeros(n_levels, dtype=np.int64)
    whose[lv] = c
    if (whose[lv] != c).any():
        # Residuals add up to zero by level: levels within a cluster have no part.
        scores = scores - _table(c, lv, error, n_clusters, n_levels) @ of_level
    if kept.shape[1]:
        scores = scores - level_sums(error[:, None] * kept[rows], c, n_clusters) @ of_covariate
    return np.asarray(scores)


def _treated_scores(
    effects: Floats, targets: Targets, cluster: Codes, group: Codes, leave_out: bool
) -> Floats:
    n_clusters = int(cluster.max()) + 1
    n_groups = int(group.max()) + 1
    cell = group[targets.row] * targets.size + targets.target
    keys, place = np.unique(
        cluster[targets.row] * (n_groups * targets.size) + cell, return_inverse=True
    )
    place = place.ravel()
    # V: a cluster's weight in a group; S: the same times effects.
    v = np.bincount(place, weights=targets.share, minlength=len(keys))
    s = np.bincount(place, weights=targets.share * effects[targets.row], minlength=len(keys))
    of = keys % (n_groups * targets.size)
    cells, where = np.unique(of, return_inverse=True)
    where = where.ravel()
    top, bottom = (
        np.bincount(where, weights=one, minlength=len(cells))[where] for one in (v * s, v * v)
    )
    if leave_out:
        alone = np.bincount(where, minlength=len(cells))[where] == 1
        top, bottom = top - v * s, np.where(alone, np.nan, bottom - v * v)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(bottom == 0, 0.0, top / bottom)
    flat = np.bincount(
        (keys // (n_groups * targets.size)) * targets.size + of % targets.size,
        weights=s - mean * v,
        minlength=n_clusters * targets.size,
    )
    return flat.reshape(n_clusters, targets.size).astype(float)
