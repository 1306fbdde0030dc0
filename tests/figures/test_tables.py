"""Display frames for notebooks."""

from __future__ import annotations

import dataclasses

import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.errors import UsageError
from cps.estimators.battery import estimate_all
from cps.estimators.registry import estimate
from cps.robustness.registry import check_robustness, list_checks
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
    shown = show(design).frame
    assert shown.height == 9
    assert show(effects).frame["效应 att"][0] == effects[0].overall.att
    assert show(effects).frame.height == len(effects)
    checks = check_robustness(design, effects[0])
    assert show(checks).frame.height == len(checks) == len(list_checks())
    assert show({"comparison": {"initiative": ["a"], "att_yuan": [None]}}).frame.height == 1


def test_one_effect_alone_is_shown_with_every_number_that_it_holds() -> None:
    frame = pl.DataFrame(
        {
            "unit": [f"u{i}" for i in range(8) for _ in range(4)],
            "year": [1, 2, 3, 4] * 8,
            "y": [float((i * 7 + t * t) % 5) for i in range(8) for t in range(4)],
            "c": [3 if i < 3 else None for i in range(8) for _ in range(4)],
        }
    )
    design = design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="c")
    effect = estimate(design, "group_time_att", options={"base": "universal"})
    shown = show(effect).frame
    assert shown["效应 att"][0] == effect.overall.att
    cells = shown.filter(pl.col("项目 what") == "ATT(g,t)")
    assert cells["时期 t"].to_list() == [1, 2, 3, 4]
    assert cells["效应 att"].to_list() == [one.estimate.att for one in effect.group_time]


def test_a_synthetic_design_marks_every_table_and_a_real_one_none() -> None:
    frame = pl.DataFrame(
        {
            "unit": ["a", "a", "b", "b"],
            "year": [1, 2, 1, 2],
            "y": [1.0, 2, 3, 5],
            "c": [2, 2, None, None],
        }
    )
    real = design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="c")
    made_up = dataclasses.replace(real, is_synthetic=True)
    overview = {"comparison": {"initiative": ["<b>一个很长的名字" * 5]}}
    assert "合成数据" in show(overview, made_up)._repr_html_()
    assert "合成数据" in repr(show(made_up))
    assert "合成数据" not in show(overview, real)._repr_html_()
    assert "&lt;b&gt;" + "一个很长的名字" in show(overview, real)._repr_html_()
    assert "…" not in show(overview, real)._repr_html_()  # sentences are not cut


def test_anything_else_is_refused() -> None:
    with pytest.raises(UsageError, match="int can't be shown"):
        show(3)  # type: ignore[arg-type]
