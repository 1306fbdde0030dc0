"""Bunching: units crowding just above a promised level are seen, few units can't say."""

from __future__ import annotations

import numpy as np
import pytest

from cps.design.record import Design
from cps.estimators.registry import estimate
from cps.result import Check
from cps.robustness.registry import check_robustness
from tests.robustness.worlds import world

LEVEL = 500_000.0


def villages(share_above: float, *, n_near: int = 12, n_treated: int = 15, seed: int = 0) -> Design:
    """Thirty villages; ``n_near`` treated ones report within 6% of 50万 from 2019 on."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(600_000, 1_500_000, (30, 10))
    y[:n_near, :5] = rng.uniform(300_000, 400_000, (n_near, 5))
    side = np.where(np.arange(n_near) < round(share_above * n_near), 1, -1)
    y[:n_near, 5:] = LEVEL * (1 + side[:, None] * rng.uniform(0.005, 0.06, (n_near, 5)))
    return world(
        y, [2019] * n_treated + [None] * (30 - n_treated), thresholds=(LEVEL,), measure="yuan"
    )


def check(design: Design) -> Check:
    effect = estimate(design, options={"weights": "did"})
    (one,) = check_robustness(design, effect, names=["bunching"])
    return one


def test_villages_that_all_stand_just_above_fail() -> None:
    one = check(villages(1.0))
    assert one.verdict is False
    assert one.statistic == pytest.approx(0.5**12)  # the sign test by hand
    assert "treated units after the start, 12 units above and 0 below" in one.explanation.en
    assert "50万元" in one.explanation.zh
    assert "500,000" in one.explanation.en


def test_villages_on_both_sides_pass_and_standing_below_is_no_fault() -> None:
    assert check(villages(0.5)).verdict is True
    assert check(villages(0.0)).verdict is True


def test_years_of_one_village_count_once() -> None:
    one = check(villages(1.0, n_near=5))
    row = one.table["group"].index("treated_after")
    assert one.table["cells_above"][row] == 25
    assert one.table["units_above"][row] == 5
    assert one.table["p_value"][row] == pytest.approx(1 / 32)


def test_too_few_villages_near_the_level_give_no_verdict() -> None:
    one = check(villages(1.0, n_near=4))
    assert one.verdict is None
    assert "can't say" in one.explanation.en
    assert "无法判断" in one.explanation.zh


def test_comparison_units_and_the_time_before_are_shown_beside() -> None:
    one = check(villages(1.0))
    assert set(one.table["group"]) == {
        "treated_after",
        "treated_before",
        "comparison_after",
        "comparison_before",
    }


def test_without_a_threshold_there_is_a_reason() -> None:
    rng = np.random.default_rng(0)
    one = check(world(rng.normal(size=(20, 10)), [2019, 2019, *[None] * 18]))
    assert one.verdict is None
    assert "no level was promised" in one.explanation.en
