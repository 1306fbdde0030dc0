"""The headline estimate of a scheme for every outcome, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cps.errors import Text
from cps.locale import (
    Content,
    Counted,
    Interval,
    Kind,
    Link,
    Message,
    Quantity,
    Term,
    measure_kind,
)
from cps.report.blocks import Block, Column, Heading, Paragraph, Table
from cps.report.sections._common import counted, text_of
from cps.runs import Run

ORDER = 10
PAGE = "scheme"
TEXT = {
    "zh": {
        "heading": "结论",
        "lead": "对“{scheme}”的 {n}作了估计，主要结果变量是{main}：{said}。{treated}已实施，与 {comparison}比较。",
        "none": "区间包含零，看不出明确变化",
        "up": "区间在零以上，有明确的上升",
        "down": "区间在零以下，有明确的下降",
        "no_interval": "给不出区间，不能据此下结论",
        "caption": "各结果变量的估计",
        "outcome": "结果变量",
        "relative": "变化",
        "interval": "{level}% 区间",
        "own": "折合",
        "p": "p 值",
        "adjusted": "校正后 p 值",
        "method": "方法",
        "main": "{name}（主要）",
        "note": "取对数的结果变量，变化以百分比表示，“折合”为典型单位每期的变化；其余以自身单位表示。校正后 p 值按 Holm 法，对本表各结果变量一并校正。上升或下降不等于变好或变坏，须按该变量的含义判断。",
        "link": "主要结果变量的完整评估：{link}。",
    },
    "en": {
        "heading": "Result",
        "lead": "{scheme}: {n} estimated. The main one is {main}: {said}. Compared: {treated} reached with {comparison} not.",
        "none": "the interval holds zero, so no clear change is seen",
        "up": "the interval lies above zero: a clear rise",
        "down": "the interval lies below zero: a clear fall",
        "no_interval": "there is no interval, and no conclusion should rest on it",
        "caption": "The estimate for every outcome",
        "outcome": "Outcome",
        "relative": "Change",
        "interval": "{level}% interval",
        "own": "In its own unit",
        "p": "p-value",
        "adjusted": "Adjusted p-value",
        "method": "Method",
        "main": "{name} (main)",
        "note": "Outcomes compared in logarithms change by a percentage, and the own unit is a typical unit's change a period; the others change in their own unit. Adjusted p-values are Holm's, over the outcomes of this table. A rise is not a gain by itself: that hangs on what the outcome means.",
        "link": "The whole evaluation of the main outcome: {link}.",
    },
}


def build(run: Run) -> list[Block]:
    """Set the outcomes side by side, the main one said in words."""
    rows = run.extra.get("outcomes")
    if not rows:
        return []
    main = next(one for one in rows if one["is_main"])
    unit_kind = str(run.design["unit_kind"])
    name = text_of(run.subject["name"])
    said: dict[str, Content] = {
        "scheme": name,
        "n": Counted(len(rows), "nouns.outcome"),
        "main": _name(main),
        "said": Message(f"scheme_outcomes.{_shown(main)}"),
        "treated": counted(main["n_treated"], unit_kind),
        "comparison": counted(main["n_comparison"], unit_kind),
    }
    link = Link(f"{run.subject['id']}.html", name)
    return [
        Heading(Message("scheme_outcomes.heading")),
        Paragraph(Message("scheme_outcomes.lead", said), "lead"),
        _table(rows),
        Paragraph(Message("scheme_outcomes.link", {"link": link})),
    ]


def _table(rows: list[Mapping[str, Any]]) -> Table:
    heads = ("outcome", "relative", "interval", "own", "p", "adjusted", "method")
    kinds: dict[str, Kind] = {"p": "p_value", "adjusted": "p_value"}
    given = next(one["level"] for one in rows if one["level"] is not None)
    level: dict[str, Content] = {"level": Quantity(round(100 * given, 6))}
    columns = tuple(
        Column(
            Message(f"scheme_outcomes.{one}", level if one == "interval" else {}), kinds.get(one)
        )
        for one in heads
    )
    return Table(
        Message("scheme_outcomes.caption"),
        columns,
        tuple(_row(one) for one in rows),
        Message("scheme_outcomes.note"),
    )


def _row(row: Mapping[str, Any]) -> tuple[Content, ...]:
    name = Message("scheme_outcomes.main", {"name": _name(row)}) if row["is_main"] else _name(row)
    overall = row["overall"]
    if overall is None:
        problem = row["problem"]
        said = Text(problem["zh"], problem["en"]) if problem else ""
        return (name, "", "", "", Quantity(None), Quantity(None), said)
    kind, unit = measure_kind(row["measure"])
    natural = row["natural"]
    own_kind, own_unit = measure_kind(row["natural_measure"])
    own: Content = (Quantity(natural["att"], own_kind, own_unit, is_signed=True)) if natural else ""
    return (
        name,
        (Quantity(overall["att"], kind, unit, is_signed=True)),
        (Interval(overall["ci_low"], overall["ci_high"], kind, unit, is_signed=True)),
        own,
        Quantity(overall["p_value"], "p_value"),
        Quantity(row["p_adjusted"], "p_value"),
        text_of(row["method_name"]),
    )


def _name(row: Mapping[str, Any]) -> Content:
    return text_of(row["name"]) if row["name"] else Term("outcome", str(row["outcome"]))


def _shown(row: Mapping[str, Any]) -> str:
    overall = row["overall"]
    if overall is None or overall["ci_low"] is None:
        return "no_interval"
    if overall["ci_low"] <= 0 <= overall["ci_high"]:
        return "none"
    return "up" if overall["ci_low"] > 0 else "down"
