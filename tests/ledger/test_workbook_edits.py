"""One thing changed by hand in a sound workbook: what a clerk does, and what is said of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from cps.ledger.read import Inspection, inspect_ledgers
from tests.ledger.test_roundtrip import AS_OF, ITEMS, panel, write_report

Edit = Callable[[Any, Any], object]


def put(cell: str, value: object, number_format: str | None = None) -> Edit:
    def edit(_: Any, sheet: Any) -> None:
        sheet[cell] = value
        if number_format:
            sheet[cell].number_format = number_format

    return edit


def edited(
    path: Path, write: Callable[[Path], None], edit: Edit
) -> tuple[Inspection, pl.DataFrame]:
    """Write a workbook, change it; give what is read of it, and of it as it was."""
    write(path)
    before = inspect_ledgers(path, as_of=AS_OF).table()
    book = openpyxl.load_workbook(path)
    edit(book, book.worksheets[0])
    book.save(path)
    return inspect_ledgers(path, as_of=AS_OF), before


def report(path: Path) -> None:
    draw = random.Random(5)
    write_report(path, panel(draw, 4, 3), draw)


def wide(path: Path) -> None:
    truth = panel(random.Random(5), 4, 6)
    months = sorted({month for _, month, _ in truth})
    book = openpyxl.Workbook()
    book.remove(book.active)
    for item in ITEMS:
        people = item in ITEMS[6:]
        sheet = book.create_sheet(f"{item}（{'人' if people else '万元'}）")
        sheet.append(["村名", *(f"{one[:4]}年{int(one[5:])}月" for one in months)])
        for village in dict.fromkeys(village for village, _, _ in truth):
            values = [truth[village, month, item] for month in months]
            sheet.append([village, *(values if people else [one / 10_000 for one in values])])
    book.save(path)


def hide(_: Any, sheet: Any) -> None:
    sheet.column_dimensions["D"].hidden = True
    sheet.row_dimensions[7].hidden = True


def retitle(_: Any, sheet: Any) -> None:
    sheet.insert_rows(1)
    sheet["A1"] = "农业收入（万元）"
    sheet.title = "Sheet9"


REPORT: dict[str, tuple[Edit, str, str | None]] = {
    "range": (put("D7", "2-3"), "E-LEDGER-CELL", "D7"),
    "truth value": (put("D7", True), "E-LEDGER-CELL", "D7"),
    "date by mistake": (put("D7", 2.98, "yyyy-mm-dd"), "E-LEDGER-CELL", "D7"),
    "percent": (put("D7", 2.98, "0.00%"), "E-LEDGER-CELL", "D7"),
    "negative": (put("D7", -2.9), "E-LEDGER-NEGATIVE", "D7"),
    "blank": (put("D7", None), "W-LEDGER-MISSING", "D7"),
    "merged number": (lambda _, s: s.merge_cells("D7:D8"), "W-LEDGER-MERGED", "D7"),
    "village twice": (put("B8", "青石村"), "E-LEDGER-VILLAGE-TWICE", "B8"),
    "several villages": (put("B7", "白沙等3村"), "E-LEDGER-GROUP-ROW", "B7"),
    "total": (put("D9", 10**7), "W-LEDGER-TOTAL", "D9"),
    "hidden row": (hide, "W-LEDGER-HIDDEN-ROW", "B7"),
    "hidden column": (hide, "W-LEDGER-HIDDEN-COLUMN", "D3"),
    "running total": (put("A1", "收入与就业月报表（2023年1-2月累计）"), "E-LEDGER-PERIOD", "A1"),
    "other month": (put("A1", "收入与就业月报表（2023年9月）"), "E-LEDGER-PERIOD-CONFLICT", "A1"),
    "stray cell": (put("A60000", "x"), "E-FILE-TOO-LARGE", "A60000"),
    "telephone": (put("A10", "填表人：甲 13812345678"), "N-LEDGER-PERSONAL", "A10"),
    "second table": (put("B12", "村名"), "E-LEDGER-SECOND-TABLE", "B12"),
}
WIDE: dict[str, tuple[Edit, str, str | None]] = {
    "letter for digit": (put("C3", "l.93"), "E-LEDGER-CELL", "C3"),
    "month twice": (put("C1", "2023年1月"), "E-LEDGER-TWICE", "C2"),
    "thirteenth month": (put("C1", "2023年13月"), "E-LEDGER-PERIOD", "C1"),
    "running total": (put("H1", "2023年累计"), "W-LEDGER-COLUMN", "H1"),
    "no village": (put("A3", None), "E-LEDGER-NO-UNIT", "A3"),
    "other header": (put("A1", "名称"), "E-LEDGER-LAYOUT", "A1"),
    "no unit": (lambda _, s: setattr(s, "title", "农业收入"), "E-LEDGER-CELL", "B2"),
    "other unit": (lambda _, s: setattr(s, "title", "农业收入（元）"), "E-LEDGER-IDENTITY", None),
    "sheet missing": (lambda b, _: b.remove(b["总人口（人）"]), "W-LEDGER-SHEET-MISSING", None),
}


@pytest.mark.parametrize("name", REPORT)
def test_an_edit_of_a_report_is_said_at_its_cell(name: str, tmp_path: Path) -> None:
    edit, code, cell = REPORT[name]
    found, _ = edited(tmp_path / "a.xlsx", report, edit)
    assert cell in [one.cell for one in found.findings if one.code == code], found.findings[:3]


@pytest.mark.parametrize("name", WIDE)
def test_an_edit_of_a_wide_workbook_is_said_at_its_cell(name: str, tmp_path: Path) -> None:
    edit, code, cell = WIDE[name]
    found, _ = edited(tmp_path / "a.xlsx", wide, edit)
    said = [one.cell for one in found.findings if one.code == code]
    assert said and (cell is None or cell in said), found.findings[:3]


HARMLESS: dict[str, tuple[Callable[[Path], None], Edit]] = {
    "blank row": (report, lambda _, s: s.insert_rows(8)),
    "stray word": (report, put("Z40", "x")),
    "month only in the sheet's name": (report, put("A1", "各村月报表")),
    "month only in the title": (report, lambda _, s: setattr(s, "title", "Sheet1")),
    "table moved": (wide, lambda _, s: s.move_range("A1:G5", rows=3, cols=2)),
    "item in the title": (wide, retitle),
    "date that lost its format": (wide, put("C1", 44958)),
    "note below": (wide, put("A8", "注：含直播带货")),
    "another sheet": (wide, lambda b, _: b.create_sheet("说明").append(["本表由会计填报"])),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_changes_no_number_changes_no_number(name: str, tmp_path: Path) -> None:
    write, edit = HARMLESS[name]
    found, before = edited(tmp_path / "a.xlsx", write, edit)
    assert not found.is_rejected, found.findings[:3]
    assert found.table().equals(before)
