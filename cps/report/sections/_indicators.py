"""What the sections on indicators read from a run, and how they write a reading."""

from __future__ import annotations

from typing import Any

from cps.errors import Text
from cps.locale import Content, Kind, Message, Quantity, Words
from cps.report.sections._common import text_of
from cps.runs import Run

INCOME, JOBS = "income_yuan", "jobs_persons"
Row = dict[str, Any]
_KINDS: dict[str, Kind] = {
    "yuan": "money",
    "persons": "persons",
    "points": "points",
    "index": "index",
    "per_year": "index",
    "ratio": "ratio",
    "times": "ratio",
}


def asked(run: Run) -> Row:
    """Give the dates that were asked; empty without indicators."""
    found: Row = run.indicators.get("asked") or {}
    return found


def reading(
    run: Run,
    indicator: str,
    *,
    scope: str = "target",
    area: str | None = None,
    outcome: str = INCOME,
) -> Row | None:
    """Give one reading; None where it was not asked."""
    for row in run.indicators.get("readings") or ():
        if (row["indicator"], row["scope"], row["outcome"]) == (indicator, scope, outcome) and (
            area is None or row["area"] == area
        ):
            found: Row = row
            return found
    return None


def series(run: Run, indicator: str, *, outcome: str = INCOME) -> list[Row]:
    """Give an indicator year by year and area by area, the target first."""
    table = run.indicators.get("series") or {}
    return [
        {name: column[place] for name, column in table.items()}
        for place, found in enumerate(table.get("indicator", ()))
        if found == indicator and table["outcome"][place] == outcome
    ]


def at(
    run: Run,
    indicator: str,
    year: int | None,
    *,
    scope: str = "target",
    area: str | None = None,
    outcome: str = INCOME,
) -> Row | None:
    """Give an indicator's place in its series at a year."""
    table = run.indicators.get("series") or {}
    for place, found in enumerate(table.get("indicator", ())):
        if found != indicator or table["year"][place] != year:
            continue
        row = {name: column[place] for name, column in table.items()}
        if (row["scope"], row["outcome"]) == (scope, outcome) and area in (None, row["area"]):
            return row
    return None


def value_at(run: Run, indicator: str, year: int | None, **where: Any) -> float | None:
    """Give the value of an indicator at a year, or None."""
    row = at(run, indicator, year, **where)
    return None if row is None else row["value"]


def compared(run: Run) -> list[str]:
    """Give the areas that stand beside the target."""
    rows = run.indicators.get("readings") or ()
    return list(dict.fromkeys(row["area"] for row in rows if row["scope"] == "comparison"))


def area_name(area: str | None) -> Content:
    """Name an area; all units where the page is about no single one."""
    return area or Message("levels.everywhere")


def quantity(value: float | None, unit: str, *, is_signed: bool = False) -> Quantity:
    """Give a value in the unit of an indicator as a quantity."""
    if unit == "percent":
        return Quantity(None if value is None else value / 100, "share", is_signed=is_signed)
    return Quantity(value, _KINDS.get(unit, "number"), is_signed=is_signed)


def coverage(row: Row | None) -> Content:
    """Say how many of how many units a reading is made of."""
    return Message("grammar.absent") if row is None else f"{row['n_reported']}/{row['n_units']}"


def basis(row: Row) -> Text:
    """Give a reading's basis."""
    return text_of(row["basis"])


def difference(now: float | None, before: float | None) -> float | None:
    """Give the change between two values; None where one is absent."""
    return None if now is None or before is None else now - before


def has_break(run: Run) -> bool:
    """Tell whether the accounting system changed between the base year and the date."""
    dates = asked(run)
    regimes = dates.get("regimes") or {}
    ends = {regimes.get(str(dates.get(name))) for name in ("base", "period")} - {None}
    return len(ends) > 1


def line_points(run: Run, indicator: str, words: Words, unit: str) -> list[Row]:
    """Give an indicator's series as points of a line figure, one line an area."""
    return [
        {
            "year": str(row["year"]),
            "name": words.text(area_name(row["area"])),
            "value": scaled_value(row["value"], unit, words),
        }
        for row in series(run, indicator)
        if row["value"] is not None
    ]


def scaled_value(value: float, unit: str, words: Words) -> float:
    """Scale a value for a figure: money to the unit of the language, per cent as it is."""
    return words.axis_value(value, "money") if unit == "yuan" else value
