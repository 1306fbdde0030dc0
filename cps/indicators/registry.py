"""Ask a grid for indicators by name, each with formula, unit, coverage and basis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cps.dropin import load_modules
from cps.errors import Text, UsageError, unknown_choice
from cps.indicators.intervals import NOT_OFFERED, PARTIAL, WHOLE, interval_of_sample
from cps.indicators.record import Ask, Found, Grid, Indicator, Reading
from cps.periods import label

FOLDER = Path(__file__).parent / "kinds"
_KIND = Text("指标", "indicator")


def indicators() -> dict[str, Indicator]:
    """Give every indicator by name, family by family.

    Raises
    ------
    UsageError
        If two families have an indicator of the same name.
    """
    return dict(_indicators(FOLDER.stat().st_mtime_ns))


@lru_cache(maxsize=8)
def _indicators(changed: int) -> tuple[tuple[str, Indicator], ...]:
    found: dict[str, Indicator] = {}
    for module in load_modules("cps.indicators.kinds", FOLDER).values():
        for one in module.INDICATORS:
            if one.name in found:
                raise UsageError(
                    Text(f"指标“{one.name}”有两处定义", f"indicator {one.name!r} has two homes"),
                    where=str(module.__name__),
                    mend=Text("改名或删去其一", "rename or remove one of them"),
                )
            found[one.name] = one
    return tuple(found.items())


def indicator(name: str) -> Indicator:
    """Give one indicator.

    Raises
    ------
    UsageError
        If there is none of that name; names the nearest.
    """
    known = indicators()
    if name not in known:
        raise unknown_choice(_KIND, name, known, where="indicator(name=…)")
    return known[name]


def missing_needs(one: Indicator, grid: Grid, ask: Ask) -> Text | None:
    """Say what an indicator needs that the grid or the question lacks, or None."""
    if "yuan" in one.needs and grid.measure != "yuan":
        return Text("只适用于以元计的指标", "it is for outcomes in 元 only")
    if "flow" in one.needs and grid.is_stock:
        return Text("时点数不能累计", "what stands at a date does not sum over periods")
    if "within_year" in one.needs and grid.frequency == "year":
        return Text(
            "年度数据用“比上年”，须月度或季度数据",
            "yearly data have none: it needs months or quarters",
        )
    if "yearly" in one.needs and grid.frequency != "year":
        return Text(
            "门槛是全年收入的门槛，须用年度数据", "the levels are those of a year: it needs years"
        )
    if "base" in one.needs:
        if ask.base is None:
            return Text("没有给出基期", "no base period was given")
        if ask.base >= ask.period:
            return Text("基期必须早于报告期", "the base period must come before the period")
        if ask.base not in grid.periods:
            return Text("数据中没有基期", "the data lack the base period")
    if "groups" in one.needs:
        groups = ask.groups if ask.groups is not None else grid.areas
        if len(groups) != len(grid.units):
            return Text("分组与单位数不符", "there must be one group a unit")
        if any(group is None for group in groups):
            return Text("有单位没有分组", "some units have no group")
        if len(set(groups)) < 2:
            return Text("只有一个组，无组间差距可言", "one group only: there is nothing between")
    lacking = [name for name in one.components if name not in grid.components]
    if "components" in one.needs and lacking:
        return Text(f"数据中没有 {'、'.join(lacking)}", f"the data lack {', '.join(lacking)}")
    return None


def measure_indicator(name: str, grid: Grid, ask: Ask) -> Reading:
    """Give one indicator of a grid at a date.

    Parameters
    ----------
    name : str
    grid : Grid
    ask : Ask

    Returns
    -------
    Reading
        ``value`` is None where nothing reported or the formula is not defined; ``notes`` say why.

    Raises
    ------
    UsageError
        If there is no such indicator, the grid lacks the period, or it lacks what the indicator
        needs (a base, groups, components).
    """
    one = indicator(name)
    _require_period(grid, ask)
    lacking = missing_needs(one, grid, ask)
    if lacking is not None:
        raise UsageError(
            Text(
                f"无法计算“{one.title.zh}”：{lacking.zh}",
                f"{one.title.en} can't be computed: {lacking.en}",
            ),
            where=f"measure_indicator({name!r})",
            mend=Text("补充所缺内容，或不取此指标", "give what is lacking, or leave it out"),
        )
    found = one.compute(grid, ask) if one.compute else _cross_section(one, grid, ask)
    periods = found.periods or (
        (ask.base, ask.period) if "base" in one.needs and ask.base is not None else (ask.period,)
    )
    interval = found.interval or _no_interval(grid, found)
    low, high = found.ci or (None, None)
    base = periods[0] if len(periods) > 1 else None
    return Reading(
        indicator=one.name,
        title=one.title,
        formula=found.formula or one.formula,
        value=_plain(found.value),
        unit=grid.measure if one.unit == "measure" else one.unit,
        period=ask.period,
        base=base,
        period_label=label(ask.period, grid.frequency),
        base_label=None if base is None else label(base, grid.frequency),
        n_reported=found.n_reported,
        n_units=len(grid.units),
        basis=grid.basis.words(grid.regime(*periods)),
        ci_low=_plain(low),
        ci_high=_plain(high),
        level=ask.level if found.ci else None,
        interval=interval,
        parts={key: _plain(value) for key, value in found.parts.items()},
        table=found.table,
        notes=(*found.notes, *_regime_note(grid, periods)),
        reference=one.reference,
    )


def measure_indicators(
    grid: Grid, ask: Ask, names: Sequence[str] | None = None
) -> tuple[Reading, ...]:
    """Give indicators of a grid at a date: those named, or all whose needs are met.

    Raises
    ------
    UsageError
        As ``measure_indicator`` does, for names given; without names what can't be asked is left
        out (``missing_needs`` says why).
    """
    _require_period(grid, ask)
    chosen = names
    if chosen is None:
        chosen = [
            name for name, one in indicators().items() if missing_needs(one, grid, ask) is None
        ]
    return tuple(measure_indicator(name, grid, ask) for name in chosen)


def measure_over_time(name: str, grid: Grid, ask: Ask) -> tuple[Reading, ...]:
    """Give one indicator at every period of a grid that it can be asked of.

    Parameters
    ----------
    name : str
    grid : Grid
    ask : Ask
        Its ``period`` is left aside; a base and an instrument stay the same throughout.

    Raises
    ------
    UsageError
        As ``measure_indicator`` does, if no period can be asked.
    """
    one = indicator(name)
    asks = [replace(ask, period=period) for period in grid.periods]
    fitting = [each for each in asks if missing_needs(one, grid, each) is None]
    return tuple(measure_indicator(name, grid, each) for each in fitting or [ask])


def as_rows(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Give readings as plain JSON-able rows, texts in zh and en side by side."""
    return [
        {
            **asdict(one),
            "table": {name: list(column) for name, column in one.table.items()},
            "notes": [asdict(note) for note in one.notes],
        }
        for one in readings
    ]


