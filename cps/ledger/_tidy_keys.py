"""The keys of a tidy table: villages, months and items, each distinct text read once."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from cps.errors import Severity, Text
from cps.ledger._figures import CORRECT
from cps.ledger._log import KEPT, without_personal
from cps.ledger._reading import Reading
from cps.ledger.cells import header_name, normal, read_month
from cps.ledger.names import ALLOWED, nearest_name, read_private_name, tidied

TOTAL = "\0total"


@dataclass(slots=True)
class Table:
    """The roles of a sheet's columns and its rows of data."""

    reading: Reading
    frame: pl.DataFrame  # row, and c<n> as text
    roles: dict[str, int]
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def text(self, role: str) -> pl.Series:
        return self.frame[f"c{self.roles[role]}"]

    def cells(self, row: int) -> list[str]:
        """Give one row as a person sees it."""
        found = self.frame.row(int(self.frame["row"].search_sorted(row)))
        return ["" if one is None else str(one) for one in found[1:]]

    def said(self, row: int) -> str:
        cells = self.cells(row)
        return ", ".join(
            visible for role in ("unit", "month", "item") if (visible := cells[self.roles[role]])
        )

    def _count(self, role: str, text: str) -> int:
        if role not in self.counts:
            found = self.text(role).value_counts()
            self.counts[role] = dict(found.iter_rows())
        return self.counts[role].get(text, 0)

    def report(
        self,
        code: str,
        severity: Severity,
        what: Text,
        mask: pl.Series | str,
        role: str,
        *,
        mend: Text = CORRECT,
    ) -> None:
        """Say one finding at every row of ``mask``, the first hundred with their places.

        A text in place of a mask stands for the rows that have it under ``role``.
        """
        log, at = self.reading.log, self.roles[role]
        if isinstance(mask, str):
            if log.totals[code] > 4 * KEPT:  # no need to look where the rest stand
                log.totals[code] += self._count(role, mask)
                return
            mask = self.text(role) == mask
        rows = self.frame["row"].filter(mask)
        for row in rows.head(KEPT).to_list():
            log.add(
                code,
                severity,
                what,
                source=self.reading.source,
                at=(row, at),
                said=self.said(row),
                mend=mend,
                value=self.cells(row)[at],
            )
        log.totals[code] += max(len(rows) - KEPT, 0)


def mapped(texts: pl.Series, found: dict[str, Any], dtype: Any) -> pl.Series:
    return texts.replace_strict(list(found), list(found.values()), default=None, return_dtype=dtype)


def distinct(texts: pl.Series) -> list[str]:
    return [one for one in texts.unique(maintain_order=True).to_list() if one is not None]


def names_of(table: Table) -> pl.Series:
    texts = table.text("unit")
    found: dict[str, str | None] = {}
    skip = table.reading.layout.skip
    for text in distinct(texts):
        if header_name(text) in skip:
            found[text] = TOTAL
            continue
        read, was_personal = read_private_name(text)
        found[text] = read.name or None
        if read.problem is not None and not text.strip():
            what = Text("该行有数据但没有村名（village）", "a row with values and no village")
            mend = Text("补上村名，或删除该行", "name the village, or delete the row")
            table.report("E-LEDGER-NO-UNIT", "reject", what, text, "unit", mend=mend)
        elif read.problem is not None:
            mask = text
            table.report("E-LEDGER-NAME", "reject", read.problem, mask, "unit", mend=ALLOWED)
        elif was_personal:
            what = Text("村名中有电话或身份证号，已隐去", "the name holds personal data: removed")
            table.report("N-LEDGER-PERSONAL", "note", what, text, "unit")
        elif read.was_tidied:
            what = tidied(read.name)
            table.report("W-LEDGER-NAME-TIDIED", "warn", what, text, "unit")
    return mapped(texts, found, pl.String)


def areas_of(table: Table) -> pl.Series:
    if "area" not in table.roles:
        return pl.Series([None], dtype=pl.String).extend_constant(None, table.frame.height - 1)
    texts = table.text("area")
    return mapped(
        texts, {one: normal(without_personal(one)) or None for one in distinct(texts)}, pl.String
    )


def months_of(table: Table) -> pl.Series:
    texts = table.text("month")
    found: dict[str, datetime.date | None] = {}
    for text in distinct(texts):
        read = read_month(text)
        found[text] = read.date
        if read.problem is not None:
            mend = Text("用 2023-05 的写法", "write months as 2023-05")
            mask = text
            table.report("E-LEDGER-PERIOD", "reject", read.problem, mask, "month", mend=mend)
        elif read.is_serial:
            what = Text(
                f"“{text}”是 Excel 的日期序号，读作 {read.date:%Y-%m}",
                f"{text!r} is a spreadsheet's serial date: read as {read.date:%Y-%m}",
            )
            mend = Text("用 2023-05 的写法", "write months as 2023-05")
            table.report("W-LEDGER-DATE-SERIAL", "warn", what, text, "month", mend=mend)
    return mapped(texts, found, pl.Date)


def items_of(table: Table) -> pl.Series:
    texts, items = table.text("item"), table.reading.layout.items
    found: dict[str, str | None] = {}
    for text in distinct(texts):
        name = header_name(text)
        found[text] = items.get(name)
        if name in items:
            continue
        near = nearest_name(name, items)
        hint = Text(f"是否为“{near}”？", f"is it {near}? ") if near else Text("", "")
        table.report(
            "E-LEDGER-ITEM" if near or not name else "W-LEDGER-ITEM",
            "reject" if near or not name else "warn",
            Text(f"不认识项目“{name[:30]}”，未读取", f"unknown item {name[:30]}: not read"),
            text,
            "item",
            mend=Text(
                f"{hint.zh}改正，或登记到版式文件", f"{hint.en}correct it, or add it to the layout"
            ),
        )
    return mapped(texts, found, pl.String)
