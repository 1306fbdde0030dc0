"""Figures of initiatives as a family: each beside what the others make of it, ranks as sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cps.figures.charts import BLUE, GREY, INK, Row, _finished, _number, _unit
from cps.figures.svg import Spec

_WIDTH = 430
_ROOM = 1.55  # of the ranks' width, the words' column with it
_APART = 5  # px between an estimate alone and the pooled one


def pooled_forest(rows: Sequence[Row], *, names: tuple[str, str], x: str, mark: str) -> Spec:
    """Draw each estimate alone and drawn towards the others, with their intervals.

    Parameters
    ----------
    rows : sequence of {name, which, att, low, high}
        Two a name, ``which`` being one of ``names``; numbers may be None: the name stays.
    names : (str, str)
        Of the estimate alone and of the pooled one.
    """
    place = _place(rows)
    layers = [_unit([{"zero": 0}], {"type": "rule", "color": INK}, x=_number("zero", title=x))]
    shared = {"field": "which", "type": "nominal", "sort": list(names)}
    legend = {"title": None, "orient": "top"}
    told = {
        "color": {
            **shared,
            "scale": {"domain": list(names), "range": [GREY, BLUE]},
            "legend": legend,
        },
        "shape": {
            **shared,
            "scale": {"domain": list(names), "range": ["circle", "diamond"]},
            "legend": legend,
        },
    }
    for which, up, color, width in ((names[0], -_APART, GREY, 1.6), (names[1], _APART, BLUE, 3)):
        own = [row for row in rows if row["which"] == which]
        bar = {"type": "rule", "color": color, "strokeWidth": width, "yOffset": up}
        dot = {"type": "point", "filled": True, "size": 60, "opacity": 1, "yOffset": up}
        layers += [
            _unit(own, bar, y=place, x=_number("low", title=x), x2={"field": "high"}),
            _unit(own, dot, y=place, x=_number("att", title=x), **told),
        ]
    n = len({row["name"] for row in rows})
    return _finished({"layer": layers}, mark=mark, height=30 * n + 10, width=_WIDTH)


def rank_bars(rows: Sequence[Row], *, x: str, mark: str) -> Spec:
    """Draw the ranks that each name may have, and in words beside its bar.

    Parameters
    ----------
    rows : sequence of {name, low, high, rank, words}
        In the order in which they are shown; ``rank``, of the estimate, may be None and is then
        not drawn. ``words`` say the set.
    x : str
        Title of the axis, on which the first rank is at the left.
    """
    n = max(int(row["high"]) for row in rows)
    place = _place(rows)
    axis = {"tickMinStep": 1, "format": "d", "values": _ticks(n)}
    across = {
        "title": x,
        # Words stand in a column of their own beside the last rank.
        "scale": {"domain": [0.4, 0.6 + n * _ROOM], "nice": False, "zero": False},
        "axis": axis,
    }
    layers = [
        _unit(
            # A set of one rank would be no bar at all.
            [{**row, "from": row["low"] - 0.35, "to": row["high"] + 0.35} for row in rows],
            {"type": "rule", "color": "#b9cbe2", "strokeWidth": 14},
            y=place,
            x=_number("from", **across),
            x2={"field": "to"},
        ),
        _unit(
            [row for row in rows if row["rank"] is not None],
            {"type": "point", "filled": True, "size": 60, "color": BLUE, "opacity": 1},
            y=place,
            x=_number("rank", **across),
        ),
        _unit(
            [{"name": row["name"], "words": row["words"], "beside": n + 0.6} for row in rows],
            {"type": "text", "align": "left", "baseline": "middle", "color": INK, "dx": 8},
            y=place,
            x=_number("beside", **across),
            text={"field": "words", "type": "nominal"},
        ),
    ]
    return _finished({"layer": layers}, mark=mark, height=26 * len(rows) + 10, width=_WIDTH + 40)


def _place(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "field": "name",
        "type": "nominal",
        "sort": list(dict.fromkeys(row["name"] for row in rows)),
        "title": None,
        "axis": {"labelLimit": 240, "grid": True},
    }


def _ticks(n: int) -> list[int]:
    step = max(1, n // 15)
    return [1, *(one for one in range(1 + step, n, step) if n - one >= step), n] if n > 1 else [1]
