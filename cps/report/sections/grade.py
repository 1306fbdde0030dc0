"""The grade of evidence: the letter in a sentence, and every rule with its value and thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cps.locale import Content, Kind, Listing, Message, Quantity, Term
from cps.report.blocks import Block, Column, Facts, Heading, Paragraph, Table
from cps.report.sections._common import text_of
from cps.runs import Run

ORDER = 12
PAGE = "initiative"
_HASH = 12  # characters of a hash that tell it from any other here
TEXT = {
    "zh": {
        "heading": "证据等级",
        "letter": "证据等级 {letter}：{name}。{meaning}",
        "binding": "决定这一等级的规则有 {n} 条：",
        "all_a": "各条规则都达到 A 级要求。",
        "caption": "评级规则：所见与门槛",
        "rule": "规则",
        "found": "所见",
        "needs": "门槛",
        "need": "{letter}\u00a0{threshold}",
        "allows": "可评",
        "note": "每条规则按门槛给出至多可评的等级，总等级取其中最低者，强项不抵弱项。规则只读大小、份额和位次，不看效应的正负：把结果颠倒过来，等级不变。等级说的是“确有变化”有多牢靠，不是变化有多大、是好是坏。规则第 {version} 版，校验码 {hash}。",
        "at_most": "≤\u00a0{x}",
        "at_least": "≥\u00a0{x}",
        "passed": "通过",
        "not_failed": "通过或无法判断",
        "any": "不限",
        "judged": "{said}：{verdict}",
    },
    "en": {
        "heading": "Grade of evidence",
        "letter": "Grade {letter}: {name}. {meaning}",
        "binding": "Rules that decide this grade, and why ({n}):",
        "all_a": "Every rule allows an A.",
        "caption": "The rules: what was found, and the thresholds",
        "rule": "Rule",
        "found": "What was found",
        "needs": "Thresholds",
        "need": "{letter}\u00a0{threshold}",
        "allows": "Allows",
        "note": "Each rule allows a letter by its thresholds, and the grade is the worst of them: no strength makes up for a weakness. Rules read sizes, shares and ranks, never the sign of the effect: turned upside down, the outcome gets the same grade. It says how firmly a change is established, not how large or how welcome it is. Rules, version {version}, checksum {hash}.",
        "at_most": "≤\u00a0{x}",
        "at_least": "≥\u00a0{x}",
        "passed": "passed",
        "not_failed": "passed or can't say",
        "any": "any",
        "judged": "{said}: {verdict}",
    },
}
_VERDICTS = ("passed", "none", "failed")


def build(run: Run) -> list[Block]:
    """State the grade and print every rule; nothing where the run holds no grade."""
    grade = run.extra.get("grade")
    if not grade:
        return []
    return [Heading(Message("grade.heading")), *graded(grade)]


def graded(grade: Mapping[str, Any]) -> list[Block]:
    """State one grade, what decides it, and every rule."""
    binding = [one for one in grade["rules"] if one["is_binding"]]
    letter: dict[str, Content] = {
        "letter": grade["letter"],
        "name": text_of(grade["name"]),
        "meaning": text_of(grade["meaning"]),
    }
    decides: list[Block] = [Paragraph(Message("grade.all_a"))]
    if binding:
        n = Quantity(len(binding), "count")
        reasons = tuple((text_of(one["name"]), text_of(one["why"])) for one in binding)
        decides = [Paragraph(Message("grade.binding", {"n": n})), Facts(reasons)]
    return [
        Paragraph(Message("grade.letter", letter), "lead"),
        Paragraph(text_of(grade["reading_said"])),
        *decides,
        Table(
            Message("grade.caption"),
            (
                Column(Message("grade.rule")),
                Column(Message("grade.allows"), "count"),  # as narrow as a number
                Column(Message("grade.found")),
                Column(Message("grade.needs")),
            ),
            tuple(_row(one) for one in grade["rules"]),
            Message(
                "grade.note",
                {"version": grade["rules_version"], "hash": grade["rules_hash"][:_HASH]},
            ),
        ),
    ]


def _row(rule: Mapping[str, Any]) -> tuple[Content, ...]:
    found: Content = text_of(rule["said"])
    if rule["shown"] == "verdict" and rule["value"] is not None:
        verdict = Term("verdict", _VERDICTS[int(rule["value"])])
        found = Message("grade.judged", {"said": found, "verdict": verdict})
    needs = tuple(
        Message("grade.need", {"letter": letter, "threshold": _needs(rule, rule[name])})
        for letter, name in (("A", "at_a"), ("B", "at_b"), ("C", "at_c"))
    )
    return text_of(rule["name"]), rule["letter"], found, Listing(needs)


def _needs(rule: Mapping[str, Any], threshold: float | None) -> Content:
    if threshold is None:
        return Message("grade.any")
    shown = rule["shown"]
    if shown == "verdict":
        return Message("grade.passed" if threshold == 0 else "grade.not_failed")
    kind: Kind = shown
    key = "grade.at_most" if rule["is_low"] else "grade.at_least"
    return Message(key, {"x": Quantity(threshold, kind)})
