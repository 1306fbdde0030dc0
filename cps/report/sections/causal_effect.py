"""The effect over time, observed against counterfactual, and every method side by side."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from cps.locale import Content, Message, Quantity, Term, Words, level_kind, measure_kind
from cps.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from cps.report.sections._common import (
    amount,
    axis_title,
    inference_name,
    interval,
    level,
    outcome_name,
    own_unit,
    period_label,
    worded,
)
from cps.result import Effect
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

ORDER = 40
PAGE = "initiative"
TEXT = {
    "zh": {
        "heading": "效应",
        "event": "启动前后各期的效应",
        "event_note": "点为估计，竖线为 {level}% 区间；启动以前的各期应接近零。同一期内各批次按承办单位数加权。",
        "event_note_other": "点为估计，竖线为 {level}% 区间；启动以前的各期应接近零。同一期内各批次按单位数加权。",
        "event_table": "启动前后各期的效应",
        "event_time": "期数",
        "att": "效应",
        "interval": "区间",
        "treated": "承办单位数",
        "treated_other": "单位数",
        "paths": "承办单位：实际与若无项目",
        "paths_other": "已实施单位：实际与若未实施",
        "paths_note": "虚竖线为各批次启动。启动以后两线之差即效应。",
        "methods": "各方法并列",
        "methods_note": "第一行为主结果，按事先声明的规则选定；其余供对照，不另选有利者。标明“未达标”的，是指在已知真值的模拟中、承办单位这样少时，其区间或检验没有守住名义水平。",
        "methods_note_other": "第一行为主结果，按事先声明的规则选定；其余供对照，不另选有利者。标明“未达标”的，是指在已知真值的模拟中、已实施单位这样少时，其区间或检验没有守住名义水平。",
        "inference": "推断",
        "unreliable": "{inference}（未达标）",
        "diagnosis": "仅供诊断",
        "method": "方法",
        "p": "p 值",
        "own": "折算",
        "weights": "对照单位权重（前十）",
        "unit": "单位",
        "cohort": "批次",
        "weight": "权重",
        "option": "{method}（{option}）",
        "none": "没有可以报告的估计。",
    },
    "en": {
        "heading": "The effect",
        "event": "Effect by period around the start",
        "event_note": "Dots are estimates, bars {level}% intervals; before the start they should be near zero. Cohorts are weighted by their number of hosts.",
        "event_note_other": "Dots are estimates, bars {level}% intervals; before the start they should be near zero. Cohorts are weighted by their number of units.",
        "event_table": "Effect by period around the start",
        "event_time": "Period",
        "att": "Effect",
        "interval": "Interval",
        "treated": "Hosts",
        "treated_other": "Units",
        "paths": "Hosts: observed, and without the project",
        "paths_other": "Units reached: observed, and without the scheme",
        "paths_note": "Dashed verticals mark the starts. From there on the distance between the lines is the effect.",
        "methods": "All methods side by side",
        "methods_note": "The first row is the headline, chosen by a rule declared beforehand; the others are there to compare, not to choose from. Marked “misses its level”: in simulations with a known truth and as few hosts, its interval or its test did not hold.",
        "methods_note_other": "The first row is the headline, chosen by a rule declared beforehand; the others are there to compare, not to choose from. Marked “misses its level”: in simulations with a known truth and as few units reached, its interval or its test did not hold.",
        "inference": "Inference",
        "unreliable": "{inference} (misses its level)",
        "diagnosis": "diagnosis only",
        "method": "Method",
        "p": "p-value",
        "own": "In its own unit",
        "weights": "Weights of comparison units (largest ten)",
        "unit": "Unit",
        "cohort": "Cohort",
        "weight": "Weight",
        "option": "{method} ({option})",
        "none": "There is no estimate to report.",
    },
}


_TOLD = ("never", "not_yet")  # of the options, those that two rows of one method differ in


def build(run: Run) -> list[Block]:
    """Show the headline effect in figures and tables, then all methods."""
    blocks: list[Block] = [Heading(Message("causal_effect.heading"))]
    if not run.effects:
        return [*blocks, Paragraph(Message("causal_effect.none"))]
    effect = run.effects[0]
    if effect.by_event_time:
        note = Message(worded(run, "causal_effect.event_note", TEXT), {"level": level(effect)})
        blocks.append(
            Figure(Message("causal_effect.event"), partial(_event_figure, run, effect), note)
        )
        blocks.append(_event_table(run, effect))
    if sum(one.counterfactual is not None for one in effect.paths) > 1:
        blocks.append(
            Figure(
                Message(worded(run, "causal_effect.paths", TEXT)),
                partial(_path_figure, run, effect),
                Message("causal_effect.paths_note"),
            )
        )
    blocks.append(_methods(run))
    weights = _weights(run, effect)
    return [*blocks, weights] if weights else blocks


def _event_table(run: Run, effect: Effect) -> Table:
    kind, unit = measure_kind(effect.measure)
    return Table(
        Message("causal_effect.event_table"),
        (
            Column(Message("causal_effect.event_time"), "count"),
            Column(Message("causal_effect.att"), kind, unit),
            Column(Message("causal_effect.interval"), kind, unit),
            Column(Message(worded(run, "causal_effect.treated", TEXT)), "count"),
        ),
        tuple(
            (
                Quantity(one.event_time, "count", is_signed=True),
                amount(one.estimate.att, kind, unit),
                interval(one.estimate, kind, unit),
                Quantity(one.n_treated, "count"),
            )
            for one in effect.by_event_time
        ),
    )


def _methods(run: Run) -> Table:
    first = run.effects[0]
    kind, unit = measure_kind(first.measure)
    own = own_unit(first)
    has_own = first.natural is not None
    columns = [
        Column(Message("causal_effect.method")),
        Column(Message("causal_effect.att"), kind, unit),
        Column(Message("causal_effect.interval"), kind, unit),
        Column(Message("causal_effect.p"), "p_value"),
        Column(Message("causal_effect.inference")),
    ]
    columns += [Column(Message("causal_effect.own"), own[1], own[2])] if has_own else []
    rows = []
    for one in run.effects:
        option = one.options.get("control")
        name = (
            Message(
                "causal_effect.option",
                {"method": one.method_name, "option": Term("option", option)},
            )
            if option in _TOLD
            else one.method_name
        )
        row = [
            name,
            amount(one.overall.att, kind, unit),
            interval(one.overall, kind, unit),
            Quantity(one.overall.p_value, "p_value"),
            _inference(one),
        ]
        natural = one.natural.att if one.natural else None
        rows.append((*row, *([amount(natural, own[1], own[2])] if has_own else [])))
    return Table(
        Message("causal_effect.methods"),
        tuple(columns),
        tuple(rows),
        Message(worded(run, "causal_effect.methods_note", TEXT)),
    )


def _inference(effect: Effect) -> Content:
    if effect.is_diagnosis:
        return Message("causal_effect.diagnosis")
    name = inference_name(effect)
    if effect.is_reliable is False:
        return Message("causal_effect.unreliable", {"inference": name})
    return name


def _weights(run: Run, effect: Effect) -> Table | None:
    units = sorted((one for one in effect.weights if one.unit), key=lambda one: -one.weight)[:10]
    if not units or effect.options.get("weights") == "did":
        return None
    return Table(
        Message("causal_effect.weights"),
        (
            Column(Message("causal_effect.unit")),
            Column(Message("causal_effect.cohort")),
            Column(Message("causal_effect.weight"), "share"),
        ),
        tuple(
            (one.unit or "", period_label(run, one.cohort), Quantity(one.weight, "share"))
            for one in units
        ),
    )


def _event_figure(run: Run, effect: Effect, words: Words, mark: str) -> Spec:
    from cps.figures.charts import event_study

    kind, unit = measure_kind(effect.measure)

    def scaled(value: float | None) -> float | None:
        return None if value is None else words.axis_value(value, kind)

    rows = [
        {
            "event_time": one.event_time,
            "att": scaled(one.estimate.att),
            "low": scaled(one.estimate.ci_low),
            "high": scaled(one.estimate.ci_high),
        }
        for one in effect.by_event_time
    ]
    unit_word = words.unit(kind, unit)
    return event_study(
        rows,
        x=words.say("chart.event_time"),
        y=axis_title(words, "effect_on", unit_word, outcome=outcome_name(run)),
        start=words.say("chart.start"),
        mark=mark,
    )


def _path_figure(run: Run, effect: Effect, words: Words, mark: str) -> Spec:
    from cps.figures.charts import paths

    is_log = run.design["form"] == "log"
    kind, unit = level_kind(str(run.design["measure"]))

    def scaled(value: float | None) -> float | None:
        if value is None:
            return None
        return words.axis_value(math.exp(value) if is_log else value, kind)

    rows = [
        {
            "label": period_label(run, one.period),
            "observed": scaled(one.observed),
            "counterfactual": scaled(one.counterfactual),
        }
        for one in effect.paths
    ]
    mean = "geometric" if is_log else "arithmetic"
    known = {row["label"] for row in rows}
    starts = {str(one["cohort_label"]) for one in run.design["treated"]} & known
    return paths(
        rows,
        names=(words.say("chart.observed"), words.say("chart.counterfactual")),
        y=axis_title(words, mean, words.unit(kind, unit), outcome=outcome_name(run)),
        starts=sorted(starts),
        mark=mark,
    )
