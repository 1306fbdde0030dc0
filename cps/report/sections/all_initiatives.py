"""All initiatives on one figure and in one table, in the order declared, failures in sight."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cps.errors import Text
from cps.locale import Content, Interval, Kind, Link, Message, Quantity, Term, Words, measure_kind
from cps.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from cps.report.sections._common import amount, outcome_name
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

ORDER = 12
PAGE = "overview"
TEXT = {
    "zh": {
        "heading": "各项目并列",
        "figure": "各项目的效应及 95% 区间",
        "figure_note": "按申报顺序排列，不作排名：区间大多相互重叠，名次没有意义。没有点的项目未能估计。",
        "table": "各项目的效应",
        "table_note": "点项目名称看详情。金额为典型承办单位每年的变化；p 值最小能到多少，取决于安慰剂次数。",
        "name": "项目",
        "provenance": "依据",
        "treated": "承办",
        "compared": "对照",
        "att": "效应",
        "interval": "区间",
        "p": "p 值",
        "grade": "证据等级",
        "graded": "{letter}（{name}）",
        "grade_counts": "证据等级：A 级 {a} 个，B 级 {b} 个，C 级 {c} 个，D 级 {d} 个。",
        "grade_note": "证据等级说的是“确有变化”有多牢靠，不是变化大小；按成文规则评定，逐条见各项目页。",
        "status": "状态",
    },
    "en": {
        "heading": "All initiatives side by side",
        "figure": "Effect of each initiative with its 95% interval",
        "figure_note": "In the order declared, not ranked: most intervals overlap, and ranks would mean nothing. A name without a dot could not be estimated.",
        "table": "Effect of each initiative",
        "table_note": "A name leads to its page. Money is the yearly change of a typical host; how small a p-value can be is bounded by the number of placebos.",
        "name": "Initiative",
        "provenance": "Basis",
        "treated": "Hosts",
        "compared": "Compared",
        "att": "Effect",
        "interval": "Interval",
        "p": "p-value",
        "grade": "Grade of evidence",
        "graded": "{letter} ({name})",
        "grade_counts": "Grades of evidence: A for {a}, B for {b}, C for {c}, D for {d}.",
        "grade_note": "The grade says how firmly a change is established, not how large it is; it follows written rules, which each initiative's page prints with their values.",
        "status": "Status",
    },
}


def build(run: Run) -> list[Block]:
    """Draw and list all initiatives."""
    table = run.extra.get("comparison") or {}
    if not table.get("initiative"):
        return []
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    keys, kind, unit = _scale(rows)
    note = Message("all_initiatives.figure_note")
    return [
        Heading(Message("all_initiatives.heading")),
        Figure(
            Message("all_initiatives.figure"), partial(_forest, run, rows, (keys, kind, unit)), note
        ),
        _table(rows, keys, kind, unit),
        *_grades(rows),
    ]


def _grades(rows: list[dict[str, Any]]) -> list[Block]:
    if not _is_graded(rows):
        return []
    counts: dict[str, Content] = {
        letter.lower(): Quantity(sum(row["grade"] == letter for row in rows), "count")
        for letter in "ABCD"
    }
    return [
        Paragraph(Message("all_initiatives.grade_counts", counts)),
        Paragraph(Message("all_initiatives.grade_note"), "note"),
    ]


def _is_graded(rows: list[dict[str, Any]]) -> bool:
    return any(row.get("grade") for row in rows)


def _scale(rows: list[dict[str, Any]]) -> tuple[tuple[str, str, str], Kind, str]:
    """Take money where there is any, else the effects as they were estimated."""
    if any(row["att_yuan"] is not None for row in rows):
        return ("att_yuan", "ci_low_yuan", "ci_high_yuan"), "money", ""
    measures = [row["measure"] for row in rows if row["measure"]]
    return ("att", "ci_low", "ci_high"), *measure_kind(measures[0] if measures else "")


def _table(rows: list[dict[str, Any]], keys: tuple[str, str, str], kind: Kind, unit: str) -> Table:
    def name(row: dict[str, Any]) -> Content:
        words = Text(row["name_zh"], row["name_en"])
        return words if row["status"] == "not_run" else Link(row["page"], words)

    def grade(row: dict[str, Any]) -> tuple[Content, ...]:
        if not is_graded:
            return ()
        if not row["grade"]:
            return (Quantity(None),)
        words = Text(row["grade_zh"], row["grade_en"])
        return (Message("all_initiatives.graded", {"letter": row["grade"], "name": words}),)

    is_graded = _is_graded(rows)
    return Table(
        Message("all_initiatives.table"),
        (
            Column(Message("all_initiatives.name")),
            Column(Message("all_initiatives.treated"), "count"),
            Column(Message("all_initiatives.compared"), "count"),
            Column(Message("all_initiatives.att"), kind, unit),
            Column(Message("all_initiatives.interval"), kind, unit),
            Column(Message("all_initiatives.p"), "p_value"),
            *((Column(Message("all_initiatives.grade")),) if is_graded else ()),
            Column(Message("all_initiatives.provenance")),
            Column(Message("all_initiatives.status")),
        ),
        tuple(
            (
                name(row),
                Quantity(row["n_treated"], "count"),
                Quantity(row["n_comparison"], "count"),
                amount(row[keys[0]], kind, unit),
                Interval(row[keys[1]], row[keys[2]], kind, unit, is_signed=True),
                Quantity(row["p_value"], "p_value"),
                *grade(row),
                Term("provenance", row["provenance"]),
                Term("status", row["status"]),
            )
            for row in rows
        ),
        Message("all_initiatives.table_note"),
    )


def _forest(
    run: Run,
    rows: list[dict[str, Any]],
    scale: tuple[tuple[str, str, str], Kind, str],
    words: Words,
    mark: str,
) -> Spec:
    from cps.figures.charts import forest

    keys, kind, unit = scale
    points = [
        {
            "name": words.text(Text(row["name_zh"], row["name_en"])),
            **{
                short: None if row[key] is None else words.axis_value(row[key], kind)
                for short, key in zip(("att", "low", "high"), keys, strict=True)
            },
        }
        for row in rows
    ]
    said = {"outcome": outcome_name(run), "unit": words.unit(kind, unit)}
    return forest(points, x=words.text(Message("chart.effect_on", said)), mark=mark)
