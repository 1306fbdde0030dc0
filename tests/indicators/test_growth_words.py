"""Growth words against published official sentences, the base periods they name, and their refusals."""

import numpy as np
import pytest

from cps.errors import UsageError
from cps.indicators.grid import grid_of_array
from cps.indicators.growth import growth, growth_each, mean_rate_pct, times_to_pct
from cps.indicators.record import Ask
from cps.indicators.registry import measure_indicator


@pytest.mark.parametrize(
    ("now", "before", "word", "digits", "sentence"),
    [
        # National Bureau of Statistics, 75 years of the People's Republic, 23 September 2024: built-up
        # area 7438 km² in 1981, 62038 km² in 2023, "增加了54600平方公里，增长了7.3倍".
        (62038, 7438, "times", 1, "增长 7.3 倍（即增长 734.1%）"),
        # The same: share of townspeople 66.16% at the end of 2023, "比1949年末提高55.52个百分点".
        (66.16, 10.64, "points", 2, "提高 55.52 个百分点"),
        # Statistical communiqué of 2023: "66.16%，比上年末提高0.94个百分点".
        (66.16, 65.22, "points", 2, "提高 0.94 个百分点"),
        # NBS, 17 January 2024: townspeople 93267万, "比上年末增加1196万人"; countrypeople 47700万,
        # "减少1404万人": as rates.
        (93267, 93267 - 1196, "since_base", 1, "比基期增长 1.3%"),
        (47700, 47700 + 1404, "since_base", 1, "比基期下降 2.9%"),
        # Consumer prices of December 2017, the month of a year before = 100: "同比上涨1.8%".
        (101.8, 100, "year_on_year", 1, "同比增长 1.8%"),
        # Minfeng's filings: net profit 4843.13万, +211.70%.
        (4843.13, 4843.13 / 3.117, "year_on_year", 2, "同比增长 211.70%"),
        (98, 100, "on_previous", 1, "环比下降 2.0%"),
        (100.01, 100, "on_previous", 1, "环比持平"),
        (40.0, 40.0, "points", 1, "持平"),
        (200, 100, "times", 1, "增长 1.0 倍（即增长 100.0%）"),  # 翻一番
    ],
)
def test_the_sentence_is_the_official_one(now, before, word, digits, sentence):
    assert growth(now, before, word=word, digits=digits).phrase.zh == sentence


def test_growing_x_times_is_x_hundred_per_cent():
    found = growth(350, 100, word="times")
    assert times_to_pct(found.value) == pytest.approx(growth(350, 100, word="since_base").value)
    assert found.value == pytest.approx(2.5)
    assert "3.5 times the base" in found.phrase.en


def test_the_formula_is_printed_with_its_numbers():
    formula = growth(120, 100, word="year_on_year").formula
    assert formula.zh == "（本期 ÷ 上年同期 − 1）× 100% = (120 ÷ 100 − 1) × 100% = +20.0%"
    assert "same period a year before" in formula.en
    points = growth(47.5, 40.0, word="points").formula
    assert points.zh == "本期占比 − 对比期占比 = 47.50% − 40.00% = +7.5 个百分点"


def test_a_fall_is_never_told_in_times_and_a_base_of_zero_gives_no_rate():
    fall = growth(50, 100, word="times")
    assert fall.value is None
    assert fall.phrase.zh.startswith("下降 50.0%")
    for base in (0, -5):
        found = growth(10, base, word="year_on_year")
        assert found.value is None
        assert "基数不为正" in found.phrase.zh


def test_turning_negative_is_told_in_words_and_not_as_a_rate():
    found = growth(-10, 100, word="year_on_year")
    assert found.value is None
    assert found.phrase.zh == "由正转负，不计算增速"
    grid = grid_of_array([[100, -10]], periods=[2022, 2023])
    for name in ("growth_since_base", "growth_per_year"):
        reading = measure_indicator(name, grid, Ask(2023, base=2022))
        assert reading.value is None
        assert reading.notes


