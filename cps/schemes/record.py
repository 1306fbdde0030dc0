"""One scheme as its file declares it: what is claimed, what is counted, what is compared."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Literal

from cps.design.record import Assumption
from cps.errors import Text
from cps.ledger.tables import TableLayout
from cps.periods import Frequency

EVALUABLE: tuple[str, ...] = ("yes", "partly", "no")
UNIT_KINDS: tuple[str, ...] = (
    "village",
    "firm",
    "lot",
    "grid_cell",
    "centre",
    "office",
    "application",
    "household",
    "item",
    "person",
    "seller",
    "line",
    "station",
    "alliance",
    "subdistrict",
    "unit",
)
# Row-wise columns: rule -> its keys.
DERIVED: dict[str, tuple[str, ...]] = {
    "minutes_between": ("from", "to"),
    "hours_between": ("from", "to"),
    "days_between": ("from", "to"),
    "ratio": ("of", "by"),
    "difference": ("of", "by"),
    "product": ("of", "by"),
    "at_most": ("of", "limit"),
    "at_least": ("of", "limit"),
    "within": ("of", "low", "high"),
    "is_missing": ("of",),
    "is_known": ("of",),
    "log": ("of",),
    "year": ("of",),
}
# Ways to take one value of many rows: way -> keys it needs besides the ledger.
TAKES: dict[str, tuple[str, ...]] = {
    "count": (),
    "sum": ("of",),
    "mean": ("of",),
    "median": ("of",),
    "p90": ("of",),
    "last": ("of",),
    "share": ("of",),
    "share_above": ("of", "limit"),
    "share_below": ("of", "limit"),
    "ratio": ("of", "by"),
    "standardised": ("of", "classes", "weights"),
    "stock": ("start", "end"),
    "hazard": ("start", "end"),
}
PERCENT_TAKES = frozenset({"share", "share_above", "share_below", "hazard"})
SPANS = frozenset({"stock", "hazard"})


@dataclass(frozen=True, slots=True)
class Derived:
    """A column made of others of the same row; ``keys`` as in ``DERIVED``."""

    id: str
    rule: str
    keys: dict[str, str | float]


@dataclass(frozen=True, slots=True)
class SchemeLedger:
    """One kind of ledger of a scheme.

    ``is_complete_log`` says that a unit without a row had no event: counts and sums are 0 then.
    """

    layout: TableLayout
    derived: tuple[Derived, ...] = ()
    is_complete_log: bool = False

    @property
    def id(self) -> str:
        """Name in the scheme's file."""
        return self.layout.id


@dataclass(frozen=True, slots=True)
class Measurement:
    """How one value is taken of many rows of a ledger.

    Parameters
    ----------
    take : str
        One of ``TAKES``.
    unit, period : str or None
        Columns by which it is taken: the unit's name, and a date.
    only : dict of column to tuple of values
        Rows that count; ``!`` is any value, an empty text is none.
    least : int
        Rows without which there is no value.
    weights : dict of class to float
        Of ``standardised``; they sum to 1.
    until : date or None
        Of ``stock`` and ``hazard``: last day observed.
    """

    ledger: str
    take: str
    of: str | None = None
    by: str | None = None
    limit: float | None = None
    unit: str | None = None
    period: str | None = None
    start: str | None = None
    end: str | None = None
    until: datetime.date | None = None
    classes: str | None = None
    weights: dict[str, float] = field(default_factory=dict)
    is_renormalised: bool = False
    only: dict[str, tuple[str, ...]] = field(default_factory=dict)
    least: int = 1


@dataclass(frozen=True, slots=True)
class SchemeOutcome:
    """A column of the panel: what it measures, in which unit, on which scale it is compared."""

    id: str
    name: Text
    measure: str
    form: Literal["level", "log"]
    measurement: Measurement


@dataclass(frozen=True, slots=True)
class Indicator:
    """A figure of the card, with its formula in words.

    ``over`` says how units are put together (``mean`` or ``median``) where the value is taken of
    each unit first; None takes it of all rows at once.
    """

    id: str
    name: Text
    formula: Text
    measure: str
    measurement: Measurement
    over: str | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """The ledger that lists the units: columns of name, area, start and exclusion."""

    ledger: str
    unit: str
    area: str | None
    start: str
    exclude: str | None = None


@dataclass(frozen=True, slots=True)
class SchemeDesign:
    """What is compared with what, by which family of methods, and what that takes for granted."""

    description: Text
    methods: Text
    comparison_areas: tuple[str, ...] = ()
    anticipation: int = 0
    assumptions: tuple[Assumption, ...] = ()


@dataclass(frozen=True, slots=True)
class Scheme:
    """One scheme that the source names.

    Parameters
    ----------
    is_evaluable : {"yes", "partly", "no"}
    reason : Text
        Why an effect can, or can't, be estimated.
    claims : tuple of str
        Ids of the facts that it answers.
    unit_kind : str
        What a unit of its panel is, one of ``UNIT_KINDS``.
    series_needed, threats : tuple of Text
    uses_initiatives : bool
        True for the projects, which have files of their own.
    source_sha256 : str
        Of the file.
    """

    id: str
    name: Text
    is_evaluable: str
    reason: Text
    claims: tuple[str, ...]
    unit_kind: str
    frequency: Frequency
    series_needed: tuple[Text, ...]
    threats: tuple[Text, ...]
    ledgers: tuple[SchemeLedger, ...]
    register: Register | None
    outcomes: tuple[SchemeOutcome, ...]
    indicators: tuple[Indicator, ...]
    design: SchemeDesign | None
    uses_initiatives: bool
    source_sha256: str

    @property
    def can_run(self) -> bool:
        """True if the engine can evaluate it: it has a register, outcomes and a design."""
        return self.design is not None

    def ledger(self, name: str) -> SchemeLedger:
        """Give a ledger by id."""
        return next(one for one in self.ledgers if one.id == name)
