"""Cost, extra income, jobs and benefit-cost ratio of all initiatives, in the order declared."""

from __future__ import annotations

from typing import Any

from cps.errors import Text
from cps.locale import Content, Counted, Interval, Kind, Link, Message, Quantity
from cps.report.blocks import Block, Column, Heading, Paragraph, Table
from cps.report.sections._unit_cost import Plain, bounds
from cps.runs import Run

ORDER = 52
PAGE = "overview"
TEXT = {
    "zh": {
        "heading": "各项目的成本与效益",
        "declared": "{n}申报投入合计 {total}，其中财政资金 {public}。",
        "unclear": "{n}中有 {unclear} 个增收区间含零，不能说投入换来了增收；这些项目的单位投入没有上限。",
        "caption": "投入和年增收（括号内为 {level}% 区间）",
        "caption_jobs": "就业和效益成本比（括号内为 {level}% 区间）",
        "name": "项目",
        "hosts": "计入村数",
        "of": "{n}/{of}",
        "total": "投入",
        "public": "其中财政",
        "extra": "合计年增收",
        "per_wan": "每万元年增收的投入",
        "jobs": "净增就业",
        "per_job": "每个岗位的投入",
        "at_least": "至少 {low}",
        "bcr": "效益成本比（{rate}）",
        "bcr_inside": "不含社会资本",
        "pair": "{value}（{interval}）",
        "note": "按申报顺序排列，不作排名。只计能单独估计的承办村（计入村数）。投入为申报数，增收为经营性毛收入：把各年效应按各村当年的实际收入折成金额后相加，所以不等于“典型承办单位”的金额乘以村数。“至少”：没有上限，增收可能为零。",
        "note_jobs": "就业按人数，与对照村相比；同一笔投入也带来了收入，两种单位成本不能相加。效益成本比按净收益口径，依据的假设见各项目页；社会资本的回报不在村集体收入内，另列只计财政和村集体资金的比率。",
    },
    "en": {
        "heading": "Cost and benefit of each initiative",
        "declared": "Declared outlays of {n} come to {total}, of which {public} is public money.",
        "unclear": "Of {n}, {unclear} have an interval of extra income that holds zero: it can't be said that the money bought income, and what a unit of income cost has no upper bound.",
        "caption": "Outlays and extra income a year, with {level}% intervals",
        "caption_jobs": "Jobs and benefit-cost ratio, with {level}% intervals",
        "name": "Initiative",
        "hosts": "Hosts",
        "of": "{n}/{of}",
        "total": "Outlays",
        "public": "of which public",
        "extra": "Extra income a year",
        "per_wan": "Per extra 10,000 a year",
        "jobs": "Net jobs",
        "per_job": "Outlays per job",
        "at_least": "at least {low}",
        "bcr": "Benefit-cost ratio ({rate})",
        "bcr_inside": "Without private",
        "pair": "{value} ({interval})",
        "note": "In the order declared, not ranked. Hosts counts those whose effect can be estimated apart, of all; only they are in the other columns. Outlays are as declared. Income is gross: each year's effect in money at each host's own income of that year, added up, and so not the typical host's amount times hosts. At least: there is no upper bound, as the gain may be nothing.",
        "note_jobs": "Jobs are heads, against comparison villages. The same outlays brought income too, so the two costs are not to be added up. The ratio is on net surplus; its assumptions are on each initiative's page. What private capital earns is no part of the collectives' income: the last column counts public and collective money alone.",
    },
}


def build(run: Run) -> list[Block]:
    """List jobs and money of all initiatives; nothing where no run was appraised."""
    money = run.extra.get("money") or {}
    if not money:
        return []
    table = money["rows"]
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    blocks: list[Block] = [Heading(Message("money_overview.heading"))]
    if money["declared_yuan"] is not None:
        declared: dict[str, Content] = {
            "n": Counted(len(rows), "nouns.initiative"),
            "total": Quantity(money["declared_yuan"], "money"),
            "public": Quantity(money["declared_public_yuan"], "money"),
        }
        blocks.append(Paragraph(Message("money_overview.declared", declared)))
    known = [row for row in rows if row["extra_low_yuan"] is not None]
    unclear = [row for row in known if row["extra_low_yuan"] <= 0 <= row["extra_high_yuan"]]
    if unclear:
        said: dict[str, Content] = {
            "n": Counted(len(known), "nouns.initiative"),
            "unclear": Quantity(len(unclear), "count"),
        }
        blocks.append(Paragraph(Message("money_overview.unclear", said)))
    return [*blocks, _income(money, rows), _jobs(money, rows)]


def _income(money: Plain, rows: list[dict[str, Any]]) -> Table:
    heads: tuple[tuple[str, Kind | None], ...] = (
        ("name", None),
        ("hosts", None),
        ("total", "money"),
        ("public", "money"),
        ("extra", "money"),
        ("per_wan", "money"),
    )
    return Table(
        Message("money_overview.caption", _level(money)),
        tuple(Column(Message(f"money_overview.{name}"), kind) for name, kind in heads),
        tuple(
            (
                _name(row),
                _counted(row),
                Quantity(row["total_yuan"], "money"),
                Quantity(row["public_yuan"], "money"),
                _pair(row, ("extra_yuan", "extra_low_yuan", "extra_high_yuan"), "money"),
                _bounds(row["cost_per_wan"]),
            )
            for row in rows
        ),
        Message("money_overview.note"),
    )


def _jobs(money: Plain, rows: list[dict[str, Any]]) -> Table:
    rate = {"rate": Quantity(money["rate"], "share")}
    return Table(
        Message("money_overview.caption_jobs", _level(money)),
        (
            Column(Message("money_overview.name")),
            Column(Message("money_overview.jobs"), "persons"),
            Column(Message("money_overview.per_job"), "money"),
            Column(Message("money_overview.bcr", rate), "ratio"),
            Column(Message("money_overview.bcr_inside"), "ratio"),
        ),
        tuple(
            (
                _name(row),
                _pair(row, ("jobs", "jobs_low", "jobs_high"), "persons"),
                _bounds(row["cost_per_job"]),
                _pair(row, ("bcr", "bcr_low", "bcr_high"), "ratio"),
                _pair(row, ("bcr_inside", "bcr_inside_low", "bcr_inside_high"), "ratio"),
            )
            for row in rows
        ),
        Message("money_overview.note_jobs"),
    )


def _level(money: Plain) -> dict[str, Content]:
    return {"level": Quantity(round(100 * money["level"], 6), "number")}


def _name(row: Plain) -> Content:
    name = Text(row["name_zh"], row["name_en"])
    return Link(row["page"], name) if row["page"] else name


def _counted(row: Plain) -> Content:
    counted: dict[str, Content] = {
        "n": Quantity(row["n_counted"], "count"),
        "of": Quantity(row["n_hosts"], "count"),
    }
    return Message("money_overview.of", counted)


def _bounds(found: Plain | None) -> Content:
    """Give a set of costs, short: at least how much where it has no upper bound."""
    if found is None:
        return Quantity(None)
    if found["kind"] == "outside":
        return Message("money_overview.at_least", {"low": Quantity(found["upper"], "money")})
    return bounds(found)


def _pair(row: Plain, keys: tuple[str, str, str], kind: Kind) -> Content:
    value, low, high = (row[key] for key in keys)
    if value is None:
        return Quantity(None)
    is_signed = kind != "ratio"
    said: dict[str, Content] = {
        "value": Quantity(value, kind, is_signed=is_signed),
        "interval": Interval(low, high, kind, is_signed=is_signed),
    }
    return Message("money_overview.pair", said)
