"""What income is made of, what is subsidy, and what members were paid."""

import numpy as np
import polars as pl
import pytest

from cps.errors import PanelError, UsageError
from cps.indicators.grid import add_components, grid_of_array
from cps.indicators.record import Ask, Basis
from cps.indicators.registry import measure_indicator
from cps.indicators.structure import income_structure, subsidy_dependence

PARTS = {
    "direct_operating_income_yuan": [60.0, 20.0, np.nan],
    "investment_income_yuan": [10.0, 30.0, 5.0],
    "contract_income_yuan": [30.0, 50.0, 5.0],
}


def test_shares_are_of_the_sums_over_the_units_that_reported_every_part():
    found = income_structure(PARTS)
    assert found.n == 2
    assert found.shares_pct == {
        "direct_operating_income_yuan": 40.0,
        "investment_income_yuan": 20.0,
        "contract_income_yuan": 40.0,
    }
    assert found.concentration == pytest.approx(0.4**2 + 0.2**2 + 0.4**2)


def test_parts_that_do_not_sum_to_the_total_are_refused_with_the_gap():
    assert income_structure(PARTS, total=[100.0, 100.0, 7.0]).n == 2
    with pytest.raises(PanelError, match=r"1 units .* by up to CNY 3\.00"):
        income_structure(PARTS, total=[100.0, 97.0, 7.0])


def test_a_negative_part_and_no_parts_are_refused():
    with pytest.raises(UsageError, match="negative"):
        income_structure({"a": [5.0], "b": [-1.0]})
    with pytest.raises(UsageError, match="no parts"):
        income_structure({})
    assert income_structure({"a": [np.nan]}) is None


def test_dependence_is_of_money_for_all_and_of_units_for_the_median():
    found = subsidy_dependence([900.0, 10.0, 50.0, np.nan], [100.0, 90.0, 50.0, 5.0])
    assert found.share_pct == pytest.approx(100 * 240 / 1200)
    assert found.median_share_pct == pytest.approx(50)
    assert found.above_half_pct == pytest.approx(100 / 3)
    assert found.n == 3


def grid(basis=None, **components):
    values = [[100.0, 200.0], [100.0, 100.0]]
    return grid_of_array(values, periods=[2022, 2023], basis=basis, components=components)


def test_the_change_of_dependence_is_in_points():
    found = measure_indicator(
        "subsidy_dependence_change",
        grid(subsidy_income_yuan=[[100.0, 100.0], [100.0, 0.0]]),
        Ask(2023, base=2022),
    )
    assert found.value == pytest.approx(25 - 50)
    assert found.unit == "points"


def test_parts_come_from_rows_and_what_has_no_row_is_not_reported():
    rows = pl.DataFrame(
        {
            "unit": ["1", "2", "1", "9"],
            "period": [2023, 2023, 2022, 2023],
            "item": ["subsidy_income_yuan"] * 4,
            "value": [100, None, 100, 5],
        }
    )
    found = measure_indicator("subsidy_dependence", add_components(grid(), rows), Ask(2023))
    assert found.value == pytest.approx(100 / 3)
    assert found.n_reported == 1
    with pytest.raises(UsageError, match="repeated rows"):
        add_components(grid(), pl.concat([rows, rows]))
    with pytest.raises(UsageError, match="no value"):
        add_components(grid(), rows.drop("value"))


@pytest.mark.parametrize("basis", [Basis(income="net"), Basis(subsidies=True)])
def test_net_income_or_income_with_subsidies_is_never_mixed_in(basis):
    found = measure_indicator(
        "subsidy_dependence", grid(basis, subsidy_income_yuan=np.ones((2, 2))), Ask(2023)
    )
    assert found.value is None
    assert "不能混算" in found.notes[0].zh


def test_structure_of_a_grid_checks_the_identity():
    parts = {
        "direct_operating_income_yuan": [[40.0, 100.0], [40.0, 50.0]],
        "investment_income_yuan": [[30.0, 50.0], [30.0, 25.0]],
        "contract_income_yuan": [[30.0, 50.0], [30.0, 20.0]],
    }
    good = measure_indicator("own_operation_share", grid(**parts), Ask(2022))
    assert good.value == pytest.approx(40)
    assert sum(good.table["share_pct"]) == pytest.approx(100)
    bad = measure_indicator("own_operation_share", grid(**parts), Ask(2023))
    assert bad.value is None
    assert "不符" in bad.notes[0].zh


def test_dividends_by_member_and_of_surplus_where_they_are():
    paid = [[0.0, 30_000.0], [0.0, 10_000.0]]
    found = measure_indicator(
        "dividends",
        grid(
            dividends_yuan=paid,
            members_persons=[[100.0, 100.0], [100.0, np.nan]],
            net_surplus_yuan=[[1.0, 60_000.0], [1.0, 20_000.0]],
        ),
        Ask(2023),
    )
    assert found.value == 40_000
    assert found.parts["per_member_yuan"] == 300
    assert found.parts["of_net_surplus_pct"] == pytest.approx(50)
    assert found.parts["n_with_members"] == 1
    bare = measure_indicator("dividends", grid(dividends_yuan=paid), Ask(2022))
    assert bare.value == 0
    assert bare.parts["per_member_yuan"] is None
