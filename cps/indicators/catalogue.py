"""The catalogue of indicators: what each is, by which formula, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass

from cps.errors import Text
from cps.indicators.record import Indicator
from cps.indicators.registry import indicators
from cps.indicators.series_names import named

UNITS: dict[str, Text] = {
    "measure": Text("原指标单位", "the outcome's own"),
    "percent": Text("%", "%"),
    "points": Text("百分点", "percentage points"),
    "index": Text("指数", "index"),
    "ratio": Text("比值", "ratio"),
    "per_year": Text("每年", "a year"),
    "times": Text("倍", "times"),
    "units": Text("个", "units"),
    "yuan": Text("元", "yuan"),
    "persons": Text("人", "persons"),
}
NEEDS: dict[str, Text] = {
    "base": Text("基期", "an earlier period"),
    "groups": Text("分组（地区等）", "groups (areas …)"),
    "yuan": Text("金额", "money"),
    "yearly": Text("年度数据", "years"),
    "within_year": Text("月度或季度数据", "months or quarters"),
    "flow": Text("时期数", "what sums over periods"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the catalogue."""

    name: str
    title: Text
    formula: Text
    unit: Text
    needs: Text
    reference: str


def catalogue() -> tuple[Entry, ...]:
    """List every indicator, family by family."""
    return tuple(
        Entry(one.name, one.title, one.formula, UNITS[one.unit], _needs(one), one.reference)
        for one in indicators().values()
    )


def handbook_table(language: str) -> str:
    """Give the catalogue as a Markdown table, as the handbook prints it."""
    heads = {
        "zh": ("名称", "指标", "算式", "单位", "需要", "文献"),
        "en": ("name", "indicator", "formula", "unit", "needs", "reference"),
    }[language]
    rows = [
        (
            f"`{one.name}`",
            *(text.in_language(language) for text in (one.title, one.formula, one.unit, one.needs)),
            one.reference,
        )
        for one in catalogue()
    ]
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines
    )


def _needs(one: Indicator) -> Text:
    parts = [NEEDS[need] for need in one.needs if need in NEEDS]
    if "components" in one.needs:
        parts.append(named(one.components))
    return Text("；".join(part.zh for part in parts), "; ".join(part.en for part in parts))
