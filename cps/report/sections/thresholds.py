"""How units are distributed over brackets of income, and how far they fall short of each."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from cps.locale import Content, Message, Quantity, Words
from cps.report.blocks import Block, Column, Figure, Heading, Table
from cps.report.sections import _indicators as of
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

ORDER = 22
PAGE = "overview"
BRACKETS_WAN = (5, 10, 20, 50, 100, 200)
TEXT = {
    "zh": {
        "heading": "门槛与分布",
        "figure": "{area}各收入档的单位数",
        "figure_note": "档的上限含在本档内（“超过”指严格大于）。只计有数据的单位。",
        "axis": "全年收入（{unit}）",
        "count": "单位数",
        "up_to": "{high} 及以下",
        "between": "{low}～{high}",
        "over": "超过 {low}",
        "year": "{year} 年",
        "table": "超过各档的单位与未达部分的缺口",
        "level": "门槛",
        "base": "超过，{year} 年",
        "now": "超过，{year} 年",
        "change": "变动",
        "below": "FGT 0",
        "gap": "FGT 1",
        "square": "FGT 2",
        "of": "{n}/{total}（{share}）",
        "note": "FGT（福斯特–格里尔–索贝克）指数：P = (1/n)Σ((z − x)/z)^α，仅计低于门槛 z 的单位，均为 {year} 年；α=0 为未达占比，α=1 为平均缺口占门槛之比，α=2 对大缺口加重。{basis}。",
    },
    "en": {
        "heading": "Thresholds and distribution",
        "figure": "Units of {area} in each bracket of income",
        "figure_note": "A bracket holds its upper end (above means strictly greater). Of the units that reported.",
        "axis": "income of the year ({unit})",
        "count": "units",
        "up_to": "up to {high}",
        "between": "{low}–{high}",
        "over": "above {low}",
        "year": "{year}",
        "table": "Units above each threshold, and how far the others fall short",
        "level": "Threshold",
        "base": "Above, {year}",
        "now": "Above, {year}",
        "change": "Change",
        "below": "FGT 0",
        "gap": "FGT 1",
        "square": "FGT 2",
        "of": "{n} of {total} ({share})",
        "note": "FGT (Foster, Greer & Thorbecke): P = (1/n)Σ((z − x)/z)^α over the units below z, all of {year}; α = 0 is the share below, α = 1 the mean gap as a share of the threshold, α = 2 weighs deep gaps. Basis: {basis}.",
    },
}


def build(run: Run) -> list[Block]:
    """Draw the brackets and list the thresholds; nothing without indicators."""
    one = of.reading(run, "share_above_50")
    if one is None or one["value"] is None:
        return []
    area = of.area_name(run.extra.get("target_area"))
    return [
        Heading(Message("thresholds.heading")),
        Figure(
            Message("thresholds.figure", {"area": area}),
            partial(_bars, run),
            Message("thresholds.figure_note"),
        ),
        _table(run, of.basis(one)),
    ]


def _above(run: Run, wan: int, year: int) -> int | None:
    row = of.at(run, f"share_above_{wan}", year)
    if row is None or row["value"] is None:
        return None
    return round(row["value"] * row["n_reported"] / 100)


def _cell(run: Run, wan: int, year: int | None) -> Content:
    row = None if year is None else of.at(run, f"share_above_{wan}", year)
    if year is None or row is None or row["value"] is None:
        return Message("grammar.absent")
    return Message(
        "thresholds.of",
        {
            "n": Quantity(_above(run, wan, year), "count"),
            "total": Quantity(row["n_reported"], "count"),
            "share": of.quantity(row["value"], "percent"),
        },
    )


def _table(run: Run, basis: Content) -> Table:
    dates = of.asked(run)
    period = dates["period"]
    rows = []
    for wan in BRACKETS_WAN:
        change = of.reading(run, f"share_above_{wan}_change")
        rows.append(
            (
                Quantity(wan * 10_000.0, "money"),
                _cell(run, wan, dates["base"]),
                _cell(run, wan, period),
                of.quantity(change["value"] if change else None, "points", is_signed=True),
                Quantity(of.value_at(run, f"shortfall0_{wan}", period), "share"),
                Quantity(of.value_at(run, f"shortfall1_{wan}", period), "share"),
                Quantity(of.value_at(run, f"shortfall2_{wan}", period), "index"),
            )
        )
    year: dict[str, Content] = {"year": dates["period_label"]}
    base: dict[str, Content] = {"year": dates["base_label"] or Message("grammar.absent")}
    return Table(
        Message("thresholds.table"),
        (
            Column(Message("thresholds.level"), "money"),
            Column(Message("thresholds.base", base)),
            Column(Message("thresholds.now", year)),
            Column(Message("thresholds.change"), "points"),
            Column(Message("thresholds.below"), "share"),
            Column(Message("thresholds.gap"), "share"),
            Column(Message("thresholds.square"), "index"),
        ),
        tuple(rows),
        Message("thresholds.note", {"basis": basis, **year}),
    )


def _bars(run: Run, words: Words, mark: str) -> Spec:
    from cps.figures.distribution import bracket_bars

    dates = of.asked(run)
    years = [(dates[name], dates[f"{name}_label"]) for name in ("base", "period")]
    labels = _labels(words)
    rows: list[of.Row] = []
    for year, shown in years:
        counts = _by_bracket(run, year) if year is not None else None
        rows += [
            {
                "bracket": bracket,
                "when": words.text(Message("thresholds.year", {"year": shown})),
                "n": n,
            }
            for bracket, n in zip(labels, counts or (), strict=counts is not None)
        ]
    names = [words.text(Message("thresholds.year", {"year": one})) for _, one in years if one]
    filled = [one for one in labels if any(row["bracket"] == one and row["n"] for row in rows)]
    first, last = labels.index(filled[0]), labels.index(filled[-1])
    shown_labels = labels[first : last + 1]
    return bracket_bars(
        [row for row in rows if row["bracket"] in shown_labels],
        names=(names[0], names[-1]),
        x=words.text(Message("thresholds.axis", {"unit": words.unit("money")})),
        y=words.say("thresholds.count"),
        mark=mark,
    )


def _labels(words: Words) -> list[str]:
    ends = [Quantity(words.axis_value(wan * 10_000.0, "money"), "number") for wan in BRACKETS_WAN]
    return [
        words.cell(Message("thresholds.up_to", {"high": ends[0]})),
        *(
            words.cell(Message("thresholds.between", {"low": low, "high": high}))
            for low, high in pairwise(ends)
        ),
        words.cell(Message("thresholds.over", {"low": ends[-1]})),
    ]


def _by_bracket(run: Run, year: int) -> list[int] | None:
    """Count units from each bracket to the next; None where the year has no reading."""
    row = of.at(run, f"share_above_{BRACKETS_WAN[0]}", year)
    above = [_above(run, wan, year) for wan in BRACKETS_WAN]
    if row is None or any(one is None for one in above):
        return None
    ends = [row["n_reported"], *(one or 0 for one in above), 0]
    return [higher - lower for higher, lower in pairwise(ends)]
