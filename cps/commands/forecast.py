"""The command of the monthly job: foresee the year, warn early, plan the next initiative."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cps.commands.common import languages, listed, path, say
from cps.errors import Finding, Text, UsageError
from cps.units import YUAN_PER_WAN

if TYPE_CHECKING:
    from cps.forecast.monthly import MonthlyForecast
    from cps.forecast.record import EarlyWarning
    from cps.panel.record import Panel

_DATA = "data/raw/demo"


def add_forecast(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``forecast``."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", help=f"ledger file or folder [{_DATA}]")
    source.add_argument("--panel", help="a saved panel by month, in place of ledgers")
    parser.add_argument("--units", help="crosswalk of unit names [data/units.toml]")
    parser.add_argument("--initiatives", help="folder of initiative files [data/initiatives]")
    parser.add_argument("--area", help="only the villages of this area [all]")
    parser.add_argument("--as-of", default="", help="last month known, YYYY-MM [last reported]")
    parser.add_argument("--thresholds", default="50,100", help="万元, with commas [%(default)s]")
    parser.add_argument("--past-years", type=int, default=5, help="to try it on [%(default)s]")
    parser.add_argument("--at", default="", help="further months to try it at, with commas")
    parser.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    parser.add_argument("--out", default="reports/forecast", help="[%(default)s]")
    parser.add_argument("--langs", default="zh,en", help="languages of pages [%(default)s]")
    parser.set_defaults(command=_forecast)


def _forecast(given: argparse.Namespace, lang: str) -> int:
    from cps.design.initiatives import load_initiatives
    from cps.forecast.monthly import forecast_year
    from cps.planning.sample import try_sample_plan
    from cps.report.forecast_files import write_forecast
    from cps.runs import save_run
    from cps.runs.forecast import make_forecast_run

    thresholds = _thresholds(given.thresholds)
    at_months = _months(given.at)
    offered = languages(given.langs)
    monthly, yearly = _panels(given)
    found = forecast_year(
        monthly,
        as_of=given.as_of,
        area=given.area,
        thresholds_yuan=thresholds,
        past_years=given.past_years,
        at_months=at_months,
        seed=given.seed,
    )
    planned, said = try_sample_plan(
        yearly,
        until_year=found.last_whole_year,
        others=load_initiatives(path(given.initiatives)),
        seed=given.seed,
    )
    run = make_forecast_run(
        found,
        planned=planned,
        sources=monthly.sources,
        parameters=_parameters(given),
        findings=said,
    )
    out = Path(given.out)
    written = write_forecast(run, out, languages=offered)
    save_run(run, out)
    _tell(found, lang)
    for one in written:
        print(one)
    return 0


def _panels(given: argparse.Namespace) -> tuple[Panel, Panel | None]:
    """Give the panel by month, and by year for the plan (None where no year is whole)."""
    from cps.errors import PanelError
    from cps.forecast.yearly import yearly_panel
    from cps.ledger.read import read_ledgers
    from cps.panel.build import build_panel
    from cps.panel.store import load_panel

    if given.panel:
        monthly = load_panel(given.panel)
        return monthly, yearly_panel(monthly)
    ledgers = read_ledgers(Path(given.data or _DATA))
    units = path(given.units)
    monthly = build_panel(ledgers, units=units, frequency="month")
    try:
        # Villages that report by quarter are in it too.
        return monthly, build_panel(ledgers, units=units)
    except PanelError:
        return monthly, None


def _parameters(given: argparse.Namespace) -> dict[str, Any]:
    names = ("data", "panel", "units", "initiatives", "area", "as_of", "thresholds", "past_years")
    return {
        name: value
        for name in (*names, "at", "seed", "out")
        if (value := getattr(given, name)) not in (None, "")
    }


def _thresholds(text: str) -> tuple[int, ...]:
    from cps.forecast.monthly import in_yuan

    try:
        found = in_yuan([float(one) for one in listed(text)])
    except (ValueError, OverflowError):
        found = ()
    if not found or min(found) <= 0:
        raise UsageError(
            Text(f"“{text}”不是以万元计的阈值", f"{text!r} is no list of thresholds in 万元"),
            where="--thresholds",
            mend=Text("按 50,100 的写法", "write it as 50,100"),
        )
    return found


def _months(text: str) -> tuple[int, ...]:
    found = listed(text)
    if not all(one.isascii() and one.isdigit() and 1 <= int(one) <= 11 for one in found):
        raise UsageError(
            Text(f"“{text}”不是 1 至 11 的月份", f"{text!r} is no list of months from 1 to 11"),
            where="--at",
            mend=Text("按 3,6,9 的写法", "write it as 3,6,9"),
        )
    return tuple(int(one) for one in found)


def _tell(found: MonthlyForecast, lang: str) -> None:
    outlook = found.outlook
    if outlook.is_synthetic:
        say(
            Text(
                "合成数据：以下各村都不是真实的村。",
                "Synthetic data: none of these is a real village.",
            ),
            lang,
        )
    say(
        Text(
            f"{outlook.year} 年截至 {outlook.month} 月：{outlook.n_units} 个村中预测 "
            f"{outlook.n_foreseen} 个，预警 {len(found.warnings)} 条",
            f"{outlook.year} to month {outlook.month}: {outlook.n_foreseen} of {outlook.n_units} "
            f"villages forecast, {len(found.warnings)} warnings",
        ),
        lang,
    )
    for one in found.warnings:
        say(_line(one), lang)
    _tell_findings(found.findings, lang)


def _tell_findings(findings: Sequence[Finding], lang: str) -> None:
    for one in findings:
        if one.severity != "note":
            say(Text(f"! {one.what.zh}", f"! {one.what.en}"), lang)


def _line(one: EarlyWarning) -> Text:
    wan = f"{one.threshold_yuan / YUAN_PER_WAN:g}"
    word = {
        "fall_below": Text(f"可能保不住 {wan} 万元", f"may lose {wan} 万元"),
        "not_reach": Text(f"难以达到 {wan} 万元", f"unlikely to reach {wan} 万元"),
    }[one.risk]
    reasons = Text(
        "；".join(reason.zh for reason in one.reasons),
        "; ".join(reason.en for reason in one.reasons),
    )
    return Text(f"  {one.unit}：{word.zh}。{reasons.zh}", f"  {one.unit}: {word.en}. {reasons.en}")
