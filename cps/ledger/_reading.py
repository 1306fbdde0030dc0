"""What every layout has in common: rows of villages, cells with their marks, totals, remarks."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cps.errors import Severity, Text
from cps.ledger._figures import CORRECT, MEND, ODDITIES, read_figure, read_word
from cps.ledger._layout import Header, Layout, header_at
from cps.ledger._log import Log, Source, without_personal
from cps.ledger.cells import Cell, header_name, normal
from cps.ledger.names import ALLOWED, read_private_name, tidied
from cps.ledger.rows import ENTRIES_SCHEMA, ITEM_NAMES, ITEMS
from cps.ledger.workbook import Sheet

NEW_SYSTEM = datetime.date(2024, 1, 1)  # the collectives' accounting system in force from then on
_GROUP = re.compile(r"等\s*\d+\s*(个)?村")
NOTE_START = (
    r"^\s*[(（]?(注|说明|备注|填报|填表|制表|审核|负责人|联系|单位|数据来源|来源|续|接上|附)"
)
NOTE_LIKE = rf"{NOTE_START}|[:：。；！]|（续）|\(续\)|^.{{17,}}$"
_NOTE = re.compile(NOTE_START)
_SENTENCE = re.compile(r"[:：。；！]|（续）|\(续\)")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a village."""

    at: int
    cells: list[str]
    unit: str


