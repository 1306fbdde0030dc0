"""Ledger layouts as data: what a sheet must show to be read, and what its columns mean."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cps.dropin import read_toml
from cps.errors import Text, UsageError, unknown_choice
from cps.ledger.cells import header_name, normal, read_month
from cps.ledger.rows import ITEMS
from cps.ledger.workbook import Sheet

FOLDER = Path(__file__).parent / "formats"
_SEARCHED = 20
_OPTIONAL = ("area", "code", "measure_unit")
_UNIT_IN_HEADER = re.compile(r"\(((?:人民币)?(?:元|百元|千元|万元|百万元|亿元|人|个|名))\)$")
_UNIT_BARE = re.compile(r"[,、](元|千元|万元|亿元|人)$")
_BARE_MONTH = re.compile(r"(?:1[0-2]|0?[1-9])月(?:份)?$")
_YEAR_IN_TITLE = re.compile(r"((?:19|20)[0-9]{2})\s*年")
KINDS = ("wide", "long", "tidy", "report", "transposed", "voucher")
_KEYS = {
    *("name", "kind", "title", "item", "frequency", "money_unit", "header_rows", "skip", "ignore"),
    *("closing", "columns", "values", "accounts", "amount", "cumulative", "unit_endings"),
    *("total", "example", "items", "item_from", "period_from", "negative", "expects", "debit"),
    "excludes",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """One way of keeping a ledger, as its TOML file declares it."""

    id: str
    name: Text
    # wide: a column a month; long: a row a unit and period; tidy: a row a unit, period and item;
    # report: a sheet a period; transposed: a row an item, a sheet a unit; voucher: a row an entry.
    kind: str
    header_rows: int
    title: tuple[str, ...]  # one of these stands above the header; empty: anything
    item: str  # of a wide layout
    frequency: str | None  # None for a registry
    money_unit: str | None  # where the sheet names none
    skip: frozenset[str]  # subtotal and total rows
    ignore: frozenset[str]  # columns known and not read
    closing: tuple[str, str] | None  # header, and the rule: sum | last
    columns: Mapping[str, tuple[str, ...]]  # role -> headers
    values: Mapping[str, str]  # header -> item
    accounts: Mapping[str, Mapping[str, tuple[str, str]]]  # system -> name -> (code, item)
    amount: str | None
    cumulative: str | None
    unit_endings: tuple[str, ...]
    total: tuple[str, str] | None  # header and item of the row's own sum
    items: Mapping[str, str]  # name of an item, as a cell or a sheet has it -> item
    item_from: str  # of a wide layout: "" (its item) or "sheet" (the sheet's name or title)
    period_from: str  # "" (columns) or "title" (the title, which must agree with the sheet's name)
    negative: str  # income below zero: "refuse" or "allow"
    expects: tuple[str, ...]  # items of which each should have a sheet
    debit: str | None  # of vouchers: the column that is taken off
    excludes: tuple[str, ...]  # vouchers whose remarks hold these are closings, not income
    example: Mapping[str, Any]

    def required(self) -> list[tuple[str, ...]]:
        """Give the headers that must stand in the header row; any of each group will do."""
        groups = [names for role, names in self.columns.items() if role not in _OPTIONAL]
        groups += [(name,) for name in self.values]
        groups += [(self.debit,)] if self.debit else []
        return groups + ([(self.amount,)] if self.amount else [])


@dataclass(frozen=True, slots=True)
class Header:
    """Where a sheet's header stands and what each column is called."""

    first_row: int
    n_rows: int
    names: tuple[str, ...]  # without the units that they carry
    units: tuple[str | None, ...]  # a unit in the header itself
    title: str  # everything above

    @property
    def end(self) -> int:
        """Give the first row of data."""
        return self.first_row + self.n_rows

    def column(self, names: tuple[str, ...]) -> int | None:
        """Give the column under any of these headers."""
        return next((self.names.index(name) for name in names if name in self.names), None)


def load_layouts(folder: Path | None = None) -> dict[str, Layout]:
    """Read the package's layouts and those in ``folder``.

    Raises
    ------
    UsageError
        If a file lacks a key, has an unknown one, or names an unknown item.
    """
    paths = [*sorted(FOLDER.glob("*.toml")), *(sorted(folder.glob("*.toml")) if folder else [])]
    return {path.stem: _layout(path) for path in paths}


