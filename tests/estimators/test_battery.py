"""The battery: a headline by rule, every other method beside it, nothing claimed that can't be."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.estimators import battery
from cps.estimators._reliability import Reliability, reliability
from cps.estimators.battery import estimate_all, estimate_headline
from cps.estimators.registry import estimate


def panel(n_treated: int, n_units: int, *, start: int = 2019, seed: int = 1) -> pl.DataFrame:
    """Units over 2013–2022 with levels of their own, noise, and an effect of 2 from ``start``."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        [
            {
                "unit": f"u{i:02d}",
                "year": year,
                "y": float(i + rng.normal() + 2.0 * (i < n_treated and year >= start)),
                "cohort": start if i < n_treated else None,
                "group": f"g{i // max(n_treated, 1)}",
            }
            for i in range(n_units)
            for year in range(2013, 2023)
        ],
        schema_overrides={"cohort": pl.Int64},
    )


def design(frame: pl.DataFrame, **more: str) -> Design:
    roles = {"unit": "unit", "period": "year", "outcome": "y", "cohort": "cohort"}
    return design_from_frame(frame, **roles, **more)  # type: ignore[arg-type]


def test_every_method_stands_beside_the_headline_and_a_diagnosis_stands_last() -> None:
    effects = estimate_all(design(panel(2, 16)))
    methods = [one.method for one in effects]
    assert methods[0] == "synthetic_did"
    assert methods[-1] == "two_way_fixed_effects"
    assert effects[-1].is_diagnosis
    assert {"group_time_att", "imputation", "interaction_weighted", "stacked"} <= set(methods)
    assert {"synthetic_control", "matrix_completion"} <= set(methods)


def test_with_few_treated_no_effect_but_a_diagnosis_carries_a_clustered_error() -> None:
    for one in estimate_all(design(panel(2, 16))):
        if not one.is_diagnosis:
            assert one.inference not in ("analytic", "clustered"), one.method


def test_a_pair_that_missed_its_level_is_no_headline(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(method: str, options: dict[str, str], inference: str, n: int) -> Reliability | None:
        missed = method == "synthetic_did" and options["weights"] == "sdid"
        verdict = "not_offered" if missed else "offered"
        return Reliability("2-4", 0.80, 0.20, 500, verdict, "covers .80" if missed else "")  # type: ignore[arg-type]

    monkeypatch.setattr(battery, "reliability", found)
    first = estimate_all(design(panel(2, 16)))[0]
    assert (first.method, first.options["weights"]) == ("synthetic_did", "did")
    (told,) = [one for one in first.findings if one.code == "N-EST-HEADLINE"]
    assert "missed its level" in told.what.en


@pytest.mark.parametrize("n_treated", [1, 2])
def test_the_headline_goes_to_the_minimum_that_the_published_steps_approach(
    n_treated: int,
) -> None:
    drawn = design(panel(n_treated, 16))
    first = estimate_all(drawn)[0]
    assert (first.options["weights"], first.options["solver"]) == ("sdid", "exact")
    steps = estimate(drawn, options={"weights": "sdid"})
    assert steps.options["solver"] == "synthdid"
    # Where steps stop is nothing beside the error: placebos are the same to the last digit.
    assert first.overall.se == steps.overall.se
    assert abs(first.overall.att - steps.overall.att) < 0.02 * first.overall.se  # type: ignore[operator]
    assert first.is_reliable == steps.is_reliable


def test_a_verdict_holds_for_every_solver_of_a_unique_minimum_only() -> None:
    options = {"errors": "placebo", "covariates": "projected", "solver": "synthdid"}
    for weights in ("sdid", "did"):
        studied = reliability("synthetic_did", {**options, "weights": weights}, "placebo", 2)
        assert studied is not None and studied.is_judged
        exact = {**options, "weights": weights, "solver": "exact"}
        assert reliability("synthetic_did", exact, "placebo", 2) is studied
    # Without a penalty there may be many minima, and which is taken is part of the estimate.
    exact = {**options, "weights": "sc", "solver": "exact"}
    assert reliability("synthetic_did", {**options, "weights": "sc"}, "placebo", 2) is not None
    assert reliability("synthetic_did", exact, "placebo", 2) is None


def test_what_is_passed_over_is_named_by_its_method_not_by_its_solver() -> None:
    first = estimate_all(design(panel(2, 16, start=2015)))[0]
    (told,) = [one for one in first.findings if one.code == "N-EST-HEADLINE"]
    assert "synthetic_did (sdid)" in told.what.en
    assert "synthetic_did（sdid）" in told.what.zh


def one_treated_cluster() -> Design:
    """Four treated units in one of five clusters, with a gap."""
    frame = panel(4, 20).filter(~((pl.col("unit") == "u07") & (pl.col("year") == 2015)))
    return design(frame, cluster="group", missing="keep")


def test_one_treated_cluster_of_five_is_ranked_among_clusters_and_gets_no_interval() -> None:
    first = estimate_all(one_treated_cluster())[0]
    assert first.inference == "randomisation"
    assert first.p_value_floor == pytest.approx(1 / 5)
    assert (first.overall.ci_low, first.overall.ci_high) == (None, None)


def test_where_no_inference_for_few_applies_the_estimate_stands_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = battery.Specification("group_time_att", {"base": "universal"}, few=("conley_taber",))
    monkeypatch.setattr(battery, "SPECIFICATIONS", (alone,))
    monkeypatch.setattr(battery, "HEADLINES", (alone,))
    first = estimate_all(one_treated_cluster())[0]
    assert first.overall.att is not None
    assert (first.overall.se, first.overall.ci_low, first.overall.p_value) == (None, None, None)
    assert first.inference == "none"
    assert "W-EST-NO-INFERENCE" in [one.code for one in first.findings]


def test_cross_sections_are_compared_by_cohort() -> None:
    frame = panel(6, 30).with_columns(unit=pl.format("{}-{}", "unit", "year"))
    effects = estimate_all(design(frame, missing="keep"))
    by_method = {one.method: one for one in effects}
    assert by_method["imputation"].options["levels"] == "cohort"
    assert by_method["imputation"].overall.att == pytest.approx(2.0, abs=0.8)


def test_the_headline_alone_is_what_the_battery_puts_first() -> None:
    for one in (design(panel(2, 16)), design(panel(2, 16, start=2015)), one_treated_cluster()):
        alone, first = estimate_headline(one, seed=3), estimate_all(one, seed=3)[0]
        assert (alone.method, alone.options) == (first.method, first.options)
        assert (alone.overall, alone.by_event_time) == (first.overall, first.by_event_time)
        assert alone.placebos == first.placebos
        assert {finding.code for finding in alone.findings} <= {
            finding.code for finding in first.findings
        }
