"""Write ledgers as town offices keep them: wide CSV, long workbooks, a registry of projects."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cps.design.record import Initiative
from cps.provenance import atomic_path

MARK = "示例数据（合成）"
FOOTNOTE = "注：本表为合成的示例数据，不代表任何真实村庄。"
Cell = str | int | float | None
_CREATED = datetime.datetime(2025, 1, 1)  # the same bytes whenever it is written
_MONTHS = [f"{m}月" for m in range(1, 13)]

_SHARES = {"direct": 0.5, "contract": 0.35}


def write_wide(
    path: Path,
    *,
    year: int,
    area: str,
    subject: str,
    unit: str,
    rows: Sequence[tuple[str, Sequence[int]]],
    before: Sequence[int] | None,
) -> None:
    """Write layout L1: a row a village, a column a month, GB18030.

    Money (``unit`` 万元) goes with four decimals, so that every 元 is kept; persons as they are.
    The closing column is the year's sum for money, the year-end figure for persons.

    Parameters
    ----------
    rows : sequence of (village, 12 whole numbers in 元 or persons)
    before : sequence of int or None
        The closing figure of the year before, for 上年同期.
    """
    is_money = unit == "万元"
    header = ["序号", "镇街", "行政村", "村代码", *[f"{year}年{m}" for m in _MONTHS]]
    header += ["合计" if is_money else "年末数", "上年同期", "同比（%）", "备注"]
    width = len(header)

    def shown(value: int) -> str:
        return f"{value / 10_000:.4f}" if is_money else str(value)

    def closing(values: Sequence[int]) -> int:
        return sum(values) if is_money else values[-1]

    def line(head: list[str], values: Sequence[int], last: int | None) -> list[str]:
        end = closing(values)
        growth = "" if not last else f"{100 * (end / last - 1):.1f}"
        past = "" if last is None else shown(last)
        return [*head, *map(shown, values), shown(end), past, growth, ""]

    table = [
        _padded([f"{area}{subject}月报表（{year}年）{MARK}"], width),
        _padded([f"单位：{unit}"], width),
        header,
    ]
    half = len(rows) // 2
    for number, (village, values) in enumerate(rows):
        last = None if before is None else before[number]
        table.append(line([str(number + 1), area, village, ""], values, last))
        if number + 1 in (half, len(rows)):
            part = rows[:half] if number + 1 == half else rows[half:]
            sums = [sum(one[1][m] for one in part) for m in range(12)]
            table.append(line(["", area, "小计", ""], sums, None))
    sums = [sum(one[1][m] for one in rows) for m in range(12)]
    table.append(line(["", area, "合计", ""], sums, None))
    table.append(_padded([FOOTNOTE], width))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(table)
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.getvalue().encode("gb18030"))


def write_quarterly(
    path: Path, *, area: str, years: Sequence[int], rows: dict[str, Sequence[int]]
) -> None:
    """Write layout L2: a row a village and quarter, 元, operating income in its three parts.

    Parameters
    ----------
    rows : dict of village to 元 by quarter, all years on end
    """
    table: list[list[Cell]] = [
        [f"{area}村级集体收入季报 {MARK}"],
        ["单位：元"],
        ["年度", "季度", "县区", "乡镇", "村", "直接经营性收入", "上缴及发包收入", "投资收益"],
    ]
    table[2] += ["其他收入", "总计"]
    for place, year in enumerate(years):
        for quarter in range(4):
            for number, (village, values) in enumerate(rows.items()):
                parts = split(values[4 * place + quarter])
                other = 1_000 + 37 * number + 11 * quarter
                total = sum(parts) + other
                table.append([year, quarter + 1, "示例市", area, village, *parts, other, total])
    _write_sheets(path, {"季报": table}, widths=12)


def write_accounts(
    path: Path, *, area: str, years: Sequence[int], rows: dict[str, Sequence[int]]
) -> None:
    """Write layout L2 by account: a row an organisation, month and account, 元.

    From 2024 the codes are those of the new accounting system: 502 was operating cost and is
    investment income, 511 was contract income and is operating cost.
    """
    head: list[Cell] = ["会计期间", "乡镇", "组织名称", "统一社会信用代码", "科目代码", "科目名称"]
    head += ["本期发生额", "本年累计"]
    sheets: dict[str, list[list[Cell]]] = {}
    for place, year in enumerate(years):
        table: list[list[Cell]] = [[f"{area}科目余额表（{year}年）{MARK}"], ["单位：元"], head]
        for village, values in rows.items():
            so_far: dict[str, int] = {}
            for month in range(12):
                amounts = _accounts(year, values[12 * place + month])
                for code, name, amount in amounts:
                    so_far[name] = so_far.get(name, 0) + amount
                    owner = f"{village}股份经济合作社"
                    period = f"{year}{month + 1:02d}"
                    table.append([period, area, owner, "", code, name, amount, so_far[name]])
        sheets[f"{year}年"] = table
    _write_sheets(path, sheets, widths=14)


def write_jobs(
    path: Path, *, area: str, years: Sequence[int], rows: dict[str, Sequence[int]]
) -> None:
    """Write jobs near home at each year's end: a row a village and year, persons."""
    table: list[list[Cell]] = [
        [f"{area}家门口就业人数 {MARK}"],
        ["单位：人"],
        ["年度", "县区", "乡镇", "村", "年末就业人数"],
    ]
    for place, year in enumerate(years):
        table += [
            [year, "示例市", area, village, values[place]] for village, values in rows.items()
        ]
    _write_sheets(path, {"就业": table}, widths=12)


