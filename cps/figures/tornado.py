"""What moves a result most: one bar an input, from its low to its high value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cps.figures.charts import BLUE, GREY, INK, ORANGE, _finished, _number, _unit
from cps.figures.svg import Spec

Row = Mapping[str, Any]
_ROOM = 0.22  # of the span, at either side, for the values beside the bars


def tornado(
    rows: Sequence[Row], middle: float, *, x: str, names: tuple[str, str], mark: str
) -> Spec:
    """Draw how far a result goes as each input goes from low to high, all others at their medians.

    Parameters
    ----------
    rows : sequence of {name, at_low, at_high, low, high}
        Widest first. ``at_low`` and ``at_high`` are the result, on the axis; ``low`` and ``high``
        the input's own values as text, which stand at the ends of its bar.
    middle : float
        The result with every input at its median.
    x : str
    names : (str, str)
        What the two halves of a bar are: the input low, the input high.
    mark : str
    """
    place = {
        "field": "name",
        "type": "nominal",
        "sort": [row["name"] for row in rows],
        "title": None,
        "axis": {"labelLimit": 240, "grid": False, "ticks": False},
    }
    ends = [0.0, middle, *(row[key] for row in rows for key in ("at_low", "at_high"))]
    room = _ROOM * ((max(ends) - min(ends)) or 1.0)
    scale = {"domain": [min(ends) - room, max(ends) + room], "nice": False}
    across = _number("end", title=x, scale=scale)
    halves = [
        {"name": row["name"], "end": row[f"at_{side}"], "middle": middle, "who": who}
        for row in rows
        for side, who in zip(("low", "high"), names, strict=True)
    ]
    color = {
        "field": "who",
        "type": "nominal",
        "sort": list(names),
        "scale": {"domain": list(names), "range": [ORANGE, BLUE]},
        "legend": {"title": None, "orient": "top", "labelLimit": 320},
    }
    bar = {"type": "bar", "height": 15}
    layers = [
        _unit(halves, bar, y=place, x=across, x2={"field": "middle"}, color=color),
        _unit([{"end": middle}], {"type": "rule", "color": GREY}, x=across),
        _unit([{"end": 0}], {"type": "rule", "color": INK, "strokeDash": [4, 3]}, x=across),
        *(
            _unit(
                _labels(rows, is_right),
                {
                    "type": "text",
                    "align": "left" if is_right else "right",
                    "dx": 5 if is_right else -5,
                    "color": INK,
                },
                y=place,
                x=across,
                text={"field": "value", "type": "nominal"},
            )
            for is_right in (False, True)
        ),
    ]
    return _finished({"layer": layers}, mark=mark, height=30 * len(rows) + 10, width=430)


def _labels(rows: Sequence[Row], is_right: bool) -> list[dict[str, Any]]:
    """Give the inputs' values that stand at the left or at the right ends of the bars."""
    found = []
    for row in rows:
        low_is_right = row["at_low"] > row["at_high"]
        side = "low" if low_is_right == is_right else "high"
        found.append({"name": row["name"], "end": row[f"at_{side}"], "value": row[side]})
    return found
