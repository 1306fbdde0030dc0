"""What is settled or said of a whole sheet: its unit, totals that do not add up, columns that were not read."""

from __future__ import annotations

import re
from decimal import Decimal

from cps.errors import Text
from cps.ledger._figures import read_figure
from cps.ledger._layout import month_of_header
from cps.ledger._log import personal
from cps.ledger._reading import Reading, Row
from cps.ledger.cells import is_people_unit, money_unit, normal, parse_number
from cps.ledger.rows import ITEMS

_IMPOSSIBLE = re.compile(r"(?:19|20)[0-9]{2}[年./-]?[0-9]{1,2}月?$")
_UNIT_LINE = re.compile(r"单位[:：]?\s*(?:人民币)?(亿元|百万元|万元|千元|百元|元|人)")


def check_totals(reading: Reading, places: dict[int, str]) -> None:
    """Check the rows of totals against the rows above them; ``places``: column to item."""
    ours: dict[int, list[tuple[int, int | None]]] = {at: [] for at in places}
    for column, row, cents in zip(
        reading.columns["column"], reading.columns["row"], reading.columns["cents"], strict=True
    ):
        if column in ours:
            ours[column].append((row, cents))
    last = -1
    for r, label, cells in reading.totals:
        is_sub = label == "小计"
        for at, item in places.items():
            if at >= len(cells) or ITEMS[item] not in ("yuan", "persons"):
                continue
            mark = reading.sheet.marks.get((r, at), "")
            stated = read_figure(
                cells[at], mark, item, reading.header.units[at] or reading.money
            ).value
            parts = [cents for row, cents in ours[at] if (last if is_sub else -1) < row < r]
            is_broken = any(column == at for _, column in reading.broken)
            if stated is None or not parts or None in parts or is_broken:
                continue
            total = Decimal(sum(one for one in parts if one is not None)) / 100
            reading.compare(
                Row(r, cells, label), at, stated, total, header=reading.header.names[at]
            )
        last = r


def note_columns(reading: Reading) -> None:
    """Say which columns were not read, and drop personal data before anything is kept."""
    layout = reading.layout
    known = {name for names in layout.columns.values() for name in names}
    known |= {*layout.values, *layout.ignore, layout.amount or "", layout.debit or "", ""}
    known |= {layout.cumulative or "", *(one[0] for one in (layout.closing, layout.total) if one)}
    for at, name in enumerate(reading.header.names):
        is_month = layout.kind == "wide" and month_of_header(name)
        if layout.kind == "wide" and not is_month and _IMPOSSIBLE.match(name):
            reading.add(
                "E-LEDGER-PERIOD",
                "reject",
                Text(f"表头“{name}”没有这个月", f"the header {name} is no month"),
                reading.header.end - 1,
                at,
                mend=Text("改正表头的月份", "correct the header's month"),
                value=name,
            )
        elif name not in known and not is_month:
            reading.add(
                "W-LEDGER-COLUMN",
                "warn",
                Text(f"不认识“{name[:40]}”列，未读取", f"unknown column {name[:40]}: not read"),
                reading.header.end - 1,
                at,
                mend=Text("如需读取，请登记到版式文件", "add it to the layout if it matters"),
                value=name,
            )
        if not name and _has_data(reading, at):
            reading.add(
                "W-LEDGER-COLUMN",
                "warn",
                Text("没有表头的列里有数据，未读取", "a column with data and no header: not read"),
                reading.header.first_row,
                at,
                mend=Text("补上表头，或删去该列", "give it a header, or delete it"),
            )
        if at in reading.sheet.hidden_columns and (is_month or name in layout.values):
            reading.add(
                "W-LEDGER-HIDDEN-COLUMN",
                "warn",
                Text(f"隐藏的“{name}”列也已读取", f"hidden column {name} was read too"),
                reading.header.first_row,
                at,
                mend=Text("如不应读取，请删除该列", "delete it if it should not be"),
            )
    _refuse_twice(reading)
    _note_merged(reading)
    _note_personal(reading)


def _has_data(reading: Reading, at: int) -> bool:
    first = reading.header.end
    sheet = reading.sheet
    if sheet.wide is not None and sheet.rows is None:
        return False
    return any(at < len(row) and row[at].strip() for row in sheet.grid[first:])


