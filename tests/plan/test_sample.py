"""The sample plan: one cell is one plan, more of everything detects less, and too little is said."""

from __future__ import annotations

import pytest

from cps.planning.power import plan
from cps.planning.sample import plan_sample, try_sample_plan
from tests.plan.test_plan import village_panel


@pytest.fixture(scope="module")
def sample():
    return plan_sample(village_panel(40), n_treated=(2, 8))


def test_the_cells_are_those_of_a_plan(sample) -> None:
    alone = plan(village_panel(40), n_treated=(2, 8), periods_after=(1, 2, 3))
    assert sample.plan.cells == alone.cells
    assert sample.method_name.en == "Synthetic difference-in-differences"


def test_all_comparison_units_are_the_plans_own_cell(sample) -> None:
    # Hosts are the most that were tried and are no more than four.
    assert (sample.hosts, sample.years_after) == (2, 3)
    (cell,) = [one for one in sample.plan.cells if (one.n_treated, one.periods_after) == (2, 3)]
    assert sample.by_comparison[-1].number == 38
    assert sample.by_comparison[-1].minimum_detectable == cell.minimum_detectable
    same = [one for one in sample.by_years_before if one.number == sample.plan.periods_before]
    assert same[0].minimum_detectable == cell.minimum_detectable


def test_few_comparison_units_detect_less_and_which_ones_they_are_matters(sample) -> None:
    fewest, most = sample.by_comparison[0], sample.by_comparison[-1]
    assert fewest.minimum_detectable > most.minimum_detectable
    assert fewest.lowest < fewest.minimum_detectable < fewest.highest


def test_what_cannot_be_planned_is_a_finding_and_no_number() -> None:
    planned, (finding,) = try_sample_plan(village_panel(3), until_year=2023)
    assert planned is None
    assert finding.code == "W-PLAN-NONE"
    planned, (finding,) = try_sample_plan(None, until_year=2023)
    assert planned is None
    assert "no whole year" in finding.what.en


def test_years_that_are_not_over_are_left_out() -> None:
    short, _ = try_sample_plan(village_panel(20), until_year=2021)
    whole, _ = try_sample_plan(village_panel(20), until_year=2023)
    assert short is not None
    assert whole is not None
    assert short.plan.cells[0].n_windows < whole.plan.cells[0].n_windows
