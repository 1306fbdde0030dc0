"""The panel record: one row per unit and period, each outcome with its unit of measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import polars as pl

from cps.errors import Finding
from cps.ledger.rows import SourceFile
from cps.periods import Frequency

PANEL_KEYS: dict[str, pl.DataType] = {
    "unit": pl.String(),
    "area": pl.String(),
    "period": pl.Int32(),  # ordinal, see cps.periods
    "period_label": pl.String(),
    "regime": pl.String(),
    "is_synthetic": pl.Boolean(),
}
# Of a panel of villages.
OUTCOME_MEASURES: dict[str, str] = {"income_yuan": "yuan", "jobs_persons": "persons"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an outcome column holds.

    Parameters
    ----------
    measure : str
        Its unit of measure: ``yuan``, ``persons``, ``minutes``, ``percent`` … or any text.
    form : {"level", "log"}
        The scale on which units are compared unless a design says otherwise.
    """

    measure: str
    form: Literal["level", "log"]


VILLAGE_OUTCOMES: Mapping[str, Outcome] = MappingProxyType(
    {"income_yuan": Outcome("yuan", "log"), "jobs_persons": Outcome("persons", "level")}
)


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A balanced frame of units × periods whose gaps are explicit nulls.

    Parameters
    ----------
    frame : polars.DataFrame
        ``PANEL_KEYS`` and one numeric column an outcome (``outcomes``): Int64 of money and people,
        Float64 of what is a mean, a share or a duration; sorted by unit and period; every unit has
        every period, a missing value is null.
    frequency : {"month", "quarter", "year"}
    unit_kind : str
        What a unit is: ``village``, ``firm``, ``lot`` …
    findings : tuple of Finding
    sources : tuple of SourceFile
    is_synthetic : bool
        True if any row is synthetic.
    outcomes : mapping of column to Outcome
        Unit of measure and scale of each outcome column; those of villages by default.
    """

    frame: pl.DataFrame
    frequency: Frequency
    unit_kind: str
    findings: tuple[Finding, ...]
    sources: tuple[SourceFile, ...]
    is_synthetic: bool
    outcomes: Mapping[str, Outcome] = field(default_factory=lambda: VILLAGE_OUTCOMES)
