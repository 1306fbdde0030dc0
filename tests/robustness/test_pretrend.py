"""Pre-trends with power: box probabilities, what passing does, and what the words say."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2, f, multivariate_normal, norm, qmc, truncnorm

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.estimators.registry import estimate
from cps.robustness import pretrend
from cps.robustness._pretrend_box import box_mean, box_probability
from cps.robustness._pretrend_points import MOST, sobol_points
from cps.robustness._pretrend_power import (
    _secant,
    joint_p_value,
    joint_threshold,
    mean_after_pretest,
    power_against,
    rejection_probability,
    slope_for_power,
)
from tests.robustness.worlds import checked

Floats = NDArray[np.float64]


def covariance(n: int, *, seed: int = 0) -> Floats:
    root = np.random.default_rng(seed).normal(size=(n, n + 3))
    return np.asarray(root @ root.T / n + 0.5)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_box_probabilities_agree_with_another_programme(n: int) -> None:
    sigma, mean = covariance(n), np.linspace(-0.5, 0.7, n)
    side = 1.96 * np.sqrt(np.diag(sigma))
    wanted = multivariate_normal.cdf(
        side, mean, sigma, lower_limit=-side, maxpts=200_000, abseps=1e-7, rng=0
    )
    # Both programmes integrate numerically; ours is within 1e-5 for five sides.
    assert box_probability(mean, sigma, -side, side) == pytest.approx(wanted, abs=5e-5)


@pytest.mark.parametrize(("n", "nodes"), [(2, 120), (3, 60), (4, 26)])
@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_up_to_four_sides_are_integrated_to_seven_digits(n: int, nodes: int, shift: float) -> None:
    """Gauss's rule again, side by side without its order or its limits, on a far finer net."""
    sigma = covariance(n, seed=3)
    deviation = np.sqrt(np.diag(sigma))
    mean, side = shift * deviation * np.where(np.arange(n) % 2, -1, 1), 2.3 * deviation
    at, share = np.polynomial.legendre.leggauss(nodes)
    net = np.stack(np.meshgrid(*[at] * n, indexing="ij"), axis=-1) * side - mean
    exponent = (net @ np.linalg.inv(sigma) * net).sum(axis=-1)
    density = np.exp(-exponent / 2) / np.sqrt(np.linalg.det(2 * np.pi * sigma))
    for _ in range(n):
        density = density @ share
    wanted = float(density) * float(np.prod(side))
    assert box_probability(mean, sigma, -side, side) == pytest.approx(wanted, abs=1e-7)


def test_nearly_collinear_sides_are_no_worse_than_points() -> None:
    sigma = np.array([[1.0, 0.999, 0.5], [0.999, 1.0, 0.5], [0.5, 0.5, 1.0]])
    side = np.array([1.96, 1.96, 2.2])
    wanted = multivariate_normal.cdf(side, np.zeros(3), sigma, lower_limit=-side, rng=0)
    assert box_probability(np.zeros(3), sigma, -side, side) == pytest.approx(wanted, abs=5e-5)


def test_independent_sides_multiply() -> None:
    """Exact in any number of dimensions: beyond what other programmes reach."""
    n = 15
    mean, spread = np.linspace(-1, 1, n), np.linspace(0.5, 2, n)
    wanted = np.prod(norm.cdf((2 - mean) / spread) - norm.cdf((-1 - mean) / spread))
    got = box_probability(mean, np.diag(spread**2), np.full(n, -1.0), np.full(n, 2.0))
    assert got == pytest.approx(wanted, rel=1e-12)


def test_the_mean_in_a_box_is_known_in_one_dimension_and_drawn_in_three() -> None:
    one = box_mean(np.array([0.4]), np.array([[4.0]]), np.array([-1.0]), np.array([2.5]))
    assert one[0] == pytest.approx(truncnorm.mean(-0.7, 1.05, loc=0.4, scale=2.0), abs=1e-10)
    sigma, mean = covariance(3, seed=1), np.array([0.5, -0.2, 0.1])
    side = 1.5 * np.sqrt(np.diag(sigma))
    draws = np.random.default_rng(0).multivariate_normal(mean, sigma, size=400_000)
    kept = draws[(np.abs(draws) < side).all(axis=1)]
    # Standard errors of the drawn means are below .002.
    np.testing.assert_allclose(box_mean(mean, sigma, -side, side), kept.mean(axis=0), atol=0.008)


