"""Heterogeneity and meta-regression, against the trials of BCG vaccine as R ``metafor`` has them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cps.errors import UsageError
from cps.synthesis.heterogeneity import measure_heterogeneity, regress_effects

# Colditz et al. (1994): cases and others among vaccinated, among controls; latitude, year.
BCG = np.array(
    [
        [4, 119, 11, 128, 44, 1948],
        [6, 300, 29, 274, 55, 1949],
        [3, 228, 11, 209, 42, 1960],
        [62, 13536, 248, 12619, 52, 1977],
        [33, 5036, 47, 5761, 13, 1973],
        [180, 1361, 372, 1079, 44, 1953],
        [8, 2537, 10, 619, 19, 1973],
        [505, 87886, 499, 87892, 13, 1980],
        [29, 7470, 45, 7232, 27, 1968],
        [17, 1699, 65, 1600, 42, 1961],
        [186, 50448, 141, 27197, 18, 1974],
        [5, 2493, 3, 2338, 33, 1969],
        [27, 16886, 29, 17825, 33, 1976],
    ],
    dtype=float,
)
_A, _B, _C, _D, LATITUDE, YEAR = BCG.T
LOG_RISK = np.log(_A / (_A + _B)) - np.log(_C / (_C + _D))
VARIANCE = 1 / _A - 1 / (_A + _B) + 1 / _C - 1 / (_C + _D)


def test_the_vaccine_trials_differ_as_much_as_metafor_says() -> None:
    found = measure_heterogeneity(LOG_RISK, VARIANCE)
    # Viechtbauer (2010), J. Statistical Software 36(3), section 4: to the digits printed.
    assert found.q == pytest.approx(152.2330, abs=5e-5)
    assert found.q_freedom == 12
    assert found.tau2 == pytest.approx(0.3132, abs=5e-5)
    assert found.mean == pytest.approx(-0.7145, abs=5e-5)
    assert found.i2 == pytest.approx(0.9222, abs=5e-5)
    # The Q-profile of the same section.
    assert (found.tau2_low, found.tau2_high) == pytest.approx((0.1197, 1.1115), abs=5e-5)
    assert (found.i2_low, found.i2_high) == pytest.approx((0.8192, 0.9768), abs=5e-5)


def test_latitude_and_year_explain_what_metafor_says() -> None:
    found = regress_effects(LOG_RISK, VARIANCE, {"latitude": LATITUDE, "year": YEAR})
    intercept, latitude, year = found.coefficients
    assert found.tau2 == pytest.approx(0.1108, abs=5e-5)
    assert found.i2 == pytest.approx(0.7198, abs=5e-5)
    assert found.r2 == pytest.approx(0.6463, abs=5e-5)
    assert found.q_residual == pytest.approx(28.3251, abs=5e-5)
    assert latitude.estimate == pytest.approx(-0.0280, abs=5e-5)
    assert year.estimate == pytest.approx(0.0019, abs=5e-5)
    # metafor's intercept is at latitude 0 in year 0.
    at_zero = intercept.estimate - latitude.estimate * LATITUDE.mean() - year.estimate * YEAR.mean()
    assert at_zero == pytest.approx(-3.5455, abs=5e-3)
    assert found.freedom == 10


def _slow(y, covariance, x, tau2):
    """Generalised least squares and Knapp-Hartung written out with whole matrices."""
    w = np.linalg.inv(covariance + tau2 * np.eye(len(y)))
    inner = np.linalg.inv(x.T @ w @ x)
    beta = inner @ x.T @ w @ y
    residual = y - x @ beta
    q = residual @ w @ residual
    _, log = np.linalg.slogdet(covariance + tau2 * np.eye(len(y)))
    height = -0.5 * (log - np.linalg.slogdet(inner)[1] + q)
    return beta, inner * q / (len(y) - x.shape[1]), q, height


def test_correlated_estimates_are_weighted_with_their_whole_covariance() -> None:
    rng = np.random.default_rng(2)
    root = rng.standard_normal((12, 12))
    covariance = root @ root.T / 12 + 0.2 * np.eye(12)
    z = rng.standard_normal(12)
    y = 1 + z + np.linalg.cholesky(covariance) @ rng.standard_normal(12) + rng.standard_normal(12)
    found = regress_effects(y, covariance, {"z": z})
    x = np.column_stack([np.ones(12), z - z.mean()])
    beta, errors, _, top = _slow(y, covariance, x, found.tau2)
    np.testing.assert_allclose([one.estimate for one in found.coefficients], beta, rtol=1e-8)
    np.testing.assert_allclose(
        [one.se for one in found.coefficients], np.sqrt(np.diag(errors)), rtol=1e-8
    )
    for away in (0.97, 1.03):
        assert _slow(y, covariance, x, away * found.tau2)[3] < top
    assert found.f == pytest.approx(found.coefficients[1].t ** 2)
    assert found.f_p_value == pytest.approx(found.coefficients[1].p_value)


def test_equal_estimates_have_no_spread_and_their_interval_starts_at_zero() -> None:
    found = measure_heterogeneity([1.0, 1.1, 0.9, 1.0], [1.0] * 4)
    assert (found.tau2, found.i2, found.tau2_low) == (0.0, 0.0, 0.0)
    assert found.q_p_value > 0.99


def test_scale_and_order_do_not_matter() -> None:
    found = measure_heterogeneity(LOG_RISK, VARIANCE)
    scaled = measure_heterogeneity(1e4 * LOG_RISK[::-1], 1e8 * VARIANCE[::-1])
    assert scaled.tau2 == pytest.approx(1e8 * found.tau2, rel=1e-6)
    assert scaled.i2_high == pytest.approx(found.i2_high)
    assert scaled.mean_se == pytest.approx(1e4 * found.mean_se, rel=1e-6)


def test_formats_are_compared_with_the_commonest_and_gaps_are_counted() -> None:
    formats = ["tourism", "farm", "farm", "farm", "craft", "tourism", None, "craft"]
    effects = [3.0, 1.0, 1.1, 0.9, 2.0, 3.1, 9.0, 2.1]
    found = regress_effects([*effects, None], [0.01] * 9, {"format": [*formats, "farm"]})
    assert [(one.at, one.against) for one in found.coefficients[1:]] == [
        ("craft", "farm"),
        ("tourism", "farm"),
    ]
    assert found.coefficients[0].estimate == pytest.approx(1.0)
    assert found.coefficients[2].estimate == pytest.approx(2.05)
    assert (found.n_used, found.n_declared) == (7, 9)


@pytest.mark.parametrize(
    ("moderators", "words"),
    [
        ({}, "no trait"),
        ({"a": [1.0, 2.0]}, "2 values for 8"),
        ({"a": [1.0] * 8}, "does not vary"),
        ({"a": [1.0, "x", 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]}, "mixes"),
        ({"a": list("abcdefgh")}, "degrees of freedom"),
        ({"a": list(range(8)), "b": [2 * one for one in range(8)]}, "collinear"),
    ],
)
def test_traits_that_can_not_be_told_apart_are_refused(moderators, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        regress_effects(np.arange(8.0), np.ones(8), moderators)
    assert words in caught.value.message("en")


def test_two_estimates_show_no_spread() -> None:
    with pytest.raises(UsageError, match="needs 3"):
        measure_heterogeneity([1.0, 2.0, math.nan], [1.0, 1.0, 1.0])
