"""Figures of a forecast: each village's year, whether chances came true, and how sharp they were."""

from __future__ import annotations

from collections.abc import Sequence

from cps.figures.charts import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    Row,
    _finished,
    _number,
    _told_apart,
    _unit,
)
from cps.figures.svg import Spec

_WIDTH = 430


def year_outlooks(rows: Sequence[Row], *, thresholds: Sequence[float], x: str, mark: str) -> Spec:
    """Draw each village's expected total with its interval, and the thresholds, on a log axis.

    Parameters
    ----------
    rows : sequence of {name, median, low, high}
        In the order shown; above 0.
    thresholds : sequence of float
        In the unit of the axis.
    """
    place = {
        "field": "name",
        "type": "nominal",
        "sort": [row["name"] for row in rows],
        "title": None,
        "axis": {"labelLimit": 240, "grid": True},
    }
    across = {"title": x, "scale": {"type": "log", "nice": False}, "axis": _ticks(rows, thresholds)}
    lines = [{"line": one} for one in thresholds]
    layers = [
        _unit(
            lines,
            {"type": "rule", "color": ORANGE, "strokeDash": [5, 3]},
            x=_number("line", **across),
        ),
        _unit(
            rows,
            {"type": "rule", "color": BLUE, "strokeWidth": 2.4},
            y=place,
            x=_number("low", **across),
            x2={"field": "high"},
        ),
        _unit(
            rows,
            {"type": "point", "filled": True, "size": 50, "color": BLUE, "opacity": 1},
            y=place,
            x=_number("median", **across),
        ),
    ]
    return _finished({"layer": layers}, mark=mark, height=19 * len(rows) + 10, width=_WIDTH)


def _ticks(rows: Sequence[Row], thresholds: Sequence[float]) -> dict[str, object]:
    low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
    wanted = {*thresholds, *(step * 10**power for power in range(-1, 7) for step in (1, 2, 5))}
    return {"values": sorted(one for one in wanted if low <= one <= high), "format": ",~r"}


def reliability_diagram(
    rows: Sequence[Row], *, names: Sequence[str], x: str, y: str, mark: str
) -> Spec:
    """Draw what happened against what was said; on the diagonal the two agree.

    Parameters
    ----------
    rows : sequence of {name, said, happened, n, low, high}
        Shares in per cent; ``low`` and ``high`` are given for the first of ``names`` alone.
    """
    square = {"domain": [0, 100], "nice": False}
    across, up = {"title": x, "scale": square}, {"title": y, "scale": square}
    diagonal = _unit(
        [{"said": 0, "happened": 0}, {"said": 100, "happened": 100}],
        {"type": "line", "color": GREY, "strokeDash": [4, 3], "strokeWidth": 1.4},
        x=_number("said", **across),
        y=_number("happened", **up),
    )
    own = [row for row in rows if row["name"] == names[0]]
    layers = [
        diagonal,
        _unit(
            own,
            {"type": "rule", "color": BLUE, "strokeWidth": 1.6},
            x=_number("said", **across),
            y=_number("low", **up),
            y2={"field": "high"},
        ),
        _unit(
            rows,
            {"type": "line", "strokeWidth": 2, "point": {"size": 46, "filled": True}},
            x=_number("said", **across),
            y=_number("happened", **up),
            **_told_apart("name", names, label_limit=260),
        ),
    ]
    layers[2]["encoding"]["color"]["legend"]["columns"] = 2
    return _finished({"layer": layers}, mark=mark, height=320, width=_WIDTH)


def sharpness_bars(rows: Sequence[Row], *, x: str, mark: str) -> Spec:
    """Draw how wide each method's intervals are, from a zero base; shorter is sharper.

    Parameters
    ----------
    rows : sequence of {name, width}
    """
    place = {
        "field": "name",
        "type": "nominal",
        "sort": [row["name"] for row in rows],
        "title": None,
        "axis": {"labelLimit": 260},
    }
    bars = _unit(
        rows,
        {"type": "bar", "color": BLUE, "height": 16},
        y=place,
        x=_number("width", title=x, scale={"zero": True}),
    )
    text = _unit(
        rows,
        {"type": "text", "align": "left", "dx": 5, "color": INK},
        y=place,
        x=_number("width", title=x, scale={"zero": True}),
        text={"field": "words", "type": "nominal"},
    )
    return _finished({"layer": [bars, text]}, mark=mark, height=34 * len(rows), width=_WIDTH)
