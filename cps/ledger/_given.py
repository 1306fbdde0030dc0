"""What the rules of meaning look at: every entry read, its village settled, and where it stands."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from cps.errors import Severity, Text
from cps.ledger._log import KEPT, Log, Source
from cps.ledger._reading import CORRECT
from cps.ledger.containers.record import cell_name
from cps.ledger.names import Registry
from cps.ledger.rows import ITEM_NAMES, ITEMS

FLOWS = tuple(item for item in ITEM_NAMES if ITEMS[item] == "yuan")
PARTS = {
    "total_income": (
        "agricultural_income",
        "tourism_income",
        "ecommerce_income",
        "labour_income",
        "other_income",
    ),
    "operating_income": ("direct_operating_income", "contract_income", "investment_income"),
}
CELL = ["unit", "period_start", "frequency", "item"]


@dataclass(slots=True)
class Given:
    """The entries of a set of ledgers.

    Parameters
    ----------
    series : polars.DataFrame
        Entries that have a period, columns as ``ENTRIES_SCHEMA``, with ``unit`` settled and
        ``name`` as the ledger has it.
    sources : list of Source
    log : Log
    registry : Registry or None
    as_of : date
    """

    series: pl.DataFrame
    sources: list[Source]
    log: Log
    registry: Registry | None
    as_of: datetime.date

    def where(self, wanted: pl.Expr, *columns: str) -> pl.DataFrame:
        """Give the entries of which ``wanted`` is true, with these columns only if any is named."""
        # Of millions of entries no more is copied than a rule looks at.
        found = self.series.lazy().filter(wanted)
        return (found.select(*columns) if columns else found).collect()

    def items(self, *wanted: str) -> list[str]:
        """Give those of ``wanted`` that there are entries of."""
        there = set(self.series["item"].unique().to_list())
        return [one for one in wanted if one in there]

    def say(
        self,
        code: str,
        severity: Severity,
        what: Text,
        entry: dict[str, Any],
        *,
        mend: Text = CORRECT,
        value: str | None = None,
        count: int = 1,
        said: str | None = None,
        is_of_name: bool = False,
    ) -> None:
        """Record a finding at one entry's cell, or at its village's name."""
        named = self.sources[entry["source"]].unit_at if is_of_name else None
        self.log.add(
            code,
            severity,
            what,
            source=self.sources[entry["source"]],
            at=(entry["row"], entry["column"] if named is None else named),
            said=self.label(entry) if said is None else said,
            mend=mend,
            value=shown(entry.get("cents")) if value is None else value,
            count=count,
        )

    def say_each(
        self,
        code: str,
        severity: Severity,
        what: Callable[[dict[str, Any]], Text],
        entries: pl.DataFrame,
        *,
        mend: Text = CORRECT,
    ) -> None:
        """Record a finding at each entry, the first hundred with their places."""
        for entry in entries.head(KEPT).to_dicts():
            self.say(code, severity, what(entry), entry, mend=mend)
        self.log.totals[code] += max(entries.height - KEPT, 0)

    def label(self, entry: dict[str, Any]) -> str:
        """Name an entry as a clerk would: village, period, item."""
        item = ITEM_NAMES.get(entry.get("item") or "", entry.get("item") or "")
        parts = [entry.get("name") or entry.get("unit"), period_text(entry), item]
        return ", ".join(str(one) for one in parts if one)

    def place(self, entry: dict[str, Any]) -> str:
        """Give ``file › sheet › B7`` of an entry."""
        source = self.sources[entry["source"]]
        return f"{source.where} › {cell_name(source.line(entry['row']) - 1, entry['column'])}"


def shown(cents: int | None) -> str | None:
    """Give hundredths as a number without needless zeros."""
    if cents is None:
        return None
    whole, rest = divmod(abs(cents), 100)
    text = f"{whole}.{rest:02}".rstrip("0").rstrip(".") if rest else str(whole)
    return f"-{text}" if cents < 0 else text


def period_text(entry: dict[str, Any]) -> str:
    """Give an entry's period: ``2023-05``, ``2023Q2`` or ``2023``."""
    start, frequency = entry.get("period_start"), entry.get("frequency")
    if start is None:
        return ""
    if frequency == "year":
        return str(start.year)
    if frequency == "quarter":
        return f"{start.year}Q{(start.month + 2) // 3}"
    return f"{start:%Y-%m}"
