"""Checks of robustness with their verdicts, and the placebo distribution."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from cps.errors import Text
from cps.locale import Message, Quantity, Term, Words, measure_kind
from cps.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from cps.report.sections._common import axis_title, level, outcome_name, worded
from cps.result import Check, Effect
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

ORDER = 50
PAGE = "initiative"
_BINNED = 20
_HYPHEN = re.compile(r"(?<![0-9A-Za-z_.])-(?=\d)")  # before a number; not in 2-4 or 2020-05
TEXT = {
    "zh": {
        "heading": "稳健性",
        "caption": "稳健性检验",
        "check": "检验",
        "verdict": "结论",
        "explanation": "说明",
        "note": "“未通过”表示该项证据不支持主结果；“无法判断”表示数据不够。",
        "placebo": "安慰剂效应的分布与本估计",
        "placebo_note": "把同样的启动安排给从未承办的单位，重新估计 {n} 次；本估计越靠外，越不像偶然。",
        "placebo_note_other": "把同样的启动安排给未实施的单位，重新估计 {n} 次；本估计越靠外，越不像偶然。",
        "sensitivity": "允许偏离平行趋势时的稳健区间",
        "sensitivity_note": "横轴：启动后每期的偏离最多为启动前最大偏离的几倍；0 倍即严格平行。竖线为平均效应的 {level}% 稳健区间，跨零处结论不再成立。",
        "none": "没有做检验。",
    },
    "en": {
        "heading": "Robustness",
        "caption": "Checks of robustness",
        "check": "Check",
        "verdict": "Verdict",
        "explanation": "What was found",
        "note": "Failed means that this piece of evidence speaks against the headline; can't say, that the data do not suffice.",
        "placebo": "Placebo effects and the estimate",
        "placebo_note": "The same starts given to units that never hosted, estimated anew {n} times; the further out the estimate, the less it looks like chance.",
        "placebo_note_other": "The same starts given to units not reached, estimated anew {n} times; the further out the estimate, the less it looks like chance.",
        "sensitivity": "Robust intervals as departures from parallel trends are allowed",
        "sensitivity_note": "Across: how many times the largest departure before the start each later one may be; 0 is strictly parallel. Bars are {level}% robust intervals of the average effect; where one crosses zero the finding no longer stands.",
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
                tuple(
                    (one.title, _verdict(one), _with_minus(one.explanation)) for one in run.checks
                ),
                Message("robustness.note"),
            )
        )
    effect = run.effects[0] if run.effects else None
    bounds = next((one for one in run.checks if one.name == "honest_did" and one.table), None)
    if effect and bounds:
        note = Message("robustness.sensitivity_note", {"level": level(effect)})
        blocks.append(
            Figure(
                Message("robustness.sensitivity"), partial(_sensitivity, run, effect, bounds), note
            )
        )
    if effect and len(effect.placebos) >= _BINNED and effect.overall.att is not None:
        note = Message(
            worded(run, "robustness.placebo_note", TEXT),
            {"n": Quantity(len(effect.placebos), "count")},
        )
        blocks.append(Figure(Message("robustness.placebo"), partial(_placebos, effect), note))
    return blocks


def _with_minus(said: Text) -> Text:
    """Write negative numbers as the rest of the page does."""
    return Text(_HYPHEN.sub("−", said.zh), _HYPHEN.sub("−", said.en))


def _verdict(check: Check) -> Term:
    return Term("verdict", {True: "passed", False: "failed", None: "none"}[check.verdict])


def _sensitivity(run: Run, effect: Effect, check: Check, words: Words, mark: str) -> Spec:
    from cps.figures.charts import sensitivity

    kind, unit = measure_kind(effect.measure)
    rows = [
        {
            "allowed": mbar,
            "low": words.axis_value(float(low), kind),
            "high": words.axis_value(float(high), kind),
        }
        for mbar, low, high in zip(
            check.table["mbar"], check.table["low"], check.table["high"], strict=True
        )
        if low is not None and high is not None
    ]
    unit_word = words.unit(kind, unit)
    return sensitivity(
        rows,
        x=words.say("chart.departure"),
        y=axis_title(words, "effect_on", unit_word, outcome=outcome_name(run)),
        mark=mark,
    )


def _placebos(effect: Effect, words: Words, mark: str) -> Spec:
    from cps.figures.charts import placebo_distribution

    kind, unit = measure_kind(effect.measure)
    return placebo_distribution(
        [words.axis_value(one, kind) for one in effect.placebos],
        words.axis_value(effect.overall.att or 0.0, kind),
        x=axis_title(words, "placebos", words.unit(kind, unit)),
        y=words.say("chart.count"),
        name=words.say("chart.estimate"),
        mark=mark,
    )
