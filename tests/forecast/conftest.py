"""Months to forecast from: the demonstration's, 30 villages of the target subdistrict."""

from __future__ import annotations

import pytest

from cps.demo._villages import YEARS
from cps.demo._world import draw_world
from cps.design.initiatives import load_initiatives
from cps.forecast.months import Months


@pytest.fixture(scope="session")
def demo_months() -> Months:
    world = draw_world(load_initiatives(), is_spurious=False, seed=20231231)
    names = tuple(one.name for one in world.villages[:30])
    income = world.income_yuan[:30].reshape(30, len(YEARS), 12).astype(float)
    return Months(names, YEARS, income, is_synthetic=True)


@pytest.fixture(scope="session")
def few_months(demo_months: Months) -> Months:
    """Give every third village of the demonstration."""
    return Months(
        demo_months.units[::3], demo_months.years, demo_months.income_yuan[::3], is_synthetic=True
    )
