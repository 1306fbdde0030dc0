"""What was read of a set of ledgers, held lean, in the forms that others take it in."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace

import polars as pl

from cps.errors import Finding
from cps.ledger._given import CELL
from cps.ledger._log import Source, refuse_rejected
from cps.ledger._reading import NEW_SYSTEM
from cps.ledger._torows import plain, to_rows
from cps.ledger.rows import FIGURES_SCHEMA, ITEM_NAMES, ITEMS, STOCKS, Figures, SourceFile
from cps.periods import PERIODS_PER_YEAR


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """What was read of a set of ledgers, lean, and everything found in it.

    Parameters
    ----------
    entries : polars.DataFrame, columns as ``ENTRIES_SCHEMA``, ``unit`` as the ledger has it
    series : polars.DataFrame
        The entries that have a period, ``unit`` settled by the registry.
    """

    entries: pl.DataFrame
    series: pl.DataFrame
    parts: list[Source]
    files: tuple[SourceFile, ...]
    findings: tuple[Finding, ...]

    @property
    def is_rejected(self) -> bool:
        """Whether any finding rejects."""
        return any(one.severity == "reject" for one in self.findings)

    def accepted(self) -> Inspection:
        """Give it back if nothing in it rejects.

        Raises
        ------
        LedgerError
            Names the first ten places.
        """
        refuse_rejected(self.findings)
        return self

    def rows(self) -> pl.DataFrame:
        """Give the entries as rows, columns as ``ROWS_SCHEMA``."""
        return to_rows(self.entries, self.parts)

    def until(self, last: datetime.date) -> Inspection:
        """Give it without the periods that end after ``last``; what has no period stays."""
        pairs = self.entries.select("frequency", "period_start").unique()
        late = [
            (frequency, start)
            for frequency, start in pairs.drop_nulls().iter_rows()
            if _next(start, 12 // PERIODS_PER_YEAR[frequency]) > last + datetime.timedelta(days=1)
        ]
        if not late:
            return self
        gone = pl.DataFrame(late, schema=pairs.schema, orient="row")
        entries, series = (
            frame.join(gone, on=["frequency", "period_start"], how="anti")
            for frame in (self.entries, self.series)
        )
        return replace(self, entries=entries, series=series)

    def figures(self) -> Figures:
        """Give the entries that have a period, as a panel takes them."""
        new_system = pl.col("period_start") >= pl.lit(NEW_SYSTEM)
        synthetic = [n for n, part in enumerate(self.parts) if part.is_synthetic]
        frame = (
            self.entries.lazy()
            .select(
                pl.int_range(pl.len(), dtype=pl.UInt32).alias("at"),
                pl.col("unit").alias("name"),
                "area",
                "period_start",
                "frequency",
                "item",
                "item_name",
                "cents",
                "emptiness",
                pl.when(new_system).then(pl.lit("2023")).otherwise(pl.lit("2004")).alias("regime"),
                pl.col("source").is_in(synthetic).alias("is_synthetic"),
            )
            .filter(pl.col("period_start").is_not_null())
            .cast(FIGURES_SCHEMA)  # type: ignore[arg-type]
            .collect()
        )
        return Figures(frame, self._places, self.findings, self.files)

    def _places(self, at: pl.Series) -> pl.DataFrame:
        # Entries stand in the order of their sheets, and so do the rows that are made of them.
        once = at.unique().sort()
        named = to_rows(self.entries[once], self.parts).select(
            once.alias("at"), "source_file", "sheet", "cell"
        )
        asked = pl.DataFrame({"at": at})
        return asked.join(named, on="at", how="left", maintain_order="left").drop("at")

    def table(self) -> pl.DataFrame:
        """Give the canonical table: ``village, month, item, value, unit``, in 元 and 人."""
        names = {item: ITEM_NAMES.get(item, item) for item in ITEMS}
        once = self.series.unique([*CELL, "item_name"], keep="first", maintain_order=True)
        period = (
            pl.when(pl.col("frequency") == "year")
            .then(pl.col("period_start").dt.strftime("%Y"))
            .when(pl.col("frequency") == "quarter")
            .then(
                pl.col("period_start").dt.strftime("%Y")
                + "Q"
                + pl.col("period_start").dt.quarter().cast(pl.String)
            )
            .otherwise(pl.col("period_start").dt.strftime("%Y-%m"))
        )
        return once.select(
            pl.col("unit").cast(pl.String).alias("village"),
            period.alias("month"),
            pl.col("item").cast(pl.String).replace(names).alias("item"),
            plain(pl.col("cents")).alias("value"),
            pl.when(pl.col("item").is_in(list(STOCKS)))
            .then(pl.lit("人"))
            .otherwise(pl.lit("元"))
            .alias("unit"),
        )


def _next(start: datetime.date, n_months: int) -> datetime.date:
    """Give the first day of the period after one of ``n_months``."""
    years, month = divmod(start.month - 1 + n_months, 12)
    return datetime.date(start.year + years, month + 1, 1)
