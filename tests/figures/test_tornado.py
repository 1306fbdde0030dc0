"""The tornado: every bar in its order, its ends named, drawn alike fast and plainly."""

from __future__ import annotations

from typing import Any

import pytest

from cps.figures.drawing import draw, draw_plainly
from cps.figures.svg import to_svg
from cps.figures.tornado import tornado

ROWS = [
    {
        "name": "合计年增收",
        "at_low": -650.0,
        "at_high": -470.0,
        "low": "−12.6万元",
        "high": "39.9万元",
    },
    {
        "name": "实际投资与所列之比",
        "at_low": -520.0,
        "at_high": -605.0,
        "low": "1.01",
        "high": "1.16",
    },
    {
        "name": "净收益占增收的比例",
        "at_low": -560.0,
        "at_high": -548.0,
        "low": "29%",
        "high": "51%",
    },
]


def _drawn(rows: list[dict[str, Any]], *, mark: str = "合成数据") -> dict[str, Any]:
    return dict(tornado(rows, -555.0, x="净现值（万元）", names=("取低值", "取高值"), mark=mark))


def test_bars_keep_their_order_and_their_ends_say_which_value_stands_there() -> None:
    spec = _drawn(ROWS)
    assert spec["layer"][0]["encoding"]["y"]["sort"] == [row["name"] for row in ROWS]
    left, right = (spec["layer"][i]["data"]["values"] for i in (3, 4))
    assert [one["value"] for one in left] == ["−12.6万元", "1.16", "29%"]
    assert [one["value"] for one in right] == ["39.9万元", "1.01", "51%"]
    svg = to_svg(spec, label="龙卷风图", key="f1")
    assert svg.index("合计年增收") < svg.index("实际投资与所列之比")
    assert "取低值" in svg
    assert "合成数据" in svg


def test_zero_lies_on_the_axis_whatever_side_the_result_is_on() -> None:
    low, high = _drawn(ROWS)["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert low < -650
    assert high > 0


@pytest.mark.parametrize(
    "rows", [ROWS, ROWS[:1], [{**ROWS[0], "at_low": -555.0, "at_high": -555.0}]]
)
def test_the_chart_is_valid_vega_lite_and_drawn_fast_as_plainly(rows: list[dict[str, Any]]) -> None:
    import altair

    spec = _drawn(rows)
    altair.Chart.from_dict(spec)
    assert draw(spec) == draw_plainly(spec)
