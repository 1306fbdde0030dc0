"""The rows that ledgers become: one value each, knowing its file, sheet and cell."""

from __future__ import annotations

from dataclasses import dataclass

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
    "measure": pl.String(),  # yuan | persons | percent | text
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
    "local_jobs": "persons",  # 家门口就业人数, a stock
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
}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One raw file that was read, by name and content."""

    name: str
    sha256: str
    layout: str
    n_rows: int


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
