"""A scheme's card: what is claimed, whether an effect can be estimated, and what its ledgers show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cps.locale import Content, Listing, Message, Quantity, Term, level_kind
from cps.report.blocks import Block, Column, Heading, Paragraph, Table
from cps.report.sections._common import text_of
from cps.runs import Run

ORDER = 20
PAGE = "scheme"
_YEARS = 8  # the latest ones are shown
TEXT = {
    "zh": {
        "evaluable_heading": "能否估计效果",
        "verdict_yes": "能。{reason}",
        "verdict_partly": "有条件。{reason}",
        "verdict_lacking": "缺少数据，目前不能。{reason}",
        "verdict_no": "不能。{reason}",
        "design": "怎样比较：{design}",
        "methods": "方法：{methods}。",
        "run": "运行 cps run --scheme {id} 得到估计结果。",
        "initiatives": "各项目的估计见 cps run 的报告。",
        "threats": "解读时须防的偏差",
        "threat": "偏差",
        "series": "评估需要的数据",
        "one_series": "数据",
        "claims_heading": "公开材料说了什么",
        "claims": "公开材料对该举措的说法",
        "published_source": "公开报道，见 data/facts/facts.csv；不是本页数据算出",
        "file_source": "举措文件 data/schemes",
        "no_claims": "公开材料没有给出可登记的说法。",
        "fact": "事实编号",
        "indicator": "指标",
        "stated": "说法",
        "kind": "{name}（{role}）",
        "open": "未说明之处",
        "claims_note": "括号内为说法的性质：投入、过程和产出都不能当成成效。事实编号前加 {id}__。",
        "figures_heading": "指标",
        "values": "各年指标",
        "value": "全部",
        "measure": "单位",
        "coverage": "可用／应有（件）",
        "counted": "计数",
        "of": "{used}／{all}",
        "values_note": "“可用／应有”为各年合计：计算指标所依据的行数，与符合该指标条件的行数。空格表示当年无数据，不是零。",
        "formulas": "指标的算法",
        "formula": "算法",
        "no_ledger": "没有读到该举措的台账，下表只列指标及算法。",
        "no_figures": "该举措没有另设指标。",
        "files": "读入的台账：{files}。",
    },
    "en": {
        "evaluable_heading": "Can an effect be estimated?",
        "verdict_yes": "Yes. {reason}",
        "verdict_partly": "With limits. {reason}",
        "verdict_lacking": "Not with the data there are. {reason}",
        "verdict_no": "No. {reason}",
        "design": "What is compared: {design}",
        "methods": "Methods: {methods}.",
        "run": "cps run --scheme {id} gives the estimates.",
        "initiatives": "The report of cps run holds the initiatives' estimates.",
        "threats": "What could mislead",
        "threat": "Threat",
        "series": "Data that an evaluation needs",
        "one_series": "Data",
        "claims_heading": "What is claimed",
        "claims": "What the source says of this scheme",
        "published_source": "the published piece, see data/facts/facts.csv; not computed from the data of this page",
        "file_source": "the scheme's file in data/schemes",
        "no_claims": "The source says nothing of it that could be recorded.",
        "fact": "Fact",
        "indicator": "Indicator",
        "stated": "What is said",
        "kind": "{name} ({role})",
        "open": "Left open",
        "claims_note": "Inputs, processes and outputs are not outcomes: none of them shows that anything changed. Ids of facts begin with {id}__.",
        "figures_heading": "Indicators",
        "values": "Indicators by year",
        "value": "All",
        "measure": "Unit",
        "coverage": "Used / all (rows)",
        "counted": "count",
        "of": "{used} / {all}",
        "values_note": "Used / all, over all years: the rows that a figure rests on, and the rows that it speaks of. An empty cell is a year without data, not a zero.",
        "formulas": "How the indicators are made",
        "formula": "Formula",
        "no_ledger": "No ledger of this scheme was read: indicators are listed with their formulas alone.",
        "no_figures": "There are no indicators of its own.",
        "files": "Ledgers read: {files}.",
    },
}


def build(run: Run) -> list[Block]:
    """Give the card of the scheme that was evaluated."""
    card = run.extra.get("scheme_card")
    return card_blocks(card, is_evaluated=True) if card else []


def card_blocks(card: Mapping[str, Any], *, is_evaluated: bool = False) -> list[Block]:
    """Give a card's blocks from its plain values.

    ``is_evaluated`` leaves out where the estimates are to be had: they are on the page.
    """
    return [
        *_verdict(card, is_evaluated=is_evaluated),
        *_claims(card),
        *_figures(card),
        *_listed(card["series_needed"], "series", "one_series"),
        *_listed(card["threats"], "threats", "threat"),
    ]


def evaluable(card: Mapping[str, Any]) -> str:
    """Say whether an effect can be estimated: ``yes, partly, lacking`` (data) or ``no``."""
    lacks = card["is_evaluable"] == "partly" and not card["can_run"]
    return "lacking" if lacks else str(card["is_evaluable"])


def _say(key: str, **params: Content) -> Message:
    return Message(f"scheme_card.{key}", params)


def _verdict(card: Mapping[str, Any], *, is_evaluated: bool) -> list[Block]:
    reason = text_of(card["reason"])
    blocks: list[Block] = [
        Heading(_say("evaluable_heading")),
        Paragraph(_say(f"verdict_{evaluable(card)}", reason=reason), "lead"),
    ]
    if card["design"]:
        blocks.append(Paragraph(_say("design", design=text_of(card["design"]))))
    if card["methods"]:
        blocks.append(Paragraph(_say("methods", methods=text_of(card["methods"]))))
    if card["can_run"] and not is_evaluated:
        blocks.append(Paragraph(_say("run", id=str(card["id"])), "note"))
    if card["uses_initiatives"]:
        blocks.append(Paragraph(_say("initiatives"), "note"))
    return blocks


def _claims(card: Mapping[str, Any]) -> list[Block]:
    heading = Heading(_say("claims_heading"))
    if not card["claims"]:
        return [heading, Paragraph(_say("no_claims"))]
    columns = tuple(Column(_say(one)) for one in ("indicator", "stated", "open", "fact"))
    rows = tuple(
        (
            _indicator(one),
            text_of(one["stated"]),
            Term("ambiguity", one["ambiguity"]) if one["ambiguity"] else "",
            str(one["fact_id"]).removeprefix(f"{card['id']}__"),
        )
        for one in card["claims"]
    )
    claims = Table(
        _say("claims"),
        columns,
        rows,
        _say("claims_note", id=str(card["id"])),
        source=_say("published_source"),
    )
    return [heading, claims]


def _indicator(claim: Mapping[str, Any]) -> Content:
    """Name what is claimed, with the kind of statement that it is."""
    name = text_of(claim["indicator"])
    return _say("kind", name=name, role=Term("role", claim["role"])) if claim["role"] else name


def _figures(card: Mapping[str, Any]) -> list[Block]:
    figures = card["figures"]
    blocks: list[Block] = [Heading(_say("figures_heading"))]
    if not figures:
        return [*blocks, Paragraph(_say("no_figures"))]
    if any(one["values"] for one in figures):
        files = Listing(tuple(str(one) for one in card["files"]))
        blocks += [_values(figures), Paragraph(_say("files", files=files), "note")]
    else:
        blocks.append(Paragraph(_say("no_ledger")))
    columns = (Column(_say("indicator")), Column(_say("formula")))
    rows = tuple((text_of(one["name"]), text_of(one["formula"])) for one in figures)
    return [*blocks, Table(_say("formulas"), columns, rows, source=_say("file_source"))]


def _values(figures: Sequence[Mapping[str, Any]]) -> Table:
    years = sorted({value["year"] for one in figures for value in one["values"] if value["year"]})
    shown = years[-_YEARS:]
    has_whole = any(value["year"] is None for one in figures for value in one["values"])
    columns = [Column(_say("indicator")), Column(_say("measure"))]
    # The unit differs by row and has a column of its own, so these carry none.
    columns += [Column(str(year), "number") for year in shown]
    columns += [Column(_say("value"), "number")] if has_whole else []
    columns.append(Column(_say("coverage")))
    rows = []
    for one in figures:
        is_count = one["measure"] == "count"
        kind, unit = level_kind(str(one["measure"]))
        if is_count:
            kind = "count"
        by_year = {value["year"]: value for value in one["values"]}
        cells = [
            Quantity(by_year[year]["value"], kind, unit) if year in by_year else ""
            for year in [*shown, *([None] if has_whole else [])]
        ]
        used = sum(value["n_used"] for value in one["values"])
        all_rows = sum(value["n_rows"] for value in one["values"])
        covered: Content = (
            Message(
                "scheme_card.of",
                {"used": Quantity(used, "count"), "all": Quantity(all_rows, "count")},
            )
            if one["values"]
            else ""
        )
        measure: Content = unit if kind == "number" else Term("units_of", kind)
        measure = _say("counted") if is_count else measure
        rows.append((text_of(one["name"]), measure, *cells, covered))
    return Table(_say("values"), tuple(columns), tuple(rows), _say("values_note"))


def _listed(texts: Sequence[Mapping[str, str]], caption: str, head: str) -> list[Block]:
    if not texts:
        return []
    rows = tuple((text_of(dict(one)),) for one in texts)
    return [Table(_say(caption), (Column(_say(head)),), rows, source=_say("file_source"))]
