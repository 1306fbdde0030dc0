"""The calendar: months, quarters and years as whole numbers that can be subtracted.

A period is an ordinal: the year for years, ``4 * year + quarter - 1`` for quarters and
``12 * year + month - 1`` for months, so that event time is a difference.
"""

from __future__ import annotations

import datetime
from typing import Literal

Frequency = Literal["month", "quarter", "year"]
PERIODS_PER_YEAR: dict[str, int] = {"month": 12, "quarter": 4, "year": 1}

_FIRST_YEAR = 1000  # what is counted below it is no year of a calendar


def ordinal(date: datetime.date, frequency: Frequency) -> int:
    """Give the ordinal of the period of ``frequency`` that holds ``date``."""
    per_year = PERIODS_PER_YEAR[frequency]
    return date.year * per_year + (date.month - 1) * per_year // 12


def label(period: int, frequency: Frequency) -> str:
    """Give the period's plain label: ``2023``, ``2023Q1`` or ``2023-01``.

    Months and quarters that were counted from anywhere but the calendar keep their number.
    """
    if frequency == "year" or period < _FIRST_YEAR * PERIODS_PER_YEAR[frequency]:
        return str(period)
    if frequency == "quarter":
        return f"{period // 4}Q{period % 4 + 1}"
    return f"{period // 12}-{period % 12 + 1:02d}"


def parse_start(text: str) -> datetime.date:
    """Read ``2019``, ``2019-05`` or ``2019-05-01`` as the first day meant.

    Raises
    ------
    ValueError
        If the text is none of these.
    """
    parts = [int(part) for part in text.strip().split("-")]
    if not 1 <= len(parts) <= 3:
        raise ValueError(text)
    return datetime.date(*[*parts, 1, 1][:3])
