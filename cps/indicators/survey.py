"""All indicators of one area of a panel at one date, and why each absent one is absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from cps.errors import Text, UsageError
from cps.indicators.grid import add_components, deflate, grid_of_panel
from cps.indicators.levels import STOCKS
from cps.indicators.record import Ask, Grid, Indicator, Reading
from cps.indicators.registry import (
    indicators,
    measure_indicator,
    measure_over_time,
    missing_needs,
)
from cps.indicators.series_names import named
from cps.panel.record import OUTCOME_MEASURES, Panel
from cps.periods import PERIODS_PER_YEAR

# What a village's jobs are asked: they aren't shared out as income is, and have no promised level.
OF_JOBS = ("total", "mean", "median", "growth_year_on_year", "growth_since_base", "growth_times")
_WITH_EARLIER_YEAR = "beta_convergence"


@dataclass(frozen=True, slots=True)
class Absent:
    """An indicator that the data can't give, and what it would take."""

    indicator: str
    title: Text
    reason: Text
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Readings of one area, one outcome and one date.

    Parameters
    ----------
    outcome : str
    area : str or None
    grid : Grid
        By year.
    period : int
    base : int or None
    readings : tuple of Reading
        Those with a value, and those whose formula had none to give (their notes say why).
    absent : tuple of Absent
        Those that were not asked, since the data lack what they need.
    """

    outcome: str
    area: str | None
    grid: Grid
    period: int
    base: int | None
    readings: tuple[Reading, ...]
    absent: tuple[Absent, ...]


def survey_area(
    panel: Panel,
    outcome: str = "income_yuan",
    *,
    area: str | None = None,
    period: int | None = None,
    base: int | None = None,
    names: Sequence[str] | None = None,
    groups: Mapping[str, str] | None = None,
    amounts: pl.DataFrame | None = None,
    prices: Mapping[int, float] | None = None,
    is_sample: bool = False,
    level: float = 0.95,
    seed: int = 0,
) -> Survey:
    """Measure every indicator of an outcome in an area at a date.

    Parameters
    ----------
    panel : Panel
    outcome : str
    area : str or None
        All units if None; then groups are the areas.
    period : int or None
        A year; the last one in which every unit reported if None, or the last with any report.
    base : int or None
        The earlier year to compare with; the first in which every unit reported if None.
    names : sequence of str, optional
        Indicators; all if None (of jobs, those in ``OF_JOBS``).
    groups : mapping of str to str, optional
        Unit -> its group, for what lies within groups and between them; areas if None.
    amounts : polars.DataFrame, optional
        Parts of income, subsidies, members, as ``amounts_by_year`` gives them.
    prices : mapping of year to float, optional
        A price index: money is then in the prices of ``period``.
    is_sample : bool
        True if the units were drawn from more.
    level : float
    seed : int

    Returns
    -------
    Survey
        Years; what needs months is measured at the last month of the year if the panel has months.

    Raises
    ------
    UsageError
        If there is no such outcome, area, year or indicator; or the base is not before the period.
    """
    grid = grid_of_panel(panel, outcome, area=area, is_sample=is_sample)
    if amounts is not None:
        grid = add_components(grid, amounts)
    asked = period if period is not None else last_whole(grid)
    if prices is not None:
        grid = deflate(grid, prices, base=asked)
    earlier = base if base is not None else first_whole(grid)
    _require_years(grid, asked, base)
    within = (
        grid_of_panel(panel, outcome, area=area, by="own", is_sample=is_sample)
        if PERIODS_PER_YEAR[panel.frequency] > 1
        else None
    )
    ask = Ask(
        asked,
        base=earlier if earlier < asked else None,
        groups=None if groups is None else tuple(groups.get(unit) for unit in grid.units),
        level=level,
        seed=seed,
    )
    chosen = names or (OF_JOBS if outcome in STOCKS else tuple(indicators()))
    known = indicators()
    readings: list[Reading] = []
    absent: list[Absent] = []
    for name in chosen:
        one = known.get(name)
        own = ask if name != _WITH_EARLIER_YEAR else with_earlier_year(grid, ask)
        where = grid
        if one is not None and "within_year" in one.needs and within is not None:
            per_year = PERIODS_PER_YEAR[panel.frequency]
            where, own = within, replace(ask, period=asked * per_year + per_year - 1, base=None)
        reason = missing_needs(one, where, own) if one is not None else None
        if one is not None and reason is not None:
            absent.append(_absent(one, where, reason))
        else:
            readings.append(measure_indicator(name, where, own))
    return Survey(outcome, area, grid, asked, ask.base, tuple(readings), tuple(absent))


def over_time(grid: Grid, *, names: Sequence[str] | None = None) -> tuple[Reading, ...]:
    """Measure indicators of a single date at every period: those named, or all that there are."""
    chosen = names or [name for name, one in indicators().items() if one.statistic is not None]
    ask = Ask(grid.periods[-1])
    return tuple(reading for name in chosen for reading in measure_over_time(name, grid, ask))


def first_whole(grid: Grid) -> int:
    """Give the first period in which every unit reported, or the first with any report."""
    return _whole(grid)[0]


def last_whole(grid: Grid) -> int:
    """Give the last period in which every unit reported, or the last with any report."""
    return _whole(grid)[-1]


def with_earlier_year(grid: Grid, ask: Ask) -> Ask:
    """Move the base year of convergence on by one where no year before it can be the instrument.

    The year before the base year takes its error out. A later one would not do: what happened to a
    village in between is in the later year and in the end.
    """
    if ask.base is None or ask.base - 1 in grid.periods or ask.base + 1 >= ask.period:
        return ask
    return replace(ask, base=ask.base + 1)


def has_outcome(panel: Panel, outcome: str) -> bool:
    """Tell whether the panel holds an outcome that has been reported at all."""
    return (
        outcome in OUTCOME_MEASURES
        and outcome in panel.frame.columns
        and panel.frame[outcome].null_count() < panel.frame.height
    )


def _absent(one: Indicator, grid: Grid, reason: Text) -> Absent:
    """Say what an indicator lacks, series by the names that a ledger gives them."""
    series = tuple(name for name in one.components if name not in grid.components)
    if "components" not in one.needs or not series:
        needs = tuple(need for need in one.needs if need not in ("components", "yuan"))
        return Absent(one.name, one.title, reason, needs)
    names = named(series)
    words = Text(f"数据中没有{names.zh}", f"the data lack {names.en}")
    return Absent(one.name, one.title, words, series)


def _whole(grid: Grid) -> list[int]:
    n_reported = np.isfinite(grid.values).sum(axis=0).tolist()
    whole = [one for one, n in zip(grid.periods, n_reported, strict=True) if n == len(grid.units)]
    return (
        whole
        or [one for one, n in zip(grid.periods, n_reported, strict=True) if n]
        or [*grid.periods]
    )


def _require_years(grid: Grid, period: int, base: int | None) -> None:
    for name, year in (("date", period), ("base", base)):
        if year is not None and year not in grid.periods:
            raise UsageError(
                Text(f"数据中没有 {year} 年", f"the data lack the year {year}"),
                where=f"{name}={year}",
                mend=Text(
                    f"可选 {grid.periods[0]} 至 {grid.periods[-1]}",
                    f"choose from {grid.periods[0]} to {grid.periods[-1]}",
                ),
            )
    if base is not None and base >= period:
        raise UsageError(
            Text(f"基期 {base} 不早于报告期 {period}", f"the base {base} is not before {period}"),
            where=f"base={base}",
            mend=Text("基期取更早的年份", "choose an earlier base"),
        )
