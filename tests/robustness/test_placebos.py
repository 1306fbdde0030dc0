"""Placebos in space and time: ranks by hand, pretended starts before any true one."""

from __future__ import annotations

import numpy as np
import pytest

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.estimators.registry import estimate, point_estimate
from cps.result import Check
from cps.robustness._placebos import placebo_effects
from cps.robustness.registry import check_robustness
from tests.robustness.worlds import noise, world


def check(name: str, design: Design, method: str = "group_time_att") -> Check:
    effect = estimate(design, method)
    (one,) = check_robustness(design, effect, names=[name])
    return one


def test_a_method_without_placebos_of_its_own_is_fitted_to_each_comparison_unit() -> None:
    design = world(noise(25), [2019, *[None] * 24])
    effect = estimate(design, "group_time_att")
    found = placebo_effects(design, effect, seed=0)
    assert len(found) == 24
    # By hand: one comparison unit after another in the treated one's place, the treated one gone.
    donors = subset_design(design, units=design.is_donor)
    slow = [
        point_estimate(
            subset_design(donors, cohort=[2019 if i == j else None for i in range(24)]),
            "group_time_att",
        )
        for j in range(24)
    ]
    assert np.allclose(found, [one or 0.0 for one in slow])
    as_large = (np.abs(found) >= abs(effect.overall.att or 0.0)).sum()
    one = check("placebo_in_space", design)
    assert one.statistic == pytest.approx((1 + as_large) / 25)


def test_a_staggered_pattern_is_dealt_out_whole() -> None:
    y = noise(30)
    y[:3] += np.where(np.arange(10) >= 5, 20.0, 0.0)
    design = world(y, [2019, 2020, 2020, *[None] * 27])
    one = check("placebo_in_space", design)
    assert one.verdict is True
    assert "0 of 99" in one.explanation.en


def test_too_few_comparison_units_to_stand_in_are_said_so() -> None:
    one = check("placebo_in_space", world(noise(8), [2019] * 5 + [None] * 3))
    assert one.verdict is None
    assert "3 comparison units can't stand in for 5 treated ones" in one.explanation.en


def test_starts_are_pretended_in_the_three_periods_before_the_earliest_true_one() -> None:
    one = check("placebo_in_time", world(noise(40), [2020] * 8 + [None] * 32))
    assert one.table["period"] == (2017, 2018, 2019)
    assert one.threshold == pytest.approx(0.05 / 3)
    assert one.verdict is True


def test_an_effect_that_was_there_before_the_start_fails_at_the_year_it_began() -> None:
    y = noise(40)
    y[:8, 4:] += 6.0  # from 2018 on; the declared start is 2020
    one = check("placebo_in_time", world(y, [2020] * 8 + [None] * 32))
    assert one.verdict is False
    worst = min(
        zip(one.table["p_value"], one.table["period"], strict=True), key=lambda pair: pair[0]
    )
    assert worst[1] == 2018


def test_nothing_after_a_true_start_enters() -> None:
    y = noise(40)
    moved = y.copy()
    moved[:8, 6:] += 100.0
    cohort: list[int | None] = [2020] * 8 + [None] * 32
    assert (
        check("placebo_in_time", world(y, cohort)).table
        == check("placebo_in_time", world(moved, cohort)).table
    )


def test_cohorts_with_too_few_periods_before_are_left_out_first() -> None:
    y = noise(40)
    y[:4, 1:] += 50.0  # treated from the second year on: nothing before it to pretend in
    one = check("placebo_in_time", world(y, [2015] * 4 + [2020] * 6 + [None] * 30))
    assert one.table["period"] == (2017, 2018, 2019)
    assert "(6 treated units)" in one.explanation.en
    assert one.verdict is True
    none = check("placebo_in_time", world(y, [2015] * 4 + [2016] * 6 + [None] * 30))
    assert none.verdict is None
    assert "2 periods before a start at most" in none.explanation.en


def test_one_treated_unit_is_judged_by_rank_not_by_an_error_it_does_not_have() -> None:
    # The analytic error of a single treated unit knows nothing of that unit's own noise: it would
    # fail nearly every world. Rejections by rank stay near their level.
    failed = sum(
        check("placebo_in_time", world(noise(40, seed=seed), [2020, *[None] * 39])).verdict is False
        for seed in range(40)
    )
    assert failed <= 6  # 5% of 40 are 2; 7 or more would be seen in 1 of 200 such studies


def test_ranks_among_few_placebos_look_at_one_start_or_cannot_say() -> None:
    one = check("placebo_in_time", world(noise(26), [2020, *[None] * 25]))
    assert len(one.table["period"]) == 1  # 1 / 26 is below 5%, not below a third of it
    assert one.verdict is not None
    few = check("placebo_in_time", world(noise(12), [2020, *[None] * 11]))
    assert few.verdict is None
    assert "no p-value could reach" in few.explanation.en


def test_synthetic_controls_are_ranked_by_the_ratio_of_errors_after_and_before() -> None:
    y = noise(30, seed=8)
    y[0, 5:] += 8.0
    design = world(y, [2019, *[None] * 29])
    effect = estimate(design, "synthetic_control")
    (one,) = check_robustness(design, effect, names=["placebo_in_space"])
    # By hand, from the table of the effect: the treated unit's ratio among all units' ratios.
    table = effect.tables["placebo"]
    ratios = np.array(table["ratio"], dtype=float)
    treated = table["unit"].index("u00")
    p_value = float((ratios >= ratios[treated]).sum() / len(ratios))
    assert one.statistic == pytest.approx(p_value)
    assert one.statistic == effect.overall.p_value
    assert "ratio of mean squared errors" in one.explanation.en
    assert "均方误差之比" in one.explanation.zh
    for words in (one.explanation.zh, one.explanation.en):
        assert f"{len(effect.placebos)}" in words
        assert f"p = {p_value:.3f}" in words
