"""Present values, internal rates, payback and ratio sets against published and planted examples."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cps.errors import UsageError
from cps.indicators.benefit import finance, jobs, ratios
from cps.indicators.benefit.finance import (
    benefit_cost_ratio,
    discount_factors,
    internal_rates,
    modified_rate,
    payback_years,
    present_value,
)
from cps.indicators.benefit.ratios import (
    affordable_share,
    cost_set,
    ratio_set,
    ratio_set_of_draws,
)


@pytest.mark.parametrize("module", [finance, ratios, jobs])
def test_the_examples_in_the_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_discount_factors_are_those_of_the_green_book_table() -> None:
    # HM Treasury, The Green Book (2003), annex 6, table 6.1 at 3.5%: printed with four decimals.
    printed = {
        0: 1.0,
        1: 0.9662,
        2: 0.9335,
        3: 0.9019,
        4: 0.8714,
        5: 0.8420,
        10: 0.7089,
        30: 0.3563,
    }
    factors = discount_factors(31, 0.035)
    for year, factor in printed.items():
        assert factors[year] == pytest.approx(factor, abs=5e-5)


def test_the_green_books_two_options_have_its_printed_present_values() -> None:
    # The Green Book (2003), annex 6, box: £10m for £2.5m over four years against £5m for £1.5m.
    yearly = {"A": 2.5 * discount_factors(5, 0.035)[1:], "B": 1.5 * discount_factors(5, 0.035)[1:]}
    assert yearly["A"].round(2).tolist() == [2.42, 2.33, 2.25, 2.18]
    assert yearly["B"].round(2).tolist() == [1.45, 1.40, 1.35, 1.31]
    assert present_value([-10, *[2.5] * 4], 0.035) == pytest.approx(-0.82, abs=5e-3)
    assert present_value([-5, *[1.5] * 4], 0.035) == pytest.approx(0.51, abs=5e-3)


def test_costs_and_benefits_of_the_informatics_self_test_give_its_ratio() -> None:
    # Friedman & Wyatt, Evaluation Methods in Biomedical Informatics (2nd ed., 2006), self-test 11.3:
    # five years at 5%, the first one discounted; present values printed in whole dollars, its
    # "cost-benefit ratio" 1.04 is the inverse of ours.
    costs = [0, 100_000, 40_000, 10_000, 10_000, 10_000]
    benefits = [0, 0, 30_000, 40_000, 50_000, 60_000]
    # Its factors are rounded to four decimals: up to 3 dollars on each amount.
    assert present_value(costs, 0.05) == pytest.approx(156_220, abs=10)
    assert present_value(benefits, 0.05) == pytest.approx(149_911, abs=10)
    assert 1 / benefit_cost_ratio(benefits, costs, 0.05) == pytest.approx(1.04, abs=5e-3)


def test_npv_in_a_spreadsheets_convention_is_ours_one_year_on() -> None:
    # NumPy 1.1's test of npv (spreadsheets discount the first flow too): 117.04.
    assert present_value([0, -15000, 1500, 2500, 3500, 4500, 6000], 0.05) == pytest.approx(
        117.04, abs=5e-3
    )


@pytest.mark.parametrize(
    ("flows", "printed", "tolerance"),
    [
        # Spreadsheet manuals' example of IRR, printed as 8.66%.
        ([-70000, 12000, 15000, 18000, 21000, 26000], [0.0866], 5e-5),
        # NumPy's tests of irr.
        ([-150000, 15000, 25000, 35000, 45000, 60000], [0.0524], 5e-5),
        ([-100, 0, 0, 74], [-0.0955], 5e-5),
        # A spreadsheet user guide's examples, the first with a second rate that it doesn't give.
        ([-700, 750, 900, 600, 850], [1.0462142], 5e-8),
        # The oil pump of Lorie & Savage (1955), doi:10.1086/294081.
        ([-1600, 10000, -10000], [0.25, 4.0], 1e-9),
        # A finance examination's "about 38% and 260%".
        ([-2000, 10000, -10000], [0.38, 2.62], 5e-3),
        # Ross, Westerfield & Jordan: rates of 1/4, 1/3, 3/7 and 2/3, all between 20% and 70%.
        ([-252, 1431, -3035, 2850, -1000], [1 / 4, 1 / 3, 3 / 7, 2 / 3], 1e-9),
        # Brealey & Myers: a mine to be restored, "6% and 28%".
        ([-22, 15, 15, 15, 15, -40], [0.06, 0.28], 5e-3),
        # A double root, touching zero at 10%.
        ([-100, 220, -121], [0.10], 1e-6),
    ],
)
def test_internal_rates_are_those_printed_and_all_of_them(
    flows: list[float], printed: list[float], tolerance: float
) -> None:
    assert internal_rates(flows).rates == pytest.approx(printed, abs=tolerance)


def test_a_guide_that_prints_one_of_two_rates_is_completed() -> None:
    found = internal_rates([-80, 90, 67, 72, -90])
    assert found.rates[0] == pytest.approx(-0.32606171, abs=5e-8)
    assert len(found.rates) == 2
    assert found.only is None
    assert "2" in found.words.zh
    assert "2" in found.words.en


def test_a_project_without_an_internal_rate_says_so_though_its_value_is_positive() -> None:
    # Brealey & Myers: +1,000, −3,000, +2,500 has no rate and an NPV of 339 at 10%.
    flows = [1000, -3000, 2500]
    found = internal_rates(flows)
    assert found.rates == ()
    assert "不存在" in found.words.zh
    assert "always positive" in found.words.en
    assert present_value(flows, 0.10) == pytest.approx(339, abs=0.5)


@pytest.mark.parametrize(
    ("flows", "word"), [([-5, -1], "nothing comes back"), ([5, 1], "nothing is spent")]
)
def test_flows_of_one_sign_have_no_rate_and_the_words_say_why(
    flows: list[float], word: str
) -> None:
    assert internal_rates(flows).rates == ()
    assert word in internal_rates(flows).words.en


@pytest.mark.parametrize("flows", [[0, 0], [float("nan"), 1]])
def test_flows_that_every_rate_or_none_would_do_for_are_refused(flows: list[float]) -> None:
    with pytest.raises(UsageError):
        internal_rates(flows)


@given(st.lists(st.integers(-6, 30), min_size=1, max_size=4, unique=True))
def test_every_planted_rate_is_found_and_no_other(tenths: list[int]) -> None:
    rates = sorted(one / 10 for one in tenths)
    flows = np.array([-1.0])
    for rate in rates:
        flows = np.convolve(flows, [1.0, -(1 + rate)])
    # Roots a tenth apart, four of them: conditioning costs up to half of the digits.
    assert internal_rates(flows).rates == pytest.approx(rates, abs=1e-6)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12))
def test_the_value_is_zero_at_every_rate_found(flows: list[float]) -> None:
    if not any(flows):
        return
    for rate in internal_rates(flows).rates:
        x = 1 / (1 + rate)
        terms = np.array(flows) * x ** np.arange(len(flows))
        assert abs(terms.sum()) <= 1e-9 * np.abs(terms).sum()


def test_payback_is_the_textbooks_and_discounting_lengthens_it() -> None:
    assert payback_years([-100, 40, 40, 40]) == pytest.approx(2.5)
    # 40/1.1 + 40/1.21 + 40/1.331 = 99.47 < 100: not within three years at 10%.
    assert np.isnan(payback_years([-100, 40, 40, 40], 0.10))
    # 36.36 + 33.06 + 30.05 leaves 0.526 for the fourth year's 27.32.
    assert payback_years([-100, 40, 40, 40, 40], 0.10) == pytest.approx(
        3 + 0.5259 / 27.3205, abs=1e-4
    )


def test_what_is_paid_back_and_falls_behind_again_is_not_paid_back() -> None:
    assert payback_years([-100, 150, -100, 80]) == pytest.approx(2 + 50 / 80)
    assert np.isnan(payback_years([-100, 150, -100]))
    assert payback_years([10, 5]) == 0.0


def _slow_holds(ratio: float, a: float, b: float, v: np.ndarray, q: float) -> bool:
    return (a - ratio * b) ** 2 <= q**2 * (v[0, 0] - 2 * ratio * v[0, 1] + ratio**2 * v[1, 1])


@given(
    st.floats(-5, 5),
    st.floats(-5, 5),
    st.floats(0.1, 3),
    st.floats(0.1, 3),
    st.floats(-0.95, 0.95),
)
def test_a_ratio_set_is_what_inverting_the_test_ratio_by_ratio_gives(
    a: float, b: float, a_se: float, b_se: float, correlation: float
) -> None:
    covariance = correlation * a_se * b_se
    found = ratio_set(a, b, numerator_se=a_se, denominator_se=b_se, covariance=covariance)
    v = np.array([[a_se**2, covariance], [covariance, b_se**2]])
    for ratio in np.concatenate([np.linspace(-20, 20, 81), [-1e4, 1e4]]):
        ends = [one for one in (found.lower, found.upper) if one is not None]
        if any(abs(ratio - one) < 1e-6 * max(1, abs(one)) for one in ends):
            continue  # on the edge rounding decides
        assert found.holds(float(ratio)) == _slow_holds(ratio, a, b, v, 1.959963984540054)


def test_a_bounded_set_follows_fiellers_formula_as_printed() -> None:
    # The closed form with g, of Fieller (1954), independent estimates.
    a, b, a_se, b_se, q = 63.0, 25.0, 8.0, 5.0, 1.959963984540054
    g = (q * b_se / b) ** 2
    half = q / b * np.sqrt(a_se**2 * (1 - g) + (a / b) ** 2 * b_se**2)
    found = ratio_set(a, b, numerator_se=a_se, denominator_se=b_se)
    assert (found.lower, found.upper) == pytest.approx(
        ((a / b - half) / (1 - g), (a / b + half) / (1 - g)), rel=1e-12
    )
    assert found.g == pytest.approx(g)


@pytest.mark.parametrize(
    ("b", "a_se", "b_se", "kind"),
    # Unit variances scaled: the three cases of von Luxburg & Franz (2009).
    [(1.0, 0.2, 0.2, "interval"), (0.2, 0.2, 0.2, "outside"), (1.0, 0.75, 0.75, "everything")],
)
def test_the_three_kinds_of_set_are_told_apart(
    b: float, a_se: float, b_se: float, kind: str
) -> None:
    found = ratio_set(1.0, b, numerator_se=a_se, denominator_se=b_se)
    assert found.kind == kind
    assert found.g is not None
    assert (found.g < 1) == (kind == "interval")
    assert ("told from zero" in found.words.en) == (kind != "interval")
    assert ("与零无法区分" in found.words.zh) == (kind != "interval")


def test_cost_per_unit_of_an_unsure_gain_is_unbounded_in_words() -> None:
    found = ratio_set(100.0, 2.0, numerator_se=0.0, denominator_se=2.0)
    assert found.kind == "outside"
    # Known cost: the set is that of the gain's own interval, turned over.
    assert found.upper == pytest.approx(100 / (2 + 2 * 1.959963984540054))
    assert found.lower == pytest.approx(100 / (2 - 2 * 1.959963984540054))
    assert "无界" in found.words.zh


@pytest.mark.parametrize("denominator", [0.0, 0.5, 3.0])
def test_ratio_sets_hold_the_truth_at_their_level_even_where_the_denominator_is_zero(
    denominator: float,
) -> None:
    rng = np.random.default_rng(3)
    truth = (2.0, denominator)
    covariance = np.array([[1.0, 0.3], [0.3, 0.5]])
    draws = rng.multivariate_normal(truth, covariance, 2_000)
    held = 0
    for a, b in draws:
        found = ratio_set(
            a, b, numerator_se=1.0, denominator_se=np.sqrt(0.5), covariance=0.3, level=0.95
        )
        # With a zero denominator the true ratio is infinite: only unbounded sets hold it.
        held += found.kind != "interval" if denominator == 0 else found.holds(2.0 / denominator)
    # Exact coverage 95%; the error of 2,000 trials is 0.5 points.
    assert held / 2_000 == pytest.approx(0.95, abs=0.016)


def test_sets_from_draws_agree_with_those_from_moments() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.multivariate_normal([10, 4], [[1, 0.2], [0.2, 0.25]], 200_000).T
    found = ratio_set_of_draws(a, b)
    exact = ratio_set(10, 4, numerator_se=1, denominator_se=0.5, covariance=0.2)
    assert (found.lower, found.upper) == pytest.approx((exact.lower, exact.upper), rel=0.01)


def test_the_share_worth_its_cost_rises_with_the_price_and_needs_no_denominator() -> None:
    gains = np.array([-1.0, 0.0, 1.0, 2.0])
    shares = affordable_share(np.full(4, 10.0), gains, [1, 6, 11])
    assert shares.tolist() == [0.0, 0.25, 0.5]


@pytest.mark.parametrize(
    "given_",
    [
        {"numerator_se": -1.0, "denominator_se": 1.0},
        {"numerator_se": 1.0, "denominator_se": 1.0, "covariance": 2.0},
        {"numerator_se": float("nan"), "denominator_se": 1.0},
        {"numerator_se": 1.0, "denominator_se": 1.0, "level": 1.0},
    ],
)
def test_impossible_errors_are_refused(given_: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        ratio_set(1.0, 1.0, **given_)


def test_nothing_over_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="zero"):
        ratio_set(1.0, 0.0, numerator_se=0.0, denominator_se=0.0)


def test_the_modified_rate_is_the_spreadsheets_worked_example() -> None:
    # Microsoft's documentation of MIRR: 120,000 borrowed at 10%, earnings reinvested at 12%.
    flows = np.array([-120_000, 39_000, 30_000, 21_000, 37_000, 46_000], dtype=float)
    printed = [(6, 0.12, 0.13), (4, 0.12, -0.05), (6, 0.14, 0.13)]
    exact = [0.126094, -0.048045, 0.134759]
    for (n, reinvest, shown), value in zip(printed, exact, strict=True):
        found = float(modified_rate(flows[:n], finance=0.10, reinvest=reinvest))
        assert found == pytest.approx(value, abs=5e-7)
        assert round(found, 2) == shown


def test_where_there_is_one_internal_rate_reinvesting_at_it_gives_it_back() -> None:
    flows = [-100.0, 20.0, 35.0, 60.0, 15.0]
    (rate,) = internal_rates(flows).rates
    assert float(modified_rate(flows, finance=rate, reinvest=rate)) == pytest.approx(rate)


def test_a_modified_rate_exists_where_internal_rates_are_several_or_none() -> None:
    several, none = [-1600.0, 10_000.0, -10_000.0], [-100.0, 20.0, -30.0]
    assert len(internal_rates(several).rates) == 2
    assert internal_rates(none).rates == ()
    rates = modified_rate(np.array([several, none]), finance=0.06, reinvest=0.06)
    assert np.isfinite(rates).all()
    assert np.isnan(modified_rate([5.0, 1.0], finance=0.06, reinvest=0.06))
    assert float(modified_rate([-5.0, -1.0], finance=0.06, reinvest=0.06)) == -1.0


@given(
    outlay=st.floats(1.0, 1e7),
    units=st.floats(-500, 500),
    error=st.floats(0.01, 300),
)
def test_the_cost_of_a_unit_is_fiellers_set_where_the_outlay_is_known(
    outlay: float, units: float, error: float
) -> None:
    q = 1.959963984540054
    fieller = ratio_set(outlay, units, numerator_se=0.0, denominator_se=error)
    found = cost_set(outlay, units, units - q * error, units + q * error)
    if abs(abs(units) - q * error) < 1e-6 * error:
        return  # an end at zero: rounding decides which kind it is
    assert found.kind == fieller.kind
    assert found.estimate == fieller.estimate
    assert (found.lower, found.upper) == pytest.approx((fieller.lower, fieller.upper), rel=1e-6)


def test_the_cost_of_a_unit_is_unbounded_where_there_may_be_none() -> None:
    found = cost_set(100.0, 4.0, -1.0, 8.0)
    assert (found.kind, found.lower, found.upper) == ("outside", -100.0, 12.5)
    assert not found.holds(12.0)
    assert found.holds(1e9)
    assert cost_set(100.0, 4.0, 0.0, 8.0).kind == "everything"
    for wrong in ((0.0, 1.0, 0.5, 2.0), (100.0, 1.0, 2.0, 0.5), (100.0, 0.0, 0.0, 0.0)):
        with pytest.raises(UsageError):
            cost_set(*wrong)
