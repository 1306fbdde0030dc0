"""What was found on the way from ledger to estimate, and how to mend it."""

from __future__ import annotations

from cps.locale import Message, Quantity, Term
from cps.report.blocks import Block, Column, Heading, Paragraph, Table
from cps.runs import Run

ORDER = 70
PAGE = "both"
_SEVERITY = {"reject": 0, "warn": 1, "note": 2}
TEXT = {
    "zh": {
        "heading": "数据与设计中发现的问题",
        "caption": "发现的问题及处理办法",
        "none": "没有发现问题。",
        "severity": "程度",
        "what": "情况",
        "where": "位置",
        "mend": "处理办法",
        "count": "次数",
    },
    "en": {
        "heading": "Findings on data and design",
        "caption": "What was found, and how to mend it",
        "none": "Nothing was found.",
        "severity": "Kind",
        "what": "What",
        "where": "Where",
        "mend": "How to mend",
        "count": "Times",
    },
}


def build(run: Run) -> list[Block]:
    """List the findings, worst first."""
    heading = Heading(Message("findings.heading"))
    if not run.findings:
        return [heading, Paragraph(Message("findings.none"))]
    ordered = sorted(run.findings, key=lambda one: _SEVERITY.get(one.severity, 3))
    columns = [Column(Message(f"findings.{n}")) for n in ("severity", "what", "where", "mend")]
    return [
        heading,
        Table(
            Message("findings.caption"),
            (*columns, Column(Message("findings.count"), "count")),
            tuple(
                (
                    Term("severity", one.severity),
                    one.what,
                    one.where,
                    one.mend,
                    Quantity(one.count, "count"),
                )
                for one in ordered
            ),
        ),
    ]
