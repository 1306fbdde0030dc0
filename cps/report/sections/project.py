"""The initiative: what it is, where it stands, what it cost and who paid."""

from __future__ import annotations

from cps.locale import Content, Listing, Message, Quantity, Term
from cps.report.blocks import Block, Column, Facts, Heading, Paragraph, Table
from cps.report.sections._common import text_of, worded
from cps.runs import Run

ORDER = 20
PAGE = "initiative"
TEXT = {
    "zh": {
        "heading": "项目",
        "heading_other": "举措",
        "provenance": "依据",
        "stands_for": "对应的公开事实编号",
        "caption": "承办单位、启动时间和投入",
        "caption_other": "已实施单位与开始时间",
        "unit": "承办单位",
        "unit_other": "单位",
        "start": "启动",
        "total": "总投入",
        "note": "投入为申报数，按资金来源列示；合计为各来源之和。",
        "none": "没有项目说明：本次分析由数据表直接给出处理时期。",
    },
    "en": {
        "heading": "The project",
        "heading_other": "The scheme",
        "provenance": "Basis",
        "stands_for": "Published facts it stands for",
        "caption": "Hosts, starts and cost",
        "caption_other": "Units reached, and when",
        "unit": "Host",
        "unit_other": "Unit",
        "start": "Start",
        "total": "Total cost",
        "note": "Cost as declared, by source of money; the total is their sum.",
        "none": "No project is described: the starts came with the data.",
    },
}


def build(run: Run) -> list[Block]:
    """Describe the initiative, if there is one."""
    blocks: list[Block] = [Heading(Message(worded(run, "project.heading", TEXT)))]
    subject = run.subject
    if not subject:
        return [*blocks, Paragraph(Message("project.none"))]
    blocks.append(Paragraph(text_of(subject["description"])))
    facts: list[tuple[Content, Content]] = []
    if subject["format"] != "scheme":
        facts.append((Message("project.provenance"), Term("provenance", subject["provenance"])))
    if subject["stands_for"]:
        facts.append((Message("project.stands_for"), Listing(tuple(subject["stands_for"]))))
    if facts:
        blocks.append(Facts(tuple(facts)))
    sources = list(dict.fromkeys(one for host in subject["treated"] for one in host["cost_yuan"]))
    columns = [Column(Message(worded(run, "project.unit", TEXT))), Column(Message("project.start"))]
    columns += [Column(Term("money_source", one), "money") for one in sources]
    columns += [Column(Message("project.total"), "money")] if sources else []
    table = []
    for host in subject["treated"]:
        cost = host["cost_yuan"]
        money = [Quantity(cost.get(one), "money") for one in sources]
        total = [Quantity(float(sum(cost.values())), "money")] if sources else []
        table.append((host["unit"], str(host["start"])[:7], *money, *total))
    blocks.append(
        Table(
            Message(worded(run, "project.caption", TEXT)),
            tuple(columns),
            tuple(table),
            Message("project.note") if sources else None,
        )
    )
    return blocks
