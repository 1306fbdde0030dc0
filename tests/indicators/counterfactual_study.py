"""Do the intervals of the distribution without the initiatives hold? Demonstration worlds, truth known.

``python -m tests.indicators.counterfactual_study --draws 200`` draws that many worlds in each mode
(effects, no effects) and prints, for every index and each way of taking effects away, how often the
95% interval held the true value, by how much its middle was off, and how wide it was. With
``--headline 40`` the 15 headline effects are estimated too, in so many worlds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cps.demo._villages import TARGET, YEARS
from cps.demo._world import World, draw_world
from cps.design.build import make_design, pool_initiatives
from cps.design.initiatives import load_initiatives
from cps.design.record import Initiative
from cps.errors import DesignError
from cps.estimators.battery import estimate_all
from cps.indicators.grid import grid_of_panel
from cps.indicators.registry import indicator
from cps.panel.record import PANEL_KEYS, Panel
from cps.synthesis.host_effects import HostEffects, HostGaps, draw_host_effects
from cps.synthesis.without import gaps_of, take_away, take_headlines_away

FIRST_SEED = 5000
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of one index in one way of taking effects away."""

    hits: list[bool]
    errors: list[float]
    widths: list[float]


def main() -> None:
    """Print the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--headline", type=int, default=0)
    parser.add_argument("--period", type=int, default=2024)
    given = parser.parse_args()
    for is_spurious in (False, True):
        mode = "headline_spurious" if is_spurious else "headline_true"
        print(f"{mode}, {given.period}, {given.draws} worlds")
        found = study(
            given.draws, is_spurious=is_spurious, period=given.period, headline=given.headline
        )
        for (way, name), one in found.items():
            n = len(one.hits)
            held = float(np.mean(one.hits))
            error = float(np.sqrt(held * (1 - held) / n))
            print(
                f"  {way:15s} {name:20s} held {held:6.1%} ± {error:.1%} of {n}; middle off "
                f"{np.mean(one.errors):+.4g}, half-width {np.mean(one.widths) / 2:.4g}",
                flush=True,
            )


def study(
    n_draws: int, *, is_spurious: bool, period: int, headline: int = 0
) -> dict[tuple[str, str], Tally]:
    """Draw worlds and count how often intervals hold the truth, by way and index."""
    declared = load_initiatives()
    found: dict[tuple[str, str], Tally] = {}
    for place, world in enumerate(_worlds(n_draws, declared, is_spurious)):
        truth = _without(world)[:, YEARS.index(period)]
        for way, row in _answers(world, declared, period, with_headline=place < headline):
            statistic = indicator(row["indicator"]).statistic
            if statistic is None:
                raise TypeError(row["indicator"])
            true = float(statistic(truth))
            low, high, slack = row["without_low"], row["without_high"], 1e-9 * abs(true)
            tally = found.setdefault((way, row["indicator"]), Tally([], [], []))
            tally.hits.append(low - slack <= true <= high + slack)
            tally.errors.append(row["without"] - true)
            tally.widths.append(high - low)
    return found


def _worlds(n_draws: int, declared: tuple[Initiative, ...], is_spurious: bool) -> Iterator[World]:
    for place in range(n_draws):
        try:
            yield draw_world(declared, is_spurious=is_spurious, seed=FIRST_SEED + place)
        except RuntimeError:  # no path of this seed keeps the published shares
            continue


def _answers(
    world: World, declared: tuple[Initiative, ...], period: int, *, with_headline: bool
) -> Iterator[tuple[str, Row]]:
    panel = panel_of(world)
    grid = grid_of_panel(panel, "income_yuan", area=TARGET)
    design = make_design(panel, pool_initiatives(declared))
    gaps = gaps_of(panel, design, declared, period=period)
    for way, effects in (("by_host", draw_host_effects(gaps)), ("one_for_all", _one_for_all(gaps))):
        for one in take_away(grid, effects, period=period).rows:
            yield way, {name: getattr(one, name) for name in one.__slots__}
    if not with_headline:
        return
    runs = []
    for initiative in declared:
        try:
            own = make_design(panel, initiative, others=declared)
            runs.append(SimpleNamespace(name=initiative.id, effects=estimate_all(own)[:1]))
        except DesignError:
            continue
    for found in take_headlines_away(grid, declared, runs, period=period):
        for row in found["rows"]:
            yield found["way"], row


def _one_for_all(gaps: HostGaps) -> HostEffects:
    """Take one effect in logarithms for all hosts: what by-host effects are compared with."""
    weight = np.linalg.solve(gaps.covariance, np.ones(len(gaps.gaps)))
    mean, error = weight @ gaps.gaps / weight.sum(), float(1 / np.sqrt(weight.sum()))
    n = len(gaps.units) + len(gaps.unseen)
    drawn = mean + error * np.random.default_rng(0).standard_normal((1000, 1))
    return HostEffects(
        units=(*gaps.units, *gaps.unseen),
        effects=np.full(n, mean),
        draws=np.repeat(drawn, n, axis=1),
        mean=float(mean),
        slope=0.0,
        slope_error=0.0,
        spread=0.0,
    )


def panel_of(world: World) -> Panel:
    """Give a world's incomes by year, as the ledgers would have given them."""
    income = _by_year(world.income_yuan)
    rows = [
        {
            "unit": village.name,
            "area": village.area,
            "period": year,
            "period_label": str(year),
            "regime": "2023" if year >= 2024 else "2004",
            "is_synthetic": True,
            "income_yuan": int(income[place, column]),
        }
        for place, village in enumerate(world.villages)
        for column, year in enumerate(YEARS)
    ]
    frame = pl.DataFrame(rows, schema={**PANEL_KEYS, "income_yuan": pl.Int64()}, orient="row")
    return Panel(frame.sort("unit", "period"), "year", "village", (), (), True)


def _without(world: World) -> NDArray[np.float64]:
    """Give what villages of the target area would have had, shape (n_villages, n_years)."""
    taken = sum(world.effect_yuan.values(), np.zeros_like(world.income_yuan))
    inside = [village.area == TARGET for village in world.villages]
    return _by_year(world.income_yuan - taken)[inside].astype(float)


def _by_year(months: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(months.reshape(len(months), len(YEARS), 12).sum(axis=2))


if __name__ == "__main__":
    main()
