"""What an initiative states for its appraisal: shares, running cost, life, each checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cps.errors import CpsError, Text
from cps.strict import Table


@dataclass(frozen=True, slots=True)
class _Range:
    """What a value may be: how many numbers, between which limits."""

    n: int  # 3: low, most likely, high; 2: least and most; 1: one whole number
    low: float
    high: float


_KEYS: dict[str, _Range] = {
    "surplus_share": _Range(3, -1.0, 1.0),
    "running_cost_yuan": _Range(3, 0.0, float("inf")),
    "life_years": _Range(1, 1, 30),
    "residual_share": _Range(3, 0.0, 1.0),
    "persistence": _Range(3, 0.0, 1.5),
    "sharing": _Range(3, 0.0, 1.0),
    "cost_overrun": _Range(3, 0.01, 10.0),
    "displacement": _Range(3, 0.0, 1.0),
    "permanent_share": _Range(2, 0.0, 1.0),
    "seasonal_months": _Range(2, 0.0, 12.0),
}
_SHAPES = {
    1: Text("写一个整数", "give one whole number"),
    2: Text(
        "写一个数，或由低到高写两个：[最低, 最高]", "give one number, or two rising: [least, most]"
    ),
    3: Text(
        "写一个数，或由低到高写三个：[低, 最可能, 高]",
        "give one number, or three rising: [low, most likely, high]",
    ),
}


def read_appraisal(table: Table) -> tuple[dict[str, tuple[float, ...]], Text | None]:
    """Read the table ``[appraisal]``: its values by key, and the source that it names.

    Returns
    -------
    values : dict of str to tuple of float
        Low, most likely and high (the same number three times where one is given); least and most.
    source : Text or None

    Raises
    ------
    InitiativeError
        If a key does not exist or a value can't be; names file and key.
    """
    table.keys([], [*_KEYS, "source"])
    source = table.bilingual("source") if "source" in table.content else None
    found = {key: _values(table, key, one) for key, one in _KEYS.items() if key in table.content}
    return found, source


def _values(table: Table, key: str, one: _Range) -> tuple[float, ...]:
    given = table.content[key]
    numbers = given if isinstance(given, list) else [given]
    is_whole = one.n == 1
    if not all(type(x) is int or (type(x) is float and not is_whole) for x in numbers) or len(
        numbers
    ) not in {1, one.n}:
        raise _fault(table, key, given, _SHAPES[one.n])
    values = tuple(float(x) for x in numbers) * (1 if len(numbers) == one.n else one.n)
    if list(values) != sorted(values):
        raise _fault(table, key, given, _SHAPES[one.n])
    if not all(one.low <= x <= one.high and x < float("inf") for x in values):
        limits = f"{one.low:g}–{one.high:g}"
        raise _fault(
            table,
            key,
            given,
            Text(f"应在 {limits} 之间", f"it must lie within {limits}")
            if one.high < float("inf")
            else Text("不应为负", "it can't be negative"),
        )
    return values * 3 if is_whole else values


def _fault(table: Table, key: str, given: Any, mend: Text) -> CpsError:
    return table.fault(key, Text(f"“{given}”不能用", f"{given!r} can't be used"), mend)
