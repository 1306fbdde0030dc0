"""Structural time series: the treated series against a forecast from its own past and controls.

Brodersen, Gallusser, Koehler, Remy & Scott (2015), Annals of Applied Statistics 9(1), 247-274,
doi:10.1214/14-AOAS788; by restricted likelihood instead of spike-and-slab priors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._scale import described, path_points
from cps.estimators._structural import Combination, Forecast, components, forecast, season_columns
from cps.periods import PERIODS_PER_YEAR
from cps.result import Effect, Estimate, EventTimeEffect, PeriodEffect

REFERENCE = "Brodersen et al. (2015), Annals of Applied Statistics 9(1), doi:10.1214/14-AOAS788"
NAME = Text("结构时间序列", "Structural time series")
ESTIMAND = Text(
    "启动后各期，承办单位均值相对于由其自身历史和对照单位推算值的平均偏离",
    "average departure of the treated mean, after the start, from what its own past and the "
    "comparison units foretell",
)
OPTIONS: dict[str, tuple[str, ...]] = {
    "controls": ("mean", "all", "none"),
    "trend": ("local_level", "local_linear_trend"),
    "season": ("fixed", "none"),
    "variances": ("averaged", "maximum_likelihood"),
}
SUPPORTS: frozenset[str] = frozenset()
MIN_PRE = 8
_MIN_FREEDOM = 4

Floats = NDArray[np.float64]
ASSUMES = Text(
    "启动前承办单位与对照单位的关系在启动后不变，对照单位不受影响；各批次的预测误差按完全相关合并（偏保守）",
    "the relation of treated and comparison series before the start holds afterwards, and the "
    "comparison is unaffected; forecast errors of different starts are added as if perfectly "
    "correlated, which is cautious",
)


@dataclass(frozen=True, slots=True)
class _Cohort:
    """One start: its forecast, and which forecasts are of treated periods."""

    start: int
    size: int
    observed: Floats  # (n_ahead,)
    ahead: NDArray[np.int64]  # (n_ahead,) places of the periods forecast
    is_post: NDArray[np.bool_]  # (n_ahead,); periods of anticipation are forecast, not counted
    forecast: Forecast
    seen: NDArray[np.bool_]  # (n_periods,)


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a series too short to forecast from, or without the controls asked for."""
    if options["controls"] != "none" and design.n_donors == 0:
        return (
            Finding(
                "E-STS-NO-COMPARISON",
                "reject",
                Text("没有从未处理的单位可作回归变量", "no never-treated unit to regress on"),
                f"{design.name} › controls={options['controls']}",
                Text("加入对照，或设 controls=none", "add comparison units, or set controls=none"),
            ),
        )
    n_terms = _columns(design, options).shape[1]
    periods = np.asarray(design.periods)
    n_pre = min(int((periods < g - design.anticipation).sum()) for g in design.cohorts)
    need = max(MIN_PRE, n_terms + _MIN_FREEDOM)
    if n_pre < need:
        return (
            Finding(
                "E-STS-SHORT",
                "reject",
                Text(
                    f"启动前只有 {n_pre} 期，此设定（{n_terms} 个固定项）至少需要 {need} 期",
                    f"{n_pre} periods before the start; this specification ({n_terms} fixed terms) "
                    f"needs at least {need}",
                ),
                f"{design.name} › {design.outcome}",
                Text(
                    "补充更早的台账，改用月度数据，或设 controls=mean、season=none",
                    "add earlier ledgers, use monthly data, or set controls=mean, season=none",
                ),
            ),
        )
    columns = _columns(design, options)
    for g in design.cohorts:
        seen = periods < g - design.anticipation
        if np.linalg.matrix_rank(columns[seen]) < n_terms:
            return (
                Finding(
                    "E-STS-COLLINEAR",
                    "reject",
                    Text(
                        f"启动前 {n_terms} 个固定项线性相关，无法分辨",
                        f"the {n_terms} fixed terms are collinear before the start",
                    ),
                    f"{design.name} › {design.outcome}",
                    Text("设 controls=mean 或 none", "set controls=mean or none"),
                ),
            )
    return ()


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Forecast each start's mean series and compare; nothing is drawn.

    The series is a level that wanders (and a slope), fixed seasonal effects, a regression on the
    comparison and noise. Intervals are of the forecast outcomes, jointly, so that errors add up over
    periods as they should; with ``variances="averaged"`` they count that the sizes of the
    components are estimated, which matters in short series; ``"maximum_likelihood"`` plugs in the
    restricted maximum. The p-value is the probability of a departure beyond zero, doubled.
    """
    cohorts = _fitted(design, options)
    shares = _cell_shares(cohorts)
    overall = _estimate(
        [(share, _average(one)) for share, one in zip(shares, cohorts, strict=True)], level
    )
    return dataclasses.replace(
        described(
            design,
            overall,
            level=level,
            method="structural_time_series",
            method_name=NAME,
            reference=REFERENCE,
            estimand=ESTIMAND,
            inference="analytic",
            options=dict(options),
        ),
        n_comparison=0 if options["controls"] == "none" else design.n_donors,
        by_event_time=_by_event_time(design, cohorts, level),
        event_covariance=_event_covariance(cohorts),
        by_cohort=tuple(
            PeriodEffect(one.start, _estimate([(1.0, _average(one))], level), one.size)
            for one in cohorts
        ),
        paths=path_points(design, _counterfactual(design, cohorts)),
        tables={"forecast": _table(design, cohorts, level), "components": _components(cohorts)},
        findings=_history(design, options),
        assumes=ASSUMES,
    )


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the average departure alone."""
    cohorts = _fitted(design, options)
    return float(
        sum(
            share * (one.observed - one.forecast.mean())[one.is_post].mean()
            for share, one in zip(_cell_shares(cohorts), cohorts, strict=True)
        )
    )


