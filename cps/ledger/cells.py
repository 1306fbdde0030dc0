"""One cell to an exact value, a kind of emptiness, or the reason why it is neither."""

from __future__ import annotations

import datetime
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from cps.errors import Text
from cps.units import YUAN_PER_UNIT

# Three kinds of empty, none of them zero.
_UNKNOWN = {
    "",
    "n/a",
    "na",
    "nan",
    "null",
    "none",
    "无",
    "缺",
    "缺失",
    "未知",
    "不详",
    "未报",
    "暂无",
}
_BELOW_ONE_UNIT = {"…", "...", "……", "⋯"}
_NOT_APPLICABLE = {"-", "--", "—", "——", "–", "/", "\\", "*", "不适用"}
_ERRORS = {"#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"}

_BEYOND = Decimal(10) ** 15  # 元 or persons: no ledger's figure, and near what a row can hold
_PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?$")
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?$")
_RANGE = re.compile(r"\d\s*(?:-|~|至|到|—|–)\s*\d")
_OPEN = re.compile(r"\d.*(?:以上|以下|左右|多|余|约)|(?:约|近|超过|不足|大于|小于|>|<|≥|≤)\s*\d")
_SUFFIX = re.compile(r"(亿元|万元|千元|元|人|个|名|%)$")
_LOOKALIKE = {"O": "0", "o": "0", "l": "1", "I": "1", "〇": "0"}
_MONTH = re.compile(r"(\d{4})(?:[年./\-](?=\d)|(?=\d{2}$))(\d{1,2})(?:月|[./\-]\d{1,2})?$")


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell says: a value, an emptiness, or a problem; exactly one of the three."""

    value: Decimal | None = None
    emptiness: str | None = None  # unknown | below_one_unit | not_applicable
    problem: Text | None = None
    unit: str | None = None  # a unit written in the cell itself


def normal(text: str) -> str:
    """Fold full-width forms and drop surrounding and doubled white space.

    Examples
    --------
    >>> normal(" １２，３４５\\n")
    '12,345'
    """
    folded = unicodedata.normalize("NFKC", text.replace("\u200b", "").replace("\ufeff", ""))
    return " ".join(folded.split())


def header_name(text: str) -> str:
    """Fold a header for comparison: full-width forms and all white space gone."""
    return "".join(normal(text).split())


@lru_cache(maxsize=65_536)
def parse_number(text: str) -> Cell:
    """Read a number exactly as written, never by guess.

    Examples
    --------
    >>> parse_number("１,２３４.５万元")
    Cell(value=Decimal('1234.5'), emptiness=None, problem=None, unit='万元')
    >>> parse_number("—").emptiness
    'not_applicable'
    """
    raw = normal(text)
    if raw.lower() in _UNKNOWN:
        return Cell(emptiness="unknown")
    if raw in _BELOW_ONE_UNIT:
        return Cell(emptiness="below_one_unit")
    if raw in _NOT_APPLICABLE:
        return Cell(emptiness="not_applicable")
    if raw.upper() in _ERRORS:
        return Cell(problem=Text(f"公式出错：{raw}", f"a formula error: {raw}"))
    match = _SUFFIX.search(raw)
    unit = match[1] if match else None
    body = (raw[: match.start()] if match else raw).replace("−", "-").lstrip("¥￥").strip()
    is_negative = body.startswith("(") and body.endswith(")")
    body = f"-{body[1:-1]}" if is_negative else body
    if _PLAIN.match(body):
        return Cell(Decimal(body), unit=unit)
    if _GROUPED.match(body):
        return Cell(Decimal(body.replace(",", "")), unit=unit)
    return Cell(problem=_why_not(raw, body))


def in_base_unit(cell: Cell, measure: str, unit: str) -> Cell:
    """Turn a number into 元, persons or percent, exactly.

    ``unit`` is the sheet's; a unit in the cell itself goes before it.
    """
    if cell.value is None:
        return cell
    scale = YUAN_PER_UNIT.get(cell.unit or unit, Decimal(1)) if measure == "yuan" else Decimal(1)
    if abs(cell.value) >= _BEYOND / scale:
        return Cell(problem=Text(f"{cell.value} 大得不可能", f"{cell.value} is beyond any ledger"))
    given = cell.unit or unit
    if measure == "yuan":
        if given not in YUAN_PER_UNIT:
            return Cell(
                problem=Text(f"单位“{given}”不是金额单位", f"{given!r} is no unit of money")
            )
        value = cell.value * YUAN_PER_UNIT[given]
        if value != value.quantize(Decimal("0.01")):
            return Cell(
                problem=Text(f"{value} 元精确到分以下", f"CNY {value} is finer than a cent")
            )
        return Cell(value.quantize(Decimal("0.01")))
    if measure == "persons":
        if cell.unit not in (None, "人", "个", "名"):
            return Cell(
                problem=Text(f"人数的单位是“{cell.unit}”", f"{cell.unit!r} does not count people")
            )
        if cell.value != cell.value.to_integral_value() or cell.value < 0:
            return Cell(problem=Text("人数应为非负整数", "people are whole and not negative"))
    return Cell(cell.value)


def parse_month(text: str) -> datetime.date | None:
    """Read ``2023年1月``, ``2023.01``, ``202301`` or ``2023/1/31`` as the first day of its month."""
    match = _MONTH.match(header_name(text).replace("00:00:00", ""))
    if not match or not 1 <= int(match[2]) <= 12 or not 1900 <= int(match[1]) <= 2100:
        return None
    return datetime.date(int(match[1]), int(match[2]), 1)


def _why_not(raw: str, body: str) -> Text:
    if _RANGE.search(raw):
        return Text(f"“{raw}”是区间，不是一个数", f"{raw!r} is a range, not one number")
    if _OPEN.search(raw):
        return Text(f"“{raw}”不是确数", f"{raw!r} is no exact number")
    mended = "".join(_LOOKALIKE.get(one, one) for one in body)
    if _PLAIN.match(mended) or _GROUPED.match(mended):
        place = next(i for i, one in enumerate(raw) if one in _LOOKALIKE)
        return Text(
            f"“{raw}”不是数字（第 {place + 1} 位是字母 {raw[place]}）",
            f"{raw!r} is not a number (letter {raw[place]} at position {place + 1})",
        )
    if re.search(r"\d,\d", raw):
        return Text(f"“{raw}”的千位分隔不规范", f"{raw!r} has commas that are no thousands")
    return Text(f"“{raw}”不是数字", f"{raw!r} is not a number")
