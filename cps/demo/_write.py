"""From a drawn world to ledger files, and to the truth that none of them holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cps.demo._ledgers import (
    write_accounts,
    write_jobs,
    write_quarterly,
    write_registry,
    write_wide,
)
from cps.demo._villages import NEXT_DOOR, TARGET, VISITED, YEARS
from cps.demo._world import World, draw_world, yearly_truth
from cps.design.record import Initiative


def write_ledgers(
    folder: Path, initiatives: tuple[Initiative, ...], *, is_spurious: bool, seed: int
) -> dict[str, Any]:
    """Write all ledgers of one world into ``folder`` and give its truth."""
    world = draw_world(initiatives, is_spurious=is_spurious, seed=seed)
    _write_target(folder, world)
    incomes, jobs = (
        _of(world, NEXT_DOOR, world.income_yuan),
        _of(world, NEXT_DOOR, world.jobs_persons),
    )
    quarters = {name: one.reshape(-1, 3).sum(axis=1).tolist() for name, one in incomes.items()}
    write_quarterly(
        folder / f"合成_{NEXT_DOOR}_集体收入_季报.xlsx", area=NEXT_DOOR, years=YEARS, rows=quarters
    )
    accounts = {name: one.tolist() for name, one in _of(world, VISITED, world.income_yuan).items()}
    write_accounts(
        folder / f"合成_{VISITED}_科目余额.xlsx", area=VISITED, years=YEARS, rows=accounts
    )
    for area, persons in ((NEXT_DOOR, jobs), (VISITED, _of(world, VISITED, world.jobs_persons))):
        at_end = {name: one[11::12].tolist() for name, one in persons.items()}
        write_jobs(folder / f"合成_{area}_就业.xlsx", area=area, years=YEARS, rows=at_end)
    write_registry(folder / f"合成_{TARGET}_项目库.xlsx", area=TARGET, initiatives=initiatives)
    return _truth(world, initiatives)


def _of(world: World, area: str, values: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    return {
        village.name: row
        for village, row in zip(world.villages, values, strict=True)
        if village.area == area
    }


def _write_target(folder: Path, world: World) -> None:
    for subject, unit, values in (
        ("经营性收入", "万元", world.income_yuan),
        ("家门口就业人数", "人", world.jobs_persons),
    ):
        rows = _of(world, TARGET, values)
        before: list[int] | None = None
        for place, year in enumerate(YEARS):
            months = {
                name: one[12 * place : 12 * place + 12].tolist() for name, one in rows.items()
            }
            write_wide(
                folder / f"合成_{TARGET}_{subject}_{year}.csv",
                year=year,
                area=TARGET,
                subject=f"村级集体{subject}" if unit == "万元" else subject,
                unit=unit,
                rows=list(months.items()),
                before=before,
            )
            before = [sum(one) if unit == "万元" else one[-1] for one in months.values()]


def _truth(world: World, initiatives: tuple[Initiative, ...]) -> dict[str, Any]:
    hosts = {one.id: frozenset(host.unit for host in one.treated) for one in initiatives}
    effect = sum(world.effect_yuan.values(), np.zeros_like(world.income_yuan))
    untreated = (world.income_yuan - effect).reshape(len(effect), len(YEARS), 12).sum(axis=2)
    names = [village.name for village in world.villages]
    return {
        "years": list(YEARS),
        "effects": yearly_truth(world, hosts),
        "untreated_income_yuan": {
            name: dict(zip(map(str, YEARS), map(int, row), strict=True))
            for name, row in zip(names, untreated, strict=True)
        },
        "idiosyncratic": {
            name: [round(float(one), 6) for one in row]
            for name, row in zip(names, world.idiosyncratic, strict=True)
        },
    }
