"""Lean entries to rows: what is constant for a sheet written out, cells named."""

from __future__ import annotations

import polars as pl

from cps.ledger._log import Source
from cps.ledger._reading import NEW_SYSTEM
from cps.ledger.containers.record import cell_name
from cps.ledger.rows import ITEMS, ROWS_SCHEMA


def plain(cents: pl.Expr) -> pl.Expr:
    """Give hundredths as the shortest decimal text."""
    sign = pl.when(cents < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    whole = (cents.abs() // 100).cast(pl.String)
    rest = (cents.abs() % 100).cast(pl.String).str.zfill(2)
    fraction = pl.when(rest == "00").then(pl.lit("")).otherwise("." + rest.str.strip_chars_end("0"))
    return pl.when(cents.is_not_null()).then(sign + whole + fraction)


def to_rows(entries: pl.DataFrame, parts: list[Source]) -> pl.DataFrame:
    """Write out what is constant for a sheet, and name each cell: columns as ``ROWS_SCHEMA``."""
    letters = {column: cell_name(0, column)[:-1] for column in entries["column"].unique().to_list()}
    # A part at a time: of millions of rows no more than one part's lie there half made.
    frames = [
        _of_part(rows, part, letters)
        for number, part in enumerate(parts)
        if (rows := entries.filter(pl.col("source") == number)).height
    ]
    return pl.concat(frames) if frames else pl.DataFrame(schema=ROWS_SCHEMA)


def _of_part(rows: pl.DataFrame, part: Source, letters: dict[int, str]) -> pl.DataFrame:
    line = pl.col("row").cast(pl.Int64) + 1
    if part.lines is not None:
        line = pl.lit(pl.Series([part.line(row) for row in rows["row"]], dtype=pl.Int64))
    measure = pl.col("item").cast(pl.String).replace_strict(ITEMS, return_dtype=pl.String)
    new_system = pl.col("period_start") >= pl.lit(NEW_SYSTEM)
    return rows.select(
        "unit",
        "area",
        "project",
        "period_start",
        "frequency",
        "item",
        "item_name",
        plain(pl.col("cents")).cast(pl.Decimal(20, 2)).alias("value"),
        "text",
        measure.alias("measure"),
        "emptiness",
        pl.when(pl.col("period_start").is_not_null())
        .then(pl.when(new_system).then(pl.lit("2023")).otherwise(pl.lit("2004")))
        .alias("regime"),
        pl.lit(part.is_synthetic, dtype=pl.Boolean).alias("is_synthetic"),
        pl.lit(part.layout, dtype=pl.String).alias("layout"),
        pl.lit(part.file, dtype=pl.String).alias("source_file"),
        pl.lit(part.sheet, dtype=pl.String).alias("sheet"),
        (
            pl.col("column").replace_strict(letters, return_dtype=pl.String) + line.cast(pl.String)
        ).alias("cell"),
    ).cast(ROWS_SCHEMA)  # type: ignore[arg-type]
