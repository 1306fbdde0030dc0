"""Published claims, grouped by what the data say of them; then sums, and what can't be tested."""

from __future__ import annotations

from typing import Any

from cps.errors import Text
from cps.locale import Content, Interval, Kind, Listing, Message, Quantity, Term
from cps.report.blocks import Block, Column, Heading, Paragraph, Table
from cps.runs import Run

ORDER = 60
PAGE = "overview"
TEXT = {
    "zh": {
        "heading": "说法核对",
        "lead": "把公开报道中的说法逐条与所载数据核对。“20 万元”有三种读法：A、每村每年的增量（趋势）；B、比未说明的基年高出多少；C、项目在承办村产生的效应。只有 C 说的是效果。所载数据若不是说法所指的地方，判定就没有意义。",
        "count": "原文共有 {n} 条带数值的说法或推算：数据支持 {supported} 条，数据不支持 {contradicted} 条，无法检验 {not_testable} 条；另有 {sums} 条推算已重算。没有数值的 {excluded} 条不在其内（{rules}）。",
        "rule": "{text} {n} 条",
        "demonstration": "演示数据：标有“演示”的判定只演示核对的方法，不是对任何真实地方的说法。",
        "supported": "数据支持的说法",
        "contradicted": "数据不支持的说法",
        "not_testable": "数据不足以判定的说法",
        "own": "自拟说法的核对",
        "own_note": "来自运行时给出的说法文件。",
        "sums": "推算数的重算",
        "sums_note": "重算只说明算得对，不说明所用的数属实。",
        "rest": "无法检验的其余说法",
        "rest_note": "这些说法所需的数据不在台账中。同一事项所需的数据只在首行列出。",
        "claim": "说法",
        "verdict": "判定",
        "measured": "实测",
        "reason": "依据与理由",
        "scheme": "事项及所需数据",
        "why": "为何无法检验",
        "sum": "算式",
        "with_reading": "（{reading}）{text}",
        "stamped": "{verdict}（演示）",
        "needs": "{scheme}。{missing}",
        "A": "A",
        "B": "B",
        "C": "C",
        "persons": "{n} 人",
        "villages": "{n} 个村",
        "nothing": "",
    },
    "en": {
        "heading": "Claims checked",
        "lead": "Each published claim is held against the data loaded. The 20万元 has three readings: A, a gain per village and year (a trend); B, a rise since a base year that is not stated; C, what the projects caused in their host villages. Only C speaks of an effect. If the data are not those of the place that a claim is about, its verdict means nothing.",
        "count": "The source makes {n} statements with a figure: the data support {supported}, contradict {contradicted} and can't test {not_testable}; a further {sums} worked-out figures were worked out again. Statements without a figure, {excluded} in all, are left out ({rules}).",
        "rule": "{text}: {n}",
        "demonstration": "Demonstration data: a verdict marked as such shows how claims are checked, and says nothing of a real place.",
        "supported": "Claims that the data support",
        "contradicted": "Claims that the data contradict",
        "not_testable": "Claims that the data can't decide",
        "own": "Claims of your own, checked",
        "own_note": "From the file of claims given to this run.",
        "sums": "Worked-out figures, worked out again",
        "sums_note": "This says that a sum is right, not that the figures in it are true.",
        "rest": "Other claims that can't be tested",
        "rest_note": "The ledgers do not hold the data that these take. What a scheme's claims take stands in its first row.",
        "claim": "Claim",
        "verdict": "Verdict",
        "measured": "Measured",
        "reason": "On what grounds",
        "scheme": "Scheme, and the data it takes",
        "why": "Why it can't be tested",
        "sum": "Sum",
        "with_reading": "({reading}) {text}",
        "stamped": "{verdict} (demonstration)",
        "needs": "{scheme}. {missing}",
        "A": "A",
        "B": "B",
        "C": "C",
        "persons": "{n} persons",
        "villages": "{n} villages",
        "nothing": "",
    },
}
_VERDICTS = ("supported", "contradicted", "not_testable")
# Unit of a claim -> kind of quantity, and how many of its base unit make one.
_KINDS: dict[str, tuple[Kind, float]] = {
    "元": ("money", 1),
    "万元": ("money", 10_000),
    "亿元": ("money", 100_000_000),
    "人": ("persons", 1),
    "万人": ("persons", 10_000),
    "%": ("share", 0.01),
}
Row = dict[str, Any]


