"""Display frames for notebooks."""

from __future__ import annotations

import polars as pl
import pytest

from cps.design.build import design_from_frame
from cps.errors import UsageError
from cps.estimators.battery import estimate_all
from cps.robustness.registry import check_robustness
from cps.tables import show


def test_designs_effects_checks_and_overviews_are_shown_as_frames() -> None:
    frame = pl.DataFrame(
        [
            {
                "unit": f"u{i}",
                "year": year,
                "y": float(i * year % 7),
                "cohort": 2019 if i == 0 else None,
            }
            for i in range(9)
            for year in range(2013, 2023)
        ],
        schema_overrides={"cohort": pl.Int64},
    )
    design = design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="cohort")
    effects = estimate_all(design)
    shown = show(design)
    assert shown.height == 9
    assert show(effects)["效应 att"][0] == effects[0].overall.att
    assert show(effects).height == len(effects)
    checks = check_robustness(design, effects[0])
    assert show(checks).height == len(checks) == 5
    assert show({"comparison": {"initiative": ["a"], "att_yuan": [None]}}).height == 1


def test_anything_else_is_refused() -> None:
    with pytest.raises(UsageError, match="int can't be shown"):
        show(3)  # type: ignore[arg-type]