def _columns(design: Design, options: Mapping[str, str]) -> Floats:
    """Give every fixed term over all periods: start, season, controls."""
    periods = np.asarray(design.periods)
    _, start = components(periods - periods[0], options["trend"])
    per_year = PERIODS_PER_YEAR[design.frequency]
    blocks = [start]
    if options["season"] == "fixed" and per_year > 1:
        blocks.append(season_columns(periods, per_year))
    if options["controls"] == "mean":
        blocks.append(_standard(design.y[design.is_donor].mean(axis=0, keepdims=True)))
    elif options["controls"] == "all":
        blocks.append(_standard(design.y[design.is_donor]))
    return np.hstack(blocks)


def _standard(series: Floats) -> Floats:
    """Centre and scale the series, for the sake of the arithmetic alone; (n_periods, n)."""
    size = series.std(axis=1, keepdims=True)
    return np.asarray(((series - series.mean(axis=1, keepdims=True)) / np.where(size, size, 1)).T)


def _fitted(design: Design, options: Mapping[str, str]) -> list[_Cohort]:
    periods = np.asarray(design.periods)
    parts, _ = components(periods - periods[0], options["trend"])
    columns = _columns(design, options)
    found = []
    for g in design.cohorts:
        members = np.array([one == g for one in design.cohort])
        series = design.y[members].mean(axis=0)
        seen = periods < g - design.anticipation
        foretold = forecast(
            series, seen, parts, columns, is_averaged=options["variances"] == "averaged"
        )
        ahead = np.flatnonzero(~seen)
        found.append(
            _Cohort(
                g, int(members.sum()), series[ahead], ahead, periods[ahead] >= g, foretold, seen
            )
        )
    return found


def _cell_shares(cohorts: list[_Cohort]) -> Floats:
    cells = np.array([one.size * one.is_post.sum() for one in cohorts], float)
    return np.asarray(cells / cells.sum())


@dataclass(frozen=True, slots=True)
class _Departure:
    """Observed less forecast, for one combination of periods."""

    observed: float
    foretold: Combination


def _average(one: _Cohort) -> _Departure:
    weights = one.is_post / one.is_post.sum()
    return _Departure(float(weights @ one.observed), one.forecast.combined(weights))


def _single(one: _Cohort, place: int) -> _Departure:
    weights = np.zeros(len(one.observed))
    weights[place] = 1.0
    return _Departure(float(one.observed[place]), one.forecast.combined(weights))


