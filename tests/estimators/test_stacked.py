"""Stacked comparisons: known truths, what the weights correct, and invariants."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.errors import DesignError
from cps.estimators.registry import estimate, point_estimate, refit
from tests.estimators._panels import design, panel, shuffles, starts, with_gaps

NEVER = {"control": "never", "pre": 2, "post": 1}


def test_growing_effects_are_found_exactly() -> None:
    effect = estimate(design(panel(effect=2.0, growth=1.0)), "stacked", options={"post": 1})
    assert {e.event_time: round(e.estimate.att, 9) for e in effect.by_event_time} == {
        -2: 0.0,
        -1: 0.0,
        0: 2.0,
        1: 3.0,
    }
    assert effect.overall.att == pytest.approx(2.5)
    assert effect.tables["window"] == {"first_event": (-2,), "last_event": (1,)}
    assert effect.findings == ()


def test_corrected_effects_are_group_time_effects_weighted_by_cohort_size() -> None:
    one = design(panel(effect=1.0, growth=0.5, noise=1.0))
    stacked = estimate(one, "stacked", options=NEVER)
    cells = estimate(one, "group_time_att", options={"control": "never", "base": "universal"})
    size = {g: sum(c == g for c in one.cohort) for g in one.cohorts}
    for shown in stacked.by_event_time:
        here = [c for c in cells.group_time if c.period - c.cohort == shown.event_time]
        mean = sum(size[c.cohort] * c.estimate.att for c in here) / sum(
            size[c.cohort] for c in here
        )
        assert shown.estimate.att == pytest.approx(mean, abs=1e-9)


def test_plain_stacks_are_biased_where_controls_trend_and_shares_differ() -> None:
    # Two cohorts with the same truth of zero, and controls of the first stack that are others than
    # those of the second: plain weights mix trends, corrected ones do not.
    frame = panel([2017] * 6 + [2019] * 2 + [2021] * 6 + [None] * 2, noise=1.0, seed=5)
    one = design(frame)
    options = {"pre": 2, "post": 1}
    corrected = estimate(one, "stacked", options=options)
    plain = estimate(one, "stacked", options={**options, "weights": "plain"})
    assert corrected.overall.att != pytest.approx(plain.overall.att, abs=1e-6)
    assert corrected.tables["stacks"] == {
        "cohort": (2017, 2019, 2021),
        "n_treated": (6, 2, 6),
        "n_control": (10, 8, 2),
    }


def test_levels_by_unit_give_the_same_corrected_estimate_as_levels_by_group() -> None:
    frame = panel(effect=1.0, growth=0.5, noise=1.0)
    one = design(frame, weights="w")
    nudged = frame.with_columns(w=pl.col("w") * (1 + 1e-12 * (pl.col("year") - 2015)))
    options = {"pre": 2, "post": 1}
    quick, slow = (
        point_estimate(d, "stacked", options=options) for d in (one, design(nudged, weights="w"))
    )
    assert quick == pytest.approx(slow, abs=1e-9)


def test_a_plain_stack_of_one_cohort_is_the_two_way_regression() -> None:
    one = design(panel([2018] * 4 + [None] * 5, effect=1.0, noise=1.0))
    stacked = estimate(
        one, "stacked", options={"weights": "plain", "pre": "all", "post": "all"}
    ).overall
    two_way = estimate(one, "two_way_fixed_effects").overall
    assert (stacked.att, stacked.se) == pytest.approx((two_way.att, two_way.se), abs=1e-9)


def test_errors_go_by_unit_although_a_unit_is_in_several_stacks() -> None:
    one = design(panel(effect=1.0, noise=1.0))
    by_unit = estimate(one, "stacked", options={**NEVER, "weights": "plain"}).overall
    by_stack = estimate(
        one, "stacked", options={**NEVER, "weights": "plain", "cluster_by": "stack"}
    ).overall
    assert by_unit.att == by_stack.att
    assert by_unit.se != pytest.approx(by_stack.se, rel=1e-3)


def test_cohorts_without_the_window_are_left_out_and_named() -> None:
    one = design(panel(effect=1.0, noise=0.5))
    effect = estimate(one, "stacked", options={"pre": 3})
    (finding,) = [f for f in effect.findings if f.code == "W-EST-COHORTS-LEFT-OUT"]
    assert "2017" in finding.where
    assert effect.tables["stacks"]["cohort"] == (2019, 2021)
    assert effect.n_treated == 6


def test_windows_and_controls_that_do_not_exist_are_refused() -> None:
    one = design(panel(effect=1.0))
    with pytest.raises(DesignError, match="whole window"):
        estimate(one, "stacked", options={"pre": 7})
    with pytest.raises(DesignError, match="same window"):
        estimate(one, "stacked", options={"pre": "all"})
    two = design(panel([2018] * 3 + [2019] * 3, effect=1.0))
    with pytest.raises(DesignError, match="clean control"):
        estimate(two, "stacked", options={"post": 3})
    assert point_estimate(two, "stacked", options={"post": 0}) == pytest.approx(1.0)


def test_repeated_cross_sections_are_sent_elsewhere() -> None:
    one = design_from_frame(
        panel(effect=1.0), unit=None, period="year", outcome="y", cohort="cohort", missing="keep"
    )
    with pytest.raises(DesignError, match="imputation with levels=cohort"):
        estimate(one, "stacked")


def test_controls_that_start_within_the_window_are_not_clean() -> None:
    # 2019's effect is huge: were it a control of 2018 in its window, it would show.
    frame = panel([2018] * 3 + [2019] * 3 + [None] * 3, effect=1.0).with_columns(
        y=pl.when((pl.col("cohort") == 2019) & (pl.col("year") >= 2019))
        .then(pl.col("y") + 1000)
        .otherwise("y")
    )
    effect = estimate(design(frame), "stacked", options={"pre": 2, "post": 1, "weights": "plain"})
    stacks = effect.tables["stacks"]
    assert stacks["n_control"] == (3, 3)
    mean = {e.event_time: e.estimate.att for e in effect.by_event_time}
    assert mean[0] == pytest.approx((1 + 1001) / 2)


@pytest.mark.parametrize(
    "given", [{"weights": "wt"}, {"covariates": ["x"]}, {"cluster": "group"}], ids=str
)
def test_exact_effects_survive_weights_covariates_and_clusters(given) -> None:
    effect = estimate(
        design(panel(effect=2.0, growth=1.0), **given), "stacked", options={"pre": 2, "post": 1}
    )
    assert effect.overall.att == pytest.approx(2.5, abs=1e-9)


def test_gaps_are_borne() -> None:
    one = design(with_gaps(panel(effect=2.0), 0.05), missing="keep")
    assert estimate(one, "stacked", options={**NEVER, "weights": "plain"}).overall.att == (
        pytest.approx(2.0, abs=1e-9)
    )


@pytest.mark.parametrize("weights", ["corrected", "plain"])
@pytest.mark.parametrize("given", [{}, {"weights": "w"}, {"anticipation": 1}], ids=str)
def test_many_assignments_at_once_are_one_after_another(weights: str, given) -> None:
    own = panel(effect=1.0, noise=1.0)
    one = design(own, **given)
    for options in ({"weights": weights, "pre": 1}, {"weights": weights, "pre": 1, "post": 1}):
        assigned = shuffles(one, 4)
        batch = refit(one, "stacked", options=options).under(assigned)
        for row, value in zip(assigned, batch, strict=True):
            frame = panel([None if np.isinf(s) else int(s) for s in row]).with_columns(own["y"])
            frame = frame.with_columns(own["w"])
            other = point_estimate(design(frame, **given), "stacked", options=options)
            assert value == pytest.approx(other, abs=1e-9)
        assert batch[0] == pytest.approx(
            estimate(one, "stacked", options=options).overall.att, abs=1e-9
        )


def test_assignments_with_other_starts_are_taken_one_by_one() -> None:
    one = design(panel(effect=1.0, noise=1.0))
    other = np.where(np.isinf(starts(one)), np.inf, 2018.0)
    frame = panel([None if np.isinf(s) else 2018 for s in other[0]]).with_columns(
        panel(effect=1.0, noise=1.0)["y"]
    )
    assert refit(one, "stacked").under(other)[0] == pytest.approx(
        point_estimate(design(frame), "stacked"), abs=1e-12
    )


def test_anticipation_moves_the_reference_and_the_controls() -> None:
    frame = panel(effect=2.0).with_columns(
        y=pl.when(pl.col("year") == pl.col("cohort") - 1).then(pl.col("y") + 0.5).otherwise("y")
    )
    effect = estimate(design(frame, anticipation=1), "stacked", options={"pre": 1, "post": 1})
    assert {e.event_time: round(e.estimate.att, 9) for e in effect.by_event_time} == {
        -2: 0.0,
        -1: 0.5,
        0: 2.0,
        1: 2.0,
    }
