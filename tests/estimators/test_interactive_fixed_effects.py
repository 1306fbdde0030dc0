"""Interactive fixed effects: known factors, an independent slow version, invariants, refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError
from cps.estimators._factors import fit_factors, principal_factors, split_additive
from cps.estimators._factors_cells import panel_of
from cps.estimators._factors_projection import Model, choose_factors
from cps.estimators.registry import estimate, point_estimate, refit
from cps.result import Effect


def factor_panel(
    n_treated: int = 3,
    n_donors: int = 25,
    n_pre: int = 14,
    n_post: int = 4,
    *,
    noise: float = 0.1,
    effect: float = 2.0,
    seed: int = 0,
    slope: float | None = None,
    late: int = 0,
    gaps: int = 0,
) -> Design:
    """Two factors that treated units load on more than donors do, so that plain DiD is biased."""
    rng = np.random.default_rng(seed)
    n, n_periods = n_treated + n_donors, n_pre + n_post
    factors = rng.normal(size=(2, n_periods)) + np.linspace(0, 3, n_periods)
    loading = rng.normal(size=(n, 2))
    loading[:n_treated] += 1.0
    x = rng.normal(size=(n, n_periods))
    y = 5 + rng.normal(size=(n, 1)) + rng.normal(size=n_periods) + loading @ factors
    y += rng.normal(0, noise, (n, n_periods)) + (slope or 0.0) * x
    missing = set()
    while len(missing) < gaps:
        missing.add((int(rng.integers(n_treated, n)), int(rng.integers(n_periods))))
    rows = []
    for i in range(n):
        start = 1 + n_pre + (i < late) if i < n_treated else None
        for t in range(n_periods):
            gain = effect if start and 1 + t >= start else 0.0
            value = None if (i, t) in missing else float(y[i, t] + gain)
            rows.append((f"u{i:02d}", 1 + t, value, float(x[i, t]), start))
    frame = pl.DataFrame(
        rows,
        schema={
            "unit": pl.String,
            "year": pl.Int64,
            "y": pl.Float64,
            "x": pl.Float64,
            "cohort": pl.Int64,
        },
        orient="row",
    )
    return design_from_frame(
        frame,
        unit="unit",
        period="year",
        outcome="y",
        cohort="cohort",
        covariates=("x",) if slope is not None else (),
        missing="keep" if gaps else "drop_unit",
    )


def effect_of(design: Design, **options: str | float) -> Effect:
    return estimate(
        design, "interactive_fixed_effects", options={"errors": "none", "factors": 2, **options}
    )


def att(design: Design, **options: str | float) -> float:
    found = effect_of(design, **options).overall.att
    assert found is not None
    return found


@pytest.mark.parametrize("estimator", ["projection", "em"])
def test_two_factors_take_away_the_bias_that_differences_leave(estimator: str) -> None:
    design = factor_panel()
    assert abs(att(design, estimator=estimator, factors=0) - 2) > 0.5
    # Noise of 0.1 over 12 treated cells, with two loadings from 14 periods: about 0.05.
    assert att(design, estimator=estimator) == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize("estimator", ["projection", "em"])
def test_without_noise_effects_are_found_to_rounding(estimator: str) -> None:
    design = factor_panel(noise=0.0, slope=0.7)
    effect = effect_of(design, estimator=estimator)
    assert effect.overall.att == pytest.approx(2.0, abs=1e-5)
    assert effect.tables["coefficients"]["coefficient"][0] == pytest.approx(0.7, abs=1e-5)
    for one in effect.by_event_time:
        assert one.estimate.att == pytest.approx(2.0 if one.event_time >= 0 else 0.0, abs=1e-4)


def test_no_factor_is_difference_in_differences_with_the_mean_of_all_pre_periods() -> None:
    design = factor_panel(late=1)
    y, starts = design.y, [one for one in design.cohort]
    donors = y[design.is_donor].mean(axis=0)
    gaps = []
    for i, start in enumerate(starts):
        if start is not None:
            gap = y[i] - donors
            gaps.extend(gap[start - 1 :] - gap[: start - 1].mean())
    assert att(design, factors=0) == pytest.approx(np.mean(gaps), abs=1e-10)


def test_projection_agrees_with_a_slow_version_written_out() -> None:
    design = factor_panel(late=1, noise=0.5)
    y, is_donor = design.y, design.is_donor
    donors = y[is_donor]
    rest = donors - donors.mean(axis=1, keepdims=True) - donors.mean(axis=0) + donors.mean()
    factors = np.linalg.svd(rest)[2][:2].T
    basis = np.column_stack([np.ones(len(factors)), factors])
    cells = []
    for i, start in enumerate(design.cohort):
        if start is not None:
            left = y[i] - donors.mean(axis=0)
            loading = np.linalg.lstsq(basis[: start - 1], left[: start - 1], rcond=None)[0]
            cells.extend((left - basis @ loading)[start - 1 :])
    assert att(design) == pytest.approx(np.mean(cells), abs=1e-9)


def test_em_meets_the_first_order_conditions_of_least_squares() -> None:
    design = factor_panel(noise=0.5, slope=0.3, late=1)
    panel = panel_of(design)
    found = fit_factors(panel.y, 2, covariates=panel.covariates, observed=panel.seen)
    residuals = np.where(panel.seen, panel.y - found.fitted, 0.0)
    assert panel.covariates is not None
    # Nothing that the model can move is correlated with what it leaves over.
    for part in (
        residuals.sum(axis=1),
        residuals.sum(axis=0),
        residuals @ found.factors,
        residuals.T @ found.loadings,
        (panel.covariates * residuals).sum(axis=(1, 2)),
    ):
        assert np.abs(part).max() < 1e-5


def test_factors_have_mean_square_one_and_the_best_fit_of_their_rank() -> None:
    rng = np.random.default_rng(1)
    for shape in ((9, 14), (14, 9)):
        rest = split_additive(rng.normal(size=shape), "two_way")[3]
        factors, loadings = principal_factors(rest, 3)
        np.testing.assert_allclose((factors**2).mean(axis=0), 1.0)
        left, sizes, right = np.linalg.svd(rest, full_matrices=False)
        np.testing.assert_allclose(
            loadings @ factors.T, (left[:, :3] * sizes[:3]) @ right[:3], atol=1e-10
        )


def test_cross_validation_finds_the_number_of_factors_and_its_errors_are_left_out_ones() -> None:
    design = factor_panel(noise=0.3, seed=4)
    effect = effect_of(design, factors="auto")
    assert effect.tables["model"]["n_factors"] == (2,)
    panel = panel_of(design)
    choice = choose_factors(panel, effects="two_way", is_projected=True, most=3)
    model = Model(2, "two_way", True)
    found = model.fit(panel)
    left, basis = model.left_over(found, panel), model.basis(found)
    squares = []
    for row in left:
        for t in range(14):  # the slow way: one regression for each period left out
            kept = [s for s in range(14) if s != t]
            loading = np.linalg.lstsq(basis[kept], row[kept], rcond=None)[0]
            squares.append((row[t] - basis[t] @ loading) ** 2)
    assert choice.mspe[2] == pytest.approx(np.mean(squares), rel=1e-9)


def test_gaps_among_comparison_units_are_borne_and_hardly_move_the_estimate() -> None:
    whole, gappy = factor_panel(seed=2), factor_panel(seed=2, gaps=20)
    assert not gappy.is_balanced
    for estimator in ("projection", "em"):
        assert att(gappy, estimator=estimator) == pytest.approx(
            att(whole, estimator=estimator), abs=0.1
        )


def test_units_times_and_scales_behave_as_they_should() -> None:
    design = factor_panel(noise=0.3)
    before = design.y.copy()
    plain = att(design)
    np.testing.assert_array_equal(design.y, before)
    rng = np.random.default_rng(0)
    shifted = design.y * 10 + rng.normal(size=(len(design.y), 1)) + rng.normal(size=18)
    moved = dataclasses.replace(design, y=shifted, y_natural=shifted)
    assert att(moved) == pytest.approx(10 * plain, abs=1e-8)
    order = rng.permutation(len(design.units))
    turned = dataclasses.replace(
        design,
        units=tuple(design.units[i] for i in order),
        y=design.y[order],
        y_natural=design.y_natural[order],
        cohort=tuple(design.cohort[i] for i in order),
        is_donor=design.is_donor[order],
    )
    assert att(turned) == pytest.approx(plain, abs=1e-9)


def test_the_point_alone_is_the_effect_and_the_same_seed_gives_the_same_errors() -> None:
    design = factor_panel(noise=0.5)
    options = {"draws": 40}
    one = estimate(design, "interactive_fixed_effects", options=options, seed=3)
    assert one == estimate(design, "interactive_fixed_effects", options=options, seed=3)
    assert one.overall.att == pytest.approx(
        point_estimate(design, "interactive_fixed_effects", options=options), abs=1e-10
    )
    other = estimate(design, "interactive_fixed_effects", options=options, seed=4)
    assert other.overall.se != one.overall.se
    assert one.inference_name is not None and one.inference_name.en == "parametric bootstrap"


@pytest.mark.parametrize("method", ["interactive_fixed_effects", "matrix_completion"])
def test_many_assignments_at_once_are_the_same_assignments_one_by_one(method: str) -> None:
    design = factor_panel(n_treated=2, n_donors=10, noise=0.5)
    options = {"penalty": 2.0} if method == "matrix_completion" else {}
    again = refit(design, method, options=options)
    starts = np.full((3, 12), np.inf)
    starts[0, :2], starts[1, 5], starts[2, [7, 8]] = 15, 15, 12
    found = again.under(starts)
    for row, value in zip(starts, found, strict=True):
        cohort = [int(one) if np.isfinite(one) else None for one in row]
        assert value == pytest.approx(again.one(subset_design(design, cohort=cohort)), abs=1e-9)
    assert found[0] == pytest.approx(point_estimate(design, method, options=options), abs=1e-9)
    starts[1, 5] = 1  # nothing before the start
    assert np.isnan(again.under(starts)[1])


@pytest.mark.parametrize("errors", ["parametric", "jackknife", "block_bootstrap"])
def test_standard_errors_are_about_the_spread_of_the_estimate_over_panels(errors: str) -> None:
    spread = np.std([att(factor_panel(n_treated=5, noise=0.5, seed=s)) for s in range(60)])
    found = [
        estimate(
            factor_panel(n_treated=5, noise=0.5, seed=s),
            "interactive_fixed_effects",
            options={"factors": 2, "errors": errors, "draws": 60},
        ).overall.se
        for s in range(4)
    ]
    # Few panels, few draws and five treated units: within a factor of two is what this can tell.
    assert 0.5 < np.mean([one for one in found if one]) / spread < 2


def test_event_times_have_a_joint_covariance_in_their_order() -> None:
    effect = estimate(
        factor_panel(noise=0.5, late=1),
        "interactive_fixed_effects",
        options={"factors": 1, "draws": 30},
    )
    assert len(effect.event_covariance) == len(effect.by_event_time)
    for place, one in enumerate(effect.by_event_time):
        assert one.estimate.se == pytest.approx(effect.event_covariance[place][place] ** 0.5)
    assert {one.n_treated for one in effect.by_event_time if one.event_time == 3} == {2}


def test_what_can_not_be_had_is_refused_in_words() -> None:
    short = factor_panel(n_pre=3)
    with pytest.raises(DesignError, match="2 factors need at least 4"):
        effect_of(short)
    with pytest.raises(DesignError, match="don't hold 9 factors"):
        effect_of(factor_panel(n_donors=10), factors=9)
    with pytest.raises(DesignError, match="far too small"):
        effect_of(factor_panel(n_treated=4), errors="jackknife")
    with pytest.raises(DesignError, match="can't bear gaps"):
        effect_of(factor_panel(gaps=3), errors="parametric")
    auto = effect_of(short, factors="auto")
    assert auto.tables["model"]["n_factors"][0] in (0, 1)
    assert "W-EST-FEW-PRE-PERIODS" in {one.code for one in auto.findings}


def test_a_factor_model_of_few_redrawn_units_says_that_its_errors_are_not_fit() -> None:
    effect = effect_of(factor_panel(n_treated=5), errors="jackknife")
    assert "W-EST-FEW-TREATED" in {one.code for one in effect.findings}
    assert effect.assumes is not None
