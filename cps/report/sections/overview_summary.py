"""The place in one paragraph: how many initiatives moved anything, and all hosts together."""

from __future__ import annotations

from typing import Any

from cps.errors import Text
from cps.locale import Content, Counted, Link, Message, Quantity
from cps.report.blocks import Block, Heading, Paragraph
from cps.report.sections._common import (
    amount,
    counted,
    direction,
    headline_direction,
    host_word,
    interval,
    level,
    outcome_name,
    own_unit,
    per_period,
)
from cps.result import Estimate
from cps.runs import Run

ORDER = 10
PAGE = "overview"
TEXT = {
    "zh": {
        "heading": "总的情况",
        "counts": "共 {total}，完成评估 {done} 个：{up} 个与零分得开、为正，{down} 个与零分得开、为负，{unclear} 个没有发现明确的效应。",
        "chance": "即使都没有效应，按 95% 区间，每 20 个项目也会有约 1 个仅因偶然而不含零；单个结果不宜挑出来说。能不能归于项目，看各项目的证据等级。",
        "failed": "有 {n} 未完成，原因如下，未计入上述数字。",
        "failure": "{name}：{why}",
        "pooled_up": "全部承办单位合计：{host}的{outcome}{per}高出约 {amount}（{level}% 区间 {interval}；{treated}承办，{comparison}对照；{method}）。",
        "pooled_down": "全部承办单位合计：{host}的{outcome}{per}变化 {amount}（{level}% 区间 {interval}；{treated}承办，{comparison}对照；{method}）。",
        "pooled_unclear": "全部承办单位合计：{host}的{outcome}{per}的变化估计为 {amount}，{level}% 区间 {interval} 包含零（{treated}承办，{comparison}对照；{method}）。",
        "pooled_mixed": "全部承办单位合计：{host}的{outcome}{per}的变化估计为 {amount}（{level}% 区间 {interval}），但 p 值没有达到同一水平，不算明确的效应（{treated}承办，{comparison}对照；{method}）。",
        "pooled_too_few": "全部承办单位合计：{host}的{outcome}{per}的变化估计为 {amount}（{level}% 区间 {interval}），但承办或对照不足五个，不能据此下结论（{treated}承办，{comparison}对照；{method}）。",
        "pooled_no_interval": "全部承办单位合计：{host}的{outcome}{per}的变化估计为 {amount}，没有区间（{treated}承办，{comparison}对照；{method}）。",
    },
    "en": {
        "heading": "In short",
        "counts": "Of {total}, {done} evaluated: {up} told apart from zero as a gain, {down} as a loss, {unclear} without a clear effect.",
        "chance": "Even if none had an effect, about 1 in 20 intervals of 95% would leave out zero by chance alone: no single result should be picked out. Whether a change may be put down to an initiative is for its grade of evidence.",
        "failed": "{n} failed, for the reasons below, and are not counted above.",
        "failure": "{name}: {why}",
        "pooled_up": "All hosts together: for {host}, about {amount} more in {outcome} {per} ({level}% interval {interval}; {treated} treated, {comparison} compared; {method}).",
        "pooled_down": "All hosts together: for {host}, {amount} in {outcome} {per} ({level}% interval {interval}; {treated} treated, {comparison} compared; {method}).",
        "pooled_unclear": "All hosts together: for {host}, the change in {outcome} {per} is estimated at {amount}, and the {level}% interval, {interval}, holds zero ({treated} treated, {comparison} compared; {method}).",
        "pooled_mixed": "All hosts together: for {host}, the change in {outcome} {per} is estimated at {amount} ({level}% interval {interval}), but the p-value does not reach that level: no clear effect ({treated} treated, {comparison} compared; {method}).",
        "pooled_too_few": "All hosts together: for {host}, the change in {outcome} {per} is estimated at {amount} ({level}% interval {interval}), but with fewer than five units on a side no conclusion should rest on it ({treated} treated, {comparison} compared; {method}).",
        "pooled_no_interval": "All hosts together: for {host}, the change in {outcome} {per} is estimated at {amount}, without an interval ({treated} treated, {comparison} compared; {method}).",
    },
}


def build(run: Run) -> list[Block]:
    """Count what moved, name what failed, state the pooled effect."""
    blocks: list[Block] = [Heading(Message("overview_summary.heading"))]
    table = run.extra.get("comparison") or {}
    status = table.get("status", [])
    found = _directions(table)
    counts: dict[str, Content] = {
        "total": Counted(len(status), "nouns.initiative"),
        "done": Quantity(status.count("ok"), "count"),
        "up": Quantity(found.count("up"), "count"),
        "down": Quantity(found.count("down"), "count"),
        "unclear": Quantity(len(found) - found.count("up") - found.count("down"), "count"),
    }
    if status:
        blocks.append(Paragraph(Message("overview_summary.counts", counts), "lead"))
    blocks += _pooled(run)
    if status:
        blocks.append(Paragraph(Message("overview_summary.chance"), "note"))
    return [*blocks, *_failures(run, table)]


def _directions(table: dict[str, Any]) -> list[str]:
    """Say of each finished initiative what its interval and p-value show."""
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    return [
        direction(
            Estimate(row["att"], None, row["ci_low"], row["ci_high"], row["p_value"]),
            level=row["level"],
            n_treated=row["n_treated"],
            n_comparison=row["n_comparison"],
            holds_with_few=row["p_value_floor"] is not None or row["is_reliable"] is True,
        )
        for row in rows
        if row["status"] == "ok"
    ]


def _failures(run: Run, table: dict[str, Any]) -> list[Block]:
    failures = run.extra.get("failures") or []
    if not failures:
        return []
    columns = ("initiative", "name_zh", "name_en", "page")
    names: dict[str, Content] = {
        key: Link(page, Text(zh, en))
        for key, zh, en, page in zip(*(table[one] for one in columns), strict=True)
    }
    lines = tuple(
        Message(
            "overview_summary.failure",
            {
                "name": names.get(one["initiative"], one["initiative"]),
                "why": Text(one["message_zh"], one["message_en"]),
            },
        )
        for one in failures
    )
    count = Message("overview_summary.failed", {"n": Counted(len(failures), "nouns.initiative")})
    return [Paragraph(count, "warn"), *(Paragraph(line, "warn") for line in lines)]


def _pooled(run: Run) -> list[Block]:
    if not run.effects or run.effects[0].overall.att is None:
        return []
    effect = run.effects[0]
    estimate, kind, unit = own_unit(effect)
    found = headline_direction(effect)
    unit_kind = str(run.design["unit_kind"])
    said: dict[str, Content] = {
        "host": host_word(effect),
        "outcome": outcome_name(run),
        "per": per_period(run),
        "amount": amount(estimate.att, kind, unit, is_signed=found != "up"),
        "treated": counted(effect.n_treated, unit_kind),
        "comparison": counted(effect.n_comparison, unit_kind),
        "method": effect.method_name,
    }
    if found != "no_interval":
        said |= {"level": level(effect), "interval": interval(estimate, kind, unit)}
    return [Paragraph(Message(f"overview_summary.pooled_{found}", said))]
