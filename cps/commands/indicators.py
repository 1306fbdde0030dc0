"""The command that measures every indicator of a panel at a date, and lists what there is."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cps.commands.common import say
from cps.commands.indicator_text import readings_text
from cps.errors import Text, UsageError

if TYPE_CHECKING:
    import polars as pl

    from cps.indicators.survey import Survey
    from cps.panel.record import Panel

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_COLUMNS = (
    "data",
    "area",
    "outcome",
    "indicator",
    "title",
    "value",
    "unit",
    "ci_low",
    "ci_high",
    "level",
    "base",
    "period",
    "n_reported",
    "n_units",
    "basis",
    "formula",
    "interval",
    "notes",
)


def add_indicators(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``indicators``."""
    parser.add_argument(
        "--list", action="store_true", help="the catalogue: formulas, needs 指标目录"
    )
    parser.add_argument("--panel", default="reports/latest/panel", help="[%(default)s]")
    parser.add_argument("--outcome", default="income_yuan", help="[%(default)s]")
    parser.add_argument("--date", type=int, help="year [the last whole one] 报告年份")
    parser.add_argument("--base", type=int, help="year [the one before the first start] 基期")
    parser.add_argument("--area", help="one area [the hosts' own] 地区；all 为全部")
    parser.add_argument("--only", default="", help="names, comma between 只列这些指标")
    parser.add_argument(
        "--sample", action="store_true", help="units are a random sample 单位为随机样本"
    )
    parser.add_argument(
        "--amounts", help="CSV of parts of income, as check --table writes 收入构成等（规范表）"
    )
    parser.add_argument("--prices", help="CSV year,index: money in prices of the date 价格指数")
    parser.add_argument(
        "--without",
        action="store_true",
        help="also the distribution without the initiatives 另算若无项目的分布",
    )
    parser.add_argument(
        "--format",
        choices=("table", "csv", "json", "markdown"),
        default="table",
        help="markdown with --list only [%(default)s]",
    )
    parser.add_argument("--out", help="file to write [standard output]")
    parser.set_defaults(command=_indicators)


def _indicators(given: argparse.Namespace, lang: str) -> int:
    text = _catalogue(given.format, lang) if given.list else _measured(given, lang)
    if given.out:
        from cps.provenance import write_text

        write_text(Path(given.out), text)
        say(Text(f"已写出：{given.out}", f"wrote {given.out}"), lang)
    else:
        print(text, end="" if text.endswith("\n") else "\n")
    return 0


def _catalogue(form: str, lang: str) -> str:
    from cps.indicators.catalogue import catalogue, handbook_table

    if form == "markdown":
        return handbook_table(lang)
    rows = [
        {
            "indicator": one.name,
            **{
                name: getattr(one, name).in_language(lang)
                for name in ("title", "formula", "unit", "needs")
            },
            "reference": one.reference,
        }
        for one in catalogue()
    ]
    if form == "json":
        return _json(rows)
    if form == "csv":
        return _csv(rows, tuple(rows[0]))
    needs = Text("需要：", "needs: ").in_language(lang)
    lines = [Text(f"共 {len(rows)} 个指标", f"{len(rows)} indicators").in_language(lang)]
    for row in rows:
        lines.append(f"\n{row['title']}  {row['indicator']}  [{row['unit']}]")
        lines.append(f"    {row['formula']}")
        lines += [f"    {needs}{row['needs']}"] if row["needs"] else []
        lines += [f"    {row['reference']}"] if row["reference"] else []
    return "\n".join(lines)


def _measured(given: argparse.Namespace, lang: str) -> str:
    from cps.commands.common import listed
    from cps.design.initiatives import load_initiatives
    from cps.indicators.grid import grid_of_panel
    from cps.indicators.readings import base_year
    from cps.indicators.survey import survey_area
    from cps.panel.store import load_panel
    from cps.synthesis.overview import target_area

    if given.format == "markdown":
        raise UsageError(
            Text("markdown 只用于指标目录", "markdown is for the catalogue"),
            where="--format markdown",
            mend=Text(
                "加 --list，或改用 table、csv、json", "add --list, or take table, csv or json"
            ),
        )
    panel = load_panel(given.panel)
    home = Path(given.panel) / "initiatives"
    declared = load_initiatives(home) if home.is_dir() else ()
    area = given.area or (target_area(panel, declared) if declared else None)
    area = None if area == "all" else area
    base = given.base
    if base is None:
        earlier = base_year(grid_of_panel(panel, given.outcome, area=area), declared)
        base = earlier if earlier is not None and earlier < (given.date or earlier + 1) else None
    found = survey_area(
        panel,
        given.outcome,
        area=area,
        period=given.date,
        base=base,
        names=listed(given.only) or None,
        amounts=_amounts(given.amounts) if given.amounts else None,
        prices=_prices(given.prices) if given.prices else None,
        is_sample=given.sample,
    )
    without = _without(panel, declared, given, area) if given.without else {}
    if given.format == "json":
        return _json(_plain(found, panel, without))
    if given.format == "csv":
        return "\ufeff" + _csv(_rows(found, panel, lang), _COLUMNS)
    return readings_text(found, without, lang, is_synthetic=panel.is_synthetic)


