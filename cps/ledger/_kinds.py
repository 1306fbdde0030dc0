"""The kinds of layout: wide, long, report, accounts, transposed, vouchers."""

from __future__ import annotations

import datetime
import re
from dataclasses import replace
from decimal import Decimal

from cps.errors import Text
from cps.ledger._accounts import account_item
from cps.ledger._layout import (
    CUMULATIVE,
    item_of_sheet,
    month_of_header,
    period_of_title,
    sheet_month,
)
from cps.ledger._reading import Reading, Row, regime
from cps.ledger._sheet import check_totals, settle_unit
from cps.ledger.cells import Cell, header_name, normal, read_month

_QUARTERS = {"一": 1, "二": 2, "三": 3, "四": 4}


def read_wide(reading: Reading) -> None:
    """Read a column a month; the closing column is checked, not kept."""
    layout, header = reading.layout, reading.header
    if layout.item_from:
        item = item_of_sheet(reading.sheet, header, layout) or layout.item
        reading.layout = layout = replace(layout, item=item)
        settle_unit(reading)
    months = {i: month for i, one in enumerate(header.names) if (month := month_of_header(one))}
    closing = layout.closing
    at = header.column((closing[0],)) if closing else None
    for row in reading.units():
        values = [
            reading.value(row, i, item=layout.item, period=month) for i, month in months.items()
        ]
        if closing and at is not None:
            end = reading.number_at(row, at, layout.item, silent=True)
            known = [one for one in values if one is not None]
            whole = sum(known, Decimal(0)) if closing[1] == "sum" else values[-1]
            reading.compare(row, at, end.value, whole if known else None, header=closing[0])
    places = dict.fromkeys(months, layout.item)
    check_totals(reading, places)
    _check_zero_formulas(reading, list(months))


def read_long(reading: Reading) -> None:
    """Read a row a unit and period, or a sheet a period."""
    layout, header = reading.layout, reading.header
    places = {i: layout.values[n] for i, n in enumerate(header.names) if n in layout.values}
    total = layout.total
    at = header.column((total[0],)) if total else None
    fixed = _period_of_sheet(reading) if layout.period_from else None
    if layout.period_from and fixed is None:
        return
    for row in reading.units():
        period = fixed or _period(reading, row)
        if period is None and layout.frequency is not None:
            continue
        values = [reading.value(row, i, item=item, period=period) for i, item in places.items()]
        if total and at is not None:
            stated = reading.value(row, at, item=total[1], period=period)
            known = [one for one in values if one is not None]
            reading.compare(
                row, at, stated, sum(known, Decimal(0)) if known else None, header=total[0]
            )
    check_totals(reading, {**places, **({at: total[1]} if total and at is not None else {})})
    _check_zero_formulas(reading, list(places))


def _period_of_sheet(reading: Reading) -> datetime.date | None:
    """Give the month that title and sheet name agree on."""
    title, name = period_of_title(reading.header), sheet_month(reading.sheet)
    if CUMULATIVE.search(normal(reading.header.title)):
        reading.add(
            "E-LEDGER-PERIOD",
            "reject",
            Text(
                "标题写的是累计数或几个月的数，不是一个月",
                "the title speaks of a running total, or of several months",
            ),
            0,
            0,
            mend=Text("改报当月数", "report the month's own figures"),
            value=reading.header.title[:60],
        )
        return None
    if title and name and title != name:
        reading.add(
            "E-LEDGER-PERIOD-CONFLICT",
            "reject",
            Text(
                f"工作表名为 {name:%Y-%m}，标题为 {title:%Y-%m}",
                f"the sheet is named {name:%Y-%m}, its title says {title:%Y-%m}",
            ),
            0,
            0,
            mend=Text("核对后改正其中一处", "check, and correct one of them"),
            value=reading.header.title[:60],
        )
        return None
    return title or name


def _check_zero_formulas(reading: Reading, places: list[int]) -> None:
    """Warn where a whole column of formulas has the result 0: some exporters never compute."""
    sheet = reading.sheet
    rows = sorted({row for row, mark in sheet.marks.items() if mark == "formula"})
    by_column: dict[int, list[int]] = {}
    for r, c in rows:
        by_column.setdefault(c, []).append(r)
    for at, found in by_column.items():
        texts = [sheet.grid[r][at] for r in found if at < len(sheet.grid[r])]
        if at in places and len(texts) > 1 and all(one == "0" for one in texts):
            reading.add(
                "W-LEDGER-ZERO-FORMULAS",
                "warn",
                Text(
                    "整列公式的结果都是 0，可能从未计算", "every formula gives 0: never computed?"
                ),
                found[0],
                at,
                mend=Text("用 Excel 或 WPS 打开并保存一次", "open it and save it once"),
            )


