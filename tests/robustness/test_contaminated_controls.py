"""Contaminated comparison units: breaks are found, named, and their weight in the estimate shown."""

from __future__ import annotations

import dataclasses

import numpy as np

from cps.design.record import Design, LeftOut
from cps.estimators.registry import estimate
from cps.result import Check
from cps.robustness.registry import check_robustness
from tests.robustness.worlds import noise, world


def check(design: Design) -> Check:
    effect = estimate(design, options={"weights": "did"})
    (one,) = check_robustness(design, effect, names=["contaminated_controls"])
    return one


def broken(size: float, *, n: int = 24, rows: tuple[int, ...] = (9,), seed: int = 1) -> Design:
    y = noise(n, seed=seed)
    y[:3, 5:] += 3.0
    y[list(rows), 7:] += size  # a visitor boom from 2021 on
    return world(y, [2019] * 3 + [None] * (n - 3))


def test_a_comparison_unit_with_a_boom_of_its_own_is_named_with_its_year() -> None:
    one = check(broken(25.0))
    assert one.table["unit"] == ("u09",)
    assert one.table["period"] == (2021,)
    assert abs(float(one.table["break"][0] or 0) - 25.0) < 2.0  # noise of means over 7 and 3 years
    assert "u09" in one.explanation.en
    assert "u09" in one.explanation.zh


def test_booms_that_make_the_estimate_fail_the_check() -> None:
    assert check(broken(60.0, n=12, rows=(9, 10, 11))).verdict is False


def test_ordinary_noise_has_no_breaks_in_most_worlds() -> None:
    flagged = sum(bool(check(broken(0.0, seed=seed)).table["unit"]) for seed in range(30))
    # The bound is Bonferroni's at 5%; the robust spread of 21 units is itself uncertain by a sixth,
    # which lets through somewhat more.
    assert flagged <= 5


def test_units_declared_contaminated_are_put_back_to_show_what_they_change() -> None:
    one = broken(0.0)
    series = np.array(one.y[10]) + np.where(np.asarray(one.periods) >= 2019, 30.0, 0.0)
    wide = dataclasses.replace(one, left_out=(LeftOut("boomtown", "contaminated", series),))
    found = check(wide)
    assert "1 unit declared contaminated put back" in found.explanation.en
    assert found.verdict is check(one).verdict  # they have no part in it


def test_few_comparison_units_give_no_verdict() -> None:
    one = check(world(noise(6), [2019, None, None, None, None, None]))
    assert one.verdict is None
    assert "fewer than 6" in one.explanation.en
