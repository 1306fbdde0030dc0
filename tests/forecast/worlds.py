"""Incomes drawn from a known process that isn't the forecast's own."""

from __future__ import annotations

import numpy as np

from cps.forecast.months import Months


def draw_months(seed: int, *, n_units: int = 16, n_years: int = 5, catch_up: float = 0.0) -> Months:
    """Draw incomes from a process that isn't the model's own: no prior of it is used.

    Levels wander with autocorrelation 0.7, seasons differ by village, months shock everyone, noise
    differs by village; December answers the mean log shortfall of the months before.
    """
    rng = np.random.default_rng([seed, 77])
    shape = (n_units, n_years, 12)
    own = np.zeros(shape[:2])
    own[:, 0] = rng.normal(0, 0.2, n_units)
    for year in range(1, n_years):
        own[:, year] = 0.7 * own[:, year - 1] + rng.normal(0, 0.2 * np.sqrt(0.51), n_units)
    season = rng.normal(0, 0.3, 12) + rng.normal(0, 0.3, (n_units, 12))
    noise = rng.normal(0, 1, shape) * rng.uniform(0.1, 0.4, (n_units, 1, 1))
    noise[:, :, 11] -= catch_up * noise[:, :, :11].mean(axis=2)
    logs = rng.normal(11, 0.8, (n_units, 1, 1)) + own[:, :, None] + season[:, None, :] + noise
    logs += rng.normal(0.1, 0.1, n_years).cumsum()[:, None] + rng.normal(0, 0.08, shape[1:])
    names = tuple(f"示例村{i + 1:02d}" for i in range(n_units))
    return Months(names, tuple(range(2019, 2019 + n_years)), np.exp(logs))
