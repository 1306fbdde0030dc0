"""What claims are held against: yearly values by village, hosts, effects and costs, saved in a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cps.design.record import Initiative
from cps.errors import Text
from cps.indicators.levels import yearly_values
from cps.panel.record import OUTCOME_MEASURES, Panel
from cps.result import Effect, Estimate

POOLED = "pooled"
Range = tuple[float | None, float | None, float | None]  # value, low, high


@dataclass(frozen=True, slots=True)
class EffectFigure:
    """One estimate as a claim sees it.

    Parameters
    ----------
    natural : (att, low, high) or None
        In the outcome's own unit, 元 or 人.
    log : (att, low, high) or None
        In log points.
    failure : Text or None
        Why there is no estimate.
    """

    outcome: str
    level: float
    n_treated: int
    n_comparison: int
    method: Text
    natural: Range | None
    log: Range | None
    failure: Text | None = None


@dataclass(frozen=True, slots=True)
class Hosting:
    """Where an initiative is, and what it cost."""

    name: Text
    units: tuple[str, ...]
    cost_yuan: int | None  # None if the money of any host isn't recorded


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a claim may be held against.

    Parameters
    ----------
    areas : dict of str to str or None
        Village -> its area.
    values : dict of str to dict
        Outcome -> village -> year -> value in 元 or 人; None where the year isn't whole.
    regimes : dict of int to str
        Year -> accounting system, joined by ``+`` where villages differ.
    effects : dict of str to EffectFigure
        ``pooled`` and the initiatives' by id.
    """

    is_synthetic: bool
    target_area: str | None
    areas: dict[str, str | None]
    years: tuple[int, ...]
    regimes: dict[int, str]
    values: dict[str, dict[str, dict[int, int | None]]]
    hosts: tuple[str, ...]
    initiatives: dict[str, Hosting]
    effects: dict[str, EffectFigure] = field(default_factory=dict)

    def target(self) -> list[str]:
        """Give the villages of the target area; all where there is no one area."""
        if self.target_area is None:
            return list(self.areas)
        return [unit for unit, area in self.areas.items() if area == self.target_area]

    def comparison(self) -> list[str]:
        """Give the villages that neither lie in the target area nor host an initiative."""
        inside = {*self.hosts, *(self.target() if self.target_area is not None else ())}
        return [unit for unit in self.areas if unit not in inside]

    def of(self, outcome: str, units: Sequence[str], year: int) -> dict[str, int]:
        """Give what ``units`` reported for a year."""
        found = self.values.get(outcome, {})
        said = {unit: found.get(unit, {}).get(year) for unit in units}
        return {unit: value for unit, value in said.items() if value is not None}


def gather_evidence(
    panel: Panel, initiatives: Sequence[Initiative], *, target_area: str | None
) -> dict[str, Any]:
    """Gather what a panel and the registry say, as plain values for a run.

    Returns
    -------
    dict
        ``target_area, years, regimes, units, areas, hosts, initiatives`` and, for each outcome, a
        row of yearly values a unit; JSON-able. About 20 kB for 75 villages and 8 years.
    """
    tables = {
        outcome: yearly_values(panel, outcome)
        for outcome in OUTCOME_MEASURES
        if outcome in panel.frame.columns
    }
    areas: dict[str, str | None] = {}
    regimes: dict[int, set[str]] = {}
    for table in tables.values():
        areas |= dict(zip(table["unit"], table["area"], strict=True))
        for year, regime in zip(table["year"], table["regime"], strict=True):
            regimes.setdefault(year, set()).update([regime] if regime is not None else [])
    units, years = list(areas), sorted(regimes)
    hosts = {host.unit for one in initiatives for host in one.treated}
    return {
        "is_synthetic": panel.is_synthetic,
        "target_area": target_area,
        "years": years,
        "regimes": ["+".join(sorted(regimes[year])) for year in years],
        "units": units,
        "areas": [areas[unit] for unit in units],
        "values": {name: _rows(table, units, years) for name, table in tables.items()},
        "hosts": [unit for unit in units if unit in hosts],
        "initiatives": [_hosting(one, set(units)) for one in initiatives],
    }


