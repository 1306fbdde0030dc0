"""The grade of evidence for all hosts together, on the overview."""

from __future__ import annotations

from cps.locale import Message
from cps.report.blocks import Block, Heading, Paragraph
from cps.report.sections.grade import graded
from cps.runs import Run

ORDER = 50
PAGE = "overview"
TEXT = {
    "zh": {
        "heading": "全部项目合计的证据等级",
        "scope": "把全部承办单位合在一起，自各自首个项目启动之日算起：是否确有变化，证据有多牢靠。各项目自己的等级见“各项目并列”。",
    },
    "en": {
        "heading": "Grade of evidence, all hosts together",
        "scope": "All hosts taken together, each from its first start: how firmly a change is established. Each initiative's own grade stands in the table of all initiatives.",
    },
}


def build(run: Run) -> list[Block]:
    """Grade the pooled effect; nothing where the run holds no grade."""
    grade = run.extra.get("grade")
    if not grade:
        return []
    return [
        Heading(Message("grade_together.heading")),
        Paragraph(Message("grade_together.scope")),
        *graded(grade),
    ]
