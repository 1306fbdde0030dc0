"""What a page says before a language is chosen: keys, names and numbers, never sentences."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cps.errors import Text

Kind = Literal[
    "money",
    "persons",
    "change",
    "share",
    "p_value",
    "ratio",
    "index",
    "count",
    "number",
    "cases",
    "minutes",
    "hours",
    "days",
    "percent",
    "points",
    "kwh",
    "plain_yuan",
    "yuan_per_mu",
    "yuan_per_m2",
    "yuan_per_kwh",
]

MEASURE_KINDS: dict[str, Kind] = {
    "yuan": "money",
    "persons": "persons",
    "log_points": "change",
    "count": "cases",
    "minutes": "minutes",
    "hours": "hours",
    "days": "days",
    "percent": "points",  # a difference; of a level see ``level_kind``
    "kwh": "kwh",
    "plain_yuan": "plain_yuan",
    "yuan_per_mu": "yuan_per_mu",
    "yuan_per_m2": "yuan_per_m2",
    "yuan_per_kwh": "yuan_per_kwh",
}
# A ratio or an index has no unit to print.
_BARE = frozenset({"ratio", "index"})


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in its base unit, to be written in the unit and rounding of a language.

    Parameters
    ----------
    value : float or None
        元, persons, log points (``change``), a fraction (``share``) or a plain number.
    unit : str
        Unit of a plain ``number``, as the data name it; empty for none.
    is_signed : bool
        Write a plus sign too.
    """

    value: float | None
    kind: Kind = "number"
    unit: str = ""
    is_signed: bool = False


@dataclass(frozen=True, slots=True)
class Interval:
    """Two ends of an interval; its level is said beside it."""

    low: float | None
    high: float | None
    kind: Kind = "number"
    unit: str = ""
    is_signed: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the vocabulary, ``group.key``; a key without a word stands as it is."""

    group: str
    key: str


@dataclass(frozen=True, slots=True)
class Counted:
    """A whole number with the noun that it counts, in the right number."""

    n: int
    noun: str  # a vocabulary key with the forms ``one`` and ``many``


@dataclass(frozen=True, slots=True)
class Listing:
    """Several things, joined as the language joins them."""

    items: tuple[Content, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence by its key, with what goes into its placeholders."""

    key: str
    params: Mapping[str, Content] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """A relative link to a page beside this one, or to a place in this one."""

    href: str
    content: Content


Content: TypeAlias = str | Text | Quantity | Interval | Term | Counted | Listing | Message | Link


def measure_kind(measure: str) -> tuple[Kind, str]:
    """Give the kind of quantity that a measure is, and the unit of a plain number."""
    kind = MEASURE_KINDS.get(measure)
    return (kind, "") if kind else ("number", "" if measure in _BARE else measure)


def level_kind(measure: str) -> tuple[Kind, str]:
    """Give the kind of a level: as of a difference, but percent is percent and not points."""
    return ("percent", "") if measure == "percent" else measure_kind(measure)


_MOST_LOG = 16.0  # 900 million percent: beyond it there is nothing to print


def scaled(value: float, kind: Kind) -> float:
    """Turn a value in its base unit into what is printed before the unit of a language.

    Log points become the percentage change exp(x) − 1, fractions become percent.

    Examples
    --------
    >>> round(scaled(0.1, "change"), 2)
    10.52
    """
    if kind == "change":
        return 100 * math.expm1(min(value, _MOST_LOG))
    return 100 * value if kind == "share" else value


# Characters that let one name show as another, or turn the text after them round.
_SPACES = {"\t": " ", "\n": " ", "\r": " ", "\u2028": " ", "\u2029": " "}
_SHOWN_CATEGORIES = ("Cc", "Cf", "Cs", "Co", "Cn")


def inert(text: str) -> str:
    """Make a text from outside harmless: what can't be seen is shown as ``⟨U+202E⟩``.

    Examples
    --------
    >>> inert("示例村\\u202e01")
    '示例村⟨U+202E⟩01'
    """
    if text.isprintable():  # nothing of the categories below, as almost always
        return text
    return "".join(
        _SPACES.get(one)
        or (f"⟨U+{ord(one):04X}⟩" if unicodedata.category(one) in _SHOWN_CATEGORIES else one)
        for one in text
    )
