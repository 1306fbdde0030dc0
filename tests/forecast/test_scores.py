"""Scores against closed forms and a worked example."""

from __future__ import annotations

import doctest
from math import erf, exp, pi, sqrt

import numpy as np
import pytest

from cps.forecast import scores
from cps.forecast.scores import brier, crps, pit, reliability, uniformity


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(scores).failed == 0


@pytest.mark.parametrize("truth", [-1.5, 0.0, 2.0])
def test_crps_of_normal_draws_is_the_closed_form(truth: float) -> None:
    # Gneiting & Raftery (2007), equation 21, for a standard normal forecast.
    cdf, density = (1 + erf(truth / sqrt(2))) / 2, exp(-truth * truth / 2) / sqrt(2 * pi)
    exact = truth * (2 * cdf - 1) + 2 * density - 1 / sqrt(pi)
    draws = np.random.default_rng(1).standard_normal((200_000, 1))
    # 200,000 draws err by about 0.002.
    assert crps(draws, [truth])[0] == pytest.approx(exact, abs=0.008)


def test_crps_of_few_draws_is_the_double_sum() -> None:
    rng = np.random.default_rng(2)
    draws, truth = rng.normal(size=(9, 4)), rng.normal(size=4)
    slow = np.abs(draws - truth).mean(axis=0)
    slow -= np.abs(draws[:, None] - draws[None, :]).mean(axis=(0, 1)) / 2
    assert crps(draws, truth) == pytest.approx(slow)


def test_crps_is_least_for_the_true_distribution() -> None:
    rng = np.random.default_rng(3)
    truth = rng.standard_normal(2_000)
    scored = {
        (mean, size): crps(mean + size * rng.standard_normal((300, 2_000)), truth).mean()
        for mean, size in ((0, 1), (0.5, 1), (0, 0.5), (0, 2))
    }
    assert min(scored, key=lambda key: scored[key]) == (0, 1)


def test_pit_is_uniform_for_the_true_distribution_and_ties_count_half() -> None:
    rng = np.random.default_rng(4)
    values = pit(rng.standard_normal((500, 4_000)), rng.standard_normal(4_000))
    counts = np.array(uniformity(values))
    # 400 expected in each of ten bins, s.d. 19.
    assert np.abs(counts - 400).max() < 5 * 19
    assert pit([[1.0], [1.0], [2.0], [0.0]], [1.0])[0] == 0.5


def test_reliability_puts_forecasts_where_they_belong() -> None:
    bins = reliability([0.0, 0.1, 0.5, 1.0, 0.97], [0, 1, 1, 1, 0], edges=(0.0, 0.2, 0.95, 1.0))
    assert [one.n for one in bins] == [2, 1, 2]
    assert bins[0].mean_probability == pytest.approx(0.05)
    assert [one.share_happened for one in bins] == [0.5, 1.0, 0.5]
    empty = reliability([], [])
    assert all(one.n == 0 and one.share_happened is None for one in empty)
    assert brier([], []) is None
