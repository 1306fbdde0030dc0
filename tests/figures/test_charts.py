"""Figures: drawn from plain data, with their words as text, ids that never meet."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cps.figures import charts
from cps.figures.drawing import draw, draw_plainly
from cps.figures.svg import to_svg

EVENT = [{"event_time": e, "att": e / 2, "low": e / 2 - 1, "high": e / 2 + 1} for e in range(-3, 3)]
CASES: dict[str, Any] = {
    "event_study": lambda mark: charts.event_study(
        EVENT, x="启动以来", y="效应（万元）", start="启动", mark=mark
    ),
    "paths": lambda mark: charts.paths(
        [
            {"label": str(y), "observed": y - 2000.0, "counterfactual": None}
            for y in range(2017, 2021)
        ],
        names=("实际", "若无"),
        y="收入（万元）",
        starts=["2019"],
        mark=mark,
    ),
    "placebo_distribution": lambda mark: charts.placebo_distribution(
        [i / 10 for i in range(-20, 20)], 1.5, x="安慰剂", y="次数", name="估计", mark=mark
    ),
    "forest": lambda mark: charts.forest(
        [
            {"name": "甲", "att": 1.0, "low": 0.0, "high": 2.0},
            {"name": "乙（未完成）", "att": None, "low": None, "high": None},
        ],
        x="效应（万元）",
        mark=mark,
    ),
    "sensitivity": lambda mark: charts.sensitivity(
        [{"allowed": m / 2, "low": 1.0 - m, "high": 3.0 + m} for m in range(5)],
        x="允许偏离的倍数",
        y="效应（万元）",
        mark=mark,
    ),
    "level_lines": lambda mark: charts.level_lines(
        [{"year": str(y), "name": n, "value": y - 2010} for n in "甲乙" for y in range(2017, 2020)],
        y="收入（万元）",
        mark=mark,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_figure_carries_its_words_its_mark_and_nothing_that_runs(name: str) -> None:
    svg = to_svg(CASES[name]("合成数据"), label='图 "<1>"', key="f1")
    assert svg.startswith('<svg role="img" aria-label="图 &quot;&lt;1&gt;&quot;"')
    assert "合成数据" in svg
    assert "万元" in svg or name == "placebo_distribution"
    assert "<script" not in svg
    assert "viewBox" in svg
    assert "sans-serif" in svg  # a machine without the font still shows the text


@pytest.mark.parametrize("name", CASES)
def test_a_figure_of_real_data_has_no_mark(name: str) -> None:
    assert "合成数据" not in to_svg(CASES[name](""), label="图", key="f1")


def test_two_drawings_on_a_page_share_no_id() -> None:
    first, second = (
        set(re.findall(r'id="([^"]+)"', to_svg(CASES["paths"](""), label="x", key=key)))
        for key in ("f1", "f2")
    )
    assert not first & second


def test_the_same_data_give_the_same_drawing() -> None:
    drawn = {to_svg(CASES["event_study"]("m"), label="x", key="f1") for _ in range(2)}
    assert len(drawn) == 1


def test_a_name_that_could_not_be_estimated_keeps_its_line() -> None:
    assert "乙（未完成）" in to_svg(CASES["forest"](""), label="x", key="f1")


def test_periods_stand_in_their_order_whenever_the_units_started() -> None:
    rows = [
        {"label": str(y), "observed": float(y), "counterfactual": None} for y in range(2017, 2025)
    ]
    chart = charts.paths(rows, names=("a", "b"), y="y", starts=["2022", "2023"], mark="")
    svg = to_svg(chart, label="paths", key="p")
    years = re.findall(r">(20\d\d)<", svg)
    assert years == [str(y) for y in range(2017, 2025)]


@pytest.mark.parametrize("name", CASES)
def test_every_chart_is_valid_vega_lite(name: str) -> None:
    import altair as alt

    for mark in ("", "合成数据"):
        alt.Chart.from_dict(CASES[name](mark), validate=True)


@pytest.mark.parametrize(
    "words", ["短", "a title that is far too long to stand beside its axis " * 3]
)
@pytest.mark.parametrize("name", CASES)
def test_the_fast_drawing_is_the_plain_one_to_the_byte(name: str, words: str) -> None:
    spec = _renamed(CASES[name]("合成数据"), words)
    assert draw(spec) == draw_plainly(spec)


@pytest.mark.parametrize("title", ["", "§a", 'a "b" <c> & d', "a\\b", "é̂ ⟨U+202E⟩", "😀"])
def test_a_title_that_is_out_of_the_way_is_drawn_the_plain_way(title: str) -> None:
    spec = charts.event_study(EVENT, x=title, y=title, start="start", mark=title)
    assert draw(spec) == draw_plainly(spec)


@pytest.mark.parametrize(
    "spec",
    [
        charts.paths(
            [{"label": "2017", "observed": None, "counterfactual": None}],
            names=("a", "b"),
            y="y",
            starts=[],
            mark="",
        ),
        charts.event_study(
            [{"event_time": 0, "att": 1.0, "low": None, "high": None}],
            x="",
            y="",
            start="",
            mark="",
        ),
        charts.placebo_distribution([0.5], -1e9, x="x", y="y", name="估计" * 40, mark="m"),
        charts.sensitivity([{"allowed": 0.0, "low": -1e-9, "high": 1e12}], x="x", y="y", mark=""),
        charts.forest([{"name": "§a", "att": None, "low": None, "high": None}], x="x", mark="m"),
        charts.level_lines([{"year": "2017", "name": "only", "value": 0.0}], y="y", mark=""),
    ],
    ids=["no start", "one point", "far away", "tiny and huge", "nothing estimated", "one year"],
)
def test_charts_at_their_edges_are_drawn_the_plain_way(spec: Any) -> None:
    assert draw(spec) == draw_plainly(spec)


def test_names_too_long_for_their_limit_are_cut_as_before() -> None:
    rows = [{"name": name * 30, "att": 1.0, "low": 0.0, "high": 2.0} for name in "甲W"]
    spec = charts.forest(rows, x="x", mark="")
    drawn = draw(spec)
    assert drawn == draw_plainly(spec)
    assert "…" in drawn


def test_one_form_with_other_numbers_is_another_drawing() -> None:
    first = charts.event_study(EVENT, x="x", y="y", start="s", mark="")
    moved = [{**row, "att": row["att"] + 1, "high": row["high"] + 1} for row in EVENT]
    second = charts.event_study(moved, x="x", y="y", start="s", mark="")
    assert draw(first) != draw(second) == draw_plainly(second)


def test_a_chart_of_a_sections_own_may_come_from_altair() -> None:
    import altair as alt

    data = alt.Data(values=[{"a": 1, "b": 2}])
    svg = to_svg(alt.Chart(data).mark_point().encode(x="a:Q", y="b:Q"), label="x", key="f1")
    assert svg.startswith("<svg role")


def _renamed(node: Any, title: str) -> Any:
    """Give a chart with the same title on each axis."""
    if isinstance(node, list):
        return [_renamed(one, title) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: title if key == "title" and isinstance(one, str) else _renamed(one, title)
        for key, one in node.items()
    }
