"""A first draft of a layout for a workbook that none knows, and what could not be guessed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cps.errors import LedgerError, Text
from cps.ledger._layout import Header, Layout, find_header, header_at, load_layouts, month_of_header
from cps.ledger._log import visible, without_personal
from cps.ledger.cells import header_name, parse_number, read_month
from cps.ledger.rows import ITEM_NAMES
from cps.ledger.workbook import Opener, Sheet

_SEARCHED = 20
_MORE = {
    "unit": ("单位名称", "组织名称", "村社名称", "村级组织", "行政村名称", "填报单位"),
    "month": ("会计期间", "报表月份", "统计时间", "日期"),
    "year": ("年", "会计年度"),
    "area": ("所属镇街", "所属乡镇"),
}


_NEVER_ITEMS = ("序号", "编号", "联系电话", "电话", "手机", "手机号", "身份证号")
# roles of columns, items of columns, columns known not to matter, columns of unknown numbers
_Parts = tuple[dict[str, list[str]], dict[str, str], list[str], list[str]]


@dataclass(frozen=True, slots=True)
class Draft:
    """A layout's TOML, and what its author must still decide."""

    toml: str
    unsure: tuple[Text, ...]


def draft_layout(path: Path) -> Draft:
    """Draft a layout for the first sheet of a file that no layout fits.

    Raises
    ------
    LedgerError
        If the file can't be opened, or every sheet is known already.
    """
    with Opener() as opener:
        opened = opener.open(path)
        if not opened.sheets:
            first = opened.remarks[0]
            raise LedgerError(first.what, where=visible(path.name), mend=first.mend)
        layouts = load_layouts()
        for sheet in opened.sheets:
            is_known = any(find_header(sheet, one) for one in layouts.values())
            if not is_known and any(cell.strip() for row in sheet.head(200) for cell in row):
                return _draft(sheet, layouts)
    raise LedgerError(
        Text("每张工作表都已有相符的版式", "a layout fits every sheet already"),
        where=visible(path.name),
        mend=Text("用 cps check 检查它", "check it with cps check"),
    )


def _draft(sheet: Sheet, layouts: dict[str, Layout]) -> Draft:
    row, n_rows = _header_place(sheet)
    header = header_at(sheet, row, n_rows)
    known = _known_roles(layouts)
    items = _known_items(layouts)
    columns: dict[str, list[str]] = {}
    values: dict[str, str] = {}
    ignored: list[str] = []
    unknown: list[str] = []
    months = [name for name in header.names if month_of_header(name)]
    body = sheet.grid[row + n_rows : row + n_rows + 50]
    for at, name in enumerate(header.names):
        if not name or month_of_header(name):
            continue
        leaf = name.rpartition("/")[2]
        if name in known and known[name] not in columns:
            columns[known[name]] = [name]
        elif name in items or leaf in items:
            values[name] = items.get(name) or items[leaf]
        elif name not in _NEVER_ITEMS and _is_numeric(body, at):
            unknown.append(name)
        else:
            ignored.append(name)
    kind = "wide" if months else "tidy" if {"item", "value"} <= set(columns) else "long"
    parts = (columns, values, ignored, unknown)
    unsure = _unsure(header, kind, parts, n_months=len(months))
    return Draft(_toml(sheet, header, kind, parts), tuple(unsure))


