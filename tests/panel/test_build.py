"""From rows to a panel: names, sums, gaps and contradictions."""

from __future__ import annotations

import datetime
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cps.demo import load_truth, write_demo
from cps.errors import PanelError
from cps.ledger.read import inspect_ledgers, read_ledgers
from cps.ledger.rows import ROWS_SCHEMA, Ledgers, SourceFile
from cps.panel.build import build_panel, registry_table
from cps.panel.record import Panel
from cps.panel.store import load_panel, save_panel

UNITS = """
[[area]]
name = "甲镇"
units = ["东村", "西村（一）"]

[[alias]]
name = "东村村"
unit = "东村"
"""


def rows(*given: tuple[str, str, str, str, str | None], **more: Any) -> Ledgers:
    """Make rows of (unit, day, frequency, item, value)."""
    records = [
        {
            **dict.fromkeys(ROWS_SCHEMA),
            "unit": unit,
            "period_start": datetime.date.fromisoformat(day),
            "frequency": frequency,
            "item": item,
            "item_name": item,
            "value": None if value is None else Decimal(value),
            "measure": "persons" if item == "local_jobs" else "yuan",
            "regime": "2023" if day >= "2024" else "2004",
            "is_synthetic": False,
            "layout": "test",
            "source_file": "台账.csv",
            "sheet": "csv",
            "cell": f"D{number + 4}",
            **more,
        }
        for number, (unit, day, frequency, item, value) in enumerate(given)
    ]
    frame = pl.DataFrame(records, schema=ROWS_SCHEMA)
    return Ledgers(frame, (), (SourceFile("台账.csv", "0" * 64, "test", len(records)),))


def months(
    unit: str, year: int, value: str = "10", n: int = 12, item: str = "operating_income"
) -> list[tuple[str, str, str, str, str | None]]:
    return [(unit, f"{year}-{m:02d}-01", "month", item, value) for m in range(1, n + 1)]


@pytest.fixture
def units(tmp_path: Path) -> Path:
    path = tmp_path / "units.toml"
    path.write_text(UNITS, encoding="utf-8")
    return path


def value(panel: Panel, unit: str, year: int, column: str = "income_yuan") -> int | None:
    found = panel.frame.filter(unit=unit, period=year)[column].to_list()
    assert len(found) == 1
    return found[0]  # type: ignore[no-any-return]


def test_a_year_is_the_sum_of_its_months_and_empty_if_one_is_missing(units: Path) -> None:
    panel = build_panel(rows(*months("东村", 2022), *months("东村", 2023, n=11)), units=units)
    assert value(panel, "东村", 2022) == 120
    # 2023 has no complete income, and so no period in the panel at all.
    assert panel.frame["period"].to_list() == [2022]


def test_a_gap_inside_the_panel_is_an_explicit_null_with_a_finding(units: Path) -> None:
    panel = build_panel(
        rows(
            *months("东村", 2022),
            *months("东村", 2023, n=11),
            *months("东村", 2024),
        ),
        units=units,
    )
    assert panel.frame["period"].to_list() == [2022, 2023, 2024]
    assert value(panel, "东村", 2023) is None
    (one,) = panel.findings
    assert one.code == "W-PANEL-INCOMPLETE"
    assert "东村 2023" in one.where


def test_operating_income_is_the_sum_of_its_parts_without_subsidies(units: Path) -> None:
    panel = build_panel(
        rows(
            *(
                (("东村", "2023-01-01", "year", item, amount))
                for item, amount in (
                    ("direct_operating_income", "100.25"),
                    ("contract_income", "50.25"),
                    ("investment_income", "8"),
                    ("subsidy_income", "1000"),
                    ("other_income", "1000"),
                )
            )
        ),
        units=units,
    )
    assert value(panel, "东村", 2023) == 158  # 158.50 元, half to even


def test_what_does_not_apply_adds_nothing_but_what_is_unknown_makes_the_sum_unknown(
    units: Path,
) -> None:
    def built(emptiness: str) -> Panel:
        ledgers = rows(
            ("东村", "2023-01-01", "year", "direct_operating_income", "100"),
            ("东村", "2023-01-01", "year", "investment_income", None),
            ("西村(一)", "2023-01-01", "year", "direct_operating_income", "1"),
        )
        frame = ledgers.rows.with_columns(
            emptiness=pl.when(pl.col("value").is_null()).then(pl.lit(emptiness))
        )
        return build_panel(Ledgers(frame, (), ledgers.sources), units=units)

    assert value(built("not_applicable"), "东村", 2023) == 100
    assert value(built("unknown"), "东村", 2023) is None


