"""xls, xlsb and ods: through calamine, the only reader of these that this package uses."""

from __future__ import annotations

import datetime
import io
import struct
from collections.abc import Sequence
from typing import Any

from cps.errors import Text
from cps.ledger.containers.numbers import plain_number
from cps.ledger.containers.record import (
    MAX_CELLS,
    MAX_COLUMNS,
    Contents,
    RawSheet,
    Remark,
    Unreadable,
    damaged,
    too_large,
)
from cps.ledger.containers.zipped import Archive, encrypted

_ERRORS = ("#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!")
_END, _FREE = 0xFFFFFFFE, 0xFFFFFFFF


def read_zipped(raw: bytes, kind: str) -> Contents:
    """Read an xlsb or ods workbook, its archive checked first.

    Raises
    ------
    Unreadable
    """
    archive = Archive(raw, kind)
    if kind == "ods":
        repeats = _Repeats()
        archive.parse("content.xml", repeats.start)
        if "META-INF/manifest.xml" in archive.names:
            archive.parse("META-INF/manifest.xml", _refuse_encrypted)
    archive.check_rest()
    return _read(raw, kind)


class _Repeats:
    """Cells that an ods file repeats: a few bytes can stand for millions of them."""

    def __init__(self) -> None:
        self.rows, self.n_cells = 1, 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "table-row":
            self.rows = _whole(attributes, "number-rows-repeated")
        elif name == "table-cell" and any(k.endswith("value-type") for k in attributes):
            self.n_cells += self.rows * _whole(attributes, "number-columns-repeated")
            if self.n_cells > MAX_CELLS:
                raise too_large("重复的单元格过多", "more repeated cells than any ledger")


def _whole(attributes: dict[str, str], name: str) -> int:
    text = next((v for k, v in attributes.items() if k.endswith(name)), "1")
    return int(text) if text.isdigit() else 1


def _refuse_encrypted(tag: str, _: dict[str, str]) -> None:
    if tag.endswith("encryption-data"):
        raise encrypted()


def read_ole(raw: bytes) -> Contents:
    """Read a legacy xls workbook, its sector chains checked first.

    Raises
    ------
    Unreadable
    """
    names = _directory(raw)
    if "EncryptedPackage" in names or "EncryptionInfo" in names:
        raise encrypted()
    if not {"Workbook", "Book"} & set(names):
        raise Unreadable(
            "E-FILE-KIND",
            Text("是旧版 Office 文件，但不是工作簿", "an old Office file, but no workbook"),
            Text("另存为 .xlsx 或 .csv", "save it as .xlsx or .csv"),
        )
    return _read(raw, "xls")


def _directory(raw: bytes) -> list[str]:
    """Walk the file's sectors as its tables chain them; give the names of its streams."""
    try:
        shift = struct.unpack_from("<H", raw, 30)[0]
        if shift not in (9, 12):
            raise damaged("xls", "sector size")
        size = 1 << shift
        n_sectors = max(len(raw) // size, 1)
        n_fat, first, _, _, _, _, difat, n_difat = struct.unpack_from("<8I", raw, 44)
        parts = list(struct.unpack_from("<109I", raw, 76))
        for _step in range(min(n_difat, n_sectors) + 1):
            if difat >= _END:
                break
            more = struct.unpack_from(f"<{size // 4}I", raw, (difat + 1) * size)
            parts += more[:-1]
            difat = more[-1]
        else:
            raise damaged("xls", "a loop in the sector tables")
        if n_fat > n_sectors:
            raise damaged("xls", "sector table size")
        table: list[int] = []
        for part in parts[:n_fat]:
            if part < _END:
                table += struct.unpack_from(f"<{size // 4}I", raw, (part + 1) * size)
        _check_chains(table)
        names: list[str] = []
        sector, steps = first, 0
        while sector < _END:
            for at in range((sector + 1) * size, (sector + 2) * size, 128):
                length = struct.unpack_from("<H", raw, at + 64)[0]
                if 2 <= length <= 64:
                    names.append(raw[at : at + length - 2].decode("utf-16-le", "replace"))
            sector = table[sector]
            steps += 1
            if steps > n_sectors:
                raise damaged("xls", "a loop in the directory")
    except (struct.error, IndexError) as error:
        raise damaged("xls", f"{error}") from error
    return names


def _check_chains(table: Sequence[int]) -> None:
    """Refuse a sector that two chains, or one chain twice, come to: readers loop there."""
    seen: set[int] = set()
    for following in table:
        if following < _END - 2:
            if following >= len(table) or following in seen:
                raise damaged("xls", "a loop in the sector chain")
            seen.add(following)


def _read(raw: bytes, kind: str) -> Contents:
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(raw))
        sheets = [_sheet(book, one) for one in book.sheets_metadata]
    except python_calamine.PasswordError as error:
        raise encrypted() from error
    except Unreadable:
        raise
    except BaseException as error:
        # The reader's panics are BaseExceptions, not Exceptions.
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        raise damaged(kind, str(error).splitlines()[0] if str(error) else "") from error
    shown = [one for one in sheets if one is not None]
    if not shown:
        raise damaged(kind, "no worksheet")
    remarks = [
        Remark(
            "N-FILE-KIND",
            "note",
            Text(
                f"{kind} 文件：数字格式（百分比、以万显示）和删除线在此格式中读不到",
                f"an {kind} file: number formats (percent, shown in 万) and struck-out text "
                "can't be seen in it",
            ),
            Text("另存为 .xlsx 可得到全部检查", "save it as .xlsx to have everything checked"),
        )
    ]
    return Contents(kind, shown, remarks)


def _sheet(book: Any, about: Any) -> RawSheet | None:
    if not str(about.typ).endswith("WorkSheet"):
        return None
    sheet = book.get_sheet_by_name(about.name)
    height, width = sheet.total_height, sheet.total_width
    if width > MAX_COLUMNS or height * max(width, 1) > MAX_CELLS:
        raise too_large(
            f"工作表有 {height:,} 行、{width:,} 列",
            f"a sheet of {height:,} rows and {width:,} columns",
            sheet=about.name,
        )
    is_hidden = not str(about.visible).endswith("Visible")
    made = RawSheet(about.name, [], is_hidden=is_hidden)
    for r, row in enumerate(sheet.to_python(skip_empty_area=False)):
        line: list[str] = []
        for c, value in enumerate(row):
            text, mark = _text(value)
            line.append(text)
            if mark:
                made.marks[r, c] = mark
        made.grid.append(line)
    for one in sheet.merged_cell_ranges or ():
        made.merged.append((*one[0], *one[1]))
    return made


def _text(value: Any) -> tuple[str, str]:
    if isinstance(value, str):
        return value, "error" if value in _ERRORS else ""
    if isinstance(value, bool):
        return ("TRUE" if value else "FALSE"), "boolean"
    if isinstance(value, int | float):
        return plain_number(repr(value)), ""
    if isinstance(value, datetime.datetime):
        is_day = value.time() == datetime.time(0)
        return value.date().isoformat() if is_day else value.isoformat(sep=" "), "date"
    if isinstance(value, datetime.date):
        return value.isoformat(), "date"
    return ("" if value is None else str(value)), "date" if value is not None else ""
