"""What a method lets its user choose: one of some words, or a number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cps.errors import Text, UsageError, unknown_choice


@dataclass(frozen=True, slots=True)
class Number:
    """An option that takes a number between ``low`` and ``high``, or one of ``words``.

    Parameters
    ----------
    default : float or str
    is_whole : bool
        True if only whole numbers make sense.
    words : tuple of str
        Words that stand for a rule, such as ``auto``.
    """

    default: float | str
    low: float = -math.inf
    high: float = math.inf
    is_whole: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Free:
    """An option that takes any text, such as names separated by commas; the method checks it.

    ``hint`` shows how to write it.
    """

    default: str = ""
    hint: str = ""


Offered = Mapping[str, "tuple[str, ...] | Number | Free"]
Given = Mapping[str, str | float]


def settle(offered: Offered, given: Given, *, where: str) -> dict[str, str]:
    """Complete the options given with defaults; every value becomes text.

    Raises
    ------
    UsageError
        If an option or a value is not offered; lists what is, and the nearest.
    """
    for name in given:
        if name not in offered:
            raise unknown_choice(Text("选项", "option"), name, offered, where=where)
    return {
        name: _value(name, choice, given[name], where) if name in given else _default(choice)
        for name, choice in offered.items()
    }


def _default(choice: tuple[str, ...] | Number | Free) -> str:
    if isinstance(choice, tuple):
        return choice[0]
    if isinstance(choice, Free):
        return choice.default
    return _text(choice.default)


def _value(
    name: str, choice: tuple[str, ...] | Number | Free, value: str | float, where: str
) -> str:
    if isinstance(choice, Free):
        return str(value)
    if isinstance(choice, tuple):
        if value not in choice:
            raise unknown_choice(
                Text(f"{name} 的取值", f"value of {name}"), str(value), choice, where=where
            )
        return str(value)
    if value in choice.words:
        return str(value)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    is_fine = choice.low <= number <= choice.high and not (
        choice.is_whole and number != round(number)
    )
    if not is_fine:
        kind = ("整数", "a whole number") if choice.is_whole else ("数", "a number")
        words_zh = "".join(f"，或 {word}" for word in choice.words)
        words_en = "".join(f", or {word}" for word in choice.words)
        raise UsageError(
            Text(f"{name} 的取值 {value} 不可用", f"{value!r} can't be {name}"),
            where=f"{where} › {name}",
            mend=Text(
                f"给出 {choice.low:g} 与 {choice.high:g} 之间的{kind[0]}{words_zh}",
                f"give {kind[1]} between {choice.low:g} and {choice.high:g}{words_en}",
            ),
        )
    return _text(number)


def _text(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else repr(float(value))
