"""What every reading carries, for any grid and date; intervals only where units are a sample."""

import json
import os
import shutil
import sys
from functools import partial

import numpy as np
import polars as pl
import pytest

from cps.errors import UsageError
from cps.indicators import registry
from cps.indicators.distribution import gini_influence, gini_of, theil_l_influence, theil_l_of
from cps.indicators.grid import deflate, grid_of_array, grid_of_panel
from cps.indicators.intervals import interval_of_pairs, interval_of_sample, interval_of_share
from cps.indicators.record import Ask, Basis
from cps.indicators.registry import (
    as_rows,
    indicators,
    measure_indicator,
    measure_indicators,
    measure_over_time,
    missing_needs,
)
from cps.indicators.summary import summarise_panel
from cps.panel.record import PANEL_KEYS, Panel


def village_grid(n=12, years=(2020, 2021, 2022, 2023), **options):
    rng = np.random.default_rng(1)
    level = rng.lognormal(np.log(8e5), 0.8, n)[:, None]
    values = level * np.exp(rng.normal(0.1, 0.15, (n, len(years))).cumsum(axis=1))
    return grid_of_array(
        values, periods=years, areas=["本街", "邻镇"] * (n // 2), **{"regimes": None, **options}
    )


GRID = village_grid(regimes=["2004", "2004", "2004", "2004"])
ASK = Ask(2023, base=2021)


def test_every_indicator_has_both_languages_a_formula_and_a_known_unit():
    units = {"measure", "percent", "points", "index", "ratio", "per_year", "times", "units", "yuan"}
    for name, one in indicators().items():
        assert name == one.name
        for text in (one.title, one.formula):
            assert text.zh.strip()
            assert text.en.strip()
        assert one.unit in units
        assert one.statistic or one.compute


def test_every_reading_states_basis_unit_coverage_and_formula():
    readings = measure_indicators(GRID, ASK)
    assert len(readings) > 50
    for one in readings:
        assert one.unit != "measure"
        assert one.n_units == 12
        assert 0 <= one.n_reported <= 12
        assert "总额口径" in one.basis.zh
        assert "2004年会计制度" in one.basis.zh
        assert one.period_label == "2023"
        assert one.value is not None or one.notes, one.indicator


def test_readings_are_plain_json_with_both_languages():
    rows = as_rows(measure_indicators(GRID, ASK))
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert set(rows[0]["title"]) == {"zh", "en"}


def test_the_whole_population_has_no_interval_and_says_why():
    found = measure_indicator("gini", GRID, ASK)
    assert (found.ci_low, found.level) == (None, None)
    assert "全部总体" in found.interval.zh
    partly = grid_of_array([1.0, 2.0, np.nan], periods=[2023])
    assert "不是随机抽样" in measure_indicator("gini", partly, Ask(2023)).interval.zh


def test_a_sample_has_intervals_around_the_value():
    sample = village_grid(n=40, is_sample=True)
    for name in ("mean", "median", "gini", "theil_t", "theil_l", "palma", "share_above_100"):
        found = measure_indicator(name, sample, ASK)
        assert found.ci_low <= found.value <= found.ci_high, name
        assert found.level == 0.95
    assert measure_indicator("total", sample, ASK).ci_low is None
    paired = measure_indicator("growth_year_on_year", sample, ASK)
    assert paired.ci_low < paired.value < paired.ci_high


@pytest.mark.parametrize(
    ("statistic", "influence", "truth"),
    [
        # Lognormal with σ = 0.6: G = 2Φ(σ/√2) − 1 and L = σ²/2 (Aitchison & Brown 1957).
        (gini_of, gini_influence, 0.32862),
        (theil_l_of, theil_l_influence, 0.18),
    ],
)
def test_the_studentised_interval_holds_its_level(statistic, influence, truth):
    rng = np.random.default_rng(9)
    hits = 0
    for seed in range(300):
        found = interval_of_sample(
            rng.lognormal(0, 0.6, 60),
            statistic,
            influence=influence,
            level=0.95,
            draws=399,
            seed=seed,
        )
        hits += found.low <= truth <= found.high
    # Davidson (2009): within about two points of 95% at n = 50 and tails like these; and two errors
    # of a share of 95% in 300 draws are 2.5 points.
    assert hits / 300 == pytest.approx(0.95, abs=0.04)


def test_wilson_s_interval_is_newcombe_s_and_stands_off_at_the_edge():
    # Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for n_with, n, low, high in (
        (81, 263, 25.53, 36.62),
        (15, 148, 6.24, 16.05),
        (0, 20, 0.00, 16.11),
        (1, 29, 0.61, 17.18),
    ):
        found = interval_of_share(n_with, n, level=0.95)
        assert (found.low, found.high) == pytest.approx((low, high), abs=0.006)


