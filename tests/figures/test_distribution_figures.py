"""Figures of a distribution: valid, drawn to the byte as the plain way does, bars from zero."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from cps.figures import distribution as figures
from cps.figures.drawing import draw, draw_plainly

BRACKETS = [
    {"bracket": bracket, "when": when, "n": n}
    for bracket, *counts in (("≤5", 3, 0), ("5～10", 2, 1), ("超过 10", 0, 4))
    for when, n in zip(("2017 年", "2024 年"), counts, strict=True)
]
BINS = [{"distance": d, "n": abs(d) % 7, "fitted": 3.5} for d in (-30, -20, -10, 0, 11, 22)]
YEARLY = [
    {"year": 2020 + k, "observed": 0.5, "without": 0.52, "low": low, "high": high}
    for k, (low, high) in enumerate([(None, None), (0.48, 0.56), (0.47, 0.57)])
]
CASES: dict[str, Any] = {
    "bracket_bars": lambda mark: figures.bracket_bars(
        BRACKETS, names=("2017 年", "2024 年"), x="全年收入（万元）", y="单位数", mark=mark
    ),
    "beside_level": lambda mark: figures.beside_level(
        BINS, names=("100.0万元", "平滑拟合"), x="距离（%）", y="村年数", mark=mark
    ),
    "with_and_without": lambda mark: figures.with_and_without(
        YEARLY, names=("实际", "若无项目"), y="基尼系数", has_zero=False, mark=mark
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_chart_is_valid_vega_lite(name: str) -> None:
    import altair as alt

    for mark in ("", "合成数据"):
        alt.Chart.from_dict(CASES[name](mark), validate=True)


@pytest.mark.parametrize("name", CASES)
def test_the_fast_drawing_is_the_plain_one_to_the_byte_and_carries_the_mark(name: str) -> None:
    spec = CASES[name]("合成数据")
    drawn = draw(spec)
    assert drawn == draw_plainly(spec)
    assert "合成数据" in drawn
    assert "合成数据" not in draw(CASES[name](""))


def test_bars_start_at_zero() -> None:
    assert CASES["bracket_bars"]("")["encoding"]["y"]["scale"]["zero"] is True
    bars = CASES["beside_level"]("")["layer"][0]
    assert bars["encoding"]["y2"] == {"datum": 0}


def test_bins_of_one_width_in_logs_meet_at_their_edges() -> None:
    rows = [{"distance": 100 * (1.1**k - 1), "n": 1, "fitted": 1.0} for k in range(-3, 4)]
    chart = figures.beside_level(rows, names=("a", "b"), x="x", y="y", mark="")
    drawn = chart["layer"][0]["data"]["values"]
    for left, right in itertools.pairwise(drawn):
        assert left["high"] == pytest.approx(right["low"])


def test_a_year_without_an_interval_keeps_its_points() -> None:
    chart = CASES["with_and_without"]("")
    bars, observed, without = chart["layer"]
    assert len(bars["data"]["values"]) == 2
    assert len(observed["data"]["values"]) == len(without["data"]["values"]) == 3
