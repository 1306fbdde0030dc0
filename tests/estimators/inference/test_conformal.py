"""Conformal inference: size on panels without effect, inverted tests, refusals in words."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators.inference._conformal_proxies import (
    augmented_control,
    constrained_lasso,
    difference_in_differences,
    factor_model,
    low_rank,
    simplex_weights_exact,
    synthetic_control,
)
from cps.estimators.inference._conformal_test import (
    all_orders,
    moving_blocks,
    not_rejected,
    p_values,
)
from cps.estimators.inference._conformal_words import wide_set
from cps.estimators.registry import estimate
from cps.result import Effect, Estimate


def panel(
    n_pre: int,
    n_post: int,
    *,
    n_donors: int = 12,
    effect: float = 0.0,
    seed: int = 0,
    n_treated: int = 1,
    late: int = 0,
) -> Design:
    """Treated units inside the donors' hull, on one factor; ``late`` start one period later."""
    rng = np.random.default_rng(seed)
    n_periods = n_pre + n_post
    trend = np.cumsum(rng.normal(size=n_periods))
    loading = np.concatenate([np.full(n_treated, 0.5), np.linspace(0, 1, n_donors)])
    y = 10 + np.outer(loading, trend) + rng.normal(0, 0.3, (len(loading), n_periods))
    rows = []
    for i in range(len(loading)):
        start = 2000 + n_pre + (i < late) if i < n_treated else None
        for t in range(n_periods):
            gain = effect if start and 2000 + t >= start else 0.0
            rows.append((f"u{i:02d}", 2000 + t, float(y[i, t] + gain), start))
    frame = pl.DataFrame(
        rows,
        schema={"unit": pl.String, "year": pl.Int64, "y": pl.Float64, "cohort": pl.Int64},
        orient="row",
    )
    return design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="cohort")


def conformal(design: Design, weights: str = "sc", level: float = 0.9, **options: str) -> Effect:
    return estimate(
        design,
        "synthetic_did",
        inference="conformal",
        level=level,
        options={"weights": weights, "errors": "none"},
        inference_options=options,
    )


def test_simplex_weights_meet_the_conditions_of_the_minimum() -> None:
    rng = np.random.default_rng(1)
    donors, treated = rng.normal(size=(30, 20)), rng.normal(size=20)
    weights = simplex_weights_exact(donors, treated)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    slope = donors @ (weights @ donors - treated)
    # At the minimum no donor has a steeper descent than those in use, which share one slope.
    assert slope[weights > 0] == pytest.approx(slope.min(), abs=1e-9)


def test_every_proxy_but_the_lasso_gives_the_same_residuals_for_donors_in_another_order() -> None:
    rng = np.random.default_rng(2)
    donors, treated = rng.normal(size=(9, 15)), rng.normal(size=(2, 15))
    order = rng.permutation(9)
    for proxy in (
        synthetic_control,
        difference_in_differences,
        constrained_lasso,
        factor_model(2),
        low_rank(1.0),
    ):
        # Weights are unique where the fit is not perfect: only rounding is left.
        np.testing.assert_allclose(proxy(treated, donors), proxy(treated, donors[order]), atol=1e-8)


def test_the_constrained_lasso_is_least_squares_where_the_constraint_is_slack() -> None:
    rng = np.random.default_rng(3)
    donors = rng.normal(size=(3, 40))
    treated = 2 + np.array([0.2, -0.3, 0.1]) @ donors + rng.normal(0, 0.01, 40)
    design = np.column_stack([np.ones(40), donors.T])
    slow = treated - design @ np.linalg.lstsq(design, treated, rcond=None)[0]
    np.testing.assert_allclose(constrained_lasso(treated[None], donors)[0], slow, atol=1e-8)


def test_ridge_augmentation_lies_between_the_control_and_a_regression_on_all_donors() -> None:
    rng = np.random.default_rng(6)
    donors, treated = rng.normal(size=(5, 30)), rng.normal(size=(12, 30))
    plain = synthetic_control(treated, donors)
    np.testing.assert_allclose(
        augmented_control(1e12, has_intercept=False)(treated, donors), plain, atol=1e-8
    )
    # Without a penalty: least squares with weights of any sign that add to one.
    level = donors.mean(axis=0)
    columns = (donors - level).T
    left = (treated - level).T
    slow = left - columns @ np.linalg.lstsq(columns, left, rcond=None)[0]
    np.testing.assert_allclose(
        augmented_control(1e-9, has_intercept=False)(treated, donors), slow.T, atol=1e-6
    )


