"""Exact money: 元, 万元 and 亿元 as decimals, never as floats."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

YUAN_PER_UNIT: dict[str, Decimal] = {
    "元": Decimal(1),
    "百元": Decimal(100),
    "千元": Decimal(1_000),
    "万元": Decimal(10_000),
    "百万元": Decimal(1_000_000),
    "亿元": Decimal(100_000_000),
}
PERSON_UNITS: frozenset[str] = frozenset({"人"})

YUAN_PER_WAN = 10_000


def to_yuan(amount: Decimal, unit: str) -> Decimal:
    """Convert an amount in ``unit`` to 元, exactly.

    Raises
    ------
    KeyError
        If ``unit`` is no money unit.
    """
    return amount * YUAN_PER_UNIT[unit]


def whole_yuan(amount: Decimal) -> int:
    """Round 元 to whole 元, half to even, as the panel keeps them."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
