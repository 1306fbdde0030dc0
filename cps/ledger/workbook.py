"""Open raw files: CSV and xlsx to grids of text whose places are the spreadsheet's own."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from cps.errors import LedgerError, Text

SUFFIXES = (".csv", ".xlsx")
MAX_ROWS, MAX_COLUMNS = 200_000, 1_000
_MAX_UNPACKED = 256 * 1024 * 1024
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})$")
_FLOAT = re.compile(r"-?\d+\.\d+$")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet as text.

    Parameters
    ----------
    name : str
        ``csv`` for a CSV file.
    grid : list of rows of str
        From A1 on; an empty cell is an empty string.
    merged : tuple of (first row, first column, last row, last column), from 0
    is_hidden : bool
    """

    name: str
    grid: list[list[str]]
    merged: tuple[tuple[int, int, int, int], ...] = ()
    is_hidden: bool = False


def read_sheets(path: Path) -> tuple[Sheet, ...]:
    """Read every sheet of a CSV or xlsx file.

    Raises
    ------
    LedgerError
        If the file is of another kind, damaged, in no known encoding, or larger than any ledger.
    """
    if path.suffix.lower() == ".csv":
        return (_read_csv(path),)
    if path.suffix.lower() == ".xlsx":
        return _read_xlsx(path)
    raise _refuse(
        path.name,
        Text(
            f"不支持 {path.suffix or '无扩展名'} 文件", f"{path.suffix or 'no suffix'} is not read"
        ),
        Text("另存为 .xlsx 或 .csv", "save it as .xlsx or .csv"),
    )


def cell_name(row: int, column: int) -> str:
    """Give a cell's name as a spreadsheet shows it.

    Examples
    --------
    >>> cell_name(0, 0), cell_name(16, 27)
    ('A1', 'AB17')
    """
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


def _refuse(where: str, what: Text, mend: Text) -> LedgerError:
    return LedgerError(what, where=where, mend=mend)


def _read_csv(path: Path) -> Sheet:
    text = _decode(path)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise _refuse(
            f"{path.name} › line {line}",
            Text("含有空字符，文件可能损坏", "the file holds NUL characters: it may be damaged"),
            Text("从原系统重新导出", "export it again"),
        )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    grid: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            grid.append(row)
    except csv.Error as error:
        raise _refuse(
            f"{path.name} › line {len(grid) + 1}",
            Text(f"不是有效的 CSV：{error}", f"not valid CSV: {error}"),
            Text("检查引号和分隔符，或重新导出", "check quotes and commas, or export it again"),
        ) from error
    return Sheet("csv", grid)


def _decode(path: Path) -> str:
    raw = path.read_bytes()
    # Encodings are tried, never guessed: short GBK text passes for other encodings in statistics.
    is_utf16 = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    encodings: tuple[str, ...] = ("utf-16",) if is_utf16 else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
    raise _refuse(
        f"{path.name} › line {line}",
        Text("编码既不是 UTF-8 也不是 GB18030", "neither UTF-8 nor GB18030"),
        Text("另存为 UTF-8 编码的 CSV", "save it as CSV in UTF-8"),
    )


@dataclass(slots=True)
class _Extent:
    """What a scan of a sheet's own XML finds before anything else opens it."""

    first_row: int = MAX_ROWS
    first_column: int = MAX_COLUMNS
    last_row: int = -1
    last_column: int = -1
    merged: tuple[tuple[int, int, int, int], ...] = ()


def _read_xlsx(path: Path) -> tuple[Sheet, ...]:
    import fastexcel

    extents = _scan(path)
    sheets: list[Sheet] = []
    try:
        book = fastexcel.read_excel(path)
        for name in book.sheet_names:
            # Text only: with types inferred, words in a column of numbers are lost.
            loaded = book.load_sheet(name, header_row=None, dtypes="string")
            extent = extents.get(name, _Extent())
            columns = [one.to_list() for one in loaded.to_polars().get_columns()]
            grid = [[""] * 0 for _ in range(extent.first_row if columns else 0)]
            for row in zip(*columns, strict=True):
                grid.append([""] * extent.first_column + [_shortest(one) for one in row])
            sheets.append(Sheet(name, grid, extent.merged, loaded.visible != "visible"))
    except BaseException as error:
        # polars and the reader's own panics are BaseExceptions, not Exceptions.
        if isinstance(error, KeyboardInterrupt | SystemExit | LedgerError):
            raise
        raise _damaged(path, str(error).splitlines()[0] if str(error) else "") from error
    return tuple(sheets)


