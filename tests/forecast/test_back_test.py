"""The back-test on the demonstration: what it compares, and that the model is worth its keep."""

from __future__ import annotations

import numpy as np
import pytest

from cps.errors import DesignError, UsageError
from cps.forecast._model import Chain
from cps.forecast.back_test import METHODS, BackTest, back_test
from cps.forecast.months import Months
from cps.forecast.rivals import holt_winters_draws, naive_draws

QUICK = Chain(n_burn=50, n_keep=80, n_futures=4)


@pytest.fixture(scope="module")
def small(demo_months: Months) -> Months:
    return Months(demo_months.units[:4], demo_months.years, demo_months.income_yuan[:4], True)


@pytest.fixture(scope="module")
def tested(small: Months) -> BackTest:
    return back_test(small, years=(2023,), at_months=(2, 10), chain=QUICK, n_draws=300)


def test_all_methods_are_scored_on_the_same_cases(tested: BackTest) -> None:
    assert len(tested.scores) == len(METHODS) * 3
    for method in METHODS:
        assert tested.of(method).n_cases == 8
        assert tested.of(method, 2).n_cases == tested.of(method, 10).n_cases == 4
        assert sum(tested.of(method).pit_counts) == 8
        assert sum(one.n for one in tested.of(method).reliability) == 16
    assert tested.is_synthetic
    assert tested.n_without_truth == 0


def test_the_model_beats_its_rivals_on_the_demonstration(
    demo_months: Months, few_months: Months
) -> None:
    # In the full back-test (2020–2024, 11 months) by 24% or more against each; here one origin.
    naive = METHODS[:3]
    for months, methods in ((demo_months, naive), (few_months, METHODS)):
        found = back_test(
            months, years=(2022,), at_months=(3,), methods=methods, chain=QUICK, n_draws=300
        )
        ours = found.of("pooled_seasons")
        for rival in methods[1:]:
            assert ours.crps_log < 0.9 * found.of(rival).crps_log
        assert ours.coverage_95 >= 0.8


def test_every_method_is_sharper_later_in_the_year(tested: BackTest) -> None:
    for method in METHODS:
        assert tested.of(method, 10).width_80 < tested.of(method, 2).width_80


def test_the_seasonal_naive_is_last_years_rest_and_its_misses(small: Months) -> None:
    known = small.seen_until(2023, 9)
    draws = naive_draws(known, 9, n_draws=4_000)
    income = known.income_yuan
    point = income[:, -1, :9].sum(axis=1) + income[:, -2, 9:].sum(axis=1)
    totals = income[:, :-1].sum(axis=2)
    guesses = income[:, 1:-1, :9].sum(axis=2) + income[:, :-2, 9:].sum(axis=2)
    misses = np.log(totals[:, 1:] / guesses)
    assert np.median(draws, axis=0) == pytest.approx(point * np.exp(np.median(misses)), rel=0.03)
    grown = naive_draws(known, 9, with_growth=True, n_draws=500)
    assert not np.allclose(grown.mean(axis=0), draws.mean(axis=0), rtol=1e-3)


def test_holt_winters_gives_no_answer_where_it_has_none(small: Months) -> None:
    income = np.array(small.seen_until(2020, 6).income_yuan[:3])
    income[0, 1, 4] = np.nan
    income[1, 1, 4] = 0.0
    known = Months(small.units[:3], (2017, 2018, 2019, 2020), income)
    draws = holt_winters_draws(known, 6, n_draws=50)
    assert np.isnan(draws[:, :2]).all()
    assert (draws[:, 2] > income[2, -1, :6].sum()).all()


def test_a_back_test_refuses_what_it_cannot_do(small: Months) -> None:
    with pytest.raises(DesignError, match="two earlier years"):
        back_test(small, years=(2018,), at_months=(6,))
    with pytest.raises(UsageError):
        back_test(small, years=(2023,), at_months=(12,))
    with pytest.raises(UsageError, match="holt_winters"):
        back_test(small, years=(2023,), methods=("holt_winter",))
    with pytest.raises(UsageError):
        back_test(small, years=())