def test_the_slope_found_is_rejected_with_the_power_asked_for() -> None:
    times, sigma = np.array([-4.0, -3, -2, -1]), 0.01 * covariance(4)
    for power in (0.5, 0.8):
        slope = slope_for_power(times, sigma, power)
        assert slope is not None
        assert rejection_probability(slope * times, sigma) == pytest.approx(power, abs=1e-6)
    assert slope_for_power(times, sigma, 0.01) is None  # no test rejects as rarely


def test_likelihoods_are_ratios_of_densities_and_bayes_factors_of_passing() -> None:
    sigma, beta, trend = covariance(3), np.array([0.3, 0.1, -0.2]), np.array([0.6, 0.4, 0.2])
    found = power_against(beta, sigma, trend)
    wanted = multivariate_normal.pdf(beta, trend, sigma) / multivariate_normal.pdf(
        beta, np.zeros(3), sigma
    )
    assert found.likelihood_ratio == pytest.approx(wanted, rel=1e-10)
    passing = 1 - rejection_probability(np.zeros(3), sigma)
    assert found.bayes_factor == pytest.approx((1 - found.power) / passing)


def test_passing_the_pretest_makes_a_bias_larger_where_errors_share_a_base() -> None:
    times = np.array([-3.0, -2, -1, 1, 2])
    sigma = 0.04 * (np.eye(5) + 1.0)  # the base period's noise is in every coefficient
    trend = 0.15 * times
    passed = mean_after_pretest(trend, sigma, 3)
    assert (passed[3:] > trend[3:]).all()
    assert (np.abs(passed[:3]) < np.abs(trend[:3])).all()


def test_the_joint_bound_is_kept_by_95_in_100_and_the_joint_test_is_walds() -> None:
    sigma = covariance(4)
    bound = joint_threshold(sigma, 0.05)
    assert norm.ppf(0.975) < bound < norm.ppf(1 - 0.05 / 8)
    assert rejection_probability(np.zeros(4), sigma, threshold=bound) == pytest.approx(
        0.05, abs=1e-5
    )
    assert joint_threshold(np.eye(1), 0.05) == pytest.approx(norm.ppf(0.975))
    beta = np.array([1.0, -0.5, 0.2, 0.8])
    wald = beta @ np.linalg.inv(sigma) @ beta
    assert joint_p_value(beta, sigma, None) == pytest.approx(chi2.sf(wald, 4))
    assert joint_p_value(beta, sigma, 20) == pytest.approx(f.sf(wald * 17 / 80, 4, 17))
    assert joint_p_value(beta, sigma, 3) is None


def panel(*, drift: float = 0.0, effect: float = 0.0, n_treated: int = 2, seed: int = 0,
          n_donors: int = 16, first_year: int = 2014) -> Design:  # fmt: skip
    rng = np.random.default_rng(seed)
    rows = [
        {
            "unit": f"u{i:02d}",
            "year": year,
            "y": rng.normal()
            + (i < n_treated) * (drift * (year - first_year) + effect * (year >= 2020)),
            "cohort": 2020 if i < n_treated else None,
        }
        for i in range(n_treated + n_donors)
        for year in range(first_year, 2024)
    ]
    frame = pl.DataFrame(rows, schema_overrides={"cohort": pl.Int64})
    return design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="cohort")


def check_of(one: Design) -> pretrend.Check:
    return checked("pretrend", one, estimate(one, options={"weights": "did"}))


def test_a_trend_of_their_own_is_found() -> None:
    assert check_of(panel(drift=1.5)).verdict is False


def test_many_units_whose_differences_jump_about_fail_walds_test() -> None:
    """Each difference is small beside its error, but their pattern is not noise."""
    one = panel(n_treated=30, n_donors=60)
    y = one.y.copy()
    y[:30, :5] += np.array([0.5, -0.5, 0.5, -0.5, 0.5])
    jagged = dataclasses.replace(one, y=y)
    effect = estimate(jagged, "group_time_att", options={"base": "universal"})
    check = checked("pretrend", jagged, effect)
    assert check.statistic is not None and check.threshold is not None
    assert check.statistic < check.threshold
    assert check.verdict is False
    assert "Wald" in check.explanation.zh


def test_parallel_units_with_a_large_effect_pass() -> None:
    check = check_of(panel(effect=6.0))
    assert check.verdict is True
    assert check.statistic is not None and check.threshold is not None
    assert check.statistic <= check.threshold


