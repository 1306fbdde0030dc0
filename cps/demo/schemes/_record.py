"""What a generator of scheme ledgers gives: files to write, clean outcomes, targets that were met."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from cps.design.record import Form
from cps.periods import Frequency, label

Value = str | int | float | datetime.date | datetime.datetime | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """One file as an office keeps it.

    Parameters
    ----------
    name : str
        File name without the leading mark; its ending, ``.csv`` or ``.xlsx``, is its kind.
    title : str
        First row, before the mark.
    columns : mapping of header to values
        Equally long; None is an empty cell.
    money : mapping of header to unit
        Columns of money, given in 元, and the unit that the office writes them in.
    dates : str
        How the office writes days: ``dash``, ``slash`` or ``words``.
    """

    name: str
    title: str
    columns: Mapping[str, Sequence[Any]]
    money: Mapping[str, str] = field(default_factory=dict)
    dates: str = "dash"


@dataclass(frozen=True, slots=True)
class Target:
    """A published figure that the ledger is calibrated to, and what the ledger says."""

    fact: str  # fact id
    relation: str  # =, >, >=, <, <=, between
    wanted: float | tuple[float, float]
    reached: float
    unit: str

    @property
    def is_met(self) -> bool:
        """True if the ledger's figure stands in the stated relation to the published one."""
        if isinstance(self.wanted, tuple):
            return bool(self.wanted[0] <= self.reached <= self.wanted[1])
        is_equal = bool(abs(self.reached - self.wanted) <= 1e-9 * max(1.0, abs(self.wanted)))
        if self.relation in ("=", ">=", "<=") and is_equal:
            return True
        is_above = bool(self.reached > self.wanted)
        return is_above if self.relation in (">", ">=") else self.relation != "=" and not is_above


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One outcome by unit and period, as it came and as it would have come without the scheme.

    Parameters
    ----------
    observed, untreated : polars.DataFrame
        ``unit``, ``period`` (ordinal), ``value``; None where nothing was recorded.
    """

    name: str
    measure: str
    form: Form
    frequency: Frequency
    observed: pl.DataFrame
    untreated: pl.DataFrame

    def effects(self, starts: Mapping[str, int]) -> pl.DataFrame:
        """Give ``unit``, ``period``, ``effect`` of treated cells, on the scale of the form."""
        scale = pl.col("value").log() if self.form == "log" else pl.col("value")
        cohort = pl.DataFrame(
            {"unit": list(starts), "cohort": list(starts.values())},
            schema={"unit": pl.String, "cohort": pl.Int64},
        )
        with_scheme = self.observed.select("unit", "period", scale.alias("with"))
        return (
            self.untreated.select("unit", "period", scale.alias("without"))
            .join(with_scheme, on=["unit", "period"])
            .join(cohort, on="unit")
            .filter(pl.col("period") >= pl.col("cohort"))
            .with_columns((pl.col("with") - pl.col("without")).alias("effect"))
            .drop_nulls("effect")
            .sort("unit", "period")
            .select("unit", "period", "effect")
        )


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One drawn world of a scheme.

    Parameters
    ----------
    unit_kind : str
    areas : mapping of unit to its area
    starts : mapping of treated unit to its first treated period
    near : tuple of str
        Untreated units near treated ones: never a comparison.
    outcomes : tuple of Outcome
        The headline first.
    naive : mapping
        What a before-after comparison of the ledger's own headline figure says, by name.
    notes : mapping
        Further truth: what drives the difference between the naive figure and the effect.
    """

    unit_kind: str
    areas: Mapping[str, str]
    starts: Mapping[str, int]
    outcomes: tuple[Outcome, ...]
    ledgers: tuple[Ledger, ...]
    targets: tuple[Target, ...]
    naive: Mapping[str, float]
    notes: Mapping[str, Any]
    near: tuple[str, ...] = ()

    def frame(self, outcome: str | None = None) -> pl.DataFrame:
        """Give one outcome as a tidy frame: unit, area, period, value, cohort, ring, is_synthetic."""
        chosen = next(one for one in self.outcomes if outcome in (None, one.name))
        units = list(self.areas)
        known = pl.DataFrame(
            {
                "unit": units,
                "area": list(self.areas.values()),
                "cohort": [self.starts.get(one) for one in units],
                "ring": [one in self.near for one in units],
            },
            schema_overrides={"cohort": pl.Int64},
        )
        return (
            chosen.observed.join(known, on="unit")
            .with_columns(pl.lit(True).alias("is_synthetic"))
            .sort("unit", "period")
        )

    def truth(self) -> dict[str, Any]:
        """Give the truth as plain values: effects by outcome, unit and period; targets; naive figures."""
        effects: dict[str, Any] = {}
        for one in self.outcomes:
            cells = one.effects(self.starts)
            by_unit: dict[str, dict[str, float]] = {}
            for unit, period, effect in cells.iter_rows():
                by_unit.setdefault(unit, {})[label(period, one.frequency)] = round(effect, 6)
            mean = cells["effect"].mean()
            effects[one.name] = {
                "measure": "log_points" if one.form == "log" else one.measure,
                "form": one.form,
                "att": round(float(mean), 6) if isinstance(mean, int | float) else None,
                "n_cells": cells.height,
                "by_unit": by_unit,
            }
        frequency = self.outcomes[0].frequency if self.outcomes else "year"
        return {
            "unit_kind": self.unit_kind,
            "n_units": len(self.areas),
            "n_treated": len(self.starts),
            "starts": {unit: label(one, frequency) for unit, one in self.starts.items()},
            "effects": effects,
            "before_after": {name: round(float(value), 6) for name, value in self.naive.items()},
            "calibration": [
                {
                    "fact": one.fact,
                    "relation": one.relation,
                    "wanted": list(one.wanted) if isinstance(one.wanted, tuple) else one.wanted,
                    "reached": round(float(one.reached), 6),
                    "unit": one.unit,
                    "is_met": one.is_met,
                }
                for one in self.targets
            ],
            "notes": dict(self.notes),
        }
