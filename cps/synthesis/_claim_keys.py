"""Strict reading of one key of a claims file: what is wrong, where it stands, how to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from decimal import Decimal, InvalidOperation
from typing import Any

from cps.errors import LedgerError, Text, nearest

_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_BEYOND = 10**18
_DECIMALS = 9


def fault(what: Text, mend: Text, *, where: str) -> LedgerError:
    """Make the error for a wrong entry."""
    return LedgerError(what, where=where, mend=mend)


def choice(value: str, choices: Iterable[str], *, where: str) -> str:
    """Demand one of ``choices``; the error names the nearest and lists them."""
    names = list(choices)
    if value in names:
        return value
    near = nearest(value, names)
    listed = names if len(names) <= 30 else names[:30]
    raise fault(
        Text(f"没有名为“{value}”的选项", f"{value!r} is not known here"),
        Text(
            (f"是否想写“{near}”？" if near else "") + f"可选：{'、'.join(listed)}",
            (f"did you mean {near!r}? " if near else "") + f"choose one of: {', '.join(listed)}",
        ),
        where=where,
    )


def record_keys(
    table: Mapping[str, Any], record: type, *, where: str, hidden: tuple[str, ...] = ()
) -> None:
    """Demand the fields of a record: none unknown, none missing that has no default."""
    known = [one for one in fields(record) if one.name not in hidden]
    known_keys(table, [one.name for one in known], where=where)
    for one in known:
        if one.default is MISSING and one.name not in table:
            raise fault(
                Text(f"缺少 {one.name}", f"{one.name} is missing"),
                Text(f"补上 {one.name}", f"add {one.name}"),
                where=f"{where} › {one.name}",
            )


def known_keys(table: Mapping[str, Any], names: Iterable[str], *, where: str) -> None:
    """Demand that every key is one of ``names``."""
    listed = list(names)
    for key in table:
        choice(key, listed, where=f"{where} › {key}")


def typed(table: Mapping[str, Any], kinds: Mapping[str, type], *, where: str) -> None:
    """Demand that keys hold texts, truth values or lists, as ``kinds`` says of each."""
    for name, kind in kinds.items():
        if name in table and not isinstance(table[name], kind):
            noun, example = _KINDS[kind]
            raise fault(
                Text(f"{table[name]!r} 不是{noun.zh}", f"{table[name]!r} is not {noun.en}"),
                Text(f"写成如 {example}", f"write it as {example}"),
                where=f"{where} › {name}",
            )


_KINDS: dict[type, tuple[Text, str]] = {
    str: (Text("文字", "a text"), '"…"'),
    bool: (Text("真假值", "true or false"), "true"),
    list: (Text("列表", "a list"), '["…"]'),
    dict: (Text("表", "a table"), '{ zh = "…", en = "…" }'),
}


def number(value: Any, *, where: str) -> Decimal:
    """Read a decimal; in quotes it keeps its trailing zeros."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise InvalidOperation
        # A number in quotes keeps its trailing zeros: 211.70 was stated to two decimals. A comma
        # parts thousands only: taken out of "1,5" it would make fifteen of one and a half.
        written = str(value)
        if "," in written and not _THOUSANDS.fullmatch(written.strip()):
            raise InvalidOperation
        figure = Decimal(written.replace(",", ""))
        if not figure.is_finite():
            raise InvalidOperation
    except InvalidOperation as error:
        raise fault(
            Text(f"{value!r} 不是数字", f"{value!r} is not a number"),
            Text('写成如 46 或 "211.70"', 'write it as 46 or "211.70"'),
            where=where,
        ) from error
    if abs(figure) >= _BEYOND or int(figure.as_tuple().exponent) < -_DECIMALS:
        raise fault(
            Text(f"{value!r} 超出任何统计数字", f"{value!r} is beyond any statistic"),
            Text(
                f"不超过 {_BEYOND:,}、小数不多于 {_DECIMALS} 位；可换用更大的单位",
                f"below {_BEYOND:,} and with {_DECIMALS} decimals at most; a larger unit may help",
            ),
            where=where,
        )
    return figure


def whole(value: Any, low: int, high: int, *, where: str) -> int:
    """Read a whole number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise fault(
            Text(
                f"{value!r} 不是 {low} 至 {high} 的整数",
                f"{value!r} is no whole number from {low} to {high}",
            ),
            Text("写成不带引号的整数，如 2023", "write a whole number without quotes, as 2023"),
            where=where,
        )
    return value


def word(value: Any, *, where: str) -> str:
    """Read a text that isn't empty."""
    if not isinstance(value, str) or not value.strip():
        raise fault(Text("不能为空", "must not be empty"), Text("补填", "fill it in"), where=where)
    return value


def text_of(value: Any, *, where: str) -> Text:
    """Read one sentence, or one in zh and one in en."""
    if isinstance(value, str) and value.strip():
        return Text(value, value)
    if not isinstance(value, Mapping) or set(value) != {"zh", "en"}:
        raise fault(
            Text("须为一句话，或 zh 和 en 两种文字", "needs one sentence, or zh and en"),
            Text(
                '写成 text = "…"，或 text.zh 和 text.en', 'write text = "…", or text.zh and text.en'
            ),
            where=where,
        )
    return Text(str(value["zh"]), str(value["en"]))