def test_passing_in_the_dark_is_no_verdict() -> None:
    """One unit, few periods: a trend that the test misses could make the whole effect."""
    check = check_of(panel(n_treated=1, n_donors=12, effect=4.0, first_year=2017))
    assert check.verdict is None
    assert "不足为凭" in check.explanation.zh
    assert "no evidence" in check.explanation.en


def test_the_test_keeps_its_size_on_parallel_units() -> None:
    """60 panels at 5%: 8 or more rejections happen once in a hundred times."""
    rejected = 0
    for seed in range(60):
        one = panel(seed=100 + seed, n_treated=1, n_donors=10, first_year=2017)
        found = pretrend.event_vector(one, estimate(one, options={"weights": "did"}))
        assert isinstance(found, pretrend.Vector)
        before = found.widened()[: found.n_pre, : found.n_pre]
        ratios = np.abs(found.beta[: found.n_pre]) / np.sqrt(np.diag(before))
        rejected += bool(ratios.max() > 2.25)  # the joint bound lies between 2.2 and 2.3 here
    assert rejected < 8


def test_words_hold_the_same_numbers_in_both_languages_and_tables_are_even() -> None:
    for one in (panel(effect=6.0), panel(drift=1.5), panel(n_treated=1, effect=3.0)):
        check = check_of(one)
        found = [
            sorted(re.findall(r"\d+(?:\.\d+)?", words))
            for words in (check.explanation.zh, check.explanation.en)
        ]
        assert found[0] == found[1]
        assert len({len(column) for column in check.table.values()}) == 1


def test_too_few_periods_give_a_reason() -> None:
    one = panel(first_year=2018)
    assert pretrend.applies(one, estimate(one, options={"weights": "did"})) is not None


def test_the_power_asked_for_and_a_trend_asked_about_are_told() -> None:
    one = panel(n_treated=3, n_donors=30, effect=5.0)
    effect = estimate(one, options={"weights": "did"})
    plain = checked("pretrend", one, effect)
    # The line that the check itself says is found with 80% probability, put as a question.
    slope = plain.table["trend_80"][-1] / (plain.table["event_time"][-1] + 1)  # type: ignore[operator]
    asked = checked("pretrend", one, effect, slope=slope)
    assert asked.table["trend_given"] == pytest.approx(asked.table["trend_80"])
    assert "would be seen with 80% probability" in asked.explanation.en
    assert asked.explanation.en.startswith(plain.explanation.en)
    assert asked.verdict == plain.verdict
    numbers = [
        sorted(re.findall(r"\d+(?:\.\d+)?", text))
        for text in (asked.explanation.zh, asked.explanation.en)
    ]
    assert numbers[0] == numbers[1]
    surer = checked("pretrend", one, effect, power=0.95)
    assert abs(surer.table["trend_95"][0]) > abs(plain.table["trend_80"][0])  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [1, 2, 7, MOST])
def test_the_points_of_box_probabilities_are_scipys(n: int) -> None:
    np.testing.assert_array_equal(sobol_points(n, 8), qmc.Sobol(n, rng=0).random(2**8).T)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_slopes_and_bounds_are_those_that_bisection_finds(n: int) -> None:
    times, sigma = -np.arange(n, 0.0, -1), 0.1 * covariance(n, seed=n)
    for power, threshold in ((0.5, 1.96), (0.8, 2.6), (0.97, 1.2)):

        def excess(slope: float, power: float = power, threshold: float = threshold) -> float:
            return rejection_probability(times * slope, sigma, threshold=threshold) - power

        slope = slope_for_power(times, sigma, power, threshold=threshold)
        if excess(0.0) >= 0:
            assert slope is None
        else:
            assert slope is not None
            assert slope == pytest.approx(brentq(excess, 0.0, 2 * slope, xtol=1e-10), rel=1e-7)

    def missed(bound: float) -> float:
        return rejection_probability(np.zeros(n), sigma, threshold=bound) - 0.05

    assert joint_threshold(sigma, 0.05) == pytest.approx(brentq(missed, 1.0, 4.0), abs=1e-6)


def test_a_curve_that_is_not_nearly_straight_is_left_to_bisection() -> None:
    assert _secant(lambda x: 3 * x + 0.1 * x**2, 2.0, 0.4, 3.0, xtol=1e-9) == pytest.approx(
        (np.sqrt(9 + 0.8) - 3) / 0.2, abs=1e-9
    )
    assert _secant(np.sign, 0.5, 0.1, 1.0, xtol=1e-9) is None
    assert _secant(lambda x: float("inf"), 0.5, 0.1, 1.0, xtol=1e-9) is None