def write_registry(path: Path, *, area: str, initiatives: Sequence[Initiative]) -> None:
    """Write layout L3: the registry of projects under three merged header rows, 万元."""
    import xlsxwriter

    with atomic_path(path) as temporary:
        book = xlsxwriter.Workbook(str(temporary))
        book.set_properties({"created": _CREATED, "title": MARK})
        sheet = book.add_worksheet("项目库")
        bold = book.add_format({"bold": True, "align": "center", "border": 1, "text_wrap": True})
        sheet.merge_range(0, 0, 0, 14, f"{area}共同富裕项目库 {MARK}", bold)
        sheet.merge_range(1, 0, 1, 14, "单位：万元", bold)
        singles = {0: "序号", 1: "村名", 2: "项目名称", 3: "总投资", 9: "项目建成后预计年效益"}
        singles |= {10: "为村集体增加经营性收入额", 11: "上年村集体经营性收入", 12: "达到目标时间"}
        singles |= {13: "资金拨付进度(%)", 14: "项目实施进度(%)"}
        for column, text in singles.items():
            sheet.merge_range(2, column, 4, column, text, bold)
        sheet.merge_range(2, 4, 2, 8, "其中", bold)
        sheet.merge_range(3, 4, 3, 7, "财政补助", bold)
        for column, text in enumerate(("省级", "市级", "县级", "乡镇"), start=4):
            sheet.write(4, column, text, bold)
        sheet.merge_range(3, 8, 4, 8, "其他投入", bold)
        for number, row in enumerate(_registry_rows(initiatives)):
            for column, value in enumerate([number + 1, *row]):
                sheet.write(5 + number, column, value)
        sheet.set_column(0, 14, 13)
        book.close()


def split(total: int) -> tuple[int, int, int]:
    """Split operating income into direct, contract and investment income that sum to it."""
    direct, contract = (int(total * share) for share in _SHARES.values())
    return direct, contract, total - direct - contract


def _accounts(year: int, total: int) -> list[tuple[str, str, int]]:
    direct, contract, investment = split(total)
    if year < 2024:
        return [
            ("501", "经营收入", direct),
            ("502", "经营支出", direct // 3),
            ("511", "发包及上交收入", contract),
            ("522", "补助收入", 20_000),
            ("531", "其他收入", 1_500),
            ("561", "投资收益", investment),
        ]
    return [
        ("501", "经营收入", direct + contract),
        ("502", "投资收益", investment),
        ("503", "补助收入", 20_000),
        ("504", "其他收入", 1_500),
        ("511", "经营支出", direct // 3),
    ]


def _registry_rows(initiatives: Sequence[Initiative]) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for one in initiatives:
        for host in one.treated:
            wan = {source: yuan / 10_000 for source, yuan in host.cost_yuan.items()}
            public = [wan.get(source, 0) for source in ("province", "city", "county", "town")]
            total = sum(wan.values())
            rows.append(
                [
                    host.unit,
                    one.name.zh,
                    total,
                    *public,
                    total - sum(public),
                    round(total * 0.12, 2),
                    round(total * 0.08, 2),
                    "—",
                    f"{host.start.year + 2}年12月",
                    100,
                    100,
                ]
            )
    return rows


def _write_sheets(path: Path, sheets: dict[str, list[list[Cell]]], *, widths: int) -> None:
    import xlsxwriter

    with atomic_path(path) as temporary:
        book = xlsxwriter.Workbook(str(temporary), {"strings_to_formulas": False})
        book.set_properties({"created": _CREATED, "title": MARK})
        for name, table in sheets.items():
            sheet = book.add_worksheet(name)
            sheet.set_column(0, 12, widths)
            for number, row in enumerate(table):
                sheet.write_row(number, 0, row)
        book.close()


def _padded(cells: list[Any], width: int) -> list[Any]:
    return cells + [""] * (width - len(cells))