def test_p_values_are_the_share_of_permutations_counted_one_by_one() -> None:
    rng = np.random.default_rng(4)
    u = rng.normal(size=11)
    blocks = moving_blocks(11, 3)
    by_hand = np.mean(
        [
            sum(abs(u[(s + k) % 11]) for k in range(3)) >= np.abs(u[-3:]).sum() - 1e-12
            for s in range(11)
        ]
    )
    assert p_values(u[None], blocks, norm=1)[0] == pytest.approx(by_hand)
    every = all_orders(11, 3, n_draws=5000, seed=0)
    assert len(every.places) == 165
    assert not every.is_drawn
    some = all_orders(25, 6, n_draws=500, seed=0)
    assert some.floor == pytest.approx(1 / 501)
    assert all(len(set(row)) == 6 for row in some.places.tolist())


def test_with_exchangeable_residuals_the_test_rejects_as_often_as_it_says() -> None:
    # The loading is estimated, so the level is not exact: 400 panels give ±3 points.
    p = [
        p_values(difference_in_differences(y[:1], y[1:]), moving_blocks(20, 4), norm=1)[0]
        for y in (np.random.default_rng(seed).normal(size=(9, 20)) for seed in range(400))
    ]
    assert np.mean(np.array(p) <= 0.1 + 1e-9) == pytest.approx(0.1, abs=0.045)


def test_ends_of_the_interval_are_where_the_p_value_crosses() -> None:
    design = panel(24, 3, effect=1.0)
    effect = conformal(design)
    overall = effect.overall
    assert overall.ci_low is not None and overall.ci_high is not None
    y = design.y
    donors, is_post = y[design.is_donor], np.arange(27) >= 24

    def p_of(theta: float) -> float:
        residuals = synthetic_control((y[0] - theta * is_post)[None], donors)
        return float(p_values(residuals, moving_blocks(27, 3), norm=1)[0])

    for inside, outside in (
        (overall.ci_low + 1e-6, overall.ci_low - 1e-6),
        (overall.ci_high - 1e-6, overall.ci_high + 1e-6),
    ):
        assert p_of(inside) > 0.1
        assert p_of(outside) <= 0.1
    assert overall.p_value == pytest.approx(p_of(0.0))


def test_a_clear_effect_is_found_and_every_interval_is_near_it() -> None:
    effect = conformal(panel(29, 3, effect=3.0))
    assert effect.overall.p_value == pytest.approx(1 / 32)
    assert effect.p_value_floor == pytest.approx(1 / 32)
    after = [one.estimate for one in effect.by_event_time if one.event_time >= 0]
    assert len(after) == 3
    for one in (effect.overall, *after):
        assert one.ci_low is not None and one.ci_high is not None
        # A 90% interval may miss the truth; these are narrow beside the effect.
        assert 1.5 < one.ci_low < one.ci_high < 4.5


def test_an_effect_added_to_the_data_shifts_the_interval_and_leaves_its_width() -> None:
    plain, moved = conformal(panel(24, 2)), conformal(panel(24, 2, effect=5.0))
    for one, other in ((plain.overall, moved.overall),):
        assert one.ci_low is not None and other.ci_low is not None
        assert other.ci_low - one.ci_low == pytest.approx(5.0, abs=1e-7)


def test_six_and_four_periods_have_no_interval_and_the_finding_says_so() -> None:
    effect = conformal(panel(6, 4, effect=3.0), level=0.95)
    assert effect.p_value_floor == pytest.approx(0.1)
    assert effect.overall.ci_low is None
    assert effect.overall.p_value is not None
    said = {one.code: one.what.en for one in effect.findings}
    assert "0.1" in said["W-INF-NO-INTERVAL"]
    assert "W-INF-NO-PERIOD-INTERVAL" in said


def test_free_permutations_have_a_smaller_floor_and_depend_on_the_seed_alone() -> None:
    design = panel(14, 4, effect=1.0)
    free = conformal(design, permutations="iid")
    assert free.p_value_floor == pytest.approx(1 / 3060)  # 18 choose 4, all of them
    assert conformal(design, permutations="iid") == free


def test_averages_over_blocks_have_an_interval_that_allows_effects_to_differ() -> None:
    effect = conformal(panel(40, 2, effect=2.0), average="blocks")
    assert effect.p_value_floor == pytest.approx(1 / 21)
    assert effect.overall.ci_low is not None and effect.overall.ci_high is not None
    assert effect.overall.ci_low < 2.0 < effect.overall.ci_high


