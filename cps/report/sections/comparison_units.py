"""Who is compared with whom, and who was left out and why."""

from __future__ import annotations

from typing import Any

from cps.errors import Text
from cps.locale import Content, Counted, Listing, Message, Term
from cps.report.blocks import Block, Column, Heading, Paragraph, Table
from cps.report.sections._common import counted, text_of, worded
from cps.runs import Run

ORDER = 30
PAGE = "initiative"
_NAMED = 60
_LISTED = 20
TEXT = {
    "zh": {
        "heading": "谁与谁比较",
        "treated": "纳入估计的承办单位（{count}）：{units}。",
        "treated_other": "纳入估计的已实施单位（{count}）：{units}。",
        "treated_more": "纳入估计的承办单位（{count}）：{units} 等。",
        "treated_more_other": "纳入估计的已实施单位（{count}）：{units} 等。",
        "started": "{unit}（{start} 起）",
        "donors": "对照 {count}，均从未承办任何项目：{units}。",
        "donors_other": "对照 {count}，观察期内均未实施：{units}。",
        "donors_more": "对照 {count}，均从未承办任何项目：{units} 等。",
        "donors_more_other": "对照 {count}，观察期内均未实施：{units} 等。",
        "excluded": "未纳入比较的单位及原因",
        "n": "数目",
        "unit": "单位",
        "reason": "类别",
        "why": "原因",
        "whole": "{area}（全部）",
        "more": "…",
        "frozen": "谁处理、谁对照、谁排除，在估计之前已定并取哈希值：{hash}。",
    },
    "en": {
        "heading": "Who is compared with whom",
        "treated": "Hosts in the estimate ({count}): {units}.",
        "treated_other": "Reached, in the estimate ({count}): {units}.",
        "treated_more": "Hosts in the estimate ({count}): {units} and others.",
        "treated_more_other": "Reached, in the estimate ({count}): {units} and others.",
        "started": "{unit} (from {start})",
        "donors": "Compared with {count} that never hosted any project: {units}.",
        "donors_other": "Compared with {count} not reached in the period: {units}.",
        "donors_more": "Compared with {count} that never hosted any project: {units} and others.",
        "donors_more_other": "Compared with {count} not reached in the period: {units} and others.",
        "excluded": "Left out of the comparison, and why",
        "n": "How many",
        "unit": "Which",
        "reason": "Kind",
        "why": "Why",
        "whole": "{area} (all of it)",
        "more": "…",
        "frozen": "Who is treated, compared and left out was fixed and hashed before any estimate: {hash}.",
    },
}


def build(run: Run) -> list[Block]:
    """List both sides and the exclusions."""
    design = run.design
    treated = [
        Message("comparison_units.started", {"unit": one["unit"], "start": one["cohort_label"]})
        for one in design["treated"][:_NAMED]
    ]
    donors = design["donors"]
    hosts = "treated_more" if len(design["treated"]) > _NAMED else "treated"
    key = "donors_more" if len(donors) > _NAMED else "donors"
    blocks: list[Block] = [
        Heading(Message("comparison_units.heading")),
        Paragraph(
            Message(
                worded(run, f"comparison_units.{hosts}", TEXT),
                {
                    "count": counted(len(design["treated"]), str(design["unit_kind"])),
                    "units": Listing(tuple(treated)),
                },
            )
        ),
    ]
    if donors:
        said: dict[str, Content] = {
            "count": counted(len(donors), str(design["unit_kind"])),
            "units": Listing(tuple(donors[:_NAMED])),
        }
        blocks.append(Paragraph(Message(worded(run, f"comparison_units.{key}", TEXT), said)))
    if design["exclusions"]:
        rows = tuple(
            (
                Counted(len(names), "nouns.left_out"),
                Listing(
                    (
                        *names[:_LISTED],
                        *([Message("comparison_units.more")] * (len(names) > _LISTED)),
                    )
                ),
                Term("reason", reason),
                why,
            )
            for (reason, why), names in _by_reason(design["exclusions"]).items()
        )
        columns = ("n", "unit", "reason", "why")
        blocks.append(
            Table(
                Message("comparison_units.excluded"),
                tuple(Column(Message(f"comparison_units.{name}")) for name in columns),
                rows,
            )
        )
    frozen: dict[str, Content] = {"hash": str(design["design_hash"])[:16]}
    return [*blocks, Paragraph(Message("comparison_units.frozen", frozen), "note")]


def _by_reason(exclusions: list[dict[str, Any]]) -> dict[tuple[str, Text], list[Content]]:
    """Gather what was left out for the same reason into one line."""
    groups: dict[tuple[str, Text], list[Content]] = {}
    for one in exclusions:
        whole = Message("comparison_units.whole", {"area": one["area"] or "—"})
        groups.setdefault((one["reason"], text_of(one)), []).append(one["unit"] or whole)
    return groups
