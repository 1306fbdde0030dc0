"""Ledger layouts as data: what a sheet must show to be read, and what its columns mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cps.dropin import read_toml
from cps.errors import Text, UsageError, unknown_choice
from cps.ledger.cells import header_name, parse_month
from cps.ledger.rows import ITEMS
from cps.ledger.workbook import Sheet

FOLDER = Path(__file__).parent / "formats"
_SEARCHED = 20
_OPTIONAL = ("area", "code")
_UNIT_IN_HEADER = re.compile(r"\((元|千元|万元|亿元|人)\)$")
_KEYS = {
    *("name", "kind", "title", "item", "frequency", "money_unit", "header_rows", "skip", "ignore"),
    *("closing", "columns", "values", "accounts", "amount", "cumulative", "unit_endings"),
    *("total", "example"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """One way of keeping a ledger, as its TOML file declares it."""

    id: str
    name: Text
    kind: str  # wide: a column a month; long: a row a unit and period
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
    example: Mapping[str, Any]

    def required(self) -> list[tuple[str, ...]]:
        """Give the headers that must stand in the header row; any of each group will do."""
        groups = [names for role, names in self.columns.items() if role not in _OPTIONAL]
        groups += [(name,) for name in self.values]
        return groups + ([(self.amount,)] if self.amount else [])


@dataclass(frozen=True, slots=True)
class Header:
    """Where a sheet's header stands and what each column is called."""

    first_row: int
    n_rows: int
    names: tuple[str, ...]
    units: tuple[str | None, ...]  # a unit in the header itself
    title: str  # everything above

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
    for row in range(min(_SEARCHED, len(sheet.grid))):
        header = header_at(sheet, row, layout.header_rows)
        if not missing(header, layout) and _title_fits(header, layout):
            return header
    return None


def nearest_header(sheet: Sheet, layouts: Mapping[str, Layout]) -> tuple[Layout, list[str]]:
    """Give the layout that a sheet comes nearest to, and what it lacks of it."""
    best: tuple[float, Layout, list[str]] | None = None
    for layout in layouts.values():
        for row in range(min(_SEARCHED, len(sheet.grid))):
            header = header_at(sheet, row, layout.header_rows)
            lacks = missing(header, layout)
            if not _title_fits(header, layout):
                lacks = [*lacks, f"“{'/'.join(layout.title)}”"]
            found = 1 - len(lacks) / (len(layout.required()) + 2)
            if best is None or found > best[0]:
                best = (found, layout, lacks)
    if best is None:
        raise ValueError("no layouts, or an empty sheet")
    return best[1], best[2]


def missing(header: Header, layout: Layout) -> list[str]:
    """List the required headers that are absent."""
    lacks = [names[0] for names in layout.required() if header.column(names) is None]
    if layout.kind == "wide" and not any(parse_month(name) for name in header.names):
        lacks.append("2023年1月 …")
    return lacks


def header_at(sheet: Sheet, row: int, n_rows: int) -> Header:
    """Read ``n_rows`` rows as a header; stacked names are joined with ``/``."""
    lines = [list(sheet.grid[i]) if i < len(sheet.grid) else [] for i in range(row, row + n_rows)]
    width = max(map(len, lines), default=0)
    lines = [line + [""] * (width - len(line)) for line in lines]
    for top, left, bottom, right in sheet.merged:
        if row <= top and bottom < row + n_rows and right < width:
            for i in range(top, bottom + 1):
                for j in range(left, right + 1):
                    lines[i - row][j] = sheet.grid[top][left]
    names: list[str] = []
    units: list[str | None] = []
    for column in range(width):
        parts = list(dict.fromkeys(header_name(line[column]) for line in lines))
        name = "/".join(part for part in parts if part)
        unit = _UNIT_IN_HEADER.search(name)
        names.append(name[: unit.start()] if unit else name)
        units.append(unit[1] if unit else None)
    title = " ".join(one for line in sheet.grid[:row] for one in line if one)
    return Header(row, n_rows, tuple(names), tuple(units), title)


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
        example=file["example"],
    )
