"""Small hand-made panels and effects."""

import polars as pl
import pytest

from cps.errors import Text
from cps.panel.record import PANEL_KEYS, Panel
from cps.result import Effect, Estimate


@pytest.fixture
def make_panel():
    """Make a panel from {unit: (area, {year: 元}, {year: 人})}."""

    def make(units, *, is_synthetic=False, drop=()):
        rows = [
            {
                "unit": unit,
                "area": area,
                "period": year,
                "period_label": str(year),
                "regime": "2004",
                "is_synthetic": is_synthetic,
                "income_yuan": income.get(year),
                "jobs_persons": jobs.get(year),
            }
            for unit, (area, income, jobs) in units.items()
            for year in (2020, 2021, 2022, 2023)
        ]
        schema = {**PANEL_KEYS, "income_yuan": pl.Int64(), "jobs_persons": pl.Int64()}
        frame = pl.DataFrame(rows, schema=schema).sort("unit", "period").drop(*drop)
        return Panel(frame, "year", "village", (), (), is_synthetic)

    return make


@pytest.fixture
def make_effect():
    def make(low, att, high, *, measure="yuan", natural=None, initiative="pooled"):
        return Effect(
            initiative=initiative,
            outcome="income_yuan",
            measure=measure,
            natural_measure="yuan",
            estimand=Text("平均处理效应", "ATT"),
            method="group_time",
            method_name=Text("组别时间法", "Group-time ATT"),
            reference="",
            options={},
            overall=Estimate(att, 1.0, low, high, 0.2),
            natural=natural,
            level=0.95,
            inference="analytic",
            p_value_floor=None,
            n_treated=4,
            n_comparison=26,
            n_pre=3,
            n_post=3,
        )

    return make