def _estimate(parts: list[tuple[float, _Departure]], level: float) -> Estimate:
    """Average departures of several starts, their errors taken as perfectly correlated."""
    from scipy.optimize import brentq

    att = sum(share * (one.observed - one.foretold.mean()) for share, one in parts)
    deviation = sum(share * one.foretold.deviation() for share, one in parts)
    sizes = [abs(one.observed) for _, one in parts]
    if deviation <= 1e-9 * max(abs(att), *sizes, 1e-300):
        return Estimate(float(att))

    def departure(probability: float) -> float:
        return sum(
            share * (one.observed - one.foretold.quantile(1 - probability)) for share, one in parts
        )

    low, high = float(departure((1 - level) / 2)), float(departure((1 + level) / 2))
    least = 1e-12
    if departure(least) >= 0 or departure(1 - least) <= 0:
        p_value = 2 * least
    else:
        below = float(brentq(departure, least, 1 - least, xtol=1e-13))
        p_value = 2 * min(below, 1 - below)
    return Estimate(float(att), float(deviation), low, high, float(min(1.0, p_value)))


def _by_event_time(
    design: Design, cohorts: list[_Cohort], level: float
) -> tuple[EventTimeEffect, ...]:
    periods = np.asarray(design.periods)
    events: dict[int, list[tuple[int, _Departure]]] = {}
    for one in cohorts:
        for place in np.flatnonzero(one.is_post):
            event = int(periods[one.ahead[place]]) - one.start
            events.setdefault(event, []).append((one.size, _single(one, int(place))))
    found = []
    for event in sorted(events):
        n = sum(size for size, _ in events[event])
        estimate = _estimate([(size / n, one) for size, one in events[event]], level)
        found.append(EventTimeEffect(event, estimate, n))
    return tuple(found)


def _event_covariance(cohorts: list[_Cohort]) -> tuple[tuple[float, ...], ...]:
    if len(cohorts) > 1:
        return ()
    (one,) = cohorts
    inner = one.forecast.covariance()[np.ix_(one.is_post, one.is_post)]
    return tuple(tuple(float(cell) for cell in row) for row in inner)


def _counterfactual(design: Design, cohorts: list[_Cohort]) -> Floats:
    total = np.zeros(len(design.periods))
    for one in cohorts:
        path = np.empty(len(design.periods))
        path[one.seen] = one.forecast.fitted
        path[one.ahead] = one.forecast.mean()
        total += one.size * path
    return np.asarray(total / sum(one.size for one in cohorts))


def _table(
    design: Design, cohorts: list[_Cohort], level: float
) -> dict[str, tuple[float | int | str | None, ...]]:
    """Give the forecast of every period after the start, by start, with its interval."""
    rows = []
    for one in cohorts:
        for place in range(len(one.observed)):
            foretold = _single(one, place).foretold
            rows.append(
                (
                    one.start,
                    design.period_labels[one.ahead[place]],
                    float(one.observed[place]),
                    float(foretold.mean()),
                    float(foretold.quantile((1 - level) / 2)),
                    float(foretold.quantile((1 + level) / 2)),
                )
            )
    names = ("cohort", "period", "observed", "counterfactual", "low", "high")
    return dict(zip(names, map(tuple, zip(*rows, strict=True)), strict=True))


def _components(cohorts: list[_Cohort]) -> dict[str, tuple[float | int | str | None, ...]]:
    """Give the shares of what moves each series, all as large as noise of the same share."""
    shares = [one.forecast.weights @ one.forecast.shares for one in cohorts]
    table: dict[str, tuple[float | int | str | None, ...]] = {
        "cohort": tuple(one.start for one in cohorts),
        "irregular": tuple(float(1 - one.sum()) for one in shares),
        "level": tuple(float(one[0]) for one in shares),
    }
    if len(shares[0]) > 1:
        table["slope"] = tuple(float(one[1]) for one in shares)
    return table


def _history(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    if options["controls"] != "none":
        return ()
    return (
        Finding(
            "W-STS-HISTORY",
            "warn",
            Text(
                "没有对照：启动时发生的任何其他变化都会被算作效应，不能作为主要结论",
                "no comparison: whatever else changed at the start is counted as effect; never a "
                "headline",
            ),
            f"{design.name} › {design.outcome}",
            Text("加入未处理的单位作对照", "add untreated units as comparison"),
        ),
    )
