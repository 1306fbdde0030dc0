"""A panel by month brought to years, as planning needs it."""

from __future__ import annotations

import dataclasses

import polars as pl

from cps.indicators.levels import yearly_values
from cps.panel.record import PANEL_KEYS, Panel


def yearly_panel(monthly: Panel) -> Panel | None:
    """Sum a panel's income over whole years; None if it has no income.

    A year that is not whole for a village is null there, and absent if it is whole for nobody.
    """
    if "income_yuan" not in monthly.frame.columns:
        return None
    values = yearly_values(monthly, "income_yuan")
    whole = values.filter(pl.col("value").is_not_null())["year"].unique()
    if whole.is_empty():
        return None
    frame = (
        values.filter(pl.col("year").is_between(whole.min(), whole.max()))
        .with_columns(
            period=pl.col("year").cast(pl.Int32),
            period_label=pl.col("year").cast(pl.String),
            is_synthetic=pl.lit(monthly.is_synthetic),
            income_yuan=pl.col("value").cast(pl.Int64),
        )
        .select(*PANEL_KEYS, "income_yuan")
        .sort("unit", "period")
    )
    return dataclasses.replace(monthly, frame=frame, frequency="year")
