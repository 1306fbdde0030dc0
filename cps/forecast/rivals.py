"""Simple forecasts of a year's total to be measured against: seasonal-naive and Holt–Winters."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from cps.forecast.months import MONTHS, Months

Floats = NDArray[np.float64]


def naive_draws(
    known: Months, month: int, *, with_growth: bool = False, n_draws: int = 2_000, seed: int = 0
) -> Floats:
    """Let the rest of the year bring what it brought last year, give or take earlier misses.

    Parameters
    ----------
    known : Months
        Up to ``month`` of its last year.
    with_growth : bool
        Whether last year's rest is scaled by the growth of the months so far (同比).

    Returns
    -------
    ndarray, shape (n_draws, n_units), 元
        The point forecast times exp(miss), misses drawn from the log errors that the same rule made
        at the same month in all earlier years and villages. NaN for villages without both years.

    References
    ----------
    Hyndman, R. J. & Athanasopoulos, G. (2021). Forecasting: Principles and Practice, 3rd ed., 5.2
    and 5.5 (seasonal naive; prediction intervals from residuals).
    """
    rng = np.random.default_rng([seed, known.years[-1], month])
    income = known.income_yuan
    misses = []
    for place in range(1, len(known.years) - 1):
        point = _naive(income[:, place - 1], income[:, place], month, with_growth)
        truth = income[:, place].sum(axis=1)
        good = (point > 0) & (truth > 0)
        misses.append(np.log(truth[good] / point[good]))
    pool = np.concatenate(misses) if misses else np.zeros(0)
    point = _naive(income[:, -2], income[:, -1], month, with_growth)
    if pool.size == 0:
        return np.full((n_draws, len(point)), np.nan)
    return np.asarray(point * np.exp(rng.choice(pool, (n_draws, len(point)))))


def _naive(last: Floats, now: Floats, month: int, with_growth: bool) -> Floats:
    so_far, before = now[:, :month].sum(axis=1), last[:, :month].sum(axis=1)
    rest = last[:, month:].sum(axis=1)
    if with_growth:
        with np.errstate(divide="ignore", invalid="ignore"):
            rest = rest * np.where(before > 0, so_far / before, np.nan)
    return np.asarray(so_far + rest)


def holt_winters_draws(known: Months, month: int, *, n_draws: int = 2_000, seed: int = 0) -> Floats:
    """Smooth each village's log income exponentially (level, damped trend, 12 seasons).

    Fitted and simulated by statsmodels, a village at a time.

    Returns
    -------
    ndarray, shape (n_draws, n_units), 元
        NaN for villages with a gap, a month without positive income or fewer than two whole years:
        exponential smoothing has no answer there.

    References
    ----------
    Winters, P. R. (1960). Forecasting sales by exponentially weighted moving averages. Management
    Science 6, 324–342, doi:10.1287/mnsc.6.3.324.
    """
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    n = len(known.units)
    draws = np.full((n_draws, n), np.nan)
    ahead = MONTHS - month
    series = known.income_yuan.reshape(n, -1)
    series = series[:, : series.shape[1] - ahead]
    for row in range(n):
        past = series[row]
        if past.size < 2 * MONTHS or not (past > 0).all():  # NaN compares false
            continue
        so_far = known.income_yuan[row, -1, :month].sum()
        if ahead == 0:
            draws[:, row] = so_far
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the optimiser stopped early shows in the scores
            fitted = ExponentialSmoothing(
                np.log(past),
                trend="add",
                damped_trend=True,
                seasonal="add",
                seasonal_periods=MONTHS,
                initialization_method="heuristic",
            ).fit()
            paths = fitted.simulate(
                ahead,
                anchor="end",
                repetitions=n_draws,
                error="add",
                rng=np.random.default_rng([seed, known.years[-1], month, row]),
            )
        draws[:, row] = so_far + np.exp(np.asarray(paths)).reshape(ahead, n_draws).sum(axis=0)
    return draws
