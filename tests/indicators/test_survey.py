"""All indicators of an area at a date: which year is asked, what stands beside it, what is absent."""

from __future__ import annotations

import csv
import datetime
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cps.__main__ import main
from cps.design.record import Exclusion, Initiative, TreatedUnit
from cps.errors import Text, UsageError
from cps.indicators.amounts import amounts_by_year
from cps.indicators.catalogue import catalogue, handbook_table
from cps.indicators.readings import read_areas
from cps.indicators.registry import indicators
from cps.indicators.survey import survey_area
from cps.panel.record import PANEL_KEYS, Panel
from cps.panel.store import save_panel

HANDBOOK = Path(__file__).parents[2] / "docs" / "indicators.md"


def panel_of(
    *, years: range = range(2018, 2025), gap: tuple[str, int] | None = None, months: bool = False
) -> Panel:
    """Give 12 villages of 本街, 10 of 邻镇 and 4 of 游镇, growing by a tenth a year."""
    rows: list[dict[str, Any]] = []
    places = [("本街", 12), ("邻镇", 10), ("游镇", 4)]
    for area, n in places:
        for k in range(n):
            unit = f"{area}{k:02d}"
            for year in years:
                yearly = int(200_000 * (1 + k) * 1.1 ** (year - 2018))
                for month in range(12 if months else 1):
                    value = yearly // 12 if months else yearly
                    rows.append(
                        {
                            "unit": unit,
                            "area": area,
                            "period": 12 * year + month if months else year,
                            "period_label": str(year),
                            "regime": "2023" if year >= 2024 else "2004",
                            "is_synthetic": True,
                            "income_yuan": None if (unit, year) == gap else value,
                            "jobs_persons": 10 + k,
                        }
                    )
    schema = {**PANEL_KEYS, "income_yuan": pl.Int64(), "jobs_persons": pl.Int64()}
    frame = pl.DataFrame(rows, schema=schema, orient="row").sort("unit", "period")
    return Panel(frame, "month" if months else "year", "village", (), (), True)


def initiative(**changes: Any) -> Initiative:
    given: dict[str, Any] = {
        "id": "one",
        "name": Text("项目", "initiative"),
        "description": Text("", ""),
        "format": "bonsai",
        "provenance": "illustrative",
        "stands_for": (),
        "is_synthetic": True,
        "unit_kind": "village",
        "frequency": "year",
        "outcomes": ("income_yuan",),
        "treated": (TreatedUnit("本街03", datetime.date(2021, 5, 1)),),
        "comparison_areas": ("本街", "邻镇", "游镇"),
        "exclusions": (Exclusion(None, "游镇", "contaminated", Text("", "")),),
        "anticipation": 0,
        "assumptions": (),
        "source_sha256": "",
    }
    return Initiative(**{**given, **changes})


def test_the_date_is_the_last_whole_year_and_the_base_the_one_before_the_first_start() -> None:
    panel = panel_of(gap=("本街02", 2024))
    found = read_areas(panel, [initiative()], area="本街")
    assert (found["asked"]["period"], found["asked"]["base"]) == (2023, 2020)
    whole = read_areas(panel_of(), [initiative()], area="本街")
    assert whole["asked"]["period"] == 2024
    early = initiative(treated=(TreatedUnit("本街03", datetime.date(2016, 1, 1)),))
    assert read_areas(panel, [early], area="本街")["asked"]["base"] == 2018


def test_every_indicator_is_read_or_named_absent_with_what_it_lacks() -> None:
    found = survey_area(panel_of(), area="本街")
    read = {one.indicator for one in found.readings}
    absent = {one.indicator: one for one in found.absent}
    assert read | set(absent) == set(indicators())
    assert not read & set(absent)
    assert absent["subsidy_dependence"].reason == Text(
        "数据中没有补助收入", "the data lack subsidies"
    )
    assert absent["subsidy_dependence"].needs == ("subsidy_income_yuan",)
    assert absent["growth_on_previous"].needs == ("within_year",)
    for one in found.readings:
        assert one.value is not None or one.notes, one.indicator


