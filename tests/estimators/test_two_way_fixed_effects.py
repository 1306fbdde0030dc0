"""The two-way fixed-effects coefficient and what it is an average of: identities and truths."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from cps.design.record import LeftOut
from cps.errors import DesignError
from cps.estimators._bacon import ALWAYS, LATER, decompose, decompose_with_controls
from cps.estimators._regression import regress
from cps.estimators.registry import estimate, point_estimate, refit
from tests.estimators._panels import design, panel, shuffles, starts, with_gaps

PERIODS = np.arange(2015.0, 2023.0)
# Always treated, staggered, after the panel and never: every kind of group.
STARTS = np.array([-np.inf, 2014, 2017, 2017, 2019, 2019, 2019, 2022, 2030, np.inf, np.inf])


def world(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(len(STARTS), 8)), rng.normal(size=(2, len(STARTS), 8))


def coefficient(y: np.ndarray, covariates: np.ndarray, weight: np.ndarray) -> float:
    unit, period = (one.ravel() for one in np.indices(y.shape))
    flag = (PERIODS[period] >= STARTS[unit]).astype(float)
    columns = np.column_stack([flag, *(one.ravel() for one in covariates)])
    fitted = regress(
        y.ravel(),
        columns,
        names=["d", *map(str, range(len(covariates)))],
        absorb=[unit, period],
        weights=weight[unit],
    )
    return fitted.get("d")[0]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_parts_add_up_to_the_coefficient(weighted: bool) -> None:
    y, covariates = world()
    weight = np.linspace(0.5, 2, len(y)) if weighted else np.ones(len(y))
    parts = decompose(y, STARTS, PERIODS, weight)
    # An identity: rounding is all that may differ.
    assert parts.total == pytest.approx(coefficient(y, covariates[:0], weight), abs=1e-12)
    assert parts.weight.sum() == pytest.approx(1, abs=1e-12)
    assert (parts.weight > 0).all()
    assert {ALWAYS, LATER} <= set(parts.kind)
    controlled = decompose_with_controls(y, STARTS, PERIODS, covariates, weight)
    assert controlled.total == pytest.approx(coefficient(y, covariates, weight), abs=1e-12)
    assert controlled.weight.sum() + controlled.within_weight == pytest.approx(1, abs=1e-12)


def test_every_pair_is_a_difference_in_differences_of_its_own() -> None:
    y, _ = world()
    parts = decompose(y, STARTS, PERIODS)
    for treated, other, kind, value in zip(
        parts.treated, parts.untreated, parts.kind, parts.estimate, strict=True
    ):
        bounded = np.where(STARTS > 2022, np.inf, np.where(STARTS <= 2015, -np.inf, STARTS))
        rows = (bounded == treated) | (bounded == other)
        columns = other <= PERIODS if kind in (LATER, ALWAYS) else other > PERIODS
        unit, period = (one.ravel() for one in np.indices((rows.sum(), columns.sum())))
        late = PERIODS[columns][period] >= treated
        flag = (late & (bounded[rows][unit] == treated)).astype(float)
        fitted = regress(
            y[np.ix_(rows, columns)].ravel(),
            flag[:, None],
            names=["d"],
            absorb=[unit, period],
        )
        assert value == pytest.approx(fitted.get("d")[0], abs=1e-12)


def test_controls_that_are_constant_within_groups_leave_nothing_within() -> None:
    y, _ = world()
    group = np.unique(np.clip(STARTS, 2015, 2023), return_inverse=True)[1]
    control = np.random.default_rng(4).normal(size=(group.max() + 1, 8))[group]
    parts = decompose_with_controls(y, STARTS, PERIODS, control[None])
    assert parts.within_weight == pytest.approx(0, abs=1e-20)


def test_one_start_has_no_forbidden_comparison_and_the_coefficient_is_the_effect() -> None:
    one = design(panel([2018] * 4 + [None] * 5, effect=2.0))
    effect = estimate(one, "two_way_fixed_effects")
    assert effect.overall.att == pytest.approx(2.0, abs=1e-9)
    assert effect.tables["bacon"]["kind"] == ("treated_vs_untreated",)
    assert "0.0%" in effect.findings[0].what.en


def test_growing_effects_give_forbidden_comparisons_that_pull_the_coefficient_down() -> None:
    one = design(panel(effect=1.0, growth=1.0))
    effect = estimate(one, "two_way_fixed_effects")
    truth = point_estimate(one, "imputation")
    assert effect.overall.att < truth - 0.2
    bad = [
        (value, weight)
        for kind, value, weight in zip(
            *(effect.tables["bacon"][key] for key in ("kind", "estimate", "weight")), strict=True
        )
        if kind == "later_vs_earlier"
    ]
    assert bad
    # The later group's own effect is at least 1; its controls grow by 1 a year meanwhile.
    assert all(value < 1.0 for value, _ in bad)
    share = 100 * sum(weight for _, weight in bad)
    assert f"{share:.1f}%" in effect.findings[0].what.en
    assert f"{share:.1f}%" in effect.findings[0].what.zh


def test_it_is_marked_as_a_diagnosis() -> None:
    effect = estimate(design(panel(effect=1.0)), "two_way_fixed_effects")
    assert effect.is_diagnosis
    assert "diagnosis" in effect.method_name.en
    assert effect.findings[0].code == "W-EST-DIAGNOSIS"


def test_cell_weights_give_the_coefficient_back_from_exact_effects() -> None:
    one = design(panel(effect=1.0, growth=0.7))
    effect = estimate(one, "two_way_fixed_effects")
    cells = effect.tables["cell_weights"]
    truth = [1.0 + 0.7 * (t - g) for g, t in zip(cells["cohort"], cells["period"], strict=True)]
    assert float(np.dot(cells["weight"], truth)) == pytest.approx(effect.overall.att, abs=1e-9)


@pytest.mark.parametrize("errors", ["cluster", "robust", "iid"])
def test_the_quick_way_and_the_regression_of_all_rows_agree(errors: str) -> None:
    frame = panel(effect=1.0, noise=1.0)
    one = design(frame, weights="w", cluster="group")
    # A weight that hardly varies over time takes the slow way; the answer is the same.
    nudged = frame.with_columns(w=pl.col("w") * (1 + 1e-12 * (pl.col("year") - 2015)))
    other = design(nudged, weights="w", cluster="group")
    quick, slow = (
        estimate(d, "two_way_fixed_effects", options={"errors": errors}) for d in (one, other)
    )
    assert quick.overall.att == pytest.approx(slow.overall.att, abs=1e-9)
    assert quick.overall.se == pytest.approx(slow.overall.se, abs=1e-9)
    np.testing.assert_allclose(quick.event_covariance, slow.event_covariance, atol=1e-8)


def test_gaps_weights_that_change_and_covariates_are_borne_and_the_parts_withheld() -> None:
    frame = panel(effect=1.0, noise=1.0)
    gaps = estimate(design(with_gaps(frame), missing="keep"), "two_way_fixed_effects")
    assert "bacon" not in gaps.tables
    assert "no Goodman-Bacon decomposition" in gaps.findings[0].what.en
    weighted = estimate(design(frame, weights="wt"), "two_way_fixed_effects")
    assert "bacon" not in weighted.tables
    covariate = estimate(design(frame, covariates=["x"]), "two_way_fixed_effects")
    table = covariate.tables["bacon"]
    assert float(np.dot(table["weight"], table["estimate"])) == pytest.approx(
        covariate.overall.att, abs=1e-12
    )
    assert covariate.tables["covariates"]["name"] == ("x",)


def test_many_assignments_at_once_are_one_after_another() -> None:
    for given in ({}, {"weights": "wt"}):
        one = design(panel(effect=1.0, noise=1.0), **given)
        assigned = shuffles(one, 5)
        batch = refit(one, "two_way_fixed_effects").under(assigned)
        own = panel(effect=1.0, noise=1.0)
        for row, value in zip(assigned, batch, strict=True):
            frame = panel([None if np.isinf(s) else int(s) for s in row])
            frame = frame.with_columns(own["y"], own["wt"])
            other = point_estimate(design(frame, **given), "two_way_fixed_effects")
            assert value == pytest.approx(other, abs=1e-9)


def test_an_assignment_without_variation_gives_no_number() -> None:
    one = design(panel(effect=1.0, noise=1.0))
    everyone = np.where(np.isinf(starts(one)), 2018, 2018).astype(float)
    assert np.isnan(refit(one, "two_way_fixed_effects").under(everyone)).all()


def test_controls_that_span_treatment_are_refused() -> None:
    frame = panel(effect=1.0).with_columns(
        x=(pl.col("year") >= pl.col("cohort")).fill_null(False).cast(pl.Float64)
    )
    with pytest.raises(DesignError, match="does not vary"):
        estimate(design(frame, covariates=["x"]), "two_way_fixed_effects")


def test_without_never_treated_units_the_earliest_lead_is_lost_as_well() -> None:
    one = design(panel([2017] * 3 + [2018] * 3 + [2021] * 3, effect=1.0, noise=0.3))
    shown = [e.event_time for e in estimate(one, "two_way_fixed_effects").by_event_time]
    assert -1 in shown
    assert min(shown) == -5  # 2015 for the last cohort is −6


def test_always_treated_units_are_put_back_where_asked_for_and_kept() -> None:
    frame = panel(effect=1.0, noise=1.0)
    one = design(frame)
    with pytest.raises(DesignError, match="keeps no always-treated"):
        estimate(one, "two_way_fixed_effects", options={"always_treated": "include"})
    early = np.random.default_rng(1).normal(size=(2, 8))
    kept = dataclasses.replace(
        one, left_out=tuple(LeftOut(f"a{k}", "always_treated", early[k]) for k in range(2))
    )
    effect = estimate(kept, "two_way_fixed_effects", options={"always_treated": "include"})
    parts = decompose(
        np.vstack([one.y, early]),
        np.append(starts(one)[0], [-np.inf, -np.inf]),
        np.asarray(one.periods, float),
    )
    assert effect.overall.att == pytest.approx(parts.total, abs=1e-12)
    assert ALWAYS in effect.tables["bacon"]["kind"]
    assert "always" in effect.tables["bacon"]["untreated_group"]
    without = estimate(kept, "two_way_fixed_effects")
    assert without.overall == estimate(one, "two_way_fixed_effects").overall
