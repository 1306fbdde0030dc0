"""The rows that ledgers become: one value each, knowing its file, sheet and cell."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import polars as pl

from cps.errors import Finding

ROWS_SCHEMA: dict[str, pl.DataType] = {
    "unit": pl.String(),  # name as normalised (NFKC, trimmed), not yet through the crosswalk
    "area": pl.String(),  # town or subdistrict; null where the ledger does not say
    "project": pl.String(),  # project name in a registry; null in a series
    "period_start": pl.Date(),  # first day of the period; null in a registry
    "frequency": pl.String(),  # month | quarter | year; null in a registry
    "item": pl.String(),  # canonical item, see ITEMS
    "item_name": pl.String(),  # the item as the ledger names it
    "value": pl.Decimal(20, 2),  # in the measure, exact; null where the cell is empty
    "text": pl.String(),  # a value that is no number (a date, a status)
    "measure": pl.String(),  # yuan | persons | percent | text | tick
    "emptiness": pl.String(),  # null, or unknown | below_one_unit | not_applicable
    "regime": pl.String(),  # accounting system in force: 2004 | 2023
    "is_synthetic": pl.Boolean(),
    "layout": pl.String(),
    "source_file": pl.String(),
    "sheet": pl.String(),
    "cell": pl.String(),
}

ITEMS: dict[str, str] = {
    "operating_income": "yuan",  # 经营性收入, the sum of the three below
    "direct_operating_income": "yuan",  # 经营收入 / 直接经营性收入
    "contract_income": "yuan",  # 发包及上交收入
    "investment_income": "yuan",  # 投资收益
    "subsidy_income": "yuan",  # 补助收入: never operating income
    "other_income": "yuan",  # 其他收入: never operating income
    "total_income": "yuan",  # 总计
    "agricultural_income": "yuan",
    "tourism_income": "yuan",
    "ecommerce_income": "yuan",
    "labour_income": "yuan",  # 务工收入
    "land_compensation": "yuan",  # 征地补偿款: never income
    "local_jobs": "persons",  # 家门口就业人数, a stock
    "employed_persons": "persons",  # 就业人数, a stock
    "population": "persons",  # 总人口, a stock
    "project_total_investment": "yuan",
    "project_subsidy_province": "yuan",
    "project_subsidy_city": "yuan",
    "project_subsidy_county": "yuan",
    "project_subsidy_town": "yuan",
    "project_other_funding": "yuan",
    "project_expected_yearly_benefit": "yuan",
    "project_expected_collective_gain": "yuan",
    "project_previous_collective_income": "yuan",
    "project_target_date": "text",
    "project_funds_paid_share": "percent",
    "project_progress_share": "percent",
    "operated_yearly_gain": "yuan",  # of a village run with an operator, as its form states
    "operated_start": "text",
    "operated_profit_sharing": "text",
    "format_homestay": "tick",  # 1 ticked, 0 crossed out; empty: unknown
    "format_catering": "tick",
    "format_study_tour": "tick",
    "format_camping": "tick",
    "format_ecommerce": "tick",
    "format_other": "tick",
}

# What each item is called in a canonical table and in messages.
ITEM_NAMES: dict[str, str] = {
    "operating_income": "经营性收入",
    "direct_operating_income": "经营收入",
    "contract_income": "发包及上交收入",
    "investment_income": "投资收益",
    "subsidy_income": "补助收入",
    "other_income": "其他收入",
    "total_income": "总收入",
    "agricultural_income": "农业收入",
    "tourism_income": "旅游收入",
    "ecommerce_income": "电商收入",
    "labour_income": "务工收入",
    "land_compensation": "征地补偿款",
    "local_jobs": "家门口就业人数",
    "employed_persons": "就业人数",
    "population": "总人口",
}
STOCKS = frozenset(item for item, measure in ITEMS.items() if measure == "persons")

# One entry a cell read, lean: what is constant for a sheet is held once, in its ``Source``.
ENTRIES_SCHEMA: dict[str, pl.DataType] = {
    "unit": pl.Categorical(),
    "area": pl.Categorical(),
    "project": pl.Categorical(),
    "period_start": pl.Date(),
    "frequency": pl.Categorical(),
    "item": pl.Categorical(),
    "item_name": pl.Categorical(),
    "cents": pl.Int64(),  # hundredths of 元, persons or percent
    "text": pl.Categorical(),
    "emptiness": pl.Categorical(),
    "row": pl.UInt32(),  # from 0
    "column": pl.UInt16(),
    "source": pl.UInt16(),  # index of the sheet's Source
}

# What a panel is made of: the rows that have a period, without what only a person reads.
FIGURES_SCHEMA: dict[str, pl.DataType] = {
    "at": pl.UInt32(),  # the row or entry that it is
    "name": pl.Categorical(),  # of the unit, not yet through the crosswalk
    "area": pl.Categorical(),
    "period_start": pl.Date(),
    "frequency": pl.Categorical(),
    "item": pl.Categorical(),
    "item_name": pl.Categorical(),
    "cents": pl.Int64(),  # hundredths of 元 or persons
    "emptiness": pl.Categorical(),
    "regime": pl.Categorical(),
    "is_synthetic": pl.Boolean(),
}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One raw file that was read, by name and content."""

    name: str
    sha256: str
    layout: str
    n_rows: int


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """The rows of a set of files as a panel takes them, a quarter of the size of ``Ledgers``.

    Parameters
    ----------
    frame : polars.DataFrame, columns as ``FIGURES_SCHEMA``
    places : callable
        Takes a series of ``at``; gives ``source_file``, ``sheet`` and ``cell`` of each.
    findings : tuple of Finding
    sources : tuple of SourceFile
    """

    frame: pl.DataFrame
    places: Callable[[pl.Series], pl.DataFrame]
    findings: tuple[Finding, ...]
    sources: tuple[SourceFile, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Ledgers:
    """What was read from a set of files.

    Parameters
    ----------
    rows : polars.DataFrame, columns as ``ROWS_SCHEMA``
    findings : tuple of Finding
    sources : tuple of SourceFile
    """

    rows: pl.DataFrame
    findings: tuple[Finding, ...]
    sources: tuple[SourceFile, ...]

    def figures(self) -> Figures:
        """Give the rows that have a period, as a panel takes them."""
        frame = (
            self.rows.lazy()
            .select(
                pl.int_range(pl.len(), dtype=pl.UInt32).alias("at"),
                pl.col("unit").alias("name"),
                (pl.col("value") * 100).cast(pl.Int64).alias("cents"),
                *(one for one in FIGURES_SCHEMA if one not in ("at", "name", "cents")),
            )
            .filter(pl.col("period_start").is_not_null())
            .select(*FIGURES_SCHEMA)
            .cast(FIGURES_SCHEMA)  # type: ignore[arg-type]
            .collect()
        )
        return Figures(frame, self._places, self.findings, self.sources)

    def _places(self, at: pl.Series) -> pl.DataFrame:
        return self.rows.select("source_file", "sheet", "cell")[at]

    def _repr_html_(self) -> str:
        parts = [
            f"<p><strong>{len(self.sources)}</strong> 个文件 files · "
            f"<strong>{self.rows.height:,}</strong> 条数据 rows</p>",
            findings_html(self.findings),
        ]
        return "".join(parts)


_ALIKE = 4


def brief(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Give findings for a page: four or more of one kind in a sheet become one, counted."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for one in findings:
        place = ("",) if one.severity == "note" else (one.file or "", one.sheet or "")
        groups.setdefault((one.code, *place), []).append(one)
    made: list[Finding] = []
    for group in groups.values():
        alike = len(group) >= _ALIKE and group[0].severity != "reject"
        total = sum(one.count for one in group)
        made += [replace(group[0], count=total)] if alike else group
    return tuple(made)


_SEVERITIES = {"reject": "错误 error", "warn": "提醒 warning", "note": "说明 note"}


def findings_html(findings: Sequence[Finding]) -> str:
    """Give findings as an HTML table, every text escaped; worst first."""
    order = list(_SEVERITIES)
    head = ("级别", "代码", "位置", "原值", "问题", "处理")
    rows = []
    for one in sorted(findings, key=lambda finding: order.index(finding.severity)):
        cells = (
            _SEVERITIES[one.severity],
            one.code,
            one.where + (f" ×{one.count}" if one.count > 1 else ""),
            one.value or "",
            f"{one.what.zh}\n{one.what.en}",
            f"{one.mend.zh}\n{one.mend.en}",
        )
        tags = "".join(
            f"<td style='text-align:left;white-space:pre-line'>{html.escape(cell)}</td>"
            for cell in cells
        )
        rows.append(f"<tr>{tags}</tr>")
    if not rows:
        return "<p>没有发现问题 nothing found</p>"
    heads = "".join(f"<th style='text-align:left'>{name}</th>" for name in head)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
