"""Checks of robustness with their verdicts, and the placebo distribution."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cps.locale import Message, Quantity, Term, Words, measure_kind
from cps.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from cps.result import Check, Effect
from cps.runs import Run

if TYPE_CHECKING:
    import altair as alt

ORDER = 50
PAGE = "initiative"
_BINNED = 20
TEXT = {
    "zh": {
        "heading": "五、稳健性",
        "caption": "稳健性检验",
        "check": "检验",
        "verdict": "结论",
        "explanation": "说明",
        "note": "“未通过”表示该项证据不支持主结果；“无法判断”表示数据不够。",
        "placebo": "安慰剂效应的分布与本估计",
        "placebo_note": "把同样的启动安排给从未承办的单位，重新估计 {n} 次；本估计越靠外，越不像偶然。",
        "none": "没有做检验。",
    },
    "en": {
        "heading": "5. Robustness",
        "caption": "Checks of robustness",
        "check": "Check",
        "verdict": "Verdict",
        "explanation": "What was found",
        "note": "Failed means that this piece of evidence speaks against the headline; can't say, that the data do not suffice.",
        "placebo": "Placebo effects and the estimate",
        "placebo_note": "The same starts given to units that never hosted, estimated anew {n} times; the further out the estimate, the less it looks like chance.",
        "none": "No checks were run.",
    },
}


def build(run: Run) -> list[Block]:
    """Show the verdicts and the placebo figure."""
    blocks: list[Block] = [Heading(Message("robustness.heading"))]
    if not run.checks:
        blocks.append(Paragraph(Message("robustness.none")))
    else:
        names = ("check", "verdict", "explanation")
        blocks.append(
            Table(
                Message("robustness.caption"),
                tuple(Column(Message(f"robustness.{name}")) for name in names),
                tuple((one.title, _verdict(one), one.explanation) for one in run.checks),
                Message("robustness.note"),
            )
        )
    effect = run.effects[0] if run.effects else None
    if effect and len(effect.placebos) >= _BINNED and effect.overall.att is not None:
        note = Message("robustness.placebo_note", {"n": Quantity(len(effect.placebos), "count")})
        blocks.append(Figure(Message("robustness.placebo"), partial(_placebos, effect), note))
    return blocks


def _verdict(check: Check) -> Term:
    return Term("verdict", {True: "passed", False: "failed", None: "none"}[check.verdict])


def _placebos(effect: Effect, words: Words, mark: str) -> alt.Chart:
    from cps.figures.charts import placebo_distribution

    kind, unit = measure_kind(effect.measure)
    return placebo_distribution(
        [words.axis_value(one, kind) for one in effect.placebos],
        words.axis_value(effect.overall.att or 0.0, kind),
        x=words.text(Message("chart.placebos", {"unit": words.unit(kind, unit)})),
        y=words.say("chart.count"),
        name=words.say("chart.estimate"),
        mark=mark,
    )
