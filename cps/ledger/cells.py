"""One cell to an exact value, a kind of emptiness, or the reason why it is neither."""

from __future__ import annotations

import datetime
import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from cps.errors import Text
from cps.units import YUAN_PER_UNIT

# Three kinds of empty, none of them zero.
_UNKNOWN = frozenset(
    {
        *("", "n/a", "na", "#n/a n/a", "nan", "null", "none", "nil", "?", "??"),
        *("无", "缺", "缺失", "未知", "不详", "未报", "暂无", "空", "待定", "待填", "未填"),
    }
)
_BELOW_ONE_UNIT = frozenset(("…", "...", "……", "⋯", ".....", "......"))
_NOT_APPLICABLE = frozenset(("-", "--", "---", "—", "——", "–", "−", "/", "//", "\\", "*", "不适用"))
_ERRORS = frozenset(
    {
        *("#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#GETTING_DATA"),
        *("#SPILL!", "#CALC!", "####", "########"),
    }
)

BEYOND = Decimal(10) ** 15  # 元 or persons: no ledger's figure, and near what a row can hold
_NO_VILLAGE = Decimal(10) ** 8  # persons: a telephone number typed for a count is above it
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_PLAIN = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$")
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]{1,2}$")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$")
_TRAILING = re.compile(r"([0-9][0-9,]*(?:\.[0-9]+)?)-$")
_RANGE = re.compile(r"\d\s*(?:万|千|亿)?(?:元|人)?\s*(?:-|~|至|到|—|–)\s*\d")
_OPEN = re.compile(
    r"\d.*(?:以上|以下|左右|多|余|约|\+$)|(?:约|近|超过|超|不足|大于|小于|>|<|≥|≤|~|逾)\s*\d"
)
_SUFFIX = re.compile(r"(亿元|万元|千元|百元|元|亿|万|千|人|个|名|%|‰)(?:整|正)?$")
_CHINESE = re.compile(r"[零〇一二两三四五六七八九十百千万亿壹贰叁肆伍陆柒捌玖拾佰仟]+(元|人)?$")
_LOOKALIKE = {"O": "0", "o": "0", "l": "1", "I": "1", "〇": "0", "S": "5", "B": "8"}

