"""Repeated cross-sections: fast ways round their many rows, and what is said of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators._regression_panel import assigned, collapsed
from cps.estimators.inference import randomisation
from cps.estimators.inference._assign import assign
from cps.estimators.inference._linear import treated_weights
from cps.estimators.registry import estimate, refit
from tests.estimators._panels import design, panel

REGRESSIONS = ("two_way_fixed_effects", "imputation", "interaction_weighted")


def people(*, weighted: bool = False, covariate: bool = False) -> Design:
    """People asked once each, in ten towns over six years; three towns start, in two years."""
    rng = np.random.default_rng(3)
    starts = {0: 2017, 1: 2017, 2: 2018}
    rows = [
        {
            "year": year,
            "town": f"t{town}",
            "y": town + 0.3 * year + rng.normal() + (year >= starts.get(town, 9999)),
            "start": starts.get(town),
            "w": float(rng.uniform(0.5, 2.0)),
            "x": rng.normal(),
        }
        for town in range(10)
        for year in range(2014, 2020)
        # Nobody was asked in one town and year.
        for _ in range(0 if (town, year) == (5, 2016) else int(rng.integers(2, 6)))
    ]
    return design_from_frame(
        pl.DataFrame(rows, schema_overrides={"start": pl.Int64}),
        unit=None,
        period="year",
        outcome="y",
        cohort="start",
        missing="keep",
        cluster="town",
        weights="w" if weighted else None,
        covariates=["x"] if covariate else [],
    )


@pytest.mark.parametrize("method", REGRESSIONS)
@pytest.mark.parametrize("levels", ["cohort", "cluster"])
@pytest.mark.parametrize("weighted", [False, True])
def test_towns_means_give_what_their_people_give(method: str, levels: str, weighted: bool) -> None:
    one = people(weighted=weighted)
    one = dataclasses.replace(one, exposure=np.zeros(len(one.units)))
    starts = assign(one, "clusters", 19, 0).starts
    again = refit(one, method, options={"levels": levels})
    small, fewer = collapsed(one, starts)
    assert small.y.shape == (10, 6)
    assert fewer.shape == (len(starts), 10)
    # Each assignment on its own, person by person: the same least squares, but for rounding.
    slow = [again.one(assigned(one, row)) for row in starts]
    assert again.under(starts) == pytest.approx(slow, abs=1e-10)


def test_people_are_left_alone_where_their_means_do_not_tell_all() -> None:
    one = people()
    split = assign(one, "units", 19, 0).starts
    assert collapsed(one, split)[0] is one
    varied = people(covariate=True)
    assert collapsed(varied, assign(varied, "clusters", 19, 0).starts)[0] is varied
    plain = design(panel(noise=1.0))
    assert collapsed(plain, assign(plain, "units", 19, 0).starts)[0] is plain


def test_assignments_with_always_treated_units_put_back_are_estimated_together() -> None:
    frame = panel((2015, 2015, 2017, 2017, 2019, *[None] * 7), effect=1.0, noise=1.0)
    one = design(frame)
    again = refit(one, "two_way_fixed_effects", options={"always_treated": "include"})
    starts = assign(one, "units", 19, 0).starts
    slow = [again.one(assigned(one, row)) for row in starts]
    assert again.under(starts) == pytest.approx(slow, abs=1e-10)


def test_draws_are_cut_by_the_size_of_the_panel_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = people(covariate=True)
    monkeypatch.setattr(randomisation, "_CELLS", 1)
    monkeypatch.setattr(randomisation, "_LEAST_DRAWS", 29)
    given = {"levels": "cohort"}
    cut = estimate(one, "two_way_fixed_effects", options=given, inference="randomisation")
    assert len(cut.placebos) == 29
    assert any(said.code == "N-INF-FEWER-DRAWS" and said.count == 29 for said in cut.findings)
    whole = estimate(people(), "two_way_fixed_effects", options=given, inference="randomisation")
    assert not any(said.code == "N-INF-FEWER-DRAWS" for said in whole.findings)
    # People of the same town are not placebos of their own.
    assert any(said.code == "N-INF-NO-EVENT-PLACEBOS" for said in whole.findings)
    assert all(one.estimate.se is None for one in whole.by_event_time)


@pytest.mark.parametrize("method", REGRESSIONS)
def test_people_seen_once_are_told_of_levels_by_cohort(method: str) -> None:
    with pytest.raises(DesignError, match="levels=cohort"):
        estimate(people(), method, options={"levels": "unit"})
    alone = dataclasses.replace(people(), cluster=None)
    with pytest.raises(DesignError, match="levels=cohort"):
        estimate(alone, method)


@pytest.mark.parametrize("method", ["stacked", "joint_effects"])
def test_methods_that_need_panels_send_people_seen_once_to_another(method: str) -> None:
    with pytest.raises(DesignError, match="take imputation with levels=cohort"):
        estimate(people(), method)


@pytest.mark.parametrize("inference", ["conley_taber", "ferman_pinto", "placebo_t"])
def test_inferences_by_unit_do_not_send_cross_sections_away_with_useless_advice(
    inference: str,
) -> None:
    one = dataclasses.replace(people(), cluster=None)
    with pytest.raises(DesignError) as caught:
        estimate(one, "imputation", options={"levels": "cohort"}, inference=inference)
    assert "drop_unit" not in str(caught.value)
    assert "scheme=" not in str(caught.value)


def test_too_few_to_stand_in_names_the_inference_to_take() -> None:
    few = design(panel([2018] * 4 + [None] * 5, noise=1.0))
    with pytest.raises(DesignError, match="inference='randomisation'"):
        estimate(few, "imputation", inference="placebo_t")
    with pytest.raises(DesignError, match="scheme='units'"):
        estimate(
            few,
            "imputation",
            inference="randomisation",
            inference_options={"scheme": "donors"},
        )


@pytest.mark.parametrize("weighted", [False, True])
def test_weights_of_the_treated_are_those_of_moving_each_of_them(weighted: bool) -> None:
    frame = panel((2018, 2018, 2018, 2020, 2020, *[None] * 5), noise=1.0)
    one = design(frame, weights="w") if weighted else design(frame)
    again = refit(one, "two_way_fixed_effects")
    found = treated_weights(one, again)
    assert found is not None
    base = again.one(one)
    for place, unit in enumerate(np.flatnonzero([start is not None for start in one.cohort])):
        for t in (0, 4, 7):
            y = one.y.copy()
            y[unit, t] += 1.0
            moved = again.one(dataclasses.replace(one, y=y, y_natural=y))
            # A difference of two estimates of the levels' size.
            assert found[place, t] == pytest.approx(moved - base, abs=1e-10)
    # With sampling weights units that start together do not weigh alike.
    assert (np.abs(found[0] - found[1]).max() > 1e-3) == weighted
