"""What a forecast leaves for other programs: a table for spreadsheets, and everything as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cps.provenance import write_json, write_text
from cps.report.render import OFFERED, write_report
from cps.runs import Run

_BOM = "\ufeff"  # without it spreadsheets take UTF-8 for the system's own encoding
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_COLUMNS = (
    ("data", "数据 data"),
    ("unit", "村 village"),
    ("year", "年份 year"),
    ("month", "截至月份 to month"),
    ("to_date_yuan", "累计（元） to date (yuan)"),
    ("n_reported", "已报月数 months reported"),
    ("n_gaps", "缺报月数 months missing"),
    ("same_months_last_year_yuan", "上年同期（元） same months last year (yuan)"),
    ("last_year_yuan", "上年全年（元） last year (yuan)"),
    ("median_yuan", "全年中位数（元） median of the year (yuan)"),
    ("lower_yuan", "下限（元） lower end (yuan)"),
    ("upper_yuan", "上限（元） upper end (yuan)"),
)
_SYNTHETIC = {True: "合成数据 synthetic", False: "台账 ledgers"}
_RISKS = {"fall_below": "可能保不住 may lose it", "not_reach": "难以达到 unlikely"}


def write_forecast(run: Run, out: Path | str, *, languages: Sequence[str] = OFFERED) -> list[Path]:
    """Write ``forecast.json``, ``forecast.csv`` and the pages of a forecast; each is renamed whole.

    Parameters
    ----------
    run : Run
        As ``make_forecast_run`` gives it.

    Returns
    -------
    list of Path
    """
    folder = Path(out)
    write_json(folder / "forecast.json", forecast_json(run))
    write_text(folder / "forecast.csv", _BOM + forecast_csv(run))
    pages = write_report(run, folder, languages=languages)
    return [folder / "forecast.json", folder / "forecast.csv", *pages]


def forecast_json(run: Run) -> dict[str, Any]:
    """Give a forecast as plain values, marked if its data were made up."""
    return {
        "is_synthetic": run.is_synthetic,
        "as_of": run.manifest.as_of,
        "run_hash": run.manifest.run_hash,
        "data_sha256": run.manifest.data_sha256,
        **run.extra["forecast"],
        "next_initiative": run.extra["next_initiative"],
        "findings": [
            {
                "code": one.code,
                "severity": one.severity,
                "where": one.where,
                "zh": one.what.zh,
                "en": one.what.en,
            }
            for one in run.findings
        ],
    }


def forecast_csv(run: Run) -> str:
    """Give one row a village: its outlook, its chances and its warnings; heads in both languages.

    No text in it can become a formula of a spreadsheet. The first column says of each row whether
    its data were made up.
    """
    found = run.extra["forecast"]
    outlook = found["outlook"]
    warned: dict[str, list[str]] = {}
    for one in found["warnings"]:
        said = f"{_RISKS[one['risk']]} {one['threshold_yuan']:,}"
        warned.setdefault(one["unit"], []).append(said)
    chances = [
        f"超 {one:,} 元的概率 chance above {one:,} yuan" for one in outlook["thresholds_yuan"]
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*(head for _, head in _COLUMNS), *chances, "预警 warning"])
    for village in outlook["villages"]:
        row = {
            **village,
            "data": _SYNTHETIC[run.is_synthetic],
            "year": outlook["year"],
            "month": outlook["month"],
        }
        cells = [_cell(row[name]) for name, _ in _COLUMNS]
        cells += [f"{one['probability']:.4f}" for one in village["chances"]]
        writer.writerow([*cells, _cell("；".join(warned.get(village["unit"], [])))])
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}"  # 元
    text = str(value)
    is_text = isinstance(value, str)
    return f"'{text}" if is_text and text.startswith(_STARTS_FORMULA) else text
