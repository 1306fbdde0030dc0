"""Office Open XML workbooks: every cell as stored, with what its style does to it."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace

from cps.errors import Text
from cps.ledger.containers.numbers import date_text, format_kind, plain_number
from cps.ledger.containers.record import (
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_FIELD,
    MAX_GAP,
    MAX_ROWS,
    Contents,
    RawSheet,
    Remark,
    Unreadable,
    cell_name,
    damaged,
    too_large,
)
from cps.ledger.containers.zipped import Archive

_KIND = "xlsx"
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})$")
_MAX_STRINGS_CHARS = 512 << 20
LARGE = 16 << 20  # bytes of a worksheet's XML from which on plain rows are read by column


@dataclass(slots=True)
class _Book:
    sheets: list[tuple[str, str, bool]] = field(default_factory=list)  # name, part, is hidden
    is_1904: bool = False
    strings: list[str] = field(default_factory=list)
    styles: list[tuple[str, bool]] = field(default_factory=list)  # kind, is struck
    has_odd_default: bool = False


def read_xlsx(raw: bytes) -> Contents:
    """Read every worksheet.

    Raises
    ------
    Unreadable
        If the archive or its XML is damaged, hostile, or larger than any ledger.
    """
    archive = Archive(raw, _KIND)
    book = _book(archive)
    sheets = [_sheet(archive, book, *one) for one in book.sheets]
    archive.check_rest()
    remarks = []
    if any(name.lower().endswith("vbaproject.bin") for name in archive.names):
        remarks.append(
            Remark(
                "W-FILE-MACROS",
                "warn",
                Text("工作簿带有宏；宏不会被运行", "the workbook carries macros: none is run"),
                Text("另存为 .xlsx（不含宏）", "save it as .xlsx, without macros"),
            )
        )
    if not sheets:
        raise damaged(_KIND, "no worksheet")
    return Contents(_KIND, sheets, remarks)


def local(tag: str) -> str:
    """Give an element's or attribute's name without its prefix."""
    return tag.rpartition(":")[2]


def place(reference: str, sheet: str) -> tuple[int, int]:
    """Give the row and column, from 0, of ``B12``; refuse what is beyond any ledger."""
    match = _REFERENCE.match(reference)
    if not match:
        raise damaged(_KIND, f"{sheet}: cell reference {reference[:20]!r}")
    column = -1
    for letter in match[1]:
        column = (column + 1) * 26 + ord(letter) - 65
    row = int(match[2]) - 1
    if not 0 <= row < MAX_ROWS or column >= MAX_COLUMNS:
        raise _stray(sheet, reference)
    return row, column


def _stray(sheet: str, cell: str) -> Unreadable:
    return too_large(
        f"{cell} 有内容，远在台账之外（至多 {MAX_ROWS:,} 行、{MAX_COLUMNS:,} 列）",
        f"{cell} is filled, far beyond any ledger ({MAX_ROWS:,} rows, {MAX_COLUMNS:,} columns)",
        sheet=sheet,
        cell=cell,
    )


def _book(archive: Archive) -> _Book:
    book = _Book()
    main = _target(_relations(archive, "_rels/.rels", ""), "officeDocument", "xl/workbook.xml")
    folder = posixpath.dirname(main)
    rels = posixpath.join(folder, "_rels", posixpath.basename(main) + ".rels")
    relations = _relations(archive, rels, folder)
    by_id = {one: (kind, target) for one, kind, target in relations}
    listed: list[tuple[str, str, str]] = []

    def element(tag: str, attributes: dict[str, str]) -> None:
        name = local(tag)
        if name == "workbookPr":
            book.is_1904 = attributes.get("date1904", "0").lower() in ("1", "true", "on")
        elif name == "sheet":
            key = next((v for k, v in attributes.items() if local(k) == "id" and ":" in k), "")
            listed.append(
                (attributes.get("name", ""), key, attributes.get("state", "visible").lower())
            )

    archive.parse(main, element)
    for name, key, state in listed:
        kind, part = by_id.get(key, ("", ""))
        if kind == "worksheet" and part:
            if part not in archive.names:
                raise damaged(_KIND, f"{part} is missing")
            book.sheets.append((name, part, state != "visible"))
    names = set(archive.names)
    strings = _target(relations, "sharedStrings", "")
    styles = _target(relations, "styles", "")
    if strings in names:
        book.strings = _strings(archive, strings)
    if styles in names:
        book.styles = _styles(archive, styles)
        book.has_odd_default = bool(book.styles) and book.styles[0] != ("", False)
    return book


def _relations(archive: Archive, part: str, folder: str) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []

    def element(tag: str, attributes: dict[str, str]) -> None:
        if local(tag) == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            whole = target[1:] if target.startswith("/") else posixpath.join(folder, target)
            kind = attributes.get("Type", "").rpartition("/")[2]
            found.append((attributes.get("Id", ""), kind, posixpath.normpath(whole)))

    if part in archive.names:
        archive.parse(part, element)
    return found


def _target(relations: list[tuple[str, str, str]], kind: str, default: str) -> str:
    return next((target for _, one, target in relations if one == kind), default)


def _strings(archive: Archive, part: str) -> list[str]:
    strings: list[str] = []
    now: list[str] = []
    state = {"phonetic": 0, "text": False, "chars": 0}

    def start(tag: str, _: dict[str, str]) -> None:
        name = local(tag)
        if name == "rPh":
            state["phonetic"] += 1
        state["text"] = name == "t" and not state["phonetic"]

    def end(tag: str) -> None:
        name = local(tag)
        state["text"] = False
        if name == "rPh":
            state["phonetic"] -= 1
        elif name == "si":
            strings.append(_unescaped("".join(now)))
            now.clear()

    def text(piece: str) -> None:
        if state["text"]:
            now.append(piece)
            state["chars"] += len(piece)
            if state["chars"] > _MAX_STRINGS_CHARS or sum(map(len, now)) > MAX_FIELD * 4:
                raise too_large("单元格文字过长", "a cell's text is longer than any ledger's")

    archive.parse(part, start, end, text)
    return strings


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda one: chr(int(one[1], 16)), text) if "_x" in text else text


def _styles(archive: Archive, part: str) -> list[tuple[str, bool]]:
    codes: dict[int, str] = {}
    struck: list[bool] = []
    formats: list[tuple[int, int]] = []
    path: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        name = local(tag)
        parent = path[-1] if path else ""
        path.append(name)
        if name == "numFmt" and parent == "numFmts":
            codes[_whole(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
        elif name == "font" and parent == "fonts":
            struck.append(False)
        elif name in ("strike", "dstrike") and parent == "font" and struck:
            struck[-1] = attributes.get("val", "1").lower() not in ("0", "false", "off")
        elif name == "xf" and parent == "cellXfs":
            formats.append((_whole(attributes.get("numFmtId")), _whole(attributes.get("fontId"))))

    archive.parse(part, start, lambda _: path.pop())
    return [
        (format_kind(number, codes.get(number)), font < len(struck) and struck[font])
        for number, font in formats
    ]


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _sheet(archive: Archive, book: _Book, name: str, part: str, is_hidden: bool) -> RawSheet:
    sheet = RawSheet(name, [], is_hidden=is_hidden)
    reading = _Reading(sheet, book)
    try:
        if archive.size(part) >= LARGE:
            from cps.ledger.containers.plain_sheet import read_plain_rows

            plain = read_plain_rows(archive.read(part), book.strings, book.styles)
            if plain is not None:
                sheet.frame, rest = plain
                archive.parse_bytes(rest, part, reading.start)
                return sheet
        archive.parse(part, reading.start, reading.end, reading.text)
    except Unreadable as error:
        error.remark = replace(error.remark, sheet=error.remark.sheet or name)
        raise
    return sheet


class _Reading:
    """One worksheet's elements, as they come."""

    __slots__ = (
        *("sheet", "book", "row", "column", "kind", "style", "pieces", "is_taken", "has_formula"),
        *("phonetic", "n_cells", "names", "is_inside", "letters", "digits"),
    )

    def __init__(self, sheet: RawSheet, book: _Book) -> None:
        self.sheet, self.book = sheet, book
        self.row, self.column = -1, -1
        self.kind, self.style = "n", 0
        self.pieces: list[str] = []
        self.is_taken = self.has_formula = self.is_inside = False
        self.phonetic = self.n_cells = 0
        self.names: dict[str, str] = {}
        self.letters: dict[str, int] = {}  # column letters -> column
        self.digits = ""  # the row's number as cells write it

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = self.names.get(tag)
        if name is None:
            name = self.names[tag] = local(tag)
        if name == "c":
            given = attributes.get("r")
            if given is None:
                self.column += 1
            else:
                letters = given.rstrip("0123456789")
                column = self.letters.get(letters)
                if column is not None and given[len(letters) :] == self.digits:
                    self.column = column
                else:
                    row, self.column = place(given, self.sheet.name)
                    self.letters[letters] = self.column
                    if row != self.row:
                        self._to_row(row)
            self.kind = attributes.get("t", "n")
            self.style = int(attributes.get("s", 0))
            self.has_formula = False
            self.is_inside = True
            self.pieces = []
        elif name == "v" or (name == "t" and not self.phonetic):
            self.is_taken = self.is_inside
        elif name == "row":
            given = attributes.get("r")
            self._to_row(int(given) - 1 if given and given.isdigit() else self.row + 1)
            self.column = -1
            if attributes.get("hidden", "0").lower() in ("1", "true"):
                self.sheet.hidden_rows.append(self.row)
        elif name == "f":
            self.has_formula = True
        elif name == "rPh":
            self.phonetic += 1
        elif name == "mergeCell":
            ends = [place(one, self.sheet.name) for one in attributes.get("ref", "").split(":")]
            self.sheet.merged.append((*ends[0], *ends[-1]))
        elif name == "col" and attributes.get("hidden", "0").lower() in ("1", "true"):
            low, high = _whole(attributes.get("min")), _whole(attributes.get("max"))
            self.sheet.hidden_columns += range(max(low - 1, 0), min(high, MAX_COLUMNS))

    def text(self, piece: str) -> None:
        if self.is_taken:
            self.pieces.append(piece)
            if len(piece) > MAX_FIELD * 4:
                raise too_large("单元格文字过长", "a cell's text is longer than any ledger's")

    def end(self, tag: str) -> None:
        name = self.names.get(tag, "")
        if name in ("v", "t"):
            self.is_taken = False
        elif name == "c":
            self.is_inside = False
            self._cell()
        elif name == "rPh":
            self.phonetic -= 1

    def _to_row(self, row: int) -> None:
        if row < self.row or row >= MAX_ROWS:
            raise damaged(_KIND, f"{self.sheet.name}: row {row + 1} after row {self.row + 1}")
        self.row, self.digits = row, str(row + 1)

    def _cell(self) -> None:
        pieces = self.pieces
        raw = pieces[0] if len(pieces) == 1 else "".join(pieces)
        if not raw and not self.has_formula:
            return
        grid, row, column = self.sheet.grid, self.row, self.column
        is_struck, mark = False, ""
        if self.style or self.book.has_odd_default or self.kind != "n" or not raw:
            styles = self.book.styles
            style, is_struck = styles[self.style] if self.style < len(styles) else ("", False)
            text, mark = self._value(raw, style)
        else:
            text = plain_number(raw)
        if len(grid) <= row:
            if row - len(grid) > MAX_GAP:
                raise _stray(self.sheet.name, cell_name(row, column))
            grid.extend([] for _ in range(row - len(grid) + 1))
        line = grid[row]
        gap = column - len(line)
        if gap < 0:
            if line[column]:
                raise damaged(_KIND, f"{self.sheet.name}: {cell_name(row, column)} is there twice")
            line[column] = text
        else:
            if gap:
                line.extend([""] * gap)
            line.append(text)
        self.n_cells += 1
        if self.n_cells > MAX_CELLS:
            raise too_large("单元格过多", "more cells than any ledger", sheet=self.sheet.name)
        if is_struck:
            mark = mark or "struck"
        if mark or self.has_formula:
            self.sheet.marks[row, column] = mark or "formula"

    def _value(self, raw: str, style: str) -> tuple[str, str]:
        kind = self.kind
        if kind == "s":
            if not raw.isdigit() or int(raw) >= len(self.book.strings):
                raise damaged(_KIND, f"{self.sheet.name}: no shared string {raw[:20]!r}")
            return self.book.strings[int(raw)], ""
        if kind in ("str", "inlineStr"):
            if not raw and self.has_formula:
                return "", "formula"  # a formula that gives an empty text
            return _unescaped(raw), ""
        if not raw:
            return "", "uncached"
        if kind == "e":
            return raw, "error"
        if kind == "b":
            return ("TRUE" if raw.strip() in ("1", "true") else "FALSE"), "boolean"
        if kind == "d":
            return raw.replace("T", " ").removesuffix("Z").removesuffix(" 00:00:00"), "date"
        if not style:
            return plain_number(raw), ""
        if style == "date":
            return date_text(raw, is_1904=self.book.is_1904) or raw, "date"
        if style.startswith("unit:"):
            return plain_number(raw) + style[5:], ""
        return plain_number(raw), style
