"""Indicators against vectors whose answers are known, and against what must not change them."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cps.errors import UsageError
from cps.indicators.inequality import gini, inequality
from cps.indicators.levels import (
    levels,
    mean_in_year,
    mean_yearly_gain,
    year_on_year,
    yearly_values,
)
from cps.indicators.summary import summarise_panel
from cps.indicators.thresholds import above_thresholds
from cps.panel.record import PANEL_KEYS, Panel

INCOMES = {
    ("甲", 2022): 400_000,
    ("乙", 2022): 600_000,
    ("丙", 2022): 1_000_000,
    ("甲", 2023): 500_000,
    ("乙", 2023): 900_000,
    ("丙", 2023): 1_000_001,
}


def panel_of(rows, frequency="year", outcome="income_yuan"):
    """Make a panel from (unit, area, period, value) rows."""
    frame = pl.DataFrame(
        [
            {
                "unit": unit,
                "area": area,
                "period": period,
                "period_label": str(period),
                "regime": "2023" if str(period) >= "2024" else "2004",
                "is_synthetic": True,
                outcome: value,
            }
            for unit, area, period, value in rows
        ],
        schema={**PANEL_KEYS, outcome: pl.Int64()},
        orient="row",
    ).sort("unit", "period")
    return Panel(frame, frequency, "village", (), (), True)


@pytest.fixture
def panel():
    return panel_of([(unit, "本街", year, value) for (unit, year), value in INCOMES.items()])


def row(table, **keys):
    found = table.filter([pl.col(name) == value for name, value in keys.items()])
    assert found.height == 1
    return found.row(0, named=True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5, 5, 5, 5], 0.0),
        ([0, 0, 0, 1], 0.75),  # one holder of everything: (n − 1) / n
        ([1, 2, 3, 4, 5], 4 / 15),
        ([1, 3], 0.25),  # mean absolute difference 1 over twice the mean 2
        ([7], 0.0),
    ],
)
def test_gini_of_vectors_with_known_answers(values, expected):
    assert gini(values) == pytest.approx(expected, abs=1e-15)


@given(
    st.lists(st.integers(0, 10_000_000), min_size=1, max_size=40).filter(any),
    st.floats(1e-3, 1e3),
)
def test_gini_equals_half_the_relative_mean_difference_and_ignores_scale(values, scale):
    array = np.array(values, dtype=float)
    slow = np.abs(array[:, None] - array[None, :]).mean() / (2 * array.mean())
    assert gini(array) == pytest.approx(slow, abs=1e-12)
    assert gini(array * scale) == pytest.approx(gini(array), abs=1e-12)


def test_gini_is_unchanged_when_the_population_is_replicated_or_shuffled():
    values = [3, 1, 4, 1, 5, 9, 2, 6]
    assert gini(values * 3) == pytest.approx(gini(values), abs=1e-15)
    assert gini(values[::-1]) == gini(values)


@pytest.mark.parametrize("values", [[], [0, 0], [-1, 5], [float("nan")]])
def test_gini_is_absent_where_it_is_not_defined(values):
    assert gini(values) is None


def test_levels_of_three_villages(panel):
    found = row(levels(yearly_values(panel, "income_yuan")), year=2022)
    assert (found["total"], found["n_units"], found["n_reported"]) == (2_000_000, 3, 3)
    assert found["mean"] == pytest.approx(2_000_000 / 3)
    assert found["median"] == 600_000


def test_a_total_with_a_missing_village_is_absent_not_smaller():
    panel = panel_of([("甲", "本街", 2023, 5), ("乙", "本街", 2023, None)])
    found = row(levels(yearly_values(panel, "income_yuan")), year=2023)
    assert (found["total"], found["mean"], found["n_reported"]) == (None, 5.0, 1)


def test_a_village_exactly_on_the_threshold_is_not_above_it(panel):
    table = above_thresholds(yearly_values(panel, "income_yuan"))
    found = row(table, year=2023, threshold_yuan=500_000)
    assert (found["n_above"], found["share_above_pct"]) == (2, pytest.approx(200 / 3))
    assert row(table, year=2023, threshold_yuan=1_000_000)["n_above"] == 1
    assert row(table, year=2022, threshold_yuan=1_000_000)["n_above"] == 0


def test_growth_is_against_the_same_total_a_year_before(panel):
    table = year_on_year(levels(yearly_values(panel, "income_yuan")))
    assert table.height == 1
    found = row(table, year=2023)
    assert found["growth_pct"] == pytest.approx((2_400_001 / 2_000_000 - 1) * 100)
    assert found["has_break"] is False


def test_growth_over_the_accounting_break_is_marked():
    panel = panel_of([("甲", "本街", 2023, 100), ("甲", "本街", 2024, 150)])
    found = row(year_on_year(levels(yearly_values(panel, "income_yuan"))), year=2024)
    assert (found["growth_pct"], found["has_break"]) == (pytest.approx(50.0), True)


def test_growth_from_zero_is_absent():
    panel = panel_of([("甲", "本街", 2022, 0), ("甲", "本街", 2023, 10)])
    assert (
        row(year_on_year(levels(yearly_values(panel, "income_yuan"))), year=2023)["growth_pct"]
        is None
    )


def test_months_are_summed_for_income_and_read_at_the_year_end_for_jobs():
    rows = [("甲", "本街", 2023 * 12 + month, 10 + month) for month in range(12)]
    income = yearly_values(panel_of(rows, "month"), "income_yuan")
    assert income["value"].to_list() == [sum(range(10, 22))]
    jobs = yearly_values(panel_of(rows, "month", "jobs_persons"), "jobs_persons")
    assert jobs["value"].to_list() == [21]


@pytest.mark.parametrize("broken", ["gap", "short"])
def test_a_year_that_lacks_a_month_has_no_value(broken):
    rows = [("甲", "本街", 2023 * 12 + month, 10) for month in range(12)]
    rows = rows[:-1] if broken == "short" else [*rows[:5], (*rows[5][:3], None), *rows[6:]]
    assert yearly_values(panel_of(rows, "month"), "income_yuan")["value"].to_list() == [None]


def test_mean_yearly_gain_is_the_slope_between_two_years(panel):
    values = yearly_values(panel, "income_yuan")
    gain = mean_yearly_gain(values, ["甲", "乙"], base_year=2022, last_year=2023)
    assert gain == 200_000
    assert mean_yearly_gain(values, ["甲", "丁"], base_year=2022, last_year=2023) is None
    assert mean_in_year(values, [], year=2023) is None
    with pytest.raises(ValueError, match="must come after"):
        mean_yearly_gain(values, ["甲"], base_year=2023, last_year=2023)


def test_inequality_leaves_out_villages_that_did_not_report():
    panel = panel_of([("甲", "本街", 2023, 1), ("乙", "本街", 2023, 3), ("丙", "本街", 2023, None)])
    found = row(inequality(yearly_values(panel, "income_yuan")), year=2023)
    assert (found["n_units"], found["n_reported"], found["gini"]) == (3, 2, 0.25)


def test_the_summary_is_plain_json_and_marks_the_target_area(panel):
    other = panel_of([("丁", "邻镇", 2022, 1), ("丁", "邻镇", 2023, 2)])
    both = Panel(
        pl.concat([panel.frame, other.frame]).sort("unit", "period"),
        "year",
        "village",
        (),
        (),
        True,
    )
    summary = summarise_panel(both, area="本街")
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["income_levels"]["is_target"] == [True, True, False, False]
    assert summary["income_gains"]["gain_per_year"] == [pytest.approx(400_001 / 3), 1.0]
    assert "jobs_levels" not in summary


def test_an_unknown_area_is_refused_with_the_nearest(panel):
    with pytest.raises(UsageError, match="本街"):
        summarise_panel(panel, area="本街道")
