"""Sections on indicators: every number from the run, nothing without it, both languages alike."""

from __future__ import annotations

import dataclasses
import datetime
import re
from typing import Any

import numpy as np
import polars as pl
import pytest

from cps.design.build import make_design, pool_initiatives
from cps.design.record import Initiative, TreatedUnit
from cps.errors import Text
from cps.estimators.registry import estimate
from cps.indicators.summary import summarise_panel
from cps.panel.record import PANEL_KEYS, Panel
from cps.report.render import render_report
from cps.report.sections import counterfactual, gaps, levels, structure, targets, thresholds
from cps.runs import Run, make_run
from cps.synthesis.without import without_initiatives

from .test_pages import visible

SECTIONS = (targets, levels, thresholds, gaps, structure, counterfactual)
YEARS = range(2015, 2025)


def squeezed(page: str) -> str:
    """Give a page's text without blanks: a number in a sentence is an element of its own."""
    return re.sub(r"\s", "", visible(page))


def small_panel() -> Panel:
    rng = np.random.default_rng(2)
    rows = []
    for place in range(40):
        level = np.exp(rng.normal(np.log(7e5), 0.8))
        for year in YEARS:
            gain = 1.5e5 if place < 12 and year >= 2020 + place % 3 else 0.0
            value = level * 1.08 ** (year - 2015) * np.exp(rng.normal(0, 0.1)) + gain
            rows.append(
                {
                    "unit": f"合成{place:02d}",
                    "area": "甲街" if place < 15 else "乙镇",
                    "period": year,
                    "period_label": str(year),
                    "regime": "2023" if year >= 2024 else "2004",
                    "is_synthetic": True,
                    "income_yuan": round(value),
                    "jobs_persons": 5 + place,
                }
            )
    schema = {**PANEL_KEYS, "income_yuan": pl.Int64(), "jobs_persons": pl.Int64()}
    frame = pl.DataFrame(rows, schema=schema, orient="row").sort("unit", "period")
    return Panel(frame, "year", "village", (), (), True)


def one_initiative() -> Initiative:
    return Initiative(
        id="one",
        name=Text("项目", "initiative"),
        description=Text("", ""),
        format="bonsai",
        provenance="illustrative",
        stands_for=(),
        is_synthetic=True,
        unit_kind="village",
        frequency="year",
        outcomes=("income_yuan",),
        treated=tuple(
            TreatedUnit(f"合成{place:02d}", datetime.date(2020 + place % 3, 1, 1))
            for place in range(12)
        ),
        comparison_areas=("甲街", "乙镇"),
        exclusions=(),
        anticipation=0,
        assumptions=(),
        source_sha256="",
    )


@pytest.fixture(scope="module")
def run() -> Run:
    panel, declared = small_panel(), (one_initiative(),)
    together = pool_initiatives(declared)
    design = make_design(panel, together)
    return make_run(
        design,
        together,
        kind="overview",
        effects=[estimate(design, "imputation")],
        indicators={
            **summarise_panel(panel, declared, area="甲街"),
            **without_initiatives(panel, design, area="甲街", initiatives=declared, draws=200),
        },
        extra={"target_area": "甲街"},
    )


def test_sections_come_in_the_order_of_a_good_report(run: Run) -> None:
    text = visible(render_report(run, language="en"))
    heads = [module.TEXT["en"]["heading"] for module in SECTIONS]
    places = [text.index(head) for head in heads]
    assert places == sorted(places)


def test_nothing_is_built_from_a_run_without_indicators(run: Run) -> None:
    bare = dataclasses.replace(run, indicators={})
    for module in SECTIONS:
        assert module.build(bare) == [], module.__name__


def test_no_prose_carries_a_number_that_came_from_data(run: Run) -> None:
    """What digits there are in the prose belong to names (FGT 0) and levels, not to results."""
    allowed = re.compile(r"FGT|P90|P10|50|100|500|1,000|1,|10%|20%|95%|α|n\)|\{|x\)|0")
    for module in SECTIONS:
        for language in ("zh", "en"):
            for key, text in module.TEXT[language].items():
                left = allowed.sub("", text)
                assert not re.search(r"\d{2,}", left), (module.__name__, key, text)


def test_both_languages_say_the_same_numbers(run: Run) -> None:
    zh, en = (visible(render_report(run, language=language)) for language in ("zh", "en"))
    gini = next(row for row in run.indicators["readings"] if row["indicator"] == "gini")
    printed = f"{gini['value']:.3f}"
    assert printed in zh
    assert printed in en
    growth = next(
        row for row in run.indicators["readings"] if row["indicator"] == "growth_year_on_year"
    )
    assert growth["formula"]["zh"] in zh
    assert growth["formula"]["en"] in en


def test_growth_over_the_accounting_break_is_starred_and_said(run: Run) -> None:
    text = squeezed(render_report(run, language="zh"))
    assert "自2024年起执行新的村集体会计制度" in text
    assert re.search(r"[+−][\d.]+%?\*", text)


def test_the_counterfactual_table_has_every_index_with_both_intervals(run: Run) -> None:
    blocks = counterfactual.build(run)
    table = next(one for one in blocks if type(one).__name__ == "Table")
    rows = run.indicators["counterfactual"]["years"][-1]["rows"]
    assert len(table.rows) == len(rows)
    for printed, row in zip(table.rows, rows, strict=True):
        assert printed[1].value == pytest.approx(
            row["observed"] / (100 if row["unit"] == "percent" else 1)
        )
        assert printed[3].low is not None
        assert printed[5].high is not None


def test_an_outcome_without_a_counterfactual_says_why(run: Run) -> None:
    why: dict[str, Any] = {"why_not": {"zh": "只对金额给出", "en": "for money only"}}
    without = dataclasses.replace(run, indicators={**run.indicators, "counterfactual": why})
    assert "Notgiven:formoneyonly." in squeezed(render_report(without, language="en"))


def test_every_absent_indicator_is_listed_with_its_reason(run: Run) -> None:
    text = visible(render_report(run, language="zh"))
    for one in run.indicators["absent"]:
        assert one["title"]["zh"] in text
        assert one["reason"]["zh"] in text


def test_a_panel_of_one_area_is_read_whole_and_has_no_comparison() -> None:
    panel = small_panel()
    design = make_design(panel, pool_initiatives((one_initiative(),)))
    run = make_run(
        design,
        None,
        kind="overview",
        effects=[],
        indicators=summarise_panel(panel, area=None),
        extra={"target_area": None},
    )
    text = visible(render_report(run, language="en"))
    assert "All units: gaps of income between units" in text
    assert targets.TEXT["en"]["heading"] in text
    assert "TheilT:byarea" in squeezed(render_report(run, language="en"))
    assert "hosts and others" not in text
