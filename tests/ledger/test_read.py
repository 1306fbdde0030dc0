"""Reading ledgers: layouts, dirt and refusals, with real files."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from cps.errors import LedgerError, UsageError
from cps.ledger._layout import FOLDER, load_layouts
from cps.ledger.read import read_ledgers
from cps.ledger.rows import ITEMS

LAYOUTS = sorted(path.stem for path in FOLDER.glob("*.toml"))

WIDE = """甲镇经营性收入月报表（2023年）,,,,,
单位：万元,,,,,
序号,镇街,行政村,2023年1月,2023年2月,合计
1,甲镇,东村,1.5,2.5,4.0
2,甲镇,西村,１.0,—,1.0
,甲镇,小计,2.5,2.5,5.0
注：示例,,,,,
"""


def csv(folder: Path, text: str = WIDE, name: str = "a.csv", encoding: str = "gb18030") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def xlsx(
    path: Path,
    rows: list[list[Any]],
    *,
    merge: tuple[str, ...] = (),
    at: int = 0,
    sheet_name: str = "表一",
) -> Path:
    """Write rows from row ``at`` on, in column B on, as exporters that leave room do."""
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet(sheet_name)
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            if value is not None:
                sheet.write(r + at, c + bool(at), value)
    for one in merge:
        first = one.split(":")[0]
        text = next(
            str(value)
            for r, row in enumerate(rows)
            for c, value in enumerate(row)
            if f"{chr(65 + c)}{r + 1}" == first
        )
        sheet.merge_range(one, text)
    book.close()
    return path


def codes(ledgers: Any, beginning: str) -> list[str]:
    return [one.code for one in ledgers.findings if one.code.startswith(beginning)]


def said(error: pytest.ExceptionInfo[LedgerError]) -> str:
    return str(error.value)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_reads_its_own_example(name: str, tmp_path: Path) -> None:
    example = load_layouts()[name].example
    lines = example["grid"].strip().splitlines()
    if "merged" in example or "sheet" in example:
        import csv as reader

        path = xlsx(
            tmp_path / "a.xlsx",
            list(reader.reader(lines)),
            merge=tuple(example.get("merged", ())),
            sheet_name=example.get("sheet", "表一"),
        )
    else:
        path = csv(tmp_path, "\n".join(lines) + "\n")
    rows = read_ledgers(path).rows
    found = [
        [
            one["unit"],
            str(one["period_start"] or ""),
            one["item"],
            str(one["value"]) if one["value"] is not None else one["text"] or one["emptiness"],
        ]
        for one in rows.to_dicts()
    ]
    shorter = [
        [*row[:3], row[3].removesuffix(".00") if is_count(row[2]) else row[3]] for row in found
    ]
    assert shorter == example["rows"]


def is_count(item: str) -> bool:
    return ITEMS[item] in ("persons", "percent", "tick")


def test_rows_know_their_file_sheet_and_cell(tmp_path: Path) -> None:
    rows = read_ledgers(csv(tmp_path)).rows
    first = rows.row(0, named=True)
    assert (first["source_file"], first["sheet"], first["cell"]) == ("a.csv", "csv", "D4")
    assert first["period_start"] == datetime.date(2023, 1, 1)
    assert rows.height == 4  # two villages, two months: no subtotal, no footnote


def test_cells_are_named_as_the_spreadsheet_shows_them_when_it_starts_lower(tmp_path: Path) -> None:
    table = [["年度", "县区", "乡镇", "村", "年末就业人数"], [2023, "市", "甲镇", "东村", 12]]
    rows = read_ledgers(xlsx(tmp_path / "a.xlsx", table, at=3)).rows
    assert rows["cell"].to_list() == ["F5"]
    assert rows["value"].to_list() == [12]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_every_usual_encoding_gives_the_same_rows(tmp_path: Path, encoding: str) -> None:
    rows = read_ledgers(csv(tmp_path, encoding=encoding)).rows
    assert rows["unit"].unique(maintain_order=True).to_list() == ["东村", "西村"]
    assert [str(one) for one in rows["value"]] == ["15000.00", "25000.00", "10000.00", "None"]


def test_a_total_that_is_not_the_sum_is_warned_of_at_its_cell(tmp_path: Path) -> None:
    ledgers = read_ledgers(csv(tmp_path, WIDE.replace("2.5,4.0", "2.5,4.1")))
    (one,) = [one for one in ledgers.findings if one.code == "W-LEDGER-TOTAL"]
    assert one.where == "a.csv › F4 (合计, 东村)"
    assert (one.file, one.sheet, one.line, one.cell, one.column) == ("a.csv", "csv", 4, "F4", "F")


def test_all_unreadable_cells_are_reported_at_once_with_their_places(tmp_path: Path) -> None:
    text = WIDE.replace("1.5,2.5", "1.5,2.S").replace("１.0", "100-200万元")
    with pytest.raises(LedgerError) as error:
        read_ledgers(csv(tmp_path, text))
    assert "2 places" in said(error)
    assert "a.csv › E4 (2023年2月, 东村)" in said(error)
    assert "a.csv › D5 (2023年1月, 西村)" in said(error)
    assert "is a range" in said(error)
    assert {one.value for one in error.value.findings} == {"2.S", "100-200万元"}


def test_a_letter_in_a_number_is_named_with_its_position(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="letter O at position 3"):
        read_ledgers(csv(tmp_path, WIDE.replace("1.5,2.5", "1.O5,2.5")))


def test_money_without_a_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no unit of money"):
        read_ledgers(csv(tmp_path, WIDE.replace("单位：万元", "")))


def test_a_sheet_of_no_known_layout_names_the_nearest_and_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(LedgerError) as error:
        read_ledgers(csv(tmp_path, WIDE.replace("行政村", "名称")))
    assert "l1_income" in said(error)
    assert "行政村" in said(error)


def test_a_row_that_lost_a_field_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"5 fields, the header has 6") as error:
        read_ledgers(csv(tmp_path, WIDE.replace("1,甲镇,东村,1.5,2.5,4.0", "1,甲镇,东村,1.5,4.0")))
    assert "A4" in said(error)


def test_several_villages_in_one_row_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="several villages"):
        read_ledgers(csv(tmp_path, WIDE.replace("东村", "欢潭等14村")))


def test_a_repeated_header_is_passed_over_with_a_note(tmp_path: Path) -> None:
    header = "序号,镇街,行政村,2023年1月,2023年2月,合计\n"
    ledgers = read_ledgers(csv(tmp_path, WIDE.replace("2,甲镇,西村", f"{header}2,甲镇,西村")))
    assert ledgers.rows.height == 4
    assert codes(ledgers, "N-LEDGER") == ["N-LEDGER-HEADER-AGAIN"]


def test_phone_numbers_in_remarks_are_not_read_and_that_is_said(tmp_path: Path) -> None:
    text = "\n".join(
        line + tail
        for line, tail in zip(
            WIDE.splitlines(), ["", "", ",备注", ",13800138000", ",", ",", ""], strict=True
        )
    )
    ledgers = read_ledgers(csv(tmp_path, text + "\n"))
    assert "N-LEDGER-PERSONAL" in {one.code for one in ledgers.findings}
    assert "13800138000" not in str(ledgers.rows.to_dicts())


ACCOUNTS = """科目余额表,,,,,,
单位：元,,,,,,
会计期间,组织名称,统一社会信用代码,科目代码,科目名称,本期发生额,本年累计
{rows}
"""


def accounts(tmp_path: Path, *rows: str) -> pl.DataFrame:
    return read_ledgers(csv(tmp_path, ACCOUNTS.format(rows="\n".join(rows)))).rows


def test_codes_that_flip_in_2024_are_told_apart_by_system_and_name(tmp_path: Path) -> None:
    rows = accounts(
        tmp_path,
        "202312,东村股份经济合作社,,502,经营支出,100,1200",
        "202312,东村股份经济合作社,,511,发包及上交收入,30,30",
        "202401,东村股份经济合作社,,502,投资收益,7,7",
        "202401,东村股份经济合作社,,511,经营支出,50,50",
    )
    found = [(str(one["period_start"]), one["item"], int(one["value"])) for one in rows.to_dicts()]
    assert found == [
        ("2023-12-01", "contract_income", 30),
        ("2024-01-01", "investment_income", 7),
    ]


def test_an_account_of_the_other_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no account of the system of 2023"):
        accounts(tmp_path, "202401,东村经济合作社,,511,发包及上交收入,30,30")


def test_the_periods_amount_is_read_and_the_running_sum_only_checked(tmp_path: Path) -> None:
    ledgers = read_ledgers(
        csv(
            tmp_path,
            ACCOUNTS.format(
                rows="202301,东村经济合作社,,501,经营收入,10,10\n"
                "202302,东村经济合作社,,501,经营收入,20,35"
            ),
        )
    )
    assert [int(one) for one in ledgers.rows["value"]] == [10, 20]
    assert codes(ledgers, "W-LEDGER-TOTAL") == ["W-LEDGER-TOTAL"]


def test_a_missing_file_and_an_empty_folder_say_so(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no such ledger"):
        read_ledgers(tmp_path / "没有.xlsx")
    with pytest.raises(LedgerError, match="no ledgers"):
        read_ledgers(tmp_path)


def test_the_same_file_twice_is_counted_once_and_warned_of_by_both_names(tmp_path: Path) -> None:
    csv(tmp_path, name="一月.csv")
    alone = read_ledgers(tmp_path)
    csv(tmp_path, name="二月.csv")
    both = read_ledgers(tmp_path)
    assert both.rows.equals(alone.rows)
    assert [one.name for one in both.sources] == ["一月.csv"]
    (told,) = [one for one in both.findings if one.code == "W-FILE-TWICE"]
    assert told.where == "二月.csv"
    assert "一月.csv" in told.what.en


def test_other_files_and_spreadsheet_locks_are_not_read(tmp_path: Path) -> None:
    csv(tmp_path)
    (tmp_path / "~$a.xlsx").write_bytes(b"lock")
    (tmp_path / "说明.docx").write_bytes(b"text")
    ledgers = read_ledgers(tmp_path)
    assert [one.where for one in ledgers.findings if one.code.startswith("W-FILE")] == ["说明.docx"]
    assert [one.where for one in ledgers.findings if one.code == "N-FILE-LOCK"] == ["~$a.xlsx"]
    assert [one.name for one in ledgers.sources] == ["a.csv"]


@pytest.mark.parametrize("damage", ["cut", "flip", "text", "far"])
def test_a_damaged_or_hostile_workbook_is_refused_before_it_is_read(
    tmp_path: Path, damage: str
) -> None:
    table = [["年度", "县区", "乡镇", "村", "年末就业人数"], [2023, "市", "甲镇", "东村", 12]]
    path = xlsx(tmp_path / "a.xlsx", table)
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(raw[: len(raw) // 2])
    elif damage == "text":
        path.write_text("年度,村")
    elif damage == "flip":
        with zipfile.ZipFile(path) as archive:
            start = archive.getinfo("xl/worksheets/sheet1.xml").header_offset + 120
        raw[start] ^= 0xFF
        path.write_bytes(raw)
    else:
        book = xlsxwriter.Workbook(str(path))
        book.add_worksheet().write(1_048_575, 16_383, 1)
        book.close()
    with pytest.raises(LedgerError) as error:
        read_ledgers(path)
    assert "a.xlsx" in said(error)


def test_bytes_in_no_known_encoding_are_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(WIDE.encode("gb18030") + b"\xff\xff\xff\n")
    with pytest.raises(LedgerError, match="line 8 is not in the file's encoding"):
        read_ledgers(path)


def test_a_synthetic_ledger_is_known_by_its_name_or_title(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    assert read_ledgers(csv(tmp_path / "x", name="合成_a.csv")).rows["is_synthetic"].all()
    (tmp_path / "y").mkdir()
    titled = WIDE.replace("月报表", "月报表（合成）")
    assert read_ledgers(csv(tmp_path / "y", titled)).rows["is_synthetic"].all()
    (tmp_path / "z").mkdir()
    assert not read_ledgers(csv(tmp_path / "z")).rows["is_synthetic"].any()


def test_a_layout_file_with_a_misspelled_key_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "formats"
    folder.mkdir()
    text = (FOLDER / "l2_jobs.toml").read_text(encoding="utf-8").replace("frequency", "frequncy")
    (folder / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="frequency"):
        read_ledgers(csv(tmp_path), formats=folder)
