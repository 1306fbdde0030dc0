"""The figure of a specification curve: estimates in order, and below each the choices that made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cps.figures.charts import BLUE, INK, ORANGE, _finished, _number, _unit
from cps.figures.drawing import _most_px
from cps.figures.svg import Spec

Row = Mapping[str, Any]
Groups = Sequence[tuple[str, Sequence[tuple[str, frozenset[str]]]]]

_WIDTH, _CURVE, _GAP, _ROW = 440, 220, 16, 15  # px
_GROUP_GAP, _TICK, _LABEL_SPACE = 7, 9, 8
_WIDEST = 300
_PALE, _LINE = "#b9c0ca", "#e6e9ee"
# A point's shape is scaled by half the root of its size: at 4 its path is in px.
_IN_PX = 4


def specification_curve(
    rows: Sequence[Row],
    groups: Groups,
    *,
    y: str,
    headline: str,
    mark: str,
) -> Spec:
    """Draw the estimates from lowest to highest with their intervals, and what each one chose.

    Hundreds of marks are drawn as a few paths, which keeps a page small. Intervals are cut at the
    frame, which holds all estimates and the headline's interval.

    Parameters
    ----------
    rows : sequence of {key, estimate, low, high, is_headline}
        In the unit of the axis, by estimate; ``low`` and ``high`` may be None.
    groups : sequence of (title, options)
        Of the lower part: each dimension with its options, a line each, as (title, keys of those
        rows that take it).
    y, headline, mark : str
        Title of the axis, with unit; the word at the headline; the synthetic mark, or empty.
    """
    low, high = _frame(rows)
    width = _WIDTH / len(rows)
    across = [(place + 0.5) * width for place in range(len(rows))]
    here = next(place for place, row in enumerate(rows) if row["is_headline"])
    lines, bottom = _lines(groups)

    def down(value: float) -> float:
        return (high - min(max(value, low), high)) / (high - low) * _CURVE

    intervals = "".join(
        f"M{x:.1f},{down(row['low']):.1f}V{down(row['high']):.1f}"
        for x, row in zip(across, rows, strict=True)
        if row["low"] is not None and row["high"] is not None
    )
    estimates = "".join(
        f"M{place * width:.1f},{down(row['estimate']):.1f}h{max(width, 1.2):.1f}"
        for place, row in enumerate(rows)
    )
    layers = [
        _axis(low, high, y),
        _paths("".join(f"M0,{at:.1f}H{_WIDTH}" for _, at, _ in lines), _LINE, 1),
        _paths(f"M0,{down(0):.1f}H{_WIDTH}", INK, 1),
        _paths(intervals, _PALE, max(0.8, min(2.0, width * 0.6))),
        _paths(f"M{across[here]:.1f},0V{bottom:.0f}", ORANGE, 1, dash=[3, 3]),
        _paths(estimates, BLUE, 3),
        _paths("".join(_ticks(rows, keys, at) for _, at, keys in lines), INK, _TICK),
        *_headline_marks(across[here], down, rows[here], headline),
        *_labels(groups, lines),
    ]
    left = _margin(groups)
    return _finished(
        {
            "layer": layers,
            # Nothing moves with the size of a text: the room for each is reserved.
            "autosize": {"type": "none"},
            "padding": {"left": left, "right": 12, "top": 24 if mark else 8, "bottom": 8},
        },
        mark=mark,
        height=int(bottom),
        width=_WIDTH,
    )


def _frame(rows: Sequence[Row]) -> tuple[float, float]:
    """Give the ends of the axis: all estimates, zero and the headline's interval, and some room."""
    values = [0.0, *(row["estimate"] for row in rows)]
    for row in rows:
        if row["is_headline"] and row["low"] is not None and row["high"] is not None:
            values += [row["low"], row["high"]]
    low, high = min(values), max(values)
    room = 0.12 * (high - low) or 1.0
    return low - room, high + room


def _lines(groups: Groups) -> tuple[list[tuple[str, float, frozenset[str]]], float]:
    """Give each option's line: its title, where it stands (px from the top), its keys; and the end."""
    lines, top = [], float(_CURVE + _GAP)
    for _, options in groups:
        for title, keys in options:
            lines.append((title, top + _ROW / 2, keys))
            top += _ROW
        top += _GROUP_GAP
    return lines, top - _GROUP_GAP