@dataclass(slots=True)
class Reading:
    """One sheet under one layout; ``columns`` gathers the entries column by column."""

    source: Source
    number: int  # of the source
    sheet: Sheet
    layout: Layout
    header: Header
    log: Log
    columns: dict[str, list[Any]] = field(
        default_factory=lambda: {name: [] for name in ENTRIES_SCHEMA}
    )
    money: str | None = None
    skipped: list[tuple[int, str]] = field(default_factory=list)  # row, why
    totals: list[tuple[int, str, list[str]]] = field(default_factory=list)
    broken: set[tuple[int, int]] = field(default_factory=set)  # cells that could not be read
    _named: dict[tuple[str, str], int] = field(default_factory=dict)

    # -- rows

    def units(self) -> Iterator[Row]:
        """Give each row of a village; what is passed over is said or kept in ``skipped``."""
        unit_at = self.header.column(self.layout.columns["unit"])
        if unit_at is None:
            raise ValueError(self.layout.id)
        width = len(self.header.names)
        roles = [self.header.column(names) for names in self.layout.columns.values()]
        keys = [one for one in roles if one is not None]
        filled = self._filled(keys)
        for r in range(self.header.end, len(filled)):
            cells = filled[r]
            full = [one for one in cells if one.strip()]
            if not full:
                continue
            again = self._header_again(r, cells, unit_at)
            if again == "other":
                return
            if again == "same":
                continue
            label = next(
                (
                    header_name(cells[i])
                    for i in (*keys, 0)
                    if i < len(cells) and header_name(cells[i]) in self.layout.skip
                ),
                None,
            )
            if label:
                self.totals.append((r, label, cells))
                self.skipped.append((r, f"total: {label}"))
                continue
            unit = normal(cells[unit_at]) if unit_at < len(cells) else ""
            if self._is_note(cells, full, unit, unit_at):
                self.skipped.append((r, "note"))
                continue
            row = self._row_of_unit(r, cells, unit, unit_at, width)
            if row is None:
                self.broken.update((r, at) for at in range(width))
            else:
                yield row

    def _row_of_unit(
        self, r: int, cells: list[str], unit: str, unit_at: int, width: int
    ) -> Row | None:
        if self.sheet.is_text and (len(cells) < width or any(cells[width:])):
            self.width(r, len(cells), width)
            return None
        cells = cells + [""] * (width - len(cells))
        if not unit:
            self.add(
                "E-LEDGER-NO-UNIT",
                "reject",
                Text("该行有数据但没有村名", "a row with values and no village"),
                r,
                unit_at,
                mend=Text("补上村名，或删除该行", "name the village, or delete the row"),
            )
            return None
        if _GROUP.search(unit):
            self.add(
                "E-LEDGER-GROUP-ROW",
                "reject",
                Text(f"“{unit}”是几个村合在一行", f"{unit!r} is several villages in one row"),
                r,
                unit_at,
                mend=Text("按村分行填报", "give each village its own row"),
                value=unit,
            )
            return None
        name = self.name(r, unit_at, cells[unit_at])
        if name is None:
            return None
        if self.layout.kind in ("wide", "report") and self._is_named_twice(r, unit_at, name, cells):
            return None
        if r in self.sheet.hidden_rows:
            self.add(
                "W-LEDGER-HIDDEN-ROW",
                "warn",
                Text("隐藏的行也已读取", "a hidden row was read too"),
                r,
                unit_at,
                said=name,
                mend=Text("如不应读取，请删除该行", "delete it if it should not be"),
            )
        return Row(r, cells, name)

    def _is_named_twice(self, r: int, at: int, name: str, cells: list[str]) -> bool:
        area_at = self.header.column(self.layout.columns.get("area", ()))
        key = (normal(cells[area_at]) if area_at is not None else "", name)
        first = self._named.setdefault(key, r)
        if first == r:
            return False
        self.add(
            "E-LEDGER-VILLAGE-TWICE",
            "reject",
            Text(
                f"“{name}”在本表出现两次（第 {self.source.line(first)} 行和第 {self.source.line(r)} 行）",
                f"{name} is there twice (rows {self.source.line(first)} and {self.source.line(r)})",
            ),
            r,
            at,
            mend=Text("只保留正确的一行", "keep the right row"),
            value=name,
        )
        return True

    def width(self, r: int, n: int, width: int) -> None:
        """Refuse a row of a text file that has other fields than the header."""
        self.add(
            "E-LEDGER-WIDTH",
            "reject",
            Text(f"该行有 {n} 列，表头有 {width} 列", f"{n} fields, the header has {width}"),
            r,
            0,
            mend=Text(
                "检查该行的逗号和引号；如在末行，文件可能没有拷贝完整",
                "check the commas and quotes of this row; a last row may have been cut off",
            ),
        )

    def name(self, r: int, at: int, text: str) -> str | None:
        """Read a village's name, or say why it is none."""
        read, was_personal = read_private_name(text)
        if was_personal:
            what = Text(
                "村名中有电话或身份证号，已隐去", "the name holds a telephone or identity number"
            )
            self.add("N-LEDGER-PERSONAL", "note", what, r, at)
        if read.problem is not None:
            self.add("E-LEDGER-NAME", "reject", read.problem, r, at, mend=ALLOWED, value=text)
            return None
        if read.was_tidied:
            what = tidied(read.name)
            self.add("W-LEDGER-NAME-TIDIED", "warn", what, r, at, mend=CORRECT, value=text)
        for ending in self.layout.unit_endings:
            if read.name.endswith(ending) and len(read.name) > len(ending):
                return read.name[: -len(ending)]
        return read.name

    def _is_note(self, cells: list[str], full: list[str], unit: str, unit_at: int) -> bool:
        """Tell footnotes, signatures and titles of continued sheets from rows of villages."""
        first = normal(full[0])
        if len(full) == 1 and self.sheet.is_text and len(cells) == 1 and unit_at == 0:
            return bool(_NOTE.match(first) or _SENTENCE.search(first) or len(first) > 16)
        if len(full) == 1:
            is_name = bool(unit) and not _SENTENCE.search(unit) and not _NOTE.match(unit)
            return not (is_name and len(unit) <= 16 and unit_at < len(cells))
        if unit and (_NOTE.match(unit) and _SENTENCE.search(unit)):
            return True
        return not unit and bool(_NOTE.match(first) or _SENTENCE.search(first))

    def _header_again(self, r: int, cells: list[str], unit_at: int) -> str:
        """Tell a header that comes again (``same``) from a second table's (``other``); say so."""
        here = header_name(cells[unit_at]) if unit_at < len(cells) else ""
        if here not in self.layout.columns["unit"]:
            return ""
        if header_at(self.sheet, r, self.header.n_rows).names == self.header.names:
            what = Text("表头重复，已略过", "the header again: passed over")
            self.add("N-LEDGER-HEADER-AGAIN", "note", what, r, 0)
            self.skipped.append((r, "header again"))
            return "same"
        self.add(
            "E-LEDGER-SECOND-TABLE",
            "reject",
            Text("下面还有一张表头不同的表", "another table, with another header, stands below"),
            r,
            unit_at,
            mend=Text("分成两张工作表", "put it on a sheet of its own"),
        )
        return "other"

    def _filled(self, columns: list[int]) -> list[list[str]]:
        """Repeat the text of merged key cells in every row that they span, and in no other."""
        grid = [list(row) for row in self.sheet.grid]
        for top, left, bottom, right in self.sheet.merged:
            if left == right and left in columns and top > self.header.first_row:
                for r in range(top, min(bottom + 1, len(grid))):
                    grid[r] += [""] * (left + 1 - len(grid[r]))
                    grid[r][left] = grid[top][left]
        return grid

    # -- cells

    def value(
        self,
        row: Row,
        at: int,
        *,
        item: str,
        period: datetime.date | None,
        name: str = "",
        unit_text: str | None = None,
    ) -> Decimal | None:
        """Read one cell into an entry and give its value, if it has one."""
        text = row.cells[at]
        measure = ITEMS[item]
        if measure in ("text", "tick"):
            cell, kept = read_word(text, measure)
        else:
            kept = None
            cell = self.number_at(row, at, item, unit_text)
        if cell.problem is not None:
            self.broken.add((row.at, at))
            return None
        self.entry(row, at, item=item, period=period, cell=cell, text=kept, name=name)
        return cell.value

    def number_at(
        self, row: Row, at: int, item: str, unit_text: str | None = None, *, silent: bool = False
    ) -> Cell:
        """Read a number in base units; a problem is said with its place."""
        text = row.cells[at] if at < len(row.cells) else ""
        mark = self.sheet.marks.get((row.at, at), "")
        cell = read_figure(text, mark, item, unit_text or self.header.units[at] or self.money)
        if silent:
            return cell
        said = ", ".join(one for one in (self.header.names[at], row.unit) if one)
        if cell.problem is not None:
            self.add(
                "E-LEDGER-CELL",
                "reject",
                cell.problem,
                row.at,
                at,
                said=said,
                mend=MEND.get(mark, CORRECT),
                value=text,
            )
            return cell
        self._say_oddity(row, at, cell, mark, text=text, said=said)
        if cell.emptiness is not None and self.layout.frequency is not None:
            kinds = {
                "unknown": Text("缺数", "no value"),
                "below_one_unit": Text("不足一个单位", "under one unit"),
                "not_applicable": Text("不适用", "not applicable"),
            }
            what = kinds[cell.emptiness]
            self.add(
                "W-LEDGER-MISSING",
                "warn",
                Text(
                    f"{what.zh}，按缺失处理，不当作零",
                    f"{what.en}: missing, and never taken for zero",
                ),
                row.at,
                at,
                said=said,
                mend=Text("如有数，请补上；如为零，请填 0", "enter the number, or 0 if it is zero"),
                value=text,
            )
        elif cell.value is not None and cell.value < 0 and self.layout.negative == "refuse":
            problem = Text(f"“{text.strip()}”为负", f"{text.strip()!r} is below zero")
            self.add(
                "E-LEDGER-NEGATIVE",
                "reject",
                problem,
                row.at,
                at,
                said=said,
                mend=Text(
                    "收入和人数不为负；如是冲减，请改正原月份",
                    "income and people are not negative; correct the month that it takes back",
                ),
                value=text,
            )
            return Cell(problem=problem)
        return cell

    def _say_oddity(
        self, row: Row, at: int, cell: Cell, mark: str, *, text: str, said: str
    ) -> None:
        odd = ODDITIES.get(cell.oddity or "") if not mark else None
        odd = odd or ODDITIES.get(mark)
        if odd is not None:
            code, severity, what = odd
            self.add(code, severity, what, row.at, at, said=said, mend=CORRECT, value=text)

    def entry(
        self,
        row: Row,
        at: int,
        *,
        item: str,
        period: datetime.date | None,
        cell: Cell,
        text: str | None = None,
        name: str = "",
    ) -> None:
        """Keep one entry."""
        area = self.header.column(self.layout.columns.get("area", ()))
        project = self.header.column(self.layout.columns.get("project", ()))
        values = (
            row.unit,
            self._label(row.cells[area]) if area is not None else None,
            self._label(row.cells[project]) if project is not None else None,
            period,
            self.layout.frequency,
            item,
            name or self.header.names[at] or ITEM_NAMES.get(item, item),
            None if cell.value is None else int(cell.value * 100),
            text,
            cell.emptiness,
            row.at,
            at,
            self.number,
        )
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(value)

    @staticmethod
    def _label(text: str) -> str | None:
        return normal(without_personal(text)) or None

    # -- what is said

    def compare(
        self, row: Row, at: int, stated: Decimal | None, ours: Decimal | None, *, header: str
    ) -> None:
        """Warn where a figure that the ledger states is not what its parts give."""
        if stated is None or ours is None or abs(stated - ours) < 1:
            return
        if any(row.at == r for r, _ in self.broken):
            return  # a part is not known: that the sum is off says nothing
        self.add(
            "W-LEDGER-TOTAL",
            "warn",
            Text(
                f"“{header}”为 {stated:,.2f}，按各项算得 {ours:,.2f}",
                f"{header} says {stated:,.2f}, its parts give {ours:,.2f}",
            ),
            row.at,
            at,
            said=", ".join(one for one in (header, row.unit) if one),
            mend=Text("核对该行，改正有误的一处", "check the row and correct what is wrong"),
            value=row.cells[at],
        )

    def add(
        self,
        code: str,
        severity: Severity,
        what: Text,
        r: int,
        at: int,
        *,
        said: str = "",
        mend: Text = CORRECT,
        value: str | None = None,
    ) -> None:
        """Record a finding at a cell of this sheet."""
        self.log.add(
            code,
            severity,
            what,
            source=self.source,
            at=(r, at),
            said=said,
            mend=mend,
            value=value,
        )


def regime(period: datetime.date) -> str:
    """Give the accounting system in force: ``2004`` or ``2023``."""
    return "2023" if period >= NEW_SYSTEM else "2004"
