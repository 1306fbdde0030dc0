"""Numbers, dates and number formats as a workbook stores them, to text."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from functools import lru_cache

_DATE_IDS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_PERCENT_IDS = {9, 10}
_NOT_CODE = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.')
_QUOTED = re.compile(r'"([^"]*)"|\\(.)')
_COMMA_SCALE = re.compile(r"[0#?],+(?![0#?,])")
_UNIT_SHOWN = re.compile(r"(亿元|万元|千元|亿|万)")
_LONG_AGO = datetime.datetime(1899, 12, 30)
_MAC = datetime.datetime(1904, 1, 1)


@lru_cache(maxsize=65_536)
def plain_number(text: str) -> str:
    """Give a stored number with the 15 digits that a spreadsheet keeps, without exponent.

    Examples
    --------
    >>> plain_number("0.30000000000000004"), plain_number("1.3E-2"), plain_number("29800")
    ('0.3', '0.013', '29800')
    """
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return text
    try:
        exact = Decimal(text)
        if not exact.is_finite():
            return text
        kept = exact if len(exact.as_tuple().digits) <= 15 else Decimal(f"{exact:.14E}")
        if kept.adjusted() > 40 or kept.adjusted() < -40:
            return text
        shown = f"{kept:f}"
        return shown.rstrip("0").rstrip(".") if "." in shown else shown
    except ArithmeticError:
        return text


def date_text(number: str, *, is_1904: bool) -> str | None:
    """Give a serial number as ``2023-01-31`` or ``2023-01-31 08:00:00``, or None."""
    try:
        days = float(number)
        moment = (_MAC if is_1904 else _LONG_AGO) + datetime.timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    moment = (moment + datetime.timedelta(microseconds=500)).replace(microsecond=0)
    if not 1900 <= moment.year <= 2200:
        return None
    is_day = moment.time() == datetime.time(0)
    return moment.date().isoformat() if is_day else moment.isoformat(sep=" ")


def format_kind(format_id: int, code: str | None) -> str:
    """Tell what a number format makes of a number.

    Returns
    -------
    str
        ``date``, ``percent``, ``scaled`` (stored in 元, shown in 万 or 千), ``unit:万元`` (a unit
        written by the format alone), or empty.
    """
    if code is None:
        if format_id in _DATE_IDS:
            return "date"
        return "percent" if format_id in _PERCENT_IDS else ""
    first = code.split(";")[0]
    bare = _NOT_CODE.sub("", first)
    if re.search(r"general", bare, re.IGNORECASE):
        bare = ""
    said = "".join(a or b for a, b in _QUOTED.findall(first)) + bare
    if "!." in first or _COMMA_SCALE.search(bare.replace("%", "")):
        return "scaled"
    if "%" in bare:
        return "percent"
    if re.search(r"[ymdhs]", re.sub(r"[eE][+-]", "", bare), re.IGNORECASE):
        return "date"
    unit = _UNIT_SHOWN.search(said)
    return f"unit:{unit[1]}" if unit else ""
