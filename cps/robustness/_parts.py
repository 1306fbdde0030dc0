"""Amounts in words, as checks say them."""

from __future__ import annotations

import math

from cps.design.record import Design
from cps.errors import Text

MANY_CELLS = 250_000  # units times periods from which on fewer estimates are made anew


def several(n: int, noun: str) -> str:
    """Write a number of things in English: 1 unit, 2 units."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def amount(design: Design, value: float) -> Text:
    """Write an effect on the design's scale as a clerk would say it."""
    if design.form == "log":
        return Text(*[f"{100 * math.expm1(value):+.1f}%"] * 2)
    if design.measure == "yuan":
        return Text(f"{value / 1e4:+.1f}万元", f"CNY {value:+,.0f}")
    if design.measure == "persons":
        return Text(f"{value:+.1f}人", f"{value:+.1f} persons")
    return Text(*[f"{value:+.3g}"] * 2)
