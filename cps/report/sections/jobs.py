"""Net jobs: heads with their interval, full-time equivalents as a range, and what one costs."""

from __future__ import annotations

from typing import Any

from cps.locale import Content, Interval, Message, Quantity, Term
from cps.report.blocks import Block, Column, Heading, Paragraph, Table
from cps.report.sections._common import text_of
from cps.report.sections._unit_cost import (
    Plain,
    bounds,
    hosts_of,
    level_of,
    price,
    refused,
    worth_of,
)
from cps.runs import Run

ORDER = 38
PAGE = "initiative"
TEXT = {
    "zh": {
        "heading": "就业",
        "clear": "启动以来，{hosts}合计净增就业约 {jobs}{at}，{level}% 区间为 {interval}，不含零。",
        "lost": "启动以来，{hosts}合计就业变化约 {jobs}{at}，{level}% 区间为 {interval}，不含零：就业减少。",
        "unclear": "没有发现明确的就业变化。{hosts}合计的变化按点估计为 {jobs}{at}，但 {level}% 区间为 {interval}，包含零：分不清是增是减。",
        "mixed": "没有发现明确的就业变化。{hosts}合计的变化按点估计为 {jobs}{at}，{level}% 区间 {interval} 不含零，但 p 值没有达到同一水平：两种依据不一致。",
        "net": "“净增”是与对照村相比多出的人数，本来就会有的岗位不算在内；从别处转移来的没有扣除，没有数据可扣。方法：{method}，为启动以来各期末的平均。",
        "net_taken": "“净增”是与对照村相比多出的人数，本来就会有的岗位不算在内；已扣除从别处转移来的 {share}。方法：{method}，为启动以来各期末的平均。",
        "fte": "折合全时当量 {low} 至 {high}。台账只记人数，不记工时，所以只给范围：按常年用工占 {share_low} 至 {share_high}、季节工一年做满 {months_low} 至 {months_high} 个月折算。",
        "caption": "每个岗位的投入",
        "what": "口径",
        "spent": "投入",
        "price": "每个岗位（点估计）",
        "bounds": "{level}% 区间",
        "all_heads": "按人数，全部资金",
        "public_heads": "按人数，财政资金",
        "fte_most": "按全时当量，全部资金，工时取多",
        "fte_least": "按全时当量，全部资金，工时取少",
        "note": "同一笔投入也带来了收入：单位成本与“成本与效益”一节的不能相加。",
    },
    "en": {
        "heading": "Jobs",
        "clear": "Since the start, {hosts} in all: about {jobs} more in work {at}. The {level}% interval, {interval}, leaves out zero.",
        "lost": "Since the start, {hosts} in all: {jobs} in work {at}. The {level}% interval, {interval}, leaves out zero: jobs were lost.",
        "unclear": "No clear change in jobs was found. For {hosts} in all it is estimated at {jobs} {at}, but the {level}% interval, {interval}, holds zero: the data can't tell a gain from a loss.",
        "mixed": "No clear change in jobs was found. For {hosts} in all it is estimated at {jobs} {at}; the {level}% interval, {interval}, leaves out zero, but the p-value does not reach that level: the two disagree.",
        "net": "These are heads beyond what comparison villages suggest; jobs that would have come anyway are not counted. Jobs taken from elsewhere are not deducted, for want of data. Method: {method}; the mean over the ends of periods since the start.",
        "net_taken": "These are heads beyond what comparison villages suggest; jobs that would have come anyway are not counted, and {share} are deducted as taken from elsewhere. Method: {method}; the mean over the ends of periods since the start.",
        "fte": "In full-time equivalents that is {low} to {high}. Ledgers count heads and no hours, so there is a range only: it takes {share_low} to {share_high} of jobs to be permanent, and {months_low} to {months_high} full months a year for a seasonal one.",
        "caption": "Outlays per job",
        "what": "Counted by",
        "spent": "Outlays",
        "price": "Per job (point estimate)",
        "bounds": "{level}% interval",
        "all_heads": "Heads, all money",
        "public_heads": "Heads, public money",
        "fte_most": "Full-time equivalents, all money, hours at most",
        "fte_least": "Full-time equivalents, all money, hours at least",
        "note": "The same outlays brought income too: these costs and those under “Cost and benefit” are not to be added up.",
    },
}


