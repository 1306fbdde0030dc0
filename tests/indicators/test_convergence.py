"""Convergence where it is and where error only makes it look so."""

import numpy as np
import pytest

from cps.errors import DesignError
from cps.indicators.convergence import beta_convergence, reliability_of_pair, sigma_convergence
from cps.indicators.grid import grid_of_array
from cps.indicators.record import Ask
from cps.indicators.registry import measure_indicator

ERROR = 0.4
SPREAD = 0.8
RELIABILITY = SPREAD**2 / (SPREAD**2 + ERROR**2)


def draw(rng, n, rho, error=ERROR):
    """Three years of one world: the year before, the base year, the last; true ρ known."""
    true = rng.normal(13, SPREAD, n)
    later = 13 + rho * (true - 13) + rng.normal(0, 0.2, n)
    return [np.exp(one + rng.normal(0, error, n)) for one in (true, true, later)]


@pytest.mark.parametrize("rho", [1.0, 0.8])
def test_error_in_the_base_year_feigns_convergence_and_the_correction_takes_it_out(rho):
    before, base, later = draw(np.random.default_rng(11), 200_000, rho)
    plain = beta_convergence(later, base, years=3)
    assert plain.naive_rho == pytest.approx(
        RELIABILITY * rho, abs=0.01
    )  # attenuation, in closed form
    assert plain.rho is None
    assert plain.bounds[0] < rho < plain.bounds[1]
    by_year = beta_convergence(later, base, years=3, instrument=before)
    assert by_year.rho == pytest.approx(rho, abs=0.01)
    assert by_year.reliability == pytest.approx(RELIABILITY, abs=0.01)
    by_ratio = beta_convergence(later, base, years=3, reliability=RELIABILITY)
    assert by_ratio.rho == pytest.approx(rho, abs=0.01)
    assert by_ratio.beta_per_year == pytest.approx((rho - 1) / 3, abs=0.005)


def test_the_interval_with_an_instrument_holds_its_level():
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        before, base, later = draw(rng, 75, 0.9)
        found = beta_convergence(later, base, years=3, instrument=before)
        hits += found.rho_low <= 0.9 <= found.rho_high
    # 400 draws: a true 95% lies within ±2.2 points in 95% of runs; robust errors at n = 75 cost one.
    assert hits / 400 == pytest.approx(0.95, abs=0.03)


def test_instrumented_slope_is_the_ratio_of_covariances():
    before, base, later = (np.log(one) for one in draw(np.random.default_rng(2), 40, 0.9))
    ratio = np.cov(later, before)[0, 1] / np.cov(base, before)[0, 1]
    found = beta_convergence(np.exp(later), np.exp(base), years=1, instrument=np.exp(before))
    assert found.rho == pytest.approx(ratio, rel=1e-10)


def test_a_weak_instrument_is_refused_in_words_with_bounds_left():
    rng = np.random.default_rng(0)
    _, base, later = draw(rng, 30, 0.9)
    found = beta_convergence(later, base, years=3, instrument=np.exp(rng.normal(size=30)))
    assert found.rho is None
    assert found.first_stage_f < 10
    assert "太弱" in found.explanation.zh
    assert found.bounds[0] == found.naive_rho


def test_speed_and_half_life_fit_together():
    base = np.exp(np.linspace(11, 15, 20))
    later = np.exp(13 + np.exp(-0.02 * 10) * (np.log(base) - 13))  # 2% a year, the textbook speed
    found = beta_convergence(later, base, years=10, reliability=1)
    assert found.speed_per_year == pytest.approx(0.02)
    assert found.half_life_years == pytest.approx(34.66, abs=0.01)


def test_sigma_is_over_the_same_units_only():
    found = sigma_convergence([2, 8, 5, np.nan], [1, 16, np.nan, 3])
    assert found.n == 2
    assert found.sd_now == pytest.approx(np.log(4) / 2)
    assert found.change == pytest.approx(np.log(4) / 2 - np.log(16) / 2)
    assert sigma_convergence([1, np.nan], [1, 1]) is None


def test_spread_can_stay_while_units_change_place():
    # Quah (1993): catching up on the mean (β below 0) with no less spread: Galton's fallacy.
    rng = np.random.default_rng(8)
    base = rng.normal(13, 0.8, 5_000)
    later = 13 + 0.8 * (base - 13) + rng.normal(0, 0.8 * np.sqrt(1 - 0.8**2), 5_000)
    assert sigma_convergence(np.exp(later), np.exp(base)).change == pytest.approx(0, abs=0.02)
    assert beta_convergence(np.exp(later), np.exp(base), years=1, reliability=1).rho < 0.85


def test_reliability_comes_from_two_measurements_of_one_year():
    first, second, _ = draw(np.random.default_rng(4), 100_000, 1.0)
    assert reliability_of_pair(first, second) == pytest.approx(RELIABILITY, abs=0.01)
    assert reliability_of_pair([1, 2, 3], [3, 2, 1]) is None


@pytest.mark.parametrize("reliability", [0, 1.2])
def test_a_reliability_that_is_no_share_is_refused(reliability):
    base = np.arange(1.0, 21)
    with pytest.raises(DesignError, match="reliability"):
        beta_convergence(base, base, years=1, reliability=reliability)


def test_too_few_units_are_refused():
    with pytest.raises(DesignError, match="units have positive"):
        beta_convergence([1, 2, 3], [1, 2, 3], years=1)


def test_an_indicator_takes_the_year_before_as_instrument_and_says_so():
    before, base, later = draw(np.random.default_rng(6), 60, 0.9)
    grid = grid_of_array(np.array([before, base, later]).T, periods=[2021, 2022, 2023])
    found = measure_indicator("beta_convergence", grid, Ask(2023, base=2022))
    assert found.parts["instrument_period"] == 2021
    assert "工具变量" in found.notes[0].zh
    assert found.ci_low < found.value < found.ci_high
    none = measure_indicator("beta_convergence", grid, Ask(2022, base=2021))
    assert none.value is None
    assert "无法校正" in none.notes[0].zh
    assert none.parts["uncorrected_beta_per_year"] is not None
    given = measure_indicator("beta_convergence", grid, Ask(2022, base=2021, reliability=0.9))
    assert given.parts["reliability"] == 0.9


def test_errors_that_are_tied_from_year_to_year_show_when_an_earlier_instrument_disagrees():
    rng = np.random.default_rng(14)
    n = 4_000
    true = rng.normal(13, 0.5, n)
    noise = [rng.normal(0, 0.5, n)]
    for _ in range(3):
        noise.append(0.5 * noise[-1] + rng.normal(0, 0.433, n))
    values = np.exp(np.array([true + one for one in noise])).T
    tied = grid_of_array(values, periods=[2020, 2021, 2022, 2023])
    found = measure_indicator("beta_convergence", tied, Ask(2023, base=2022))
    assert found.parts["rho_earlier_instrument"] is not None
    assert any("各年误差可能相关" in note.zh for note in found.notes)
    free = true[:, None] + rng.normal(0, 0.3, (n, 4))
    clean = grid_of_array(np.exp(free), periods=[2020, 2021, 2022, 2023])
    assert len(measure_indicator("beta_convergence", clean, Ask(2023, base=2022)).notes) == 1
