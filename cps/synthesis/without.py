"""The distribution of income without the initiatives, year by year, for the overview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design, Initiative
from cps.errors import DesignError, Text
from cps.indicators.counterfactual import Counterfactual, Distribution, distribution_without
from cps.indicators.effects import Scale, draw_effects, hosts_at
from cps.indicators.grid import grid_of_panel
from cps.indicators.record import Grid
from cps.panel.record import Panel
from cps.periods import PERIODS_PER_YEAR, label, ordinal
from cps.result import Effect
from cps.synthesis.comparison import HasEffects
from cps.synthesis.host_effects import (
    DRAWS,
    REFERENCE,
    HostEffects,
    HostGaps,
    draw_host_effects,
    host_gaps,
)

INDICES = (
    "mean",
    "median",
    "poorest_fifth_mean",
    "share_above_50",
    "share_above_100",
    "gini",
    "theil_t",
    "p90_p10",
)
BESIDE = ("share_above_100", "gini", "poorest_fifth_mean")
_SCALE: Scale = "log_points"


def without_initiatives(
    panel: Panel,
    design: Design,
    *,
    area: str | None,
    initiatives: Sequence[Initiative] = (),
    runs: Sequence[HasEffects] = (),
    together: Mapping[str, Any] | None = None,
    draws: int = DRAWS,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Ask what the distribution of yearly income would have been had no initiative started.

    Every host's effect is taken away once, from its first initiative on, whatever it hosts: hosts
    of several are not counted twice. Effects are those of :mod:`cps.synthesis.host_effects`.

    Parameters
    ----------
    panel : Panel
    design : Design
        Of all initiatives together (``pool_initiatives``): who hosted from when, who is compared.
    area : str or None
        Whose distribution; all units of the panel if None.
    initiatives, runs : sequences, optional
        For the same question asked with each initiative's headline effect in place of each host's.
    together : mapping, optional
        As :func:`cps.synthesis.together.judge_together` gives it: the correlations of headline
        effects.
    draws, seed : int
    level : float

    Returns
    -------
    dict
        ``counterfactual``: ``years`` (one dict a year, rows as ``Counterfactual``), ``beside``
        (other ways to take effects away, at the last year), ``effects`` (what was taken away at the
        last year, by host), ``absent`` (year -> why), texts. JSON-able. Where the outcome is not
        money in logarithms, ``why_not`` alone.
    """
    if design.measure != "yuan" or design.form != "log":
        return {"counterfactual": {"why_not": asdict(_NOT_MONEY)}}
    grid = grid_of_panel(panel, design.outcome, area=area)
    years: list[dict[str, Any]] = []
    absent: list[dict[str, Any]] = []
    last: tuple[HostGaps, HostEffects, int] | None = None
    for period in grid.periods:
        try:
            found = gaps_of(panel, design, initiatives, period=period)
            effects = draw_host_effects(found, draws=draws, seed=seed)
            without = take_away(grid, effects, period=period, level=level)
        except DesignError as error:
            absent.append({"period": period, **asdict(error.what)})
            continue
        last = (found, effects, period)
        years.append(_year(without, found, grid))
    if last is None:
        return {"counterfactual": {"why_not": absent[-1] | {"period": None}, "absent": absent}}
    return {
        "counterfactual": {
            "years": years,
            "absent": absent,
            "effects": _effects(*last),
            "beside": take_headlines_away(
                grid,
                initiatives,
                runs,
                period=last[2],
                together=together,
                draws=draws,
                level=level,
                seed=seed,
            ),
            "level": level,
            "n_draws": draws,
            "reference": REFERENCE,
            "area": area,
            "notes": [asdict(one) for one in _GRANTED],
        }
    }