def find_header(sheet: Sheet, layout: Layout) -> Header | None:
    """Find the header row that holds all that the layout requires, or None."""
    head = sheet.head(_SEARCHED + layout.header_rows)
    for row in range(min(_SEARCHED, sheet.n_rows)):
        if not all(any(map(str.strip, line)) for line in head[row : row + layout.header_rows]):
            continue  # a blank row is no part of a header
        header = header_at(sheet, row, layout.header_rows)
        if not missing(header, layout, sheet) and _title_fits(header, layout):
            return header
    return None


@dataclass(frozen=True, slots=True)
class Near:
    """A layout that a sheet does not fit, and what it lacks of it."""

    layout: Layout
    lacks: tuple[str, ...]
    n_found: int
    row: int


def nearest_header(sheet: Sheet, layouts: Mapping[str, Layout]) -> list[Near]:
    """Give the layouts by how near a sheet comes to them, nearest first."""
    found: list[Near] = []
    for layout in layouts.values():
        best: Near | None = None
        for row in range(min(_SEARCHED, sheet.n_rows)):
            header = header_at(sheet, row, layout.header_rows)
            lacks = missing(header, layout, sheet)
            n_found = len(layout.required()) + (layout.kind == "wide") - len(lacks)
            if not _title_fits(header, layout):
                lacks = [*lacks, f"标题 title “{'/'.join(layout.title)}”"]
            if best is None or (n_found, -len(lacks)) > (best.n_found, -len(best.lacks)):
                best = Near(layout, tuple(lacks), n_found, row)
        if best is not None:
            found.append(best)
    return sorted(found, key=lambda one: (len(one.lacks) - one.n_found, len(one.lacks)))


def missing(header: Header, layout: Layout, sheet: Sheet) -> list[str]:
    """List the required headers that are absent."""
    lacks = [
        names[0] if names[0].isascii() or names[-1] == names[0] else f"{names[0]}（{names[-1]}）"
        for names in layout.required()
        if header.column(names) is None
    ]
    if layout.kind == "wide" and not any(map(month_of_header, header.names)):
        lacks.append("2023年1月 …")
    if layout.item_from and item_of_sheet(sheet, header, layout) is None:
        lacks.append(f"工作表名 sheet name “{'/'.join(list(layout.items)[:3])}…”")
    if layout.period_from and period_of_title(header) is None and sheet_month(sheet) is None:
        lacks.append("标题中的月份 month in the title")
    return lacks


def month_of_header(name: str) -> datetime.date | None:
    """Give the month that a header names, or None; a bare serial is no header of a month."""
    read = read_month(name)
    return None if read.is_serial else read.date


def item_of_sheet(sheet: Sheet, header: Header, layout: Layout) -> str | None:
    """Give the item that a sheet's name, or else its title, is."""
    for text in (sheet.name, header.title):
        name = header_name(text)
        unit = _UNIT_IN_HEADER.search(name)
        name = name[: unit.start()] if unit else name
        if name in layout.items:
            return layout.items[name]
    return None


_MONTH_IN_TITLE = re.compile(
    r"((?:19|20)[0-9]{2})年([0-9]{1,2})月(?!\s*[0-9]{1,2}日)(?!至|-|—|～|~)"
)
CUMULATIVE = re.compile(r"累计|[0-9]{1,2}\s*(?:-|—|至|~)\s*[0-9]{1,2}月")


def period_of_title(header: Header) -> datetime.date | None:
    """Give the one month that stands in the title, or None."""
    found = set(_MONTH_IN_TITLE.findall(normal(header.title)))
    if len(found) != 1 or CUMULATIVE.search(normal(header.title)):
        return None
    year, month = next(iter(found))
    return datetime.date(int(year), int(month), 1) if 1 <= int(month) <= 12 else None


def sheet_month(sheet: Sheet) -> datetime.date | None:
    """Give the month that a sheet is named for, or None."""
    return None if sheet.is_text else month_of_header(sheet.name)


def header_at(sheet: Sheet, row: int, n_rows: int) -> Header:
    """Read ``n_rows`` rows as a header; stacked names are joined with ``/``."""
    found = sheet.headers.get((row, n_rows))
    if found is None:
        found = sheet.headers[row, n_rows] = _header_at(sheet, row, n_rows)
    return found


