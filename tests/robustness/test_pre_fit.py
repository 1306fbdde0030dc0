"""Fit before the start: each cohort against what chance alone makes."""

from __future__ import annotations

import numpy as np
import pytest

from cps.design.record import Design
from cps.estimators.registry import estimate
from cps.result import Check
from cps.robustness.pre_fit import _chance_bound, _noise
from cps.robustness.registry import check_robustness
from tests.robustness.worlds import noise, world


def check(design: Design, method: str = "synthetic_did", **options: str) -> Check:
    effect = estimate(design, method, options=options)
    (one,) = check_robustness(design, effect, names=["pre_fit"])
    return one


def staggered(drift: float, seed: int = 0) -> Design:
    """Two cohorts of two; the later one has a trend of its own."""
    y = noise(24, seed=seed)
    y[2:4] += drift * np.arange(10)[None, :]
    return world(y, [2019, 2019, 2021, 2021, *[None] * 20])


def test_the_cohort_that_does_not_fit_is_named() -> None:
    one = check(staggered(2.0), weights="did")
    assert one.verdict is False
    assert "cohort 2021" in one.explanation.en
    assert "2021 批次" in one.explanation.zh
    assert one.table["cohort"] == ("2019", "2021")


def test_the_numbers_are_those_of_the_definition() -> None:
    design = staggered(0.0)
    one = check(design, weights="did")
    y = design.y
    before = np.asarray(design.periods) < 2019
    gap = (y[:2].mean(axis=0) - y[4:].mean(axis=0))[before]
    gap = gap - gap.mean()
    assert one.table["rmse"][0] == pytest.approx(np.sqrt((gap**2).mean()))
    load = (1 / 2 + 1 / 20) * (1 - 1 / before.sum())
    assert one.table["usual"][0] == pytest.approx(_noise(design) * np.sqrt(load))


def test_the_bound_is_the_root_of_a_chi_squared_quantile_over_its_degrees() -> None:
    # 95% quantiles of chi-squared with 4 and 9 degrees: 9.488 and 16.919; Wilson-Hilferty is good
    # to half a percent there.
    assert _chance_bound(5, 1) == pytest.approx(np.sqrt(9.488 / 4), rel=5e-3)
    assert _chance_bound(10, 1) == pytest.approx(np.sqrt(16.919 / 9), rel=5e-3)


def test_parallel_units_fail_in_about_one_of_twenty_worlds() -> None:
    failed = sum(check(staggered(0.0, seed), weights="did").verdict is False for seed in range(60))
    # 3 are expected at 5%; 9 or more would be seen in fewer than 1 of 200 such studies.
    assert failed <= 8


def test_a_method_without_weights_is_judged_by_its_path() -> None:
    one = check(staggered(0.0), "group_time_att", base="universal")
    assert one.verdict is not None
    assert one.table["cohort"] == ("",)


def test_too_few_periods_or_comparison_units_give_a_reason() -> None:
    one = check(world(noise(12, t=3), [2015, *[None] * 11]), weights="did")
    assert one.verdict is None
    assert "fewer than two pre-periods" in one.explanation.en
