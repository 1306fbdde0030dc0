"""Gains host by host: what a log effect is in money, whatever it spreads like, and what follows."""

from __future__ import annotations

import dataclasses
import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cps.errors import DesignError, UsageError
from cps.indicators.benefit import _gains
from cps.indicators.benefit._flows import make_flows, single
from cps.indicators.benefit._gains import (
    draw_gains,
    equal_amount,
    gains_at,
    mean_gain,
    shared_correlation,
    years_of,
)
from cps.indicators.benefit.appraise import appraise
from cps.indicators.benefit.defaults import basis_of, default_assumptions
from cps.indicators.benefit.record import Assumptions, Capital, HostGain, Spread

INCOME = ((110.0, 130.0, 150.0), (400.0, 440.0, None))
CAPITAL = Capital({"county": (300.0,), "social": (200.0,)})


def _gain(**changed: object) -> HostGain:
    one = HostGain(
        effects=(0.1, 0.2, 0.3),
        errors=(0.05, 0.06, 0.09),
        weights=(0.4, 0.4, 0.2),
        correlation=0.5,
        income_yuan=INCOME,
        is_log=True,
        periods_per_year=1,
        n_estimated=2,
        n_hosts=2,
    )
    return dataclasses.replace(one, **changed)  # type: ignore[arg-type]


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(_gains).failed == 0


def test_in_proportion_each_host_gains_its_income_less_what_it_would_have_been() -> None:
    one, other = gains_at(_gain(), 0.0).by_host(np.array([1.0]))
    assert one[0] == pytest.approx(
        [y * (1 - np.exp(-t)) for y, t in zip(INCOME[0], (0.1, 0.2, 0.3), strict=True)]
    )
    assert other[0] == pytest.approx([400 * (1 - np.exp(-0.1)), 440 * (1 - np.exp(-0.2))])
    assert mean_gain((one, other))[0] == pytest.approx(one.mean() + other.mean())


@given(
    tau=st.floats(-2.0, 2.0),
    income=st.lists(st.floats(1e4, 1e7), min_size=2, max_size=6),
)
def test_the_equal_amount_has_the_mean_log_effect_that_it_was_asked_for(
    tau: float, income: list[float]
) -> None:
    incomes = np.array(income)
    found = float(equal_amount(np.array([tau]), incomes)[0])
    assert found < incomes.min()
    assert -np.log1p(-found / incomes).mean() == pytest.approx(tau, abs=1e-7)


def test_equal_amounts_lie_under_proportional_ones_and_sharing_between_the_two() -> None:
    gains = gains_at(_gain(), 0.0)
    totals = [float(mean_gain(gains.by_host(np.array([share])))[0]) for share in (0.0, 0.5, 1.0)]
    assert totals[0] < totals[1] < totals[2]
    assert totals[1] == pytest.approx((totals[0] + totals[2]) / 2)


def test_one_host_has_nothing_to_share() -> None:
    assert gains_at(_gain(income_yuan=INCOME[:1], n_estimated=1), 0.0).equal is None


@given(
    errors=st.lists(st.floats(0.01, 2.0), min_size=2, max_size=6),
    rho=st.floats(0.0, 1.0),
    seed=st.integers(0, 99),
)
def test_the_shared_correlation_gives_the_mean_its_error(
    errors: list[float], rho: float, seed: int
) -> None:
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(errors)))
    spread = np.array(errors)
    covariance = np.outer(spread, spread) * (rho + (1 - rho) * np.eye(spread.size))
    error = float(np.sqrt(weights @ covariance @ weights))
    found = shared_correlation(errors, tuple(weights), error)
    again = np.outer(spread, spread) * (found + (1 - found) * np.eye(spread.size))
    assert float(np.sqrt(weights @ again @ weights)) == pytest.approx(error, rel=1e-5)


def test_draws_have_the_errors_and_the_correlation_that_they_were_given() -> None:
    # In levels the gain is the effect itself.
    gain = _gain(is_log=False, income_yuan=((1.0, 1.0, 1.0),), n_estimated=1)
    (drawn,) = draw_gains(gain, 200_000, np.random.default_rng(0)).proportional
    assert drawn.mean(axis=0) == pytest.approx([0.1, 0.2, 0.3], abs=0.001)
    assert drawn.std(axis=0) == pytest.approx([0.05, 0.06, 0.09], rel=0.01)
    correlation = np.corrcoef(drawn.T)
    assert correlation[np.triu_indices(3, 1)] == pytest.approx([0.5] * 3, abs=0.01)


def test_months_add_up_to_whole_years_and_what_is_left_over_is_dropped() -> None:
    months = tuple(100.0 + i for i in range(30))
    gain = _gain(
        effects=(0.1,) * 30,
        errors=(0.0,) * 30,
        weights=(1 / 30,) * 30,
        income_yuan=(months,),
        periods_per_year=12,
        n_estimated=1,
    )
    assert years_of(gain) == (2,)
    (found,) = gains_at(gain, 0.0).proportional
    share = 1 - np.exp(-0.1)
    assert found[0] == pytest.approx([share * sum(months[:12]), share * sum(months[12:24])])


