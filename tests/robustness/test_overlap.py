"""Overlap: standardised differences by hand, and verdicts only where units are enough to say."""

from __future__ import annotations

import numpy as np
import pytest

from cps.design.record import Design
from cps.estimators.registry import estimate
from cps.result import Check
from cps.robustness.registry import check_robustness
from tests.robustness.worlds import noise, world


def check(design: Design, **options: str) -> Check:
    effect = estimate(design, options=options or {"weights": "sc"})
    (one,) = check_robustness(design, effect, names=["overlap"])
    return one


def grouped(shift: float, n_treated: int, n_donors: int, seed: int = 0) -> Design:
    y = noise(n_treated + n_donors, seed=seed)
    y[:n_treated] += shift
    return world(y, [2019] * n_treated + [None] * n_donors)


def test_the_standardised_difference_is_the_textbook_one() -> None:
    one = grouped(2.0, 8, 12)
    before = one.y[:, :5].mean(axis=1)
    pooled = np.sqrt((before[:8].var(ddof=1) + before[8:].var(ddof=1)) / 2)
    found = check(one)
    assert found.table["quantity"][0] == "level_before"
    assert found.table["standardised_difference"][0] == pytest.approx(
        (before[:8].mean() - before[8:].mean()) / pooled
    )


def test_groups_on_different_levels_fail_where_units_are_many() -> None:
    one = check(grouped(12.0, 10, 20))
    assert one.verdict is False
    assert "the outcome's level" in one.explanation.en


def test_a_level_that_differencing_takes_out_is_shown_and_not_judged() -> None:
    y = noise(30)
    y[:10, :5] = y[10:20, :5] + 12.0  # the same changes before the start, on another level
    one = check(world(y, [2019] * 10 + [None] * 20), weights="did")
    assert one.verdict is not False
    assert "which differencing takes out" in one.explanation.en
    assert one.table["standardised_difference"][0] > 2  # type: ignore[operator]


def test_other_changes_before_the_start_fail_where_units_are_many() -> None:
    y = noise(30)
    y[:10] += 2.0 * np.arange(10)[None, :]
    one = check(world(y, [2019] * 10 + [None] * 20), weights="did")
    assert one.verdict is False
    assert "the outcome's change" in one.explanation.en


def test_two_treated_units_that_differ_by_chance_have_no_verdict() -> None:
    # A distance of one standard deviation has an error of 0.75 with two treated units.
    y = noise(22, seed=4)
    level = y[2:, :5].mean(axis=1)
    target = level.mean() + level.std(ddof=1)
    y[:2] += target - y[:2, :5].mean(axis=1, keepdims=True)
    one = check(world(y, [2019, 2019, *[None] * 20]))
    assert one.explanation.zh.count("2 个承办单位") == 1
    assert one.verdict is None
    assert one.table["n_outside"][0] == 0


def test_treated_units_beyond_every_comparison_unit_fail() -> None:
    assert check(grouped(40.0, 3, 20)).verdict is False


def test_a_single_unit_just_beyond_a_few_others_is_no_surprise() -> None:
    # Of eleven alike units one is the highest or lowest with a chance of 2 in 11.
    y = noise(11, seed=3)
    before = y[1:, :5].mean(axis=1)
    y[0] += before.max() + 0.1 - y[0, :5].mean()
    one = check(world(y, [2019, *[None] * 10]))
    assert one.table["n_outside"][0] == 1
    assert one.verdict is not False


def test_alike_groups_pass() -> None:
    y = noise(20, seed=2)
    y[:10] = y[10:]  # twins
    one = check(world(y, [2019] * 10 + [None] * 10))
    assert one.verdict is True
    assert one.statistic == 0.0


def test_covariates_are_compared_too_and_a_score_sets_separated_units_apart() -> None:
    rng = np.random.default_rng(0)
    n = 40
    size = rng.normal(size=n) + np.repeat([8.0, 0.0], 20)
    design = world(noise(n), [2019] * 20 + [None] * 20, covariates={"size": size})
    effect = estimate(world(noise(n), [2019] * 20 + [None] * 20), "group_time_att")
    from cps.robustness import overlap

    assert overlap.applies(design, effect) is None
    one = overlap.run(design, effect, seed=0)
    assert one.verdict is False
    assert "size" in one.table["quantity"]
    assert "a propensity score sets 20 treated units apart" in one.explanation.en
