"""From a sheet whose layout is known to rows, each with its cell."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cps.errors import Text
from cps.ledger._accounts import account_item
from cps.ledger._layout import Header, Layout, header_at
from cps.ledger._log import Log
from cps.ledger.cells import Cell, header_name, in_base_unit, normal, parse_month, parse_number
from cps.ledger.rows import ITEMS, ROWS_SCHEMA
from cps.ledger.workbook import Sheet, cell_name

NEW_SYSTEM = datetime.date(2024, 1, 1)  # the collectives' accounting system in force from then on
_UNIT_LINE = re.compile(r"单位[:：]\s*(亿元|万元|千元|元|人)")
_GROUP = re.compile(r"等\s*\d+\s*(个)?村")
_NOTE = re.compile(r"(注|说明|备注|填报|制表|审核|负责人|联系)")
_PHONE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
_QUARTERS = {"一": 1, "二": 2, "三": 3, "四": 4}
_TOLERANCE = Decimal(1)
_CORRECT = Text("改正台账该处", "correct the ledger there")


@dataclass(slots=True)
class Reading:
    """One sheet under one layout; ``columns`` gathers the rows column by column."""

    file: str
    sheet: Sheet
    layout: Layout
    header: Header
    log: Log
    is_synthetic: bool
    columns: dict[str, list[Any]] = field(default_factory=lambda: {key: [] for key in ROWS_SCHEMA})
    _money_unit: str | None = None

    @property
    def where(self) -> str:
        """``file › sheet``."""
        return f"{self.file} › {self.sheet.name}"

    def run(self) -> dict[str, list[Any]]:
        """Read every row; what can't be read becomes a finding."""
        match = _UNIT_LINE.search(normal(self.header.title))
        self._money_unit = match[1] if match else self.layout.money_unit
        self._note_columns()
        if self.layout.kind == "wide":
            self._read_wide()
        elif self.layout.accounts:
            self._read_accounts()
        else:
            self._read_long()
        return self.columns

    # -- the three kinds of layout

    def _read_wide(self) -> None:
        months = {
            i: month for i, one in enumerate(self.header.names) if (month := parse_month(one))
        }
        closing = self.layout.closing
        at = self.header.column((closing[0],)) if closing else None
        for r, cells, unit in self._units():
            values = [
                self._value(r, i, cells, unit, item=self.layout.item, period=month)
                for i, month in months.items()
            ]
            if closing and at is not None:
                end = self._parsed(parse_number(cells[at]), self.layout.item, self.header.units[at])
                known = [one for one in values if one is not None]
                ours = (
                    (sum(known, Decimal(0)) if closing[1] == "sum" else values[-1])
                    if known
                    else None
                )
                self._compare(r, at, unit, end.value, ours, header=closing[0])

    def _read_long(self) -> None:
        places = {
            i: self.layout.values[n]
            for i, n in enumerate(self.header.names)
            if n in self.layout.values
        }
        total = self.layout.total
        at = self.header.column((total[0],)) if total else None
        for r, cells, unit in self._units():
            period = self._period(r, cells, unit)
            if period is None and self.layout.frequency is not None:
                continue
            values = [
                self._value(r, i, cells, unit, item=item, period=period)
                for i, item in places.items()
            ]
            if total and at is not None:
                stated = self._value(r, at, cells, unit, item=total[1], period=period)
                known = [one for one in values if one is not None]
                self._compare(
                    r, at, unit, stated, sum(known, Decimal(0)) if known else None, header=total[0]
                )

    def _read_accounts(self) -> None:
        amount = self.header.column((self.layout.amount or "",))
        cumulative = self.header.column((self.layout.cumulative or "",))
        name_at = self.header.column(self.layout.columns["account"])
        code_at = self.header.column(self.layout.columns.get("code", ()))
        so_far: dict[tuple[str, str, int], tuple[int, Decimal]] = {}
        if amount is None or name_at is None:
            raise ValueError(self.layout.id)
        for r, cells, unit in self._units():
            period = self._period(r, cells, unit)
            if period is None:
                continue
            name = header_name(cells[name_at])
            code = header_name(cells[code_at]) if code_at is not None else ""
            item = self._account(r, name_at, name, code, period)
            if item is None:
                continue
            value = self._value(r, amount, cells, unit, item=item, period=period, name=name)
            key = (unit, name, period.year)
            months, before = so_far.get(key, (0, Decimal(0)))
            so_far[key] = (months + 1, before + (value or Decimal(0)))
            if cumulative is not None and months + 1 == period.month:
                stated = self._parsed(
                    parse_number(cells[cumulative]), item, self.header.units[cumulative]
                )
                self._compare(
                    r,
                    cumulative,
                    unit,
                    stated.value,
                    so_far[key][1],
                    header=self.layout.cumulative or "",
                )

    # -- rows and their keys

    def _units(self) -> Iterator[tuple[int, list[str], str]]:
        """Give each row of a unit: its number, its cells, the unit's name."""
        unit_at = self.header.column(self.layout.columns["unit"])
        if unit_at is None:
            raise ValueError(self.layout.id)
        width = len(self.header.names)
        roles = [self.header.column(names) for names in self.layout.columns.values()]
        filled = self._filled([one for one in roles if one is not None])
        skip_in = [one for one in (*roles, 0) if one is not None]
        for r in range(self.header.first_row + self.header.n_rows, len(filled)):
            cells = filled[r]
            full = [one for one in cells if one.strip()]
            if not full:
                continue
            if self._is_header_again(r, cells, unit_at):
                self._add(
                    "N-LEDGER-HEADER-AGAIN",
                    "note",
                    Text("表头重复，已略过", "the header again: passed over"),
                    r,
                    0,
                )
                continue
            labels = {header_name(cells[i]) for i in skip_in if i < len(cells)}
            if labels & self.layout.skip:
                continue
            unit = normal(cells[unit_at]) if unit_at < len(cells) else ""
            if len(full) == 1 or (not unit and _NOTE.match(normal(full[0]))):
                continue  # a footnote, a signature, or the title of a continued sheet
            if self.sheet.name == "csv" and len(cells) != width:
                self._add(
                    "E-LEDGER-WIDTH",
                    "reject",
                    Text(
                        f"该行有 {len(cells)} 列，表头有 {width} 列",
                        f"{len(cells)} fields, the header has {width}",
                    ),
                    r,
                    0,
                    mend=Text("检查该行的逗号和引号", "check the commas and quotes of this row"),
                )
                continue
            cells = cells + [""] * (width - len(cells))
            if not unit:
                self._add(
                    "E-LEDGER-NO-UNIT",
                    "reject",
                    Text("该行有数据但没有村名", "a row with values and no village"),
                    r,
                    unit_at,
                    mend=Text("补上村名，或删除该行", "name the village, or delete the row"),
                )
                continue
            if _GROUP.search(unit):
                self._add(
                    "E-LEDGER-GROUP-ROW",
                    "reject",
                    Text(f"“{unit}”是几个村合在一行", f"{unit!r} is several villages in one row"),
                    r,
                    unit_at,
                    mend=Text("按村分行填报", "give each village its own row"),
                )
                continue
            yield r, cells, self._bare(unit)

    def _is_header_again(self, r: int, cells: list[str], unit_at: int) -> bool:
        if unit_at >= len(cells) or header_name(cells[unit_at]) not in self.layout.columns["unit"]:
            return False
        return header_at(self.sheet, r, self.header.n_rows).names == self.header.names

    def _filled(self, columns: list[int]) -> list[list[str]]:
        """Repeat the text of merged key cells in every row that they span."""
        grid = [list(row) for row in self.sheet.grid]
        for top, left, bottom, right in self.sheet.merged:
            if left == right and left in columns and top > self.header.first_row:
                for r in range(top, min(bottom + 1, len(grid))):
                    if left < len(grid[r]):
                        grid[r][left] = grid[top][left]
        return grid

    def _bare(self, unit: str) -> str:
        for ending in self.layout.unit_endings:
            if unit.endswith(ending) and len(unit) > len(ending):
                return unit[: -len(ending)]
        return unit

    def _period(self, r: int, cells: list[str], unit: str) -> datetime.date | None:
        if self.layout.frequency is None:
            return None
        role = "month" if self.layout.frequency == "month" else "year"
        at = self.header.column(self.layout.columns[role])
        if at is None:
            raise ValueError(self.layout.id)
        text = header_name(cells[at])
        if role == "month":
            date = parse_month(text)
        else:
            date = self._year_and_quarter(text.removesuffix("年").removesuffix(".0"), cells)
        if date is None:
            self._add(
                "E-LEDGER-PERIOD",
                "reject",
                Text(f"“{cells[at]}”不是有效的时期", f"{cells[at]!r} is no period"),
                r,
                at,
                unit=unit,
                mend=Text("按 2023 或 202301 填写", "write 2023, or 202301"),
            )
        return date

    def _year_and_quarter(self, year: str, cells: list[str]) -> datetime.date | None:
        if not re.fullmatch(r"(19|20)\d\d", year):
            return None
        if self.layout.frequency != "quarter":
            return datetime.date(int(year), 1, 1)
        at = self.header.column(self.layout.columns["quarter"])
        text = header_name(cells[at]).removesuffix(".0") if at is not None else ""
        match = re.fullmatch(r"(?:第)?(?:Q)?([1-4一二三四])(?:季度|季)?", text, re.IGNORECASE)
        if not match:
            return None
        quarter = _QUARTERS.get(match[1]) or int(match[1])
        return datetime.date(int(year), 3 * quarter - 2, 1)

    def _account(self, r: int, at: int, name: str, code: str, period: datetime.date) -> str | None:
        """Give the item of an account under the system in force, or None if it is no income."""
        item, doubt = account_item(self.layout, name, code, regime(period))
        if doubt:
            self._add(doubt.code, doubt.severity, doubt.what, r, at, mend=doubt.mend)
        return item

    # -- cells

    def _value(
        self,
        r: int,
        at: int,
        cells: list[str],
        unit: str,
        *,
        item: str,
        period: datetime.date | None,
        name: str = "",
    ) -> Decimal | None:
        """Read one cell into a row and give its value, if it has one."""
        measure = ITEMS[item]
        text: str | None = None
        if measure == "text":
            parsed = Cell(emptiness="unknown") if not cells[at].strip() else Cell()
            text = normal(cells[at]) or None
        else:
            parsed = self._parsed(parse_number(cells[at]), item, self.header.units[at])
        if parsed.problem is not None:
            self._add(
                "E-LEDGER-CELL",
                "reject",
                parsed.problem,
                r,
                at,
                unit=unit,
                mend=_CORRECT,
                value=cells[at],
            )
            return None
        self._row(
            r,
            at,
            cells,
            unit,
            item=item,
            item_name=name or self.header.names[at],
            period=period,
            parsed=parsed,
            text=text,
        )
        return parsed.value

    def _parsed(self, cell: Cell, item: str, in_header: str | None) -> Cell:
        measure = ITEMS[item]
        unit = in_header or self._money_unit
        if measure == "yuan" and unit is None and cell.value is not None and cell.unit is None:
            return Cell(problem=Text("没有写明金额单位（元或万元）", "no unit of money is stated"))
        return in_base_unit(cell, measure, unit or "")

    def _row(
        self,
        r: int,
        at: int,
        cells: list[str],
        unit: str,
        *,
        item: str,
        item_name: str,
        period: datetime.date | None,
        parsed: Cell,
        text: str | None,
    ) -> None:
        area = self.header.column(self.layout.columns.get("area", ()))
        project = self.header.column(self.layout.columns.get("project", ()))
        row = (
            unit,
            (normal(cells[area]) or None) if area is not None else None,
            (normal(cells[project]) or None) if project is not None else None,
            period,
            self.layout.frequency,
            item,
            item_name,
            parsed.value,
            text,
            ITEMS[item],
            parsed.emptiness,
            regime(period) if period else None,
            self.is_synthetic,
            self.layout.id,
            self.file,
            self.sheet.name,
            cell_name(r, at),
        )
        for column, value in zip(self.columns.values(), row, strict=True):
            column.append(value)

    def _compare(
        self,
        r: int,
        at: int,
        unit: str,
        stated: Decimal | None,
        ours: Decimal | None,
        *,
        header: str,
    ) -> None:
        if stated is None or ours is None or abs(stated - ours) < _TOLERANCE:
            return
        self._add(
            "W-LEDGER-TOTAL",
            "warn",
            Text(
                f"“{header}”为 {stated:,.2f}，按各项算得 {ours:,.2f}",
                f"{header} says {stated:,.2f}, its parts give {ours:,.2f}",
            ),
            r,
            at,
            unit=unit,
            mend=Text("核对该行，改正有误的一处", "check the row and correct what is wrong"),
        )

    def _note_columns(self) -> None:
        known = {name for names in self.layout.columns.values() for name in names}
        known |= {*self.layout.values, *self.layout.ignore, self.layout.amount or "", ""}
        known |= {
            self.layout.cumulative or "",
            *(one[0] for one in (self.layout.closing, self.layout.total) if one),
        }
        for at, name in enumerate(self.header.names):
            if name not in known and not (self.layout.kind == "wide" and parse_month(name)):
                self._add(
                    "W-LEDGER-COLUMN",
                    "warn",
                    Text(f"不认识“{name}”列，未读取", f"unknown column {name}: not read"),
                    self.header.first_row,
                    at,
                    mend=Text("如需读取，请登记到版式文件", "add it to the layout if it matters"),
                )
            if name == "备注" and any(
                len(row) > at and _PHONE.search(row[at]) for row in self.sheet.grid
            ):
                self._add(
                    "N-LEDGER-PERSONAL",
                    "note",
                    Text(
                        "备注中有电话号码，已略去不读", "remarks hold telephone numbers: not read"
                    ),
                    self.header.first_row,
                    at,
                )

    def _add(
        self,
        code: str,
        severity: Any,
        what: Text,
        r: int,
        at: int,
        *,
        unit: str = "",
        mend: Text = _CORRECT,
        value: str | None = None,
    ) -> None:
        names = self.header.names
        said = [names[at] if at < len(names) else "", unit]
        inside = ", ".join(one for one in said if one)
        place = cell_name(r, at) + (f" ({inside})" if inside else "")
        self.log.add(code, severity, what, sheet=self.where, place=place, mend=mend, value=value)


def regime(period: datetime.date) -> str:
    """Give the accounting system in force: ``2004`` or ``2023``."""
    return "2023" if period >= NEW_SYSTEM else "2004"
