"""Figures of a distribution: units by bracket, values beside a level, the world without initiatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cps.figures.charts import (
    BLUE,
    ORANGE,
    Row,
    _finished,
    _number,
    _unit,
)
from cps.figures.svg import Spec

_APART = 7  # px between what was and what would have been


def bracket_bars(rows: Sequence[Row], *, names: tuple[str, str], x: str, y: str, mark: str) -> Spec:
    """Draw how many units stand in each bracket, before and now, from a zero base.

    Parameters
    ----------
    rows : sequence of {bracket, when, n}
        Lowest bracket first; ``when`` is one of ``names``.
    """
    brackets = list(dict.fromkeys(str(row["bracket"]) for row in rows))
    place = {
        "field": "bracket",
        "type": "ordinal",
        "sort": brackets,
        "title": x,
        "axis": {"labelAngle": 0},
    }
    bars = _unit(
        rows,
        {"type": "bar", "stroke": "#ffffff"},
        x=place,
        xOffset={"field": "when", "type": "nominal", "sort": list(names)},
        y=_number("n", title=y, scale={"zero": True}, axis={"tickMinStep": 1, "format": "d"}),
        color={
            "field": "when",
            "type": "nominal",
            "sort": list(names),
            "scale": {"domain": list(names), "range": ["#c3cad4", BLUE]},
            "legend": {"title": None, "orient": "top"},
        },
    )
    return _finished(bars, mark=mark, height=220)


def beside_level(rows: Sequence[Row], *, names: tuple[str, str], x: str, y: str, mark: str) -> Spec:
    """Draw how many values lie at each distance from a level, and the smooth fit through them.

    Parameters
    ----------
    rows : sequence of {distance, n, fitted}
        ``distance`` of a bin's middle as a percentage of the level, ascending; bins are equally wide
        in logs.
    names : (str, str)
        Of the level's line and of the fit.
    """
    steps = [100 + float(row["distance"]) for row in rows]
    half = (steps[1] / steps[0]) ** 0.5 if len(steps) > 1 else 1.05
    edged = [
        {"n": row["n"], "low": step / half - 100, "high": step * half - 100}
        for row, step in zip(rows, steps, strict=True)
    ]
    place = _number(
        "distance",
        title=x,
        scale={"domain": [edged[0]["low"], edged[-1]["high"]], "nice": False},
    )
    height = _number("n", title=y, scale={"zero": True})
    bars = _unit(
        edged,
        {"type": "bar", "color": "#c3cad4", "stroke": "#ffffff"},
        x={**place, "field": "low"},
        x2={"field": "high"},
        y=height,
        y2={"datum": 0},
    )
    fit = _unit(
        [{"distance": row["distance"], "n": row["fitted"], "what": names[1]} for row in rows],
        {"type": "line", "color": BLUE, "strokeWidth": 2, "strokeDash": [6, 4]},
        x=place,
        y=height,
    )
    here = [{"distance": 0, "what": names[0]}]
    rule = _unit(here, {"type": "rule", "color": ORANGE, "strokeWidth": 2}, x=place)
    text = _unit(
        here,
        {"type": "text", "align": "left", "dx": 5, "baseline": "top", "color": ORANGE},
        x=place,
        y={"value": 0},
        text={"field": "what", "type": "nominal"},
    )
    return _finished({"layer": [bars, fit, rule, text]}, mark=mark, height=200)


def with_and_without(
    rows: Sequence[Row], *, names: tuple[str, str], y: str, has_zero: bool, mark: str
) -> Spec:
    """Draw an index year by year as it was, and as it would have been with its interval.

    Parameters
    ----------
    rows : sequence of {year, observed, without, low, high}
        ``low`` and ``high`` may be None.
    names : (str, str)
        What was, what would have been.
    has_zero : bool
        True to start the axis at zero.
    """
    years = list(dict.fromkeys(str(row["year"]) for row in rows))
    place: dict[str, Any] = {
        "field": "year",
        "type": "ordinal",
        "sort": years,
        "title": None,
        "axis": {"labelAngle": 0, "labelOverlap": True},
    }
    scale = {"zero": has_zero, "nice": True}
    layers = [
        _unit(
            [
                {"year": str(row["year"]), "low": row["low"], "high": row["high"]}
                for row in rows
                if row["low"] is not None
            ],
            {"type": "rule", "color": ORANGE, "strokeWidth": 2.4, "xOffset": _APART},
            x=place,
            y=_number("low", title=y, scale=scale),
            y2={"field": "high"},
        )
    ]
    told = {"field": "what", "type": "nominal", "sort": list(names)}
    legend = {"title": None, "orient": "top", "labelLimit": 300}
    for key, name, aside in zip(("observed", "without"), names, (0, _APART), strict=True):
        layers.append(
            _unit(
                [
                    {"year": str(row["year"]), "what": name, "value": row[key]}
                    for row in rows
                    if row[key] is not None
                ],
                {"type": "point", "filled": True, "size": 80, "opacity": 1, "xOffset": aside},
                x=place,
                y=_number("value", title=y, scale=scale),
                color={
                    **told,
                    "scale": {"domain": list(names), "range": [BLUE, ORANGE]},
                    "legend": legend,
                },
                shape={
                    **told,
                    "scale": {"domain": list(names), "range": ["circle", "diamond"]},
                    "legend": legend,
                },
            )
        )
    return _finished({"layer": layers}, mark=mark, height=230)
