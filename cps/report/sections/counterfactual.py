"""The distribution as it would have been without the initiatives."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from cps.locale import Content, Interval, Kind, Listing, Message, Quantity, Words
from cps.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from cps.report.sections import _indicators as of
from cps.report.sections._common import counted, text_of
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

ORDER = 44
PAGE = "overview"
_MORE = 0.1  # how much above the comparison units a host stands of which effects are told
DRAWN = ("share_above_100", "gini")
TEXT = {
    "zh": {
        "heading": "若没有这些项目，分布会怎样",
        "lead_changed": "{year} 年，与没有项目的情形相比，变化区间不含零的指标有：{names}。其余指标的变化区间都包含零，不能断定有变化。",
        "lead_unclear": "{year} 年，与没有项目的情形相比，各项指标的变化区间都包含零：不能断定这些项目改变了分布。",
        "name_up": "{title}（高 {amount}，{level}% 区间 {interval}）",
        "name_down": "{title}（低 {amount}，{level}% 区间 {interval}）",
        "how": "做法：{n_hosts}自首个项目启动之日起，逐村估计项目带来的增幅并从实际收入中扣除，再算一遍指标；模拟 {draws} 次，区间包含各村效应的误差及其相关。估计以 {donors} 个从未承办的单位为对照。",
        "unseen": "其中 {n}没有启动前的数据，按其他承办单位效应的分布取值。",
        "figure": "{title}：实际与若无项目",
        "figure_note": "菱形和竖线为若无项目的中位估计及其 {level}% 区间；圆点为实际，没有误差。",
        "observed": "实际",
        "without": "若无项目（估计）",
        "axis": "{title}（{unit}）",
        "table": "{area}，{year} 年：实际与若无项目的分布",
        "index": "指标",
        "observed_head": "实际",
        "without_head": "若无项目",
        "interval_head": "若无项目的 {level}% 区间",
        "difference_head": "项目带来的变化",
        "change_head": "变化的 {level}% 区间",
        "money": "{title}（{unit}）",
        "percent": "{title}（%）",
        "plain": "{title}",
        "note": "若无项目一栏为模拟的中位数；变化 = 实际 − 若无项目。{basis}。",
        "break": "{year} 年的会计制度与基期不同，承办与对照单位同受影响；若影响不一，区间未包括。",
        "relation": "各村效应（对数）与启动前收入水平的关系：收入高出对照 {more} 的村，效应{direction} {size} 个百分点（标准误 {error}）；除此之外，村与村之间效应的标准差约 {spread}。",
        "higher": "高",
        "lower": "低",
        "beside": "换一种做法：各项目的主结果用于其全部承办村",
        "way": "做法",
        "headline_joint": "主结果，联合误差",
        "headline_apart": "主结果，误差相互独立",
        "headline_tied": "主结果，误差完全相关",
        "by_host": "逐村效应（上表）",
        "beside_note": "以主结果代替逐村效应时，同一项目各村的增幅被当作相同；承办几个项目的村，各项目主结果相加。只作参照。",
        "beside_ways": "各项目误差的相关程度未知，真实情形介于独立与完全相关之间：两行相差越大，结论越取决于这一点。",
        "granted": "{text}。",
        "why_not": "没有给出：{why}。",
    },
    "en": {
        "heading": "The distribution without the initiatives",
        "lead_changed": "In {year}, compared with no initiative at all, the interval of the change leaves out zero for: {names}. For all other indices it holds zero, and no change is established.",
        "lead_unclear": "In {year}, the interval of every index's change holds zero: the data don't establish that the initiatives changed the distribution.",
        "name_up": "{title} ({amount} higher, {level}% interval {interval})",
        "name_down": "{title} ({amount} lower, {level}% interval {interval})",
        "how": "How: for each of {n_hosts}, what the initiatives added is estimated from its first start on and taken off its income, and the indices are worked out again; {draws} draws carry the errors of all hosts' effects and how they hang together. Compared with {donors} units that never hosted.",
        "unseen": "No data from before the start for {n}: the effect is drawn from the distribution of the other hosts' effects.",
        "figure": "{title}: as it was, and without the initiatives",
        "figure_note": "Diamonds and bars: without the initiatives, median and {level}% interval. Dots: as it was, without error.",
        "observed": "as it was",
        "without": "without the initiatives (estimated)",
        "axis": "{title} ({unit})",
        "table": "{area}, {year}: the distribution as it was, and without the initiatives",
        "index": "Indicator",
        "observed_head": "As it was",
        "without_head": "Without",
        "interval_head": "{level}% interval, without",
        "difference_head": "Changed by",
        "change_head": "{level}% interval of the change",
        "money": "{title} ({unit})",
        "percent": "{title} (%)",
        "plain": "{title}",
        "note": "Without: median of the draws; change = as it was − without. Basis: {basis}.",
        "break": "The accounting system of {year} is not that of the base year; hosts and comparison units changed together. If it touched them differently, that is not in the intervals.",
        "relation": "How effects (in logs) vary with income before the start: a host {more} above the comparison units has an effect {direction} by {size} percentage points (standard error {error}); beyond that, effects differ between hosts with a standard deviation of about {spread}.",
        "higher": "higher",
        "lower": "lower",
        "beside": "Another way: each initiative's headline effect for all its hosts",
        "way": "How",
        "headline_joint": "Headline effects, joint errors",
        "headline_apart": "Headline effects, errors independent",
        "headline_tied": "Headline effects, errors fully tied",
        "by_host": "Effects by host (as above)",
        "beside_note": "With headline effects in place of effects by host, all hosts of an initiative are taken to gain the same share; a host of several has the sum of their headline effects. Only set beside.",
        "beside_ways": "How far the initiatives' errors are tied is not known, and lies between the two: the further apart the two lines, the more hangs on it.",
        "granted": "{text}.",
        "why_not": "Not given: {why}.",
    },
}


def build(run: Run) -> list[Block]:
    """Show indices with and without the initiatives; nothing if that was not asked."""
    found: dict[str, Any] = run.indicators.get("counterfactual") or {}
    if not found:
        return []
    blocks: list[Block] = [Heading(Message("counterfactual.heading"))]
    if "why_not" in found:
        why = text_of(found["why_not"])
        return [*blocks, Paragraph(Message("counterfactual.why_not", {"why": why}), "note")]
    last = found["years"][-1]
    blocks += [Paragraph(_lead(last, found), "lead"), Paragraph(_how(run, last, found))]
    if last["n_unseen"]:
        n = counted(last["n_unseen"], str(run.design["unit_kind"]))
        blocks.append(Paragraph(Message("counterfactual.unseen", {"n": n}), "note"))
    for name in DRAWN:
        row = _row(last, name)
        blocks.append(
            Figure(
                Message("counterfactual.figure", {"title": text_of(row["title"])}),
                partial(_drawn, found, name),
                Message("counterfactual.figure_note", {"level": _level(found)}),
            )
        )
    blocks += [_table(last, found), Paragraph(_relation(found), "note")]
    if found["beside"]:
        blocks.append(_beside(last, found))
        if len(found["beside"]) > 1:
            blocks.append(Paragraph(Message("counterfactual.beside_ways"), "note"))
    if last["spans_break"]:
        blocks.append(
            Paragraph(Message("counterfactual.break", {"year": last["period_label"]}), "note")
        )
    granted = [Message("counterfactual.granted", {"text": text_of(one)}) for one in found["notes"]]
    return [*blocks, *(Paragraph(one, "note") for one in granted)]


def _row(year: of.Row, name: str) -> of.Row:
    return next(row for row in year["rows"] if row["indicator"] == name)


def _level(found: of.Row) -> Quantity:
    return Quantity(round(100 * found["level"], 6))


def _lead(last: of.Row, found: of.Row) -> Message:
    clear = [row for row in last["rows"] if _is_clear(row)]
    year: dict[str, Content] = {"year": last["period_label"]}
    if not clear:
        return Message("counterfactual.lead_unclear", year)
    names = tuple(
        Message(
            f"counterfactual.name_{'up' if row['difference'] > 0 else 'down'}",
            {
                "title": text_of(row["title"]),
                "amount": _amount(abs(row["difference"]), row["unit"]),
                "level": _level(found),
                "interval": _interval(row, "difference", is_signed=True),
            },
        )
        for row in clear
    )
    return Message("counterfactual.lead_changed", {**year, "names": Listing(names)})


def _is_clear(row: of.Row) -> bool:
    low, high = row["difference_low"], row["difference_high"]
    return low is not None and (low > 0 or high < 0)


def _how(run: Run, last: of.Row, found: of.Row) -> Message:
    said: dict[str, Content] = {
        "n_hosts": counted(last["n_hosts"], str(run.design["unit_kind"])),
        "draws": Quantity(found["n_draws"], "count"),
        "donors": Quantity(last["n_donors"], "count"),
    }
    return Message("counterfactual.how", said)


def _amount(value: float | None, unit: str, *, is_signed: bool = False) -> Quantity:
    return of.quantity(value, unit, is_signed=is_signed)


def _interval(row: of.Row, what: str, *, is_signed: bool = False) -> Interval:
    ends = [of.quantity(row[f"{what}_{end}"], row["unit"]) for end in ("low", "high")]
    return Interval(ends[0].value, ends[1].value, ends[0].kind, is_signed=is_signed)


def _titled(row: of.Row) -> Message:
    key = {"yuan": "money", "percent": "percent"}.get(row["unit"], "plain")
    said: dict[str, Content] = {"title": text_of(row["title"])}
    if key == "money":
        said["unit"] = Message("units_of.money")
    return Message(f"counterfactual.{key}", said)


def _table(last: of.Row, found: of.Row) -> Table:
    level: dict[str, Content] = {"level": _level(found)}
    kind: Kind = "index"
    return Table(
        Message(
            "counterfactual.table",
            {"area": of.area_name(found["area"]), "year": last["period_label"]},
        ),
        (
            Column(Message("counterfactual.index")),
            Column(Message("counterfactual.observed_head"), kind),
            Column(Message("counterfactual.without_head"), kind),
            Column(Message("counterfactual.interval_head", level), kind),
            Column(Message("counterfactual.difference_head"), kind),
            Column(Message("counterfactual.change_head", level), kind),
        ),
        tuple(
            (
                _titled(row),
                _amount(row["observed"], row["unit"]),
                _amount(row["without"], row["unit"]),
                _interval(row, "without"),
                _amount(row["difference"], row["unit"], is_signed=True),
                _interval(row, "difference", is_signed=True),
            )
            for row in last["rows"]
        ),
        Message("counterfactual.note", {"basis": text_of(last["basis"])}),
    )


def _relation(found: of.Row) -> Message:
    effects = found["effects"]
    per_tenth = math.log1p(_MORE)
    said: dict[str, Content] = {
        "more": Quantity(_MORE, "share"),
        "direction": Message(f"counterfactual.{'higher' if effects['slope'] > 0 else 'lower'}"),
        "size": Quantity(100 * abs(effects["slope"]) * per_tenth, "ratio"),
        "error": Quantity(100 * effects["slope_error"] * per_tenth, "ratio"),
        "spread": Quantity(effects["spread"], "change"),
    }
    return Message("counterfactual.relation", said)


def _beside(last: of.Row, found: of.Row) -> Table:
    ways = [("by_host", last["rows"]), *((one["way"], one["rows"]) for one in found["beside"])]
    names = [row["indicator"] for row in found["beside"][0]["rows"]]
    lines = [
        (way, next(row for row in rows if row["indicator"] == name))
        for name in names
        for way, rows in ways
    ]
    return Table(
        Message("counterfactual.beside"),
        (
            Column(Message("counterfactual.index")),
            Column(Message("counterfactual.way")),
            Column(Message("counterfactual.without_head"), "index"),
            Column(Message("counterfactual.interval_head", {"level": _level(found)}), "index"),
        ),
        tuple(
            (
                _titled(row),
                Message(f"counterfactual.{way}"),
                _amount(row["without"], row["unit"]),
                _interval(row, "without"),
            )
            for way, row in lines
        ),
        Message("counterfactual.beside_note"),
    )


def _drawn(found: of.Row, name: str, words: Words, mark: str) -> Spec:
    from cps.figures.distribution import with_and_without

    rows = [(year["period_label"], _row(year, name)) for year in found["years"]]
    one = rows[-1][1]
    title: Content = text_of(one["title"])
    if one["unit"] == "percent":
        title = Message("counterfactual.axis", {"title": title, "unit": "%"})
    return with_and_without(
        [
            {
                "year": label,
                "observed": row["observed"],
                "without": row["without"],
                "low": row["without_low"],
                "high": row["without_high"],
            }
            for label, row in rows
        ],
        names=(words.say("counterfactual.observed"), words.say("counterfactual.without")),
        y=words.text(title),
        has_zero=one["unit"] == "percent",
        mark=mark,
    )
