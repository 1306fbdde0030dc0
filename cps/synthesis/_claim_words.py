"""The words that a claim may be written with: comparators, units, and the text of its figure."""

from __future__ import annotations

from decimal import Decimal

from cps.errors import Text
from cps.facts import Comparator

COMPARATORS: dict[str, Comparator] = {
    **{one.value: one for one in Comparator if one is not Comparator.SINCE},
    "等于": Comparator.EQUAL,
    "为": Comparator.EQUAL,
    "超": Comparator.GREATER,
    "超过": Comparator.GREATER,
    "高于": Comparator.GREATER,
    "大于": Comparator.GREATER,
    "以上": Comparator.AT_LEAST,
    "不低于": Comparator.AT_LEAST,
    "不少于": Comparator.AT_LEAST,
    "至少": Comparator.AT_LEAST,
    "达": Comparator.AT_LEAST,
    "达到": Comparator.AT_LEAST,
    "余": Comparator.APPROX_AT_LEAST,
    "多": Comparator.APPROX_AT_LEAST,
    "低于": Comparator.LESS,
    "不足": Comparator.LESS,
    "不到": Comparator.LESS,
    "少于": Comparator.LESS,
    "不超过": Comparator.AT_MOST,
    "不高于": Comparator.AT_MOST,
    "至多": Comparator.AT_MOST,
    "以下": Comparator.AT_MOST,
    "近": Comparator.APPROX_LESS,
    "约": Comparator.APPROX,
    "左右": Comparator.APPROX,
    "介于": Comparator.BETWEEN,
    "equals": Comparator.EQUAL,
    "over": Comparator.GREATER,
    "more than": Comparator.GREATER,
    "at least": Comparator.AT_LEAST,
    "under": Comparator.LESS,
    "less than": Comparator.LESS,
    "at most": Comparator.AT_MOST,
    "nearly": Comparator.APPROX_LESS,
    "about": Comparator.APPROX,
}
"""What a claim's comparator may be written as; the symbols of facts.csv are among them."""

# Unit -> (kind of quantity, how many of the kind's own unit make one).
_UNITS: dict[str, tuple[str, Decimal]] = {
    "元": ("money", Decimal(1)),
    "万元": ("money", Decimal(10_000)),
    "亿元": ("money", Decimal(100_000_000)),
    "人": ("persons", Decimal(1)),
    "万人": ("persons", Decimal(10_000)),
    "%": ("rate", Decimal(1)),
    "倍": ("times", Decimal(100)),
    "个百分点": ("points", Decimal(1)),
    "个村": ("count", Decimal(1)),
    "个": ("count", Decimal(1)),
    "": ("plain", Decimal(1)),
}
_SUFFIXES = ("/年", "/人", "/村")

_BEFORE = {
    Comparator.GREATER: ("超", "over "),
    Comparator.AT_LEAST: ("不低于", "at least "),
    Comparator.LESS: ("低于", "under "),
    Comparator.AT_MOST: ("不超过", "at most "),
    Comparator.APPROX_LESS: ("近", "nearly "),
    Comparator.APPROX: ("约", "about "),
}


_ENGLISH = {
    "人": "persons",
    "万人": "× 10,000 persons",
    "个村": "villages",
    "个": "",
    "倍": "times",
    "个百分点": "percentage points",
}


def unit_of(unit: str) -> tuple[str, Decimal] | None:
    """Give a unit's kind and size; ``万元/年`` is ``万元``, since every figure is a year's."""
    for suffix in _SUFFIXES:
        unit = unit.removesuffix(suffix)
    return _UNITS.get(unit)


def units_of_kinds(kinds: tuple[str, ...]) -> list[str]:
    """List the units of some kinds of quantity."""
    return [name for name, (kind, _) in _UNITS.items() if kind in kinds]


def decimals_of(value: Decimal) -> int:
    """Count the decimals that a figure was stated with."""
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def figure_words(
    comparator: Comparator | None, value: Decimal, value_to: Decimal | None, unit: str
) -> Text:
    """Write a stated figure with its comparator, as ``超 20 万元`` and ``over 20 万元``.

    Examples
    --------
    >>> figure_words(Comparator.APPROX_AT_LEAST, Decimal(1000), None, "人").zh
    '1,000 余人'
    """
    number, space = f"{value:,f}", "" if unit in ("%", "") else " "
    english = _ENGLISH.get(unit, unit)
    if unit == "第":
        return Text(f"第 {number}", f"no. {number}")
    if value_to is not None:
        upper = f"{value_to:,f}{space}"
        return Text(f"{number}—{upper}{unit}", f"{number} to {upper}{english}")
    if comparator is Comparator.APPROX_AT_LEAST:
        is_few_wan = unit.startswith("万") and value < 10
        zh = f"{number} 万余{unit[1:]}" if is_few_wan else f"{number} 余{unit}"
        return Text(zh, f"{number}{space}{english} or more")
    zh, en = _BEFORE.get(comparator or Comparator.EQUAL, ("", ""))
    return Text(f"{zh}{' ' if zh else ''}{number}{space}{unit}", f"{en}{number}{space}{english}")