_MONTH_TEXT = (
    re.compile(r"([0-9]{4})[年./\-]([0-9]{1,2})月?(?:份)?$"),
    re.compile(r"([0-9]{4})年[/]?([0-9]{1,2})月(?:份)?$"),
    re.compile(r"([0-9]{4})([0-9]{2})$"),
)
_DAY_TEXT = (
    re.compile(r"([0-9]{4})[年./\-]([0-9]{1,2})[月./\-]([0-9]{1,2})日?$"),
    re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})$"),
)
_MIDNIGHT = re.compile(r"[ T]?00:00(:00(\.0+)?)?$")
_SERIAL = re.compile(r"[0-9]{5}(\.0)?$")
_SERIALS = (36_526, 54_788)  # 2000-01-01 to 2049-12-31
_YEARS = (1949, 2100)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell says: a value, an emptiness, or a problem; exactly one of the three.

    ``oddity`` names a way of writing that was read but should be known: ``unit``,
    ``scientific``, ``apostrophe``, ``negative``, ``digits``, ``percent``.
    """

    value: Decimal | None = None
    emptiness: str | None = None  # unknown | below_one_unit | not_applicable
    problem: Text | None = None
    unit: str | None = None  # a unit written in the cell itself
    oddity: str | None = None


@dataclass(frozen=True, slots=True)
class Month:
    """What a cell says of a month: its first day, or why it is none."""

    date: datetime.date | None = None
    problem: Text | None = None
    is_serial: bool = False


def normal(text: str) -> str:
    """Fold full-width forms and drop surrounding and doubled white space.

    Examples
    --------
    >>> normal(" １２，３４５\\n")
    '12,345'
    """
    if text.isascii() and text.isalnum():
        return text
    folded = unicodedata.normalize("NFKC", text.translate(_INVISIBLE))
    return " ".join(folded.split())


def header_name(text: str) -> str:
    """Fold a header for comparison: full-width forms, case and all white space gone."""
    return "".join(normal(text).split()).lower()


@lru_cache(maxsize=65_536)
def parse_number(text: str) -> Cell:
    """Read a number exactly as written, never by guess.

    Examples
    --------
    >>> one = parse_number("１,２３４.５万元")
    >>> one.value, one.unit
    (Decimal('1234.5'), '万元')
    >>> parse_number("—").emptiness
    'not_applicable'
    """
    raw = normal(text)
    if raw.lower() in _UNKNOWN:
        return Cell(emptiness="unknown")
    if raw in _BELOW_ONE_UNIT or text.strip() in _BELOW_ONE_UNIT:
        return Cell(emptiness="below_one_unit")
    if raw in _NOT_APPLICABLE:
        return Cell(emptiness="not_applicable")
    if raw.upper() in _ERRORS:
        return Cell(problem=Text(f"公式出错：{raw}", f"a formula error: {raw}"))
    oddity = None
    if raw.startswith(("'", "`", "’", "‘")) and raw[1:2].isdigit():
        raw, oddity = raw[1:], "apostrophe"
    match = _SUFFIX.search(raw)
    unit = match[1] if match else None
    body = (raw[: match.start()] if match else raw).replace("−", "-").strip()
    sign = "-" if body.startswith("-") and body[1:2] in "¥￥" else ""
    body = sign + (body[len(sign) :].lstrip("¥￥").strip() if body[len(sign) :] else "")
    if body.startswith("(") and body.endswith(")") and len(body) > 2 and body[1] not in "+-":
        body, oddity = f"-{body[1:-1].lstrip('¥￥')}", "negative"
    elif trailing := _TRAILING.match(body):
        body, oddity = f"-{trailing[1]}", "negative"
    if _GROUPED.match(body):
        body = body.replace(",", "")
    if _SCIENTIFIC.match(body):
        return Cell(Decimal(body), unit=unit, oddity="scientific")
    if not _PLAIN.match(body):
        return Cell(problem=_why_not(raw, body))
    value = Decimal(body)
    if "." in body and len(value.as_tuple().digits) > 15:
        # What programs write of 0.1 + 0.2: a double's noise, not a digit that anyone entered.
        value, oddity = Decimal(f"{value:.14E}"), oddity or "digits"
    return Cell(value, unit=unit, oddity="unit" if unit and not oddity else oddity)


def in_base_unit(cell: Cell, measure: str, unit: str) -> Cell:
    """Turn a number into 元, persons or percent, exactly.

    ``unit`` is the sheet's; a unit in the cell itself goes before it.
    """
    if cell.value is None:
        return cell
    given = money_unit(cell.unit or unit) or cell.unit or unit
    scale = YUAN_PER_UNIT.get(given, Decimal(1)) if measure == "yuan" else Decimal(1)
    if abs(cell.value) >= BEYOND / scale:
        return Cell(problem=Text(f"{cell.value} 大得不可能", f"{cell.value} is beyond any ledger"))
    if measure == "yuan":
        if given not in YUAN_PER_UNIT:
            return Cell(
                problem=Text(f"单位“{given}”不是金额单位", f"{given!r} is no unit of money")
            )
        value = cell.value * YUAN_PER_UNIT[given]
        cents = value.quantize(Decimal("0.01"))
        if value != cents and cell.oddity != "digits":
            return Cell(
                problem=Text(f"{value} 元精确到分以下", f"CNY {value} is finer than a cent")
            )
        return replace(cell, value=cents, unit=None)
    if measure == "persons":
        times = {"万": 10_000, "千": 1_000}.get(cell.unit or "", 1)
        if cell.unit not in (None, "人", "个", "名", "万", "千"):
            return Cell(
                problem=Text(f"人数的单位是“{cell.unit}”", f"{cell.unit!r} does not count people")
            )
        people = cell.value * times
        if people >= _NO_VILLAGE:
            return Cell(
                problem=Text(f"{people} 人多得不可能", f"{people} people: beyond any ledger")
            )
        if people != people.to_integral_value() or people < 0:
            return Cell(problem=Text("人数应为非负整数", "people are whole and not negative"))
        return replace(cell, value=people, unit=None)
    if measure == "percent" and cell.unit not in (None, "%"):
        return Cell(problem=Text(f"“{cell.unit}”不是百分比", f"{cell.unit!r} is no percentage"))
    if cell.value != cell.value.quantize(Decimal("0.01")):
        return replace(cell, value=cell.value.quantize(Decimal("0.01")), unit=None)
    return replace(cell, unit=None)


_MONEY = {"元": "元", "圆": "元", "yuan": "元", "cny": "元", "rmb": "元", "¥": "元"}
_MONEY |= {
    "千元": "千元",
    "万元": "万元",
    "万": "万元",
    "wan": "万元",
    "亿元": "亿元",
    "亿": "亿元",
}
_MONEY |= {"百元": "百元", "千": "千元", "百万元": "百万元"}
_PEOPLE = {"人", "个", "名", "人数", "person", "persons", "people"}


def money_unit(text: str) -> str | None:
    """Give the unit of money that a text names (``人民币万元`` is 万元), or None."""
    plain = header_name(text).lower().removeprefix("人民币").removesuffix("人民币").strip("()")
    return _MONEY.get(plain)


def is_people_unit(text: str) -> bool:
    """Tell whether a text names a unit that counts people."""
    return header_name(text).lower().strip("()") in _PEOPLE


def parse_month(text: str) -> datetime.date | None:
    """Read ``2023年1月``, ``2023.01``, ``202301`` or ``2023/1/31`` as the first day of its month."""
    return read_month(text).date


@lru_cache(maxsize=65_536)
def read_month(text: str) -> Month:
    """Read a month in any form that has one meaning, or say why it has none.

    Examples
    --------
    >>> read_month("2023年2月").date, read_month("44927").date
    (datetime.date(2023, 2, 1), datetime.date(2023, 1, 1))
    >>> read_month("05/06/2023").problem.en
    "'05/06/2023' can be two months: which part is the month?"
    """
    raw = normal(text).removeprefix("'")
    plain = "".join(_MIDNIGHT.sub("", raw).split())
    for pattern in _MONTH_TEXT:
        match = pattern.match(plain)
        if match:
            return _month(text, int(match[1]), int(match[2]), 1)
    for pattern in _DAY_TEXT:
        match = pattern.match(plain)
        if match:
            return _month(text, int(match[1]), int(match[2]), int(match[3]))
    if _SERIAL.match(plain) and _SERIALS[0] <= float(plain) <= _SERIALS[1]:
        day = datetime.date(1899, 12, 30) + datetime.timedelta(days=int(float(plain)))
        return Month(day.replace(day=1), is_serial=True)
    return Month(problem=_why_no_month(text.strip(), plain))


def _month(text: str, year: int, month: int, day: int) -> Month:
    try:
        date = datetime.date(year, month, day)
    except ValueError:
        return Month(
            problem=Text(f"“{text.strip()}”没有这一天", f"{text.strip()!r}: no such month or day")
        )
    if not _YEARS[0] <= year <= _YEARS[1]:
        return Month(problem=Text(f"“{text.strip()}”的年份不对", f"{text.strip()!r}: odd year"))
    return Month(date.replace(day=1))


def _why_no_month(text: str, plain: str) -> Text:
    if not plain:
        return Text("没有写月份", "no month is given")
    if re.match(r"[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4}$", plain):
        return Text(
            f"“{text}”可理解为两个月份，哪一段是月？",
            f"{text!r} can be two months: which part is the month?",
        )
    if re.search(r"累计|[0-9]{1,2}(?:-|至|到|~)[0-9]{1,2}月", plain):
        return Text(f"“{text}”是累计数，不是一个月", f"{text!r} is a running total, not a month")
    if re.search(r"季|Q[1-4]", plain, re.IGNORECASE):
        return Text(f"“{text}”是季度，不是一个月", f"{text!r} is a quarter, not a month")
    if re.search(r"半年|全年|年度|^[0-9]{4}年?$", plain):
        return Text(f"“{text}”不是一个月", f"{text!r} is longer than a month")
    if re.search(r"[0-9]{2}:[0-9]{2}", plain):
        return Text(
            f"“{text}”带有时刻或时区，换算后可能是另一个月",
            f"{text!r} carries a time or zone: it may be another month here",
        )
    if re.search(r"[甲乙丙丁戊己庚辛壬癸][子丑寅卯辰巳午未申酉戌亥]|农历|正月|腊月|冬月", plain):
        return Text(f"“{text}”是农历", f"{text!r} is a lunar month")
    return Text(f"“{text}”不是有效的月份", f"{text!r} is no month")


def _why_not(raw: str, body: str) -> Text:
    if _RANGE.search(raw):
        return Text(f"“{raw}”是区间，不是一个数", f"{raw!r} is a range, not one number")
    if _OPEN.search(raw):
        return Text(f"“{raw}”不是确数", f"{raw!r} is no exact number")
    if _CHINESE.match(raw):
        return Text(
            f"“{raw}”是汉字数字，读法不一", f"{raw!r} is in Chinese numerals, read in two ways"
        )
    if "_" in raw:
        return Text(f"“{raw}”含有下划线，不是数字", f"{raw!r} holds an underscore: no number")
    if any(one.isdigit() and not one.isascii() for one in raw):
        return Text(f"“{raw}”不是 0–9 的数字", f"{raw!r} is not written in digits 0-9")
    mended = "".join(_LOOKALIKE.get(one, one) for one in body)
    if mended != body and (_PLAIN.match(mended) or _GROUPED.match(mended)):
        place = next(i for i, one in enumerate(raw) if one in _LOOKALIKE)
        return Text(
            f"“{raw}”不是数字（第 {place + 1} 位是字母 {raw[place]}）",
            f"{raw!r} is not a number (letter {raw[place]} at position {place + 1})",
        )
    if re.search(r"\d,\d", raw):
        return Text(f"“{raw}”的千位分隔不规范", f"{raw!r} has commas that are no thousands")
    return Text(f"“{raw}”不是数字", f"{raw!r} is not a number")
