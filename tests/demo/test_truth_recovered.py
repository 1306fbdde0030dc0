"""Estimates tell the two modes apart; before-after can't."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from cps.demo._villages import YEARS
from cps.demo._world import World, draw_world
from cps.design.build import make_design, pool_initiatives
from cps.design.initiatives import load_initiatives
from cps.design.record import Design
from cps.estimators.registry import estimate
from cps.panel.record import Panel

SEEDS = range(1, 13)
INITIATIVES = load_initiatives()


def by_year(months: NDArray[np.int64]) -> NDArray[np.int64]:
    return months.reshape(len(months), len(YEARS), 12).sum(axis=2)


def panel_of(world: World) -> Panel:
    """Build the panel that the ledgers of a world give back; another test proves that they do."""
    income = by_year(world.income_yuan)
    rows = [
        {
            "unit": one.name,
            "area": one.area,
            "period": year,
            "period_label": str(year),
            "regime": "2023" if year >= 2024 else "2004",
            "is_synthetic": True,
            "income_yuan": int(income[i, t]),
        }
        for i, one in enumerate(world.villages)
        for t, year in enumerate(YEARS)
    ]
    frame = pl.DataFrame(rows, schema_overrides={"period": pl.Int32})
    return Panel(frame, "year", "village", (), (), True)


def log_truth(design: Design, world: World) -> float:
    """Give the mean true effect over treated cells, in log points."""
    names = [one.name for one in world.villages]
    income = by_year(world.income_yuan)
    effect = by_year(sum(world.effect_yuan.values(), np.zeros_like(world.income_yuan)))
    cells = [
        np.log(income[i, t] / (income[i, t] - effect[i, t]))
        for unit, cohort in zip(design.units, design.cohort, strict=True)
        if cohort is not None
        for i in [names.index(unit)]
        for t, year in enumerate(YEARS)
        if year >= cohort
    ]
    return float(np.mean(cells))


@pytest.fixture(scope="module")
def worlds() -> dict[tuple[int, bool], World]:
    return {
        (seed, mode): draw_world(INITIATIVES, is_spurious=mode, seed=seed)
        for seed in SEEDS
        for mode in (False, True)
    }


def test_over_many_worlds_pooled_estimates_are_right_in_both_modes(
    worlds: dict[tuple[int, bool], World],
) -> None:
    together = pool_initiatives(INITIATIVES)
    errors: dict[bool, list[float]] = {False: [], True: []}
    growth: dict[bool, list[float]] = {False: [], True: []}
    for (seed, mode), world in worlds.items():
        design = make_design(panel_of(world), together)
        found = estimate(design, options={"weights": "did"}, seed=seed).overall
        errors[mode].append((found.att or 0.0) - log_truth(design, world))
        treated = np.array([cohort is not None for cohort in design.cohort])
        growth[mode].append(float(design.y[treated, -1].mean() - design.y[treated, 0].mean()))
    for mode in (False, True):
        # The mean of 12 worlds; three of its own standard errors.
        spread = np.std(errors[mode], ddof=1) / np.sqrt(len(SEEDS))
        assert abs(np.mean(errors[mode])) < 3 * spread + 0.01
    truths = [
        log_truth(make_design(panel_of(world), together), world)
        for (_, mode), world in worlds.items()
        if not mode
    ]
    assert np.mean(truths) > 0.05
    # Before-after says the same of a world where nothing was caused.
    assert np.mean(growth[True]) == pytest.approx(np.mean(growth[False]), abs=0.03)


def test_intervals_of_single_initiatives_cover_the_truth_at_about_their_level(
    worlds: dict[tuple[int, bool], World],
) -> None:
    hits = []
    for (seed, _), world in worlds.items():
        panel = panel_of(world)
        for one in INITIATIVES:
            design = make_design(panel, one, others=INITIATIVES)
            found = estimate(design, options={"weights": "did"}, seed=seed).overall
            assert found.ci_low is not None
            assert found.ci_high is not None
            hits.append(found.ci_low <= log_truth(design, world) <= found.ci_high)
    # 360 intervals that share their comparison villages: worth perhaps a quarter as many. Three
    # binomial standard deviations of 90 around 0.95 reach from 0.88.
    assert 0.88 <= np.mean(hits) <= 1.0