def build(run: Run) -> list[Block]:
    """State net jobs and what one costs; nothing where the run holds neither."""
    worth = worth_of(run)
    if worth is None:
        return []
    blocks: list[Block] = [Heading(Message("jobs.heading"))]
    jobs, effect = worth["jobs"], worth["employment"]
    if jobs is None or effect is None:
        reasons = refused(worth, ("jobs",))
        return [*blocks, *reasons] if reasons else []
    blocks += [
        Paragraph(_lead(run, worth), "lead"),
        Paragraph(_net(worth, effect)),
        Paragraph(_fte(worth, jobs)),
    ]
    if jobs["cost_per_job"] is not None:
        blocks.append(_costs(worth, jobs))
    return blocks


def _lead(run: Run, worth: Plain) -> Message:
    jobs, effect = worth["jobs"], worth["employment"]
    key = {"up": "clear", "down": "lost"}.get(effect["shows"], effect["shows"])
    said: dict[str, Content] = {
        "hosts": hosts_of(run, effect),
        "jobs": Quantity(jobs["persons"], "persons", is_signed=key != "clear"),
        "at": Term("per", f"{run.design['frequency']}_end"),
        "level": level_of(worth),
        "interval": Interval(jobs["lower"], jobs["upper"], "persons", is_signed=True),
    }
    return Message(f"jobs.{key}", said)


def _assumed(worth: Plain, key: str) -> list[float]:
    values: list[float] = next(one["values"] for one in worth["assumed"] if one["key"] == key)
    return values


def _net(worth: Plain, effect: Plain) -> Message:
    taken = _assumed(worth, "displacement")
    said: dict[str, Content] = {"method": text_of(effect["method"])}
    if not any(taken):
        return Message("jobs.net", said)
    return Message("jobs.net_taken", {**said, "share": Quantity(sum(taken) / 3, "share")})


def _fte(worth: Plain, jobs: Plain) -> Message:
    permanent, months = _assumed(worth, "permanent_share"), _assumed(worth, "seasonal_months")
    said: dict[str, Content] = {
        "low": Quantity(round(jobs["fte_low"], 1), "number"),
        "high": Quantity(round(jobs["fte_high"], 1), "number"),
        "share_low": Quantity(permanent[0], "share"),
        "share_high": Quantity(permanent[1], "share"),
        "months_low": Quantity(months[0], "number"),
        "months_high": Quantity(months[1], "number"),
    }
    return Message("jobs.fte", said)


def _costs(worth: Plain, jobs: Plain) -> Table:
    total, public = jobs["total_yuan"], jobs["public_yuan"]
    rows: list[tuple[str, Any, Plain | None]] = [("all_heads", total, jobs["cost_per_job"])]
    if jobs["public_cost_per_job"] is not None:
        rows.append(("public_heads", public, jobs["public_cost_per_job"]))
    rows += [
        ("fte_most", total, jobs["cost_per_fte_low"]),
        ("fte_least", total, jobs["cost_per_fte_high"]),
    ]
    return Table(
        Message("jobs.caption"),
        (
            Column(Message("jobs.what")),
            Column(Message("jobs.spent"), "money"),
            Column(Message("jobs.price"), "money"),
            Column(Message("jobs.bounds", {"level": level_of(worth)}), "money"),
        ),
        tuple(
            (Message(f"jobs.{key}"), Quantity(spent, "money"), price(one), bounds(one))
            for key, spent, one in rows
        ),
        Message("jobs.note"),
    )
