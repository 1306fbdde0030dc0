"""Parts of income and other companions of an outcome, from a table of amounts to years."""

from __future__ import annotations

import polars as pl

from cps.errors import Text, UsageError
from cps.indicators.series_names import SERIES
from cps.units import YUAN_PER_UNIT

_ALSO = {"unit": "village", "period": "month"}  # as the canonical table of `cps check` calls them
_STOCKS = ("members_persons", "jobs_persons")
_SHAPE = r"^(\d{4})(?:-(\d{1,2})|Q([1-4]))?$"


def amounts_by_year(table: pl.DataFrame) -> pl.DataFrame:
    """Bring a table of amounts to years, as ``add_components`` takes them.

    Parameters
    ----------
    table : polars.DataFrame
        One row an amount: ``unit`` (or ``village``), ``period`` (or ``month``: ``2023``, ``2023Q1``
        or ``2023-01``), ``item`` (a code such as ``subsidy_income_yuan``, or its name in a ledger,
        补助收入), ``value``, and, if ``unit_of_measure`` (or ``unit`` beside ``village``) is there,
        元, 万元 … or 人. The canonical table that ``cps check --table`` writes is one.

    Returns
    -------
    polars.DataFrame
        ``unit, period, item, value``: years in which all twelve months or four quarters are there
        (or the year itself); what comes in is summed, what stands at a date is read at its end.
        Items that no indicator needs are left aside.

    Raises
    ------
    UsageError
        If a column lacks, or a period or a value is none.
    """
    named = _columns(table)
    codes = {**{text.zh: code for code, text in SERIES.items()}, **{code: code for code in SERIES}}
    parts = pl.col("period").str.extract_groups(_SHAPE)
    rows = (
        named.with_columns(item=pl.col("item").replace_strict(codes, default=None))
        .filter(pl.col("item").is_not_null())
        .with_columns(
            year=parts.struct.field("1").cast(pl.Int64),
            month=parts.struct.field("2").cast(pl.Int64),
            quarter=parts.struct.field("3").cast(pl.Int64),
            amount=pl.col("value").cast(pl.Float64, strict=False)
            * pl.col("measure").replace_strict(
                {name: float(per) for name, per in YUAN_PER_UNIT.items()}, default=1.0
            ),
        )
    )
    wrong = rows.filter(pl.col("year").is_null() | pl.col("amount").is_null())
    if wrong.height:
        raise _wrong(
            f"{wrong['period'][0]} · {wrong['value'][0]}",
            Text(
                "期间写作 2023、2023Q1 或 2023-01，数值为数字",
                "write 2023, 2023Q1 or 2023-01, and a number",
            ),
        )
    per_year = (
        pl.when(pl.col("month").is_not_null())
        .then(12)
        .when(pl.col("quarter").is_not_null())
        .then(4)
        .otherwise(1)
    )
    is_stock = pl.col("item").is_in(_STOCKS)
    return (
        rows.with_columns(
            per_year=per_year, place=pl.coalesce("month", "quarter", pl.lit(1, pl.Int64))
        )
        .sort("unit", "item", "year", "per_year", "place")
        .group_by("unit", "item", "year", "per_year", maintain_order=True)
        .agg(
            n=pl.col("place").n_unique(),
            total=pl.col("amount").sum(),
            last=pl.col("amount").last(),
        )
        .filter(pl.col("n") == pl.col("per_year"))
        .unique(["unit", "item", "year"], keep="first", maintain_order=True)
        .select(
            "unit",
            "item",
            period=pl.col("year"),
            value=pl.when(is_stock).then("last").otherwise("total"),
        )
    )


def _columns(table: pl.DataFrame) -> pl.DataFrame:
    """Give the columns their names here, all as text."""
    has_village = "village" in table.columns
    names = {name: also if also in table.columns else name for name, also in _ALSO.items()}
    measure = "unit" if has_village and "unit" in table.columns else "unit_of_measure"
    wanted = {**names, "item": "item", "value": "value"}
    lacking = [name for name in wanted.values() if name not in table.columns]
    if lacking:
        raise _wrong(
            "、".join(table.columns),
            Text(f"须有列 {'、'.join(wanted)}", f"it takes the columns {', '.join(wanted)}"),
        )
    chosen = [
        pl.col(old).cast(pl.String).str.strip_chars().alias(new) for new, old in wanted.items()
    ]
    given = pl.col(measure) if measure in table.columns else pl.lit("元")
    return table.select(*chosen, given.cast(pl.String).alias("measure"))


def _wrong(where: str, mend: Text) -> UsageError:
    return UsageError(
        Text("金额表无法读取", "the table of amounts can't be read"), where=where, mend=mend
    )