def test_jobs_are_those_at_the_years_end_and_never_a_sum(units: Path) -> None:
    jobs = [("东村", f"2023-{m:02d}-01", "month", "local_jobs", str(m)) for m in range(1, 13)]
    panel = build_panel(rows(*months("东村", 2023), *jobs), units=units)
    assert value(panel, "东村", 2023, "jobs_persons") == 12
    cut = build_panel(rows(*months("东村", 2023), *jobs[:11]), units=units)
    assert value(cut, "东村", 2023, "jobs_persons") is None


def test_an_alias_is_its_unit_and_full_width_brackets_are_the_same_name(units: Path) -> None:
    panel = build_panel(rows(*months("东村村", 2023), *months("西村(一)", 2023)), units=units)
    assert panel.frame["unit"].to_list() == ["东村", "西村（一）"]
    assert panel.frame["area"].to_list() == ["甲镇", "甲镇"]


def test_an_unknown_village_is_refused_with_its_cell_and_the_nearest_name(units: Path) -> None:
    with pytest.raises(PanelError) as error:
        build_panel(rows(*months("东材", 2023)), units=units)
    message = str(error.value)
    assert "台账.csv › csv › D4 (东材)" in message
    assert "if it is 东村" in message
    assert "units.toml" in message


def test_merged_villages_are_summed_before_and_after(tmp_path: Path) -> None:
    path = tmp_path / "units.toml"
    path.write_text(
        '[[area]]\nname = "甲镇"\nunits = ["新村"]\n'
        '[[rename]]\nold = "东村"\nnew = "新村"\n'
        '[[rename]]\nold = "西村"\nnew = "新村"\n',
        encoding="utf-8",
    )
    panel = build_panel(
        rows(*months("东村", 2022), *months("西村", 2022, "5"), *months("新村", 2023)), units=path
    )
    assert value(panel, "新村", 2022) == 180
    assert value(panel, "新村", 2023) == 120


def test_a_split_needs_weights_and_is_then_shared_out(tmp_path: Path) -> None:
    path = tmp_path / "units.toml"
    text = (
        '[[area]]\nname = "甲镇"\nunits = ["南村", "北村"]\n'
        '[[rename]]\nold = "东村"\nnew = "南村"{a}\n[[rename]]\nold = "东村"\nnew = "北村"{b}\n'
    )
    path.write_text(text.format(a="", b=""), encoding="utf-8")
    with pytest.raises(PanelError, match="weights that sum to 1"):
        build_panel(rows(*months("东村", 2023)), units=path)
    path.write_text(text.format(a="\nweight = 0.75", b="\nweight = 0.25"), encoding="utf-8")
    panel = build_panel(rows(*months("东村", 2023)), units=path)
    assert value(panel, "南村", 2023) == 90
    assert value(panel, "北村", 2023) == 30


def test_one_figure_stated_twice_and_differently_is_refused_with_both_cells(units: Path) -> None:
    given = [*months("东村", 2023), ("东村", "2023-01-01", "month", "operating_income", "11")]
    with pytest.raises(PanelError) as error:
        build_panel(rows(*given), units=units)
    assert "D4 = 10.00" in str(error.value)
    assert "D16 = 11.00" in str(error.value)


def test_one_figure_stated_twice_alike_counts_once_with_a_note(units: Path) -> None:
    given = [*months("东村", 2023), ("东村", "2023-01-01", "month", "operating_income", "10")]
    panel = build_panel(rows(*given), units=units)
    assert value(panel, "东村", 2023) == 120
    assert [one.code for one in panel.findings] == ["N-PANEL-TWICE"]


def test_ledgers_of_different_frequency_that_contradict_each_other_are_refused(units: Path) -> None:
    yearly = ("东村", "2023-01-01", "year", "operating_income", "500")
    with pytest.raises(PanelError, match="different frequency"):
        build_panel(rows(*months("东村", 2023), yearly), units=units)


def test_a_tenfold_jump_is_warned_of_as_a_slip_of_units(units: Path) -> None:
    panel = build_panel(rows(*months("东村", 2022), *months("东村", 2023, "100000")), units=units)
    assert [one.code for one in panel.findings] == ["W-PANEL-JUMP"]


def test_a_quarterly_panel_needs_quarters_or_months(units: Path) -> None:
    panel = build_panel(rows(*months("东村", 2023, n=6)), units=units, frequency="quarter")
    assert panel.frame["period_label"].to_list() == ["2023Q1", "2023Q2"]
    assert panel.frame["income_yuan"].to_list() == [30, 30]
    with pytest.raises(PanelError, match="no complete data"):
        build_panel(
            rows(("东村", "2023-01-01", "year", "operating_income", "5")),
            units=units,
            frequency="month",
        )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "raw" / "demo"
    write_demo(folder)
    return folder


