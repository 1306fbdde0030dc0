"""Figures of a forecast: thresholds and diagonal are there, and both ways of drawing agree."""

from __future__ import annotations

from typing import Any

import altair as alt
import pytest

from cps.figures.drawing import draw, draw_plainly
from cps.figures.forecast import reliability_diagram, sharpness_bars, year_outlooks
from cps.figures.svg import to_svg

OUTLOOKS = [
    {
        "name": f"示例村{place:02d}",
        "median": 40.0 * place,
        "low": 30.0 * place,
        "high": 55.0 * place,
    }
    for place in range(1, 6)
]
PARTS = [
    {"name": name, "said": said, "happened": said + off, "low": said - 5, "high": said + 9}
    for name, off in (("分层季节模型", 1.0), ("季节朴素法", -4.0))
    for said in (10.0, 50.0, 90.0)
]
WIDTHS = [
    {"name": "分层季节模型", "width": 13.0, "words": "13.0%"},
    {"name": "季节朴素法", "width": 24.0, "words": "24.0%"},
]


def _specs(mark: str = "合成数据") -> dict[str, dict[str, Any]]:
    names = ["分层季节模型", "季节朴素法"]
    return {
        "outlooks": dict(
            year_outlooks(OUTLOOKS, thresholds=[50, 100], x="全年（万元）", mark=mark)
        ),
        "reliability": dict(
            reliability_diagram(PARTS, names=names, x="所报（%）", y="发生（%）", mark=mark)
        ),
        "sharpness": dict(sharpness_bars(WIDTHS, x="宽度（%）", mark=mark)),
    }


@pytest.mark.parametrize("name", ["outlooks", "reliability", "sharpness"])
def test_each_figure_is_a_valid_chart_drawn_alike_fast_and_plainly(name: str) -> None:
    spec = _specs()[name]
    alt.Chart.from_dict(spec)
    # The fast way draws titles as stand-ins and puts them back: nothing else may differ.
    to_svg(spec, label=name, key="f1")
    assert draw(spec) == draw_plainly(spec)


def test_thresholds_and_intervals_stand_on_the_axis_of_the_outlook() -> None:
    spec = _specs()["outlooks"]
    assert [one["line"] for one in spec["layer"][0]["data"]["values"]] == [50, 100]
    assert spec["layer"][1]["encoding"]["x"]["scale"]["type"] == "log"
    ticks = spec["layer"][1]["encoding"]["x"]["axis"]["values"]
    assert {50, 100} <= set(ticks)
    assert ticks == sorted(ticks)
    assert min(ticks) >= 30


def test_the_diagonal_runs_from_nothing_to_certain_and_only_the_model_has_bars() -> None:
    spec = _specs()["reliability"]
    assert [one["said"] for one in spec["layer"][0]["data"]["values"]] == [0, 100]
    assert {row["name"] for row in spec["layer"][1]["data"]["values"]} == {"分层季节模型"}


def test_bars_begin_at_zero_and_say_their_value() -> None:
    svg = to_svg(_specs()["sharpness"], label="宽度", key="f1")
    assert "13.0%" in svg
    assert "合成数据" in svg
    assert _specs()["sharpness"]["layer"][0]["encoding"]["x"]["scale"]["zero"] is True
