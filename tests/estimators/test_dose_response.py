"""Dose curves: known truths, errors by hand, and what is refused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.errors import DesignError
from cps.estimators.registry import estimate, point_estimate, refit
from tests.estimators._panels import design, panel, shuffles, with_gaps

COHORTS = (2018,) * 6 + (2020,) * 6 + (None,) * 8


def dosed(
    *, noise: float = 0.0, seed: int = 0, cohorts=COHORTS, growth: float = 0.0
) -> pl.DataFrame:
    """Effects of 1 + 2 × dose, and of ``growth`` more each year."""
    frame = panel(cohorts, noise=noise, seed=seed)
    on = pl.col("dose") > 0
    return frame.with_columns(
        y=pl.col("y")
        + pl.when(on)
        .then(1.0 + 2.0 * pl.col("dose") + growth * (pl.col("year") - pl.col("cohort")))
        .otherwise(0.0)
        .fill_null(0.0)
    )


def rows(effect, kind: str) -> list[dict[str, object]]:
    table = effect.tables["dose"]
    return [
        {key: table[key][k] for key in table} for k, one in enumerate(table["kind"]) if one == kind
    ]


@pytest.mark.parametrize("effects", ["imputed", "long_difference"])
def test_the_curve_the_slope_and_the_ratio_are_found_exactly(effects: str) -> None:
    effect = estimate(design(dosed(), dose="dose"), "dose_response", options={"effects": effects})
    assert [row["att"] for row in rows(effect, "level")] == pytest.approx([3, 5, 7])
    assert rows(effect, "slope")[0]["att"] == pytest.approx(2.0)
    assert rows(effect, "per_unit")[0]["att"] == pytest.approx(5.0 / 2.0)
    assert effect.overall.att == pytest.approx(5.0)
    assert effect.measure == "y"
    assert effect.tables["units"]["dose"][:3] == pytest.approx((1, 2, 3))
    assert effect.tables["units"]["effect"][:3] == pytest.approx((3, 5, 7))


def test_a_dose_that_goes_with_an_early_start_is_told_from_growth_within_event_times() -> None:
    # Only early starters have a high dose, but for one each: pooled, growth passes for dose.
    frame = dosed(growth=1.0).with_columns(
        strong=((pl.col("cohort") == 2018) & ~pl.col("unit").is_in(["u00"]))
        | pl.col("unit").is_in(["u06"])
    )
    frame = frame.with_columns(
        y=pl.col("y")
        - pl.when(pl.col("dose") > 0).then(2.0 * pl.col("dose")).otherwise(0.0)
        + pl.when((pl.col("dose") > 0) & pl.col("strong")).then(2.0).otherwise(0.0),
        dose=pl.when(pl.col("dose") > 0)
        .then(1.0 + pl.col("strong").fill_null(False).cast(pl.Float64))
        .otherwise(0.0),
    )
    one = design(frame, dose="dose")
    within = estimate(one, "dose_response")
    pooled = estimate(one, "dose_response", options={"slope": "pooled"})
    assert rows(within, "slope")[0]["att"] == pytest.approx(2.0)
    assert rows(pooled, "slope")[0]["att"] > 2.3
    assert "W-EST-DOSE-TIMING" in {f.code for f in within.findings}


def test_the_error_of_a_level_is_that_of_two_means_with_one_start() -> None:
    cohorts = (2018,) * 9 + (None,) * 10
    one = design(dosed(noise=1.0, cohorts=cohorts), dose="dose")
    effect = estimate(one, "dose_response", options={"effects": "long_difference"})
    change = one.y[:, 3:].mean(axis=1) - one.y[:, 2]
    never = change[9:]
    for k, row in enumerate(rows(effect, "level")):
        mine = change[:9][np.arange(9) % 3 == k]
        assert row["att"] == pytest.approx(mine.mean() - never.mean())
        # Treated clusters with n − 1, controls with n, as the group-time influence function has it.
        variance = mine.var(ddof=1) / len(mine) + never.var() / len(never)
        assert row["se"] == pytest.approx(np.sqrt(variance))
        assert row["n_treated"] == 3


def test_the_slope_is_the_regression_of_unit_effects_on_the_dose() -> None:
    cohorts = (2018,) * 9 + (None,) * 10
    one = design(dosed(noise=1.0, cohorts=cohorts), dose="dose")
    effect = estimate(one, "dose_response")
    units = effect.tables["units"]
    expected = np.polyfit(units["dose"], units["effect"], 1)[0]
    assert rows(effect, "slope")[0]["att"] == pytest.approx(expected)


def test_the_average_is_that_of_imputation() -> None:
    frame = dosed(noise=1.0)
    with_dose, without = design(frame, dose="dose"), design(frame)
    assert estimate(with_dose, "dose_response").overall.att == pytest.approx(
        point_estimate(without, "imputation")
    )
    given = shuffles(without, 4)
    np.testing.assert_allclose(
        refit(with_dose, "dose_response").under(given), refit(without, "imputation").under(given)
    )
    long = refit(with_dose, "dose_response", options={"effects": "long_difference"})
    weighted = refit(without, "interaction_weighted")
    np.testing.assert_allclose(long.under(given), weighted.under(given))


def test_gaps_weights_covariates_and_clusters_are_borne() -> None:
    frame = with_gaps(dosed())
    one = design(
        frame, dose="dose", weights="wt", covariates=["x"], cluster="group", missing="keep"
    )
    effect = estimate(one, "dose_response")
    assert [row["att"] for row in rows(effect, "level")] == pytest.approx([3, 5, 7])
    assert rows(effect, "slope")[0]["att"] == pytest.approx(2.0)
    plain = design(frame, dose="dose", weights="wt", missing="keep")
    long = estimate(plain, "dose_response", options={"effects": "long_difference"})
    assert rows(long, "slope")[0]["att"] == pytest.approx(2.0)


def test_many_doses_are_put_into_bins_and_thin_bins_are_named() -> None:
    money = dosed(noise=0.5).with_columns(
        dose=pl.when(pl.col("dose") > 0)
        .then(100.0 + pl.col("unit").str.slice(1).cast(pl.Float64) ** 2)
        .otherwise(0.0)
    )
    one = design(money, dose="dose")
    effect = estimate(one, "dose_response")
    assert [row["n_treated"] for row in rows(effect, "level")] == [6, 6]
    many = estimate(one, "dose_response", options={"bins": 6})
    assert len(rows(many, "level")) == 6
    assert "W-EST-THIN-LEVELS" in {f.code for f in many.findings}
    bounds = [(row["dose_low"], row["dose_high"]) for row in rows(effect, "level")]
    assert bounds == [(100.0, 125.0), (136.0, 221.0)]


def test_a_dose_that_changes_is_summed_up_as_asked() -> None:
    frame = dosed().with_columns(
        dose=pl.when(pl.col("dose") > 0).then(pl.col("dose") + pl.col("year") - 2018).otherwise(0.0)
    )
    one = design(frame, dose="dose")
    first, last = (
        estimate(one, "dose_response", options={"dose": how}).tables["units"]["dose"]
        for how in ("first", "last")
    )
    assert first[:3] == pytest.approx((1, 2, 3))
    assert last[:3] == pytest.approx((5, 6, 7))


def test_the_findings_say_what_strong_parallel_trends_adds() -> None:
    effect = estimate(design(dosed(), dose="dose"), "dose_response")
    (note,) = [f for f in effect.findings if f.code == "N-EST-STRONG-TRENDS"]
    assert "strong parallel trends" in note.what.en
    assert "强平行趋势" in note.what.zh


def test_a_level_of_one_unit_has_no_interval() -> None:
    frame = dosed(noise=1.0).with_columns(
        dose=pl.when((pl.col("unit") == "u00") & (pl.col("dose") > 0)).then(9.0).otherwise("dose")
    )
    effect = estimate(design(frame, dose="dose"), "dose_response")
    alone = rows(effect, "level")[-1]
    assert alone["dose_mean"] == 9.0
    assert alone["se"] is None
    assert alone["ci_low"] is None


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (pl.when(pl.col("dose") > 0).then(1.0).otherwise(0.0), "same dose"),
        (pl.lit(0.0), "no positive dose"),
        (pl.lit(1.0) * (1 + pl.col("year") % 2), "while untreated"),
    ],
)
def test_doses_that_say_nothing_or_contradict_the_starts_are_refused(change, match: str) -> None:
    with pytest.raises(DesignError, match=match):
        estimate(design(dosed().with_columns(dose=change), dose="dose"), "dose_response")


def test_a_design_without_a_dose_is_refused() -> None:
    with pytest.raises(DesignError, match="no dose"):
        estimate(design(dosed()), "dose_response")
    with pytest.raises(DesignError, match="take no covariates"):
        estimate(
            design(dosed(), dose="dose", covariates=["x"]),
            "dose_response",
            options={"effects": "long_difference"},
        )