def _cross_section(one: Indicator, grid: Grid, ask: Ask) -> Found:
    column = grid.at(ask.period)
    values = column[np.isfinite(column)]
    statistic = one.statistic
    if statistic is None:
        raise TypeError(f"indicator {one.name} has neither statistic nor compute")
    if values.size == 0:
        return Found(None, 0, notes=(Text("没有单位填报", "no unit reported"),))
    if one.whole and values.size < len(grid.units):
        return Found(
            None,
            values.size,
            notes=(
                Text(
                    "有单位未报，部分之和不是总数",
                    "some units did not report: part of a sum is no sum",
                ),
            ),
        )
    value = float(statistic(values))
    if not np.isfinite(value):
        return Found(None, values.size, notes=(one.undefined or Text("无定义", "not defined"),))
    # One giant can make an index: what it is without the largest unit stands beside it.
    parts: dict[str, float | None] = {}
    if not one.whole and values.size > 2:
        parts["without_largest_unit"] = float(statistic(np.sort(values)[:-1]))
    if not grid.is_sample or one.whole:
        return Found(value, values.size, parts=parts)
    interval = interval_of_sample(
        values,
        statistic,
        influence=one.influence,
        limits=one.limits,
        level=ask.level,
        draws=ask.draws,
        seed=ask.seed,
    )
    ci = None if interval.low is None or interval.high is None else (interval.low, interval.high)
    return Found(value, values.size, parts=parts, ci=ci, interval=interval.how)


def _no_interval(grid: Grid, found: Found) -> Text:
    if grid.is_sample:
        return NOT_OFFERED
    return PARTIAL if found.n_reported < len(grid.units) else WHOLE


def _require_period(grid: Grid, ask: Ask) -> None:
    if ask.period not in grid.periods:
        raise UsageError(
            Text(f"数据中没有 {ask.period} 期", f"the data lack period {ask.period}"),
            where="Ask(period=…)",
            mend=Text(
                f"可选 {grid.periods[0]} 至 {grid.periods[-1]}",
                f"choose from {grid.periods[0]} to {grid.periods[-1]}",
            ),
        )
    if not 0 < ask.level < 1:
        raise UsageError(
            Text(
                f"置信水平 {ask.level} 不在 0 与 1 之间", f"level {ask.level} is not within 0 and 1"
            ),
            where="Ask(level=…)",
            mend=Text("如 0.95", "0.95, say"),
        )


def _regime_note(grid: Grid, periods: tuple[int, ...]) -> tuple[Text, ...]:
    regime = grid.regime(*periods)
    if grid.basis.prices is None or len(periods) < 2 or regime is None or "+" not in regime:
        return ()
    return (
        Text(
            f"跨会计制度（{regime}），变动中可能含口径变化",
            f"it spans accounting systems ({regime}): part of the change may be one of definition",
        ),
    )


def _plain(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
