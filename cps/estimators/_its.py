"""Segmented regression of a series on time, with errors that may be related over time.

Notation: ``t`` counts periods from the first one, ``x`` is 1 from the start on, ``e`` is the event
time. Wagner, Soumerai, Zhang & Ross-Degnan (2002), doi:10.1046/j.1365-2710.2002.00430.x; Linden
(2015), doi:10.1177/1536867X1501500208.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Regression:
    """Coefficients with what their covariance is made of.

    ``bread`` is the inverse of X'X (least squares) or X'WX (log link), ``scores`` has a row per
    observation, ``dispersion`` is the residual variance or Pearson's statistic over its degrees of
    freedom, ``fitted`` is on the scale of the outcome.
    """

    coefficients: Floats  # (n_terms,)
    bread: Floats  # (n_terms, n_terms)
    scores: Floats  # (n_rows, n_terms)
    fitted: Floats  # (n_rows,)
    dispersion: float
    degrees_of_freedom: int


def segments(
    periods: NDArray[np.int64], start: int, *, has_slope: bool, harmonics: int, per_year: int
) -> tuple[Floats, tuple[str, ...]]:
    """Build the columns of a single series: constant, trend, season, changes at the start.

    Parameters
    ----------
    periods : ndarray of int, shape (n_periods,), ordinals
    start : int, first treated period
    harmonics : int
        Pairs of sine and cosine over the year; the last sine of an even season is zero everywhere
        and left out.
    per_year : int, periods in a year

    Returns
    -------
    ndarray, shape (n_periods, n_terms), and the names of its columns
    """
    t = (periods - periods[0]).astype(float)
    event = (periods - start).astype(float)
    after = (event >= 0).astype(float)
    columns = {"intercept": np.ones(len(t)), "trend": t}
    for k in range(1, harmonics + 1):
        angle = 2 * np.pi * k * (periods % per_year) / per_year
        if 2 * k < per_year:
            columns[f"sine_{k}"] = np.sin(angle)
        columns[f"cosine_{k}"] = np.cos(angle)
    columns["level_change"] = after
    if has_slope:
        columns["slope_change"] = after * event
    return np.column_stack(list(columns.values())), tuple(columns)


def with_group(
    columns: Floats, names: tuple[str, ...], is_treated: bool
) -> tuple[Floats, tuple[str, ...]]:
    """Add the treated group's differences to every term but the season.

    The terms of the comparison group come first, prefixed ``comparison_``; a level or slope change
    without the prefix is the difference between the groups.
    """
    own = [i for i, name in enumerate(names) if not name.startswith(("sine", "cosine"))]
    seasonal = [i for i in range(len(names)) if i not in own]
    flag = 1.0 if is_treated else 0.0
    named = tuple(
        [f"comparison_{names[i]}" for i in own]
        + [names[i] for i in seasonal]
        + [names[i] if names[i].endswith("change") else f"difference_in_{names[i]}" for i in own]
    )
    stacked = np.column_stack([columns[:, own], columns[:, seasonal], flag * columns[:, own]])
    return stacked, named


def least_squares(columns: Floats, y: Floats) -> Regression:
    """Regress ``y``, shape (n_rows,), on ``columns``, shape (n_rows, n_terms)."""
    bread = np.asarray(np.linalg.inv(columns.T @ columns), float)
    coefficients = np.asarray(np.linalg.lstsq(columns, y, rcond=None)[0], float)
    fitted = columns @ coefficients
    residuals = y - fitted
    freedom = len(y) - columns.shape[1]
    return Regression(
        coefficients,
        bread,
        columns * residuals[:, None],
        fitted,
        float(residuals @ residuals / freedom),
        freedom,
    )


def log_linear(columns: Floats, y: Floats, offset: Floats) -> Regression:
    """Fit a Poisson regression with logarithmic link; ``dispersion`` is Pearson's.

    Raises
    ------
    FloatingPointError
        If the iterations do not converge.
    """
    import statsmodels.api as sm

    result = sm.GLM(y, columns, family=sm.families.Poisson(), offset=offset).fit(
        maxiter=200, tol=1e-12
    )
    if not result.converged or not np.isfinite(result.params).all():
        raise FloatingPointError("the regression does not converge")
    fitted = np.asarray(result.fittedvalues)
    bread = np.linalg.inv((columns * fitted[:, None]).T @ columns)
    freedom = len(y) - columns.shape[1]
    return Regression(
        np.asarray(result.params),
        bread,
        columns * (y - fitted)[:, None],
        fitted,
        float(((y - fitted) ** 2 / fitted).sum() / freedom),
        freedom,
    )


def newey_west(scores: Floats, lag: int) -> Floats:
    """Sum the outer products of ``scores`` (n_periods, m) with Bartlett weights up to ``lag``.

    Newey & West (1987), doi:10.2307/1913610.
    """
    total = scores.T @ scores
    for distance in range(1, min(lag, len(scores) - 1) + 1):
        product = scores[distance:].T @ scores[:-distance]
        total += (1 - distance / (lag + 1)) * (product + product.T)
    return np.asarray(total)


def automatic_lag(n_periods: int) -> int:
    """Give the usual truncation, 4 (T/100)^(2/9) rounded down (Newey & West 1994)."""
    return math.floor(4 * (n_periods / 100) ** (2 / 9))


def robust_covariance(fitted: Regression, series: NDArray[np.int64], lag: int) -> Floats:
    """Give the Newey-West covariance, scaled by n / (n - k); lags run within each series.

    Parameters
    ----------
    series : ndarray of int, shape (n_rows,)
        Which series a row belongs to; rows of a series are in the order of time.
    """
    n, k = fitted.scores.shape
    middle = np.zeros((k, k))
    for one in np.unique(series):
        middle += newey_west(fitted.scores[series == one], lag)
    return np.asarray(n / (n - k) * fitted.bread @ middle @ fitted.bread)
