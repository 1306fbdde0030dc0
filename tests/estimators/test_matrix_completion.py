"""Matrix completion: conditions of the minimum, known low rank, invariants, refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators._factors_batch import additive_fits
from cps.estimators._factors_completion import complete, complete_all
from cps.estimators.registry import estimate, point_estimate


def low_rank_panel(
    n_treated: int = 4,
    n_donors: int = 26,
    n_pre: int = 15,
    n_post: int = 4,
    *,
    noise: float = 0.2,
    effect: float = 1.5,
    seed: int = 0,
) -> Design:
    rng = np.random.default_rng(seed)
    n, n_periods = n_treated + n_donors, n_pre + n_post
    y = 3 + rng.normal(size=(n, 1)) + rng.normal(size=n_periods)
    y = y + rng.normal(size=(n, 2)) @ rng.normal(size=(2, n_periods))
    y = y + rng.normal(0, noise, y.shape)
    y[:n_treated, n_pre:] += effect
    frame = pl.DataFrame(
        [
            (f"u{i:02d}", 1 + t, float(y[i, t]), n_pre + 1 if i < n_treated else None)
            for i in range(n)
            for t in range(n_periods)
        ],
        schema={"unit": pl.String, "year": pl.Int64, "y": pl.Float64, "cohort": pl.Int64},
        orient="row",
    )
    return design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="cohort")


def masked(design: Design) -> tuple[np.ndarray, np.ndarray]:
    mask = np.ones(design.y.shape, bool)
    mask[:4, 15:] = False
    return design.y, mask


def test_the_minimum_meets_the_conditions_of_the_nuclear_norm() -> None:
    y, mask = masked(low_rank_panel())
    penalty = 2.0
    found = complete(y, mask, penalty=penalty, tolerance=1e-10)
    rest = np.where(mask, y - found.fitted, 0.0)
    # Additive effects leave nothing over; no direction pulls harder than the penalty, and those in
    # use pull exactly as hard.
    assert np.abs(rest.sum(axis=0)).max() < 1e-5
    assert np.abs(rest.sum(axis=1)).max() < 1e-5
    sizes = np.linalg.svd(rest, compute_uv=False)
    assert sizes[0] == pytest.approx(penalty, abs=1e-5)
    np.testing.assert_allclose(sizes[: found.rank], penalty, atol=1e-4)


def test_a_slow_version_without_momentum_ends_at_the_same_panel() -> None:
    y, mask = masked(low_rank_panel(seed=1))
    ours = complete(y, mask, penalty=1.0, tolerance=1e-10).fitted
    slow = np.zeros_like(y)
    for _ in range(3000):
        filled = np.where(mask, y, slow)
        rows, columns = filled.mean(axis=1, keepdims=True), filled.mean(axis=0)
        additive = rows + columns - filled.mean()
        left, sizes, right = np.linalg.svd(filled - additive, full_matrices=False)
        slow = additive + (left * np.maximum(sizes - 1.0, 0)) @ right
    np.testing.assert_allclose(ours, slow, atol=1e-6)


def test_a_penalty_beyond_all_singular_values_leaves_two_way_effects() -> None:
    design = low_rank_panel()
    effect = estimate(
        design, "matrix_completion", options={"penalty": 1e6, "errors": "none"}
    ).overall.att
    gap = design.y[:4].mean(axis=0) - design.y[4:].mean(axis=0)
    assert effect == pytest.approx(gap[15:].mean() - gap[:15].mean(), abs=1e-6)


def test_the_chosen_penalty_beats_two_way_effects_where_there_are_factors() -> None:
    errors = {"chosen": [], "additive": []}
    for seed in range(5):
        design = low_rank_panel(seed=seed)
        chosen = point_estimate(design, "matrix_completion", options={})
        additive = point_estimate(design, "matrix_completion", options={"penalty": 1e6})
        assert chosen is not None and additive is not None
        errors["chosen"].append((chosen - 1.5) ** 2)
        errors["additive"].append((additive - 1.5) ** 2)
    assert np.mean(errors["chosen"]) < 0.5 * np.mean(errors["additive"])


def test_the_penalty_tried_least_in_error_is_the_one_used() -> None:
    y, mask = masked(low_rank_panel())
    found = complete(y, mask)
    assert found.penalty == found.penalties[int(np.argmin(found.errors))]
    assert 6 <= len(found.penalties) == len(found.errors) <= 20
    # Twenty steps cover three decades.
    assert found.penalties[0] / found.penalties[1] == pytest.approx(1000 ** (1 / 19))
    # The search goes on past the least error before it ends.
    assert len(found.penalties) == 20 or found.errors[-1] > min(found.errors)
    np.testing.assert_array_equal(complete(y, mask).fitted, found.fitted)


def test_cells_outside_the_mask_do_not_matter_and_inputs_stay_untouched() -> None:
    y, mask = masked(low_rank_panel())
    other = np.where(mask, y, 99.0)
    before = other.copy()
    np.testing.assert_allclose(
        complete(y, mask, penalty=1.0).fitted, complete(other, mask, penalty=1.0).fitted
    )
    np.testing.assert_array_equal(other, before)


def test_order_scale_and_shifts_of_units_and_times_do_not_matter() -> None:
    design = low_rank_panel()
    options = {"penalty": 1.0, "errors": "none"}
    plain = estimate(design, "matrix_completion", options=options).overall.att
    rng = np.random.default_rng(3)
    y = design.y * 2 + rng.normal(size=(30, 1)) + rng.normal(size=19)
    moved = dataclasses.replace(design, y=y, y_natural=y)
    twice = estimate(moved, "matrix_completion", options={**options, "penalty": 2.0}).overall.att
    assert plain is not None
    assert twice == pytest.approx(2 * plain, abs=1e-4)


def test_stand_ins_give_an_error_and_a_floor_with_one_treated_unit() -> None:
    design = low_rank_panel(n_treated=1)
    effect = estimate(design, "matrix_completion", options={"draws": 30})
    assert len(effect.placebos) == 26
    assert effect.p_value_floor == pytest.approx(1 / 27)
    assert effect.overall.se is not None and effect.overall.se > 0
    assert effect == estimate(design, "matrix_completion", options={"draws": 30})
    assert effect.overall.att == pytest.approx(
        point_estimate(design, "matrix_completion", options={}), abs=1e-10
    )


def test_jackknife_and_bootstrap_are_labelled_and_few_treated_units_are_refused() -> None:
    design = low_rank_panel(n_treated=5)
    for errors in ("jackknife", "block_bootstrap"):
        effect = estimate(
            design, "matrix_completion", options={"errors": errors, "penalty": 1.0, "draws": 30}
        )
        assert effect.overall.se is not None
        assert effect.inference == errors
        assert "W-EST-FEW-TREATED" in {one.code for one in effect.findings}
    with pytest.raises(DesignError, match="far too small"):
        estimate(low_rank_panel(n_treated=4), "matrix_completion", options={"errors": "jackknife"})
    with pytest.raises(DesignError, match="can't stand in"):
        estimate(low_rank_panel(n_donors=6), "matrix_completion")


@pytest.mark.parametrize(
    ("shape", "effects"),
    [
        ((12, 7), "two_way"),
        ((6, 11), "two_way"),
        ((6, 11), "unit"),
        ((12, 7), "time"),
        ((12, 7), "none"),
    ],
)
def test_panels_completed_side_by_side_are_those_completed_alone(
    shape: tuple[int, int], effects: str
) -> None:
    """They end after different numbers of steps; the one batch is too large for a single go."""
    rng = np.random.default_rng(2)
    n = 2**15 // (shape[0] * shape[1]) + 5
    spread = np.geomspace(0.1, 10, n)[:, None, None]
    y = 3 + spread * rng.normal(size=(n, *shape)) + rng.normal(size=shape[1])
    mask = rng.random(y.shape) < 0.8
    mask[:, :, 0] = mask[:, 0] = True
    penalty = rng.uniform(0.5, 3.0, n)
    found = complete_all(y, mask, penalty, effects=effects, tolerance=1e-6)
    for one in (0, 1, n // 2, n - 1):
        alone = complete(
            y[one], mask[one], penalty=float(penalty[one]), effects=effects, tolerance=1e-6
        )
        np.testing.assert_allclose(found[one], alone.fitted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("effects", ["two_way", "unit", "time", "none"])
def test_additive_effects_of_panels_with_gaps_are_least_squares(effects: str) -> None:
    rng = np.random.default_rng(3)
    y, mask = rng.normal(size=(3, 9, 6)), rng.random((3, 9, 6)) < 0.7
    mask[:, :, 0] = mask[:, 0] = True
    found = additive_fits(y, mask, effects=effects, tolerance=1e-12)
    units = np.repeat(np.eye(9), 6, axis=0) if effects in ("two_way", "unit") else np.ones((54, 0))
    times = np.tile(np.eye(6), (9, 1)) if effects in ("two_way", "time") else np.ones((54, 0))
    flags = np.hstack([np.ones((54, 1)), units, times])
    for values, seen, fitted in zip(y, mask, found, strict=True):
        kept = seen.ravel()
        slopes = np.linalg.lstsq(flags[kept], values.ravel()[kept], rcond=None)[0]
        np.testing.assert_allclose(fitted.ravel(), flags @ slopes, atol=1e-9)


def test_stand_ins_are_what_designs_with_other_treated_units_give() -> None:
    """One at a time, by the definition: drop the treated unit, call a comparison unit treated."""
    design = low_rank_panel(n_treated=1, n_donors=12)
    effect = estimate(design, "matrix_completion", options={"penalty": 1.5})
    assert len(effect.placebos) == 12
    for donor in (0, 5, 11):
        y = np.vstack([design.y[1 + donor], np.delete(design.y, [0, 1 + donor], axis=0)])
        mask = np.ones(y.shape, bool)
        mask[0, 15:] = False
        # A penalty counts per cell, and the treated unit's are gone.
        share = mask.sum() / (design.y.size - 4)
        gap = y - complete(y, mask, penalty=1.5 * share, tolerance=1e-5).fitted
        assert effect.placebos[donor] == pytest.approx(gap[0, 15:].mean(), abs=1e-10)