def test_areas_compared_stand_beside_the_target_and_excluded_ones_do_not() -> None:
    found = read_areas(panel_of(), [initiative()], area="本街")
    places = {(row["scope"], row["area"]) for row in found["readings"]}
    assert places == {("target", "本街"), ("comparison", "邻镇"), ("everywhere", None)}
    split = next(
        row
        for row in found["readings"]
        if row["indicator"] == "theil_t_between" and row["scope"] == "target"
    )
    assert split["table"]["group"] == ["host", "other"]
    assert split["parts"]["within"] + split["parts"]["between"] == pytest.approx(
        split["parts"]["total"], rel=1e-12
    )


def test_readings_across_the_accounting_break_say_so_and_are_plain_json() -> None:
    found = read_areas(panel_of(), [initiative()], area="本街")
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    since = next(row for row in found["readings"] if row["indicator"] == "growth_since_base")
    assert any("会计制度" in note["zh"] for note in since["notes"])
    alone = next(row for row in found["readings"] if row["indicator"] == "gini")
    assert not alone["notes"]
    assert found["asked"]["regimes"]["2024"] != found["asked"]["regimes"]["2023"]


def test_a_series_has_every_single_date_indicator_at_every_year() -> None:
    series = read_areas(panel_of(), [initiative()], area="本街")["series"]
    statistics = {name for name, one in indicators().items() if one.statistic is not None}
    rows = list(zip(series["scope"], series["outcome"], series["indicator"], strict=True))
    for name in statistics:
        assert rows.count(("target", "income_yuan", name)) == 7, name
    assert rows.count(("target", "jobs_persons", "mean")) == 7
    assert ("target", "jobs_persons", "gini") not in rows


def test_months_give_what_is_asked_of_months_and_years_the_rest() -> None:
    found = survey_area(panel_of(years=range(2021, 2024), months=True), area="本街")
    by_name = {one.indicator: one for one in found.readings}
    assert by_name["growth_on_previous"].period_label == "2023-12"
    assert by_name["growth_cumulative"].value == pytest.approx(10, abs=0.01)
    assert by_name["gini"].period_label == "2023"


def test_convergence_is_measured_a_year_later_where_no_year_comes_before_the_base() -> None:
    by_name = {
        one.indicator: one for one in survey_area(panel_of(), area="本街", base=2018).readings
    }
    assert by_name["beta_convergence"].base_label == "2019"
    assert by_name["beta_convergence"].parts["instrument_period"] == 2018
    assert by_name["sigma_convergence"].base_label == "2018"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"period": 2030}, "lack the year 2030"),
        ({"period": 2020, "base": 2021}, "not before"),
        ({"area": "本街道"}, "本街"),
        ({"names": ["ginni"]}, "gini"),
    ],
)
def test_what_can_t_be_asked_is_refused_with_what_can(asked: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        survey_area(panel_of(), **asked)


def test_the_handbook_prints_the_catalogue_as_the_code_has_it() -> None:
    text = HANDBOOK.read_text(encoding="utf-8")
    assert handbook_table("en") in text, "run: cps indicators --list --format markdown --lang en"
    assert len(catalogue()) == len(indicators())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "panel"
    save_panel(panel_of(), folder)
    return folder


def test_the_command_lists_formulas_and_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["indicators", "--list", "--lang", "zh"]) == 0
    said = capsys.readouterr().out
    for one in catalogue():
        assert one.name in said
        assert one.formula.zh in said
    assert "需要：补助收入" in said or "补助收入" in said


