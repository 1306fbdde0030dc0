"""Leave one out: units of both sides and whole cohorts, each by an estimate made anew."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.design.subset import subset_design
from cps.estimators.registry import estimate, point_estimate, refit
from cps.result import Check
from cps.robustness import _placebos, leave_one_out
from cps.robustness._placebos import assignment
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


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weights": "sc", "solver": "exact"},
        {"weights": "did"},
        {"weights": "difp_reg"},
        {"errors": "bootstrap"},
        {"weights": "sc"},
    ],
)
def test_synthetic_did_without_a_unit_is_that_of_the_design_without_it(
    options: dict[str, str],
) -> None:
    design = staggered()
    without = np.eye(len(design.units), dtype=bool)[[0, 1, 4, 7, 12]]
    found = refit(design, "synthetic_did", options=options).without(without)
    for att, absent in zip(found, without, strict=True):
        smaller = subset_design(design, units=~absent)
        slow = point_estimate(smaller, "synthetic_did", options=options)
        assert att == pytest.approx(slow, rel=1e-9)  # machine precision, not that of steps


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


def sections(n: int = 400, *, clusters: int = 20) -> Design:
    """Give people seen once each, in clusters of which a quarter start as a whole in 2019."""
    rng = np.random.default_rng(6)
    cluster, year = np.arange(n) % clusters, 2016 + (np.arange(n) // clusters) % 6
    starts = cluster % 4 == 0
    frame = pl.DataFrame(
        {
            "unit": [f"p{i:03d}" for i in range(n)],
            "year": year,
            "y": rng.normal(size=n) + 3.0 * (starts & (year >= 2019)) + np.eye(n)[7] * 90,
            "cohort": [2019 if one else None for one in starts],
            "village": cluster.astype(str),
        },
        schema_overrides={"cohort": pl.Int64},
    )
    return design_from_frame(
        frame, unit="unit", period="year", outcome="y", cohort="cohort", cluster="village",
        missing="keep",
    )  # fmt: skip


def test_of_people_seen_once_those_far_from_their_periods_mean_are_left_out() -> None:
    design = sections()
    assert np.isfinite(design.y).sum() == len(design.units)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checks = {c.name: c for c in check_robustness(design, estimate(design, "group_time_att"))}
    one = checks["leave_one_out"]
    assert "p007" in one.table["unit"]
    assert one.table["unit"][-1].startswith("cluster ")  # type: ignore[union-attr]
    # No unit was seen on both sides of the start: that is no sign that none has a break.
    assert checks["contaminated_controls"].verdict is None
    # Starts are dealt out among villages, as they were given.
    assert "of whole clusters" in checks["placebo_in_space"].explanation.en
    pattern, place = assignment(design)
    assert pattern.tolist() == [2019.0] * 5
    donors = [
        c for c, is_donor in zip(design.cluster or (), design.is_donor, strict=True) if is_donor
    ]
    pairs = set(zip(donors, place.tolist(), strict=True))
    assert len(pairs) == len(set(donors)) == 15


def test_a_large_panel_is_asked_less_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    design = staggered(40)
    all_of_them = check(design)
    assert "at most" not in all_of_them.explanation.en
    for module in (leave_one_out, _placebos):
        monkeypatch.setattr(module, "MANY_CELLS", 100)
    one = check(design)
    assert "at most 5 of each kind" in one.explanation.en
    assert "每类至多剔除 5 个" in one.explanation.zh
    assert len(one.table["unit"]) < len(all_of_them.table["unit"])
    effect = estimate(design, "group_time_att")
    assert len(_placebos.placebo_effects(design, effect, seed=0)) == 39
