"""Workbooks as markup: SpreadsheetML 2003 and HTML tables, both often named .xls."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.parsers import expat

from cps.errors import Text
from cps.ledger.containers.numbers import plain_number
from cps.ledger.containers.record import (
    MAX_COLUMNS,
    MAX_FIELD,
    MAX_GAP,
    MAX_ROWS,
    Contents,
    RawSheet,
    Remark,
    Unreadable,
    damaged,
    too_large,
)
from cps.ledger.containers.text import check_text, decode
from cps.ledger.containers.zipped import safe_parser

_CHARSET = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_MAX_SPAN = 1_000


def looks_like_markup(raw: bytes) -> str:
    """Tell ``spreadsheetml`` and ``html`` from other text, by what the file begins with."""
    head = raw[:4096].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if b"urn:schemas-microsoft-com:office:spreadsheet" in head and b"<workbook" in head:
        return "spreadsheetml"
    is_html = head.startswith((b"<html", b"<!doctype html", b"<table", b"<meta", b"<head"))
    return "html" if is_html else "xml" if head.startswith(b"<?xml") else ""


def read_spreadsheetml(raw: bytes) -> Contents:
    """Read a SpreadsheetML 2003 workbook.

    Raises
    ------
    Unreadable
    """
    reading = _SpreadsheetML()
    parser = safe_parser()
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise damaged("SpreadsheetML", str(error)) from error
    except (ValueError, LookupError) as error:
        raise damaged("SpreadsheetML", str(error)) from error
    if not reading.sheets:
        raise damaged("SpreadsheetML", "no worksheet")
    return Contents("spreadsheetml", reading.sheets, [_named("SpreadsheetML 2003")])


def _named(kind: str) -> Remark:
    return Remark(
        "W-FILE-KIND",
        "warn",
        Text(f"文件内容是 {kind}，已按内容读取", f"the file is {kind}: read as what it is"),
        Text("另存为 .xlsx", "save it as .xlsx"),
    )


class _SpreadsheetML:
    def __init__(self) -> None:
        self.sheets: list[RawSheet] = []
        self.row = self.column = -1
        self.kind = ""
        self.pieces: list[str] = []
        self.is_data = self.has_formula = False

    def start(self, tag: str, given: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        attributes = {key.rpartition(":")[2]: value for key, value in given.items()}
        if name == "Worksheet":
            self.sheets.append(RawSheet(attributes.get("Name", ""), []))
            self.row = -1
        elif name == "WorksheetOptions" or not self.sheets:
            return
        elif name == "Row":
            self.row = _index(attributes, self.row + 1, MAX_ROWS)
            if self.row - len(self.sheets[-1].grid) > MAX_GAP:
                raise damaged("SpreadsheetML", f"row {self.row + 1}")
            self.column = -1
            if attributes.get("Hidden") == "1":
                self.sheets[-1].hidden_rows.append(self.row)
        elif name == "Cell":
            self.column = _index(attributes, self.column + 1, MAX_COLUMNS)
            self.kind, self.pieces = "", []
            self.has_formula = "Formula" in attributes
            across = int(attributes.get("MergeAcross", 0))
            down = int(attributes.get("MergeDown", 0))
            if across or down:
                ends = (self.row + down, min(self.column + across, MAX_COLUMNS))
                self.sheets[-1].merged.append((self.row, self.column, *ends))
        elif name == "Data":
            self.kind, self.is_data = attributes.get("Type", "String"), True

    def text(self, piece: str) -> None:
        if self.is_data:
            self.pieces.append(piece)

    def end(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name == "Data":
            self.is_data = False
        elif name == "Cell" and self.sheets:
            self._cell("".join(self.pieces))
            merged = self.sheets[-1].merged
            if merged and merged[-1][:2] == (self.row, self.column):
                self.column = merged[-1][3]
        elif name == "Worksheet" and self.sheets[-1].grid:
            check_text("\n".join("".join(row) for row in self.sheets[-1].grid[:200]))

    def _cell(self, raw: str) -> None:
        sheet = self.sheets[-1]
        if not raw and not self.has_formula:
            return
        if len(raw) > MAX_FIELD:
            raise too_large("单元格文字过长", "a cell's text is longer than any ledger's")
        mark = {"Error": "error", "Boolean": "boolean", "DateTime": "date"}.get(self.kind, "")
        text = raw
        if self.kind == "Number":
            text = plain_number(raw)
        elif self.kind == "Boolean":
            text = "TRUE" if raw == "1" else "FALSE"
        elif self.kind == "DateTime":
            text = raw.partition(".")[0].replace("T", " ").removesuffix(" 00:00:00")
        if not raw:
            mark = "uncached"
        while len(sheet.grid) <= self.row:
            sheet.grid.append([])
        line = sheet.grid[self.row]
        line += [""] * (self.column + 1 - len(line))
        line[self.column] = text
        if mark or self.has_formula:
            sheet.marks[self.row, self.column] = mark or "formula"


def _index(attributes: dict[str, str], following: int, limit: int) -> int:
    given = attributes.get("Index")
    at = int(given) - 1 if given else following
    if not 0 <= at < limit or at < following:
        raise damaged("SpreadsheetML", f"index {given}")
    return at


def read_html(raw: bytes) -> Contents:
    """Read every table of an HTML page to a sheet of its own.

    Raises
    ------
    Unreadable
    """
    stated = _CHARSET.search(raw[:4096])
    text, remarks = decode(raw)
    check_text(text)
    reading = _Tables()
    reading.feed(text)
    reading.close()
    sheets = [one for one in reading.sheets if any(map(any, one.grid))]
    if not sheets:
        raise Unreadable(
            "E-FILE-KIND",
            Text("是网页，其中没有表格", "a web page without a table"),
            Text("从系统导出为 .xlsx 或 .csv", "export it as .xlsx or .csv"),
            value=stated[1].decode("ascii", "replace") if stated else None,
        )
    return Contents("html", sheets, [*remarks, _named("HTML")])


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.sheets: list[RawSheet] = []
        self.open: list[int] = []  # sheets whose table is open, innermost last
        self.pieces: list[str] | None = None
        self.span = (1, 1)
        self.taken: dict[int, set[int]] = {}  # row -> columns that a cell above spans

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            if self.open:
                raise Unreadable(
                    "E-FILE-KIND",
                    Text("网页中的表格相互嵌套", "tables within tables"),
                    Text("另存为 .xlsx", "save it as .xlsx"),
                )
            self.sheets.append(RawSheet(f"table{len(self.sheets) + 1}", []))
            self.open.append(len(self.sheets) - 1)
            self.taken = {}
        elif not self.open:
            return
        elif tag == "tr":
            self._close_cell()
            self.sheets[-1].grid.append([])
        elif tag in ("td", "th"):
            self._close_cell()
            if not self.sheets[-1].grid:
                self.sheets[-1].grid.append([])
            given = dict(attrs)
            self.span = (_span(given.get("rowspan")), _span(given.get("colspan")))
            self.pieces = []
        elif tag == "br" and self.pieces is not None:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "table"):
            self._close_cell()
        if tag == "table" and self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.pieces is not None:
            self.pieces.append(data)

    def _close_cell(self) -> None:
        if self.pieces is None or not self.open:
            return
        sheet = self.sheets[-1]
        row = len(sheet.grid) - 1
        if row >= MAX_ROWS:
            raise too_large("网页表格行数过多", "a table of too many rows")
        line = sheet.grid[row]
        taken = self.taken.get(row, set())
        while len(line) in taken:
            line.append("")
        column = len(line)
        down, across = self.span
        if column + across > MAX_COLUMNS:
            raise too_large("网页表格列数过多", "a table of too many columns")
        line.append("".join(self.pieces).strip())
        line += [""] * (across - 1)
        if down > 1 or across > 1:
            sheet.merged.append((row, column, row + down - 1, column + across - 1))
            for below in range(row + 1, row + down):
                self.taken.setdefault(below, set()).update(range(column, column + across))
        self.pieces = None


def _span(text: str | None) -> int:
    return min(max(int(text), 1), _MAX_SPAN) if text and text.isdigit() else 1
