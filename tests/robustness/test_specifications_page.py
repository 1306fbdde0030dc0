"""The specification curve as its readers see it: figure, page section and notebook table."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import polars as pl
import pytest

import cps
from cps.design.record import Design
from cps.estimators.registry import estimate
from cps.figures.drawing import draw, draw_plainly
from cps.figures.specification_curve import specification_curve
from cps.figures.svg import to_svg
from cps.report.blocks import Block, Figure, Paragraph, Table
from cps.report.render import render_report
from cps.report.sections import specifications as section
from cps.report.vocabulary import words_of
from cps.robustness.specifications import SpecificationCurve, trace_specifications
from cps.runs import Run, load_run, make_run, save_run
from tests.robustness.specification_worlds import areas_of, log_incomes, village_design

EXACT = {"weights": "sdid", "solver": "exact"}
ROWS = [
    {
        "key": str(place),
        "estimate": float(place - 2),
        "low": place - 3.0 if place else None,
        "high": (8.0 if place == 4 else 400.0) if place else None,
        "is_headline": place == 4,
    }
    for place in range(6)
]
GROUPS = [
    ("方法", [("甲", frozenset("013")), ("乙", frozenset("245"))]),
    ("时段", [("全部", frozenset("012345")), ("没有一种", frozenset())]),
]


def _figure(mark: str = "合成数据", **more: Any) -> Any:
    given = {"y": "效应（%）", "headline": "主结果", "mark": mark, **more}
    return specification_curve(ROWS, GROUPS, **given)


@pytest.fixture(scope="module")
def traced() -> tuple[Design, SpecificationCurve, Run]:
    design = village_design(log_incomes(18, 1), (2019, 2020), effect=0.3, ring=(16, 17))
    design = dataclasses.replace(design, is_synthetic=True)
    effect = estimate(design, options=EXACT)
    curve = trace_specifications(design, effect, panel=areas_of(design))
    run = make_run(design, None, effects=[effect], extra={"specifications": curve})
    return design, curve, run


@pytest.fixture(scope="module")
def saved(traced: tuple[Design, SpecificationCurve, Run], tmp_path_factory: Any) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "case"
    save_run(traced[2], folder, design=traced[0])
    return load_run(folder)


def test_the_figure_is_valid_vega_lite() -> None:
    import altair as alt

    for mark in ("", "合成数据"):
        alt.Chart.from_dict(_figure(mark), validate=True)


def test_the_figure_carries_its_words_its_mark_and_every_option() -> None:
    svg = to_svg(_figure(), label="设定", key="f1")
    for word in ("合成数据", "主结果", "方法", "时段", "甲", "乙", "没有一种", "效应（%）"):
        assert f">{word}<" in svg
    assert "合成数据" not in to_svg(_figure(""), label="设定", key="f1")
    assert "<script" not in svg


def test_the_fast_drawing_of_the_figure_is_the_plain_one_to_the_byte() -> None:
    for words in ("短", "a title far too long to stand beside its axis " * 3, "§a", "<b> & 'c'"):
        spec = _figure(y=words, headline=words)
        assert draw(spec) == draw_plainly(spec)


def _paths(svg: str, stroke: str) -> list[str]:
    return [
        one[1]
        for one in re.finditer(r'<path [^>]*d="([^"]*)"[^>]*stroke="([^"]*)"', svg)
        if one[2] == stroke
    ]


def test_estimates_rise_from_left_to_right_and_choices_stand_below_their_estimate() -> None:
    svg = to_svg(_figure(), label="x", key="f1")
    (estimates,) = _paths(svg, "#1f5a96")
    places = [
        tuple(map(float, one.split(","))) for one in re.findall(r"M([\d.]+,[\d.]+)", estimates)
    ]
    assert len(places) == len(ROWS)
    assert places == sorted(places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)
    width = places[1][0] - places[0][0]
    runs = "".join(_paths(svg, "#1c2330"))
    # Options of rows 0, 1 and 3: one stroke over the first two, and one over the fourth.
    first_line = [
        (float(x), float(end))
        for x, y, end in re.findall(r"M([\d.]+),([\d.]+)L([\d.]+),", runs)
        if abs(float(y) - 243.5) < 0.1
    ]
    assert len(first_line) == 2
    assert first_line[0][0] < width / 2
    assert 1.5 * width < first_line[0][1] <= 2 * width
    assert 3 * width <= first_line[1][0] < 3.5 * width


def test_intervals_are_cut_at_the_frame() -> None:
    svg = to_svg(_figure(), label="x", key="f1")
    (intervals,) = _paths(svg, "#b9c0ca")
    heights = [float(one) for one in re.findall(r",([\d.]+)", intervals)]
    assert min(heights) == 0
    assert max(heights) <= 220
    assert intervals.count("M") == sum(one["low"] is not None for one in ROWS)


def _texts(blocks: list[Block], language: str) -> list[str]:
    words = words_of(language)
    found = [words.text(one.content) for one in blocks if isinstance(one, Paragraph)]
    for one in blocks:
        if isinstance(one, Table):
            found += [words.cell(cell) for row in one.rows for cell in row]
        if isinstance(one, Figure | Table) and one.note is not None:
            found.append(words.text(one.note))
    return found


def test_a_run_without_a_curve_has_no_section(saved: Run) -> None:
    assert section.build(dataclasses.replace(saved, extra={})) == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_says_the_counts_the_range_and_the_joint_test(
    traced: tuple[Design, SpecificationCurve, Run], saved: Run, language: str
) -> None:
    curve = traced[1]
    assert curve.joint is not None
    text = "\n".join(_texts(section.build(saved), language))
    for n in (
        curve.n_declared,
        curve.n_estimated,
        curve.n_same,
        curve.n_refused,
        curve.joint.n_assignments,
    ):
        assert f"{n}" in text
    assert f"{curve.joint.p_joint:.3f}" in text
    assert curve.declared_hash in text
    for one in curve.refusals:
        assert one.reason.in_language(language) in text
    assert "{" not in text


def test_the_overview_says_whose_effect_it_is_and_an_initiative_does_not(saved: Run) -> None:
    overview = dataclasses.replace(saved, kind="overview")
    (first, *_), said = _texts(section.build(overview), "en"), "all hosts together"
    assert said in first
    assert not any(said in one for one in _texts(section.build(saved), "en"))


def test_both_languages_show_the_same_numbers(saved: Run) -> None:
    blocks = section.build(saved)
    numbers = [
        sorted(re.findall(r"\d+(?:\.\d+)?", "\n".join(_texts(blocks, one)))) for one in ("zh", "en")
    ]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize(
    ("joint", "said"),
    [
        ({"p_joint": 0.03, "smallest_p": 0.02}, "不像偶然"),
        ({"p_joint": 0.4, "smallest_p": 0.02}, "无从区分"),
        ({"p_joint": 0.07, "smallest_p": 0.07}, "无法据此排除偶然"),
    ],
)
def test_the_sentence_says_no_more_than_the_joint_test(
    saved: Run, joint: dict[str, float], said: str
) -> None:
    curve = dict(saved.extra["specifications"])
    curve["joint"] = {**curve["joint"], **joint}
    run = dataclasses.replace(saved, extra={"specifications": curve})
    (lead,) = [
        one for one in section.build(run) if isinstance(one, Paragraph) and one.tone == "lead"
    ]
    assert said in words_of("zh").text(lead.content)


def test_where_there_is_no_joint_test_the_page_says_why(saved: Run) -> None:
    curve = {
        **saved.extra["specifications"],
        "joint": None,
        "no_joint": {"zh": "单位太少", "en": "few"},
    }
    run = dataclasses.replace(saved, extra={"specifications": curve})
    text = "\n".join(_texts(section.build(run), "zh"))
    assert "没有做联合检验：单位太少" in text


def test_the_section_is_on_the_page_with_its_synthetic_mark(saved: Run) -> None:
    page = render_report(saved, language="en")
    assert "Specification curve" in page
    assert page.count("Synthetic data") > 4


def test_a_notebook_shows_the_curve_by_choice_with_its_mark(
    traced: tuple[Design, SpecificationCurve, Run],
) -> None:
    curve = traced[1]
    shown = cps.show(curve)
    assert shown.mark
    frame = shown.frame
    n_options = sum(len(one.options) for one in curve.dimensions)
    assert frame.height == 5 + n_options
    assert frame["p"].drop_nulls().to_list() == [curve.joint.p_joint if curve.joint else None]
    per_dimension = frame[5:]["设定数 n"].to_list()
    place = 0
    for dimension in curve.dimensions:
        size = len(dimension.options)
        assert sum(per_dimension[place : place + size]) == curve.n_estimated
        place += size
    assert pl.DataFrame(curve.table(), strict=False).height == curve.n_declared
