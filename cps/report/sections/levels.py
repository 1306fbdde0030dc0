"""Levels, thresholds, gaps and jobs by year: what happened, whatever caused it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cps.locale import Content, Message, Quantity, Words
from cps.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from cps.report.sections._common import text_of
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

ORDER = 30
PAGE = "overview"
TEXT = {
    "zh": {
        "heading": "水平与差距",
        "lead": "下面是实际发生的变化，不论原因；变化不等于项目的效应。",
        "figure": "各地区村均经营性收入",
        "levels": "{area}：经营性收入与就业",
        "everywhere": "全部单位",
        "year": "年份",
        "coverage": "有数据/应有",
        "total": "总额",
        "mean": "平均数",
        "median": "中位数",
        "gini": "基尼系数",
        "jobs": "年末家门口就业",
        "thresholds": "{area}：收入超过各档的村数及比重",
        "above": "超过 {amount}",
        "of": "{n} 个（{share}）",
    },
    "en": {
        "heading": "Levels and gaps",
        "lead": "What happened, whatever caused it: a change is not an effect of the projects.",
        "figure": "Mean operating income a village, by area",
        "levels": "{area}: operating income and jobs",
        "everywhere": "All units",
        "year": "Year",
        "coverage": "Reported/expected",
        "total": "Total",
        "mean": "Mean",
        "median": "Median",
        "gini": "Gini",
        "jobs": "Jobs near home, year's end",
        "thresholds": "{area}: villages above each threshold, and their share",
        "above": "Above {amount}",
        "of": "{n} ({share})",
    },
}
Rows = list[dict[str, Any]]


def build(run: Run) -> list[Block]:
    """Show the target area's levels, thresholds and gaps; nothing without indicators."""
    levels = _rows(run, "income_levels")
    if not levels:
        return []
    area = run.extra.get("target_area")
    blocks: list[Block] = [
        Heading(Message("levels.heading")),
        Paragraph(Message("levels.lead")),
        Figure(Message("levels.figure"), partial(_lines, levels), _note(run, "income_basis")),
        _level_table(run, levels, area),
    ]
    thresholds = [one for one in _rows(run, "income_thresholds") if _is_target(one, area)]
    return [*blocks, _threshold_table(run, thresholds, area)] if thresholds else blocks


def _rows(run: Run, name: str) -> Rows:
    table = run.indicators.get(name) or {}
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


def _is_target(row: dict[str, Any], area: str | None) -> bool:
    return bool(row["is_target"]) if area else True


def _area(area: str | None) -> Content:
    return area or Message("levels.everywhere")


def _note(run: Run, name: str) -> Content | None:
    notes = run.indicators.get("notes") or {}
    return text_of(notes[name]) if name in notes else None


def _level_table(run: Run, levels: Rows, area: str | None) -> Table:
    key = ("area", "year")
    gini = {tuple(row[k] for k in key): row["gini"] for row in _rows(run, "income_inequality")}
    jobs = {tuple(row[k] for k in key): row["total"] for row in _rows(run, "jobs_levels")}
    rows = []
    for row in (one for one in levels if _is_target(one, area)):
        at = (row["area"], row["year"])
        rows.append(
            (
                str(row["year"]),
                f"{row['n_reported']}/{row['n_units']}",
                Quantity(row["total"], "money"),
                Quantity(row["mean"], "money"),
                Quantity(row["median"], "money"),
                Quantity(gini.get(at), "p_value"),
                Quantity(jobs.get(at), "count"),
            )
        )
    heads = ("total", "mean", "median")
    return Table(
        Message("levels.levels", {"area": _area(area)}),
        (
            Column(Message("levels.year")),
            Column(Message("levels.coverage")),
            *(Column(Message(f"levels.{head}"), "money") for head in heads),
            Column(Message("levels.gini"), "p_value"),
            Column(Message("levels.jobs"), "count"),
        ),
        tuple(rows),
        _note(run, "jobs_basis"),
    )


def _threshold_table(run: Run, thresholds: Rows, area: str | None) -> Table:
    marks = sorted({row["threshold_yuan"] for row in thresholds})
    by_year: dict[int, dict[int, dict[str, Any]]] = {}
    for row in thresholds:
        by_year.setdefault(row["year"], {})[row["threshold_yuan"]] = row

    def cell(row: dict[str, Any] | None) -> Content:
        if row is None or row["share_above_pct"] is None:
            return Message("grammar.absent")
        share = Quantity(row["share_above_pct"] / 100, "share")
        return Message("levels.of", {"n": Quantity(row["n_above"], "count"), "share": share})

    heads = [
        Column(Message("levels.above", {"amount": Quantity(float(one), "money")})) for one in marks
    ]
    return Table(
        Message("levels.thresholds", {"area": _area(area)}),
        (Column(Message("levels.year")), *heads),
        tuple(
            (str(year), *(cell(found.get(mark)) for mark in marks))
            for year, found in sorted(by_year.items())
        ),
        _note(run, "thresholds"),
    )


def _lines(levels: Rows, words: Words, mark: str) -> Spec:
    from cps.figures.charts import level_lines

    # The target area first: the first colour and the solid line are its own.
    ordered = sorted(levels, key=lambda row: (not row["is_target"], str(row["area"]), row["year"]))
    points = [
        {
            "year": str(row["year"]),
            "name": words.text(row["area"] or Message("levels.everywhere")),
            "value": words.axis_value(row["mean"], "money"),
        }
        for row in ordered
        if row["mean"] is not None
    ]
    title = words.text(Message("chart.income_per_village", {"unit": words.unit("money")}))
    return level_lines(points, y=title, mark=mark)