def test_the_demonstration_ledgers_give_back_every_yuan_that_went_into_them(demo: Path) -> None:
    panel = build_panel(read_ledgers(demo))
    truth = load_truth(demo)
    expected = {
        (unit, int(year)): amount
        for unit, by_year in truth["untreated_income_yuan"].items()
        for year, amount in by_year.items()
    }
    for outcomes in truth["effects"].values():
        for unit, by_year in outcomes["income_yuan"].items():
            for year, amount in by_year.items():
                expected[unit, int(year)] += amount
    found = {(one["unit"], one["period"]): one["income_yuan"] for one in panel.frame.to_dicts()}
    assert found == expected
    assert panel.is_synthetic
    assert panel.frame["jobs_persons"].null_count() == 0
    assert {one.code for one in panel.findings} == {"N-FILE-ENCODING"}


@pytest.mark.parametrize("last", [None, "2023-06-30", "2030-01-01"])
def test_a_panel_is_the_same_from_lean_entries_and_from_rows_written_out(
    demo: Path, last: str | None
) -> None:
    found, ledgers = inspect_ledgers(demo), read_ledgers(demo)
    if last is not None:
        day = datetime.date.fromisoformat(last)
        months = {"month": "1mo", "quarter": "3mo", "year": "12mo"}
        over = pl.col("frequency").replace_strict(months, default=None)
        ends = pl.col("period_start").dt.offset_by(over).dt.offset_by("-1d")
        found = found.until(day)
        ledgers = replace(ledgers, rows=ledgers.rows.filter(ends.is_null() | (ends <= day)))
        assert found.rows().equals(ledgers.rows)
    lean, written = build_panel(found), build_panel(ledgers)
    assert lean.frame.equals(written.frame)
    assert (lean.findings, lean.sources) == (written.findings, written.sources)


STRANGE = "village,month,item,value,unit\n甲村,2023-01,经营性收入,1,元\n乙村,2023-01,总收入,1,元\n"


def test_a_name_that_only_an_item_of_no_panel_has_is_refused_too_with_its_cell(
    units: Path, tmp_path: Path
) -> None:
    ledger = tmp_path / "a.csv"
    ledger.write_text(STRANGE.replace("甲村", "东村"), encoding="utf-8")
    for given in (inspect_ledgers(ledger), read_ledgers(ledger)):
        with pytest.raises(PanelError) as error:
            build_panel(given, units=units)
        assert error.value.where == "a.csv › csv › D3 (乙村)"


def test_a_figure_stated_twice_in_two_files_is_refused_with_both_places(
    units: Path, tmp_path: Path
) -> None:
    for name, value in (("a.csv", "10"), ("b.csv", "11.5")):
        text = STRANGE.replace("甲村", "东村").replace("乙村", "东村").replace(",1,", f",{value},")
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = inspect_ledgers(tmp_path / "a.csv"), inspect_ledgers(tmp_path / "b.csv")
    assert not any(one.is_rejected for one in found)
    both = inspect_ledgers([tmp_path / "a.csv", tmp_path / "b.csv"])
    with pytest.raises(PanelError) as error:
        build_panel(both, units=units)
    assert error.value.where.split("\n         ") == [
        "a.csv › csv › D2 = 10.00",
        "b.csv › csv › D2 = 11.50",
    ]


def test_the_registry_gives_a_row_a_project_with_its_cost_in_yuan(demo: Path) -> None:
    table = registry_table(read_ledgers(demo))
    assert table.height == 31
    one = table.filter(unit="示例村01").row(0, named=True)
    assert one["project_total_investment"] == 3_400_000
    assert one["project_target_date"] == "2023年12月"


def test_a_saved_panel_comes_back_whole_and_a_flipped_bit_is_noticed(
    demo: Path, tmp_path: Path
) -> None:
    panel = build_panel(read_ledgers(demo))
    save_panel(panel, tmp_path)
    again = load_panel(tmp_path)
    assert again.frame.equals(panel.frame)
    assert (again.findings, again.sources) == (panel.findings, panel.sources)
    raw = bytearray((tmp_path / "panel.parquet").read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "panel.parquet").write_bytes(raw)
    with pytest.raises(PanelError, match="not the file that was saved"):
        load_panel(tmp_path)


def test_a_panel_that_was_never_saved_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(PanelError, match="make report"):
        load_panel(tmp_path / "nowhere")
