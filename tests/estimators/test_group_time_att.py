"""Group-time effects: known truths and invariants."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators.registry import estimate


def panel(
    cohorts: list[int | None], effect: float = 0.0, *, noise: float = 0.0, seed: int = 0
) -> pl.DataFrame:
    """Units with own levels and a common trend over 2015–2022; effects grow by event time."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        [
            {
                "unit": f"u{i:02d}",
                "year": year,
                "y": 3.0 * i
                + (year - 2015) ** 1.5
                + (effect * (year - cohort + 1) if cohort and year >= cohort else 0.0)
                + rng.normal(0, noise or 1e-12),
                "cohort": cohort,
            }
            for i, cohort in enumerate(cohorts)
            for year in range(2015, 2023)
        ],
        schema_overrides={"cohort": pl.Int64},
    )


def design(frame: pl.DataFrame, **options: int) -> Design:
    return design_from_frame(
        frame, unit="unit", period="year", outcome="y", cohort="cohort", **options
    )


STAGGERED = [2017] * 3 + [2019] * 4 + [2021] * 2 + [None] * 6


@pytest.mark.parametrize("control", ["never", "not_yet"])
@pytest.mark.parametrize("base", ["varying", "universal"])
def test_growing_effects_of_staggered_cohorts_are_found_exactly(control: str, base: str) -> None:
    effect = estimate(
        design(panel(STAGGERED, 2.0)), "group_time_att", options={"control": control, "base": base}
    )
    for one in effect.group_time:
        truth = 2.0 * (one.period - one.cohort + 1) if one.period >= one.cohort else 0.0
        assert one.estimate.att == pytest.approx(truth, abs=1e-9)
    by_event = {one.event_time: one.estimate.att for one in effect.by_event_time}
    assert by_event[0] == pytest.approx(2.0)
    assert by_event[5] == pytest.approx(12.0)


def test_the_simple_aggregation_weights_cells_by_cohort_size() -> None:
    effect = estimate(design(panel(STAGGERED, 2.0)), "group_time_att")
    cells = [(3, 2.0 * e) for e in range(1, 7)] + [(4, 2.0 * e) for e in range(1, 5)]
    cells += [(2, 2.0 * e) for e in range(1, 3)]
    expected = sum(n * att for n, att in cells) / sum(n for n, _ in cells)
    assert effect.overall.att == pytest.approx(expected)


def test_a_shift_of_every_unit_by_its_own_level_and_of_every_year_changes_nothing() -> None:
    frame = panel(STAGGERED, 1.0, noise=0.5, seed=3)
    shifted = frame.with_columns(
        y=pl.col("y") + 100 * pl.col("unit").str.slice(1).cast(pl.Int64) + (pl.col("year") % 3) * 7
    )
    one, other = (estimate(design(f), "group_time_att").overall for f in (frame, shifted))
    assert one.att == pytest.approx(other.att, abs=1e-9)
    assert one.se == pytest.approx(other.se, abs=1e-9)


def test_always_treated_units_do_not_move_the_att() -> None:
    frame = panel(STAGGERED, 1.0, noise=0.5, seed=3)
    early = panel([2014], 50.0).with_columns(unit=pl.lit("always"))
    one, other = (
        estimate(design(f), "group_time_att").overall for f in (frame, pl.concat([frame, early]))
    )
    assert one == other


def test_two_cohorts_without_a_never_treated_unit_need_not_yet_treated_controls() -> None:
    alone = design(panel([2018] * 3 + [2020] * 3, 1.0))
    with pytest.raises(DesignError, match="not_yet"):
        estimate(alone, "group_time_att")
    effect = estimate(alone, "group_time_att", options={"control": "not_yet"})
    assert {(one.cohort, one.period) for one in effect.group_time if one.period >= one.cohort} == {
        (2018, 2018),
        (2018, 2019),
    }
    assert effect.overall.att == pytest.approx(1.5)


def test_analytic_intervals_cover_at_their_level_with_many_units() -> None:
    hits = 0
    for seed in range(200):
        one = estimate(
            design(panel([2018] * 25 + [None] * 25, 0.5, noise=1.0, seed=seed)), "group_time_att"
        ).overall
        truth = 0.5 * np.mean(np.arange(1, 6))
        hits += bool(one.ci_low <= truth <= one.ci_high)
    # 95% of 200 is 190; 180 and 199 are three binomial standard deviations away.
    assert 180 <= hits <= 199


def test_few_treated_units_are_warned_of() -> None:
    few = estimate(design(panel([2018] * 2 + [None] * 9, 1.0)), "group_time_att")
    many = estimate(design(panel([2018] * 6 + [None] * 9, 1.0)), "group_time_att")
    # With either number the simulation study found the analytic test to reject too often.
    assert [one.code for one in few.findings] == ["W-EST-FEW-TREATED", "W-EST-LEVEL"]
    assert [one.code for one in many.findings] == ["W-EST-LEVEL"]


def test_the_counterfactual_path_is_observed_less_the_effect() -> None:
    effect = estimate(design(panel(STAGGERED, 2.0)), "group_time_att")
    gaps = {
        one.period: one.observed - one.counterfactual
        for one in effect.paths
        if one.observed is not None and one.counterfactual is not None
    }
    assert gaps[2016] == pytest.approx(0, abs=1e-9)
    assert gaps[2017] == pytest.approx(2.0 * 3 / 9)
    assert gaps[2022] == pytest.approx((3 * 12 + 4 * 8 + 2 * 4) / 9)


def test_one_common_start_without_never_treated_units_is_refused_in_words() -> None:
    import dataclasses

    staggered = design(panel([2018] * 3 + [2020] * 3, 1.0))
    together = dataclasses.replace(staggered, cohort=(2018,) * 6)
    with pytest.raises(DesignError, match="no period after a start"):
        estimate(together, "group_time_att", options={"control": "not_yet"})
