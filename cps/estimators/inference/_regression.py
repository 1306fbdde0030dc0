"""The regressions whose coefficient an estimate is: two-way fixed effects, or one comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design

Floats = NDArray[np.float64]
_SAME = 1e-7  # relative to the outcome's spread; estimates that differ by rounding alone


@dataclass(frozen=True, slots=True)
class Regression:
    """Outcome and regressors, the treatment first, ready for a bootstrap of its coefficient.

    Parameters
    ----------
    y : ndarray, shape (n,)
    x : ndarray, shape (n, k)
        Both multiplied by the root of the weights, where there are any.
    unit, period, cluster : ndarray of int, shape (n,)
    n_absorbed : int
        Parameters taken out that count in the small-sample factor; units nested in clusters do
        not (the rule of R ``fixest``).
    n_levels : int
        Parameters taken out in all, units' own levels among them.
    """

    y: Floats
    x: Floats
    unit: NDArray[np.int64]
    period: NDArray[np.int64]
    cluster: NDArray[np.int64]
    n_absorbed: int
    n_levels: int

    def factor(self, small_sample: str) -> float:
        """Give what turns the error with the ``nested`` factor into that with another one.

        Statistic and draws share the factor: p-value and interval do not depend on it.
        """
        n, k = self.x.shape
        g = len(np.unique(self.cluster))
        nested = g / (g - 1) * (n - 1) / (n - k - self.n_absorbed)
        if small_sample == "none":
            return float(1 / np.sqrt(nested))
        if small_sample == "full" and n > k + self.n_levels:
            return float(np.sqrt((n - k - self.n_absorbed) / (n - k - self.n_levels)))
        return 1.0

    @property
    def coefficient(self) -> float:
        """The treatment's coefficient."""
        return float(np.linalg.lstsq(self.x, self.y, rcond=None)[0][0])


def two_way_of(design: Design, att: float | None) -> Regression | None:
    """Find the two-way fixed-effects regression whose coefficient the estimate is; None if none is.

    Levels are the units', or those of clusters or cohorts, as repeated cross-sections have them.
    """
    for level in ("unit", "cluster", "cohort"):
        if level == "cluster" and design.cluster is None:
            continue
        regression = two_way(design, level)
        if regression is not None and is_coefficient(regression, att, design):
            return regression
    return None


def two_way(design: Design, level: str = "unit") -> Regression | None:
    """Regress on treatment with level and period effects; covariates, weights and gaps allowed.

    Periods in which an anticipated effect is allowed for are left out of their units' rows.
    None if the treatment is no more than the fixed effects.

    Parameters
    ----------
    level : {"unit", "cluster", "cohort"}
        Who shares a level.
    """
    start = design.starts
    treated = np.asarray(design.periods)[None, :] >= start[:, None]
    early = np.asarray(design.periods)[None, :] >= start[:, None] - design.anticipation
    keep = ~np.isnan(design.y) & (treated | ~early)
    if design.covariates is not None:
        keep = keep & ~np.isnan(design.covariates).any(axis=0)
    unit, period = np.nonzero(keep)
    columns = [design.y[keep], treated[keep].astype(float)]
    columns += [(period == t).astype(float) for t in range(1, len(design.periods))]
    if design.covariates is not None:
        columns += [one[keep] for one in design.covariates]
    groups = np.unique(start, return_inverse=True)[1]
    if level == "cohort":
        # Cohorts reach across clusters: their levels are columns of their own.
        columns += [(groups[unit] == g).astype(float) for g in range(1, int(groups.max()) + 1)]
    shared = {"unit": unit, "cluster": clusters(design)[unit], "cohort": np.zeros_like(unit)}[level]
    weight = np.ones(len(unit)) if design.weights is None else design.weights[keep]
    table = _without_means(np.column_stack(columns), shared, weight)
    y, x = table[:, 0], _independent(table[:, 1:])
    if x is None:
        return None
    root = np.sqrt(weight)
    of_cluster, n_levels = clusters(design)[unit], len(np.unique(shared))
    return Regression(y * root, x * root[:, None], unit, period, of_cluster, 1, n_levels)


def one_comparison(design: Design, contrast: Floats) -> Regression:
    """Regress each unit's contrast over periods on whether it is treated.

    Parameters
    ----------
    contrast : ndarray, shape (n_periods,)
        Weights of the periods, with sum 0.
    """
    treated = np.array([one is not None for one in design.cohort])
    kept = treated | design.is_donor
    x = np.column_stack([treated[kept].astype(float), np.ones(int(kept.sum()))])
    each = np.arange(int(kept.sum()))
    codes = np.unique(clusters(design)[kept], return_inverse=True)[1]
    return Regression(design.y[kept] @ contrast, x, each, np.zeros_like(each), codes, 0, 0)


def is_coefficient(regression: Regression | None, att: float | None, design: Design) -> bool:
    """Tell whether the estimate is the regression's coefficient, but for rounding."""
    if regression is None or att is None:
        return False
    return abs(regression.coefficient - att) <= _SAME * max(float(np.nanstd(design.y)), abs(att))


def clusters(design: Design) -> NDArray[np.int64]:
    """Give each unit's group as a code; each unit is its own where the design has no groups."""
    if design.cluster is None:
        return np.arange(len(design.units))
    return np.unique(np.array(design.cluster), return_inverse=True)[1].astype(np.int64)


def _without_means(table: Floats, unit: NDArray[np.int64], weight: Floats) -> Floats:
    total = np.bincount(unit, weight)
    total[total == 0] = 1.0
    means = np.array([np.bincount(unit, weight * one) / total for one in table.T]).T
    return np.asarray(table - means[unit])


def _independent(x: Floats) -> Floats | None:
    """Drop columns that others make up; None if the first, the treatment, is one of those."""
    size = np.sqrt((x**2).sum(axis=0))
    kept = [j for j in range(1, x.shape[1]) if size[j] > 1e-9 * max(1.0, float(size.max()))]
    # Pivots of a factorisation, in order: a column that adds nothing has none.
    _, upper = np.linalg.qr(x[:, kept] / size[kept])
    kept = [j for j, pivot in zip(kept, np.abs(np.diag(upper)), strict=True) if pivot > 1e-9]
    others, _ = np.linalg.qr(x[:, kept])
    own = x[:, 0] - others @ (others.T @ x[:, 0])
    if np.sqrt(own @ own) <= 1e-9 * max(size[0], 1e-300):
        return None
    return x[:, [0, *kept]]
