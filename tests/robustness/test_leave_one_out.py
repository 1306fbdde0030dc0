"""Leave one out: units of both sides and whole cohorts, each by an estimate made anew."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.estimators.registry import estimate, point_estimate
from cps.result import Check
from cps.robustness.registry import check_robustness
from tests.robustness.worlds import noise, world


def check(design: Design, method: str = "group_time_att") -> Check:
    (one,) = check_robustness(design, estimate(design, method), names=["leave_one_out"])
    return one


def staggered(n: int = 24) -> Design:
    y = noise(n)
    y[:2, 5:] += 4.0
    y[2:4, 6:] += 4.0
    return world(y, [2019, 2019, 2020, 2020, 2021, *[None] * (n - 5)])


def test_every_number_is_the_estimate_without_that_unit_or_cohort() -> None:
    design = staggered()
    one = check(design)
    found = dict(zip(one.table["unit"], one.table["att"], strict=True))
    starts = np.array([0 if c is None else c for c in design.cohort])
    for name, att in found.items():
        keep = (
            starts != int(str(name).removeprefix("cohort "))
            if str(name).startswith("cohort ")
            else np.array([unit != name for unit in design.units])
        )
        slow = point_estimate(subset_design(design, units=keep), "group_time_att")
        assert att == pytest.approx(slow)


def test_both_sides_and_cohorts_of_more_than_one_unit_are_left_out() -> None:
    names = check(staggered()).table["unit"]
    assert set(names) >= {"u00", "u01", "u02", "u03", "u04", "cohort 2019", "cohort 2020"}
    assert "cohort 2021" not in names  # the same as leaving out its one unit
    assert any(int(str(name)[1:]) >= 5 for name in names if not str(name).startswith("cohort"))


def test_the_comparison_unit_that_moved_most_is_among_those_left_out() -> None:
    y = noise(40)
    y[33, 5:] -= 60.0
    one = check(world(y, [2019, 2019, *[None] * 38]))
    assert "u33" in one.table["unit"]
    assert "u33 moves it most" in one.explanation.en


def test_a_cohort_that_carries_the_effect_is_named() -> None:
    y = noise(24)
    y[:2, 5:] += 30.0
    one = check(world(y, [2019, 2019, 2021, 2021, *[None] * 20]))
    assert "cohort 2019 moves it most" in one.explanation.en
    assert one.verdict is False


def test_clusters_that_hold_treated_units_are_left_out_whole() -> None:
    design = staggered()
    town = tuple(f"t{i // 3}" for i in range(24))
    one = check(dataclasses.replace(design, cluster=town), "joint_effects")
    found = dict(zip(one.table["unit"], one.table["att"], strict=True))
    assert {name for name in found if str(name).startswith("cluster")} == {
        "cluster t0",
        "cluster t1",
    }
    keep = np.array([name != "t0" for name in town])
    slow = point_estimate(subset_design(design, units=keep), "joint_effects")
    assert found["cluster t0"] == pytest.approx(slow)
    assert "2 clusters" in one.explanation.en
    assert "2 个聚类" in one.explanation.zh


def test_gaps_do_not_stop_it() -> None:
    y = noise(24)
    y[0, 2] = y[9, 9] = np.nan
    design = world(y, [2019, 2019, 2021, 2021, *[None] * 20], missing="keep")
    one = check(design, "joint_effects")
    assert one.verdict is not None
    assert all(np.isfinite(float(att or 0.0)) for att in one.table["att"])
