"""One column of a table, from text to typed values; every cell that can't be read is said."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from cps.errors import Text
from cps.ledger._log import Log, Source, personal
from cps.ledger._table_sheets import Fit
from cps.ledger.cells import (
    BEYOND,
    header_name,
    in_base_unit,
    money_unit,
    normal,
    parse_number,
    read_month,
)
from cps.ledger.tables import Column

# As ``normal`` leaves them: it writes … as three points.
_EMPTY = frozenset(
    {
        *("", "-", "--", "—", "——", "/", "...", "......", "*", "不适用"),
        *("无", "缺", "未知", "不详", "未报", "暂无", "n/a", "na", "null", "none"),
    }
)
_TRUE = frozenset({"是", "有", "√", "✔", "✓", "y", "yes", "true", "1", "已", "对"})
_FALSE = frozenset({"否", "无", "×", "✘", "x", "n", "no", "false", "0", "未", "错"})
_DAY = re.compile(r"([0-9]{4})[年./\-]([0-9]{1,2})[月./\-]([0-9]{1,2})日?$")
_DAY_PLAIN = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})$")
_MOMENT = re.compile(
    r"([0-9]{4})[年./\-]([0-9]{1,2})[月./\-]([0-9]{1,2})日?[ T]*"
    r"([0-9]{1,2})[:时]([0-9]{1,2})(?:[:分]([0-9]{1,2})(?:\.[0-9]+)?秒?|分)?$"
)
_SERIAL = re.compile(r"[0-9]{5}(?:\.[0-9]+)?$")
_SERIALS = (36_526, 54_788)  # 2000-01-01 to 2049-12-31
_ZERO_DAY = datetime.datetime(1899, 12, 30)
_UNIT_LINE = re.compile(r"单位[:：]?\s*(?:人民币)?(亿元|百万元|万元|千元|百元|元)")
_YEARS = (1949, 2100)
_BRACKET = re.compile(r"\(([^()]*)\)$")
_UNIT_SAID = re.compile(r"^单位[:：]?")
_EACH = re.compile(r"[/／每]")  # 万元/年 is money in 万元
_CURRENCY = re.compile(r"(?:元|币|镑|美金|卢布|usd|hkd|eur|gbp|jpy|\$|€|£)$")
_UNIT_MEND = Text(
    "换算成应有的单位，并改写表头", "convert the column, and write the unit in its head"
)

Read = tuple[Any, Text | None]


class Reader:
    """Reads the columns of one sheet."""

    def __init__(self, fit: Fit, source: Source, log: Log) -> None:
        self._fit, self._source, self._log = fit, source, log
        stated = _UNIT_LINE.search(normal(fit.header.title))
        self._money = stated[1] if stated else None

    def column(self, column: Column, rows: list[list[str]], lines: list[int]) -> list[Any]:
        """Give a column's values, one a row; null where a cell is empty or can't be read."""
        place = self._fit.places.get(column.id)
        if place is None:
            return [None] * len(rows)
        money = self._unit(column, place)
        if money is None:
            return [None] * len(rows)
        known: dict[str, Read] = {}
        values = []
        for row, line in zip(rows, lines, strict=True):
            text = row[place] if place < len(row) else ""
            found = known.get(text)
            if found is None:
                found = known[text] = _read(text, column, money)
            value, problem = found
            if problem is not None:
                self._refuse(column, problem, (line, place), text)
            elif value is None and column.is_required_value:
                self._refuse(column, Text("没有填写", "it is empty"), (line, place), text)
            else:
                value = self._within(column, value, (line, place), text)
            values.append(value)
        return values

    def _unit(self, column: Column, place: int) -> str | None:
        """Give the unit of money that a column is in, or None where its head states an unfit one.

        A bracket that names no unit, as （含税）, is a remark.
        """
        header = self._fit.header
        bracket = _BRACKET.search(header.names[place])
        stated = header.units[place] or (bracket[1] if bracket else "")
        plain = _EACH.split(_UNIT_SAID.sub("", stated))[0]
        money = money_unit(plain)
        if column.type == "money":
            problem = None if money else _CURRENCY.search(plain) and _no_money(stated)
        elif column.type == "number":
            heads = [header_name(one) for one in column.heads]
            declared = [one[1] for one in map(_BRACKET.search, heads) if one]
            is_other = bool(stated and declared) and stated not in declared
            problem = _other_unit(stated, declared) if is_other else None
        else:
            problem = None
        if problem:
            at = (header.first_row, place)
            self._refuse(column, problem, at, stated, mend=_UNIT_MEND)
            return None
        return money or self._money or column.unit

    def _within(self, column: Column, value: Any, at: tuple[int, int], text: str) -> Any:
        """Give the value, or null with a finding where it is outside what is possible."""
        if value is None:
            return None
        low, high = column.low, column.high
        if column.type in ("number", "money") and (low is not None or high is not None):
            amount = Decimal(value) / 100 if column.type == "money" else Decimal(repr(value))
            is_out = (low is not None and amount < low) or (high is not None and amount > high)
            if is_out:
                what = Text(
                    f"{amount} 不在 {_shown(low)} 至 {_shown(high)} 之间，留空",
                    f"{amount} is not between {_shown(low)} and {_shown(high)}: left empty",
                )
                self._warn("W-LEDGER-RANGE", column, what, at, text)
                return None
        if column.choices and value not in column.choices:
            what = Text(
                f"“{value}”不是{'、'.join(column.choices)}之一，留空",
                f"{value!r} is none of {', '.join(column.choices)}: left empty",
            )
            self._warn("W-LEDGER-CHOICE", column, what, at, text)
            return None
        if column.type == "text" and personal(value):
            what = Text("含个人信息，已删去", "it holds personal data: left out")
            self._warn("W-LEDGER-PERSONAL", column, what, at, "")
            return None
        return value

    def _refuse(
        self,
        column: Column,
        what: Text,
        at: tuple[int, int],
        text: str,
        *,
        mend: Text | None = None,
    ) -> None:
        self._log.add(
            "E-LEDGER-CELL" if mend is None else "E-LEDGER-UNIT",
            "reject",
            what,
            source=self._source,
            at=at,
            said=column.heads[0],
            mend=mend or Text("更正台账中的这一格", "correct this cell of the ledger"),
            value=text,
        )

    def _warn(self, code: str, column: Column, what: Text, at: tuple[int, int], text: str) -> None:
        self._log.add(
            code,
            "warn",
            what,
            source=self._source,
            at=at,
            said=column.heads[0],
            mend=Text("核对台账", "check the ledger"),
            value=text or None,
        )


def _no_money(stated: str) -> Text:
    return Text(
        f"表头单位“{stated}”不是人民币单位", f"the head's unit {stated!r} is none of Chinese money"
    )


def _other_unit(stated: str, declared: list[str]) -> Text:
    return Text(
        f"表头单位为“{stated}”，格式中为“{'、'.join(declared)}”",
        f"the head states {stated!r}, the layout {', '.join(declared)!r}",
    )


def _shown(bound: Decimal | None) -> str:
    return "…" if bound is None else str(bound)


def _read(text: str, column: Column, money: str) -> Read:
    if column.type == "text":
        plain = normal(text)
        return (None if plain.lower() in _EMPTY else plain), None
    if column.type in ("number", "money"):
        return _number(text, column, money)
    if column.type == "flag":
        return _flag(text)
    if normal(text).lower() in _EMPTY:
        return None, None
    if column.type == "month":
        month = read_month(text)
        return month.date, month.problem
    return read_day(text) if column.type == "date" else read_moment(text)


def _number(text: str, column: Column, money: str) -> Read:
    cell = parse_number(text)
    if column.type == "money":
        cell = in_base_unit(cell, "yuan", money)
        if cell.problem is not None or cell.value is None:
            return None, cell.problem
        return int(cell.value * 100), None
    if cell.problem is not None or cell.value is None:
        return None, cell.problem
    if cell.unit is not None and cell.unit != "%":
        times = {"万": 10_000, "千": 1_000}.get(cell.unit)
        if times is None:
            return None, Text(
                f"“{normal(text)}”带有单位，该列只填数字", f"{text.strip()!r} carries a unit"
            )
        return float(cell.value * times), None
    if abs(cell.value) >= BEYOND:
        return None, Text(f"{cell.value} 大得不可能", f"{cell.value} is beyond any ledger")
    return float(cell.value), None


def _flag(text: str) -> Read:
    plain = header_name(text)
    if plain in _TRUE:
        return True, None
    if plain in _FALSE:
        return False, None
    if plain in _EMPTY:
        return None, None
    return None, Text(f"“{normal(text)}”不是“是”或“否”", f"{text.strip()!r} is neither yes nor no")


@lru_cache(maxsize=65_536)
def read_day(text: str) -> Read:
    """Read a day in any form that has one meaning, or say why it has none.

    Examples
    --------
    >>> read_day("２０２３年5月６日")[0], read_day("45052")[0]
    (datetime.date(2023, 5, 6), datetime.date(2023, 5, 6))
    """
    moment, problem = read_moment(text)
    if moment is not None:
        return moment.date(), None
    return None, problem


@lru_cache(maxsize=65_536)
def read_moment(text: str) -> Read:
    """Read a day with or without a time; without one it is midnight.

    Examples
    --------
    >>> read_moment("2023-05-06 9:13")[0]
    datetime.datetime(2023, 5, 6, 9, 13)
    """
    plain = normal(text).removeprefix("'")
    match = _MOMENT.match(plain) or _DAY.match(plain.replace(" ", "")) or _DAY_PLAIN.match(plain)
    try:
        if match:
            parts = [int(one) for one in match.groups() if one is not None]
            moment = datetime.datetime(*parts)  # type: ignore[arg-type]
        elif _SERIAL.match(plain) and _SERIALS[0] <= float(plain) < _SERIALS[1]:
            seconds = round(float(plain) * 86_400)
            moment = _ZERO_DAY + datetime.timedelta(seconds=seconds)
        else:
            return None, Text(f"“{plain}”不是日期", f"{plain!r} is no date")
    except ValueError:
        return None, Text(f"没有“{plain}”这一天或时刻", f"{plain!r}: no such day or time")
    if not _YEARS[0] <= moment.year <= _YEARS[1]:
        return None, Text(f"“{plain}”的年份不对", f"{plain!r}: odd year")
    return moment, None
