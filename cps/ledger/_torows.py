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
    about = pl.DataFrame(
        {
            "source": pl.Series(range(len(parts)), dtype=pl.UInt16),
            "layout": pl.Series([one.layout for one in parts], dtype=pl.String),
            "source_file": pl.Series([one.file for one in parts], dtype=pl.String),
            "sheet": pl.Series([one.sheet for one in parts], dtype=pl.String),
            "is_synthetic": pl.Series([one.is_synthetic for one in parts], dtype=pl.Boolean),
        }
    )
    letters = {column: cell_name(0, column)[:-1] for column in entries["column"].unique().to_list()}
    lines = pl.col("row").cast(pl.Int64) + 1
    frames = []
    for number, part in enumerate(parts):
        rows = entries.filter(pl.col("source") == number)
        if rows.is_empty():
            continue
        line = lines
        if part.lines is not None:
            line = pl.lit(pl.Series([part.line(row) for row in rows["row"]], dtype=pl.Int64))
        frames.append(rows.with_columns(line.alias("line")))
    if not frames:
        return pl.DataFrame(schema=ROWS_SCHEMA)
    whole = pl.concat(frames).join(about, on="source", how="left", maintain_order="left")
    measure = pl.col("item").cast(pl.String).replace_strict(ITEMS, return_dtype=pl.String)
    new_system = pl.col("period_start") >= pl.lit(NEW_SYSTEM)
    return whole.select(
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
        "is_synthetic",
        "layout",
        "source_file",
        "sheet",
        (
            pl.col("column").replace_strict(letters, return_dtype=pl.String)
            + pl.col("line").cast(pl.String)
        ).alias("cell"),
    ).cast(ROWS_SCHEMA)  # type: ignore[arg-type]
