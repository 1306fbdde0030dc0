"""What cost and benefit hang on: the assumptions, and how far each moves the result."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cps.locale import Content, Kind, Message, Quantity, Term, Words
from cps.report.blocks import Column, Figure, Table
from cps.report.sections._common import text_of
from cps.report.sections._unit_cost import Plain

if TYPE_CHECKING:
    from cps.figures.svg import Spec

_LEAST_SHOWN = 0.01  # of the widest bar


def assumed_of(worth: Plain) -> Table:
    """List every assumption with its range, source and quality."""
    names = ("what", "values", "source", "quality")
    return Table(
        Message("cost_benefit.assumed"),
        tuple(Column(Message(f"cost_benefit.{name}")) for name in names),
        tuple(
            (
                text_of(one["name"]),
                _values(one),
                text_of(one["source"]),
                Message("cost_benefit.own") if one["is_own"] else Term("grade", one["quality"]),
            )
            for one in worth["assumed"]
        ),
        Message("cost_benefit.assumed_note"),
    )


def _values(one: Plain) -> Content:
    values = [_in_unit(value, one["unit"]) for value in one["values"]]
    if one["values"][0] == one["values"][-1]:
        return values[0]
    if len(values) == 2:
        return Message("cost_benefit.two", {"low": values[0], "high": values[1]})
    said: dict[str, Content] = dict(zip(("low", "mode", "high"), values, strict=True))
    return Message("cost_benefit.three", said)


def _in_unit(value: float, unit: str) -> Content:
    """Write a value with its unit, as no column's head names one."""
    if unit == "money":
        return Quantity(value, "money")
    shown = round(100 * value, 4) if unit == "share" else value
    return Message(f"cost_benefit.in_{unit}", {"x": Quantity(shown, "number")})


_INPUTS: dict[str, Kind] = {
    "gain": "money",
    "margin": "share",
    "persistence": "share",
    "overrun": "ratio",
    "displacement": "share",
    "residual": "share",
    "running_yuan": "money",
    "sharing": "ratio",
}


def tornado_of(found: Plain) -> Figure:
    """Draw what moves the present value most."""
    rate = Quantity(found["tornado_rate"], "share")
    return Figure(
        Message("cost_benefit.tornado", {"rate": rate}),
        partial(_tornado_figure, found),
        Message("cost_benefit.tornado_note"),
    )


def _tornado_figure(found: Plain, words: Words, mark: str) -> Spec:
    from cps.figures.tornado import tornado

    def value(name: str, x: float) -> str:
        kind = _INPUTS[name]
        if name == "overrun":
            return words.text(Message("cost_benefit.times", {"x": Quantity(x, kind)}))
        return words.cell(Quantity(x, kind)) if kind == "money" else words.text(Quantity(x, kind))

    def label(one: Plain) -> str:
        name = text_of(one["name"])
        if _INPUTS[one["input"]] != "money":
            return words.text(name)
        unit = words.unit("money")
        return words.text(Message("cost_benefit.with_unit", {"name": name, "unit": unit}))

    sizes = [abs(one["npv_at_high_yuan"] - one["npv_at_low_yuan"]) for one in found["tornado"]]
    moving = [
        one
        for one, size in zip(found["tornado"], sizes, strict=True)
        if size > _LEAST_SHOWN * sizes[0]
    ]
    rows: list[dict[str, Any]] = [
        {
            "name": label(one),
            "at_low": words.axis_value(one["npv_at_low_yuan"], "money"),
            "at_high": words.axis_value(one["npv_at_high_yuan"], "money"),
            "low": value(one["input"], one["low"]),
            "high": value(one["input"], one["high"]),
        }
        for one in moving
    ]
    return tornado(
        rows,
        words.axis_value(found["tornado_middle_yuan"], "money"),
        x=words.text(Message("cost_benefit.axis", {"unit": words.unit("money")})),
        names=(words.say("cost_benefit.low"), words.say("cost_benefit.high")),
        mark=mark,
    )
