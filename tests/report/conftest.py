"""Small runs, made by the real verbs on made-up frames."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Assumption, Design, Initiative, TreatedUnit
from cps.errors import Finding, Text
from cps.estimators.battery import estimate_all
from cps.robustness.registry import check_robustness
from cps.runs import Run, make_run

MakeRun = Callable[..., Run]


def small_design(
    *, effect: float = 0.3, name: str = "case", unit: str = "村", **more: Any
) -> Design:
    """Give 2 treated and 24 comparison units over 8 years, in logarithms of 元."""
    rng = np.random.default_rng(3)
    rows = [
        {
            "unit": f"{unit}{i:02d}",
            "year": year,
            "income_yuan": float(
                np.exp(13 + 0.3 * rng.normal() * 0.2 + (effect if i < 2 and year >= 2021 else 0))
            ),
            "cohort": 2021 if i < 2 else None,
        }
        for i in range(26)
        for year in range(2017, 2025)
    ]
    frame = pl.DataFrame(rows, schema_overrides={"cohort": pl.Int64})
    options = {"measure": "yuan", "form": "log", "unit_kind": "village", **more}
    return design_from_frame(
        frame,
        unit="unit",
        period="year",
        outcome="income_yuan",
        cohort="cohort",
        name=name,
        **options,
    )


def initiative(name: str = "盆景（示例）") -> Initiative:
    """Give an initiative with costs and assumptions."""
    return Initiative(
        id="case",
        name=Text(name, f"{name} in English"),
        description=Text("说明", "Description"),
        format="bonsai",
        provenance="illustrative",
        stands_for=("gongfu_projects__named_project",),
        is_synthetic=True,
        unit_kind="village",
        frequency="year",
        outcomes=("income_yuan",),
        treated=(
            TreatedUnit(
                "村00", datetime.date(2021, 5, 1), {"province": 500_000, "social": 125_000}
            ),
        ),
        comparison_areas=(),
        exclusions=(),
        anticipation=0,
        assumptions=(Assumption(Text("平行", "Parallel"), "fair", "high"),),
        source_sha256="",
    )


@pytest.fixture(scope="session")
def run_of() -> MakeRun:
    """Make a run: ``run_of(effect=, is_synthetic=, subject=, findings=, name=)``."""

    def make(
        *,
        effect: float = 0.3,
        is_synthetic: bool = True,
        subject: Initiative | None = None,
        findings: tuple[Finding, ...] = (),
        design: Design | None = None,
    ) -> Run:
        chosen = design or small_design(effect=effect)
        chosen = dataclasses.replace(chosen, is_synthetic=is_synthetic)
        effects = estimate_all(chosen)
        return make_run(
            chosen,
            subject,
            effects=effects,
            checks=check_robustness(chosen, effects[0]),
            inputs={"台账.csv": "ab" * 32},
            parameters={"seed": 0, "outcome": "income_yuan", "out": "/somewhere/else"},
            findings=findings,
        )

    return make
