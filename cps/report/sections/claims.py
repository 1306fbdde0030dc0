"""Published claims held against the loaded data."""

from __future__ import annotations

from cps.errors import Text
from cps.locale import Message, Term
from cps.report.blocks import Block, Column, Heading, Paragraph, Table
from cps.runs import Run

ORDER = 40
PAGE = "overview"
TEXT = {
    "zh": {
        "heading": "已发布说法的核对",
        "lead": "把公开报道中的说法逐条与所载数据核对。“20 万元”有三种读法：甲、每村每年的增量（趋势）；乙、比未说明的基年高出多少；丙、项目在承办村产生的效应。只有丙说的是效果。所载数据若不是说法所指的地方，判定就没有意义。",
        "demonstration": "演示数据：以下每条判定只演示核对的方法，不是对任何真实地方的说法。",
        "caption": "说法核对",
        "claim": "说法",
        "reading": "读法",
        "verdict": "判定",
        "reason": "理由",
        "fact": "事实编号",
        "A": "甲",
        "B": "乙",
        "C": "丙",
        "-": "—",
        "stamped": "{verdict}（演示）",
        "plain": "{verdict}",
    },
    "en": {
        "heading": "Published claims, checked",
        "lead": "Each published claim is held against the data loaded. The 20万元 has three readings: A, a gain per village and year (a trend); B, a rise since a base year that is not stated; C, what the projects caused in their host villages. Only C speaks of an effect. If the data are not those of the place that a claim is about, its verdict means nothing.",
        "demonstration": "Demonstration data: every verdict below shows how claims are checked, and says nothing of a real place.",
        "caption": "Claims checked",
        "claim": "Claim",
        "reading": "Reading",
        "verdict": "Verdict",
        "reason": "Why",
        "fact": "Fact",
        "A": "A",
        "B": "B",
        "C": "C",
        "-": "—",
        "stamped": "{verdict} (demonstration)",
        "plain": "{verdict}",
    },
}


def build(run: Run) -> list[Block]:
    """List the verdicts; nothing if no claims were checked."""
    claims = run.extra.get("claims") or []
    if not claims:
        return []
    blocks: list[Block] = [
        Heading(Message("claims.heading")),
        Paragraph(Message("claims.lead")),
    ]
    if any(one["is_demonstration"] for one in claims):
        blocks.append(Paragraph(Message("claims.demonstration"), "warn"))
    rows = tuple(
        (
            Text(one["text_zh"], one["text_en"]),
            Message(f"claims.{one['reading'] or '-'}"),
            Message(
                "claims.stamped" if one["is_demonstration"] else "claims.plain",
                {"verdict": Term("claim", one["verdict"])},
            ),
            Text(one["reason_zh"], one["reason_en"]),
            one["fact_id"],
        )
        for one in claims
    )
    names = ("claim", "reading", "verdict", "reason", "fact")
    columns = tuple(Column(Message(f"claims.{name}")) for name in names)
    return [*blocks, Table(Message("claims.caption"), columns, rows)]