def test_few_units_and_draws_all_alike_give_no_interval_but_a_reason():
    ask = {"level": 0.95, "draws": 99, "seed": 0}
    few = interval_of_sample(np.arange(1.0, 6), gini_of, **ask)
    assert few.low is None
    assert "不足" in few.how.zh
    alike = interval_of_sample(np.full(20, 3.0), partial(np.mean, axis=-1), **ask)
    assert alike.low is None
    assert "相同" in alike.how.zh
    undefined = interval_of_sample(np.array([0.0] * 15 + [1.0] * 5), theil_l_of, **ask)
    assert undefined.low is None


def test_a_pair_of_periods_is_drawn_by_unit():
    before = np.arange(1.0, 31)
    found = interval_of_pairs(
        2 * before,
        before,
        lambda now, then: now.sum(axis=-1) / then.sum(axis=-1) + 1e-9 * then[..., 0],
        level=0.95,
        draws=199,
        seed=0,
    )
    assert found.low == pytest.approx(2, abs=1e-6)  # each unit doubled, whichever are drawn


def test_an_index_stands_beside_what_it_is_without_the_giant():
    grid = grid_of_array([1.0, 1.0, 1.0, 97.0], periods=[2023])
    found = measure_indicator("gini", grid, Ask(2023))
    assert found.value == pytest.approx(0.72)
    assert found.parts["without_largest_unit"] == 0


def test_jobs_know_no_accounting_system():
    jobs = grid_of_array(
        [[3.0, 4.0]], periods=[2023, 2024], regimes=["2004", "2023"], measure="persons"
    )
    found = measure_indicator("growth_year_on_year", jobs, Ask(2024))
    assert found.basis.zh == "非金额指标"
    assert found.notes == ()


def test_a_share_above_says_what_the_missing_could_change():
    grid = grid_of_array([60e4, 40e4, np.nan, 200e4], periods=[2023])
    found = measure_indicator("share_above_50", grid, Ask(2023))
    assert found.value == pytest.approx(200 / 3)
    assert found.parts["lowest_possible"] == 50
    assert found.parts["highest_possible"] == 75
    below = measure_indicator("shortfall0_50", grid, Ask(2023))
    assert below.value == pytest.approx(1 / 3)
    assert (below.parts["lowest_possible"], below.parts["highest_possible"]) == (0.25, 0.5)


def test_a_unit_on_the_threshold_is_neither_above_nor_short():
    grid = grid_of_array([50e4, 60e4], periods=[2023])
    assert measure_indicator("share_above_50", grid, Ask(2023)).value == 50
    assert measure_indicator("shortfall0_50", grid, Ask(2023)).value == 0


def test_a_change_of_shares_is_in_points_over_the_units_of_both_periods():
    grid = grid_of_array(
        [[40e4, 60e4], [60e4, 70e4], [40e4, np.nan], [10e4, 20e4]], periods=[2022, 2023]
    )
    found = measure_indicator("share_above_50_change", grid, Ask(2023, base=2022))
    assert found.unit == "points"
    assert found.value == pytest.approx(200 / 3 - 100 / 3)
    assert "个百分点" in found.formula.zh
    assert found.n_reported == 3


