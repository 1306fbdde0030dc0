"""Merit aid and college enrolment: Conley & Taber's own application (2011, their intervals)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cps
from cps.design.record import Design
from cps.result import Effect

GEORGIA = 58
PAPER = {"tails": "equal", "correction": "none"}


def state_years(folder: Path, *, only_georgia: bool) -> Design:
    """Enrolment by state and year, less sex and race: the paper's first step."""
    people = pl.read_parquet(folder / "more" / "merit_aid_hope" / "data.parquet")
    if only_georgia:
        people = people.filter((pl.col("chst") == 0) | (pl.col("state") == GEORGIA))
    people = people.cast({"state": pl.Int64, "year": pl.Int64})
    keys, cell = np.unique(
        people["state"].to_numpy() * 10_000 + people["year"].to_numpy(), return_inverse=True
    )
    traits = people.select("male", "black", "asian").to_numpy().astype(float)
    y = people["coll"].to_numpy().astype(float)
    size = np.bincount(cell)

    def means(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.bincount(cell, values) / size)

    of_cells = np.array([means(one) for one in traits.T]).T
    within = traits - of_cells[cell]
    slopes = np.linalg.lstsq(within, y - means(y)[cell], rcond=None)[0]
    frame = pl.DataFrame(
        {
            "state": keys // 10_000,
            "year": keys % 10_000,
            "coll": means(y) - of_cells @ slopes,
            "merit": (means(people["merit"].to_numpy().astype(float)) > 0).astype(int),
        }
    )
    return cps.design_from_frame(
        frame, unit="state", period="year", outcome="coll", treated="merit"
    )


def inferred(design: Design, method: str, options: dict[str, str]) -> Effect:
    return cps.estimate(
        design, method, options=options, inference="conley_taber", inference_options=PAPER
    )


def test_georgia_alone_has_the_published_estimate_and_interval(published: Path) -> None:
    design = state_years(published, only_georgia=True)
    assert (design.n_treated, design.n_donors) == (1, 41)
    found = inferred(design, "synthetic_did", {"weights": "did", "errors": "none"}).overall
    # Three printed digits.
    assert found.att == pytest.approx(0.078, abs=5e-4)
    assert found.ci_low == pytest.approx(-0.010, abs=5e-4)
    assert found.ci_high == pytest.approx(0.207, abs=5e-4)


def test_ten_states_have_the_published_estimate_and_nearly_the_interval(published: Path) -> None:
    design = state_years(published, only_georgia=False)
    assert (design.n_treated, design.n_donors) == (10, 41)
    found = inferred(design, "two_way_fixed_effects", {}).overall
    assert found.att == pytest.approx(0.051, abs=5e-4)
    # Ten of 41 are drawn at random, in the paper and here: a tail of 2.5% is known to .001.
    assert found.ci_low == pytest.approx(0.012, abs=2e-3)
    assert found.ci_high == pytest.approx(0.093, abs=2e-3)
