"""What income is made of, crowding just above promised levels, and indicators that can't be had."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cps.indicators.bunching import WINDOW
from cps.indicators.series_names import named
from cps.locale import Content, Interval, Message, Quantity, Words
from cps.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from cps.report.sections import _indicators as of
from cps.report.sections._common import text_of
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

ORDER = 24
PAGE = "overview"
PROMISED_WAN = (50, 100)
_SHARES = ("own_operation_share", "subsidy_dependence", "dividends")
TEXT = {
    "zh": {
        "heading": "收入结构与门槛聚集",
        "lead": "若数字是照着目标报的，刚过 {level50} 和 {level100} 门槛处会多出一些村年，门槛下方会少一些。多出不等于造假：冲刺达标也会这样，应与凭证核对。",
        "table": "门槛两侧的村年数（{base}—{period} 年合并）",
        "where": "地区与门槛",
        "at": "{area}，{level}",
        "below": "下方",
        "above": "上方",
        "sign": "p 值",
        "expected": "应有",
        "excess": "多出",
        "interval": "{level}% 区间",
        "read": "结论",
        "none": "未见聚集",
        "some": "有聚集迹象",
        "unknown": "数太少，无法判断",
        "note": "村年数：一个单位的一年计一次；下方、上方指距门槛 {window} 以内。应有数为上方的应有数，由门槛两侧各档（对数宽度 {window}）拟合平滑曲线得出，不含紧邻门槛的两档；区间按单位自助抽样。p 值为单侧符号检验，每个单位只计一次。",
        "figure": "{area}：{level} 门槛附近的分布",
        "axis": "与门槛的距离（%）",
        "count": "村年数",
        "level": "门槛",
        "fit": "平滑拟合",
        "figure_note": "虚线为平滑拟合；看紧挨门槛右侧的一档是否明显高出虚线。",
        "shares": "收入结构与分红，{year} 年",
        "with_unit": "{value} {unit}",
        "indicator": "指标",
        "value": "数值",
        "coverage": "有数据/应有",
        "absent": "没有给出的指标及原因",
        "reason": "原因",
        "absent_note": "缺的数据补上后自动给出；缺数不当作零。",
    },
    "en": {
        "heading": "Structure of income, and crowding at thresholds",
        "lead": "If figures were reported to meet a target, there would be more village-years just above {level50} and {level100}, and fewer just below. More is no proof of false figures: a last effort for the target looks the same; check vouchers.",
        "table": "Village-years on either side of a threshold ({base}–{period} pooled)",
        "where": "Area and threshold",
        "at": "{area}, {level}",
        "below": "Below",
        "above": "Above",
        "sign": "p",
        "expected": "Expected",
        "excess": "Excess",
        "interval": "{level}% interval",
        "read": "Reads as",
        "none": "no crowding",
        "some": "signs of crowding",
        "unknown": "too few to say",
        "note": "A village-year is one unit in one year; below and above mean within {window} of the threshold. What is expected above comes from a smooth curve through bins {window} wide (in logs) on both sides, without the two beside the threshold; intervals draw units with all their years. p is of a one-sided sign test, which counts each unit once.",
        "figure": "{area}: the distribution around {level}",
        "axis": "distance from the threshold (%)",
        "count": "village-years",
        "level": "threshold",
        "fit": "smooth fit",
        "figure_note": "The dashed line is the smooth fit: does the bin just right of the threshold stand clearly above it?",
        "shares": "Structure of income, and dividends, {year}",
        "with_unit": "{value} {unit}",
        "indicator": "Indicator",
        "value": "Value",
        "coverage": "Reported/expected",
        "absent": "Indicators not given, and why",
        "reason": "Why",
        "absent_note": "They appear once the data are there; what is not reported is never taken as zero.",
    },
}


def build(run: Run) -> list[Block]:
    """Show crowding, structure and what is absent; nothing without indicators."""
    rows = [
        row
        for wan in PROMISED_WAN
        for row in run.indicators.get("readings") or ()
        if row["indicator"] == f"crowding_above_{wan}"
    ]
    absent = run.indicators.get("absent") or []
    if not rows and not absent:
        return []
    blocks: list[Block] = [Heading(Message("structure.heading"))]
    if rows:
        blocks += [Paragraph(Message("structure.lead", _levels())), _crowding(run, rows)]
    shown = [row for row in rows if row["scope"] == "target" and row["table"]]
    if shown:
        last = shown[-1]
        said: dict[str, Content] = {"area": of.area_name(last["area"]), "level": _level(last)}
        blocks.append(
            Figure(
                Message("structure.figure", said),
                partial(_beside, last),
                Message("structure.figure_note"),
            )
        )
    return [*blocks, *_shares(run), *_absent(absent)]


def _levels() -> dict[str, Content]:
    return {f"level{wan}": Quantity(wan * 10_000.0, "money") for wan in PROMISED_WAN}


def _confidence(rows: list[of.Row]) -> Quantity:
    """Give the level of the intervals, as a whole percentage."""
    level = next((row["level"] for row in rows if row["level"]), None)
    return Quantity(None if level is None else round(100 * level, 6))


def _level(row: of.Row) -> Quantity:
    return Quantity(float(row["indicator"].rsplit("_", 1)[-1]) * 10_000.0, "money")


def _crowding(run: Run, rows: list[of.Row]) -> Table:
    dates = of.asked(run)
    heads: tuple[Column, ...] = (
        Column(Message("structure.where")),
        Column(Message("structure.below"), "count"),
        Column(Message("structure.above"), "count"),
        Column(Message("structure.sign"), "p_value"),
        Column(Message("structure.expected"), "number"),
        Column(Message("structure.excess"), "number"),
        Column(Message("structure.interval", {"level": _confidence(rows)}), "number"),
        Column(Message("structure.read")),
    )
    base = dates["base_label"] or dates["period_label"]
    return Table(
        Message("structure.table", {"base": base, "period": dates["period_label"]}),
        heads,
        tuple(
            (
                Message("structure.at", {"area": of.area_name(row["area"]), "level": _level(row)}),
                Quantity(row["parts"]["cells_below"], "count"),
                Quantity(row["parts"]["cells_above"], "count"),
                Quantity(row["parts"]["sign_test_p"], "p_value"),
                Quantity(row["parts"].get("expected"), "ratio"),
                Quantity(row["value"], "ratio", is_signed=True),
                Interval(row["ci_low"], row["ci_high"], "ratio", is_signed=True),
                Message(f"structure.{_verdict(row)}"),
            )
            for row in rows
        ),
        Message("structure.note", {"window": Quantity(WINDOW, "share")}),
    )


def _verdict(row: of.Row) -> str:
    if row["value"] is None or row["ci_low"] is None:
        return "unknown"
    return "some" if row["ci_low"] > 0 else "none"


def _shares(run: Run) -> list[Block]:
    rows = [one for name in _SHARES if (one := of.reading(run, name))]
    lines = [line for row in rows for line in (_structure(row) or [_whole(row)])]
    if not lines:
        return []
    heads = ("indicator", "value", "coverage")
    return [
        Table(
            Message("structure.shares", {"year": rows[0]["period_label"]}),
            tuple(Column(Message(f"structure.{one}")) for one in heads),
            tuple(lines),
        )
    ]


def _whole(row: of.Row) -> tuple[Content, ...]:
    return (text_of(row["title"]), _shown(row["value"], row["unit"]), of.coverage(row))


def _structure(row: of.Row) -> list[tuple[Content, ...]]:
    """Give each part of the income as a line, where the reading has them."""
    table = row["table"]
    return [
        (named([part]), _shown(share, "percent"), of.coverage(row))
        for part, share in zip(table.get("part", ()), table.get("share_pct", ()), strict=True)
    ]


def _shown(value: float | None, unit: str) -> Content:
    """Write a value with its unit: the rows of this table don't share one."""
    number = of.quantity(value, unit)
    known = {"yuan": "units_of.money", "persons": "units_of.persons", "percent": "units_of.share"}
    if value is None or unit not in known:
        return number
    return Message("structure.with_unit", {"value": number, "unit": Message(known[unit])})


def _absent(absent: list[of.Row]) -> list[Block]:
    if not absent:
        return []
    return [
        Table(
            Message("structure.absent"),
            tuple(Column(Message(f"structure.{one}")) for one in ("indicator", "reason")),
            tuple((text_of(row["title"]), text_of(row["reason"])) for row in absent),
            Message("structure.absent_note"),
        )
    ]


def _beside(row: of.Row, words: Words, mark: str) -> Spec:
    from cps.figures.distribution import beside_level

    table = row["table"]
    return beside_level(
        [
            {"distance": 100 * distance, "n": n, "fitted": fitted}
            for distance, n, fitted in zip(
                table["distance"], table["n"], table["fitted"], strict=True
            )
        ],
        names=(words.text(_level(row)), words.say("structure.fit")),
        x=words.say("structure.axis"),
        y=words.say("structure.count"),
        mark=mark,
    )
