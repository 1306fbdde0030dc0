"""Levels by year and growth, each word with its formula: what happened, whatever caused it."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cps.locale import Content, Message, Quantity, Words
from cps.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from cps.report.sections import _indicators as of
from cps.report.sections._common import text_of
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

ORDER = 21
PAGE = "overview"
TEXT = {
    "zh": {
        "heading": "水平与增长",
        "lead": "下面是实际发生的变化，不论原因；变化不等于项目的效应。",
        "break": "自 {year} 年起执行新的村集体会计制度：跨这一年的比较，变动中可能含口径变化。",
        "figure": "各地区村均经营性收入",
        "levels": "{area}：经营性收入与就业",
        "everywhere": "全部单位",
        "year": "年份",
        "coverage": "有数据/应有",
        "total": "总额",
        "mean": "平均数",
        "median": "中位数",
        "growth": "同比（%）",
        "jobs": "家门口就业",
        "marked": "{value} *",
        "levels_note": "* 前后两年会计制度不同。{income}{jobs}",
        "words": "{area}：增长（写明用语和算式）",
        "what": "指标",
        "words_note": "经营性收入为各单位合计，单位元；括号内为两期都有数据的单位数/应有单位数。",
        "of_jobs": "家门口就业：{title}",
        "period": "比较时期",
        "span": "{base} → {period}",
        "compared": "{base} → {period}（{coverage}）",
        "formula": "结果与算式",
        "gains": "村均收入的年均增加额",
        "area": "地区",
        "base_mean": "基年均值",
        "last_mean": "末年均值",
        "gain": "年均增加额",
        "years": "起止年份",
        "gains_note": "{formula}。这是走势，对照地区同样有，不能当作项目的效应。",
    },
    "en": {
        "heading": "Level and growth",
        "lead": "What happened, whatever caused it: a change is not an effect of the projects.",
        "break": "A new accounting system applies from {year} on: in comparisons across that year, part of the change may be one of definition.",
        "figure": "Mean operating income a village, by area",
        "levels": "{area}: operating income and jobs",
        "everywhere": "All units",
        "year": "Year",
        "coverage": "Reported/expected",
        "total": "Total",
        "mean": "Mean",
        "median": "Median",
        "growth": "Year on year (%)",
        "jobs": "Jobs",
        "marked": "{value} *",
        "levels_note": "* The accounting systems of the two years differ. {income} {jobs}",
        "words": "{area}: growth, each word with its formula",
        "what": "Indicator",
        "words_note": "Operating income is the total of the units, in yuan; in brackets, units that reported in both periods, of all.",
        "of_jobs": "Jobs: {title}",
        "period": "Compared",
        "span": "{base} → {period}",
        "compared": "{base} → {period} ({coverage})",
        "formula": "Result and formula",
        "gains": "Mean yearly gain of the mean income",
        "area": "Area",
        "base_mean": "Mean, base year",
        "last_mean": "Mean, last year",
        "gain": "Gain a year",
        "years": "From, to",
        "gains_note": "{formula}. It is a trend, which the areas compared have too, and no effect of the projects.",
    },
}
Rows = list[dict[str, Any]]
_GROWTH = (
    "growth_year_on_year",
    "growth_on_previous",
    "growth_cumulative",
    "growth_since_base",
    "growth_times",
    "growth_per_year",
)


def build(run: Run) -> list[Block]:
    """Show the target area's levels and growth; nothing without indicators."""
    levels = _rows(run, "income_levels")
    if not levels:
        return []
    area = run.extra.get("target_area")
    blocks: list[Block] = [
        Heading(Message("levels.heading")),
        Paragraph(Message("levels.lead")),
        *_break(run),
        Figure(Message("levels.figure"), partial(_lines, levels), _note(run, "income_basis")),
        _level_table(run, levels, area),
    ]
    if words := _growth_words(run):
        caption = Message("levels.words", {"area": _area(area)})
        heads = ("what", "period", "formula")
        blocks.append(
            Table(
                caption,
                tuple(Column(Message(f"levels.{one}")) for one in heads),
                words,
                Message("levels.words_note"),
            )
        )
    gains = _gains(run)
    return [*blocks, gains] if gains else blocks


def _break(run: Run) -> list[Block]:
    regimes = of.asked(run).get("regimes") or {}
    years = list(regimes)
    changed = [
        later
        for earlier, later in pairwise(years)
        if regimes[earlier] and regimes[later] and regimes[earlier] != regimes[later]
    ]
    return [Paragraph(Message("levels.break", {"year": one}), "note") for one in changed]


def _growth_words(run: Run) -> tuple[tuple[Content, ...], ...]:
    found = [
        row
        for outcome in (of.INCOME, of.JOBS)
        for name in _GROWTH
        if (row := of.reading(run, name, outcome=outcome)) and row["value"] is not None
    ]
    return tuple(
        (
            text_of(row["title"])
            if row["outcome"] == of.INCOME
            else Message("levels.of_jobs", {"title": text_of(row["title"])}),
            Message(
                "levels.compared",
                {
                    "base": row["base_label"] or row["period_label"],
                    "period": row["period_label"],
                    "coverage": of.coverage(row),
                },
            ),
            text_of(row["formula"]),
        )
        for row in found
    )


def _gains(run: Run) -> Table | None:
    rows = sorted(
        _rows(run, "income_gains"), key=lambda row: (not row["is_target"], str(row["area"]))
    )
    if not rows:
        return None
    return Table(
        Message("levels.gains"),
        (
            Column(Message("levels.area")),
            Column(Message("levels.years")),
            *(
                Column(Message(f"levels.{one}"), "money")
                for one in ("base_mean", "last_mean", "gain")
            ),
        ),
        tuple(
            (
                _area(row["area"]),
                Message(
                    "levels.span", {"base": str(row["base_year"]), "period": str(row["last_year"])}
                ),
                Quantity(row["base_mean"], "money"),
                Quantity(row["last_mean"], "money"),
                Quantity(row["gain_per_year"], "money", is_signed=True),
            )
            for row in rows
        ),
        Message("levels.gains_note", {"formula": _note(run, "gain_formula") or ""}),
    )


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
    jobs = {tuple(row[k] for k in key): row["total"] for row in _rows(run, "jobs_levels")}
    growth = {tuple(row[k] for k in key): row for row in _rows(run, "income_growth")}
    rows = []
    for row in (one for one in levels if _is_target(one, area)):
        place = (row["area"], row["year"])
        rows.append(
            (
                str(row["year"]),
                f"{row['n_reported']}/{row['n_units']}",
                Quantity(row["total"], "money"),
                Quantity(row["mean"], "money"),
                Quantity(row["median"], "money"),
                _growth_cell(growth.get(place)),
                Quantity(jobs.get(place), "count"),
            )
        )
    said: dict[str, Content] = {
        "income": _note(run, "income_basis") or "",
        "jobs": _note(run, "jobs_basis") or "",
    }
    return Table(
        Message("levels.levels", {"area": _area(area)}),
        (
            Column(Message("levels.year")),
            Column(Message("levels.coverage")),
            *(Column(Message(f"levels.{one}"), "money") for one in ("total", "mean", "median")),
            Column(Message("levels.growth"), "number"),
            Column(Message("levels.jobs"), "count"),
        ),
        tuple(rows),
        Message("levels.levels_note", said),
    )


def _growth_cell(row: dict[str, Any] | None) -> Content:
    if row is None or row["growth_pct"] is None:
        return Message("grammar.absent")
    value = Quantity(row["growth_pct"] / 100, "share", is_signed=True)
    return Message("levels.marked", {"value": value}) if row["has_break"] else value


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
