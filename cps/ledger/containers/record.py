"""What every container becomes: sheets of text, remarks, or a refusal in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cps.errors import Text

MAX_ROWS, MAX_COLUMNS = 1_048_576, 1_000
MAX_FIELD = 32_767  # characters: what a spreadsheet's own cell can hold
MAX_CELLS = 60_000_000
MAX_GAP = 50_000  # empty rows before a filled one: a stray cell, not a ledger


class Unreadable(Exception):
    """A file, or a place in it, that no one can read without guessing."""

    def __init__(
        self,
        code: str,
        what: Text,
        mend: Text,
        *,
        sheet: str = "",
        cell: str = "",
        line: int | None = None,
        value: str | None = None,
    ) -> None:
        super().__init__(what.en)
        self.remark = Remark(code, "reject", what, mend, sheet, cell, line, value)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to say of a container, with its place."""

    code: str
    severity: str
    what: Text
    mend: Text
    sheet: str = ""
    cell: str = ""
    line: int | None = None
    value: str | None = None

    def packed(self) -> list[Any]:
        """Give plain values, to send between processes."""
        what, mend = (self.what.zh, self.what.en), (self.mend.zh, self.mend.en)
        return [
            self.code,
            self.severity,
            *what,
            *mend,
            self.sheet,
            self.cell,
            self.line,
            self.value,
        ]

    @classmethod
    def unpacked(cls, values: list[Any]) -> Remark:
        """Make it again from what ``packed`` gave."""
        code, severity, zh, en, mend_zh, mend_en, *rest = values
        return cls(code, severity, Text(zh, en), Text(mend_zh, mend_en), *rest)


@dataclass(slots=True)
class RawSheet:
    """One sheet as text, its places the spreadsheet's own.

    Parameters
    ----------
    name : str
        ``csv`` for delimited text.
    grid : list of rows of str
        From A1 on; an empty cell is an empty string; rows may be of unequal length.
    merged : list of (first row, first column, last row, last column), from 0
    marks : dict of (row, column) to kind
        What the text alone does not say of a cell: ``error``, ``boolean``, ``date``, ``percent``,
        ``uncached`` (a formula never computed), ``struck``, ``scaled`` (shown in 万 or 千, stored
        in 元), ``formula``.
    lines : list of int or None
        The line that each row starts on, where rows span lines.
    """

    name: str
    grid: list[list[str]]
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    is_hidden: bool = False
    hidden_rows: list[int] = field(default_factory=list)
    hidden_columns: list[int] = field(default_factory=list)
    marks: dict[tuple[int, int], str] = field(default_factory=dict)
    lines: list[int] | None = None
    is_text: bool = False
    frame: Any = None  # a polars frame of text, in place of the grid


@dataclass(slots=True)
class Contents:
    """The sheets of a file and what is to be said of it."""

    kind: str
    sheets: list[RawSheet]
    remarks: list[Remark] = field(default_factory=list)


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


def damaged(kind: str, detail: str) -> Unreadable:
    """Make the refusal of a file whose bytes are not what they should be."""
    return Unreadable(
        "E-FILE-DAMAGED",
        Text(f"{kind} 文件已损坏或不完整：{detail}", f"not a sound {kind} file: {detail}"),
        Text(
            "请提供方重新导出或重新拷贝完整文件；或用 Excel、WPS 打开后另存为 .xlsx",
            "export or copy it again; or open it in a spreadsheet program and save it as .xlsx",
        ),
    )


def too_large(what_zh: str, what_en: str, *, sheet: str = "", cell: str = "") -> Unreadable:
    """Make the refusal of what is beyond any ledger."""
    return Unreadable(
        "E-FILE-TOO-LARGE",
        Text(what_zh, what_en),
        Text(
            "只保留台账所在的区域和工作表，按年分成几个文件",
            "keep only the ledger's own cells and sheets; split it by year",
        ),
        sheet=sheet,
        cell=cell,
    )
