"""The panel record: one row per unit and period, money in whole 元, people in whole persons."""

from __future__ import annotations

from dataclasses import dataclass

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
OUTCOME_MEASURES: dict[str, str] = {"income_yuan": "yuan", "jobs_persons": "persons"}


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A balanced frame of units × periods whose gaps are explicit nulls.

    Parameters
    ----------
    frame : polars.DataFrame
        ``PANEL_KEYS`` and one Int64 column an outcome (``OUTCOME_MEASURES``); sorted by unit
        and period; every unit has every period, a missing value is null.
    frequency : {"month", "quarter", "year"}
    unit_kind : str
        What a unit is: ``village``, ``firm``, ``lot`` …
    findings : tuple of Finding
    sources : tuple of SourceFile
    is_synthetic : bool
        True if any row is synthetic.
    """

    frame: pl.DataFrame
    frequency: Frequency
    unit_kind: str
    findings: tuple[Finding, ...]
    sources: tuple[SourceFile, ...]
    is_synthetic: bool
