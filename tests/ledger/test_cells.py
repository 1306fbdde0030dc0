"""Cells: the table is the manual."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cps.ledger.cells import in_base_unit, parse_month, parse_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", "12"),
        ("１２．５", "12.5"),
        ("12,345.67", "12345.67"),
        ("１２，３４５", "12345"),
        ("545\n", "545"),
        (" 3.50 ", "3.50"),
        ("-7", "-7"),
        ("−7", "-7"),
        ("(1,200)", "-1200"),
        ("¥88", "88"),
        ("1.2e3", "1.2e3"),
        ("0", "0"),
        ("31人", "31"),
        ("5万元", "5"),
    ],
)
def test_numbers_are_read_exactly_as_written(text: str, value: str) -> None:
    cell = parse_number(text)
    assert cell.value == Decimal(value)
    assert cell.problem is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "unknown"),
        ("  ", "unknown"),
        ("n/a", "unknown"),
        ("无", "unknown"),
        ("缺", "unknown"),
        ("None", "unknown"),
        ("…", "below_one_unit"),
        ("—", "not_applicable"),
        ("-", "not_applicable"),
        ("--", "not_applicable"),
        ("/", "not_applicable"),
    ],
)
def test_three_kinds_of_empty_are_kept_apart_and_none_is_zero(text: str, kind: str) -> None:
    cell = parse_number(text)
    assert cell.emptiness == kind
    assert cell.value is None
    assert cell.problem is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("100-200万元", "is a range"),
        ("0-100人", "is a range"),
        ("300人以上", "no exact number"),
        ("约20", "no exact number"),
        ("1,2O3.5", "letter O at position 4"),
        ("1,23", "commas that are no thousands"),
        ("#REF!", "formula error"),
        ("inf", "not a number"),
        ("12..5", "not a number"),
        ("√", "not a number"),
    ],
)
def test_what_is_no_number_is_said_to_be_none_and_why(text: str, said: str) -> None:
    cell = parse_number(text)
    assert cell.value is None
    assert cell.emptiness is None
    assert cell.problem is not None
    assert said in cell.problem.en


def test_units_are_converted_exactly_and_a_unit_in_the_cell_goes_first() -> None:
    assert in_base_unit(parse_number("0.1"), "yuan", "万元").value == Decimal("1000.00")
    assert in_base_unit(parse_number("5万元"), "yuan", "元").value == Decimal("50000.00")
    assert in_base_unit(parse_number("12.34"), "yuan", "元").value == Decimal("12.34")


@pytest.mark.parametrize(
    ("text", "measure", "unit", "said"),
    [
        ("0.0000001", "yuan", "万元", "finer than a cent"),
        ("1e20", "yuan", "元", "beyond any ledger"),
        ("1e8", "yuan", "亿元", "beyond any ledger"),
        ("1e40", "persons", "人", "beyond any ledger"),
        ("5人", "yuan", "元", "no unit of money"),
        ("2.5", "persons", "人", "people are whole"),
        ("-3", "persons", "人", "people are whole"),
        ("5万元", "persons", "人", "does not count people"),
    ],
)
def test_a_value_that_does_not_suit_its_measure_is_refused(
    text: str, measure: str, unit: str, said: str
) -> None:
    problem = in_base_unit(parse_number(text), measure, unit).problem
    assert problem is not None
    assert said in problem.en


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False))
def test_wan_with_four_decimals_keep_every_yuan(amount: Decimal) -> None:
    cell = in_base_unit(parse_number(f"{amount:.4f}"), "yuan", "万元")
    assert cell.value == amount * 10_000


@given(st.text(max_size=12))
def test_any_text_is_a_value_an_emptiness_or_a_problem_and_only_one(text: str) -> None:
    cell = parse_number(text)
    said = (cell.value is not None, cell.emptiness is not None, cell.problem is not None)
    assert sum(said) == 1


@pytest.mark.parametrize(
    "text",
    [
        "2023年1月",
        "2023.01",
        "202301",
        "2023/1/31",
        "2023-01",
        "２０２３年１月",
        "2023-01-31 00:00:00",
    ],
)
def test_a_month_is_read_however_it_is_written(text: str) -> None:
    assert parse_month(text) == datetime.date(2023, 1, 1)


@pytest.mark.parametrize("text", ["2023年13月", "合计", "20406", "1月", ""])
def test_what_is_no_month_is_none(text: str) -> None:
    assert parse_month(text) is None


def test_a_telephone_number_typed_for_a_count_of_people_is_refused() -> None:
    assert in_base_unit(parse_number("13812345678"), "persons", "人").problem is not None
    assert in_base_unit(parse_number("99999999"), "persons", "人").problem is None
