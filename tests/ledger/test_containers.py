"""Containers: read by content whatever the name; damaged and hostile ones refused in words."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path

import pytest

from cps.ledger.containers import xlsx as xlsx_reader
from cps.ledger.containers.child import open_bytes
from cps.ledger.containers.frames import read_large_text
from cps.ledger.containers.numbers import date_text, format_kind, plain_number
from cps.ledger.containers.record import Contents, Unreadable
from cps.ledger.containers.text import read_text
from cps.ledger.read import inspect_ledgers
from cps.ledger.workbook import Opener
from tests.ledger import builders
from tests.ledger.builders import LONG, as_csv, sheet_of, xlsx, zipped

KINDS = {
    "xls": builders.xls,
    "xlsb": builders.xlsb,
    "ods": builders.ods,
    "spreadsheetml": builders.spreadsheetml,
    "html": builders.html,
    "xlsx": lambda grid: xlsx(sheet_of(grid)),
    "csv": lambda grid: as_csv(grid).encode(),
    "gb18030": lambda grid: as_csv(grid).encode("gb18030"),
    "utf-16": lambda grid: as_csv(grid).encode("utf-16"),
    "utf-8-sig": lambda grid: as_csv(grid).encode("utf-8-sig"),
    "tsv": lambda grid: as_csv(grid).replace(",", "\t").encode(),
}


def refusal(raw: bytes, name: str = "a.xlsx") -> str:
    with pytest.raises(Unreadable) as error:
        open_bytes(raw, name)
    return error.value.remark.code


@pytest.mark.parametrize("kind", KINDS)
def test_one_ledger_reads_alike_from_every_container(kind: str, tmp_path: Path) -> None:
    (tmp_path / "plain.csv").write_bytes(KINDS["csv"](LONG))
    (tmp_path / "ledger.bin").write_bytes(KINDS[kind](LONG))  # the name says nothing
    right = inspect_ledgers(tmp_path / "plain.csv").table()
    found = inspect_ledgers(tmp_path / "ledger.bin")
    assert right.height == len(LONG) - 1
    assert not found.is_rejected
    assert found.table().equals(right)


@pytest.mark.parametrize("kind", ["xlsx", "xls", "xlsb", "ods"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_cut_workbook_is_refused_and_no_number_of_it_is_read(kind: str, share: float) -> None:
    raw = KINDS[kind](LONG)
    assert refusal(raw[: int(len(raw) * share)]).startswith("E-FILE")


def test_a_digit_flipped_in_a_stored_member_is_caught_by_its_checksum() -> None:
    raw = xlsx(sheet_of(LONG)).replace(b"PK", b"PK")
    stored = zipfile.ZipFile(io.BytesIO(raw))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in stored.namelist():
            archive.writestr(name, stored.read(name))
    flipped = target.getvalue().replace(b"1001.5", b"7001.5", 1)
    assert refusal(flipped) == "E-FILE-DAMAGED"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"[Content_Types].xml": "", "../../evil": "x"}, "E-FILE-ZIP-PATH"),
        ({"[Content_Types].xml": "", "/etc/passwd": "x"}, "E-FILE-ZIP-PATH"),
        ({"[Content_Types].xml": "", "C:\\x": "x"}, "E-FILE-ZIP-PATH"),
        ({"[Content_Types].xml": "", "a": "x", "A": "y"}, "E-FILE-ZIP-TWICE"),
        ({"[Content_Types].xml": "", "a": b"\0" * (64 << 20)}, "E-FILE-BOMB"),
        ({"letter.txt": "x"}, "E-FILE-KIND"),
        ({"word/document.xml": "", "[Content_Types].xml": ""}, "E-FILE-KIND"),
    ],
)
def test_hostile_archives_are_refused(members: dict[str, bytes | str], code: str) -> None:
    assert refusal(zipped(members)) == code


def test_an_encrypted_archive_is_refused_as_such() -> None:
    raw = bytearray(xlsx(sheet_of(LONG)))
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 8] |= 1
    first = raw.index(b"PK\x01\x02")
    raw[first + 8] |= 1
    assert refusal(bytes(raw)) == "E-FILE-ENCRYPTED"


@pytest.mark.parametrize(
    "sheet",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><sheetData/>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><sheetData/>',
    ],
)
def test_xml_entities_are_refused(sheet: str) -> None:
    prolog, _, body = sheet.partition("]>")
    raw = xlsx(sheet_of(LONG))
    stored = zipfile.ZipFile(io.BytesIO(raw))
    members = {name: stored.read(name) for name in stored.namelist()}
    xml = members["xl/worksheets/sheet1.xml"].decode()
    members["xl/worksheets/sheet1.xml"] = f"{prolog}]>{xml}{body[:0]}".encode()
    assert refusal(zipped(members)) == "E-FILE-XML-ENTITY"


@pytest.mark.parametrize("cell", ["XFD1048576", "ZZ100000", "A1048577", "B900000"])
def test_a_stray_cell_far_away_is_refused_with_its_name(cell: str) -> None:
    sheet = sheet_of(LONG).replace(
        "</sheetData>", f'<row><c r="{cell}"><v>1</v></c></row></sheetData>'
    )
    with pytest.raises(Unreadable) as error:
        open_bytes(xlsx(sheet), "a.xlsx")
    assert error.value.remark.cell in (cell, "")
    assert error.value.remark.code in ("E-FILE-TOO-LARGE", "E-FILE-DAMAGED")


def test_marks_say_what_the_text_of_a_cell_does_not() -> None:
    styles = (
        '<numFmts><numFmt numFmtId="164" formatCode="0!.0,&quot;万&quot;"/></numFmts>'
        "<fonts><font/><font><strike/></font></fonts>"
        '<cellXfs><xf numFmtId="0" fontId="0"/><xf numFmtId="14" fontId="0"/>'
        '<xf numFmtId="9" fontId="0"/><xf numFmtId="164" fontId="0"/>'
        '<xf numFmtId="0" fontId="1"/></cellXfs>'
    )
    sheet = (
        '<cols><col min="2" max="2" hidden="1"/></cols><sheetData><row r="1" hidden="1">'
        '<c r="A1" s="1"><v>44927</v></c><c r="B1" s="2"><v>0.5</v></c>'
        '<c r="C1" s="3"><v>29800</v></c><c r="D1" s="4"><v>7</v></c>'
        '<c r="E1" t="e"><v>#REF!</v></c><c r="F1" t="b"><v>1</v></c><c r="G1"><f>A1</f></c>'
        '<c r="H1"><f>A1</f><v>3</v></c><c r="I1" t="s"><v>0</v></c></row></sheetData>'
        '<mergeCells><mergeCell ref="A1:A2"/></mergeCells>'
    )
    strings = "<si><r><t>桃源</t></r><r><t>村</t></r><rPh><t>tao</t></rPh></si>"
    (page,) = open_bytes(xlsx(sheet, styles=styles, strings=strings), "a.xlsx").sheets
    assert page.grid == [["2023-01-01", "0.5", "29800", "7", "#REF!", "TRUE", "", "3", "桃源村"]]
    assert [page.marks.get((0, c)) for c in range(9)] == [
        *("date", "percent", "scaled", "struck", "error", "boolean", "uncached", "formula"),
        None,
    ]
    assert (page.hidden_rows, page.hidden_columns, page.merged) == ([0], [1], [(0, 0, 1, 0)])


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("General", ""),
        ("#,##0.00", ""),
        ("yyyy-mm-dd", "date"),
        ('yyyy"年"m"月"', "date"),
        ("0.00%", "percent"),
        ("#,##0,", "scaled"),
        ('0!.0,"万"', "scaled"),
        ('0.00"万元"', "unit:万元"),
        ("#,##0.00_);[Red](#,##0.00)", ""),
        ("0.00E+00", ""),
        ('"￥"#,##0.00', ""),
        ("@", ""),
    ],
)
def test_number_formats(code: str, kind: str) -> None:
    assert format_kind(164, code) == kind


def test_stored_numbers_keep_the_fifteen_digits_of_a_spreadsheet() -> None:
    assert plain_number("0.30000000000000004") == "0.3"
    assert plain_number("1E-3") == "0.001"
    assert plain_number("123456789012345") == "123456789012345"
    assert plain_number("2.98E4") == "29800"
    assert date_text("44927", is_1904=False) == "2023-01-01"
    assert date_text("43465", is_1904=True) == "2023-01-01"


def test_legacy_workbooks_whose_sectors_loop_are_refused() -> None:
    raw = bytearray(builders.xls(LONG))
    size = 512
    (fat,) = struct.unpack_from("<I", raw, 76)
    struct.pack_into("<I", raw, (fat + 1) * size, 0)  # the first sector follows itself
    struct.pack_into("<I", raw, (fat + 1) * size + 4, 0)
    assert refusal(bytes(raw), "a.xls") == "E-FILE-DAMAGED"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "E-FILE-EMPTY"),
        (b"\x1f\x8b\x08\x00", "E-FILE-KIND"),
        (b"%PDF-1.7", "E-FILE-KIND"),
        (b"village,month\n\x00\x01", "E-FILE-NUL"),
        ("村名,锟斤拷\n".encode(), "E-FILE-MOJIBAKE"),
        ("桃源村,青石村\n".encode().decode("latin-1").encode(), "E-FILE-MOJIBAKE"),
        (b'a,b\n"x,1\n', "E-FILE-QUOTE"),
        (b"a,b\n" + b"x" * 40_000 + b",1\n", "E-FILE-FIELD"),
        ("村名,东村\n".encode() + "西村\n".encode("gb18030"), "E-FILE-ENCODING"),
        ("村名,东村".encode()[:-1], "E-FILE-TRUNCATED"),
    ],
)
def test_text_that_can_not_be_trusted_is_refused(raw: bytes, code: str) -> None:
    assert refusal(raw, "a.csv") == code


def test_lines_are_counted_through_quoted_line_breaks() -> None:
    sheet = read_text(b'a,b\n"x\ny",1\nz,2\n').sheets[0]
    assert sheet.grid == [["a", "b"], ["x\ny", "1"], ["z", "2"]]
    assert sheet.lines == [1, 2, 4]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_the_fast_reader_of_large_text_gives_what_the_slow_one_gives(
    ending: str, encoding: str
) -> None:
    text = as_csv([*LONG, ["", " ", "x", "-", "１"]]).replace("\n", ending)
    raw = text.encode(encoding)
    slow, fast = read_text(raw), read_large_text(raw)
    assert isinstance(fast, Contents)
    assert [list(row) for row in fast.sheets[0].frame.iter_rows()] == slow.sheets[0].grid
    assert [one.code for one in fast.remarks] == [one.code for one in slow.remarks]


@pytest.mark.parametrize(
    "odd", ['x,"y",z,1,2\n', "a,b,c,d\n", "a,b,c,d,e,f\n", "\n", "a,b\rc,d,e,f\n"]
)
def test_the_fast_reader_leaves_all_that_is_not_plain_to_the_slow_one(odd: str) -> None:
    assert read_large_text((as_csv(LONG) + odd).encode()) is None


def pages_of(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[list[list[str]], bool]:
    """Read with the fast reader allowed; give the cells and whether it was the one that read."""
    monkeypatch.setattr(xlsx_reader, "LARGE", 0)
    (page,) = open_bytes(raw, "a.xlsx").sheets
    if page.frame is None:
        return page.grid, False
    return [list(row) for row in page.frame.iter_rows()], True


ODD_ROWS = {
    "formula": '<row r="26"><c r="A26"><f>1+1</f><v>2</v></c></row>',
    "hidden": '<row r="26" hidden="1"><c r="A26"><v>2</v></c></row>',
    "boolean": '<row r="26"><c r="A26" t="b"><v>1</v></c></row>',
    "error": '<row r="26"><c r="A26" t="e"><v>#REF!</v></c></row>',
    "date": '<row r="26"><c r="A26" s="1"><v>44927</v></c></row>',
    "entity": '<row r="26"><c r="A26" t="str"><v>a&amp;b</v></c></row>',
    "gap": '<row r="28"><c r="A28"><v>1</v></c></row>',
    "rich": '<row r="26"><c r="A26" t="inlineStr"><is><r><t>a</t></r></is></c></row>',
    "wider": '<row r="26"><c r="H26"><v>1</v></c></row>',
}


@pytest.mark.parametrize("odd", ["", *ODD_ROWS])
def test_the_fast_reader_of_large_sheets_gives_what_the_slow_one_gives(
    odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = '<row r="26" spans="1:5"><c r="B26"><v>0.30000000000000004</v></c><c r="C26" t="s"><v>1</v></c></row>'
    last = ODD_ROWS.get(odd, extra)
    sheet = sheet_of(LONG).replace("</sheetData>", f"{last}</sheetData>")
    sheet += '<mergeCells><mergeCell ref="A2:A3"/></mergeCells>'
    styles = '<fonts><font/></fonts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
    raw = xlsx(sheet, strings="<si><t>x</t></si><si><t>桃源村</t></si>", styles=styles)
    (slow,) = open_bytes(raw, "a.xlsx").sheets
    fast, was_fast = pages_of(raw, monkeypatch)
    assert was_fast == (odd in ("", "wider"))
    width = max(map(len, slow.grid))
    assert [row + [""] * (width - len(row)) for row in fast] == [
        row + [""] * (width - len(row)) for row in slow.grid
    ]
    if was_fast:
        (page,) = open_bytes(raw, "a.xlsx").sheets
        assert page.merged == slow.merged == [(1, 0, 2, 0)]


def test_what_is_no_file_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_bytes(as_csv(LONG).encode())
    with Opener() as opener:
        pipe, sound = opener.open(tmp_path / "a.csv"), opener.open(tmp_path / "b.csv")
    assert [one.code for one in pipe.remarks] == ["E-FILE-KIND"]
    assert sound.sheets[0].n_rows == len(LONG)


def test_a_reader_that_dies_is_replaced_and_its_file_refused(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(as_csv(LONG).encode())
    with Opener() as opener:
        opener.open(tmp_path / "b.csv")
        child = opener._child
        assert child is not None
        child.kill()
        child.wait()
        died = opener.open(tmp_path / "b.csv")
        again = opener.open(tmp_path / "b.csv")
    assert [one.code for one in died.remarks] == ["E-FILE-DAMAGED"]
    assert again.sheets[0].n_rows == len(LONG)


def test_a_link_that_leads_out_of_its_folder_is_not_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.csv").write_bytes(as_csv(LONG).encode())
    (inside / "a.csv").symlink_to(outside / "secret.csv")
    found = inspect_ledgers(inside)
    assert found.entries.is_empty()
    assert "E-FILE-LINK" in {one.code for one in found.findings}


def test_a_workbook_with_a_password_is_refused_as_such() -> None:
    raw = builders.xls(LONG)
    old, new = "Workbook".encode("utf-16-le"), "EncryptedPackage".encode("utf-16-le")
    at = raw.index(old)
    sealed = bytearray(raw[:at] + new + raw[at + len(new) :])
    struct.pack_into("<H", sealed, at + 64, len(new) + 2)
    assert refusal(bytes(sealed), "a.xlsx") == "E-FILE-ENCRYPTED"


def test_a_few_bytes_of_ods_that_stand_for_millions_of_cells_are_refused() -> None:
    raw = builders.ods([["x"]])
    members = zipfile.ZipFile(io.BytesIO(raw))
    content = members.read("content.xml").decode()
    content = content.replace(
        "<table:table-row>", '<table:table-row table:number-rows-repeated="1048576">'
    ).replace("<table:table-cell ", '<table:table-cell table:number-columns-repeated="900" ')
    body = {name: members.read(name) for name in members.namelist()} | {"content.xml": content}
    assert refusal(zipped(body), "a.ods") == "E-FILE-TOO-LARGE"


def test_a_file_that_takes_too_much_memory_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(as_csv(LONG).encode())
    with Opener() as opener:
        opener._ready(300 << 20)
        big = tmp_path / "big.csv"
        big.write_bytes(b"a,b,c\n" + b"x,y,z\n" * 500_000)
        opener._limit = 1 << 60  # the small limit stays: the file must meet it
        refused = opener.open(big)
        sound = opener.open(tmp_path / "a.csv")
    assert refused.sheets or refused.remarks[0].severity == "reject"
    assert sound.sheets[0].n_rows == len(LONG)