def test_a_test_that_never_rejects_has_no_interval_and_gaps_inside_one_are_told() -> None:
    assert not_rejected(np.ones_like, 0.0, 1.0, 0.1) is None

    def two_islands(effects: np.ndarray) -> np.ndarray:
        return np.where((np.abs(effects) > 1) & (np.abs(effects) < 2), 1.0, 0.0)

    low, high, is_whole = not_rejected(two_islands, 0.0, 1.0, 0.1) or (0, 0, True)
    assert (low, high) == (pytest.approx(-2), pytest.approx(2))
    assert not is_whole


def test_factor_models_and_matrix_completion_are_refitted_under_the_null_too() -> None:
    design = panel(24, 2, effect=4.0)
    for method in ("interactive_fixed_effects", "matrix_completion", "imputation"):
        options = {} if method == "imputation" else {"errors": "none"}
        effect = estimate(design, method, inference="conformal", level=0.9, options=options)
        assert effect.overall.p_value == pytest.approx(1 / 26)
        assert effect.overall.ci_low is not None
        assert effect.overall.ci_low > 2


def test_starts_at_two_times_are_refused_in_words() -> None:
    with pytest.raises(DesignError, match="2 cohorts"):
        conformal(panel(20, 4, n_treated=2, late=1))


def test_a_method_without_a_form_to_refit_is_refused_and_others_are_named() -> None:
    with pytest.raises(
        DesignError, match="weights=sdid has no form that can be refitted"
    ) as raised:
        conformal(panel(20, 4), weights="sdid")
    assert "weights=sc" in raised.value.mend.en
    with pytest.raises(DesignError, match="group_time_att has no form") as raised:
        estimate(panel(20, 4), "group_time_att", inference="conformal")
    assert "synthetic_control" in raised.value.mend.en


@pytest.mark.parametrize(
    ("method", "options", "inference", "mend"),
    [
        ("synthetic_control", {"intercept": "yes"}, "debiased_t_test", "intercept=no"),
        ("synthetic_control", {"augment": "ridge"}, "prediction_intervals", "augment=none"),
        ("synthetic_control", {"fit": "covariates"}, "conformal", "fit=outcomes"),
        ("interactive_fixed_effects", {}, "prediction_intervals", "synthetic_control"),
        ("interactive_fixed_effects", {}, "debiased_t_test", "synthetic_control"),
    ],
)
def test_a_refusal_names_what_to_change_and_never_the_method_at_hand(
    method: str, options: dict[str, str], inference: str, mend: str
) -> None:
    with pytest.raises(DesignError) as raised:
        estimate(panel(20, 4), method, inference=inference, options=options)
    said = raised.value.mend
    assert mend in said.en
    assert mend in said.zh
    assert "interactive_fixed_effects" not in said.en + said.zh
    if method == "synthetic_control":
        changed = {
            **options,
            **dict(one.split("=") for one in said.en.split("with ")[1].split(", ")),
        }
        done = estimate(panel(20, 4), method, inference=inference, options=changed)
        assert done.inference == inference


def test_a_wide_interval_says_in_plain_words_why_and_a_narrow_one_nothing() -> None:
    kept = Estimate(0.1, None, -0.9, 1.1, 0.5)
    design = panel(20, 4)
    words = {"size": 0.5, "n_pre": 20, "n_post": 4}
    assert wide_set(design, kept, is_torn=False, **words) == []
    wide = dataclasses.replace(kept, ci_low=-6.9, ci_high=3.5)
    (one,) = wide_set(design, wide, is_torn=True, **words)
    for text in (one.what.en, one.what.zh):
        assert "5.2" in text
        assert "24" in text
        assert "0.5" in text
    assert "outermost" in one.what.en
    (whole,) = wide_set(design, wide, is_torn=False, **words)
    assert "outermost" not in whole.what.en
    assert "N-INF-WIDE-SET" not in [one.code for one in conformal(design).findings]


def test_the_order_of_units_and_the_input_arrays_do_not_matter() -> None:
    design = panel(20, 3, effect=1.0)
    before = design.y.copy()
    effect = conformal(design)
    np.testing.assert_array_equal(design.y, before)
    order = np.arange(len(design.units))[::-1]
    turned = dataclasses.replace(
        design,
        units=tuple(design.units[i] for i in order),
        y=design.y[order],
        y_natural=design.y_natural[order],
        cohort=tuple(design.cohort[i] for i in order),
        is_donor=design.is_donor[order],
    )
    other = conformal(turned)
    assert other.overall.ci_low == pytest.approx(effect.overall.ci_low, abs=1e-8)
    assert other.overall.p_value == effect.overall.p_value