def test_an_unknown_word_and_a_missing_end_are_refused():
    with pytest.raises(UsageError, match="growth word"):
        growth(1, 1, word="yoy")
    with pytest.raises(UsageError, match="both numbers"):
        growth(float("nan"), 1, word="points")


def test_growth_of_each_unit_is_absent_where_it_can_t_be_had():
    found = growth_each([110, np.nan, 5, 5], [100, 100, 0, -1])
    assert found[0] == pytest.approx(10)
    assert np.isnan(found[1:]).all()


def test_the_mean_rate_compounds_from_one_end_to_the_other():
    assert mean_rate_pct(121, 100, 2) == pytest.approx(10)
    assert mean_rate_pct(100, 400, 2) == pytest.approx(-50)
    assert mean_rate_pct(0, 1, 3) is None
    assert mean_rate_pct(2, 1, 0) is None


MONTHS = np.arange(1.0, 25.0)[None, :]  # January 2022 is 1, December 2023 is 24
GRID = grid_of_array(MONTHS, periods=range(2022 * 12, 2024 * 12), frequency="month")


def test_each_word_has_its_own_base_period():
    june = Ask(2023 * 12 + 5)
    assert measure_indicator("growth_year_on_year", GRID, june).value == pytest.approx(
        200
    )  # 18 on 6
    assert measure_indicator("growth_on_previous", GRID, june).value == pytest.approx(100 / 17)
    # January to June: 13 + … + 18 on 1 + … + 6.
    assert measure_indicator("growth_cumulative", GRID, june).value == pytest.approx(
        (93 / 21 - 1) * 100
    )
    since = Ask(2023 * 12 + 5, base=2022 * 12 + 8)
    assert measure_indicator("growth_since_base", GRID, since).value == pytest.approx(100)
    assert measure_indicator("growth_times", GRID, since).value == pytest.approx(1)


def test_growth_on_the_month_before_says_that_the_season_is_in_it():
    found = measure_indicator("growth_on_previous", GRID, Ask(2023 * 12))
    assert any("季节" in note.zh for note in found.notes)
    assert found.base_label == "2022-12"


def test_years_have_no_previous_period_within_them_and_stocks_no_cumulative_sum():
    years = grid_of_array([[1.0, 2.0]], periods=[2022, 2023])
    with pytest.raises(UsageError, match="months or quarters"):
        measure_indicator("growth_on_previous", years, Ask(2023))
    jobs = grid_of_array(
        MONTHS,
        periods=range(2022 * 12, 2024 * 12),
        frequency="month",
        measure="persons",
        is_stock=True,
    )
    with pytest.raises(UsageError, match="does not sum"):
        measure_indicator("growth_cumulative", jobs, Ask(2023 * 12 + 5))


def test_growth_with_gaps_is_like_for_like_and_says_so():
    grid = grid_of_array([[100, 110], [50, np.nan], [np.nan, 900]], periods=[2022, 2023])
    found = measure_indicator("growth_year_on_year", grid, Ask(2023))
    assert found.value == pytest.approx(10)
    assert (found.n_reported, found.n_units) == (1, 3)
    assert any("可比口径" in note.zh for note in found.notes)


def test_growth_without_the_period_a_year_before_is_absent_with_the_reason():
    found = measure_indicator("growth_year_on_year", GRID, Ask(2022 * 12 + 3))
    assert found.value is None
    assert "对比期" in found.notes[0].zh


def test_growth_over_the_accounting_break_is_marked():
    grid = grid_of_array([[100, 110]], periods=[2023, 2024], regimes=["2004", "2023"])
    found = measure_indicator("growth_year_on_year", grid, Ask(2024))
    assert any("跨会计制度" in note.zh for note in found.notes)
    assert "2004+2023" in found.basis.zh


def test_mean_yearly_growth_of_months_is_in_years():
    months = 1.01 ** np.arange(25.0)[None, :]
    grid = grid_of_array(months, periods=range(2022 * 12, 2022 * 12 + 25), frequency="month")
    found = measure_indicator("growth_per_year", grid, Ask(2024 * 12, base=2022 * 12))
    assert found.value == pytest.approx((1.01**12 - 1) * 100)
    assert found.parts["years"] == 2
