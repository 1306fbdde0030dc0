"""How such forecasts did in past years: calibration and sharpness beside simpler rules."""

from __future__ import annotations

from functools import partial
from math import expm1
from typing import TYPE_CHECKING

from cps.locale import Content, Listing, Message, Quantity, Words
from cps.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from cps.report.sections._common import text_of
from cps.report.sections._forecast import Record, forecast_of, threshold
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

ORDER = 3
PAGE = "forecast"
OURS = "pooled_seasons"
TEXT = {
    "zh": {
        "heading": "以往年份的检验",
        "lead": "用同样的方法，只凭当年截至 {months} 月的数据重新预测 {years} 年，再与实际结果对照。各方法看到的数据相同，按同样的 {cases} 个案例（村×年×月）打分。",
        "cover": "实际结果落入本模型 80% 区间的占 {in_80}，落入 95% 区间的占 {in_95}；低于所称，说明概率报得过于肯定。",
        "caution": "{caution}。",
        "none": "没有可供检验的完整年份，以上概率未经检验。",
        "not_asked": "这次没有要求用往年检验，以上概率未经检验。",
        "beats": "在这批案例中，本页所用模型的误差（CRPS）最小。",
        "loses": "在这批案例中，{best}的误差（CRPS）小于本页所用模型：请谨慎使用上面的概率。",
        "reliability": "所报概率与实际发生的比例",
        "reliability_note": "点在虚线上，说明所报概率与实际相符；竖线为本模型各点的 95% 区间（按案例独立计，实际更宽）。空档没有案例。",
        "said": "所报概率（%）",
        "happened": "实际发生（%）",
        "sharpness": "80% 预测区间的宽度（越短越好，前提是覆盖率够）",
        "sharpness_axis": "上限高出下限（%，中位数）",
        "scores": "各方法得分",
        "scores_note": "布里尔分和 CRPS 越小越好；80%、95% 两列是实际结果落入相应区间的比例，应接近 80% 和 95%。",
        "method": "方法",
        "brier": "布里尔 {threshold}",
        "crps": "CRPS",
        "cover_80": "80% 区间覆盖",
        "cover_95": "95% 区间覆盖",
        "width": "80% 区间宽度",
        "by_month": "模型在各月的得分",
        "month": "截至月份",
    },
    "en": {
        "heading": "Tried on past years",
        "lead": "The same method forecast {years} again, each from what was known at the end of month {months}, and is held against what came. All methods saw the same months and are scored on the same {cases} cases (village × year × month).",
        "cover": "{in_80} of the totals came inside the model's 80% intervals and {in_95} inside its 95% intervals; fewer than stated means that its chances are too sure.",
        "caution": "Caution: {caution}.",
        "none": "There is no whole past year to try it on: the chances above are untested.",
        "not_asked": "This time no past year was tried: the chances above are untested.",
        "beats": "On these cases the model used here has the smallest error (CRPS).",
        "loses": "On these cases {best} has a smaller error (CRPS) than the model used here: take the chances above with care.",
        "reliability": "What was said, and how often it came",
        "reliability_note": "On the dashed line, what was said is what came; bars are the model's 95% intervals as if cases were independent (truly they are wider). Ranges without a case are empty.",
        "said": "Chance said (%)",
        "happened": "Came true (%)",
        "sharpness": "Width of 80% intervals (shorter is better, as long as they cover)",
        "sharpness_axis": "Upper end above lower end (%, median)",
        "scores": "Scores of the methods",
        "scores_note": "Brier score and CRPS: the smaller the better. The 80% and 95% columns are how many totals fell inside those intervals, and should be near 80% and 95%.",
        "method": "Method",
        "brier": "Brier {threshold}",
        "crps": "CRPS",
        "cover_80": "80% interval holds",
        "cover_95": "95% interval holds",
        "width": "80% interval's width",
        "by_month": "The model's scores by month",
        "month": "To month",
    },
}


