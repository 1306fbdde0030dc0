"""One figure of a ledger, or one tick: its text, its mark and its unit to a value or a problem."""

from __future__ import annotations

from decimal import Decimal

from cps.errors import Severity, Text
from cps.ledger._log import without_personal
from cps.ledger.cells import Cell, in_base_unit, money_unit, normal, parse_number
from cps.ledger.rows import ITEMS

CORRECT = Text("改正台账该处", "correct the ledger there")
_TICKS = frozenset(("√", "✔", "✓", "☑", "是", "有", "1", "y", "yes", "true", "●"))
_CROSSES = frozenset(("×", "✗", "✘", "否", "无", "0", "n", "no", "false"))
CANNOT = {
    "error": Text("公式出错", "a formula error"),
    "boolean": Text("是逻辑值，不是数", "a truth value, no number"),
    "date": Text("是日期（常因“1-2”被自动改写），不是数", "a date, no number (1-2 typed, often)"),
    "percent": Text(
        "按百分比显示，看到的与存的不是同一个数",
        "shown as a percentage: what is seen is not stored",
    ),
    "uncached": Text("公式没有算出的结果", "a formula without its result"),
}
MEND = {
    "error": Text("改正公式，或填入数值", "correct the formula, or enter the number"),
    "uncached": Text(
        "用 Excel 或 WPS 打开并保存一次，使公式算出结果",
        "open it in a spreadsheet program and save it once, so that formulas have results",
    ),
    "percent": Text(
        "把单元格格式改为“常规”，核对数值", "set the format to General, check the value"
    ),
}


ODDITIES: dict[str, tuple[str, Severity, Text]] = {
    "unit": (
        "W-LEDGER-UNIT-IN-CELL",
        "warn",
        Text("单位写在数值里，已按该单位换算", "the unit stands in the cell: converted by it"),
    ),
    "scientific": (
        "W-LEDGER-SCIENTIFIC",
        "warn",
        Text(
            "科学记数法，已按原值读取；末几位可能已丢失", "scientific notation: digits may be lost"
        ),
    ),
    "apostrophe": (
        "W-LEDGER-TEXT-NUMBER",
        "warn",
        Text(
            "数字前有撇号（文本格式），已读作数字", "an apostrophe before a number: read as number"
        ),
    ),
    "negative": (
        "W-LEDGER-NEGATIVE-FORM",
        "warn",
        Text("会计写法的负数，已读作负数", "an accountant's negative: read as below zero"),
    ),
    "digits": (
        "N-LEDGER-DIGITS",
        "note",
        Text("浮点误差的尾数已去掉", "the noise of a floating-point number was taken off"),
    ),
    "struck": (
        "W-LEDGER-STRUCK",
        "warn",
        Text("带删除线的数也已读取", "a struck-out number was read too"),
    ),
    "scaled": (
        "W-LEDGER-SCALED",
        "warn",
        Text("以万（千）显示，存的是元，已按存的数读取", "shown scaled: read as stored, in 元"),
    ),
}


def read_word(text: str, measure: str) -> tuple[Cell, str | None]:
    """Read a text, or a tick: 1 ticked, 0 crossed out."""
    plain = normal(without_personal(text))
    if not plain:
        return Cell(emptiness="unknown"), None
    if measure == "tick":
        low = plain.lower()
        if low in _TICKS:
            return Cell(Decimal(1)), plain
        if low in _CROSSES or plain in ("-", "—", "/"):
            return Cell(Decimal(0)), plain
    return Cell(), plain


def read_figure(text: str, mark: str, item: str, unit: str | None) -> Cell:
    """Read a number with what its cell is marked with, in the item's base unit."""
    measure = ITEMS[item]
    if mark in CANNOT and not (mark == "percent" and measure == "percent"):
        said = CANNOT[mark]
        if not text:
            return Cell(problem=said)
        return Cell(problem=Text(f"“{text}”{said.zh}", f"{text!r}: {said.en}"))
    cell = parse_number(text)
    if cell.problem is not None or cell.value is None:
        return cell
    if mark == "percent":
        return Cell(cell.value * 100)
    if measure == "yuan" and unit is None and cell.unit is None:
        return Cell(
            problem=Text("没有写明金额单位（元或万元）", "no unit of money is stated (元 or 万元)")
        )
    if mark == "scaled" and measure == "yuan" and money_unit(unit or "") != "元":
        return Cell(
            problem=Text(
                f"存的是 {text}，却以万（千）显示，而单位写“{unit}”",
                f"{text} is stored and shown scaled, and the unit says {unit}",
            )
        )
    return in_base_unit(cell, measure, unit or "")
