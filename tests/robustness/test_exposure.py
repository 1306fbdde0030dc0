"""Spill-over that grows with exposure is found; a chance pattern is not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators.registry import estimate
from cps.result import Check
from cps.robustness.registry import check_robustness


def design(spill: float, seed: int = 0, **change: object) -> Design:
    """Two treated units of 30; the others gain ``spill`` times their exposure from 2019."""
    rng = np.random.default_rng(seed)
    exposure = np.r_[0.0, 0.0, rng.uniform(0, 1, 28)]
    frame = pl.DataFrame(
        [
            {
                "unit": f"u{i:02d}",
                "year": year,
                "y": float(
                    i + rng.normal() * 0.3 + (year >= 2019) * (5 * (i < 2) + spill * exposure[i])
                ),
                "first": 2019 if i < 2 else None,
                "near": float(exposure[i]),
            }
            for i in range(30)
            for year in range(2014, 2023)
        ],
        schema_overrides={"first": pl.Int64},
    ).with_columns(**change)  # type: ignore[arg-type]
    return design_from_frame(
        frame, unit="unit", period="year", outcome="y", cohort="first", exposure="near"
    )


def check(of: Design) -> Check:
    effect = estimate(of, "synthetic_did", options={"weights": "did"})
    (one,) = check_robustness(of, effect, names=["exposure"])
    return one


def test_a_gain_in_proportion_to_exposure_fails_and_its_size_is_said() -> None:
    one = check(design(2.0))
    assert one.verdict is False
    slope = dict(zip(one.table["quantity"], one.table["value"], strict=True))["slope"]
    # The slope's standard error is 0.3 · sqrt(1/4 + 1/5) / (s.d. .29 · sqrt 28) = 0.13.
    assert slope == pytest.approx(2.0, abs=0.5)


def test_without_spill_over_it_fails_in_about_one_world_of_twenty() -> None:
    failed = sum(check(design(0.0, seed)).verdict is False for seed in range(60))
    # Binomial(60, .05): three on average, more than 9 in one of a thousand.
    assert failed <= 9


def test_an_exposure_that_changes_within_a_unit_is_refused_by_name() -> None:
    with pytest.raises(DesignError, match="exposure") as caught:
        design(0.0, near=pl.when(pl.col("year") == 2020).then(9.0).otherwise(pl.col("near")))
    assert "u00" in caught.value.where


def test_without_an_exposure_there_is_no_verdict() -> None:
    frame = pl.DataFrame(
        {
            "unit": [f"u{i}" for i in range(6) for _ in range(4)],
            "year": [1, 2, 3, 4] * 6,
            "y": [float((i * 7 + t * t) % 5) for i in range(6) for t in range(4)],
            "first": [3 if i < 1 else None for i in range(6) for _ in range(4)],
        }
    )
    plain = design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="first")
    assert check(plain).verdict is None
