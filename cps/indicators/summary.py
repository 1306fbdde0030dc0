"""The descriptive tables of a panel that pages show beside an effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from cps.design.record import Initiative
from cps.errors import Text, unknown_choice
from cps.indicators.inequality import inequality
from cps.indicators.levels import (
    YEAR_ON_YEAR_FORMULA,
    YEARLY_GAIN_FORMULA,
    levels,
    year_on_year,
    yearly_values,
)
from cps.indicators.readings import read_areas
from cps.indicators.thresholds import above_thresholds
from cps.panel.record import Panel


def summarise_panel(
    panel: Panel, initiatives: Sequence[Initiative] = (), *, area: str | None
) -> dict[str, Any]:
    """Gather levels, growth, thresholds, gaps and jobs by area and year as plain columns.

    Parameters
    ----------
    initiatives : sequence of Initiative
        They say which year came before the first start, which areas are compared, and which units
        are hosts.
    area : str or None
        The area that the page is about; its rows have ``is_target`` true. None marks no area.

    Returns
    -------
    dict
        ``income_levels``, ``income_growth``, ``income_gains``, ``income_thresholds``,
        ``income_inequality`` and ``jobs_levels``, each column name -> list (a table is absent if
        the panel lacks the outcome), and ``notes``: formulas and basis in zh and en; ``readings``,
        ``absent``, ``series`` and ``asked`` as :func:`cps.indicators.readings.read_areas` gives
        them. JSON-able.

    Raises
    ------
    UsageError
        If the panel has no such area; names the nearest.
    """
    areas = panel.frame["area"].drop_nulls().unique().to_list()
    if area is not None and area not in areas:
        raise unknown_choice(Text("地区", "area"), area, areas, where="summarise_panel(area=…)")
    tables: dict[str, pl.DataFrame] = {}
    if "income_yuan" in panel.frame.columns:
        income = yearly_values(panel, "income_yuan")
        income_levels = levels(income)
        tables["income_levels"] = income_levels
        tables["income_growth"] = year_on_year(income_levels)
        tables["income_gains"] = yearly_gains(income_levels)
        tables["income_thresholds"] = above_thresholds(income)
        tables["income_inequality"] = inequality(income)
    if "jobs_persons" in panel.frame.columns:
        tables["jobs_levels"] = levels(yearly_values(panel, "jobs_persons"))
    is_target = pl.col("area").eq(area).fill_null(False) if area else pl.lit(False)
    return {
        **{
            name: table.with_columns(is_target=is_target).to_dict(as_series=False)
            for name, table in tables.items()
        },
        **read_areas(panel, initiatives, area=area),
        "notes": {name: {"zh": text.zh, "en": text.en} for name, text in _NOTES.items()},
    }


def yearly_gains(levels_table: pl.DataFrame) -> pl.DataFrame:
    """Give each area's mean yearly gain from its first to its last fully reported year.

    Returns
    -------
    polars.DataFrame
        ``area, base_year, last_year, base_mean, last_mean, gain_per_year``.
    """
    whole = levels_table.filter(pl.col("n_reported") == pl.col("n_units")).sort("area", "year")
    return (
        whole.group_by("area")
        .agg(
            base_year=pl.col("year").first(),
            last_year=pl.col("year").last(),
            base_mean=pl.col("mean").first(),
            last_mean=pl.col("mean").last(),
        )
        .filter(pl.col("last_year") > pl.col("base_year"))
        .with_columns(
            gain_per_year=(pl.col("last_mean") - pl.col("base_mean"))
            / (pl.col("last_year") - pl.col("base_year"))
        )
        .sort("area")
    )


_NOTES = {
    "growth_formula": YEAR_ON_YEAR_FORMULA,
    "gain_formula": YEARLY_GAIN_FORMULA,
    "income_basis": Text(
        "经营性收入为总额口径、名义值；不含补助收入。全年各期齐全才计入该年。",
        "Operating income is gross and nominal, without subsidies. "
        "A year counts only if all its periods are reported.",
    ),
    "jobs_basis": Text(
        "家门口就业为年末人数，未折算全时当量。",
        "Local jobs are persons at the end of the year, not full-time equivalents.",
    ),
    "thresholds": Text("“超”指严格大于。", "Above means strictly greater."),
}
