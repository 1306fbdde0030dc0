"""Cases that last: how many are open at a period's end, and how many of those at risk end in it."""

from __future__ import annotations

import datetime

import polars as pl

from cps.periods import PERIODS_PER_YEAR, Frequency, ordinal
from cps.schemes.record import Measurement


def measure_spans(
    rows: pl.DataFrame, taken: Measurement, frequency: Frequency | None
) -> pl.DataFrame:
    """Count a stock, or take a hazard, by unit and period; of all periods together if None.

    A stock counts what began by the period's last day and has not ended by then. A hazard is the
    exits in a period over those at risk: begun before its first day and not ended before it. Of
    all periods together a stock is the last one, a hazard is exits over periods at risk.
    """
    start, end = pl.col(taken.start or ""), pl.col(taken.end or "")
    cases = rows.select(
        *([pl.col(taken.unit).alias("unit")] if taken.unit else []),
        start.cast(pl.Date).alias("start"),
        end.cast(pl.Date).alias("end"),
    ).drop_nulls(["start", *(["unit"] if taken.unit else [])])
    names = [*(["unit"] if taken.unit else []), "period"]
    if cases.is_empty():
        schema = {**cases.schema, "period": pl.Int32(), "value": pl.Float64(), "n_rows": pl.Int64()}
        kept = [*(names if frequency else names[:-1]), "value", "n_rows"]
        return pl.DataFrame(schema={name: schema[name] for name in kept})
    periods = _periods(cases, taken, frequency or "month")
    crossed = cases.join(periods, how="cross")
    if taken.take == "stock":
        counted = (pl.col("start") <= pl.col("last")) & (
            pl.col("end").is_null() | (pl.col("end") > pl.col("last"))
        )
        value = counted.sum().cast(pl.Float64)
        n_rows = (pl.col("start") <= pl.col("last")).sum().cast(pl.Int64)
        by_period = _by(crossed, names, [value.alias("value"), n_rows.alias("n_rows")])
        if frequency is not None:
            return by_period
        ends = by_period.filter(pl.col("period") == pl.col("period").max())
        return ends.drop("period")
    at_risk = (pl.col("start") < pl.col("first")) & (
        pl.col("end").is_null() | (pl.col("end") >= pl.col("first"))
    )
    exits = at_risk & (pl.col("end") <= pl.col("last")).fill_null(value=False)
    keys = names if frequency is not None else names[:-1]
    n = at_risk.sum()
    rate = pl.when(n > 0).then(exits.sum() / n)
    return _by(crossed, keys, [rate.alias("value"), n.cast(pl.Int64).alias("n_rows")])


def _by(frame: pl.DataFrame, keys: list[str], values: list[pl.Expr]) -> pl.DataFrame:
    if not keys:
        return frame.select(values)
    return frame.group_by(keys).agg(values).sort(keys)


def _periods(cases: pl.DataFrame, taken: Measurement, frequency: Frequency) -> pl.DataFrame:
    """Give each period from the first start to the last day observed, with its first and last day."""
    first = cases["start"].min()
    last = taken.until or max(
        one for one in (cases["end"].max(), cases["start"].max()) if one is not None
    )
    if not isinstance(first, datetime.date) or not isinstance(last, datetime.date):
        raise TypeError("dates")
    ordinals = range(ordinal(first, frequency), ordinal(last, frequency) + 1)
    starts = [_first_day(one, frequency) for one in (*ordinals, ordinals.stop)]
    day = datetime.timedelta(days=1)
    return pl.DataFrame(
        {
            "period": pl.Series(list(ordinals), dtype=pl.Int32),
            "first": pl.Series(starts[:-1], dtype=pl.Date),
            "last": pl.Series([one - day for one in starts[1:]], dtype=pl.Date),
        }
    )


def _first_day(period: int, frequency: Frequency) -> datetime.date:
    per_year = PERIODS_PER_YEAR[frequency]
    year, part = divmod(period, per_year)
    return datetime.date(year, part * 12 // per_year + 1, 1)