def read_accounts(reading: Reading) -> None:
    """Read balances by account; codes are told apart by the system in force and the name."""
    layout, header = reading.layout, reading.header
    amount = header.column((layout.amount or "",))
    cumulative = header.column((layout.cumulative or "",))
    name_at = header.column(layout.columns["account"])
    code_at = header.column(layout.columns.get("code", ()))
    so_far: dict[tuple[str, str, int], tuple[int, Decimal]] = {}
    if amount is None or name_at is None:
        raise ValueError(layout.id)
    for row in reading.units():
        period = _period(reading, row)
        if period is None:
            continue
        name = header_name(row.cells[name_at])
        code = header_name(row.cells[code_at]) if code_at is not None else ""
        item = account(reading, row.at, name_at, name=name, code=code, period=period)
        if item is None:
            continue
        value = reading.value(row, amount, item=item, period=period, name=name)
        key = (row.unit, name, period.year)
        months, before = so_far.get(key, (0, Decimal(0)))
        so_far[key] = (months + 1, before + (value or Decimal(0)))
        if cumulative is not None and months + 1 == period.month:
            stated = reading.number_at(row, cumulative, item, silent=True)
            reading.compare(
                row, cumulative, stated.value, so_far[key][1], header=layout.cumulative or ""
            )


def account(
    reading: Reading, r: int, at: int, *, name: str, code: str, period: datetime.date
) -> str | None:
    """Give the item of an account under the system in force, or None if it is no income."""
    item, doubt = account_item(reading.layout, name, code, regime(period))
    if doubt:
        reading.add(doubt.code, doubt.severity, doubt.what, r, at, mend=doubt.mend)
    return item


def read_vouchers(reading: Reading) -> None:
    """Read entries of vouchers: a month's income is what was credited less what was taken back.

    The unit stands in the title (核算单位：…). Closing entries are left out.
    """
    layout, header = reading.layout, reading.header
    unit = _unit_of_title(reading)
    credit = header.column((layout.amount or "",))
    debit = header.column((layout.debit or "",))
    date_at, name_at = (
        header.column(layout.columns["month"]),
        header.column(layout.columns["account"]),
    )
    code_at = header.column(layout.columns.get("code", ()))
    remark_at = header.column(layout.columns.get("remark", ()))
    if unit is None or credit is None or debit is None or date_at is None or name_at is None:
        return
    sums: dict[tuple[str, str, datetime.date], tuple[Row, Decimal]] = {}
    for r, cells in _plain_rows(reading, name_at):
        row = Row(r, cells, unit)
        if remark_at is not None and any(one in cells[remark_at] for one in layout.excludes):
            reading.skipped.append((r, "closing entry"))
            continue
        read = read_month(cells[date_at])
        if read.date is None:
            problem = read.problem or Text("没有日期", "no date")
            reading.add("E-LEDGER-PERIOD", "reject", problem, r, date_at, value=cells[date_at])
            continue
        name = header_name(cells[name_at]).partition("/")[0].partition("-")[0]
        code = header_name(cells[code_at]) if code_at is not None else ""
        item = account(reading, r, name_at, name=name, code=code, period=read.date)
        if item is None:
            continue
        plus, minus = (_amount(reading, row, at, item) for at in (credit, debit))
        if plus is None or minus is None:
            continue
        key = (item, name, read.date)
        first, before = sums.get(key, (row, Decimal(0)))
        sums[key] = (first, before + plus - minus)
    for (item, name, month), (row, value) in sums.items():
        reading.entry(row, credit, item=item, period=month, cell=Cell(value), name=name)


def _amount(reading: Reading, row: Row, at: int, item: str) -> Decimal | None:
    """Give one side of an entry; the side that is blank is none of it."""
    if not row.cells[at].strip():
        return Decimal(0)
    cell = reading.number_at(row, at, item)
    return None if cell.problem is not None else cell.value or Decimal(0)


