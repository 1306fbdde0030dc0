"""Figures published elsewhere that bear on a claim, quoted without the names of places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cps.errors import Text
from cps.facts import ContextFigure, Facts
from cps.synthesis._claim_words import figure_words
from cps.synthesis.claim_file import Quoted

_UNITS = {"%": "%", "village": "个村", "wan_yuan": "万元", "person": "人", "yuan": "元"}
_CONFIDENCE = {
    "high": Text("", ""),
    "medium": Text("（可信度中等）", " (medium confidence)"),
    "low": Text("（可信度低）", " (low confidence)"),
}


def quote(quoted: Sequence[Quoted], facts: Facts, places: Mapping[str, Text]) -> Text:
    """Quote figures, each with its place by kind, its period and any doubt about it.

    Real places are not named: the sentence may stand on a page of synthetic numbers.
    """
    if not quoted:
        return Text("", "")
    parts = [_part(one, facts, places) for one in quoted]
    return Text(
        f"旁证（公开报道）：{'；'.join(one.zh for one in parts)}。",
        f"Published elsewhere: {'; '.join(one.en for one in parts)}.",
    )


def _part(quoted: Quoted, facts: Facts, places: Mapping[str, Text]) -> Text:
    found = {one.id: one for one in facts.context}
    one, whole = found[quoted.id], found.get(quoted.of or "")
    place = places.get(one.place, Text("别处", "elsewhere"))
    said = _figure(one)
    share = Text("", "")
    if whole is not None and whole.value and one.value is not None:
        part = 100 * one.value / whole.value
        share = Text(f"，占 {whole.value} 个村的 {part:.1f}%", f", {part:.1f}% of {whole.value}")
    doubt, name = _CONFIDENCE[one.confidence], one.indicator.en.replace(">=", "≥")
    space = " " if said.zh[:1].isdigit() else ""
    return Text(
        f"{place.zh} {one.period.replace('-', '—')} 年{one.indicator.zh}为{space}{said.zh}{share.zh}{doubt.zh}",
        f"{place.en}, {one.period}: {name}, {said.en}{share.en}{doubt.en}",
    )


def _figure(one: ContextFigure) -> Text:
    if one.value is None:
        return Text(one.text, one.text)
    return figure_words(one.comparator, one.value, one.value_to, _UNITS.get(one.unit, one.unit))