def _ticks(rows: Sequence[Row], keys: frozenset[str], at: float) -> str:
    """Mark the estimates that take an option; neighbours are drawn as one."""
    width = _WIDTH / len(rows)
    space = min(0.4, width / 4)
    path, begun = "", None
    for place in range(len(rows) + 1):
        is_in = place < len(rows) and rows[place]["key"] in keys
        if is_in and begun is None:
            begun = place
        elif not is_in and begun is not None:
            path += f"M{begun * width + space:.1f},{at:.1f}H{place * width - space:.1f}"
            begun = None
    return path


def _axis(low: float, high: float, title: str) -> dict[str, Any]:
    scale = {"domain": [low, high], "range": [_CURVE, 0], "nice": False, "zero": False}
    place = _number("value", title=title, scale=scale, axis={"tickCount": 6, "grid": False})
    return _unit([{"value": low}], {"type": "point", "opacity": 0, "aria": False}, y=place)


def _margin(groups: Groups) -> int:
    """Give the room that the longest titles need, px: what a character can be at most is known."""
    of_groups = max(_most_px(title) for title, _ in groups)
    of_options = max(_most_px(title) for _, options in groups for title, _ in options)
    wide = of_groups + of_options + 3 * _LABEL_SPACE
    return int(min(max(wide, 60), _WIDEST))


def _labels(
    groups: Groups, lines: Sequence[tuple[str, float, frozenset[str]]]
) -> list[dict[str, Any]]:
    at = iter(one[1] for one in lines)
    firsts = [next(iter([next(at) for _ in options])) for _, options in groups]
    titles = [
        {"text": title, "at": first} for (title, _), first in zip(groups, firsts, strict=True)
    ]
    options = [{"text": title, "at": place} for title, place, _ in lines]
    left = _LABEL_SPACE - _margin(groups)
    return [
        _texts(titles, x=left, align="left", color=INK, weight="bold"),
        _texts(options, x=-_LABEL_SPACE, align="right", color="#3a4150"),
    ]


def _texts(
    rows: Sequence[Row], *, x: float, align: str, color: str, weight: str = "normal"
) -> dict[str, Any]:
    mark = {
        "type": "text",
        "align": align,
        "baseline": "middle",
        "color": color,
        "fontWeight": weight,
        "fontSize": 12,
        "aria": False,
        "x": x,
    }
    place = _number("at", scale=None, axis=None)
    return _unit(rows, mark, y=place, text={"field": "text", "type": "nominal"})


def _paths(
    path: str, color: str, width: float, *, dash: Sequence[int] | None = None
) -> dict[str, Any]:
    """Draw a ready path, whose numbers are px from the upper left corner."""
    mark = {
        "type": "point",
        "filled": False,
        "stroke": color,
        "strokeWidth": round(width, 2),
        "size": _IN_PX,
        "opacity": 1,
        "aria": False,
        "x": 0,
        "y": 0,
        **({"strokeDash": list(dash)} if dash else {}),
    }
    return _unit(
        [{"path": path or "M0,0"}], mark, shape={"field": "path", "type": "nominal", "scale": None}
    )


def _headline_marks(x: float, down: Any, row: Row, name: str) -> list[dict[str, Any]]:
    middle = down(row["estimate"])
    marks = []
    if row["low"] is not None and row["high"] is not None:
        marks.append(_paths(f"M{x:.1f},{down(row['low']):.1f}V{down(row['high']):.1f}", ORANGE, 2))
    size = 6
    diamond = f"M{x:.1f},{middle - size:.1f}l{size},{size}l-{size},{size}l-{size},-{size}Z"
    filled = _paths(diamond, "#ffffff", 1)
    filled["mark"] |= {"filled": True, "fill": ORANGE}
    is_right = x > _WIDTH / 2
    beside = x - 9 if is_right else x + 9
    text = _texts(
        [{"text": name, "at": 9}],
        x=round(beside, 1),
        align="right" if is_right else "left",
        color=ORANGE,
        weight="bold",
    )
    return [*marks, filled, text]