def build(run: Run) -> list[Block]:
    """Show the back-test; nothing without a forecast."""
    found = forecast_of(run)
    if found is None:
        return []
    heading = Heading(Message("forecast_test.heading"))
    tested = found["tested"]
    if tested is None:
        was_tried = any(one.code == "W-FORECAST-UNTESTED" for one in run.findings)
        why = "none" if was_tried else "not_asked"
        return [heading, Paragraph(Message(f"forecast_test.{why}"), "warn")]
    together = [one for one in tested["scores"] if one["month"] is None]
    said: dict[str, Content] = {
        "years": Listing(tuple(map(str, tested["years"]))),
        "months": Listing(tuple(map(str, tested["months"]))),
        "cases": Quantity(together[0]["n_cases"], "count"),
    }
    blocks: list[Block] = [
        heading,
        Paragraph(Message("forecast_test.lead", said)),
        _verdict(together),
        _cover(together),
        Paragraph(
            Message("forecast_test.caution", {"caution": text_of(tested["caution"])}), "note"
        ),
        Figure(
            Message("forecast_test.reliability"),
            partial(_reliability, together),
            Message("forecast_test.reliability_note"),
        ),
        Figure(Message("forecast_test.sharpness"), partial(_sharpness, together)),
        _scores(tested, together),
    ]
    return [*blocks, _by_month(tested)] if len(tested["months"]) > 1 else blocks


def _verdict(together: list[Record]) -> Paragraph:
    best = min(together, key=lambda one: (one["crps_log"], one["method"] != OURS))
    if best["method"] == OURS:
        return Paragraph(Message("forecast_test.beats"))
    return Paragraph(Message("forecast_test.loses", {"best": text_of(best["name"])}), "warn")


def _cover(together: list[Record]) -> Paragraph:
    (own,) = (one for one in together if one["method"] == OURS)
    said: dict[str, Content] = {
        "in_80": Quantity(own["coverage_80"], "share"),
        "in_95": Quantity(own["coverage_95"], "share"),
    }
    return Paragraph(Message("forecast_test.cover", said))


def _scores(tested: Record, together: list[Record]) -> Table:
    return Table(
        Message("forecast_test.scores"),
        (Column(Message("forecast_test.method")), *_columns(tested)),
        tuple((text_of(one["name"]), *_figures(one)) for one in together),
        Message("forecast_test.scores_note"),
    )


def _by_month(tested: Record) -> Table:
    own = [one for one in tested["scores"] if one["method"] == OURS and one["month"] is not None]
    return Table(
        Message("forecast_test.by_month"),
        (Column(Message("forecast_test.month")), *_columns(tested)),
        tuple((str(one["month"]), *_figures(one)) for one in own),
    )


def _columns(tested: Record) -> tuple[Column, ...]:
    return (
        *(
            Column(Message("forecast_test.brier", {"threshold": threshold(one)}), "p_value")
            for one in tested["thresholds_yuan"]
        ),
        Column(Message("forecast_test.crps"), "money"),
        Column(Message("forecast_test.cover_80"), "share"),
        Column(Message("forecast_test.cover_95"), "share"),
        Column(Message("forecast_test.width"), "share"),
    )


def _figures(score: Record) -> tuple[Quantity, ...]:
    return (
        *(Quantity(one, "p_value") for one in score["brier"]),
        Quantity(10_000 * score["crps_wan"], "money"),
        Quantity(score["coverage_80"], "share"),
        Quantity(score["coverage_95"], "share"),
        Quantity(expm1(score["width_80"]), "share"),
    )


def _reliability(together: list[Record], words: Words, mark: str) -> Spec:
    from cps.figures.forecast import reliability_diagram

    ordered = sorted(together, key=lambda one: one["method"] != OURS)
    names = [words.text(text_of(one["name"])) for one in ordered]
    rows = []
    for score, name in zip(ordered, names, strict=True):
        for part in score["reliability"]:
            if not part["n"]:
                continue
            rows.append(
                {
                    "name": name,
                    "said": 100 * part["mean_probability"],
                    "happened": 100 * part["share_happened"],
                    "low": 100 * part["low"],
                    "high": 100 * part["high"],
                }
            )
    return reliability_diagram(
        rows,
        names=names,
        x=words.text(Message("forecast_test.said")),
        y=words.text(Message("forecast_test.happened")),
        mark=mark,
    )


def _sharpness(together: list[Record], words: Words, mark: str) -> Spec:
    from cps.figures.forecast import sharpness_bars

    rows = [
        {
            "name": words.text(text_of(one["name"])),
            "width": 100 * expm1(one["width_80"]),
            "words": words.text(Quantity(expm1(one["width_80"]), "share")),
        }
        for one in together
    ]
    return sharpness_bars(rows, x=words.text(Message("forecast_test.sharpness_axis")), mark=mark)
