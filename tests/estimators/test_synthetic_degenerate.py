"""Synthetic weights that the past leaves open: the most even ones, whatever the order of units."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.estimators._synth_weights import KINDS, Problem, exact_weights
from cps.estimators.registry import estimate, refit


def long(y: np.ndarray, start: int) -> Design:
    """Periods from 0; the first unit starts in ``start``, no other ever does."""
    n, n_periods = y.shape
    frame = pl.DataFrame(
        {
            "unit": [f"u{i:02d}" for i in range(n) for _ in range(n_periods)],
            "period": np.tile(np.arange(n_periods), n),
            "y": y.ravel(),
            "cohort": pl.Series(
                [start if i == 0 else None for i in range(n) for _ in range(n_periods)],
                dtype=pl.Int64,
            ),
        }
    )
    return design_from_frame(frame, unit="unit", period="period", outcome="y", cohort="cohort")


AWKWARD = ("flat before", "donors flat before", "in parallel before", "twins before", "one factor")


def awkward(name: str) -> np.ndarray:
    """Fourteen units over 24 periods whose first 18 say little about weights."""
    rng = np.random.default_rng(3)
    y = 0.1 + 3 * rng.normal(size=(14, 1)) + np.zeros((14, 24))
    if name == "in parallel before":
        y += 0.1 * np.arange(24)
    if name == "donors flat before":
        y[0, :18] += rng.normal(size=18)
    if name == "twins before":
        y[1:8] += rng.normal(size=(7, 24)).cumsum(axis=1)
        y[8:] = y[2:8]
    if name == "one factor":
        y += rng.normal(size=24).cumsum()
    y[:, 18:] += rng.normal(size=(14, 6))
    return y


@pytest.mark.parametrize("kind", ["sdid", "sc", "difp"])
@pytest.mark.parametrize("name", AWKWARD)
def test_exact_weights_that_the_past_leaves_open_do_not_hang_on_the_order(
    name: str, kind: str
) -> None:
    y, order = awkward(name), np.concatenate([[0], 1 + np.random.default_rng(1).permutation(13)])
    options = {"weights": kind, "solver": "exact"}
    one, other = (
        estimate(long(rows, 18), "synthetic_did", options=options).overall for rows in (y, y[order])
    )
    assert one.att == pytest.approx(other.att, abs=1e-7)
    assert one.se == pytest.approx(other.se, abs=1e-7)
    assert one.p_value == other.p_value


def test_periods_that_nothing_tells_apart_weigh_the_same() -> None:
    # Donors move as one before the start: any mix of these periods predicts them equally well.
    pool = awkward("one factor")
    pool = pool - pool[:, :1]
    pool[:, :18] = pool[0, :18]
    pre = np.arange(24) < 18
    every = np.ones((1, 14), dtype=bool)
    problem = Problem(pool, pool[:1], every, pre, ~pre, noise=np.ones(1), n_treated=np.ones(1))
    _, lam = exact_weights(problem, KINDS["sdid"])
    assert lam == pytest.approx(np.full((1, 18), 1 / 18), abs=1e-9)


def test_outcomes_that_never_move_have_no_error_of_rounding() -> None:
    y = 0.1 + np.random.default_rng(0).normal(size=(9, 1)) * 3 + np.zeros((9, 10))
    for kind in ("sdid", "did"):
        found = estimate(long(y, 6), "synthetic_did", options={"weights": kind}).overall
        assert (found.att, found.se, found.ci_low, found.p_value) == (0.0, None, None, 1.0)


def test_an_assignment_without_noise_leaves_the_others_their_penalty() -> None:
    # Given to the first unit, the rest are flat before; given to another, the first is a donor.
    rng = np.random.default_rng(5)
    y = 3 * rng.normal(size=(10, 1)) + np.zeros((10, 12))
    y[0, :8] += rng.normal(size=8)
    y[:, 8:] += rng.normal(size=(10, 4))
    again = refit(long(y, 8), "synthetic_did", options={"solver": "exact"})
    starts = np.where(np.eye(10, dtype=bool)[:3], 8.0, np.inf)
    alone = [float(again.under(starts[i : i + 1])[0]) for i in range(3)]
    assert again.under(starts) == pytest.approx(np.array(alone), abs=1e-9)


def test_a_ridge_on_donors_that_are_all_the_same_moves_nothing() -> None:
    y = np.full((12, 9), 100.0)
    y[0, 7] = 101.0
    plain, ridge = (
        estimate(long(y, 6), "synthetic_control", options=options).overall.att
        for options in ({}, {"augment": "ridge"})
    )
    # The donors stand at 100 in all three periods from the start on: (0 + 1 + 0) / 3.
    assert plain == pytest.approx(1 / 3)
    assert ridge == pytest.approx(1 / 3)