def _amounts(path: str) -> pl.DataFrame:
    from cps.indicators.amounts import amounts_by_year

    return amounts_by_year(_read_csv(path, "--amounts"))


def _prices(path: str) -> dict[int, float]:
    import polars as pl

    table = _read_csv(path, "--prices")
    try:
        return {
            int(year): float(index) for year, index in table.select("year", "index").iter_rows()
        }
    except (ValueError, TypeError, pl.exceptions.PolarsError) as error:
        raise UsageError(
            Text("价格指数表无法读取", "the price index can't be read"),
            where=f"--prices {path}",
            mend=Text("两列：year,index", "two columns: year,index"),
        ) from error


def _read_csv(path: str, option: str) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.read_csv(path, infer_schema_length=0)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UsageError(
            Text("文件无法读取", "the file can't be read"),
            where=f"{option} {path}",
            mend=Text("给出 UTF-8 的 CSV", "give a CSV in UTF-8"),
        ) from error


def _without(
    panel: Panel, declared: Sequence[Any], given: argparse.Namespace, area: str | None
) -> dict[str, Any]:
    from cps.design.build import make_design, pool_initiatives
    from cps.synthesis.without import without_initiatives

    if not declared:
        raise UsageError(
            Text("没有项目，无从扣除", "there are no initiatives to take away"),
            where=f"{given.panel}/initiatives",
            mend=Text(
                "给出 cps run 建的数据文件夹（--panel）",
                "name a panel that cps run built (--panel)",
            ),
        )
    design = make_design(panel, pool_initiatives(declared), outcome=given.outcome)
    return without_initiatives(panel, design, area=area, initiatives=declared)


def _plain(found: Survey, panel: Panel, without: dict[str, Any]) -> dict[str, Any]:
    from cps.indicators.registry import as_rows

    return {
        "is_synthetic": panel.is_synthetic,
        "area": found.area,
        "outcome": found.outcome,
        "period": found.period,
        "base": found.base,
        "readings": as_rows(found.readings),
        "absent": [asdict(one) for one in found.absent],
        **without,
    }


def _rows(found: Survey, panel: Panel, lang: str) -> list[dict[str, Any]]:
    data = Text("合成数据", "synthetic") if panel.is_synthetic else Text("台账", "ledgers")
    shared = {
        "data": data.in_language(lang),
        "area": found.area or "",
        "outcome": found.outcome,
    }
    measured = [
        {
            **shared,
            "indicator": one.indicator,
            "title": one.title.in_language(lang),
            "value": one.value,
            "unit": one.unit,
            "ci_low": one.ci_low,
            "ci_high": one.ci_high,
            "level": one.level,
            "base": one.base_label,
            "period": one.period_label,
            "n_reported": one.n_reported,
            "n_units": one.n_units,
            "basis": one.basis.in_language(lang),
            "formula": one.formula.in_language(lang),
            "interval": one.interval.in_language(lang),
            "notes": " ".join(note.in_language(lang) for note in one.notes),
        }
        for one in found.readings
    ]
    absent = [
        {
            **shared,
            "indicator": one.indicator,
            "title": one.title.in_language(lang),
            "notes": one.reason.in_language(lang),
        }
        for one in found.absent
    ]
    return [*measured, *absent]


def _csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_inert(row.get(name)) for name in columns])
    return out.getvalue()


def _inert(value: Any) -> Any:
    """Keep a spreadsheet from taking a text for a formula."""
    if isinstance(value, str) and value.startswith(_STARTS_FORMULA):
        return "'" + value
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False, sort_keys=True)
