"""Appraisals: what simulation must give, what must be refused, what the words must say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cps.errors import DesignError, UsageError
from cps.indicators.benefit._flows import (
    draw_inputs,
    make_flows,
    moments,
    quantile,
    single,
)
from cps.indicators.benefit._rates import rates_of_draws
from cps.indicators.benefit.appraise import appraise, constant_gain
from cps.indicators.benefit.defaults import default_assumptions
from cps.indicators.benefit.finance import internal_rates, payback_years, present_value
from cps.indicators.benefit.jobs import find_jobs, fte_range
from cps.indicators.benefit.record import (
    Appraisal,
    Assumptions,
    Bar,
    Capital,
    Gain,
    Jobs,
    Spread,
)

FIXED = Assumptions(
    horizon_years=4,
    persistence=Spread(1, 1, 1),
    margin=Spread(1, 1, 1),
    overrun=Spread(1, 1, 1),
)
CAPITAL = Capital({"province": (500_000.0,), "village": (300_000.0, 100_000.0)})


def _gain(yearly: float = 600_000, se: float = 150_000, n_years: int = 4) -> Gain:
    return constant_gain(yearly, se, n_years=n_years, n_estimated=4, n_hosts=4)


def _bar(found: Appraisal, name: str) -> Bar:
    return next(one for one in found.tornado if one.input == name)


def test_without_uncertainty_the_green_books_options_come_out_of_the_whole_machinery() -> None:
    # The Green Book (2003), annex 6: £10m against £2.5m over four years has NPV −0.82 at 3.5%.
    for cost, yearly, printed in ((10.0, 2.5, -0.82), (5.0, 1.5, 0.51)):
        gain = constant_gain(yearly, 0.0, n_years=4, n_estimated=1, n_hosts=1)
        found = appraise(gain, Capital({"province": (cost,)}), assumptions=FIXED, n_draws=100)
        at = found.at_rates[0]
        assert at.npv_mean_yuan == pytest.approx(printed, abs=5e-3)
        assert at.npv_yuan.lower == pytest.approx(at.npv_yuan.upper)
        assert at.bcr.median == pytest.approx((cost + at.npv_mean_yuan) / cost)
        assert at.bcr_public == at.bcr  # all of it is public money
        assert at.share_positive == (1.0 if printed > 0 else 0.0)
        assert at.share_never == (0.0 if printed > 0 else 1.0)


def test_the_mean_npv_of_draws_is_the_product_of_means() -> None:
    assume = Assumptions(
        horizon_years=8,
        persistence=Spread(0.9, 0.9, 0.9),
        margin=Spread(0.2, 0.5, 0.6),
        overrun=Spread(1.0, 1.1, 1.5),
        displacement=Spread(0.0, 0.1, 0.4),
    )
    found = appraise(_gain(), CAPITAL, assumptions=assume, n_draws=20_000, seed=1)
    years = np.arange(9)
    share = np.where(years == 0, 0.0, np.where(years <= 4, 1.0, 0.9 ** np.maximum(years - 4, 0)))
    for at in found.at_rates:
        factors = (1 + at.rate) ** -years
        surplus = 600_000 * (0.2 + 0.5 + 0.6) / 3 * (1 - 0.5 / 3) * (share @ factors)
        outlay = (1.0 + 1.1 + 1.5) / 3 * (800_000 + 100_000 / (1 + at.rate))
        # Draws of NPV have an s.d. near 600,000: the mean of 20,000 errs by 4,300.
        assert at.npv_mean_yuan == pytest.approx(surplus - outlay, abs=17_000)


def test_draws_have_the_moments_and_quantiles_of_their_distributions() -> None:
    gain = Gain((3.0, 5.0), ((1.0, 0.6), (0.6, 2.0)), 1, 1)
    assume = dataclasses.replace(FIXED, margin=Spread(0.1, 0.2, 0.9))
    drawn = draw_inputs(gain, assume, 200_000, np.random.default_rng(0))
    (by_year,) = drawn.gains.proportional
    assert by_year.mean(axis=0) == pytest.approx([3, 5], abs=0.02)
    assert np.cov(by_year.T) == pytest.approx(np.array([[1, 0.6], [0.6, 2]]), abs=0.03)
    assert (drawn.margin.mean(), drawn.margin.std()) == pytest.approx(
        moments(assume.margin), rel=0.01
    )
    for share in (0.05, 0.1, 0.5, 0.9):
        assert np.quantile(drawn.margin, share) == pytest.approx(
            quantile(assume.margin, share), abs=0.005
        )


def test_an_interval_of_npv_with_nothing_else_unsure_is_the_estimates_own() -> None:
    found = appraise(_gain(), CAPITAL, assumptions=FIXED, n_draws=40_000)
    factor = (1.035 ** -np.arange(1, 5)).sum()
    outlay = 800_000 + 100_000 / 1.035
    at = found.at_rates[0]
    ends = [(600_000 + sign * 1.96 * 150_000) * factor - outlay for sign in (-1, 1)]
    # An end of 40,000 draws errs by about 1% of the s.d. (550,000) times 1.3.
    assert [at.npv_yuan.lower, at.npv_yuan.upper] == pytest.approx(ends, abs=25_000)


def test_public_money_stands_apart() -> None:
    gain = constant_gain(600_000, 0.0, n_years=4, n_estimated=4, n_hosts=4)
    found = appraise(gain, CAPITAL, assumptions=FIXED, n_draws=100)
    assert (found.total_yuan, found.public_yuan) == (900_000, 500_000)
    assert found.cost_per_wan is not None
    assert found.public_cost_per_wan is not None
    assert found.cost_per_wan.estimate == pytest.approx(15_000)
    assert found.public_cost_per_wan.estimate == pytest.approx(500_000 / 60)
    at = found.at_rates[0]
    surplus = 600_000 * (1.035 ** -np.arange(1, 5)).sum()
    private = 300_000 + 100_000 / 1.035
    assert at.bcr_public is not None
    assert at.bcr_public.median == pytest.approx((surplus - private) / 500_000)
    alone = appraise(gain, Capital({"village": (900_000.0,)}), assumptions=FIXED, n_draws=100)
    assert alone.public_cost_per_wan is None
    assert alone.at_rates[0].bcr_public is None
    assert any("没有财政资金" in one.zh for one in alone.notes)


def test_a_gain_that_may_be_nothing_has_an_unbounded_cost_per_wan_and_says_so() -> None:
    found = appraise(_gain(600_000, 500_000), CAPITAL, n_draws=500)
    assert found.cost_per_wan is not None
    assert found.cost_per_wan.kind == "outside"
    assert "无界" in found.cost_per_wan.words.zh
    assert found.share_never > 0
    assert found.payback_years.upper is None  # never, in more than 2.5% of draws


def test_a_negative_gain_has_no_price_per_unit() -> None:
    nothing_left = dataclasses.replace(default_assumptions(), residual=Spread(0, 0, 0))
    found = appraise(_gain(-600_000, 100_000), CAPITAL, assumptions=nothing_left, n_draws=500)
    assert found.cost_per_wan is not None
    assert "不能当作价格" in found.cost_per_wan.words.zh
    assert found.irr.rates == ()
    assert found.share_no_irr > 0.99
    assert found.share_never == 1.0


def test_rates_of_draws_are_those_found_one_by_one_and_the_shares_add_up() -> None:
    rng = np.random.default_rng(2)
    net = np.concatenate(
        [
            np.column_stack([-rng.uniform(1, 5, 40), rng.normal(1, 0.8, (40, 6))]),
            np.array([[-1600, 10000, -10000, 0, 0, 0, 0], [1000, -3000, 2500, 0, 0, 0, 0]]),
            np.array([[5.0, -1, -1, -1, -1, -1, -1]]),
        ]
    )
    found, none, several = rates_of_draws(net)
    slow = [internal_rates(row).rates for row in net]
    assert len(found) + none + several == len(net)
    assert none == sum(len(one) == 0 for one in slow)
    assert several == sum(len(one) > 1 for one in slow) > 0
    assert np.sort(found) == pytest.approx(
        np.sort([one[0] for one in slow if len(one) == 1]), abs=1e-8
    )


def test_payback_over_draws_is_that_of_each_draw() -> None:
    rng = np.random.default_rng(4)
    net = np.column_stack([-rng.uniform(1, 5, 50), rng.normal(1, 1, (50, 6))])
    together = payback_years(net, 0.06)
    for row, one in zip(net, together, strict=True):
        assert np.array_equal(payback_years(row, 0.06), one, equal_nan=True)


def test_the_tornado_is_sorted_and_every_switching_value_makes_the_npv_zero() -> None:
    gain = _gain()
    assume = dataclasses.replace(
        default_assumptions(),
        displacement=Spread(0.0, 0.1, 0.3),
        running_yuan=Spread(0, 20_000, 60_000),
    )
    found = appraise(gain, CAPITAL, assumptions=assume, n_draws=2_000)
    widths = [abs(one.npv_at_high_yuan - one.npv_at_low_yuan) for one in found.tornado]
    assert widths == sorted(widths, reverse=True)
    assert {one.input for one in found.tornado} == {
        "gain",
        "margin",
        "persistence",
        "overrun",
        "displacement",
        "residual",
        "running_yuan",
        "sharing",
    }
    switched = [one for one in found.tornado if one.switching_value is not None]
    assert len(switched) >= 4
    for bar in switched:
        # The gain is set in standard errors (150,000) from its estimate.
        x = float(bar.switching_value or 0.0)
        kept = 1 - quantile(assume.displacement, 0.5)
        at = (x / kept - 600_000) / 150_000 if bar.input == "gain" else x
        inputs = single(gain, assume, {bar.input: at})
        npv = present_value(make_flows(inputs, CAPITAL, assume).net, found.tornado_rate)
        assert abs(float(npv[0])) < 1.0  # 元


def test_the_tornado_points_the_right_way_and_a_fixed_input_has_no_width() -> None:
    found = appraise(_gain(), CAPITAL, n_draws=2_000)
    for name, sign in (("gain", 1), ("margin", 1), ("persistence", 1), ("overrun", -1)):
        bar = _bar(found, name)
        assert sign * (bar.npv_at_high_yuan - bar.npv_at_low_yuan) > 0
        assert bar.rank_correlation is not None
        # The overrun's part is small: its correlation over 2,000 draws may be lost in noise.
        assert sign * bar.rank_correlation > (0 if name != "overrun" else -0.1)
    fixed = _bar(found, "displacement")
    assert fixed.npv_at_low_yuan == fixed.npv_at_high_yuan
    assert fixed.rank_correlation is None


def test_net_jobs_keep_heads_and_full_time_equivalents_apart() -> None:
    low, high = fte_range(permanent_share=(0.2, 0.4), seasonal_months=(2, 6))
    assert (low, high) == pytest.approx((0.2 + 0.8 / 6, 0.4 + 0.6 / 2))
    jobs = Jobs(80, 20, low, high, 4, 4)
    assume = dataclasses.replace(FIXED, displacement=Spread(0.25, 0.25, 0.25))
    found = appraise(_gain(), CAPITAL, jobs=jobs, assumptions=assume, n_draws=100).jobs
    assert found is not None
    assert found.persons == pytest.approx(60)
    assert (found.lower, found.upper) == pytest.approx((60 - 1.96 * 15, 60 + 1.96 * 15), abs=0.01)
    assert (found.fte_low, found.fte_high) == pytest.approx((60 * low, 60 * high))
    assert found.cost_per_job is not None
    assert found.cost_per_fte_high is not None
    assert found.public_cost_per_job is not None
    assert found.cost_per_job.estimate == pytest.approx(15_000)
    assert found.cost_per_fte_high.estimate == pytest.approx(15_000 / low)
    assert found.public_cost_per_job.estimate == pytest.approx(500_000 / 60)


def test_cost_per_job_holds_the_truth_at_its_level_over_repeated_estimates() -> None:
    rng = np.random.default_rng(8)
    truth, n = 30.0, 2_000
    held = 0
    for persons in truth + 20.0 * rng.standard_normal(n):
        jobs = Jobs(float(persons), 20.0, 0.5, 1.0, 4, 4)
        found = find_jobs(
            jobs,
            total_yuan=900_000,
            public_yuan=None,
            displacement=Spread(0, 0, 0),
            level=0.95,
        )
        assert found.cost_per_job is not None
        held += found.cost_per_job.holds(900_000 / truth)
    # Exact 95%; 2,000 trials err by 0.5 points. The gain is 1.5 errors from zero: many are unbounded.
    assert held / n == pytest.approx(0.95, abs=0.016)


def test_every_assumption_is_printed_in_both_languages_with_the_same_numbers() -> None:
    found = appraise(_gain(), CAPITAL, n_draws=100)
    assert len(found.assumptions) == 8
    for text in found.assumptions:
        assert sorted(_numbers(text.zh)) == sorted(_numbers(text.en))


def _numbers(text: str) -> list[str]:
    import re

    return re.findall(r"\d+(?:\.\d+)?", text)


def test_the_same_seed_gives_the_same_appraisal_and_coverage_is_stated() -> None:
    part = constant_gain(1e5, 5e4, n_years=2, n_estimated=3, n_hosts=5)
    one, two = (appraise(part, CAPITAL, n_draws=300, seed=9) for _ in range(2))
    assert one == two
    assert (one.n_estimated, one.n_hosts) == (3, 5)
    assert any("5" in note.en and "3" in note.en for note in one.notes)


def test_doubling_all_money_doubles_the_npv_and_leaves_every_ratio_and_rate() -> None:
    one = appraise(_gain(), CAPITAL, n_draws=300)
    doubled = Capital({k: tuple(2 * x for x in v) for k, v in CAPITAL.by_source_yuan.items()})
    two = appraise(_gain(1_200_000, 300_000), doubled, n_draws=300)
    for a, b in zip(one.at_rates, two.at_rates, strict=True):
        assert b.npv_mean_yuan == pytest.approx(2 * a.npv_mean_yuan)
        assert b.bcr.median == pytest.approx(a.bcr.median)
    assert two.irr.rates == pytest.approx(one.irr.rates)


@pytest.mark.parametrize(
    "capital",
    [
        Capital({}),
        Capital({"province": (0.0,)}),
        Capital({"province": (-5.0, 10.0)}),
        Capital({"province": (1.0,) * 12}),
        Capital({"province": (float("nan"),)}),
    ],
)
def test_outlays_that_are_missing_or_make_no_sense_are_refused(capital: Capital) -> None:
    with pytest.raises(DesignError):
        appraise(_gain(), capital, n_draws=100)


@pytest.mark.parametrize(
    "gain",
    [
        Gain((), (), 1, 1),
        Gain((float("nan"),), ((1.0,),), 1, 1),
        Gain((1.0,), ((float("nan"),),), 1, 1),
        Gain((1.0, 1.0), ((1.0, 2.0), (2.0, 1.0)), 1, 1),
        Gain((1.0,), ((1.0,),), 3, 2),
        Gain((1.0,) * 11, ((0.0,) * 11,) * 11, 1, 1),
    ],
)
def test_a_gain_without_error_or_sense_is_refused(gain: Gain) -> None:
    with pytest.raises(DesignError):
        appraise(gain, CAPITAL, n_draws=100)


@pytest.mark.parametrize(
    "changed",
    [
        {"horizon_years": 31},
        {"rates": ()},
        {"rates": (3.5,)},
        {"overrun": Spread(0, 1, 2)},
        {"persistence": Spread(0, 1, 2)},
        {"margin": Spread(0.5, 1, 1.2)},
    ],
)
def test_assumptions_that_make_no_sense_are_refused(changed: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        appraise(_gain(), CAPITAL, assumptions=dataclasses.replace(Assumptions(), **changed))  # type: ignore[arg-type]


def test_an_assumption_that_falls_is_refused() -> None:
    with pytest.raises(UsageError, match="rise"):
        Spread(0.5, 0.4, 0.6)