def test_levels_promised_for_a_year_are_not_asked_of_a_month():
    months = grid_of_array([[1e4, 2e4]], periods=[24276, 24277], frequency="month")
    with pytest.raises(UsageError, match="needs years"):
        measure_indicator("share_above_50", months, Ask(24277))
    jobs = grid_of_array([3.0, 4.0], periods=[2023], measure="persons")
    with pytest.raises(UsageError, match="元"):
        measure_indicator("share_above_50", jobs, Ask(2023))
    assert measure_indicator("mean", jobs, Ask(2023)).unit == "persons"
    assert "非金额" in measure_indicator("mean", jobs, Ask(2023)).basis.zh


@pytest.mark.parametrize(
    ("name", "ask", "message"),
    [
        ("ginni", Ask(2023), "gini"),
        ("gini", Ask(2030), "lack period 2030"),
        ("gini", Ask(2023, level=95), "level"),
        ("sigma_convergence", Ask(2023), "no base period"),
        ("sigma_convergence", Ask(2021, base=2022), "before the period"),
        ("sigma_convergence", Ask(2023, base=2010), "lack the base"),
        ("subsidy_dependence", Ask(2023), "subsidy_income_yuan"),
        ("theil_t_between", Ask(2023, groups=("a",) * 12), "one group only"),
        ("theil_t_between", Ask(2023, groups=("a", "b")), "one group a unit"),
    ],
)
def test_what_can_t_be_asked_is_refused_in_words(name, ask, message):
    with pytest.raises(UsageError, match=message):
        measure_indicator(name, GRID, ask)


def test_without_names_what_can_t_be_asked_is_left_out():
    names = {one.indicator for one in measure_indicators(GRID, Ask(2023))}
    assert "gini" in names
    assert "sigma_convergence" not in names
    assert missing_needs(indicators()["dividends"], GRID, ASK).en == "the data lack dividends_yuan"


def test_an_indicator_over_time_has_one_reading_a_period_that_can_be_asked():
    found = measure_over_time("gini", GRID, ASK)
    assert [one.period for one in found] == [2020, 2021, 2022, 2023]
    since = measure_over_time("sigma_convergence", GRID, ASK)
    assert [(one.base, one.period) for one in since] == [(2021, 2022), (2021, 2023)]
    with pytest.raises(UsageError, match="subsidy_income_yuan"):
        measure_over_time("subsidy_dependence", GRID, ASK)


def test_a_period_that_nobody_reported_gives_no_value_anywhere():
    empty = grid_of_array(np.full((3, 2), np.nan), periods=[2022, 2023], areas=["a", "b", "b"])
    for one in measure_indicators(empty, Ask(2023, base=2022)):
        assert one.value is None, one.indicator
        assert one.notes
        assert one.n_reported == 0


def test_fixed_prices_change_growth_and_leave_a_period_without_index_unreported():
    grid = grid_of_array([[100.0, 110.0, 121.0]], periods=[2021, 2022, 2023])
    real = deflate(grid, {2021: 100, 2022: 110}, base=2021)
    assert measure_indicator("growth_year_on_year", real, Ask(2022)).value == pytest.approx(0)
    assert np.isnan(real.at(2023)).all()
    assert "不变价（2021年价格）" in measure_indicator("mean", real, Ask(2022)).basis.zh
    with pytest.raises(UsageError, match="fixed prices"):
        deflate(real, {2021: 1}, base=2021)
    with pytest.raises(UsageError, match="price index"):
        deflate(grid, {2022: 1}, base=2021)


@pytest.mark.parametrize(
    "change",
    [
        {"periods": [2022]},
        {"periods": [2021, 2023]},
        {"units": ["甲", "甲"]},
        {"areas": ["a"]},
        {"components": {"subsidy_income_yuan": [1.0]}},
    ],
)
def test_a_grid_that_does_not_fit_is_refused(change):
    with pytest.raises(UsageError, match="does not fit"):
        grid_of_array(np.ones((2, 2)), **change)


def test_infinite_values_are_refused():
    with pytest.raises(UsageError, match="finite"):
        grid_of_array([1.0, np.inf])