def _unit_of_title(reading: Reading) -> str | None:
    match = re.search(
        r"(?:核算单位|填报单位|填报村|单位名称|编制单位|村名)[:：]\s*([^\s:：,，、]+)",
        normal(reading.header.title),
    )
    if match is None:
        reading.add(
            "E-LEDGER-NO-UNIT",
            "reject",
            Text("表头以上没有写明是哪个村（核算单位：…）", "the title does not name the village"),
            0,
            0,
            mend=Text("在标题下写明“核算单位：某村”", "write 核算单位：<village> under the title"),
        )
        return None
    return reading.name(0, 0, match[1])


def _plain_rows(reading: Reading, key: int) -> list[tuple[int, list[str]]]:
    width = len(reading.header.names)
    found = []
    for r in range(reading.header.end, reading.sheet.n_rows):
        cells = reading.sheet.grid[r] + [""] * (width - len(reading.sheet.grid[r]))
        labels = {header_name(one) for one in cells}
        if not cells[key].strip() or labels & reading.layout.skip:
            if any(one.strip() for one in cells):
                reading.skipped.append((r, "total or note"))
            continue
        if header_name(cells[key]) in reading.layout.columns["account"]:
            reading.skipped.append((r, "header again"))
            continue
        found.append((r, cells))
    return found


def read_transposed(reading: Reading) -> None:
    """Read a form of one village and year: a row an item, its unit beside it, blocks abreast."""
    layout, header = reading.layout, reading.header
    unit = _unit_of_title(reading)
    year = re.search(r"((?:19|20)[0-9]{2})\s*年", normal(header.title))
    if unit is None or year is None:
        if year is None:
            reading.add(
                "E-LEDGER-PERIOD",
                "reject",
                Text("表头以上没有写明年份", "the title does not state the year"),
                0,
                0,
                mend=Text("在标题中写明年份", "state the year in the title"),
            )
        return
    period = datetime.date(int(year[1]), 1, 1)
    names, units, values = (
        [i for i, one in enumerate(header.names) if one in layout.columns[role]]
        for role in ("item", "measure_unit", "value")
    )
    for r in range(header.end, reading.sheet.n_rows):
        cells = reading.sheet.grid[r] + [""] * (len(header.names) - len(reading.sheet.grid[r]))
        for name_at, unit_at, at in zip(names, units, values, strict=False):
            raw = re.sub(
                r"^[(（]?[一二三四五六七八九十0-9]+[)）]?[、.．]?|^其中[:：]",
                "",
                normal(cells[name_at]),
            )
            name = header_name(raw)
            if not name:
                continue
            item = layout.items.get(name)
            if item is None:
                reading.add(
                    "W-LEDGER-ITEM",
                    "warn",
                    Text(f"不认识指标“{name[:30]}”，未读取", f"unknown item {name[:30]}: not read"),
                    r,
                    name_at,
                    mend=Text("如需读取，请登记到版式文件", "add it to the layout if it matters"),
                )
                continue
            reading.value(
                Row(r, cells, unit),
                at,
                item=item,
                period=period,
                name=name,
                unit_text=cells[unit_at],
            )


def _period(reading: Reading, row: Row) -> datetime.date | None:
    layout = reading.layout
    if layout.frequency is None:
        return None
    role = "month" if layout.frequency == "month" else "year"
    at = reading.header.column(layout.columns[role])
    if at is None:
        raise ValueError(layout.id)
    problem = None
    if role == "month":
        read = read_month(row.cells[at])
        date, problem = read.date, read.problem
    else:
        text = header_name(row.cells[at])
        date = _year_and_quarter(reading, text.removesuffix("年").removesuffix(".0"), row)
    if date is None:
        reading.add(
            "E-LEDGER-PERIOD",
            "reject",
            problem or Text(f"“{row.cells[at]}”不是有效的时期", f"{row.cells[at]!r} is no period"),
            row.at,
            at,
            said=row.unit,
            mend=Text("按 2023 或 202301 填写", "write 2023, or 202301"),
            value=row.cells[at],
        )
    return date


def _year_and_quarter(reading: Reading, year: str, row: Row) -> datetime.date | None:
    if not re.fullmatch(r"(19|20)[0-9][0-9]", year):
        return None
    if reading.layout.frequency != "quarter":
        return datetime.date(int(year), 1, 1)
    at = reading.header.column(reading.layout.columns["quarter"])
    text = header_name(row.cells[at]).removesuffix(".0") if at is not None else ""
    match = re.fullmatch(r"(?:第)?(?:Q)?([1-4一二三四])(?:季度|季)?", text, re.IGNORECASE)
    if not match:
        return None
    quarter = _QUARTERS.get(match[1]) or int(match[1])
    return datetime.date(int(year), 3 * quarter - 2, 1)
