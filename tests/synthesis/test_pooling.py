"""Partial pooling, against Morris's formula, a slow version and draws with a known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from cps.errors import UsageError
from cps.synthesis.pooling import pool_effects
from tests.synthesis.calibration import (
    family_wise_errors,
    from_panels,
    pooled_coverage,
    rank_coverage,
)

# Rubin (1981), eight schools: coaching effects and their standard errors.
SCHOOLS = np.array([28.39, 7.94, -2.75, 6.82, -0.64, 0.63, 18.01, 12.16])
SCHOOL_ERRORS = np.array([14.9, 10.2, 16.3, 11.0, 9.4, 11.4, 10.4, 17.6])


def _correlated(n: int) -> np.ndarray:
    spread = np.linspace(0.6, 1.8, n)
    correlation = 0.3 + 0.7 * np.eye(n)
    correlation[0, 1] = correlation[1, 0] = 0.8
    return correlation * np.outer(spread, spread)


def test_equal_errors_give_the_formula_of_morris() -> None:
    rng = np.random.default_rng(4)
    k, variance = 15, 2.0
    y = 5 + 1.5 * rng.standard_normal(k)
    s = ((y - y.mean()) ** 2).sum() / variance
    # B given S is a gamma of shape (k − 3)/2, cut at 1: his equations (1.17)-(1.19), integrated.
    below = stats.chi2.cdf(s, k - 3)
    shrinkage = (k - 3) / s * stats.chi2.cdf(s, k - 1) / below
    squared = (k - 3) * (k - 1) / s**2 * stats.chi2.cdf(s, k + 1) / below
    effect = y.mean() + (1 - shrinkage) * (y - y.mean())
    error = np.sqrt(
        variance * (1 - (k - 1) / k * shrinkage) + (squared - shrinkage**2) * (y - y.mean()) ** 2
    )
    found = pool_effects(y, np.full(k, variance))
    np.testing.assert_allclose(found.shrinkage, shrinkage, rtol=1e-5)
    np.testing.assert_allclose(found.effect, effect, rtol=1e-5)
    np.testing.assert_allclose(found.se, error, rtol=1e-5)
    assert found.mean == pytest.approx(y.mean())


def _slow(y, covariance, prior: str, level: float) -> dict[str, np.ndarray]:
    """The same posterior with whole matrices and a plain grid of tau, its tail cut far out."""
    n = len(y)
    grid = np.linspace(1e-3, 30, 2000)
    one = np.ones(n)
    logs, means, errors = [], [], []
    for tau in grid:
        inverse = np.linalg.inv(covariance + tau**2 * np.eye(n))
        precision = one @ inverse @ one
        mu = one @ inverse @ y / precision
        log = 0.5 * np.linalg.slogdet(inverse)[1] - 0.5 * math.log(precision)
        log -= 0.5 * (y - mu) @ inverse @ (y - mu)
        logs.append(log + (math.log(tau) if prior == "variance" else 0))
        gain = tau**2 * inverse
        means.append(mu + gain @ (y - mu))
        rest = one - gain @ one
        errors.append(np.sqrt(np.diag(gain @ covariance) + rest**2 / precision))
    weight = np.exp(np.array(logs) - max(logs))
    weight /= weight.sum()
    means, errors = np.array(means), np.array(errors)
    centre = weight @ means
    sizes = np.linspace(-15, 15, 6001)
    low = [
        sizes[
            np.searchsorted(
                weight[::20]
                / weight[::20].sum()
                @ stats.norm.cdf((sizes[None, :] - means[::20, [k]]) / errors[::20, [k]]),
                (1 - level) / 2,
            )
        ]
        for k in (0, n - 1)
    ]
    return {
        "effect": centre,
        "se": np.sqrt(weight @ (errors**2 + (means - centre) ** 2)),
        "low": np.array(low),
    }


@pytest.mark.parametrize("prior", ["variance", "spread"])
def test_correlated_errors_give_the_posterior_of_whole_matrices(prior: str) -> None:
    covariance = _correlated(8)
    y = np.random.default_rng(6).multivariate_normal(np.full(8, 2.0), covariance + np.eye(8))
    found = pool_effects(y, covariance, prior=prior)
    slow = _slow(y, covariance, prior, 0.95)
    # The plain grid is good for four digits; its quantiles for 0.005, the step of sizes.
    np.testing.assert_allclose(found.effect, slow["effect"], atol=2e-3)
    np.testing.assert_allclose(found.se, slow["se"], atol=2e-3)
    np.testing.assert_allclose([found.low[0], found.low[-1]], slow["low"], atol=0.03)


def test_eight_schools_keep_their_doubt_where_the_likelihood_has_no_spread() -> None:
    found = pool_effects(SCHOOLS, SCHOOL_ERRORS**2, prior="spread")
    assert found.tau_reml == 0.0
    # With tau taken as 0 every school would have the mean's error, 4.07 (Gelman et al., ch. 5).
    assert min(one for one in found.se if one is not None) > 1.3 * 4.07
    assert found.tau > 3
    assert found.effect[0] == max(found.effect)
    assert found.mean == pytest.approx(8.0, abs=0.3)


def test_precise_estimates_stay_and_imprecise_ones_go_to_the_mean() -> None:
    y = np.array([-4.0, -2.0, 0.0, 2.0, 4.0, 6.0])
    sure = pool_effects(y, np.full(6, 1e-6))
    np.testing.assert_allclose(sure.effect, y, atol=1e-5)
    mixed = pool_effects(y, [0.01, 0.01, 0.01, 0.01, 0.01, 400.0])
    assert mixed.shrinkage[-1] > 0.85
    assert mixed.shrinkage[0] < 0.05
    assert abs(mixed.effect[-1] - mixed.mean) < 1


def test_unit_and_origin_move_the_numbers_along_and_order_does_not_matter() -> None:
    covariance = _correlated(8)
    found = pool_effects(SCHOOLS / 10, covariance)
    moved = pool_effects(7 + 1e4 * SCHOOLS / 10, 1e8 * covariance)
    np.testing.assert_allclose(moved.effect, 7 + 1e4 * np.array(found.effect), rtol=1e-6)
    np.testing.assert_allclose(moved.low, 7 + 1e4 * np.array(found.low), rtol=1e-5)
    assert moved.tau_high == pytest.approx(1e4 * found.tau_high, rel=1e-5)
    order = [3, 1, 7, 0, 2, 6, 5, 4]
    turned = pool_effects(SCHOOLS[order] / 10, covariance[np.ix_(order, order)])
    np.testing.assert_allclose(turned.effect, np.array(found.effect)[order], rtol=1e-8)


def test_an_absent_estimate_gets_no_effect_and_does_not_count() -> None:
    found = pool_effects([*SCHOOLS, None], [*SCHOOL_ERRORS**2, 1.0])
    alone = pool_effects(SCHOOLS, SCHOOL_ERRORS**2)
    assert found.effect == (*alone.effect, None)
    assert (found.n_estimated, found.n_declared) == (8, 9)


def test_a_new_initiative_is_less_certain_than_the_mean_of_all() -> None:
    found = pool_effects(SCHOOLS, SCHOOL_ERRORS**2)
    assert found.new_low < found.mean_low < found.mean < found.mean_high < found.new_high
    assert 0.5 < found.new_probability_positive < found.probability_positive[0] < 1


def test_four_estimates_and_unknown_priors_are_refused() -> None:
    with pytest.raises(UsageError, match="needs 5"):
        pool_effects(SCHOOLS[:4], SCHOOL_ERRORS[:4] ** 2)
    with pytest.raises(UsageError, match="no prior named"):
        pool_effects(SCHOOLS, SCHOOL_ERRORS**2, prior="cauchy")


# Small counts of the study that ``python -m tests.synthesis.calibration`` runs in full; four
# errors of the share, so that chance does not fail them.
def test_pooled_intervals_hold_the_truth_as_often_as_they_say() -> None:
    fifteen, new = pooled_coverage(30, ratios=(1.0,))
    assert abs(fifteen.share - 0.95) < 4 * fifteen.error, fifteen
    assert new.share > 0.95 - 4 * math.sqrt(0.05 * 0.95 / 30), new


def test_a_family_without_effects_is_rarely_rejected_and_equal_ranks_are_held() -> None:
    for found in family_wise_errors(60, draws=400):
        assert found.share < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 60), found
    for found in rank_coverage(25, draws=300):
        assert found.share > 0.95 - 4 * math.sqrt(0.05 * 0.95 / 25), found


def test_a_covariance_estimated_from_panels_keeps_families_and_ranks_right() -> None:
    with_t, as_normal, ranks, pooled = from_panels(8, resamples=99)
    slack = 4 * math.sqrt(0.05 * 0.95 / 8)
    assert with_t.share < 0.05 + slack, with_t
    assert with_t.share <= as_normal.share
    assert ranks.share > 0.95 - slack, ranks
    assert pooled.share > 0.95 - max(4 * pooled.error, 0.1), pooled
