"""A forecast in short: the year so far, how many villages will pass, and who needs a look."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cps.errors import Text
from cps.locale import Content, Interval, Listing, Message, Quantity, Words
from cps.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from cps.report.sections._common import text_of
from cps.report.sections._forecast import Record, chance, forecast_of, threshold
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

ORDER = 1
PAGE = "forecast"
TEXT = {
    "zh": {
        "heading": "摘要",
        "lead": "截至 {year} 年 {month} 月，{area}{n} 个村中的 {foreseen} 个可以预测。到年底：{counts}。",
        "count": "预计 {mean} 个村超过 {threshold}（{level}% 区间 {range} 个）",
        "everywhere": "",
        "in_area": "{area}的 ",
        "warned": "需要关注的村有 {n} 个：{fall} 处可能保不住去年已超过的档次，{reach} 处难以达到去年未超过的最近一档。",
        "calm": "没有需要预警的村。",
        "basis": "{basis}。",
        "nature": "概率来自以往月份的规律，不含今年将要发生、往年没有过的事。它不是对项目效果的估计。",
        "warnings": "预警名单，紧急的在前",
        "warnings_note": "去年已超过、今年概率低于 {keep} 的列为“可能保不住”；去年未超过的最近一档，今年概率低于 {reach} 的列为“难以达到”。",
        "villages_heading": "各村预测",
        "villages": "各村全年预测",
        "villages_note": "累计只含已报月份，缺报不当作零。区间为 {level}% 预测区间。“本村往年”指月份结构由本村往年估计；“全体”指本村往年数据不足，取全体村的结构。",
        "figure": "各村全年预计收入",
        "figure_note": "点为中位数，线为 {level}% 预测区间，虚线为各档；横轴为对数刻度。",
        "axis": "全年经营性收入（{unit}，对数刻度）",
        "village": "村",
        "risk": "情况",
        "fall_below": "可能保不住 {threshold}",
        "not_reach": "难以达到 {threshold}",
        "missed": "未超过 {threshold}（已报齐）",
        "threat": "{risk}（概率：{chance}）",
        "why": "依据",
        "to_date": "累计",
        "year_on_year": "累计同比",
        "expected": "全年中位数",
        "interval": "区间",
        "above": "超 {threshold} 的概率",
        "season": "月份结构",
        "own": "本村往年",
        "pooled": "全体",
        "least": "不足 1%",
        "most": "超过 99%",
        "assumes_heading": "模型假定",
        "assumes": "{assumes}。",
    },
    "en": {
        "heading": "In short",
        "lead": "To the end of month {month} of {year}, {foreseen} of {n} villages {area}can be forecast. By the year's end: {counts}.",
        "count": "{mean} villages are expected above {threshold} ({level}% interval {range})",
        "everywhere": "",
        "in_area": "of {area} ",
        "warned": "{n} villages need a look: {fall} times a threshold passed last year may be lost, {reach} times the next one is unlikely to be reached.",
        "calm": "There is nothing to warn of.",
        "basis": "Basis: {basis}.",
        "nature": "The chances rest on how past months went; what never happened before is not in them. They are no estimate of what the projects did.",
        "warnings": "Early warnings, the most urgent first",
        "warnings_note": "“May lose”: passed last year, and this year's chance is below {keep}. “Unlikely”: the next threshold, not passed last year, with a chance below {reach}.",
        "villages_heading": "Village by village",
        "villages": "The year of each village",
        "villages_note": "Sums to date hold the months reported; a missing month is no zero. Intervals are {level}% prediction intervals. Season “own”: learned from the village's own earlier years; “pool”: too few of its own, so that of all villages.",
        "figure": "Expected income of the year, by village",
        "figure_note": "Dots are medians, bars {level}% prediction intervals, dashed lines thresholds; the axis is logarithmic.",
        "axis": "Operating income of the year ({unit}, log scale)",
        "village": "Village",
        "risk": "What threatens",
        "fall_below": "may lose {threshold}",
        "not_reach": "unlikely to reach {threshold}",
        "missed": "not above {threshold} (all months in)",
        "threat": "{risk} (chance {chance})",
        "why": "On what grounds",
        "to_date": "To date",
        "year_on_year": "On last year",
        "expected": "Median of the year",
        "interval": "Interval",
        "above": "Chance above {threshold}",
        "season": "Season",
        "own": "own",
        "pooled": "pool",
        "least": "under 1%",
        "most": "over 99%",
        "assumes_heading": "What the model takes for granted",
        "assumes": "{assumes}.",
    },
}


def build(run: Run) -> list[Block]:
    """Show the forecast; nothing if the run holds none."""
    found = forecast_of(run)
    if found is None:
        return []
    outlook, warned = found["outlook"], found["warnings"]
    blocks: list[Block] = [
        Heading(Message("forecast.heading")),
        Paragraph(_lead(found), "lead"),
        Paragraph(_warned(warned)),
        Paragraph(Message("forecast.basis", {"basis": text_of(outlook["basis"])}), "note"),
        Paragraph(Message("forecast.nature"), "note"),
    ]
    if warned:
        blocks.append(_warnings(found))
    blocks.append(Heading(Message("forecast.villages_heading")))
    if outlook["villages"]:
        level = {"level": _level(outlook)}
        blocks += [
            Figure(
                Message("forecast.figure"),
                partial(_outlooks, outlook),
                Message("forecast.figure_note", level),
            ),
            _villages(outlook),
        ]
    assumes = Message("forecast.assumes", {"assumes": text_of(outlook["assumes"])})
    return [*blocks, Paragraph(assumes, "note")]


def _level(outlook: Record) -> Quantity:
    return Quantity(round(100 * outlook["level"]), "count")


def _lead(found: Record) -> Content:
    outlook, area = found["outlook"], found["area"]
    counts = tuple(
        Message(
            "forecast.count",
            {
                "mean": Quantity(mean, "count"),
                "threshold": threshold(yuan),
                "level": _level(outlook),
                "range": Interval(low, high, "count"),
            },
        )
        for yuan, mean, low, high in outlook["expected_above"]
    )
    return Message(
        "forecast.lead",
        {
            "year": str(outlook["year"]),
            "month": str(outlook["month"]),
            "area": Message("forecast.in_area", {"area": area})
            if area
            else Message("forecast.everywhere"),
            "n": Quantity(outlook["n_units"], "count"),
            "foreseen": Quantity(outlook["n_foreseen"], "count"),
            "counts": Listing(counts),
        },
    )


def _warned(warned: list[Record]) -> Content:
    if not warned:
        return Message("forecast.calm")
    fall = sum(one["risk"] == "fall_below" for one in warned)
    numbers = {
        "n": len({one["unit"] for one in warned}),
        "fall": fall,
        "reach": len(warned) - fall,
    }
    return Message("forecast.warned", {name: Quantity(n, "count") for name, n in numbers.items()})


def _warnings(found: Record) -> Table:
    settled = found["outlook"]["month"] == 12
    rows = []
    for one in found["warnings"]:
        is_settled = settled and one["probability"] == 0
        risk = Message(
            f"forecast.{'missed' if is_settled else one['risk']}",
            {"threshold": threshold(one["threshold_yuan"])},
        )
        # The first reason repeats the chance; alone, it is all there is to say.
        told = [text_of(reason) for reason in one["reasons"]]
        told = told[1:] or told
        reasons = Text("；".join(a.zh for a in told), "; ".join(a.en for a in told))
        said = chance(one["probability"], is_settled=is_settled)
        threat = Message("forecast.threat", {"risk": risk, "chance": said})
        rows.append((one["unit"], risk if is_settled else threat, reasons))
    limits = {
        "keep": Quantity(found["keep_below"], "share"),
        "reach": Quantity(found["reach_below"], "share"),
    }
    return Table(
        Message("forecast.warnings"),
        (
            Column(Message("forecast.village")),
            Column(Message("forecast.risk")),
            Column(Message("forecast.why")),
        ),
        tuple(rows),
        Message("forecast.warnings_note", limits),
    )


def _villages(outlook: Record) -> Table:
    thresholds = outlook["thresholds_yuan"]
    rows = []
    for one in outlook["villages"]:
        before = one["same_months_last_year_yuan"]
        change = one["to_date_yuan"] / before - 1 if before else None
        rows.append(
            (
                one["unit"],
                Quantity(one["to_date_yuan"], "money"),
                Quantity(change, "share", is_signed=True),
                Quantity(one["median_yuan"], "money"),
                Interval(one["lower_yuan"], one["upper_yuan"], "money"),
                *(
                    chance(said["probability"], is_settled=said["is_settled"])
                    for said in one["chances"]
                ),
                Message(f"forecast.{one['basis']}"),
            )
        )
    return Table(
        Message("forecast.villages"),
        (
            Column(Message("forecast.village")),
            Column(Message("forecast.to_date"), "money"),
            Column(Message("forecast.year_on_year"), "share"),
            Column(Message("forecast.expected"), "money"),
            Column(Message("forecast.interval"), "money"),
            *(
                Column(Message("forecast.above", {"threshold": threshold(one)}))
                for one in thresholds
            ),
            Column(Message("forecast.season")),
        ),
        tuple(rows),
        Message("forecast.villages_note", {"level": _level(outlook)}),
        most=len(rows),
    )


def _outlooks(outlook: Record, words: Words, mark: str) -> Spec:
    from cps.figures.forecast import year_outlooks

    ordered = sorted(outlook["villages"], key=lambda one: (-one["median_yuan"], one["unit"]))
    rows = [
        {
            "name": one["unit"],
            "median": words.axis_value(one["median_yuan"], "money"),
            "low": words.axis_value(one["lower_yuan"], "money"),
            "high": words.axis_value(one["upper_yuan"], "money"),
        }
        for one in ordered
        if one["lower_yuan"] > 0
    ]
    lines = [words.axis_value(float(one), "money") for one in outlook["thresholds_yuan"]]
    axis = words.text(Message("forecast.axis", {"unit": words.unit("money")}))
    return year_outlooks(rows, thresholds=lines, x=axis, mark=mark)