def _header_at(sheet: Sheet, row: int, n_rows: int) -> Header:
    grid = sheet.head(row + n_rows)
    lines = [list(grid[i]) if i < len(grid) else [] for i in range(row, row + n_rows)]
    width = max(map(len, lines), default=0)
    lines = [line + [""] * (width - len(line)) for line in lines]
    for top, left, bottom, right in sheet.merged:
        if row <= top and bottom < row + n_rows and right < width:
            for i in range(top, bottom + 1):
                for j in range(left, right + 1):
                    lines[i - row][j] = grid[top][left] if left < len(grid[top]) else ""
    for upper, lower in itertools.pairwise(lines):
        # A group's name that was not merged stands over its first column only.
        for column in range(1, width):
            if not upper[column].strip() and lower[column].strip():
                upper[column] = upper[column - 1]
    names: list[str] = []
    units: list[str | None] = []
    for column in range(width):
        parts = [header_name(line[column]) for line in lines]
        unit = None
        bare = []
        for part in parts:
            match = _UNIT_IN_HEADER.search(part) or _UNIT_BARE.search(part)
            unit = match[1] if match else unit
            bare.append(part[: match.start()] if match else part)
        names.append("/".join(part for part in dict.fromkeys(bare) if part))
        units.append(unit)
    title = " ".join(one for line in grid[:row] for one in line if one)
    return Header(row, n_rows, tuple(_with_year(names, title)), tuple(units), title)


def _with_year(names: list[str], title: str) -> list[str]:
    """Complete headers 1月 … 12月 by the one year of the title, and dates without a format."""
    if sum(month_of_header(one) is not None for one in names) >= 2:
        # Among months, a bare serial number is a date that lost its format.
        reads = [read_month(one) for one in names]
        return [
            f"{read.date.year}年{read.date.month}月" if read.is_serial and read.date else name
            for name, read in zip(names, reads, strict=True)
        ]
    bare = [one for one in names if _BARE_MONTH.match(one)]
    years = set(_YEAR_IN_TITLE.findall(normal(title)))
    if len(bare) < 2 or len(set(bare)) < len(bare) or len(years) != 1:
        return names
    year = next(iter(years))
    return [f"{year}年{one}" if _BARE_MONTH.match(one) else one for one in names]


def _title_fits(header: Header, layout: Layout) -> bool:
    return not layout.title or any(one in header.title for one in layout.title)


def _layout(path: Path) -> Layout:
    file = read_toml(path)
    for key in file:
        if key not in _KEYS:
            raise unknown_choice(Text("键", "key"), key, _KEYS, where=str(path))
    for key in ("name", "kind", "columns", "example"):
        if key not in file:
            raise UsageError(
                Text(f"缺少“{key}”", f"{key!r} is missing"),
                where=str(path),
                mend=Text(
                    "补上该键，可参照同一文件夹中的其他版式", "add it; see the other layouts"
                ),
            )
    accounts = {
        system: {header_name(name): (one["code"], one["item"]) for name, one in chart.items()}
        for system, chart in file.get("accounts", {}).items()
    }
    values = {header_name(name): item for name, item in file.get("values", {}).items()}
    total = file.get("total")
    items = [*values.values(), *(item for chart in accounts.values() for _, item in chart.values())]
    items += [file["item"]] if "item" in file else []
    items += [*file.get("items", {}).values()]
    if file["kind"] not in KINDS:
        raise unknown_choice(Text("kind", "kind"), file["kind"], KINDS, where=str(path))
    for item in items:
        if item and item not in ITEMS:
            raise unknown_choice(Text("科目", "item"), item, ITEMS, where=str(path))
    closing = file.get("closing")
    return Layout(
        id=path.stem,
        name=Text(**file["name"]),
        kind=file["kind"],
        header_rows=file.get("header_rows", 1),
        title=tuple(file.get("title", ())),
        item=file.get("item", ""),
        frequency=file.get("frequency"),
        money_unit=file.get("money_unit"),
        skip=frozenset(file.get("skip", ())),
        ignore=frozenset(map(header_name, file.get("ignore", ()))),
        closing=(header_name(closing["header"]), closing["rule"]) if closing else None,
        columns={role: tuple(map(header_name, names)) for role, names in file["columns"].items()},
        values=values,
        accounts=accounts,
        amount=header_name(file["amount"]) if "amount" in file else None,
        cumulative=header_name(file["cumulative"]) if "cumulative" in file else None,
        unit_endings=tuple(file.get("unit_endings", ())),
        total=(header_name(total["header"]), total["item"]) if total else None,
        items={header_name(name): item for name, item in file.get("items", {}).items()},
        item_from=file.get("item_from", ""),
        period_from=file.get("period_from", ""),
        negative=file.get("negative", "allow"),
        expects=tuple(file.get("expects", ())),
        debit=header_name(file["debit"]) if "debit" in file else None,
        excludes=tuple(file.get("excludes", ())),
        example=file["example"],
    )
