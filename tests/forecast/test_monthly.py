"""The monthly job: nothing later is seen, what can't be said is said, files are whole and alike."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cps.__main__ import main
from cps.demo import write_demo
from cps.errors import DesignError, UsageError
from cps.forecast import monthly
from cps.forecast._model import Chain
from cps.forecast.monthly import MonthlyForecast, in_yuan
from cps.forecast.parameters import check_parameters
from cps.forecast.yearly import yearly_panel
from cps.panel.record import PANEL_KEYS, Panel
from cps.panel.store import save_panel
from cps.planning.sample import try_sample_plan
from cps.report.forecast_files import forecast_csv, forecast_json, write_forecast
from cps.report.render import render_report
from cps.runs import Run, load_run, save_run
from cps.runs.forecast import make_forecast_run
from tests.forecast.worlds import draw_months

ROOT = Path(__file__).parents[2]
WAN = 10_000
QUICK = Chain(n_burn=30, n_keep=40, n_futures=10)
forecast_year = functools.partial(monthly.forecast_year, chain=QUICK)


def panel_of(seed: int = 5, *, n_units: int = 5, n_years: int = 4, **names: str) -> Panel:
    """Make a panel by month, 2019 on, of synthetic villages; ``names`` rename them."""
    months = draw_months(seed, n_units=n_units, n_years=n_years)
    rows = [
        {
            "unit": names.get(unit, unit),
            "area": "示例街道",
            "period": 12 * year + month,
            "period_label": f"{year}-{month + 1:02d}",
            "regime": "2004",
            "is_synthetic": True,
            "income_yuan": round(float(months.income_yuan[i, j, month])),
        }
        for i, unit in enumerate(months.units)
        for j, year in enumerate(months.years)
        for month in range(12)
    ]
    schema = {**PANEL_KEYS, "income_yuan": pl.Int64()}
    frame = pl.DataFrame(rows, schema=schema).sort("unit", "period")
    return Panel(frame, "month", "village", (), (), True)


def changed(panel: Panel, when: pl.Expr, income: int | None) -> Panel:
    value = pl.when(when).then(pl.lit(income, dtype=pl.Int64)).otherwise("income_yuan")
    frame = panel.frame.with_columns(income_yuan=value)
    return Panel(frame, panel.frequency, panel.unit_kind, (), (), True)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return panel_of()


@pytest.fixture(scope="module")
def found(panel: Panel) -> MonthlyForecast:
    return forecast_year(panel, as_of="2022-06", past_years=1)


@pytest.fixture(scope="module")
def run(panel: Panel, found: MonthlyForecast) -> Run:
    planned, missing = try_sample_plan(yearly_panel(panel), until_year=found.last_whole_year)
    return make_forecast_run(
        found,
        planned=planned,
        parameters={"as_of": "2022-06", "data": "somewhere"},
        findings=missing,
    )


def test_nothing_after_the_month_named_moves_the_forecast_or_its_back_test(
    panel: Panel, found: MonthlyForecast
) -> None:
    later = pl.col("period") > 12 * 2022 + 5
    assert forecast_year(changed(panel, later, 9 * WAN), as_of="2022-06", past_years=1) == found
    assert found.last_day == "2022-06-30"
    assert found.last_whole_year == 2021
    assert found.tested is not None
    assert found.tested.years == (2021,)
    assert found.tested.months == (6,)


def test_without_a_month_named_the_last_one_reported_is_taken(panel: Panel) -> None:
    silent = changed(panel, pl.col("period") > 12 * 2022 + 8, None)
    outlook = forecast_year(silent, past_years=0).outlook
    assert (outlook.year, outlook.month) == (2022, 9)


def test_december_is_tried_at_november_and_the_year_is_whole(panel: Panel) -> None:
    said = forecast_year(panel, as_of="2021-12", past_years=0)
    assert said.last_whole_year == 2021
    assert said.last_day == "2021-12-31"
    assert all(one.is_settled for village in said.outlook.villages for one in village.chances)


def test_a_village_that_reports_by_quarter_is_refused_by_name(panel: Panel) -> None:
    silent = changed(panel, pl.col("unit") == "示例村03", None)
    said = forecast_year(silent, as_of="2022-06", past_years=0)
    assert "示例村03" not in {one.unit for one in said.outlook.villages}
    (finding,) = [one for one in said.findings if one.code == "W-FORECAST-NO-MONTHS"]
    assert "示例村03" in finding.what.zh


def test_a_panel_without_months_is_refused(panel: Panel) -> None:
    by_year = yearly_panel(panel)
    assert by_year is not None
    with pytest.raises(DesignError, match="forecast from the months so far needs months"):
        forecast_year(by_year)


def test_without_a_whole_past_year_the_chances_are_called_untested() -> None:
    short = panel_of(n_years=2, n_units=3)
    said = forecast_year(short, as_of="2020-06")
    assert said.tested is None
    assert [one.code for one in said.findings] == ["W-FORECAST-UNTESTED"]
    page = render_report(make_forecast_run(said), language="zh")
    assert "以上概率未经检验" in page
    assert "无法模拟" in page  # and no plan was handed over
    unasked = make_forecast_run(forecast_year(short, as_of="2020-06", past_years=0))
    assert "这次没有要求用往年检验" in render_report(unasked, language="zh")


def test_a_rival_without_an_answer_is_left_out_and_named(panel: Panel) -> None:
    # A zero month in each village: exponential smoothing of logs has no answer.
    zeros = changed(panel, pl.col("period") == 12 * 2019 + 3, 0)
    said = forecast_year(zeros, as_of="2022-06", past_years=1)
    assert said.tested is not None
    assert {one.method for one in said.tested.scores} == {
        "pooled_seasons",
        "seasonal_naive",
        "naive_with_growth",
    }
    assert "W-FORECAST-UNTESTED" in {one.code for one in said.findings}


@pytest.mark.parametrize("as_of", ["2022", "2022-13", "2022/06", "六月"])
def test_what_is_no_month_is_refused(panel: Panel, as_of: str) -> None:
    with pytest.raises(UsageError, match="is no month"):
        forecast_year(panel, as_of=as_of)


def test_a_seed_below_zero_is_refused(panel: Panel) -> None:
    with pytest.raises(UsageError, match="seed can't be negative"):
        forecast_year(panel, seed=-1)


def test_a_negative_number_of_past_years_is_refused(panel: Panel) -> None:
    with pytest.raises(UsageError, match="past years can't be negative"):
        forecast_year(panel, past_years=-1)


def test_years_are_sums_of_whole_years_and_null_where_a_month_is_missing(panel: Panel) -> None:
    gap = changed(panel, (pl.col("unit") == "示例村01") & (pl.col("period") == 12 * 2020), None)
    by_year = yearly_panel(gap)
    assert by_year is not None
    assert by_year.frequency == "year"
    rows = {(one["unit"], one["period"]): one["income_yuan"] for one in by_year.frame.to_dicts()}
    assert rows["示例村01", 2020] is None
    own = panel.frame.filter(pl.col("unit") == "示例村02", pl.col("period") // 12 == 2021)
    assert rows["示例村02", 2021] == own["income_yuan"].sum()


def test_a_run_is_read_back_as_it_was_saved_and_renders_in_both_languages(
    run: Run, tmp_path: Path
) -> None:
    save_run(run, tmp_path)
    again = load_run(tmp_path)
    assert again.manifest.run_hash == run.manifest.run_hash
    assert "data" not in again.manifest.parameters  # a place, no part of what a run says
    for language, mark in (("zh", "合成数据"), ("en", "Synthetic data")):
        page = render_report(again, language=language)
        assert page == render_report(run, language=language)
        assert page.count(mark) > 5
        assert page.count("<svg") == 3
    for one in run.extra["forecast"]["warnings"]:
        assert one["unit"] in page


def test_no_chance_that_draws_have_estimated_is_printed_as_certain(run: Run) -> None:
    page = render_report(run, language="en")
    table = page[page.index("The year of each village") : page.index("Tried on past years")]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", table)
    assert any(cell in ("under 1%", "over 99%") for cell in cells)
    assert not {"0.0%", "100.0%"} & set(cells)


def test_a_forecast_that_a_rival_beats_asks_for_care(run: Run) -> None:
    scores = [dict(one) for one in run.extra["forecast"]["tested"]["scores"]]
    for one in scores:
        one["crps_log"] = 0.1 if one["method"] == "seasonal_naive" else 0.2
    tested = {**run.extra["forecast"]["tested"], "scores": scores}
    extra = {**run.extra, "forecast": {**run.extra["forecast"], "tested": tested}}
    page = render_report(dataclasses.replace(run, extra=extra), language="en")
    assert re.search(r"On these cases (<bdi>)?seasonal naive(</bdi>)? has a smaller error", page)
    assert "take the chances above with care" in page


def test_the_table_marks_synthetic_rows_and_holds_no_formula() -> None:
    evil = panel_of(n_units=3, 示例村01="=cmd()", 示例村02="＠x")
    said = forecast_year(evil, as_of="2022-06", past_years=0)
    rows = list(csv.reader(io.StringIO(forecast_csv(make_forecast_run(said)))))
    assert len(rows) == 4
    assert all(re.search(r"[\u4e00-\u9fff].*[a-z]", head) for head in rows[0])
    assert {row[0] for row in rows[1:]} == {"合成数据 synthetic"}
    assert {row[1] for row in rows[1:]} == {"'=cmd()", "'＠x", "示例村03"}
    for row in rows[1:]:
        assert not any(cell.startswith(("=", "+", "-", "@", "＝", "＠")) for cell in row)


def test_files_are_the_same_bytes_for_the_same_inputs(
    panel: Panel, run: Run, found: MonthlyForecast, tmp_path: Path
) -> None:
    again = forecast_year(panel, as_of="2022-06", past_years=1)
    assert again == found
    first = write_forecast(run, tmp_path / "a")
    second = write_forecast(run, tmp_path / "b")
    assert [one.read_bytes() for one in first] == [one.read_bytes() for one in second]
    assert [one.name for one in first] == ["forecast.json", "forecast.csv"] + ["index.html"] * 2
    body = json.loads(first[0].read_text(encoding="utf-8"))
    assert body == json.loads(json.dumps(forecast_json(run), allow_nan=False))
    assert body["is_synthetic"] is True


def test_the_command_writes_prints_and_ends_as_the_house_ends(
    panel: Panel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_month, yearly = tmp_path / "monthly", tmp_path / "yearly"
    save_panel(panel, by_month)
    by_year = yearly_panel(panel)
    assert by_year is not None
    save_panel(by_year, yearly)
    out = tmp_path / "out"
    asked = ["forecast", "--panel", str(by_month), "--out", str(out), "--lang", "zh"]
    line = [*asked, "--as-of", "2022-06", "--thresholds", "20,300", "--past-years", "0"]
    assert main(line) == 0
    told = capsys.readouterr().out
    assert told.startswith("合成数据")
    assert "难以达到 300 万元" in told
    body = json.loads((out / "forecast.json").read_text(encoding="utf-8"))
    assert body["outlook"]["thresholds_yuan"] == [20 * WAN, 300 * WAN]
    assert {one.name for one in out.iterdir()} == {
        "forecast.json",
        "forecast.csv",
        "run.json",
        "circumstances.json",
        "zh",
        "en",
    }
    assert load_run(out).kind == "forecast"
    for wrong in (["--thresholds", "五十"], ["--thresholds", "inf"], ["--at", "12"]):
        assert main([*asked, *wrong]) == 2
    assert main([*asked, "--as-of", "2031-01"]) == 2
    assert main(["forecast", "--panel", str(yearly), "--out", str(out)]) == 5


def test_thresholds_are_brought_to_yuan() -> None:
    assert in_yuan([50, 0.5]) == (500_000, 5_000)


def test_the_notebook_gives_what_the_command_gives(tmp_path: Path) -> None:
    ledgers = tmp_path / "data" / "raw" / "street"
    ledgers.mkdir(parents=True)
    whole = tmp_path / "whole" / "raw" / "demo"
    write_demo(whole)
    for one in whole.glob("*示例街道_经营性收入*"):
        shutil.copy(one, ledgers)
    book = json.loads((ROOT / "notebooks" / "forecast.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(one["source"]) for one in book["cells"] if one["cell_type"] == "code"]
    given = {
        "data": str(ledgers),
        "initiatives": str(ROOT / "data" / "initiatives"),
        "as_of": "2024-06",
        "past_years": 0,
        "out": str(tmp_path / "by_notebook"),
    }
    namespace: dict[str, object] = {}
    exec(cells[0], namespace)  # noqa: S102 - the notebook of this tree
    namespace.update(given)
    for cell in cells[1:]:
        exec(cell, namespace)  # noqa: S102
    line = ["forecast", "--data", str(ledgers), "--as-of", "2024-06", "--past-years", "0"]
    assert main([*line, "--out", str(tmp_path / "by_command")]) == 0
    ours, theirs = (
        json.loads((tmp_path / name / "forecast.json").read_text(encoding="utf-8"))
        for name in ("by_notebook", "by_command")
    )
    for name in ("outlook", "warnings", "next_initiative", "findings", "data_sha256"):
        assert ours[name] == theirs[name]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"asof": "2024-06"}, "did you mean 'as_of'"),
        ({"past_years": "5"}, "must be int"),
        ({"past_years": True}, "must be int"),
        ({"thresholds_wan": []}, "no list of thresholds"),
        ({"thresholds_wan": [50, -1]}, "no list of thresholds"),
        ({"area": None}, "must be str"),
    ],
)
def test_a_wrong_parameter_of_the_notebook_is_refused(
    change: dict[str, object], words: str
) -> None:
    given = {
        "data": "a",
        "initiatives": "b",
        "as_of": "",
        "area": "",
        "thresholds_wan": [50, 100],
        "past_years": 5,
        "seed": 0,
        "out": "c",
    }
    assert check_parameters(given)["thresholds_wan"] == "50,100"
    with pytest.raises(UsageError) as caught:
        check_parameters({**given, **change})
    assert words in caught.value.message("en")


def test_simulated_worlds_say_what_the_record_says() -> None:
    from tests.forecast.calibration import simulate

    found = simulate(6, 6, chain=Chain(n_burn=50, n_keep=60, n_futures=6))
    # 96 villages of 6 worlds, and the record (docs/forecast.md) is 0.79 and 0.95: each share
    # lies within three of its own errors, with 0.02 for the shorter chain.
    for one in found[:2]:
        assert abs(one.came - one.said) <= 3 * max(one.error, 0.03) + 0.02
    assert sum(one.n for one in found[2:]) == 2 * 96
    assert np.mean([one.said for one in found[2:]]) == pytest.approx(
        np.mean([one.came for one in found[2:]]), abs=0.15
    )
