"""Promised levels and how many units have reached them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cps.locale import Content, Message, Quantity, Words
from cps.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from cps.report.sections import _indicators as of
from cps.report.sections._common import counted
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

ORDER = 20
PAGE = "overview"
PROMISED_WAN = (50, 100)
TEXT = {
    "zh": {
        "heading": "目标与完成情况",
        "lead": "{year} 年，{area}的 {n}中有 {above50} 个超过 {level50}，{above100} 个超过 {level100}；{base} 年分别为 {was50} 个和 {was100} 个。达到目标不等于项目的成效，是否由项目带来见后文。",
        "lead_alone": "{year} 年，{area}的 {n}中有 {above50} 个超过 {level50}，{above100} 个超过 {level100}。达到目标不等于项目的成效，是否由项目带来见后文。",
        "figure": "超过 {level50} 和 {level100} 的单位所占比重",
        "figure_note": "“超过”指严格大于；分母为有数据的单位。",
        "series": "{area}，超 {level}",
        "axis": "占有数据单位的比重（%）",
        "table": "目标收入的完成情况",
        "level": "目标（全年收入）",
        "base": "{year} 年",
        "now": "{year} 年",
        "change": "变动",
        "gap": "{year} 年平均缺口率",
        "beside": "{area}，{year} 年",
        "above": "超过 {amount}",
        "of": "{n}/{total}（{share}）",
        "note": "平均缺口率 = 各单位与目标的差额占目标的比重（已达标的计 0）的平均。{basis}。",
    },
    "en": {
        "heading": "Targets and attainment",
        "lead": "In {year}, {above50} of {n} in {area} were above {level50} and {above100} above {level100}; in {base} it was {was50} and {was100}. Reaching a target is not an effect of the projects: what they caused is asked further on.",
        "lead_alone": "In {year}, {above50} of {n} in {area} were above {level50} and {above100} above {level100}. Reaching a target is not an effect of the projects: what they caused is asked further on.",
        "figure": "Share of units above {level50} and above {level100}",
        "figure_note": "Above means strictly greater; of the units that reported.",
        "series": "{area} > {level}",
        "axis": "share of units (%)",
        "table": "Attainment of the promised incomes",
        "level": "Target (income of the year)",
        "base": "{year}",
        "now": "{year}",
        "change": "Change",
        "gap": "Mean gap, {year}",
        "beside": "{area}, {year}",
        "above": "Above {amount}",
        "of": "{n} of {total} ({share})",
        "note": "Mean gap: how far units fall short of the target, as a share of it, on average; those above count 0. Basis: {basis}.",
    },
}


def build(run: Run) -> list[Block]:
    """Count who reached the promised levels; nothing without indicators."""
    dates = of.asked(run)
    now = {wan: of.at(run, f"share_above_{wan}", dates.get("period")) for wan in PROMISED_WAN}
    one = of.reading(run, f"share_above_{PROMISED_WAN[0]}")
    if one is None or any(row is None or row["value"] is None for row in now.values()):
        return []
    levels = _levels()
    return [
        Heading(Message("targets.heading")),
        Paragraph(_lead(run)),
        Figure(
            Message("targets.figure", levels),
            partial(_lines, run),
            Message("targets.figure_note"),
        ),
        _table(run, of.basis(one)),
    ]


def _levels() -> dict[str, Content]:
    return {f"level{wan}": Quantity(wan * 10_000.0, "money") for wan in PROMISED_WAN}


def _lead(run: Run) -> Message:
    dates = of.asked(run)
    now = [of.at(run, f"share_above_{wan}", dates["period"]) for wan in PROMISED_WAN]
    before = [of.at(run, f"share_above_{wan}", dates["base"]) for wan in PROMISED_WAN]
    said: dict[str, Content] = {
        "year": dates["period_label"],
        "area": of.area_name(run.extra.get("target_area")),
        "n": counted(now[0]["n_reported"] if now[0] else 0, str(run.design["unit_kind"])),
        "above50": _count(now[0]),
        "above100": _count(now[1]),
        **_levels(),
    }
    if any(row is None or row["value"] is None for row in before):
        return Message("targets.lead_alone", said)
    said |= {"base": dates["base_label"], "was50": _count(before[0]), "was100": _count(before[1])}
    return Message("targets.lead", said)


def _count(row: of.Row | None) -> Quantity:
    if row is None or row["value"] is None:
        return Quantity(None, "count")
    return Quantity(float(round(row["value"] * row["n_reported"] / 100)), "count")


def _cell(row: of.Row | None) -> Content:
    if row is None or row["value"] is None:
        return Message("grammar.absent")
    return Message(
        "targets.of",
        {
            "n": _count(row),
            "total": Quantity(float(row["n_reported"]), "count"),
            "share": of.quantity(row["value"], "percent"),
        },
    )


def _table(run: Run, basis: Content) -> Table:
    dates = of.asked(run)
    areas = of.compared(run)
    rows = []
    for wan in PROMISED_WAN:
        name = f"share_above_{wan}"
        change = of.reading(run, f"{name}_change")
        gap = of.value_at(run, f"shortfall1_{wan}", dates["period"])
        rows.append(
            (
                Message("targets.above", {"amount": Quantity(wan * 10_000.0, "money")}),
                _cell(of.at(run, name, dates["base"])),
                _cell(of.at(run, name, dates["period"])),
                of.quantity(change["value"] if change else None, "points", is_signed=True),
                Quantity(gap, "share"),
                *(
                    _cell(of.at(run, name, dates["period"], scope="comparison", area=area))
                    for area in areas
                ),
            )
        )
    year: dict[str, Content] = {"year": dates["period_label"]}
    base = Message("targets.base", {"year": dates["base_label"] or Message("grammar.absent")})
    return Table(
        Message("targets.table"),
        (
            Column(Message("targets.level")),
            Column(base),
            Column(Message("targets.now", year)),
            Column(Message("targets.change"), "points"),
            Column(Message("targets.gap", year), "share"),
            *(Column(Message("targets.beside", {"area": area, **year})) for area in areas),
        ),
        tuple(rows),
        Message("targets.note", {"basis": basis}),
    )


def _lines(run: Run, words: Words, mark: str) -> Spec:
    from cps.figures.charts import level_lines

    points = []
    for wan in PROMISED_WAN:
        level = Quantity(wan * 10_000.0, "money")
        for row in of.series(run, f"share_above_{wan}"):
            if row["value"] is not None:
                said = {"area": of.area_name(row["area"]), "level": level}
                points.append(
                    {
                        "year": str(row["year"]),
                        "name": words.text(Message("targets.series", said)),
                        "value": row["value"],
                    }
                )
    return level_lines(points, y=words.say("targets.axis"), mark=mark)
