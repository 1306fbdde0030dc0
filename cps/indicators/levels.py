"""Yearly levels of an outcome: total, mean and median by area and year, and their growth."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from cps.errors import Text
from cps.panel.record import Panel
from cps.periods import PERIODS_PER_YEAR

YEAR_ON_YEAR_FORMULA = Text(
    "同比（%）=（本年合计 ÷ 上年合计 − 1）× 100",
    "year on year (%) = (this year's total ÷ last year's total − 1) × 100",
)
YEARLY_GAIN_FORMULA = Text(
    "年均增加额 =（末年村均值 − 基年村均值）÷ 间隔年数",
    "mean yearly gain = (mean of last year − mean of base year) ÷ years between",
)
STOCKS = frozenset({"jobs_persons"})


def yearly_values(panel: Panel, outcome: str) -> pl.DataFrame:
    """Bring an outcome to years: sums for flows, the last period of the year for stocks.

    A year counts only if every one of its periods is there; otherwise its value is null.

    Returns
    -------
    polars.DataFrame
        ``unit, area, year, regime, value`` (Int64, 元 or 人), sorted by unit and year; ``regime``
        is the accounting system at the year's end.
    """
    per_year = PERIODS_PER_YEAR[panel.frequency]
    if outcome in STOCKS:
        is_whole = pl.col(outcome).last().is_not_null()
        value = pl.col(outcome).last()
    else:
        is_whole = pl.col(outcome).is_not_null().all()
        value = pl.col(outcome).sum()
    return (
        panel.frame.sort("unit", "period")
        .with_columns(year=pl.col("period") // per_year)
        .group_by("unit", "year", maintain_order=True)
        .agg(
            area=pl.col("area").last(),
            regime=pl.col("regime").last(),
            value=pl.when(is_whole & (pl.len() == per_year)).then(value),
        )
        .select("unit", "area", "year", "regime", "value")
        .sort("unit", "year")
    )


def levels(values: pl.DataFrame) -> pl.DataFrame:
    """Give total, mean and median by area and year, with coverage.

    Parameters
    ----------
    values : polars.DataFrame
        As ``yearly_values`` gives it.

    Returns
    -------
    polars.DataFrame
        ``area, year, regime, n_units, n_reported, total, mean, median``. ``total`` is null unless
        every unit reported: the sum over some of the villages is not the area's total.
    """
    reported = pl.col("value").is_not_null()
    return (
        values.group_by("area", "year")
        .agg(
            regime=pl.col("regime").drop_nulls().unique().sort().str.join("+"),
            n_units=pl.len().cast(pl.Int64),
            n_reported=reported.sum().cast(pl.Int64),
            total=pl.when(reported.all()).then(pl.col("value").sum()),
            mean=pl.col("value").mean(),
            median=pl.col("value").median(),
        )
        .sort("area", "year")
    )


def year_on_year(levels_table: pl.DataFrame) -> pl.DataFrame:
    """Give the growth of totals against the year before, in per cent (同比).

    Null without a whole total in both years or with a base that is not positive.

    Returns
    -------
    polars.DataFrame
        ``area, year, total, previous_total, growth_pct, has_break``; ``has_break`` is true where
        the accounting system changed between the two years.
    """
    previous = levels_table.select(
        "area",
        pl.col("year") + 1,
        previous_total=pl.col("total"),
        previous_regime=pl.col("regime"),
    )
    growth = (pl.col("total") / pl.col("previous_total") - 1) * 100
    return (
        levels_table.join(previous, on=["area", "year"], how="inner", validate="1:1")
        .with_columns(
            growth_pct=pl.when(pl.col("previous_total") > 0).then(growth),
            has_break=pl.col("regime") != pl.col("previous_regime"),
        )
        .select("area", "year", "total", "previous_total", "growth_pct", "has_break")
        .sort("area", "year")
    )


def mean_yearly_gain(
    values: pl.DataFrame, units: Sequence[str], *, base_year: int, last_year: int
) -> float | None:
    """Give the mean gain per unit and year between two years; None unless every unit has both.

    Raises
    ------
    ValueError
        If ``last_year`` is not after ``base_year``.
    """
    if last_year <= base_year:
        raise ValueError(f"last year {last_year} must come after base year {base_year}")
    base = mean_in_year(values, units, year=base_year)
    last = mean_in_year(values, units, year=last_year)
    if base is None or last is None:
        return None
    return (last - base) / (last_year - base_year)


def mean_in_year(values: pl.DataFrame, units: Sequence[str], *, year: int) -> float | None:
    """Give the mean over ``units`` in one year; None unless every one of them reported."""
    found = values.filter(
        pl.col("unit").is_in(list(units)), pl.col("year") == year, pl.col("value").is_not_null()
    )["value"]
    if not units or len(found) != len(set(units)):
        return None
    # Integer sum first: a mean of whole 元 is then exact to the last place that a float has.
    return int(found.sum()) / len(found)