def _refuse_twice(reading: Reading) -> None:
    """Refuse a header that stands twice: which of the two is meant, no one can tell."""
    layout, names = reading.layout, reading.header.names
    if layout.kind == "transposed":
        return
    roles = {role: set(options) for role, options in layout.columns.items()}
    roles |= {name: {name} for name in (*layout.values, layout.amount, layout.debit) if name}
    for options in roles.values():
        places = [at for at, name in enumerate(names) if name in options]
        if len(places) > 1 and len({names[at] for at in places}) < len(places):
            reading.add(
                "E-LEDGER-HEADER-TWICE",
                "reject",
                Text(
                    f"表头“{names[places[1]]}”出现 {len(places)} 次",
                    f"the header {names[places[1]]} is there {len(places)} times",
                ),
                reading.header.first_row,
                places[1],
                mend=Text("只保留一列，或改名", "keep one column, or rename it"),
                value=names[places[1]],
            )


def _note_merged(reading: Reading) -> None:
    """Warn of a number whose cell is merged over others: whose number is it?"""
    first = reading.header.end
    keys = {
        at
        for names in reading.layout.columns.values()
        if (at := reading.header.column(names)) is not None
    }
    for top, left, bottom, right in reading.sheet.merged:
        if top < first or (left == right and left in keys) or top >= reading.sheet.n_rows:
            continue
        line = reading.sheet.grid[top]
        text = line[left] if left < len(line) else ""
        if parse_number(text).value is not None and (bottom > top or right > left):
            reading.add(
                "W-LEDGER-MERGED",
                "warn",
                Text(
                    "合并单元格中的数，只按左上角一格读取",
                    "a number in merged cells: read for the first of them alone",
                ),
                top,
                left,
                mend=Text("取消合并，分别填数", "unmerge them and give each its number"),
                value=text,
            )


def _note_personal(reading: Reading) -> None:
    if reading.sheet.wide is not None and reading.sheet.rows is None:
        return  # the large reader looks at its text columns itself
    for r, line in enumerate(reading.sheet.grid):
        for at, text in enumerate(line):
            if len(text) >= 11 and personal(text) and not _plain_figure(text):
                reading.add(
                    "N-LEDGER-PERSONAL",
                    "note",
                    Text(
                        "有电话或身份证号，已隐去，不保存",
                        "a telephone or identity number: removed, and not kept",
                    ),
                    r,
                    at,
                )


def _plain_figure(text: str) -> bool:
    return "." in text and text.replace(".", "", 1).isdigit()


def settle_unit(reading: Reading) -> None:
    """Find the sheet's unit of money: its title, or its name, or the layout's own."""
    line = _UNIT_LINE.search(normal(reading.header.title))
    named = re.search(r"[(（]([^()（）]+)[)）]\s*$", reading.sheet.name)
    in_name = money_unit(named[1]) if named and not reading.sheet.is_text else None
    in_brackets = [
        unit
        for one in re.findall(r"[(]([^()]+)[)]", normal(reading.header.title))
        if (unit := money_unit(one))
    ]
    in_title = money_unit(line[1]) if line else in_brackets[0] if in_brackets else None
    if in_title and in_name and in_title != in_name:
        _conflict(reading, in_title, in_name, Text("工作表名", "the sheet's name"))
    heads = {
        unit
        for i, unit in enumerate(reading.header.units)
        if unit and money_unit(unit) and not is_people_unit(unit)
    }
    plain = [
        i
        for i, name in enumerate(reading.header.names)
        if _measure_of(reading, name) == "yuan" and not reading.header.units[i]
    ]
    if in_title and heads and not plain and {money_unit(one) for one in heads} != {in_title}:
        _conflict(reading, in_title, "、".join(sorted(heads)), Text("表头", "the header"))
    reading.money = in_title or in_name or reading.layout.money_unit


def _measure_of(reading: Reading, name: str) -> str | None:
    if reading.layout.kind == "wide" and month_of_header(name):
        return ITEMS.get(reading.layout.item)
    item = reading.layout.values.get(name)
    return ITEMS[item] if item else None


def _conflict(reading: Reading, title: str, other: str, where: Text) -> None:
    row = next(
        (
            i
            for i, line in enumerate(reading.sheet.head(reading.header.first_row))
            if any(_UNIT_LINE.search(normal(one)) for one in line)
        ),
        0,
    )
    reading.add(
        "E-LEDGER-UNIT-CONFLICT",
        "reject",
        Text(
            f"单位行写“{title}”，{where.zh}写“{other}”",
            f"the unit line says {title}, {where.en} says {other}",
        ),
        row,
        0,
        mend=Text("核对后只写一个单位", "check, and state one unit"),
        value=title,
    )
