"""What the evaluation takes for granted."""

from __future__ import annotations

from cps.locale import Message, Term
from cps.report.blocks import Block, Column, Heading, Table
from cps.report.sections._common import text_of
from cps.runs import Run

ORDER = 60
PAGE = "initiative"
TEXT = {
    "zh": {
        "heading": "前提",
        "caption": "本评估所依赖的前提",
        "text": "前提",
        "quality": "依据是否充分",
        "impact": "不成立时影响",
    },
    "en": {
        "heading": "Assumptions",
        "caption": "What this evaluation takes for granted",
        "text": "Assumption",
        "quality": "How well founded",
        "impact": "How much hangs on it",
    },
}


def build(run: Run) -> list[Block]:
    """List the declared assumptions; nothing if there are none."""
    assumptions = run.subject.get("assumptions") or []
    if not assumptions:
        return []
    return [
        Heading(Message("assumptions.heading")),
        Table(
            Message("assumptions.caption"),
            tuple(Column(Message(f"assumptions.{name}")) for name in ("text", "quality", "impact")),
            tuple(
                (text_of(one), Term("grade", one["quality"]), Term("grade", one["impact"]))
                for one in assumptions
            ),
        ),
    ]
