"""Merit aid and college enrolment: Conley & Taber's intervals (2011), and boottest's printed output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cps
from cps.design.record import Design
from cps.estimators._wild import wild_bootstrap
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


def people_of_georgia(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, regressors, state and year of everyone outside the other merit states."""
    people = pl.read_parquet(folder / "more" / "merit_aid_hope" / "data.parquet")
    people = people.filter((pl.col("chst") == 0) | (pl.col("state") == GEORGIA))
    state = np.unique(people["state"].to_numpy(), return_inverse=True)[1]
    year = np.unique(people["year"].to_numpy(), return_inverse=True)[1]
    own = people.select("merit", "male", "black", "asian").to_numpy().astype(float)
    x = np.column_stack([own, np.eye(42)[state], np.eye(12)[year][:, 1:]])
    return people["coll"].to_numpy().astype(float), x, state, year


@pytest.mark.parametrize(
    ("by", "restricted", "p_value", "interval"),
    [
        ("state", True, 0.4918, (-2.814, 1.285)),
        ("state", False, 0.0000, (0.04952, 0.09482)),
        ("state and year", True, 0.2928, (-5.342, 4.532)),
        ("state and year", False, 0.0894, (-0.0116, 0.1559)),
        ("person", False, 0.3759, (-0.09411, 0.2384)),
    ],
)
def test_one_treated_cluster_gives_what_boottest_prints(
    published: Path, by: str, restricted: bool, p_value: float, interval: tuple[float, float]
) -> None:
    # WildBootTests.jl's unittests.log: 9,999 draws of its own generator, a p-value known to .005.
    y, x, state, year = people_of_georgia(published)
    shared = {
        "state": state,
        "state and year": np.unique(12 * state + year, return_inverse=True)[1],
        "person": np.arange(len(y)),
    }[by]
    found = wild_bootstrap(
        y,
        x,
        state,
        0,
        restricted=restricted,
        kind="rademacher",
        draws=499 if by == "person" else 4999,
        boot_cluster=shared,
        ties="strict",
    )
    assert found.t == pytest.approx(6.7127, abs=6e-5)
    # Ours have fewer draws: .007 of error, .022 where weights are a person's.
    assert found.p_value == pytest.approx(p_value, abs=0.06 if by == "person" else 0.025)
    assert found.ci_low is not None
    assert found.ci_high is not None
    # The ends are random too, and with one treated state a bounded quantile of nothing steep.
    width = interval[1] - interval[0]
    assert found.ci_low == pytest.approx(interval[0], abs=0.06 * width)
    assert found.ci_high == pytest.approx(interval[1], abs=0.06 * width)
