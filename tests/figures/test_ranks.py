"""Figures of initiatives as a family: schema, order, and what stands where nothing is known."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cps.figures.drawing import draw, draw_plainly
from cps.figures.ranks import pooled_forest, rank_bars
from cps.figures.svg import to_svg

NAMES = ("单独估计", "合并后的估计")
POOLED = [
    {"name": name, "which": which, "att": att, "low": low, "high": high}
    for name, which, att, low, high in (
        ("甲", NAMES[0], 2.0, -1.0, 5.0),
        ("甲", NAMES[1], 1.5, 0.5, 2.5),
        ("乙（未完成）", NAMES[0], None, None, None),
        ("乙（未完成）", NAMES[1], None, None, None),
    )
]
RANKED = [
    {"name": "丙", "low": 1, "high": 1, "rank": 1, "words": "排名为第 1 位"},
    {"name": "甲", "low": 2, "high": 3, "rank": 2, "words": "排名可能在第 2 至第 3 位"},
    {"name": "乙", "low": 1, "high": 3, "rank": None, "words": "排名可能在第 1 至第 3 位"},
]
CASES: dict[str, Any] = {
    "pooled": lambda mark: pooled_forest(POOLED, names=NAMES, x="效应（%）", mark=mark),
    "ranks": lambda mark: rank_bars(RANKED, x="名次", mark=mark),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("mark", ["", "合成数据"])
def test_it_is_valid_and_drawn_as_the_plain_way_draws_it(name: str, mark: str) -> None:
    import altair as alt

    spec = CASES[name](mark)
    alt.Chart.from_dict(spec, validate=True)
    assert draw(spec) == draw_plainly(spec)
    assert ("合成数据" in to_svg(spec, label="图", key="f1")) is bool(mark)


def test_ranks_stand_in_the_order_given_each_with_its_set_in_words() -> None:
    svg = to_svg(CASES["ranks"](""), label="图", key="f1")
    heights = {
        word: float(height)
        for height, word in re.findall(r'translate\([\d.]+,([\d.]+)\)"[^>]*>(排名[^<]+)<', svg)
    }
    assert sorted(heights, key=heights.__getitem__) == [row["words"] for row in RANKED]
    # One dot for each known rank, none for the other.
    dots = [layer for layer in CASES["ranks"]("")["layer"] if layer["mark"]["type"] == "point"]
    assert [row["name"] for row in dots[0]["data"]["values"]] == ["丙", "甲"]


def test_a_set_of_one_rank_is_a_bar_and_all_ranks_have_their_tick() -> None:
    (bars, *_), many = CASES["ranks"]("")["layer"], [{**RANKED[0], "high": 412}]
    first = bars["data"]["values"][0]
    assert first["to"] - first["from"] == pytest.approx(0.7)
    ticks = rank_bars(many, x="名次", mark="")["layer"][0]["encoding"]["x"]["axis"]["values"]
    assert ticks[0] == 1
    assert ticks[-1] == 412
    assert len(ticks) < 20


def test_an_initiative_without_an_estimate_keeps_its_name() -> None:
    svg = to_svg(CASES["pooled"](""), label="图", key="f1")
    assert "乙（未完成）" in svg
    assert all(name in svg for name in NAMES)