def monthly_panel():
    rows = [
        {
            "unit": unit,
            "area": "本街" if unit != "丙" else "邻镇",
            "period": 2022 * 12 + month,
            "period_label": str(month),
            "regime": "2004" if month < 24 else "2023",
            "is_synthetic": True,
            "income_yuan": None if (unit, month) == ("乙", 5) else 10_000 * (1 + month),
            "jobs_persons": month,
        }
        for unit in "甲乙丙"
        for month in range(36)
    ]
    schema = {**PANEL_KEYS, "income_yuan": pl.Int64(), "jobs_persons": pl.Int64()}
    frame = pl.DataFrame(rows, schema=schema).sort("unit", "period")
    return Panel(frame, "month", "village", (), (), True)


def test_a_panel_becomes_years_or_its_own_periods():
    years = grid_of_panel(monthly_panel(), "income_yuan", area="本街")
    assert years.periods == (2022, 2023, 2024)
    assert years.units == ("乙", "甲")
    assert np.isnan(years.values[0, 0])  # a year that lacks a month is not reported
    assert years.values[1, 0] == 10_000 * 78
    assert years.regimes == ("2004", "2004", "2023")
    assert years.components["jobs_persons"][1].tolist() == [11, 23, 35]  # stocks at the year's end
    months = grid_of_panel(monthly_panel(), "income_yuan", by="own")
    assert months.values.shape == (3, 36)
    assert months.frequency == "month"
    assert grid_of_panel(monthly_panel(), "jobs_persons").is_stock


def test_readings_agree_with_the_tables_that_pages_show():
    panel = monthly_panel()
    tables = summarise_panel(panel, area="本街")
    grid = grid_of_panel(panel, "income_yuan", area="本街")
    levels, shares = tables["income_levels"], tables["income_thresholds"]
    place = next(
        i
        for i, (area, year) in enumerate(zip(levels["area"], levels["year"], strict=True))
        if (area, year) == ("本街", 2023)
    )
    for name in ("total", "mean", "median"):
        assert measure_indicator(name, grid, Ask(2023)).value == levels[name][place]
    assert (
        measure_indicator("gini", grid, Ask(2023)).value
        == (tables["income_inequality"]["gini"][place])
    )
    rows = zip(
        *(shares[key] for key in ("area", "year", "threshold_yuan", "share_above_pct")), strict=True
    )
    for area, year, threshold, share in rows:
        if (area, year) == ("本街", 2023):
            name = f"share_above_{threshold // 10_000}"
            assert measure_indicator(name, grid, Ask(2023)).value == share


def test_an_unknown_outcome_or_area_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="income_yuan"):
        grid_of_panel(monthly_panel(), "income_yan")
    with pytest.raises(UsageError, match="本街"):
        grid_of_panel(monthly_panel(), "income_yuan", area="本街道")


def test_a_basis_says_gross_or_net_regime_and_prices():
    net = Basis(income="net", prices="nominal", subsidies=True)
    assert net.words("2023").zh == "净额口径、含补助收入、名义值、2023年会计制度"
    assert net.words().en == "net, with subsidies, nominal"


def test_a_new_family_is_one_new_file(tmp_path, monkeypatch):
    folder = tmp_path / "kinds"
    shutil.copytree(registry.FOLDER, folder)
    (folder / "extra.py").write_text(NEW_FAMILY, encoding="utf-8")
    monkeypatch.setattr(registry, "FOLDER", folder)
    monkeypatch.setattr("cps.indicators.kinds.__path__", [str(folder)])
    try:
        found = measure_indicator("greatest", GRID, ASK)
        assert found.value == GRID.at(2023).max()
        (folder / "twice.py").write_text(NEW_FAMILY, encoding="utf-8")
        os.utime(folder, ns=(1, 1))
        with pytest.raises(UsageError, match="two homes"):
            indicators()
    finally:
        for name in ("extra", "twice"):
            sys.modules.pop(f"cps.indicators.kinds.{name}", None)


NEW_FAMILY = """
from cps.errors import Text
from cps.indicators.record import Indicator

INDICATORS = (
    Indicator(
        name="greatest",
        title=Text("最大值", "Greatest"),
        formula=Text("max xᵢ", "max xᵢ"),
        unit="measure",
        statistic=lambda values: values.max(axis=-1),
    ),
)
"""