def evidence_of(
    gathered: Mapping[str, Any],
    comparison: Mapping[str, Sequence[Any]],
    *,
    pooled: Effect | None,
    outcome: str,
) -> Evidence:
    """Put what was gathered, the table of initiatives and the pooled effect together.

    Parameters
    ----------
    gathered : mapping
        As ``gather_evidence`` gave it, fresh or read back from a run.
    comparison : mapping of column to values
        As ``compare_initiatives`` gives it.
    outcome : str
        Of the initiatives' effects.
    """
    years = tuple(int(year) for year in gathered["years"])
    units = gathered["units"]
    effects = _initiative_effects(comparison, outcome)
    if pooled is not None:
        effects[POOLED] = _pooled(pooled)
    return Evidence(
        is_synthetic=gathered["is_synthetic"],
        target_area=gathered["target_area"],
        areas=dict(zip(units, gathered["areas"], strict=True)),
        years=years,
        regimes=dict(zip(years, gathered["regimes"], strict=True)),
        values={
            name: {
                unit: dict(zip(years, row, strict=True))
                for unit, row in zip(units, rows, strict=True)
            }
            for name, rows in gathered["values"].items()
        },
        hosts=tuple(gathered["hosts"]),
        initiatives={
            one["id"]: Hosting(
                Text(one["name_zh"], one["name_en"]), tuple(one["units"]), one["cost_yuan"]
            )
            for one in gathered["initiatives"]
        },
        effects=effects,
    )


def effect_in_yuan(effect: Effect) -> Estimate | None:
    """Give the overall effect in 元, translated if estimated in logs; None for other measures."""
    if effect.measure == "yuan":
        return effect.overall
    return effect.natural if effect.natural_measure == "yuan" else None


def _pooled(effect: Effect) -> EffectFigure:
    own = effect.natural if effect.measure == "log_points" else effect.overall
    return EffectFigure(
        outcome=effect.outcome,
        level=effect.level,
        n_treated=effect.n_treated,
        n_comparison=effect.n_comparison,
        method=effect.method_name,
        natural=_range(own),
        log=_range(effect.overall) if effect.measure == "log_points" else None,
    )


def _range(estimate: Estimate | None) -> Range | None:
    return None if estimate is None else (estimate.att, estimate.ci_low, estimate.ci_high)


def _initiative_effects(
    comparison: Mapping[str, Sequence[Any]], outcome: str
) -> dict[str, EffectFigure]:
    found = {}
    for values in zip(*comparison.values(), strict=True):
        row = dict(zip(comparison, values, strict=True))
        is_done = row["status"] == "ok"
        in_logs = row["measure"] == "log_points"
        keys = ("att_yuan", "ci_low_yuan", "ci_high_yuan") if in_logs else _OWN
        found[row["initiative"]] = EffectFigure(
            outcome=outcome,
            level=row["level"] or 0.0,
            n_treated=row["n_treated"] or 0,
            n_comparison=row["n_comparison"] or 0,
            method=Text("主结果", "headline estimate"),
            natural=(row[keys[0]], row[keys[1]], row[keys[2]]) if is_done else None,
            log=(row["att_log"], row["ci_low_log"], row["ci_high_log"]) if in_logs else None,
            failure=None if is_done else Text(row["message_zh"], row["message_en"]),
        )
    return found


_OWN = ("att", "ci_low", "ci_high")


def _rows(table: Any, units: Sequence[str], years: Sequence[int]) -> list[list[int | None]]:
    found = {
        (unit, year): value
        for unit, year, value in zip(table["unit"], table["year"], table["value"], strict=True)
    }
    return [[found.get((unit, year)) for year in years] for unit in units]


def _hosting(initiative: Initiative, known: set[str]) -> dict[str, Any]:
    costs = [host.cost_yuan for host in initiative.treated]
    sums = [_money(one) for one in costs]
    return {
        "id": initiative.id,
        "name_zh": initiative.name.zh,
        "name_en": initiative.name.en,
        "units": sorted({host.unit for host in initiative.treated} & known),
        "cost_yuan": None if any(one is None for one in sums) or not sums else sum(sums),
    }


def _money(cost: Any) -> int | None:
    if not cost:
        return None
    return int(sum(cost.values()))
