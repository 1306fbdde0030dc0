"""The figures of the pages: pure functions of plain data and words, giving Vega-Lite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cps.figures.svg import FONT, Spec

Row = Mapping[str, Any]
BLUE, ORANGE, GREY, INK = "#1f5a96", "#b4530a", "#8a8f98", "#1c2330"
WIDTH = 600
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_COLORS = (BLUE, ORANGE, GREY, INK, "#2e7d5b", "#7a4fa3")
_DASHES = ((1, 0), (6, 4), (2, 2), (8, 3, 2, 3), (1, 3), (4, 1))


def event_study(rows: Sequence[Row], *, x: str, y: str, start: str, mark: str) -> Spec:
    """Draw effects by event time with their intervals, the zero line and the start.

    Parameters
    ----------
    rows : sequence of {event_time, att, low, high}
        In the unit of the axis; ``low`` and ``high`` may be None.
    x, y : str
        Titles of the axes, with units.
    start, mark : str
        The word at the start line; the synthetic mark, or empty.
    """
    times = [row["event_time"] for row in rows]
    place = _number(
        "event_time",
        title=x,
        scale={"domain": [min(times) - 0.6, max(times) + 0.6], "nice": False},
        axis={"tickMinStep": 1, "format": "d", "grid": False},
    )
    layers = [
        _zero(),
        _start_line(-0.5, start),
        _unit(
            rows,
            {"type": "rule", "color": BLUE, "strokeWidth": 2},
            x=place,
            y=_number("low", title=y),
            y2={"field": "high"},
        ),
        _unit(rows, _DOT, x=place, y=_number("att", title=y)),
    ]
    return _finished({"layer": layers}, mark=mark, height=280)


def paths(
    rows: Sequence[Row], *, names: tuple[str, str], y: str, starts: Sequence[str], mark: str
) -> Spec:
    """Draw the treated units as observed and as they would have been.

    Parameters
    ----------
    rows : sequence of {label, observed, counterfactual}
    names : (str, str)
        What the two lines are.
    starts : sequence of str
        Labels of the periods in which units started.
    """
    long = [
        {"label": row["label"], "who": name, "value": row[key]}
        for key, name in zip(("observed", "counterfactual"), names, strict=True)
        for row in rows
        if row[key] is not None
    ]
    # Named one by one: the layer of starts, drawn first, would put its own labels first.
    order = list(dict.fromkeys(str(row["label"]) for row in rows))
    place = {
        "field": "label",
        "type": "ordinal",
        "title": None,
        "sort": order,
        "axis": {"labelAngle": 0, "labelOverlap": True, "labelSeparation": 6},
    }
    began = _unit(
        [{"label": one} for one in starts],
        {"type": "rule", "color": GREY, "strokeDash": [3, 3]},
        x=place,
    )
    drawn = _unit(
        long,
        _LINE,
        x=place,
        y=_number("value", title=y, scale={"zero": False, "nice": True}),
        **_told_apart("who", names, label_limit=320),
    )
    drawn["encoding"]["color"]["legend"]["symbolStrokeWidth"] = 2
    return _finished({"layer": [began, drawn]}, mark=mark, height=280)


def placebo_distribution(
    placebos: Sequence[float], estimate: float, *, x: str, y: str, name: str, mark: str
) -> Spec:
    """Draw placebo effects as a histogram and the estimate as a line through it."""
    bars = _unit(
        [{"value": one} for one in placebos],
        {"type": "bar", "color": "#c3cad4", "stroke": "#ffffff"},
        x=_number("value", bin={"maxbins": 30}, title=x),
        y={
            "aggregate": "count",
            "type": "quantitative",
            "title": y,
            "axis": {"tickMinStep": 1, "format": "d"},
        },
    )
    here = [{"value": estimate, "name": name}]
    place = _number("value", title=x)
    rule = _unit(here, {"type": "rule", "color": ORANGE, "strokeWidth": 3}, x=place)
    label = _unit(
        here,
        {
            "type": "text",
            "align": "left",
            "dx": 6,
            "dy": 8,
            "baseline": "top",
            "color": ORANGE,
            "fontWeight": "bold",
        },
        x=place,
        y={"value": 0},
        text={"field": "name", "type": "nominal"},
    )
    return _finished({"layer": [bars, rule, label]}, mark=mark, height=220)


def forest(rows: Sequence[Row], *, x: str, mark: str) -> Spec:
    """Draw estimates with intervals, one line a name, in the order given; the zero line with them.

    Parameters
    ----------
    rows : sequence of {name, att, low, high}
        ``att`` may be None: the name stays, so that nothing is lost from sight.
    """
    place = {
        "field": "name",
        "type": "nominal",
        "sort": [row["name"] for row in rows],
        "title": None,
        "axis": {"labelLimit": 240, "grid": True},
    }
    layers = [
        _unit([{"zero": 0}], {"type": "rule", "color": INK}, x=_number("zero", title=x)),
        _unit(
            rows,
            {"type": "rule", "color": BLUE, "strokeWidth": 2.4},
            y=place,
            x=_number("low", title=x),
            x2={"field": "high"},
        ),
        _unit(rows, _DOT, y=place, x=_number("att", title=x)),
    ]
    return _finished({"layer": layers}, mark=mark, height=26 * len(rows) + 10, width=430)


def sensitivity(rows: Sequence[Row], *, x: str, y: str, mark: str) -> Spec:
    """Draw how an interval widens as more departure from an assumption is allowed.

    Parameters
    ----------
    rows : sequence of {allowed, low, high}
    """
    shown = [row["allowed"] for row in rows]
    place = _number(
        "allowed",
        title=x,
        scale={"domain": [min(shown) - 0.15, max(shown) + 0.15], "nice": False},
        axis={"grid": False, "values": shown},
    )
    end = {"type": "tick", "color": BLUE, "thickness": 3, "size": 16, "orient": "horizontal"}
    layers = [
        _zero(),
        _unit(
            rows,
            {"type": "rule", "color": BLUE, "strokeWidth": 3},
            x=place,
            y=_number("low", title=y),
            y2={"field": "high"},
        ),
        *(_unit(rows, end, x=place, y=_number(name, title=y)) for name in ("low", "high")),
    ]
    return _finished({"layer": layers}, mark=mark, height=220)


def level_lines(rows: Sequence[Row], *, y: str, mark: str) -> Spec:
    """Draw yearly levels of several series from a zero base.

    Parameters
    ----------
    rows : sequence of {year, name, value}
    """
    names = list(dict.fromkeys(row["name"] for row in rows))
    line = _unit(
        rows,
        _LINE,
        x={"field": "year", "type": "ordinal", "title": None, "axis": {"labelAngle": 0}},
        y=_number("value", title=y, scale={"zero": True}),
        **_told_apart("name", names, label_limit=300),
    )
    line["encoding"]["color"]["legend"]["columns"] = 3
    return _finished(line, mark=mark, height=260)


_DOT = {"type": "point", "filled": True, "size": 70, "color": BLUE, "opacity": 1}
_LINE = {"type": "line", "strokeWidth": 2.4, "point": {"size": 36, "filled": True}}


def _unit(rows: Sequence[Row], mark: Mapping[str, Any], **encoding: Any) -> dict[str, Any]:
    """Give one layer: a mark for each row."""
    return {
        "data": {"values": [dict(row) for row in rows]},
        "mark": dict(mark),
        "encoding": encoding,
    }


def _number(field: str, **more: Any) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", **more}


def _told_apart(field: str, names: Sequence[str], *, label_limit: int) -> dict[str, Any]:
    """Give colour and dash of lines by name: colour alone would be lost in grey."""
    legend = {"title": None, "orient": "top", "labelLimit": label_limit}
    shared = {"field": field, "type": "nominal", "sort": list(names)}
    colors = list(_COLORS[: len(names)])
    dashes = [list(one) for one in _DASHES[: len(names)]]
    return {
        "color": {**shared, "scale": {"domain": list(names), "range": colors}, "legend": legend},
        "strokeDash": {
            **shared,
            "scale": {"domain": list(names), "range": dashes},
            "legend": None,
        },
    }


def _zero() -> dict[str, Any]:
    return _unit([{"zero": 0}], {"type": "rule", "color": INK}, y=_number("zero"))


def _start_line(place: float, name: str) -> dict[str, Any]:
    here = _number("place")
    rule = {"mark": {"type": "rule", "color": GREY, "strokeDash": [4, 3]}, "encoding": {"x": here}}
    text = {
        "mark": {"type": "text", "align": "left", "dx": 5, "baseline": "top", "color": "#5a616c"},
        "encoding": {"x": here, "y": {"value": 2}, "text": {"field": "name", "type": "nominal"}},
    }
    return {"data": {"values": [{"place": place, "name": name}]}, "layer": [rule, text]}


def _finished(chart: dict[str, Any], *, mark: str, height: int, width: int = WIDTH) -> Spec:
    title = {
        "text": mark,
        "anchor": "end",
        "color": "#a3262b",
        "fontSize": 12,
        "fontWeight": "bold",
    }
    return {
        "$schema": SCHEMA,
        "width": width,
        "height": height,
        **({"title": title} if mark else {}),
        **chart,
        "config": {
            "font": FONT,
            "background": "#ffffff",
            "axis": {
                "labelFontSize": 12,
                "titleFontSize": 12,
                "titleFontWeight": "normal",
                "labelColor": "#3a4150",
                "titleColor": "#3a4150",
                "gridColor": "#e6e9ee",
                "domainColor": "#9aa1ad",
                "tickColor": "#9aa1ad",
            },
            "legend": {"labelFontSize": 12},
            "view": {"stroke": None},
        },
    }
