"""Indicator cards: what is claimed of a scheme, what its ledgers show, and whether an effect can be had."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cps.errors import PanelError, Text
from cps.facts import Facts
from cps.provenance import write_json
from cps.schemes._stated import Claimed, claimed
from cps.schemes.measures import measure
from cps.schemes.reader import SchemeLedgers
from cps.schemes.record import SPANS, Indicator, Scheme

CARD = "scheme.json"


@dataclass(frozen=True, slots=True)
class Value:
    """An indicator in one calendar year, or over all rows where ``year`` is None.

    Parameters
    ----------
    value : float or None
        In the indicator's measure; None where nothing could be measured.
    n_used, n_rows : int
        Cases that it rests on, of the cases that it speaks of.
    """

    year: int | None
    value: float | None
    n_used: int
    n_rows: int


@dataclass(frozen=True, slots=True)
class Figure:
    """An indicator with its formula and, where a ledger is there, its values."""

    id: str
    name: Text
    formula: Text
    measure: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that the card of one scheme says.

    Parameters
    ----------
    claims : tuple of Claimed
    design, methods : Text or None
        What would be compared with what; None where no effect can be estimated.
    files : tuple of str
        Ledgers read; empty where none were there.
    is_synthetic : bool
        True if the values come from made-up ledgers.
    can_run : bool
        True if ``cps run --scheme`` evaluates it.
    """

    id: str
    name: Text
    is_evaluable: str
    can_run: bool
    uses_initiatives: bool
    reason: Text
    unit_kind: str
    claims: tuple[Claimed, ...]
    figures: tuple[Figure, ...]
    series_needed: tuple[Text, ...]
    threats: tuple[Text, ...]
    design: Text | None
    methods: Text | None
    files: tuple[str, ...]
    is_synthetic: bool


def make_card(scheme: Scheme, facts: Facts, ledgers: SchemeLedgers | None = None) -> Card:
    """Make a scheme's card.

    Parameters
    ----------
    facts : Facts
        Where its claims are looked up.
    ledgers : SchemeLedgers or None
        None gives the indicators without values.
    """
    return Card(
        id=scheme.id,
        name=scheme.name,
        is_evaluable=scheme.is_evaluable,
        can_run=scheme.can_run,
        uses_initiatives=scheme.uses_initiatives,
        reason=scheme.reason,
        unit_kind=scheme.unit_kind,
        claims=tuple(claimed(facts.fact(one)) for one in scheme.claims),
        figures=tuple(_figure(one, ledgers) for one in scheme.indicators),
        series_needed=scheme.series_needed,
        threats=scheme.threats,
        design=scheme.design.description if scheme.design else None,
        methods=scheme.design.methods if scheme.design else None,
        files=tuple(one.name for one in ledgers.sources) if ledgers else (),
        is_synthetic=ledgers.is_synthetic if ledgers else False,
    )


def save_card(card: Mapping[str, Any], folder: Path) -> Path:
    """Keep a card, as plain values, beside the panel's initiative."""
    write_json(folder / CARD, card)
    return folder / CARD


def load_card(panel: Path | str) -> dict[str, Any]:
    """Read the card that lies with a scheme's panel, as plain values.

    Raises
    ------
    PanelError
        If there is none: the panel is not a scheme's.
    """
    path = Path(panel) / "initiatives" / CARD
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise PanelError(
            Text("面板中没有举措卡，它不是某项举措的面板", "the panel holds no scheme's card"),
            where=str(path),
            mend=Text("用 cps run --scheme 生成", "make it with cps run --scheme"),
        ) from error


def _figure(indicator: Indicator, ledgers: SchemeLedgers | None) -> Figure:
    values: Sequence[Value] = ()
    if ledgers is not None:
        table = ledgers.tables[indicator.measurement.ledger]
        values = _values(indicator, table) if table.height else ()
    return Figure(indicator.id, indicator.name, indicator.formula, indicator.measure, tuple(values))


def _values(indicator: Indicator, table: pl.DataFrame) -> list[Value]:
    """Measure an indicator by calendar year, or over all rows where it has no date."""
    taken = indicator.measurement
    is_yearly = taken.period is not None or taken.take in SPANS
    found = measure(
        table, taken, "year" if is_yearly else None, in_percent=indicator.measure == "percent"
    )
    if indicator.over is not None:
        found = _over_units(found, indicator.over, by_year=is_yearly)
    rows = _rows_spoken_of(indicator, table, by_year=is_yearly)
    values = []
    for one in found.iter_rows(named=True):
        year = one.get("period")
        n_used = int(one["n_rows"])
        values.append(Value(year, one["value"], n_used, max(rows.get(year, n_used), n_used)))
    return sorted(values, key=lambda one: one.year or 0)


def _over_units(found: pl.DataFrame, over: str, *, by_year: bool) -> pl.DataFrame:
    """Put units together, each counted once."""
    known = found.filter(pl.col("value").is_not_null())
    value = pl.col("value").mean() if over == "mean" else pl.col("value").median()
    columns = [value.round_sig_figs(12), pl.col("n_rows").sum()]
    if not by_year:
        return known.select(columns)
    return known.group_by("period", maintain_order=True).agg(columns)


def _rows_spoken_of(
    indicator: Indicator, table: pl.DataFrame, *, by_year: bool
) -> dict[int | None, int]:
    """Count the cases of each year, whether or not what is measured is known of them."""
    taken = indicator.measurement
    if taken.take in SPANS:
        return {}
    import dataclasses

    all_cases = dataclasses.replace(taken, take="count", of=None, by=None, classes=None, unit=None)
    counted = measure(table, all_cases, "year" if by_year else None)
    return {one.get("period"): int(one["n_rows"]) for one in counted.iter_rows(named=True)}
