"""Whatever a method gives can be stored, read as a table, and holds no error that is none."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators.registry import estimate
from cps.result import Effect
from cps.runs import encode
from tests.estimators._panels import design, panel, with_gaps

METHODS: dict[str, dict[str, Any]] = {
    "imputation": {},
    "interaction_weighted": {},
    "stacked": {},
    "two_way_fixed_effects": {},
    "dose_response": {"dose": "dose"},
    "joint_effects": {},
    "structural_time_series": {},
    "interrupted_time_series": {},
}
LONG = (*[None] * 7, 2030, 2030, 2033)


def long_panel() -> pl.DataFrame:
    """Twenty-four years, for methods that forecast a series."""
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        [
            {
                "unit": f"u{i:02d}",
                "group": f"c{i // 2:02d}",
                "year": year,
                "y": 3.0 * i + rng.normal() + (cohort is not None and year >= cohort),
                "x": rng.normal(),
                "dose": 1.0 + i % 3 if cohort is not None and year >= cohort else 0.0,
                "cohort": cohort,
            }
            for i, cohort in enumerate(LONG)
            for year in range(2015, 2039)
        ],
        schema_overrides={"cohort": pl.Int64},
    )


def numpy_in(value: object, where: str) -> list[str]:
    """Name every number that is not Python's own, however deep."""
    if type(value).__module__ == "numpy":
        return [f"{where}: {type(value).__name__}"]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [(one.name, getattr(value, one.name)) for one in dataclasses.fields(value)]
    elif isinstance(value, dict):
        fields = [(str(key), one) for key, one in value.items()]
    elif isinstance(value, tuple | list):
        fields = [(str(place), one) for place, one in enumerate(value)]
    else:
        return []
    return [bad for name, one in fields for bad in numpy_in(one, f"{where}.{name}")]


def assert_plain(effect: Effect) -> None:
    assert numpy_in(effect, effect.method) == []
    assert json.dumps(encode(effect), allow_nan=False)
    for title, table in effect.tables.items():
        frame = pl.DataFrame({name: list(column) for name, column in table.items()})
        assert set(frame.columns) == set(table), title
        # Strictly: one type a column.
        for name, column in table.items():
            assert len({type(one) for one in column if one is not None}) <= 1, (title, name)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_plain_numbers_and_tables_of_one_type_a_column(method: str) -> None:
    for frame in (long_panel(), panel(effect=1.0, noise=1.0)):
        if method in ("structural_time_series", "interrupted_time_series") and frame.height < 200:
            continue
        assert_plain(estimate(design(frame, **METHODS[method]), method))


def test_tables_with_covariates_gaps_and_always_treated_units_are_plain_too() -> None:
    frame = panel((2015, 2017, 2017, 2019, *[None] * 8), effect=1.0, noise=1.0)
    one = design(frame, covariates=["x"])
    assert_plain(estimate(one, "two_way_fixed_effects", options={"always_treated": "include"}))
    assert_plain(
        estimate(design(frame), "two_way_fixed_effects", options={"always_treated": "include"})
    )
    gaps = design(with_gaps(panel(effect=1.0, noise=1.0)), missing="keep", covariates=["x"])
    for method in ("imputation", "interaction_weighted", "stacked", "two_way_fixed_effects"):
        assert_plain(estimate(gaps, method))


def two_of_them(noise: float = 1.0) -> Design:
    return design(panel((2018, None), effect=1.0, noise=noise))


CLUSTERED = (
    "two_way_fixed_effects",
    "imputation",
    "stacked",
    "interaction_weighted",
    "joint_effects",
)


@pytest.mark.parametrize("method", CLUSTERED)
@pytest.mark.parametrize("grouped", [False, True])
def test_one_treated_and_one_comparison_cluster_show_no_error(method: str, grouped: bool) -> None:
    one = two_of_them()
    if grouped:
        frame = panel((2018, 2018, None, None), effect=1.0, noise=1.0)
        one = design(frame, cluster="group")
    effect = estimate(one, method)
    found = effect.overall
    assert found.att is not None
    assert (found.se, found.ci_low, found.ci_high, found.p_value) == (None, None, None, None)
    assert effect.inference == "none"
    assert all(event.estimate.se is None for event in effect.by_event_time)
    assert any(said.code == "W-EST-FEW-TREATED" for said in effect.findings)


@pytest.mark.parametrize("method", ["two_way_fixed_effects", "imputation", "interaction_weighted"])
def test_an_error_that_is_rounding_is_none(method: str) -> None:
    # Levels, a common trend and one effect: every regression fits without residuals.
    effect = estimate(design(panel(effect=1.0)), method)
    assert effect.overall.att == pytest.approx(1.0, abs=1e-9)
    assert effect.overall.se is None
    assert effect.overall.p_value is None
    assert any(said.code == "W-EST-NO-ERROR" for said in effect.findings)
    small = design(panel(effect=1.0, noise=1e-5))
    assert estimate(small, method).overall.se is not None


