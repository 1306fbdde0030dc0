"""Every declared way to estimate the effect: the curve, what it says jointly, what it hangs on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cps.locale import (
    Content,
    Kind,
    Message,
    Quantity,
    Words,
    measure_kind,
)
from cps.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from cps.report.sections._common import outcome_name, text_of
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

ORDER = 51
PAGE = "both"
_SIZE = 0.05
TEXT = {
    "zh": {
        "heading": "设定曲线",
        "together": "这里的效应是全部承办单位合计的：自其首个项目启动之日起视为承办。",
        "declared": "同一个效应有多种合理的算法。估计之前先列出 {declared} 种设定（方法、对照、时段、结果形式等逐项搭配）并存档：其中 {estimated} 种可以估计且互不相同；{same} 种实与其中某一种相同，只计一次；另有 {refused} 种数据不足，无法估计。",
        "spread": "{estimated} 种设定的估计从 {lowest} 到 {highest}，中位数 {median}；主结果为 {headline}。{agreeing} 种（{share}）与主结果方向一致{inside}。",
        "inside": "，{n} 种（{share}）落在主结果的 {level}% 区间之内",
        "nothing": "",
        "move": "只改一项选择，变动最大的是把“{dimension}”改为“{option}”，主结果由 {headline} 变为 {estimate}。",
        "joint_small": "合在一起看，不像偶然：把同样的启动安排换给其他单位，整套设定重算 {n} 次，像这样一边倒的结果少见（联合检验 p = {p}；受重算次数所限，p 值最小为 {floor}）。",
        "joint_large": "合在一起看，与偶然无从区分：把同样的启动安排换给其他单位，整套设定重算 {n} 次，像这样的结果并不少见（联合检验 p = {p}；受重算次数所限，p 值最小为 {floor}）。",
        "joint_bounded": "单位太少，整套设定只能重算 {n} 次，联合检验的 p 值最小为 {floor}，无法据此排除偶然（p = {p}）。",
        "no_joint": "没有做联合检验：{reason}。",
        "figure": "设定曲线：各设定的估计，由低到高",
        "figure_note": "上：每一短横为一种设定的估计，浅竖线为其 {level}% 区间（由安慰剂估计的离散程度得出，超出图框的截断；安慰剂不足或无法折算的不画）；菱形为主结果。下：该设定在各项上的选择；没有标记的选项，或与别的选项实为同一设定，或数据不足。{scale}前提：{assumes}。",
        "figure_scale": "以数额估计的，按承办单位启动后的平均数折算为比例。",
        "figure_scale_amount": "以比例估计的，按承办单位启动后的几何平均折算为数额。",
        "marked": "主结果",
        "joint_table": "全部设定的联合检验",
        "statistic": "统计量",
        "value": "数值",
        "p": "p 值",
        "median": "各设定估计的中位数",
        "share": "方向占多数的设定所占份额",
        "combined": "各估计除以自身离散程度后之和（除以个数的平方根）",
        "all_three": "三者合并",
        "joint_note": "{how}；用到 {cells} 种在多数指派下同样可以估计的设定；p 值为统计量不小于实际的指派所占份额，实际指派计入。三者合并已计入看了三次。",
        "enumerated": "启动安排换给其他单位，另有 {n} 种指派，全部算过",
        "drawn": "启动安排换给其他单位，随机抽取 {n} 种指派，随机种子 {seed}",
        "choices": "哪项选择最要紧",
        "dimension": "选择",
        "explains": "解释的份额",
        "moved": "只改这一项，变动最大的是",
        "becomes": "主结果变为",
        "no_move": "不改变主结果",
        "option": "{option}（{means}）",
        "choices_note": "份额为各设定估计的方差中，由该项单独解释的部分（对各项进入的先后取平均）；各项合计 {explained}，其余来自各项的搭配。",
        "refusals": "不能估计的设定",
        "reason": "原因",
        "mend": "怎样才能估计",
        "n": "设定数",
        "refusals_note": "一种设定若数据不支持，连同原因保留在此，不悄悄去掉。",
        "hash": "估计之前存档的设定清单，sha256：{hash}",
    },
    "en": {
        "heading": "Specification curve",
        "together": "The effect here is that on all hosts together, each from the start of its first initiative on.",
        "declared": "One effect can be estimated in many reasonable ways. Before anything was estimated, {declared} specifications were written down and stored: every combination of method, comparison, window and form of the outcome. {estimated} of them can be estimated and differ; {same} come to the same thing as one of those and are counted once; {refused} are more than the data can bear.",
        "spread": "The {estimated} estimates run from {lowest} to {highest}, with a median of {median}; the headline is {headline}. {agreeing} of them ({share}) point the headline's way{inside}.",
        "inside": ", and {n} ({share}) lie inside its {level}% interval",
        "nothing": "",
        "move": "Of single choices, {dimension} moves the headline most: with {option}, {headline} becomes {estimate}.",
        "joint_small": "Taken together, this does not look like chance: with the same starts given to other units and the whole grid estimated again {n} times, results as one-sided as this were rare (joint test p = {p}; it can't be smaller than {floor}).",
        "joint_large": "Taken together, this can't be told from chance: with the same starts given to other units and the whole grid estimated again {n} times, results like this were not rare (joint test p = {p}; it can't be smaller than {floor}).",
        "joint_bounded": "With so few units the grid can be estimated again only {n} times. The joint p-value can't be smaller than {floor}, which is too much to rule out chance (p = {p}).",
        "no_joint": "There is no joint test: {reason}.",
        "figure": "Specification curve: the estimate of each specification, lowest to highest",
        "figure_note": "Above: each dash is one specification's estimate, the pale line its {level}% interval (from the spread of placebo estimates; cut at the frame, and not drawn where placebos are too few or an end has no proportion). The diamond is the headline. Below: what each specification chose; an option without a mark comes to the same as another, or is more than the data can bear. {scale}Taken for granted: {assumes}.",
        "figure_scale": "Estimates in amounts are put in proportion to the hosts' mean after the start. ",
        "figure_scale_amount": "Estimates in proportion are turned into amounts at the hosts' geometric mean after the start. ",
        "marked": "Headline",
        "joint_table": "All specifications tested jointly",
        "statistic": "Statistic",
        "value": "Value",
        "p": "p-value",
        "median": "Median estimate",
        "share": "Share of estimates with the more frequent sign",
        "combined": "Sum of estimates over their spread (by the root of their number)",
        "all_three": "The three together",
        "joint_note": "{how}, for the {cells} specifications that most assignments bear too. A p-value is the share of assignments whose statistic is at least as large, the actual one counted; the last line allows for having looked three times.",
        "enumerated": "The starts were given to other units in all {n} other ways",
        "drawn": "The starts were given to other units in {n} ways drawn at random, seed {seed}",
        "choices": "Which choices matter most",
        "dimension": "Choice",
        "explains": "Explains",
        "moved": "The largest change by this choice alone",
        "becomes": "Headline becomes",
        "no_move": "leaves the headline as it is",
        "option": "{option} ({means})",
        "choices_note": "What a choice explains is its own part of the variance of the estimates, averaged over the orders in which choices can enter; together {explained}, and the rest comes from their combinations.",
        "refusals": "Specifications that can't be estimated",
        "reason": "Reason",
        "mend": "What it would take",
        "n": "Specifications",
        "refusals_note": "A specification that the data can't bear stays in the list with its reason; none is dropped silently.",
        "hash": "List of specifications stored before any estimate, sha256: {hash}",
    },
}


def build(run: Run) -> list[Block]:
    """Show the curve with what it says; nothing where none was traced."""
    curve = run.extra.get("specifications")
    if not curve:
        return []
    kind, unit = measure_kind(str(curve["measure"]))
    found = [one for one in curve["cells"] if one["status"] == "estimated"]
    found.sort(key=lambda one: (one["estimate"], one["number"]))
    blocks: list[Block] = [
        Heading(Message("specifications.heading")),
        *([Paragraph(Message("specifications.together"))] if run.kind == "overview" else []),
        Paragraph(_declared(curve)),
        Paragraph(_spread(curve, found, kind, unit)),
        *([Paragraph(_move(curve, kind, unit))] if curve["moves"] else []),
        Paragraph(_joint(curve), "lead"),
        Figure(
            Message("specifications.figure"),
            partial(_draw, run, curve, found),
            _figure_note(curve, found),
        ),
    ]
    if curve["joint"]:
        blocks.append(_joint_table(curve, kind, unit))
    blocks.append(_choices(curve, kind, unit))
    if curve["refusals"]:
        blocks.append(_refusals(curve))
    blocks.append(
        Paragraph(Message("specifications.hash", {"hash": str(curve["declared_hash"])}), "note")
    )
    return blocks


def _count(n: int) -> Quantity:
    return Quantity(n, "count")


def _declared(curve: dict[str, Any]) -> Message:
    return Message(
        "specifications.declared",
        {name: _count(curve[f"n_{name}"]) for name in ("declared", "estimated", "same", "refused")},
    )


def _spread(curve: dict[str, Any], found: list[dict[str, Any]], kind: Kind, unit: str) -> Message:
    def shown(value: float) -> Quantity:
        return Quantity(value, kind, unit, is_signed=True)

    head = curve["headline_estimate"]
    inside: Content = Message("specifications.nothing")
    if curve["share_inside"] is not None:
        low, high = curve["headline_ci_low"], curve["headline_ci_high"]
        inside = Message(
            "specifications.inside",
            {
                "n": _count(sum(low <= one["estimate"] <= high for one in found)),
                "share": Quantity(curve["share_inside"], "share"),
                "level": _level(curve),
            },
        )
    return Message(
        "specifications.spread",
        {
            "estimated": _count(len(found)),
            "lowest": shown(curve["lowest"]),
            "highest": shown(curve["highest"]),
            "median": shown(curve["median"]),
            "headline": shown(head),
            "agreeing": _count(sum(one["estimate"] * head > 0 for one in found)),
            "share": Quantity(curve["share_agreeing"], "share"),
            "inside": inside,
        },
    )


def _move(curve: dict[str, Any], kind: Kind, unit: str) -> Message:
    move = curve["moves"][0]
    dimension = next(one for one in curve["dimensions"] if one["name"] == move["dimension"])
    option = next(one for one in dimension["options"] if one["name"] == move["option"])
    return Message(
        "specifications.move",
        {
            "dimension": text_of(dimension["title"]),
            "option": text_of(option["title"]),
            "headline": Quantity(curve["headline_estimate"], kind, unit, is_signed=True),
            "estimate": Quantity(move["estimate"], kind, unit, is_signed=True),
        },
    )


def _level(curve: dict[str, Any]) -> Quantity:
    return Quantity(round(100 * curve["level"], 6), "number")


def _joint(curve: dict[str, Any]) -> Message:
    joint = curve["joint"]
    if not joint:
        return Message("specifications.no_joint", {"reason": text_of(curve["no_joint"])})
    is_bounded = joint["smallest_p"] > _SIZE
    is_small = joint["p_joint"] <= _SIZE + 1e-12
    key = "joint_bounded" if is_bounded else "joint_small" if is_small else "joint_large"
    return Message(
        f"specifications.{key}",
        {
            "n": _count(joint["n_assignments"]),
            "p": Quantity(joint["p_joint"], "p_value"),
            "floor": Quantity(joint["smallest_p"], "p_value"),
        },
    )


def _figure_note(curve: dict[str, Any], found: list[dict[str, Any]]) -> Content:
    scale = "nothing"
    if any(one["as_measured"] != curve["measure"] for one in found):
        is_log = curve["measure"] == "log_points"
        scale = "figure_scale" if is_log else "figure_scale_amount"
    return Message(
        "specifications.figure_note",
        {
            "level": _level(curve),
            "assumes": text_of(curve["assumes"]),
            "scale": Message(f"specifications.{scale}"),
        },
    )


def _draw(
    run: Run, curve: dict[str, Any], found: list[dict[str, Any]], words: Words, mark: str
) -> Spec:
    from cps.figures.specification_curve import specification_curve

    kind, unit = measure_kind(str(curve["measure"]))

    def scaled(value: float | None) -> float | None:
        return None if value is None else words.axis_value(value, kind)

    rows = [
        {
            "key": str(one["number"]),
            "estimate": scaled(one["estimate"]),
            "low": scaled(one["ci_low"]),
            "high": scaled(one["ci_high"]),
            "is_headline": one["is_headline"],
        }
        for one in found
    ]
    groups = [
        (
            words.text(text_of(dimension["title"])),
            [
                (
                    words.text(text_of(option["title"])),
                    frozenset(
                        str(one["number"])
                        for one in found
                        if one["choices"][place] == option["name"]
                    ),
                )
                for option in dimension["options"]
            ],
        )
        for place, dimension in enumerate(curve["dimensions"])
    ]
    said = {"outcome": outcome_name(run), "unit": words.unit(kind, unit)}
    return specification_curve(
        rows,
        groups,
        y=words.text(Message("chart.effect_on", said)),
        headline=words.say("specifications.marked"),
        mark=mark,
    )


def _joint_table(curve: dict[str, Any], kind: Kind, unit: str) -> Table:
    joint = curve["joint"]
    values = {
        "median": Quantity(joint["median"], kind, unit, is_signed=True),
        "share": Quantity(joint["share"], "share"),
        "combined": Quantity(joint["combined"], "number", "", is_signed=True),
    }
    rows = tuple(
        (
            Message(f"specifications.{name}"),
            value,
            Quantity(joint[f"p_{name}"], "p_value"),
        )
        for name, value in values.items()
    )
    how = Message(
        f"specifications.{'enumerated' if joint['is_enumerated'] else 'drawn'}",
        {"n": _count(joint["n_assignments"]), "seed": _count(joint["seed"])}
        if not joint["is_enumerated"]
        else {"n": _count(joint["n_assignments"])},
    )
    last = (
        Message("specifications.all_three"),
        Quantity(None),
        Quantity(joint["p_joint"], "p_value"),
    )
    return Table(
        Message("specifications.joint_table"),
        (
            Column(Message("specifications.statistic")),
            Column(Message("specifications.value")),
            Column(Message("specifications.p"), "p_value"),
        ),
        (*rows, last),
        Message("specifications.joint_note", {"how": how, "cells": _count(joint["n_cells"])}),
    )


def _choices(curve: dict[str, Any], kind: Kind, unit: str) -> Table:
    titles = {one["name"]: text_of(one["title"]) for one in curve["dimensions"]}
    options = {
        (one["name"], option["name"]): Message(
            "specifications.option",
            {"option": text_of(option["title"]), "means": text_of(option["means"])},
        )
        for one in curve["dimensions"]
        for option in one["options"]
    }
    largest: dict[str, dict[str, Any]] = {}
    for move in curve["moves"]:
        largest.setdefault(move["dimension"], move)
    rows: list[tuple[Content, ...]] = []
    for one in curve["influences"]:
        name = one["dimension"]
        move = largest.get(name)
        rows.append(
            (
                titles[name],
                Quantity(one["share"], "share"),
                options[name, move["option"]] if move else Message("specifications.no_move"),
                Quantity(move["estimate"] if move else None, kind, unit, is_signed=True),
            )
        )
    return Table(
        Message("specifications.choices"),
        (
            Column(Message("specifications.dimension")),
            Column(Message("specifications.explains"), "share"),
            Column(Message("specifications.moved")),
            Column(Message("specifications.becomes"), kind, unit),
        ),
        tuple(rows),
        Message(
            "specifications.choices_note", {"explained": Quantity(curve["explained"], "share")}
        ),
    )


def _refusals(curve: dict[str, Any]) -> Table:
    return Table(
        Message("specifications.refusals"),
        (
            Column(Message("specifications.reason")),
            Column(Message("specifications.mend")),
            Column(Message("specifications.n"), "count"),
        ),
        tuple(
            (text_of(one["reason"]), text_of(one["mend"]), _count(one["n_cells"]))
            for one in curve["refusals"]
        ),
        Message("specifications.refusals_note"),
    )
