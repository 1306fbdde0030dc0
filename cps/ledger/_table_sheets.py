"""Find the header of a table in a sheet, and the rows below it that hold cases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cps.errors import Text
from cps.ledger._layout import Header, header_at
from cps.ledger._log import Log, Source, personal
from cps.ledger.cells import header_name, normal
from cps.ledger.tables import TableLayout
from cps.ledger.workbook import Sheet

_SEARCHED = 12
_BRACKET = re.compile(r"\([^()]*\)$")
_NOTE = re.compile(r"(?:注|备注|说明|附注|填表说明|数据来源|资料来源)\s*[:：]")
_TOTAL = frozenset({"合计", "小计", "总计", "共计"})


@dataclass(frozen=True, slots=True)
class Fit:
    """A layout that a sheet fits: where its header stands, and each column's place in it."""

    layout: TableLayout
    header: Header
    places: dict[str, int]  # column id -> place, of those that are there


def fitting(sheet: Sheet, layouts: Sequence[TableLayout]) -> list[Fit]:
    """Give the layouts whose required columns all stand in one row; the fullest fits only."""
    found = []
    for layout in layouts:
        for row in range(min(_SEARCHED, sheet.n_rows)):
            header = header_at(sheet, row, 1)
            places = _places(header, layout)
            needed = {one.id for one in layout.columns if not one.is_optional}
            if needed <= places.keys():
                found.append(Fit(layout, header, places))
                break
    most = max((len(one.places) for one in found), default=0)
    return [one for one in found if len(one.places) == most]


def nearest_layout(
    sheet: Sheet, layouts: Sequence[TableLayout]
) -> tuple[TableLayout, tuple[str, ...]]:
    """Give the layout of which the fewest columns are missing, and the heads of those."""
    best: tuple[int, TableLayout, tuple[str, ...]] | None = None
    for layout in layouts:
        for row in range(min(_SEARCHED, sheet.n_rows)):
            places = _places(header_at(sheet, row, 1), layout)
            missing = tuple(
                one.heads[0]
                for one in layout.columns
                if one.id not in places and not one.is_optional
            )
            score = len(places) - len(missing)
            if best is None or score > best[0]:
                best = (score, layout, missing)
    if best is None:
        raise ValueError("no layouts")
    return best[1], best[2]


def _places(header: Header, layout: TableLayout) -> dict[str, int]:
    by_name: dict[str, int] = {}
    for place, name in enumerate(header.names):
        by_name.setdefault(name, place)
        by_name.setdefault(_BRACKET.sub("", name), place)
    found = {}
    for column in layout.columns:
        for head in column.heads:
            folded = header_name(head)
            at = by_name.get(folded, by_name.get(_BRACKET.sub("", folded)))
            if at is not None:
                found[column.id] = at
                break
    return found


def passed_over(
    sheet: Sheet, fit: Fit, source: Source, log: Log
) -> tuple[list[list[str]], list[int]]:
    """Give the rows that hold cases and their places; say which rows and columns were not read."""
    start = fit.header.first_row + 1
    head = tuple(header_name(one) for one in sheet.grid[fit.header.first_row])
    rows, lines, skipped = [], [], []
    first_text = next((fit.places[one.id] for one in fit.layout.columns if one.id in fit.places), 0)
    for place, row in enumerate(sheet.grid[start:], start=start):
        said = [one for one in row if one.strip()]
        if not said:
            continue
        label = normal(row[first_text]) if first_text < len(row) else ""
        is_note = _NOTE.match(normal(said[0])) and len(said) == 1
        is_total = "".join(label.split()) in _TOTAL or "".join(normal(said[0]).split()) in _TOTAL
        is_head = tuple(header_name(one) for one in row) == head
        if is_note or is_total or is_head:
            skipped.append(place)
        else:
            rows.append(row)
            lines.append(place)
    if skipped:
        log.add(
            "N-LEDGER-ROWS-PASSED",
            "note",
            Text(
                "附注、合计和重复的表头未作为数据读取",
                "notes, totals and repeated headers are no data",
            ),
            source=source,
            at=(skipped[0], 0),
            count=len(skipped),
        )
    _say_columns(sheet, fit, rows, source, log)
    return rows, lines


def _say_columns(sheet: Sheet, fit: Fit, rows: list[list[str]], source: Source, log: Log) -> None:
    used = set(fit.places.values())
    for place, name in enumerate(fit.header.names):
        if place in used or not name or name in ("序号", "编号", "备注"):
            continue
        holds = any(personal(row[place]) for row in rows[:200] if place < len(row))
        log.add(
            "N-LEDGER-COLUMN" if not holds else "W-LEDGER-PERSONAL",
            "warn" if holds else "note",
            Text(f"“{name[:40]}”列不在台账格式中，未读取", f"column {name[:40]}: not read")
            if not holds
            else Text(
                f"“{name[:40]}”列含个人信息，未读取",
                f"column {name[:40]} holds personal data: not read",
            ),
            source=source,
            at=(fit.header.first_row, place),
            mend=Text("报送时删去个人信息", "leave personal data out of deliveries")
            if holds
            else Text("如需读取，请写入举措文件", "name it in the scheme's file if it matters"),
        )
