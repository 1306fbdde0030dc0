"""Imputed effects: known truths, a slow version with every dummy, and invariants."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators import imputation
from cps.estimators._options import settle
from cps.estimators.registry import estimate, point_estimate, refit
from tests.estimators._panels import STAGGERED, design, panel, shuffles, starts, with_gaps

DEFAULTS = settle(imputation.OPTIONS, {}, where="imputation")


def slow(one: Design, *, horizon: int | None = None, by: str = "cohort_period", loo: bool = False):
    """Estimate and error with every dummy written out and every weight laid out by cell.

    Borusyak, Jaravel & Spiess (2024): τ = y − X β̂₀, v = −X₀(X₀'WX₀)⁻¹X₁'w, σ² = Σ_c (Σ vε)².
    """
    seen = ~np.isnan(one.y)
    unit, place = np.nonzero(seen)
    start, period = starts(one)[0][unit], np.asarray(one.periods)[place]
    y, n = one.y[seen], len(unit)
    w = np.ones(n) if one.weights is None else one.weights[seen]
    x = np.column_stack(
        [
            unit[:, None] == np.arange(len(one.units)),
            place[:, None] == np.arange(1, len(one.periods)),
            *([] if one.covariates is None else [c[seen] for c in one.covariates]),
        ]
    ).astype(float)
    free = period < start - one.anticipation
    on = period >= start
    solve = np.linalg.pinv(x[free].T @ (w[free, None] * x[free]), rcond=1e-12)
    effect = y - x @ solve @ x[free].T @ (w[free] * y[free])
    wanted = on if horizon is None else on & (period - start == horizon)
    share = np.where(wanted, w, 0.0) / w[wanted].sum()
    v = np.where(free, -w * (x @ solve @ x[on].T @ share[on]), share)
    cluster = unit if one.cluster is None else np.unique(one.cluster, return_inverse=True)[1][unit]
    key = {
        "cohort_period": np.where(np.isfinite(start), start, 0) * 10_000 + period,
        "event_time": np.where(np.isfinite(start), period - start, -99),
        "all": np.zeros(n),
    }[by]
    error = effect.copy()
    for group in np.unique(key[wanted]):
        inside = wanted & (key == group)
        names = np.unique(cluster[inside])
        big = np.array([v[inside & (cluster == c)].sum() for c in names])
        sums = np.array([(v * effect)[inside & (cluster == c)].sum() for c in names])
        for c, a, b in zip(names, big, sums, strict=True):
            top, bottom = (big * sums).sum(), (big**2).sum()
            if loo:
                top, bottom = top - a * b, bottom - a * a
            mine = inside & (cluster == c)
            error[mine] = effect[mine] - top / bottom
    used = free | wanted
    parts = [(v * error)[used & (cluster == c)].sum() for c in np.unique(cluster)]
    return float(share @ effect), float(np.sqrt(np.square(parts).sum()))


VARIANTS = {
    "balanced": (lambda f: f, {}),
    "gaps": (with_gaps, {"missing": "keep"}),
    "covariate": (lambda f: f, {"covariates": ["x"]}),
    "weights": (lambda f: f, {"weights": "wt"}),
    "clusters": (lambda f: f, {"cluster": "group"}),
    "anticipation": (lambda f: f, {"anticipation": 1}),
    "all": (
        with_gaps,
        {"covariates": ["x"], "weights": "wt", "cluster": "group", "missing": "keep"},
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("by", ["cohort_period", "event_time", "all"])
def test_estimates_and_errors_are_those_of_the_slow_version(name: str, by: str) -> None:
    change, given = VARIANTS[name]
    one = design(change(panel(effect=1.0, growth=0.5, noise=1.0)), **given)
    effect = estimate(one, "imputation", options={"average_by": by})
    att, se = slow(one, by=by)
    # Direct solutions of the same equations: rounding is all that may differ.
    assert effect.overall.att == pytest.approx(att, abs=1e-9)
    assert effect.overall.se == pytest.approx(se, abs=1e-9)
    for shown in effect.by_event_time:
        if shown.event_time >= 0:
            att, se = slow(one, horizon=shown.event_time, by=by)
            assert shown.estimate.att == pytest.approx(att, abs=1e-9)
            # A horizon that one unit alone reaches has an error of zero: then there is none.
            assert (shown.estimate.se or 0.0) == pytest.approx(se, abs=1e-9)


def test_leaving_the_own_cluster_out_is_the_slow_version_too() -> None:
    one = design(panel(effect=1.0, growth=0.5, noise=1.0))
    options = {"leave_out": "yes"}
    effect = estimate(one, "imputation", options=options)
    assert effect.overall.se == pytest.approx(slow(one, loo=True)[1], abs=1e-9)
    assert effect.overall.se > estimate(one, "imputation").overall.se


def test_growing_effects_of_staggered_cohorts_are_found_exactly() -> None:
    effect = estimate(design(panel(effect=2.0, growth=0.5)), "imputation")
    for one in effect.by_event_time:
        truth = 2.0 + 0.5 * one.event_time if one.event_time >= 0 else 0.0
        assert one.estimate.att == pytest.approx(truth, abs=1e-9)
    gaps = [one.observed - one.counterfactual for one in effect.paths]
    assert gaps[:2] == pytest.approx([0, 0], abs=1e-9)
    # In 2017 three of nine are treated, by 2.
    assert gaps[2] == pytest.approx(2.0 / 3)


def test_two_stages_give_the_same_estimate() -> None:
    one = design(panel(effect=1.0, growth=0.5, noise=1.0), covariates=["x"])
    unit, place = np.nonzero(~np.isnan(one.y))
    on = np.asarray(one.periods)[place] >= starts(one)[0][unit]
    x = np.column_stack(
        [
            unit[:, None] == np.arange(len(one.units)),
            place[:, None] == np.arange(1, len(one.periods)),
            one.covariates[0].ravel(),
        ]
    ).astype(float)
    first = np.linalg.lstsq(x[~on], one.y.ravel()[~on], rcond=None)[0]
    left = one.y.ravel() - x @ first
    # Gardner's second stage: residuals of all rows on the flag of treatment.
    second = float(left[on].sum() / on.sum())
    assert point_estimate(one, "imputation") == pytest.approx(second, abs=1e-9)


def test_leads_come_from_untreated_cells_alone() -> None:
    frame = panel(effect=1.0, noise=1.0)
    more = frame.with_columns(
        y=pl.col("y")
        + pl.when(pl.col("year") >= pl.col("cohort")).then(100.0).otherwise(0.0).fill_null(0.0)
    )
    one, other = (estimate(design(f), "imputation") for f in (frame, more))
    pick = [e.estimate for e in one.by_event_time if e.event_time < 0]
    assert pick
    assert pick == pytest.approx([e.estimate for e in other.by_event_time if e.event_time < 0])
    assert one.tables["pretrend_test"]["f"] == pytest.approx(other.tables["pretrend_test"]["f"])


def test_leads_by_group_are_those_of_the_regression_of_all_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = design(panel(effect=1.0, noise=1.0), cluster="group")
    quick = estimate(one, "imputation")
    monkeypatch.setattr(imputation, "_is_plain", lambda *_: False)
    slow = estimate(one, "imputation")
    assert quick.tables["pretrend_test"]["f"] == pytest.approx(slow.tables["pretrend_test"]["f"])
    for a, b in zip(quick.by_event_time, slow.by_event_time, strict=True):
        assert a.event_time == b.event_time
        assert a.estimate.att == pytest.approx(b.estimate.att, abs=1e-9)
        assert a.estimate.se == pytest.approx(b.estimate.se, abs=1e-9)


def test_the_covariance_has_the_squared_errors_on_its_diagonal() -> None:
    effect = estimate(design(panel(effect=1.0, noise=1.0)), "imputation")
    covariance = np.array(effect.event_covariance)
    errors = [one.estimate.se or 0.0 for one in effect.by_event_time]
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), errors, atol=1e-9)
    assert np.linalg.eigvalsh(covariance).min() > -1e-12
    post = np.array([one.event_time >= 0 for one in effect.by_event_time]) / 6
    dynamic = effect.aggregations["dynamic"]
    assert dynamic.se == pytest.approx(np.sqrt(post @ covariance @ post))


def test_scale_shifts_and_names_do_what_they_should() -> None:
    frame = panel(effect=1.0, noise=1.0)
    base = estimate(design(frame), "imputation").overall
    moved = frame.with_columns(
        y=7.0 * (pl.col("y") + 50 * pl.col("unit").str.slice(1).cast(pl.Int64) + pl.col("year") % 3)
    )
    other = estimate(design(moved), "imputation").overall
    assert other.att == pytest.approx(7 * base.att)
    assert other.se == pytest.approx(7 * base.se)
    renamed = frame.with_columns(unit=pl.lit("z") + pl.col("unit")).sample(
        fraction=1, shuffle=True, seed=1
    )
    again = estimate(design(renamed), "imputation").overall
    assert (again.att, again.se) == pytest.approx((base.att, base.se))


def test_always_treated_units_do_not_move_the_estimate() -> None:
    frame = panel(effect=1.0, noise=1.0)
    early = panel([2014], effect=50.0).with_columns(unit=pl.lit("always"))
    one, other = (
        estimate(design(f), "imputation").overall for f in (frame, pl.concat([frame, early]))
    )
    assert one == other


def test_many_assignments_at_once_are_one_after_another() -> None:
    one = design(panel(effect=1.0, noise=1.0))
    given = shuffles(one, 8)
    batch = refit(one, "imputation").under(given)
    for row, value in zip(given, batch, strict=True):
        frame = panel([None if np.isinf(s) else int(s) for s in row]).with_columns(
            y=pl.Series(one.y.ravel())
        )
        assert point_estimate(design(frame), "imputation") == pytest.approx(value, abs=1e-9)
    assert imputation.points(one, given[:0], options=DEFAULTS).shape == (0,)


def test_a_batch_with_covariates_is_the_same_as_one_by_one() -> None:
    one = design(panel(effect=1.0, noise=1.0), covariates=["x"], weights="wt")
    values = refit(one, "imputation").under(shuffles(one, 3))
    assert values[0] == pytest.approx(point_estimate(one, "imputation"), abs=1e-9)
    assert np.isfinite(values).all()


def test_periods_when_everyone_is_treated_are_refused_or_left_out_by_name() -> None:
    one = design(panel([2017] * 3 + [2020] * 3, effect=1.0, noise=0.1))
    with pytest.raises(DesignError, match="can't be imputed") as refused:
        estimate(one, "imputation")
    assert "2020" in refused.value.where
    assert "unidentified=drop" in refused.value.mend.en
    effect = estimate(one, "imputation", options={"unidentified": "drop"})
    assert "W-EST-NOT-IDENTIFIED" in {f.code for f in effect.findings}
    assert {c.period for c in effect.by_calendar} == {2017, 2018, 2019}
    assert [p.counterfactual for p in effect.paths][-1] is None
    dropped = settle(imputation.OPTIONS, {"unidentified": "drop"}, where="")
    assert imputation.points(one, starts(one), options=dropped)[0] == pytest.approx(
        effect.overall.att
    )
    assert np.isnan(imputation.points(one, starts(one), options=DEFAULTS)[0])


def test_a_unit_without_a_period_before_its_start_is_named() -> None:
    frame = panel(effect=1.0, noise=0.1).with_columns(
        y=pl.when((pl.col("unit") == "u00") & (pl.col("year") < 2017)).then(None).otherwise("y")
    )
    with pytest.raises(DesignError, match="1 units without") as refused:
        estimate(design(frame, missing="keep"), "imputation")
    assert "u00" in refused.value.where


def test_covariates_that_only_start_to_move_with_treatment_are_refused() -> None:
    frame = panel(effect=1.0, noise=0.1).with_columns(
        x=pl.when(pl.col("year") >= pl.col("cohort"))
        .then(pl.col("x"))
        .otherwise(0.0)
        .fill_null(0.0)
    )
    with pytest.raises(DesignError, match="slopes are unknown"):
        estimate(design(frame, covariates=["x"]), "imputation")


def test_fixed_covariates_are_named_and_get_a_slope_by_period_if_asked() -> None:
    one = design(panel(effect=1.0, noise=1.0), covariates=["w"])
    plain = estimate(one, "imputation")
    assert "N-EST-COLLINEAR" in {f.code for f in plain.findings}
    assert plain.overall.att == pytest.approx(
        point_estimate(design(panel(effect=1.0, noise=1.0)), "imputation")
    )
    sloped = estimate(one, "imputation", options={"covariates": "by_period"})
    assert abs(sloped.overall.att - plain.overall.att) > 1e-6
    assert len(sloped.tables["covariates"]["slope"]) == 7


def test_repeated_cross_sections_need_levels_by_cohort() -> None:
    frame = panel(STAGGERED * 3, effect=1.0).with_columns(
        y=pl.col("y") - 3.0 * pl.col("unit").str.slice(1).cast(pl.Int64)
    )
    from cps.design.frame import design_from_frame

    one = design_from_frame(
        frame, unit=None, period="year", outcome="y", cohort="cohort", missing="keep"
    )
    with pytest.raises(DesignError, match="levels=cohort"):
        estimate(one, "imputation")
    effect = estimate(one, "imputation", options={"levels": "cohort"})
    assert effect.overall.att == pytest.approx(1.0, abs=1e-9)


def test_few_treated_and_lonely_cohorts_are_warned_of() -> None:
    one = design(panel([2018] + [2019] * 2 + [None] * 8, effect=1.0, noise=0.5))
    codes = {f.code for f in estimate(one, "imputation").findings}
    assert {"W-EST-FEW-TREATED", "W-EST-ALONE-IN-COHORT"} <= codes
    many = design(panel([2018] * 6 + [None] * 8, effect=1.0, noise=0.5))
    # What simulations say of the pair of method and inference is another matter.
    assert {f.code for f in estimate(many, "imputation").findings} <= {"W-EST-LEVEL"}