def test_the_command_measures_any_date_and_area_and_marks_made_up_data(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["indicators", "--panel", str(saved), "--date", "2022", "--area", "邻镇"]
    assert main([*asked, "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Synthetic data")
    assert "Gini coefficient  gini" in said
    assert "10/10" in said
    assert "the data lack subsidies" in said
    assert main([*asked, "--format", "json", "--lang", "zh"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["is_synthetic"], found["area"], found["period"]) == (True, "邻镇", 2022)
    assert main([*asked, "--format", "csv", "--lang", "zh"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out.removeprefix("\ufeff"))))
    assert {row["data"] for row in rows} == {"合成数据"}
    gini = next(row for row in rows if row["indicator"] == "gini")
    reading = next(one for one in found["readings"] if one["indicator"] == "gini")
    assert float(gini["value"]) == reading["value"]
    assert len(rows) == len(found["readings"]) + len(found["absent"])


def test_no_text_of_the_csv_can_become_a_formula(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["indicators", "--panel", str(saved), "--format", "csv", "--area", "all"]) == 0
    for row in csv.reader(io.StringIO(capsys.readouterr().out)):
        for cell in row:
            assert not cell.startswith(("=", "@", "+")), cell


def test_the_command_refuses_a_year_that_the_data_lack(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["indicators", "--panel", str(saved), "--date", "2099", "--lang", "en"]) == 2
    said = capsys.readouterr().err
    assert "lack the year 2099" in said
    assert "choose from 2018 to 2024" in said


AMOUNTS = """village,month,item,value,unit
本街00,2024,补助收入,5,万元
本街01,2024Q1,补助收入,10000,元
本街01,2024Q2,补助收入,10000,元
本街01,2024Q3,补助收入,10000,元
本街01,2024Q4,补助收入,10000,元
本街02,2024-01,补助收入,10000,元
本街02,2024-02,补助收入,10000,元
本街00,2024,总收入,1,万元
"""


def test_a_canonical_table_gives_parts_by_whole_years_only() -> None:
    found = amounts_by_year(pl.read_csv(io.StringIO(AMOUNTS), infer_schema_length=0))
    assert found.sort("unit").rows() == [
        ("本街00", "subsidy_income_yuan", 2024, 50_000.0),
        # Four quarters are a year; two months are none, and an item that no indicator takes is left.
        ("本街01", "subsidy_income_yuan", 2024, 40_000.0),
    ]


def test_codes_and_plain_columns_are_read_too_and_stocks_at_the_year_s_end() -> None:
    table = pl.DataFrame(
        {
            "unit": ["a"] * 5,
            "period": ["2023Q1", "2023Q2", "2023Q3", "2023Q4", "2023"],
            "item": ["members_persons"] * 4 + ["dividends_yuan"],
            "value": [90, 95, 99, 100, 7],
        }
    )
    found = dict(amounts_by_year(table).select("item", "value").iter_rows())
    assert found == {"members_persons": 100.0, "dividends_yuan": 7.0}


@pytest.mark.parametrize(
    "table",
    [
        "unit,item,value\na,补助收入,1\n",
        "unit,period,item,value\na,2023年,补助收入,1\n",
        "unit,period,item,value\na,2023,补助收入,约5万\n",
    ],
)
def test_a_table_of_amounts_that_can_t_be_read_is_refused(table: str) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        amounts_by_year(pl.read_csv(io.StringIO(table), infer_schema_length=0))


def test_the_command_takes_parts_of_income_and_prices(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts, prices = tmp_path / "parts.csv", tmp_path / "prices.csv"
    parts.write_text(AMOUNTS, encoding="utf-8")
    prices.write_text(
        "year,index\n"
        + "".join(f"{year},{100 * 1.1 ** (year - 2018)}\n" for year in range(2018, 2025)),
        encoding="utf-8",
    )
    asked = ["indicators", "--panel", str(saved), "--area", "本街", "--format", "json"]
    assert main([*asked, "--amounts", str(parts), "--only", "subsidy_dependence"]) == 0
    (reading,) = json.loads(capsys.readouterr().out)["readings"]
    assert reading["n_reported"] == 2
    assert main([*asked, "--prices", str(prices), "--only", "growth_since_base"]) == 0
    (reading,) = json.loads(capsys.readouterr().out)["readings"]
    # Incomes grow by a tenth a year, and so do prices.
    assert reading["value"] == pytest.approx(0, abs=1e-4)
    assert "2024年价格" in reading["basis"]["zh"]
    assert main([*asked, "--prices", str(tmp_path / "none.csv")]) == 2
    assert "--prices" in capsys.readouterr().err