def test_flows_go_on_from_each_hosts_own_last_year() -> None:
    assume = Assumptions(horizon_years=4, persistence=Spread(0.5, 0.5, 0.5))
    flows = make_flows(single(_gain(), assume), CAPITAL, assume)
    one, other = gains_at(_gain(), 0.0).by_host(np.array([1.0]))
    expected = [
        0.0,
        one[0, 0] + other[0, 0],
        one[0, 1] + other[0, 1],
        one[0, 2] + other[0, 1] / 2,
        one[0, 2] / 2 + other[0, 1] / 4,
    ]
    assert flows.surplus[0] == pytest.approx(expected)
    assert (flows.public[0, 0], flows.private[0, 0], flows.outside[0, 0]) == (300, 200, 200)


def test_running_cost_is_taken_off_each_year_and_the_residual_comes_at_the_end() -> None:
    plain = Assumptions(horizon_years=3)
    more = dataclasses.replace(
        plain, running_yuan=Spread(7, 7, 7), residual=Spread(0.3, 0.3, 0.3), overrun=Spread(2, 2, 2)
    )
    without, with_both = (make_flows(single(_gain(), one), CAPITAL, one) for one in (plain, more))
    assert with_both.surplus[0] - without.surplus[0] == pytest.approx(
        [0, -7, -7, -7 + 0.3 * 2 * 500]
    )


def test_observed_years_past_the_horizon_are_not_counted() -> None:
    assume = Assumptions(horizon_years=2)
    flows = make_flows(single(_gain(), assume), CAPITAL, assume)
    assert flows.surplus.shape == (1, 3)


def test_without_outside_investors_there_is_one_ratio_and_with_them_two() -> None:
    found = appraise(_gain(), CAPITAL, assumptions=Assumptions(), n_draws=200)
    at = found.at_rates[0]
    assert at.bcr_inside is not None and at.bcr.median is not None
    assert at.bcr_inside.median == pytest.approx(at.bcr.median * 500 / 300)
    alone = appraise(_gain(), Capital({"county": (500.0,)}), assumptions=Assumptions(), n_draws=200)
    assert alone.at_rates[0].bcr_inside == alone.at_rates[0].bcr


def test_what_is_left_of_an_investors_money_is_not_the_collectives() -> None:
    half = Assumptions(horizon_years=3, residual=Spread(0.5, 0.5, 0.5))
    nothing = _gain(effects=(0.0,) * 3, errors=(0.0,) * 3)
    at = appraise(nothing, CAPITAL, assumptions=half, n_draws=200).at_rates[0]
    assert at.bcr_inside is not None
    factor = 0.5 / 1.035**3
    assert (at.bcr.median, at.bcr_inside.median) == pytest.approx((factor, factor))


def test_the_gain_of_a_year_is_that_of_the_hosts_seen_in_it() -> None:
    found = appraise(_gain(), CAPITAL, assumptions=Assumptions(), n_draws=4_000)
    assert [(one.year, one.n_hosts) for one in found.by_year] == [(1, 2), (2, 2), (3, 1)]
    third = found.by_year[2].gain_yuan
    assert third.median == pytest.approx(150 * (1 - np.exp(-0.3)))
    ends = [150 * (1 - np.exp(-(0.3 + z * 0.09))) for z in (-1.96, 1.96)]
    # An end of 4,000 draws errs by about 4% of the s.d. (10).
    assert [third.lower, third.upper] == pytest.approx(ends, abs=1.5)


@pytest.mark.parametrize(
    "changed",
    [
        {"effects": ()},
        {"errors": (0.1, float("nan"), 0.1)},
        {"errors": (0.1, -0.1, 0.1)},
        {"correlation": 1.5},
        {"income_yuan": INCOME[:1]},
        {"income_yuan": (INCOME[0], (None, 1.0, 2.0))},
        {"income_yuan": (INCOME[0], (0.0, 1.0, 2.0))},
        {"n_hosts": 1},
    ],
)
def test_a_gain_that_can_t_be_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(DesignError):
        appraise(_gain(**changed), CAPITAL, n_draws=100)


def test_every_assumption_has_a_source_in_two_languages_and_a_quality() -> None:
    for one in basis_of({}).listed:
        assert one.name.zh and one.name.en and one.source.zh and one.source.en, one.key
        assert one.quality in ("good", "fair", "poor")
        assert list(one.values) == sorted(one.values)
        assert not one.is_own


def test_rates_of_discount_are_three_and_no_initiatives_to_choose() -> None:
    assert default_assumptions().rates == (0.035, 0.06, 0.08)
    with pytest.raises(UsageError):
        basis_of({"rates": (0.01, 0.02, 0.03)})
    with pytest.raises(UsageError, match="surplus_share"):
        basis_of({"surplus_shares": (0.1, 0.2, 0.3)})