def _header_place(sheet: Sheet) -> tuple[int, int]:
    """Give the row where the header begins and how many rows it has.

    It ends above the first row that holds numbers in a third of its cells.
    """
    head = sheet.head(_SEARCHED + 10)
    first_data = len(head)
    for r, row in enumerate(head):
        full = [one for one in row if one.strip()]
        numbers = [
            one for one in full if parse_number(one).value is not None and not read_month(one).date
        ]
        if len(full) >= 2 and len(numbers) * 3 >= len(full) and r > 0:
            first_data = r
            break
    start = first_data - 1
    width = max((sum(bool(one.strip()) for one in row) for row in head[:first_data]), default=0)
    while start > 0 and sum(bool(one.strip()) for one in head[start - 1]) >= max(2, width // 3):
        start -= 1
    start = max(start, 0)
    while start < first_data - 1 and sum(bool(one.strip()) for one in head[start]) < 2:
        start += 1
    return start, max(first_data - start, 1)


def _known_roles(layouts: dict[str, Layout]) -> dict[str, str]:
    roles = {
        name: role
        for layout in layouts.values()
        for role, names in layout.columns.items()
        for name in names
    }
    return roles | {header_name(name): role for role, names in _MORE.items() for name in names}


def _known_items(layouts: dict[str, Layout]) -> dict[str, str]:
    items = {name: item for layout in layouts.values() for name, item in layout.values.items()}
    items |= {name: item for layout in layouts.values() for name, item in layout.items.items()}
    return items | {header_name(name): item for item, name in ITEM_NAMES.items()}


def _is_numeric(body: list[list[str]], at: int) -> bool:
    cells = [row[at] for row in body if at < len(row) and row[at].strip()]
    return bool(cells) and sum(parse_number(one).value is not None for one in cells) * 2 > len(
        cells
    )


def _unsure(header: Header, kind: str, parts: _Parts, *, n_months: int) -> list[Text]:
    columns, values, _, unknown = parts
    found = []
    if "unit" not in columns:
        found.append(Text("没有认出村名列（columns.unit）", "no column of villages (columns.unit)"))
    if kind == "wide":
        found.append(Text("该表记的是哪个项目（item）？", "which item does the sheet hold (item)?"))
    if kind == "long" and not {"month", "year"} & set(columns):
        found.append(
            Text(
                "没有认出时期列（columns.month 或 year）",
                "no column of periods (columns.month or year)",
            )
        )
    if kind == "long" and not values:
        found.append(Text("没有认出任何项目列（values）", "no column of a known item (values)"))
    found += [
        Text(f"“{name}”是数值列，是哪个项目？", f"{name} holds numbers: which item is it?")
        for name in unknown
    ]
    if not any(header.units) and "单位" not in header.title and "measure_unit" not in columns:
        found.append(
            Text("哪里都没有写金额单位（money_unit）", "no unit of money is stated (money_unit)")
        )
    if n_months:
        found.append(Text(f"按月份列读取 {n_months} 列", f"{n_months} columns are months"))
    return found


def _toml(sheet: Sheet, header: Header, kind: str, parts: _Parts) -> str:
    columns, values, ignored, unknown = parts
    lines = [
        f"# 草稿：工作表“{visible(sheet.name)}”。核对每一行，改名后放入版式文件夹。",
        "# A draft: check every line, name the file for what it is, put it in a folder of layouts.",
        'name = { zh = "待定", en = "to be named" }',
        f'kind = "{kind}"',
    ]
    if kind == "wide":
        lines.append('item = "operating_income"  # ? 待定 to be decided')
    frequency = "month" if kind != "long" or "month" in columns else "year"
    lines.append(f'frequency = "{frequency}"')
    if header.n_rows > 1:
        lines.append(f"header_rows = {header.n_rows}")
    lines.append('skip = ["小计", "合计", "总计"]')
    if ignored or unknown:
        lines.append(f"ignore = {_list([*ignored, *unknown])}")
    if unknown:
        lines.append(f"# ? 数值列，未读取 numbers, not read: {', '.join(unknown)}")
    lines += ["", "[columns]"]
    lines += [f"{role} = {_list(names)}" for role, names in columns.items()]
    if "unit" not in columns:
        lines.append('unit = ["村名"]  # ? 待定 to be decided')
    if kind == "long" and not {"month", "year"} & set(columns):
        lines.append('year = ["年度"]  # ? 待定 to be decided')
    if values:
        lines += ["", "[values]"]
        lines += [f"{_text(name)} = {_text(item)}" for name, item in values.items()]
    lines += ["", "[example]", "grid = '''"]
    for row in sheet.head(header.first_row + header.n_rows + 1):
        lines.append(",".join(_field(one) for one in row))
    lines += ["'''", "rows = []  # ? 写出应读得的行 write the rows that must be read"]
    return "\n".join(lines) + "\n"


def _list(names: list[str]) -> str:
    return "[" + ", ".join(_text(name) for name in names) + "]"


def _text(text: str) -> str:
    return json.dumps(visible(text), ensure_ascii=False)


def _field(text: str) -> str:
    plain = visible(without_personal(text)).replace("'''", "")
    return '"' + plain.replace('"', '""') + '"' if any(one in plain for one in ',"') else plain
