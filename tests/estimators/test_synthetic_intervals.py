"""Placebo intervals of synthetic control: shown where they say something, else the reason."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.estimators._synth_findings import wide_interval
from cps.estimators._synth_gaps import Calendar
from cps.estimators._synth_placebo import blown_up, governing, movement
from cps.estimators.registry import estimate
from cps.result import Effect

DEMEANED = {"intercept": "yes"}


def panel(y: np.ndarray, n_pre: int) -> Design:
    """The first unit is treated after ``n_pre`` years."""
    n, periods = y.shape
    years = np.arange(2000, 2000 + periods)
    frame = pl.DataFrame(
        {
            "unit": [f"u{i:02d}" for i in range(n) for _ in years],
            "year": np.tile(years, n),
            "y": y.ravel(),
            "cohort": pl.Series(
                [2000 + n_pre if i == 0 else None for i in range(n) for _ in years]
            ),
        }
    )
    return design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="cohort")


def noisy(n_donors: int, n_pre: int, seed: int = 4) -> np.ndarray:
    """Independent noise about levels; the treated unit trends away from everyone before its start."""
    rng = np.random.default_rng(seed)
    y = 50 + rng.normal(0, 5, (1 + n_donors, 1)) + rng.normal(0, 1, (1 + n_donors, n_pre + 6))
    y[0] += 3 * np.arange(n_pre + 6)
    return y


def codes(effect: Effect) -> list[str]:
    return [one.code for one in effect.findings]


def test_no_interval_hangs_on_a_placebo_that_few_periods_let_be_followed_perfectly() -> None:
    effect = estimate(panel(noisy(40, 4), 4), "synthetic_control", options=DEMEANED)
    assert "W-EST-WIDE-PLACEBO" in codes(effect)
    assert effect.overall.ci_low is None
    assert effect.overall.ci_high is None
    assert effect.overall.p_value is not None
    (said,) = [one for one in effect.findings if one.code == "W-EST-WIDE-PLACEBO"]
    assert "4 periods" in said.what.en
    assert "4 期" in said.what.zh
    assert "40" in said.what.zh


def test_many_periods_leave_the_interval_as_it_was() -> None:
    y = noisy(40, 60)
    y[0] -= 3 * np.arange(66)
    effect = estimate(panel(y, 60), "synthetic_control", options=DEMEANED)
    assert "W-EST-WIDE-PLACEBO" not in codes(effect)
    low, high = effect.overall.ci_low, effect.overall.ci_high
    assert low is not None
    assert high is not None
    # Noise of deviation 1, averaged over six years after the start.
    assert 0.5 < high - low < 12


def test_the_unit_of_measure_changes_nothing_about_what_is_shown() -> None:
    for n_pre in (4, 60):
        y = noisy(40, n_pre)
        one, other = (
            estimate(panel(each, n_pre), "synthetic_control", options=DEMEANED)
            for each in (y, 1e6 * y)
        )
        assert codes(one) == codes(other)
        assert (one.overall.ci_low is None) == (other.overall.ci_low is None)


def test_times_followed_more_closely_by_hand() -> None:
    # A hundredth of the squared error, at the same movement: ten times.
    assert blown_up((4.0, 0.04), (9.0, 9.0)) == pytest.approx(10.0)
    # A quieter unit with smaller errors in the same proportion blows up nothing.
    assert blown_up((400.0, 0.04), (10_000.0, 1.0)) == pytest.approx(1.0)
    # One that moves more than the treated: the errors as they are.
    assert blown_up((4.0, 0.04), (1.0, 9.0)) == pytest.approx(10.0)


def test_the_placebo_that_bounds_is_the_last_one_that_rejects() -> None:
    ratios = np.array([3.0, 9.0, 1.0, 7.0, *np.linspace(0, 0.9, 35)])
    assert governing(ratios, 0.95) == 3  # two of forty may exceed
    assert governing(ratios, 0.99) is None


def test_movement_is_the_variance_of_the_mean_path_before_the_start() -> None:
    y = np.array([[1.0, 3.0, 9.0], [3.0, 1.0, 9.0], [0.0, 4.0, 9.0]])
    calendar = Calendar(np.arange(3), np.array([2]), 0)
    starts = np.array([[2.0, np.inf, np.inf], [2.0, 2.0, np.inf], [np.inf, np.inf, 2.0]])
    found = movement(y, starts, calendar, 1.0)
    assert found == pytest.approx([1.0, 1e-10, 4.0])


def test_half_a_width_beyond_the_outcomes_range_is_not_shown() -> None:
    design = panel(noisy(8, 12), 12)
    inside = wide_interval(design, placebo="u01", n_pre=12, times=2.0, half=9.0, reach=9.0)
    assert inside == ()
    (beyond,) = wide_interval(design, placebo="u01", n_pre=12, times=2.0, half=9.5, reach=9.0)
    assert "9.5" in beyond.what.en
    assert "9.5" in beyond.what.zh


def test_an_effect_that_no_constant_comes_near_has_no_interval_and_says_so() -> None:
    y = noisy(40, 60)
    y[0] -= 3 * np.arange(66)
    y[0, 60:] += np.array([-900.0, 900.0] * 3)
    effect = estimate(panel(y, 60), "synthetic_control", options=DEMEANED)
    assert effect.overall.ci_low is None
    assert "N-EST-EMPTY-PLACEBO" in codes(effect)
    assert effect.overall.p_value == pytest.approx(1 / 41)