def build(run: Run) -> list[Block]:
    """Group the verdicts; nothing if no claims were checked."""
    claims: list[Row] = run.extra.get("claims") or []
    if not claims:
        return []
    own: list[Row] = run.extra.get("own_claims") or []
    sums = [one for one in claims if one["basis"] == "arithmetic"]
    rest = [one for one in claims if one["missing_zh"]]
    tested = [one for one in claims if one not in sums and one not in rest]
    blocks: list[Block] = [
        Heading(Message("claims.heading")),
        Paragraph(Message("claims.lead")),
    ]
    if any(one["is_demonstration"] for one in (*claims, *own)):
        blocks.append(Paragraph(Message("claims.demonstration"), "warn"))
    blocks.append(Paragraph(_count(run, claims, sums)))
    if own:
        blocks.append(_verdicts("own", own, Message("claims.own_note")))
    for verdict in _VERDICTS:
        chosen = [one for one in tested if one["verdict"] == verdict]
        if chosen:
            blocks.append(_verdicts(verdict, chosen, None))
    if rest:
        blocks.append(_rest(rest))
    return [*blocks, _sums(sums)] if sums else blocks


def _count(run: Run, claims: list[Row], sums: list[Row]) -> Message:
    excluded: list[Row] = run.extra.get("claims_excluded") or []
    said = [one for one in claims if one not in sums]
    numbers = {name: sum(one["verdict"] == name for one in said) for name in _VERDICTS}
    numbers |= {
        "n": len(said),
        "sums": len(sums),
        "excluded": sum(one["n_facts"] for one in excluded),
    }
    params: dict[str, Content] = {name: Quantity(n, "count") for name, n in numbers.items()}
    return Message("claims.count", params | {"rules": _rules(excluded)})


def _rules(excluded: list[Row]) -> Content:
    return Listing(
        tuple(
            Message(
                "claims.rule",
                {
                    "text": Text(one["text_zh"], one["text_en"]),
                    "n": Quantity(one["n_facts"], "count"),
                },
            )
            for one in excluded
        )
    )


def _verdicts(name: str, rows: list[Row], note: Content | None) -> Table:
    cells = {"claim": _claim, "verdict": _verdict, "measured": _measured, "reason": _reason}
    if name in _VERDICTS:  # said by the caption
        del cells["verdict"]
    return Table(
        Message(f"claims.{name}"),
        tuple(Column(Message(f"claims.{head}")) for head in cells),
        tuple(tuple(cell(one) for cell in cells.values()) for one in rows),
        note,
        most=len(rows),
    )


def _claim(row: Row) -> Content:
    text = Text(row["text_zh"], row["text_en"])
    if not row["reading"]:
        return text
    reading = Message(f"claims.{row['reading']}")
    return Message("claims.with_reading", {"reading": reading, "text": text})


def _verdict(row: Row) -> Content:
    verdict = Term("claim", row["verdict"])
    return Message("claims.stamped", {"verdict": verdict}) if row["is_demonstration"] else verdict


def _reason(row: Row) -> Content:
    return Text(row["reason_zh"], row["reason_en"])


def _measured(row: Row) -> Content:
    """Give what was measured in the units of the language, with its range where there is one."""
    kind, size = _KINDS.get(row["unit"].split("/")[0], ("number", 1.0))
    value, low, high = (
        None if row[name] is None else row[name] * size
        for name in ("measured_value", "measured_low", "measured_high")
    )
    if value is None:
        return Message("grammar.absent")
    if kind == "persons" and value == int(value):
        return Message("claims.persons", {"n": Quantity(value, "count")})
    if row["unit"] == "个村" and low == high:
        return Message("claims.villages", {"n": Quantity(value, "count")})
    if low is None or high is None or low == high:
        return Quantity(value, kind)
    return Interval(low, high, kind)


def _rest(rows: list[Row]) -> Table:
    cells: list[tuple[Content, ...]] = []
    before = None
    for one in rows:
        scheme = (one["scheme_zh"], one["scheme_en"])
        first = Message(
            "claims.needs",
            {"scheme": Text(*scheme), "missing": Text(one["missing_zh"], one["missing_en"])},
        )
        blank = Message("claims.nothing")
        cells.append((first if scheme != before else blank, _claim(one), _reason(one)))
        before = scheme
    return Table(
        Message("claims.rest"),
        tuple(Column(Message(f"claims.{head}")) for head in ("scheme", "claim", "why")),
        tuple(cells),
        Message("claims.rest_note"),
        most=len(cells),
    )


def _sums(rows: list[Row]) -> Table:
    return Table(
        Message("claims.sums"),
        tuple(Column(Message(f"claims.{head}")) for head in ("claim", "verdict", "sum")),
        tuple((_claim(one), _verdict(one), _reason(one)) for one in rows),
        Message("claims.sums_note"),
        most=len(rows),
    )