def gaps_of(
    panel: Panel, design: Design, initiatives: Sequence[Initiative], *, period: int
) -> HostGaps:
    """Give each host's gap in a year, in the terms of the pooled design.

    Hosts that the design had to leave out (no period before their start) are hosts all the same:
    their effect is taken away as well, drawn from the distribution of the others'.
    """
    grid = grid_of_panel(panel, design.outcome)
    per_year = PERIODS_PER_YEAR[design.frequency]
    starts = {
        unit: cohort // per_year
        for unit, cohort in zip(design.units, design.cohort, strict=True)
        if cohort is not None
    }
    for host in (host for one in initiatives for host in one.treated):
        if host.unit not in design.units:
            first = ordinal(host.start, "year")
            starts[host.unit] = min(first, starts.get(host.unit, first))
    return host_gaps(
        grid.values,
        units=grid.units,
        periods=grid.periods,
        starts=starts,
        donors=[
            unit for unit, is_donor in zip(design.units, design.is_donor, strict=True) if is_donor
        ],
        period=period,
        anticipation=-(-design.anticipation // per_year),
    )


def take_away(
    grid: Grid, effects: HostEffects, *, period: int, level: float = 0.95
) -> Distribution:
    """Take each host's effect away, in all draws, and give the indices of what is left."""
    inside = [place for place, unit in enumerate(effects.units) if unit in grid.units]
    membership = np.zeros((len(grid.units), len(inside)))
    for column, place in enumerate(inside):
        membership[grid.units.index(effects.units[place]), column] = 1.0
    return distribution_without(
        grid,
        period=period,
        membership=membership,
        effects=effects.effects[inside],
        draws=effects.draws[:, inside],
        scale=_SCALE,
        indices=INDICES,
        level=level,
        centre_of="draws",
    )


def _year(found: Distribution, gaps: HostGaps, grid: Grid) -> dict[str, Any]:
    return {
        "period": found.period,
        "period_label": label(found.period, grid.frequency),
        "regime": grid.regime(found.period),
        "spans_break": grid.regime(found.period) != grid.regime(grid.periods[0]),
        "n_reported": found.n_reported,
        "n_units": found.n_units,
        "n_hosts": found.n_treated,
        "n_unseen": len([one for one in gaps.unseen if one in grid.units]),
        "n_donors": gaps.n_donors,
        "basis": asdict(found.basis),
        "interval": asdict(found.interval),
        "rows": [_row(one, grid) for one in found.rows],
    }


def _row(one: Counterfactual, grid: Grid) -> dict[str, Any]:
    row = asdict(one)
    unit = grid.measure if one.unit == "measure" else one.unit
    return {**row, "unit": unit, "notes": [asdict(note) for note in one.notes]}


def _effects(found: HostGaps, effects: HostEffects, period: int) -> dict[str, Any]:
    tails = np.quantile(effects.draws, [0.025, 0.975], axis=0)
    own: list[float | None] = [float(one) for one in found.gaps]
    errors: list[float | None] = [float(one) for one in np.sqrt(np.diag(found.covariance))]
    unknown: list[float | None] = [None] * len(found.unseen)
    return {
        "period": period,
        "mean": effects.mean,
        "slope": effects.slope,
        "slope_error": effects.slope_error,
        "spread": effects.spread,
        "hosts": {
            "unit": list(effects.units),
            "gap": own + unknown,
            "gap_error": errors + unknown,
            "effect": [float(one) for one in effects.effects],
            "low": [float(one) for one in tails[0]],
            "high": [float(one) for one in tails[1]],
        },
    }


def take_headlines_away(
    grid: Grid,
    initiatives: Sequence[Initiative],
    runs: Sequence[HasEffects],
    *,
    period: int,
    together: Mapping[str, Any] | None = None,
    draws: int = DRAWS,
    level: float = 0.95,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Ask again with each initiative's headline effect for all its hosts.

    Errors are drawn with their correlations where ``together`` has them; else as independent and as
    fully tied to one another: what the truth is lies between. Hosts of several initiatives have the
    sum of their effects, each of which was estimated without these hosts.
    """
    headlines = {one.name: one.effects[0] for one in runs if one.effects}
    known = [one for one in initiatives if _is_usable(headlines.get(one.id))]
    if not known:
        return []
    membership = np.zeros((len(grid.units), len(known)))
    for column, one in enumerate(known):
        for host in one.treated:
            if host.unit in grid.units:
                start = [[float(ordinal(host.start, "year"))]]
                row = grid.units.index(host.unit)
                membership[row, column] = hosts_at(start, period)[0, 0]
    effects = np.array([headlines[one.id].overall.att for one in known], dtype=float)
    errors = np.array([headlines[one.id].overall.se for one in known], dtype=float)
    correlation = _correlation(together, [one.id for one in known])
    if correlation is not None:
        covariance = correlation * np.outer(errors, errors)
        ways = [("headline_joint", draw_effects(effects, covariance, draws=draws, seed=seed))]
    else:
        rng = np.random.default_rng(seed)
        apart = effects + rng.standard_normal((draws, len(known))) * errors
        ways = [
            ("headline_apart", apart),
            ("headline_tied", effects + rng.standard_normal((draws, 1)) * errors),
        ]
    made = []
    for name, drawn in ways:
        found = distribution_without(
            grid,
            period=period,
            membership=membership,
            effects=effects,
            draws=drawn,
            scale=_SCALE,
            indices=BESIDE,
            level=level,
            centre_of="draws",
        )
        made.append(
            {
                "way": name,
                "n_initiatives": len(known),
                "rows": [_row(one, grid) for one in found.rows],
            }
        )
    return made


def _correlation(
    together: Mapping[str, Any] | None, names: Sequence[str]
) -> NDArray[np.float64] | None:
    """Give the correlations of some initiatives' effects, or None where one is not known."""
    family = (together or {}).get("family") or {}
    matrix, members = family.get("correlation"), list(family.get("members", ()))
    if not matrix or not set(names) <= set(members):
        return None
    order = [members.index(name) for name in names]
    found = np.array(matrix, dtype=float)[np.ix_(order, order)]
    return found if np.isfinite(found).all() else None


def _is_usable(effect: Effect | None) -> bool:
    return (
        effect is not None
        and effect.measure == _SCALE
        and effect.overall.att is not None
        and effect.overall.se is not None
    )


_NOT_MONEY = Text(
    "反事实分布只对以对数比较的金额给出", "it is given for amounts of money compared in logarithms"
)
_GRANTED = (
    Text(
        "假定若无项目，承办单位与基期水平相当的对照单位增幅相同，且未承办单位不受影响（无外溢）",
        "It takes for granted that without the initiatives hosts would have grown as comparison units "
        "that stood as high, and that units that host nothing are untouched (no spill-over)",
    ),
    Text(
        "一个单位承办几个项目的，自首个项目启动之日起一并计算，不重复扣除",
        "A host of several initiatives is counted once, from its first start, with all of them together",
    ),
    Text(
        "各承办单位自身的缺口误差大，按其误差向总体关系收缩；承办单位之间的误差相关（共用对照）已计入",
        "Each host's own gap is uncertain and drawn towards what all hosts show, by its error; that "
        "hosts share comparison units is in the intervals",
    ),
)
