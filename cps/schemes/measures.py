"""One value of many cases: counts, sums, means, shares, ratios, stocks and hazards by unit and period."""

from __future__ import annotations

import polars as pl

from cps.periods import PERIODS_PER_YEAR, Frequency
from cps.schemes._spans import measure_spans
from cps.schemes.record import PERCENT_TAKES, SPANS, Measurement

# Sums of floats depend on their order in the last digits; no ledger has that many.
_DIGITS = 12


def measure(
    table: pl.DataFrame,
    taken: Measurement,
    frequency: Frequency | None,
    *,
    in_percent: bool = False,
) -> pl.DataFrame:
    """Take a measurement of a ledger's rows.

    Parameters
    ----------
    table : polars.DataFrame
        Of :class:`SchemeLedgers`.
    frequency : {"month", "quarter", "year"} or None
        Length of a period; None takes all periods as one.
    in_percent : bool
        Give a ratio in percent. Shares and hazards always are.

    Returns
    -------
    polars.DataFrame
        ``unit`` (where the measurement names one), ``period`` (Int32 ordinal, where there is one),
        ``value`` (Float64, null where there are fewer than ``least`` rows) and ``n_rows`` used;
        sorted.
    """
    rows = table.filter(_counts(table, taken))
    if taken.take in SPANS:
        found = measure_spans(rows, taken, frequency)
        return _scaled(found, taken, in_percent=in_percent)
    keys: list[pl.Expr] = []
    if taken.unit is not None:
        keys.append(pl.col(taken.unit).alias("unit"))
    if taken.period is not None and frequency is not None:
        keys.append(period_of(taken.period, frequency).alias("period"))
    names = [one.meta.output_name() for one in keys]
    columns = [one for one in (taken.of, taken.by, taken.classes) if one is not None]
    # A frame without a column has no rows to count.
    row = pl.int_range(pl.len()).alias("_row")
    used = (pl.col(one).alias(f"_{one}") for one in dict.fromkeys(columns))
    cases = rows.select(row, *keys, *used)
    cases = cases.drop_nulls(names).drop_nulls(
        [f"_{one}" for one in columns if one != taken.classes]
    )
    if taken.take == "standardised":
        found = _standardised(cases, taken, names)
    else:
        found = _by(cases, names, [_value(taken).alias("value"), _n().alias("n_rows")])
    return _scaled(found, taken, in_percent=in_percent)


def period_of(column: str, frequency: Frequency) -> pl.Expr:
    """Give the ordinal of the period that a date lies in."""
    per_year = PERIODS_PER_YEAR[frequency]
    month = pl.col(column).dt.month().cast(pl.Int32)
    year = pl.col(column).dt.year().cast(pl.Int32)
    return (year * per_year + (month - 1) * per_year // 12).cast(pl.Int32)


def _by(cases: pl.DataFrame, names: list[str], values: list[pl.Expr]) -> pl.DataFrame:
    if not names:
        return cases.select(values)
    return cases.sort(names, maintain_order=True).group_by(names, maintain_order=True).agg(values)


def _counts(table: pl.DataFrame, taken: Measurement) -> pl.Expr:
    """Say which rows count; a value that is not known is none of those named."""
    condition = pl.lit(value=True)
    for column, values in taken.only.items():
        is_flag = table.schema[column] == pl.Boolean
        named = [one for one in values if one not in ("!", "")]
        wanted = [one == "true" for one in named] if is_flag else named
        fits = pl.col(column).is_in(wanted).fill_null(value=False)
        if "!" in values:
            fits = fits | pl.col(column).is_not_null()
        if "" in values:
            fits = fits | pl.col(column).is_null()
        condition = condition & fits
    return condition


def _n() -> pl.Expr:
    return pl.len().cast(pl.Int64)


def _value(taken: Measurement) -> pl.Expr:
    if taken.take == "count":
        return pl.len().cast(pl.Float64)
    of = pl.col(f"_{taken.of}").cast(pl.Float64)
    if taken.take == "ratio":
        by = pl.col(f"_{taken.by}").sum()
        return pl.when(by != 0).then(of.sum() / by)
    if taken.take == "share_above":
        return (of > taken.limit).mean()
    if taken.take == "share_below":
        return (of < taken.limit).mean()
    if taken.take == "p90":
        return of.quantile(0.9, interpolation="linear")
    return {
        "sum": of.sum(),
        "mean": of.mean(),
        "median": of.median(),
        "last": of.last(),
        "share": of.mean(),
    }[taken.take]


def _standardised(cases: pl.DataFrame, taken: Measurement, names: list[str]) -> pl.DataFrame:
    """Average the classes' means with fixed weights, so that a change of mix moves nothing."""
    weights = pl.DataFrame(
        {"_class": list(taken.weights), "_weight": list(taken.weights.values())},
        schema={"_class": pl.String, "_weight": pl.Float64},
    ).filter(pl.col("_weight") > 0)
    of, classes = f"_{taken.of}", f"_{taken.classes}"
    means = _by(
        cases.filter(pl.col(classes).is_in(weights["_class"].to_list())),
        [*names, classes],
        [pl.col(of).mean().alias("_mean"), _n().alias("n_rows")],
    ).join(weights, left_on=classes, right_on="_class", how="left", maintain_order="left")
    whole = pl.col("_weight").sum()
    value = (pl.col("_mean") * pl.col("_weight")).sum() / whole
    if not taken.is_renormalised:
        value = pl.when(pl.len() == weights.height).then(value)
    return _by(means, names, [value.alias("value"), pl.col("n_rows").sum()])


def _scaled(found: pl.DataFrame, taken: Measurement, *, in_percent: bool) -> pl.DataFrame:
    is_percent = taken.take in PERCENT_TAKES or (in_percent and taken.take == "ratio")
    value = pl.col("value").cast(pl.Float64) * (100.0 if is_percent else 1.0)
    value = value.round_sig_figs(_DIGITS)
    is_enough = pl.col("n_rows") >= taken.least
    return found.with_columns(pl.when(is_enough).then(value).alias("value"))
