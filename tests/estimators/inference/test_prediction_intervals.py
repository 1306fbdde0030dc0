"""Prediction intervals: exact bounds, the reference package's printed numbers, coverage."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators.inference._conformal_series import series_of
from cps.estimators.inference._prediction_bounds import extremes
from cps.estimators.inference._prediction_control import _shortened, fit_control
from cps.estimators.inference._prediction_errors import out_of_sample, quantile_fit
from cps.estimators.registry import estimate
from cps.result import Effect


def panel(n_pre: int, n_post: int, seed: int, *, n_donors: int = 8, effect: float = 0.0) -> Design:
    rng = np.random.default_rng(seed)
    donors = 10 + rng.normal(size=(n_donors, n_pre + n_post)).cumsum(axis=1)
    treated = np.array([0.6, 0.4]) @ donors[:2] + rng.normal(0, 0.4, n_pre + n_post)
    y = np.vstack([treated + effect * (np.arange(n_pre + n_post) >= n_pre), donors])
    frame = pl.DataFrame(
        [
            (f"u{i:02d}", 1 + t, float(y[i, t]), n_pre + 1 if i == 0 else None)
            for i in range(len(y))
            for t in range(y.shape[1])
        ],
        schema={"unit": pl.String, "year": pl.Int64, "y": pl.Float64, "cohort": pl.Int64},
        orient="row",
    )
    return design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="cohort")


def intervals(design: Design, level: float = 0.9, **options: str | float) -> Effect:
    return estimate(
        design,
        "synthetic_did",
        inference="prediction_intervals",
        level=level,
        options={"weights": "sc", "errors": "none"},
        inference_options=options,
    )


@pytest.mark.parametrize("longest", [None, 0.64])
@pytest.mark.parametrize("has_constant", [False, True])
def test_bounds_agree_with_a_slow_independent_solver(
    has_constant: bool, longest: float | None
) -> None:
    from scipy.optimize import minimize

    rng = np.random.default_rng(7)
    room = np.array([0.5, 0.3, 0.2, 0.0, 0.0] + [0.0] * has_constant)
    is_free = np.array([False] * 5 + [True] * has_constant)
    for _ in range(3):
        rows = rng.normal(size=(20, len(room)))
        rows[:, 5:] = 1
        gram, noise = rows.T @ rows / 20, (rows * rng.normal(size=(20, 1))).sum(axis=0) / 20
        target = rng.normal(size=len(room))
        ball = None if longest is None else (room, longest)
        ours = extremes(gram, noise[None], target[None], room, is_free, ball=ball)[0, 0]
        slow = max(
            -found.fun
            for found in (
                minimize(
                    lambda x, p=target: -p @ x,
                    rng.normal(0, 0.05, len(room)),
                    constraints=[
                        {
                            "type": "ineq",
                            "fun": lambda x, g=gram, z=noise: 2 * z @ x - x @ g @ x,
                        },
                        {"type": "eq", "fun": lambda x: x[~is_free].sum()},
                        {
                            "type": "ineq",
                            "fun": lambda x: (
                                (longest or 9) ** 2 - ((room + x)[~is_free] ** 2).sum()
                            ),
                        },
                    ],
                    bounds=[
                        (None, None) if free else (-one, None)
                        for one, free in zip(room, is_free, strict=True)
                    ],
                    method="SLSQP",
                    options={"maxiter": 500, "ftol": 1e-13},
                )
                for _ in range(6)
            )
            if found.success
        )
        # The slow solver stops within 1e-8 of the constraint.
        assert ours == pytest.approx(slow, abs=1e-6)


def test_bounds_hold_with_more_donors_than_periods() -> None:
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(8, 20))
    noise = (rng.normal(size=(5, 8)) @ rows) / 8
    room = np.where(np.arange(20) < 3, 1 / 3, 0.0)
    targets = rng.normal(size=(4, 20))
    found = extremes(rows.T @ rows / 8, noise, targets, room, np.zeros(20, bool))
    assert np.isfinite(found).all()
    assert (found >= -1e-9).all()  # staying where one is is allowed


def test_quantile_regression_meets_the_count_of_residuals_on_either_side() -> None:
    rng = np.random.default_rng(9)
    design = np.column_stack([np.ones(41), rng.normal(size=(41, 2))])
    y = rng.normal(size=41)
    left = y - design @ quantile_fit(design, y, 0.25)
    assert (left < -1e-9).sum() <= 0.25 * 41 <= (left < 1e-9).sum()


def test_errors_outside_the_sample_follow_their_formulas_with_a_constant_alone() -> None:
    rng = np.random.default_rng(10)
    u = rng.normal(0.3, 1.0, 15)
    ones, ahead = np.ones((15, 1)), np.ones((2, 1))
    left = u - u.mean()
    scale = np.exp(np.log(left**2).mean() / 2)
    ordered = np.sort(left)
    # Quartiles as the linear programme has them: the 4th and the 12th of 15.
    spread = min(scale, (ordered[11] - ordered[3]) / 1.34)
    low, high = out_of_sample(u, ones, ahead, method="gaussian", alpha=0.025)
    half = np.sqrt(-2 * np.log(0.025)) * spread
    np.testing.assert_allclose([low[0], high[1]], [u.mean() - half, u.mean() + half], rtol=1e-9)
    low, high = out_of_sample(u, ones, ahead, method="ls", alpha=0.025)
    ends = u.mean() + spread * np.quantile(left / scale, [0.025, 0.975])
    np.testing.assert_allclose([low[0], high[1]], ends, rtol=1e-9)
    low, high = out_of_sample(u, ones, ahead, method="qreg", alpha=0.025)
    np.testing.assert_allclose([low[0], high[1]], np.quantile(u, [0.025, 0.975]))


def test_the_truth_lies_in_its_interval_at_least_as_often_as_promised() -> None:
    inside: dict[str, list[bool]] = {"gaussian": [], "ls": [], "qreg": []}
    for seed in range(12):
        design = panel(30, 3, seed, effect=1.0)
        for errors, found in inside.items():
            for one in intervals(design, errors=errors, sims=50).by_event_time:
                low, high = one.estimate.ci_low, one.estimate.ci_high
                if low is not None and high is not None:
                    found.append(low <= 1.0 <= high)
    # 90% intervals, 36 numbers from 12 panels: 75% is what chance may leave of 90.
    assert all(len(found) == 36 for found in inside.values())
    assert all(np.mean(found) > 0.75 for found in inside.values())


def test_the_band_is_wider_than_the_intervals_and_there_is_no_p_value() -> None:
    effect = intervals(panel(30, 5, 1))
    assert effect.overall.p_value is None and effect.overall.se is None
    for one in effect.by_event_time:
        if one.event_time >= 0:
            e = one.estimate
            assert e.band_low is not None and e.ci_low is not None and e.band_low < e.ci_low
            assert e.band_high is not None and e.ci_high is not None and e.band_high > e.ci_high


def test_an_effect_added_to_the_data_moves_the_interval_and_leaves_its_width() -> None:
    plain, moved = intervals(panel(25, 3, 2)), intervals(panel(25, 3, 2, effect=4.0))
    assert plain.overall.ci_low is not None and moved.overall.ci_low is not None
    assert moved.overall.ci_low - plain.overall.ci_low == pytest.approx(4.0, abs=1e-8)
    assert intervals(panel(25, 3, 2)) == plain  # same seed, same numbers


def test_a_constant_and_cointegrated_donors_can_be_asked_for() -> None:
    effect = intervals(panel(30, 3, 4, effect=1.0), constant="yes", cointegrated="yes")
    assert effect.overall.ci_low is not None and effect.overall.ci_high is not None
    assert effect.overall.ci_low < effect.overall.ci_high


def test_weights_of_bounded_length_are_no_longer_than_allowed_and_meet_the_conditions() -> None:
    series = series_of(panel(30, 3, 5))
    plain = fit_control(series, has_constant=False)
    assert np.linalg.norm(plain.weights) > 0.6
    donors, treated = series.donors[:, :30], series.treated[:30]
    short = _shortened(donors, treated, plain.weights, 0.55)
    assert np.linalg.norm(short) == pytest.approx(0.55, abs=1e-6)
    assert short.sum() == pytest.approx(1) and short.min() >= 0
    used = short > 1e-9
    # The slope is the same over weights in use, once the length's own slope is taken out.
    slope = donors @ (short @ donors - treated)
    columns = np.column_stack([np.ones(used.sum()), short[used]])
    left = slope[used] - columns @ np.linalg.lstsq(columns, slope[used], rcond=None)[0]
    assert np.abs(left).max() < 1e-5 * np.abs(slope).max()
    effect = intervals(panel(30, 3, 5), weights="l1_l2", sims=50)
    assert effect.overall.ci_low is not None and effect.overall.ci_high is not None


def test_too_few_pre_periods_idle_donors_and_other_methods_are_refused() -> None:
    with pytest.raises(DesignError, match="don't tell the errors' spread"):
        intervals(panel(5, 3, 1))
    design = panel(12, 3, 1)
    y = design.y.copy()
    y[3] = 7.0
    idle = dataclasses.replace(design, y=y, y_natural=y)
    with pytest.raises(DesignError, match="don't move"):
        intervals(idle)
    with pytest.raises(DesignError, match="no form that can be refitted"):
        estimate(
            design,
            "synthetic_did",
            inference="prediction_intervals",
            options={"weights": "did", "errors": "none"},
        )
