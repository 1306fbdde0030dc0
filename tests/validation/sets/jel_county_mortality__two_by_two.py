"""County mortality and Medicaid, 2013-2014: means, regression and the two-by-two comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import cps
from tests.validation.table import Ours

SET = "jel_county_mortality"
Floats = NDArray[np.float64]


def ours(folder: Path) -> dict[str, Ours]:
    """Give tables 2, 3 and 5 (without covariates), unweighted and weighted."""
    frame = _two_years(folder)
    found: dict[str, Ours] = {}
    for name, weights in (("unweighted", None), ("weighted", "set_wt")):
        design = cps.design_from_frame(
            frame,
            unit="county_code",
            period="year",
            outcome="crude_rate_20_64",
            cohort="expansion",
            weights=weights,
        )
        effect = cps.estimate(design, "group_time_att")
        y = np.asarray(design.y)
        weight = np.ones(len(y)) if design.weights is None else design.weights[:, 0]
        treated = np.array([one is not None for one in design.cohort])
        means = np.array(
            [np.average(y[one], axis=0, weights=weight[one]) for one in (treated, ~treated)]
        )
        found[f"t2_means_{name}"] = Ours(means.T.ravel())
        coefficients, errors = _regression(y, weight, treated)
        # The comparison is the estimator's own: the regression only gives the other three.
        coefficients[3] = effect.overall.att
        found[f"t3_reg_{name}"] = Ours(coefficients, errors)
        found[f"t5_nocov_{name}"] = Ours(effect.overall.att, effect.overall.se)
    del found["t5_nocov_weighted"]  # not among the targets
    return found


def _two_years(folder: Path) -> pl.DataFrame:
    """Counties of states that expanded in 2014, or not before 2020; the years about it."""
    expands = pl.col("yaca")
    return (
        pl.read_parquet(folder / "data.parquet")
        .filter(
            pl.col("year").is_in([2013, 2014])
            & (expands.is_null() | (expands > 2019) | (expands == 2014))
        )
        .with_columns(expansion=pl.when(expands == 2014).then(2014))
    )


def _regression(y: Floats, weight: Floats, treated: NDArray[np.bool_]) -> tuple[Any, Any]:
    """Regress on treated, after and both by weighted least squares; errors by county (CRV1)."""
    n = len(y)
    group, after = np.repeat(treated.astype(float), 2), np.tile([0.0, 1.0], n)
    x = np.stack([np.ones(2 * n), group, after, group * after], axis=1)
    w = np.repeat(weight, 2)
    inverse = np.linalg.inv(x.T @ (w[:, None] * x))
    beta = inverse @ (x.T @ (w * y.ravel()))
    score = (x * (w * (y.ravel() - x @ beta))[:, None]).reshape(n, 2, 4).sum(axis=1)
    factor = n / (n - 1) * (2 * n - 1) / (2 * n - 4)
    return beta, np.sqrt(factor * np.diagonal(inverse @ score.T @ score @ inverse))
