"""Readings of the area that a page is about, and of what it is compared with, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cps.design.record import Initiative
from cps.indicators.grid import grid_of_panel
from cps.indicators.record import Ask, Grid, Reading
from cps.indicators.registry import as_rows, measure_indicator, missing_needs
from cps.indicators.registry import indicator as indicator_of
from cps.indicators.survey import (
    Survey,
    first_whole,
    has_outcome,
    last_whole,
    over_time,
    survey_area,
)
from cps.panel.record import Panel
from cps.periods import label

INCOME, JOBS = "income_yuan", "jobs_persons"
HOST, OTHER = "host", "other"
_BETWEEN = ("theil_t_between", "theil_l_between")


def read_areas(
    panel: Panel, initiatives: Sequence[Initiative] = (), *, area: str | None
) -> dict[str, Any]:
    """Measure every indicator of an area at its last whole year, beside the areas compared.

    Parameters
    ----------
    panel : Panel
    initiatives : sequence of Initiative
        The base year is the one before their first start (the first whole year without them); areas
        that they name for comparison are read beside the target; their hosts are a group.
    area : str or None
        The target; all units if None.

    Returns
    -------
    dict
        ``readings``: rows as ``as_rows`` gives them, with ``scope`` (``target``, ``comparison``,
        ``everywhere``), ``area`` and ``outcome``. ``absent``: what the target's data can't give, and
        why. ``series``: columns ``scope, area, outcome, indicator, year, value, n_reported,
        n_units``, for every indicator of a single date. ``asked``: the dates. Empty if the panel has
        neither income nor jobs. JSON-able.
    """
    outcomes = [name for name in (INCOME, JOBS) if has_outcome(panel, name)]
    if not outcomes:
        return {}
    target = grid_of_panel(panel, outcomes[0], area=area)
    period, base = last_whole(target), base_year(target, initiatives)
    places = [
        ("target", area),
        *(("comparison", one) for one in _compared(panel, initiatives, area)),
    ]
    groups = _groups(target, initiatives)
    readings: list[dict[str, Any]] = []
    absent: list[dict[str, Any]] = []
    series: list[tuple[Any, ...]] = []
    for scope, place in places:
        for outcome in outcomes:
            own = groups if scope == "target" and area is not None else None
            found = _survey(panel, outcome, place, period=period, base=base, groups=own)
            if found is None:
                continue
            readings += _rows(found.readings, scope, place, outcome)
            if scope == "target":
                absent += [
                    {"outcome": outcome, **asdict(one), "needs": list(one.needs)}
                    for one in found.absent
                ]
            series += _series(found, scope)
    readings += _everywhere(panel, outcomes[0], period, area)
    heads = ("scope", "area", "outcome", "indicator", "year", "value", "n_reported", "n_units")
    return {
        "readings": readings,
        "absent": absent,
        "series": {head: [row[place] for row in series] for place, head in enumerate(heads)},
        "asked": {
            "period": period,
            "period_label": label(period, "year"),
            "base": base,
            "base_label": None if base is None else label(base, "year"),
            "regimes": {
                label(one, "year"): regime
                for one, regime in zip(target.periods, target.regimes, strict=True)
            },
        },
    }


def base_year(grid: Grid, initiatives: Sequence[Initiative]) -> int | None:
    """Give the year before the first start; the first whole year if the data don't reach back.

    None where it would not come before the last whole year.
    """
    first = first_whole(grid)
    starts = [host.start.year for one in initiatives for host in one.treated]
    wanted = max(min(starts) - 1, first) if starts else first
    return wanted if wanted in grid.periods and wanted < last_whole(grid) else None


def _compared(panel: Panel, initiatives: Sequence[Initiative], area: str | None) -> tuple[str, ...]:
    if area is None:
        return ()
    known = set(panel.frame["area"].drop_nulls().unique().to_list())
    named = {place for one in initiatives for place in one.comparison_areas}
    excluded = {out.area for one in initiatives for out in one.exclusions if out.area}
    return tuple(sorted((named & known) - excluded - {area}))


def _groups(grid: Grid, initiatives: Sequence[Initiative]) -> Mapping[str, str] | None:
    hosts = {host.unit for one in initiatives for host in one.treated}
    return {unit: HOST if unit in hosts else OTHER for unit in grid.units} if hosts else None


def _survey(
    panel: Panel,
    outcome: str,
    area: str | None,
    *,
    period: int,
    base: int | None,
    groups: Mapping[str, str] | None,
) -> Survey | None:
    grid = grid_of_panel(panel, outcome, area=area)
    if period not in grid.periods:
        return None
    earlier = base if base is not None and base in grid.periods else None
    return survey_area(panel, outcome, area=area, period=period, base=earlier, groups=groups)


def _rows(
    readings: Sequence[Reading], scope: str, area: str | None, outcome: str
) -> list[dict[str, Any]]:
    return [{"scope": scope, "area": area, "outcome": outcome, **row} for row in as_rows(readings)]


def _series(found: Survey, scope: str) -> list[tuple[Any, ...]]:
    names = ("total", "mean", "median") if found.outcome == JOBS else None
    return [
        (
            scope,
            found.area,
            found.outcome,
            one.indicator,
            one.period,
            one.value,
            one.n_reported,
            one.n_units,
        )
        for one in over_time(found.grid, names=names)
    ]


def _everywhere(panel: Panel, outcome: str, period: int, area: str | None) -> list[dict[str, Any]]:
    """Split the gap of the whole panel by area, where the page is about one of several."""
    if area is None or outcome != INCOME:
        return []
    grid = grid_of_panel(panel, outcome)
    ask = Ask(period)
    found = [
        measure_indicator(name, grid, ask)
        for name in _BETWEEN
        if missing_needs(indicator_of(name), grid, ask) is None
    ]
    return _rows(found, "everywhere", None, outcome)