def _shortest(text: str | None) -> str:
    """Give the shortest number that is the same double: 0.1 and not 0.1000000000000000055."""
    if text is None:
        return ""
    if len(text) > 16 and _FLOAT.match(text):
        return repr(float(text))
    return text


def _damaged(path: Path, detail: str) -> LedgerError:
    return _refuse(
        path.name,
        Text(f"不是完好的 xlsx 工作簿：{detail}", f"not a sound xlsx workbook: {detail}"),
        Text(
            "用 Excel 或 WPS 打开后另存，再试", "open it in a spreadsheet program and save it anew"
        ),
    )


def _scan(path: Path) -> dict[str, _Extent]:
    """Check a workbook before it is read: whole, of sensible size, and where its cells lie."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(one.file_size for one in archive.infolist())
            if size > _MAX_UNPACKED:
                raise _refuse(
                    path.name,
                    Text(f"解压后 {size / 1e6:,.0f} MB，过大", f"unpacks to {size / 1e6:,.0f} MB"),
                    Text("只保留台账所在的工作表", "keep only the sheets of the ledger"),
                )
            broken = archive.testzip()
            if broken is not None:
                raise _damaged(path, f"CRC of {broken}")
            return {
                name: _extent(archive.read(part), f"{path.name} › {name}")
                for name, part in _parts(archive).items()
            }
    except (zipfile.BadZipFile, KeyError, expat.ExpatError, EOFError, NotImplementedError) as error:
        raise _damaged(path, str(error)) from error


def _parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """Give the archive member of each sheet, by name."""
    targets: dict[str, str] = {}
    names: dict[str, str] = {}

    def relation(tag: str, attributes: dict[str, str]) -> None:
        if tag.endswith("Relationship"):
            targets[attributes["Id"]] = attributes["Target"]

    def sheet(tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == "sheet":
            key = next(value for name, value in attributes.items() if name.endswith(":id"))
            names[attributes["name"]] = key

    _parse(archive.read("xl/_rels/workbook.xml.rels"), relation)
    _parse(archive.read("xl/workbook.xml"), sheet)
    members = set(archive.namelist())
    found = {name: targets[key] for name, key in names.items()}
    paths = {
        name: target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        for name, target in found.items()
    }
    return {name: one for name, one in paths.items() if one in members}


def _extent(raw: bytes, where: str) -> _Extent:
    extent = _Extent()
    merged: list[tuple[int, int, int, int]] = []

    def element(tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "c" and "r" in attributes:
            row, column = _place(attributes["r"], where)
            extent.first_row = min(extent.first_row, row)
            extent.first_column = min(extent.first_column, column)
            extent.last_row = max(extent.last_row, row)
            extent.last_column = max(extent.last_column, column)
        elif tag == "mergeCell":
            ends = [_place(one, where) for one in attributes["ref"].split(":")]
            merged.append((*ends[0], *ends[-1]))

    _parse(raw, element)
    extent.merged = tuple(merged)
    return extent


def _place(reference: str, where: str) -> tuple[int, int]:
    match = _REFERENCE.match(reference)
    row, column = -1, -1
    if match:
        for letter in match[1]:
            column = (column + 1) * 26 + ord(letter) - 65
        row = int(match[2]) - 1
    if not match or row >= MAX_ROWS or column >= MAX_COLUMNS:
        raise _refuse(
            f"{where} › {reference}",
            Text(
                f"单元格超出台账范围（{MAX_ROWS:,} 行、{MAX_COLUMNS:,} 列）",
                f"a cell beyond any ledger ({MAX_ROWS:,} rows, {MAX_COLUMNS:,} columns)",
            ),
            Text("删除该处多余内容", "delete what stands there"),
        )
    return row, column


def _parse(raw: bytes, element: Callable[[str, dict[str, str]], None]) -> None:
    parser = expat.ParserCreate()
    parser.StartElementHandler = element
    parser.Parse(raw, True)
