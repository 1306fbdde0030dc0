"""Frames in order are laid out as any other frame is."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.design._regular import block_length
from cps.design.frame import design_from_frame
from cps.errors import DesignError


def panel() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    cohort = [2012, 9999, 2013, 9999, 9999, 2012]
    return pl.DataFrame(
        {
            "unit": np.repeat([3, 10, 2, 7, 1, 30], 5),
            "year": np.tile(np.arange(2010, 2015), 6),
            "y": rng.normal(size=30),
            "w": np.repeat(rng.uniform(1, 2, 6), 5),
            "x": rng.normal(size=30),
            "cohort": np.repeat(cohort, 5),
        }
    )


def test_the_order_of_rows_does_not_matter() -> None:
    frame = panel()
    designs = [
        design_from_frame(
            one,
            unit="unit",
            period="year",
            outcome="y",
            cohort="cohort",
            weights="w",
            covariates=["x"],
        )
        for one in (frame, frame.sort("year", "y"), frame.sort("unit", "year"))
    ]
    assert len({one.design_hash for one in designs}) == 1
    assert designs[0].units == ("1", "2", "3", "7", "10", "30")
    np.testing.assert_array_equal(designs[0].y[2], frame["y"][:5].to_numpy())


def test_only_blocks_of_the_same_ascending_periods_count_as_in_order() -> None:
    tidy = panel().rename({"year": "period"}).with_columns(pl.col("unit").cast(pl.String))
    assert block_length(tidy) == 5
    assert block_length(tidy.reverse()) is None
    assert block_length(tidy[:-1]) is None
    assert block_length(tidy.sort("period", "unit")) is None
    twice = tidy.with_columns(
        unit=pl.when(pl.col("unit") == "30").then(pl.lit("3")).otherwise("unit")
    )
    assert block_length(twice) is None
    late = tidy.with_columns(
        period=pl.when(pl.col("unit") == "7").then(pl.col("period") + 1).otherwise("period")
    )
    assert block_length(late) is None
    torn = tidy.with_columns(
        unit=pl.when(pl.int_range(pl.len()) == 4).then(pl.lit("10")).otherwise("unit")
    )
    assert block_length(torn) is None


def test_a_cohort_that_changes_or_a_key_twice_is_refused_in_either_order() -> None:
    changes = panel().with_columns(
        cohort=pl.when(pl.int_range(pl.len()) == 3).then(2013).otherwise("cohort")
    )
    twice = pl.concat([panel(), panel()[:5]])
    for bad, words in ((changes, "change their cohort"), (twice, "more than once")):
        for one in (bad, bad.sort("year", "y")):
            with pytest.raises(DesignError, match=words):
                design_from_frame(one, unit="unit", period="year", outcome="y", cohort="cohort")