@pytest.mark.parametrize("small_sample", ["nested", "full", "none"])
@pytest.mark.parametrize("grouped", [False, True])
def test_the_bootstrap_keeps_the_small_sample_factor_that_was_asked_for(
    small_sample: str, grouped: bool
) -> None:
    given: dict[str, Any] = {"cluster": "group"} if grouped else {}
    frame = panel((*[2017] * 8, *[2019] * 4, *[None] * 10), effect=1.0, noise=1.0)
    one = design(frame, **given)
    options = {"small_sample": small_sample}
    own = estimate(one, "two_way_fixed_effects", options=options)
    drawn = estimate(
        one,
        "two_way_fixed_effects",
        options=options,
        inference="wild_cluster_bootstrap",
        inference_options={"draws": 99},
    )
    # The same regression, by two codes: rounding is all that may differ.
    assert drawn.overall.se == pytest.approx(own.overall.se, rel=1e-9)
    assert drawn.options["small_sample"] == small_sample


def test_the_bootstrap_says_that_its_error_is_by_cluster() -> None:
    one = design(panel(effect=1.0, noise=1.0))
    drawn = estimate(
        one,
        "two_way_fixed_effects",
        options={"errors": "iid"},
        inference="wild_cluster_bootstrap",
        inference_options={"draws": 99},
    )
    assert drawn.options["errors"] == "cluster"
    assert any(said.code == "N-INF-CLUSTERED" for said in drawn.findings)
    clustered = estimate(one, "two_way_fixed_effects").overall
    assert drawn.overall.se == pytest.approx(clustered.se, rel=1e-9)


def test_always_treated_units_come_back_with_covariates_weights_and_clusters() -> None:
    frame = panel((2015, 2015, 2017, 2017, 2019, 2019, *[None] * 8), effect=1.0, noise=1.0)
    given: dict[str, Any] = {"covariates": ["x"], "weights": "w", "cluster": "group"}
    options = {"always_treated": "include"}
    found = estimate(design(frame, **given), "two_way_fixed_effects", options=options).overall
    # Never treated, as far as a coefficient with unit effects goes: nothing of theirs changes.
    same = frame.with_columns(
        cohort=pl.when(pl.col("cohort") == 2015).then(None).otherwise(pl.col("cohort"))
    )
    wanted = estimate(design(same, **given), "two_way_fixed_effects").overall
    assert found.att == pytest.approx(wanted.att, abs=1e-10)
    assert found.se == pytest.approx(wanted.se, rel=1e-9)


def test_the_bootstrap_has_always_treated_units_in_its_regression_too() -> None:
    frame = panel((2015, 2015, *[2017] * 4, 2019, 2019, *[None] * 8), effect=1.0, noise=1.0)
    for given in ({}, {"covariates": ["x"]}):
        one = design(frame, **given)
        options = {"always_treated": "include"}
        own = estimate(one, "two_way_fixed_effects", options=options)
        drawn = estimate(
            one,
            "two_way_fixed_effects",
            options=options,
            inference="wild_cluster_bootstrap",
            inference_options={"draws": 99},
        )
        assert drawn.overall.se == pytest.approx(own.overall.se, rel=1e-9)


@pytest.mark.parametrize(
    "inference",
    ["conley_taber", "ferman_pinto", "placebo_in_time", "placebo_t", "randomisation"],
)
def test_inferences_on_a_panel_without_noise_give_no_error_of_rounding(inference: str) -> None:
    # Levels in the thousands, so that rounding is far above zero.
    frame = panel((2021, 2021, *[None] * 9), effect=1.0).with_columns(y=pl.col("y") + 1e3)
    for method in ("imputation", "two_way_fixed_effects", "joint_effects"):
        found = estimate(design(frame), method, inference=inference)
        assert found.overall.att == pytest.approx(1.0, abs=1e-9)
        assert (found.overall.se, found.overall.ci_low, found.overall.ci_high) == (None,) * 3
        # A rank stands; an error's p-value would be zero.
        assert (found.overall.p_value is None) == (inference == "placebo_t")


def test_a_regression_without_residuals_is_not_resampled() -> None:
    one = design(panel((2018, 2018, *[None] * 9), effect=1.0))
    with pytest.raises(DesignError, match="nothing to resample"):
        estimate(one, "two_way_fixed_effects", inference="wild_cluster_bootstrap")
