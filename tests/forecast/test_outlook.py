"""What a forecast must give, refuse and say, and that it is calibrated on known processes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.errors import DesignError, UsageError
from cps.forecast._model import Chain
from cps.forecast.early_warning import early_warnings
from cps.forecast.months import Months, from_rows, months_of
from cps.forecast.outlook import foresee_year, predictive_draws
from cps.forecast.record import Outlook
from cps.forecast.scores import pit
from cps.panel.record import Panel
from tests.forecast.worlds import draw_months

QUICK = Chain(n_burn=50, n_keep=60, n_futures=6)


@pytest.fixture(scope="module")
def outlook(few_months: Months) -> Outlook:
    return foresee_year(few_months, year=2022, month=6, chain=QUICK)


def _with(months: Months, income: np.ndarray) -> Months:
    return Months(months.units, months.years, income, months.is_synthetic)


@pytest.mark.parametrize("catch_up", [0.0, 1.0])
def test_forecasts_of_a_known_process_are_calibrated(catch_up: float) -> None:
    values = []
    for seed, month in enumerate((2, 5, 7, 10)):
        months = draw_months(seed, catch_up=catch_up)
        known = months.seen_until(2023, month)
        draws, _ = predictive_draws(known, breaks=(), chain=QUICK, seed=seed)
        values.append(pit(draws, months.totals_yuan()[:, -1]))
    found = np.concatenate(values)
    # 64 villages, of which those of one world share the year: the s.d. of the shares is about 0.055
    # and 0.03 if calibrated. Over 25 worlds of 20 they are 0.79 and 0.96.
    assert np.mean((found > 0.1) & (found < 0.9)) == pytest.approx(0.80, abs=0.13)
    assert np.mean((found > 0.025) & (found < 0.975)) >= 0.86
    assert abs(found.mean() - 0.5) < 0.12


def test_gaps_are_drawn_and_never_taken_for_zero() -> None:
    months = draw_months(11)
    whole = foresee_year(months, year=2023, month=9, breaks=(), chain=QUICK)
    income = np.array(months.income_yuan)
    income[:4, -1, 2:5] = np.nan
    income[5:8, 1, :] = np.nan
    found = foresee_year(_with(months, income), year=2023, month=9, breaks=(), chain=QUICK)
    for a, b in zip(whole.villages[:4], found.villages[:4], strict=True):
        assert b.n_gaps == 3
        assert b.n_reported == 6
        # Three of nine months gone: a gap read as zero would take about a quarter of the year.
        assert b.median_yuan == pytest.approx(a.median_yuan, rel=0.2)
        assert b.upper_yuan - b.lower_yuan > a.upper_yuan - a.lower_yuan
        assert b.same_months_last_year_yuan is not None
    gap = next(one for one in found.findings if one.code == "W-FORECAST-GAPS")
    assert gap.count == 4
    assert "12" in gap.what.zh
    assert "12" in gap.what.en


def test_nothing_after_the_origin_is_seen(few_months: Months) -> None:
    income = np.array(few_months.income_yuan)
    year = few_months.years.index(2021)
    income[:, year, 4:] *= 7
    income[:, year + 1 :] = np.nan
    one = foresee_year(few_months, year=2021, month=4, chain=Chain(5, 5, 2))
    two = foresee_year(_with(few_months, income), year=2021, month=4, chain=Chain(5, 5, 2))
    assert one == two


def test_a_year_that_is_over_is_settled(demo_months: Months) -> None:
    found = foresee_year(demo_months, year=2023, month=12, chain=Chain(2, 3, 2))
    totals = demo_months.totals_yuan()[:, demo_months.years.index(2023)]
    for village, total in zip(found.villages, totals, strict=True):
        assert village.median_yuan == village.lower_yuan == village.upper_yuan == total
        for chance in village.chances:
            assert chance.is_settled
            assert chance.probability == float(total > chance.threshold_yuan)
    # The demonstration's published shares: all above 50万元, 16 above 100万元.
    assert [one[1:] for one in found.expected_above] == [(30.0, 30, 30), (16.0, 16, 16)]


def test_an_outlook_hangs_together(outlook: Outlook, few_months: Months) -> None:
    year = few_months.years.index(2022)
    assert (outlook.n_units, outlook.n_foreseen) == (10, 10)
    assert outlook.is_synthetic
    for row, village in enumerate(outlook.villages):
        assert village.unit == few_months.units[row]
        now, last = few_months.income_yuan[row, year], few_months.income_yuan[row, year - 1]
        assert village.to_date_yuan == now[:6].sum()
        assert village.same_months_last_year_yuan == last[:6].sum()
        assert village.last_year_yuan == last.sum()
        assert village.to_date_yuan < village.lower_yuan < village.median_yuan < village.upper_yuan
        low, high = village.chances
        assert low.probability >= high.probability
        assert low.passed_last_year == (last.sum() > 500_000)
    for place, (threshold, mean, lower, upper) in enumerate(outlook.expected_above):
        total = sum(one.chances[place].probability for one in outlook.villages)
        assert threshold == outlook.thresholds_yuan[place]
        assert mean == pytest.approx(total)
        assert lower <= mean <= upper or lower == upper


def test_more_months_make_the_forecast_sharper(outlook: Outlook, few_months: Months) -> None:
    later = foresee_year(few_months, year=2022, month=11, chain=QUICK)
    widths = [
        np.mean([np.log(one.upper_yuan / one.lower_yuan) for one in found.villages])
        for found in (outlook, later)
    ]
    assert widths[1] < 0.75 * widths[0]


def test_the_first_months_of_a_new_regime_are_less_sure(few_months: Months) -> None:
    known = few_months.seen_until(2024, 1)
    plain, broken = (
        predictive_draws(known, breaks=one, chain=QUICK, seed=1)[0] for one in ((), (2024,))
    )
    assert np.log(broken).std(axis=0).mean() > 1.05 * np.log(plain).std(axis=0).mean()


def test_chains_of_different_seeds_agree_where_level_and_shocks_are_hard_to_tell_apart(
    few_months: Months,
) -> None:
    # The first year of a new regime. Means of chains this short have an s.d. of 0.015 over seeds:
    # three times that of a difference.
    known = few_months.seen_until(2024, 6)
    centres = [
        np.log(predictive_draws(known, chain=QUICK, seed=seed)[0]).mean() for seed in range(2)
    ]
    assert abs(centres[0] - centres[1]) < 0.065


def test_december_makes_up_for_the_year_where_it_used_to() -> None:
    # December brings three times the mean log shortfall of the months before.
    months = draw_months(21, n_units=24, n_years=6, catch_up=3.0)
    known = months.seen_until(2024, 11)
    draws, _ = predictive_draws(known, breaks=(), chain=QUICK)
    expected = np.log(np.median(draws - known.income_yuan[:, -1, :11].sum(axis=1), axis=0))
    happened = np.log(months.income_yuan[:, -1, 11])
    earlier = np.log(months.income_yuan[:, :-1])
    # What a season alone says of December: its usual distance from the months before.
    usual = (earlier[:, :, 11] - earlier[:, :, :11].mean(axis=2)).mean(axis=1)
    naive = np.log(months.income_yuan[:, -1, :11]).mean(axis=1) + usual
    assert np.abs(expected - happened).mean() < np.abs(naive - happened).mean()


def test_a_village_without_any_income_is_refused_by_name_and_a_new_one_is_pooled() -> None:
    months = draw_months(31)
    income = np.array(months.income_yuan)
    income[3] = np.nan
    income[7, :-1] = np.nan
    found = foresee_year(_with(months, income), year=2023, month=6, breaks=(), chain=QUICK)
    assert (found.n_units, found.n_foreseen) == (16, 15)
    assert months.units[3] not in {one.unit for one in found.villages}
    codes = {one.code: one for one in found.findings}
    assert months.units[3] in codes["W-FORECAST-NO-MONTHS"].what.zh
    assert months.units[7] in codes["W-FORECAST-POOLED"].what.en
    new = next(one for one in found.villages if one.unit == months.units[7])
    assert new.basis == "pooled"
    assert new.last_year_yuan is None
    assert new.chances[0].passed_last_year is None
    own = [one for one in found.villages if one.basis == "own"]
    assert len(own) == 14
    # The pool's season is a poorer guide than one's own.
    assert np.log(new.upper_yuan / new.lower_yuan) > np.median(
        [np.log(one.upper_yuan / one.lower_yuan) for one in own]
    )


def test_lumpy_rents_are_zero_in_most_months_and_come_when_they_did() -> None:
    months = draw_months(41)
    income = np.array(months.income_yuan)
    income[0, :, 1:11] = 0.0
    income[0, :, [0, 11]] = 400_000.0
    income[1, -1, 2] = -3_000.0
    found = foresee_year(_with(months, income), year=2023, month=10, breaks=(), chain=QUICK)
    rents = found.villages[0]
    assert rents.to_date_yuan == 400_000
    assert rents.chances[0].probability > 0.9  # December brings the second half
    assert rents.median_yuan == pytest.approx(800_000, rel=0.15)
    assert {"N-FORECAST-ZEROS", "N-FORECAST-NEGATIVE"} <= {one.code for one in found.findings}
    assert found.villages[1].to_date_yuan == pytest.approx(income[1, -1, :10].sum())


def test_the_same_seed_gives_the_same_outlook_and_inputs_stay_untouched() -> None:
    months = draw_months(51, n_units=4, n_years=3)
    before = months.income_yuan.copy()
    one, two = (
        foresee_year(months, year=2021, month=5, chain=Chain(5, 20, 2), seed=3) for _ in range(2)
    )
    assert one == two
    assert np.array_equal(months.income_yuan, before)
    with pytest.raises(ValueError, match="read-only"):
        months.income_yuan[0, 0, 0] = 1.0


def test_a_village_paid_once_a_year_is_not_given_other_villages_months() -> None:
    income = np.array(draw_months(45).income_yuan)
    income[0] = 0.0
    income[0, :, 0] = 300_000.0
    months = Months(draw_months(45).units, (2019, 2020, 2021, 2022, 2023), income)
    found = foresee_year(months, year=2023, month=4, breaks=(), chain=QUICK)
    assert found.villages[0].median_yuan == pytest.approx(300_000, rel=0.3)
    assert found.villages[0].chances[0].probability < 0.5


@pytest.mark.parametrize("n_units", [1, 5])
def test_incomes_that_never_change_are_foreseen_as_they_were(n_units: int) -> None:
    income = np.full((n_units, 3, 12), 50_000.0)
    income[:, 2, 5:] = np.nan
    months = Months(tuple(map(str, range(n_units))), (2020, 2021, 2022), income)
    found = foresee_year(months, chain=QUICK)
    for village in found.villages:
        assert village.median_yuan == pytest.approx(600_000, rel=0.05)
        assert village.upper_yuan > village.lower_yuan  # nothing is certain before December


def test_a_single_village_is_foreseen_from_its_own_past() -> None:
    months = draw_months(61, n_units=1)
    found = foresee_year(months, year=2023, month=6, breaks=(), chain=QUICK)
    truth = float(months.totals_yuan()[0, -1])
    assert found.villages[0].median_yuan == pytest.approx(truth, rel=0.5)


def test_warnings_come_in_order_and_say_why(outlook: Outlook) -> None:
    found = early_warnings(outlook, keep_below=0.999, reach_below=0.5)
    assert found
    falls = [one for one in found if one.risk == "fall_below"]
    assert list(found[: len(falls)]) == falls
    for part in (falls, [one for one in found if one.risk == "not_reach"]):
        assert [one.probability for one in part] == sorted(one.probability for one in part)
    by_unit = {one.unit: one for one in outlook.villages}
    for one in found:
        village = by_unit[one.unit]
        chance = next(c for c in village.chances if c.threshold_yuan == one.threshold_yuan)
        assert one.probability == chance.probability < (0.999 if one.risk == "fall_below" else 0.5)
        assert (one.risk == "fall_below") == bool(chance.passed_last_year)
        assert one.needed_yuan == max(0.0, one.threshold_yuan - village.to_date_yuan)
        assert len(one.reasons) >= 2
        assert f"超 {one.threshold_yuan / 1e4:g} 万元" in one.reasons[0].zh
        share = f"{100 * one.probability:.0f}%" if 0.01 <= one.probability <= 0.99 else "than"
        assert share in one.reasons[0].en
        assert "同比" in "".join(text.zh for text in one.reasons)


def test_a_threshold_missed_in_a_year_that_is_over_is_a_fact(demo_months: Months) -> None:
    income = np.array(demo_months.income_yuan)
    last = demo_months.years.index(2023)
    rich = int(np.argmax(demo_months.totals_yuan()[:, last]))
    income[rich, last] = 10_000.0
    found = foresee_year(_with(demo_months, income), year=2023, month=12, chain=Chain(2, 2, 2))
    mine = [one for one in early_warnings(found) if one.unit == demo_months.units[rich]]
    assert {one.threshold_yuan for one in mine if one.risk == "fall_below"} == {500_000, 1_000_000}
    assert all(one.probability == 0 and "已报齐" in one.reasons[0].zh for one in mine)


def test_a_pool_without_one_earlier_year_is_refused() -> None:
    months = draw_months(71, n_years=1)
    with pytest.raises(DesignError, match="earlier year"):
        foresee_year(months, year=2019, month=6, chain=QUICK)
    income = np.array(draw_months(71, n_years=2).income_yuan)
    income[:, 0, 6] = np.nan
    with pytest.raises(DesignError, match="month 7"):
        foresee_year(Months(months.units, (2019, 2020), income), month=6, chain=QUICK)


def test_a_year_with_nothing_reported_is_refused_unless_the_month_is_named() -> None:
    income = np.array(draw_months(81, n_units=3, n_years=3).income_yuan)
    income[:, -1] = np.nan
    months = Months(("甲", "乙", "丙"), (2019, 2020, 2021), income)
    with pytest.raises(DesignError, match="no village reported"):
        foresee_year(months, chain=QUICK)
    found = foresee_year(months, month=1, chain=Chain(5, 20, 2))
    assert any(one.code == "W-FORECAST-SILENT" for one in found.findings)


@pytest.mark.parametrize(
    "asked",
    [
        {"year": 1999},
        {"month": 13},
        {"level": 1.0},
        {"thresholds_yuan": ()},
        {"thresholds_yuan": (-5,)},
    ],
)
def test_what_makes_no_sense_is_refused(demo_months: Months, asked: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        foresee_year(demo_months, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("limits", [{"keep_below": 2.0}, {"reach_below": -1.0}])
def test_limits_that_are_no_probabilities_are_refused(
    outlook: Outlook, limits: dict[str, float]
) -> None:
    with pytest.raises(UsageError):
        early_warnings(outlook, **limits)


def _panel(frequency: str = "month") -> Panel:
    frame = pl.DataFrame(
        {
            "unit": ["甲"] * 14 + ["乙"] * 14,
            "area": ["东"] * 14 + ["西"] * 14,
            "period": [*range(2020 * 12, 2020 * 12 + 14)] * 2,
            "income_yuan": [*range(100, 114), *[None] * 3, *range(3, 14)],
        }
    )
    return Panel(frame, frequency, "village", (), (), True)  # type: ignore[arg-type]


def test_a_monthly_panel_becomes_years_and_months_with_gaps_left_open() -> None:
    months = months_of(_panel())
    assert months.units == ("甲", "乙")
    assert months.years == (2020, 2021)
    assert months.income_yuan[0, 0].tolist() == [*range(100, 112)]
    assert months.income_yuan[0, 1, :2].tolist() == [112, 113]
    assert np.isnan(months.income_yuan[0, 1, 2:]).all()
    assert np.isnan(months.income_yuan[1, 0, :3]).all()
    assert np.isnan(months.totals_yuan()[1, 0])
    assert months_of(_panel(), area="西").units == ("乙",)
    assert months.is_synthetic


def test_panels_that_have_no_months_are_refused() -> None:
    with pytest.raises(DesignError, match="by quarter"):
        months_of(_panel("quarter"))
    with pytest.raises(UsageError):
        months_of(_panel(), area="南")
    with pytest.raises(UsageError):
        months_of(_panel(), outcome="incom_yuan")


def test_arrays_that_are_no_months_are_refused() -> None:
    with pytest.raises(DesignError, match="shape"):
        Months(("甲",), (2020,), np.zeros((1, 1, 11)))
    with pytest.raises(DesignError, match="consecutive"):
        Months(("甲",), (2020, 2022), np.zeros((1, 2, 12)))
    with pytest.raises(DesignError, match="twice"):
        Months(("甲", "甲"), (2020,), np.zeros((2, 1, 12)))
    with pytest.raises(DesignError, match="two rows"):
        from_rows(["甲", "甲"], [24240, 24240], [1.0, 2.0])
    with pytest.raises(DesignError, match="no rows"):
        from_rows([], [], [])
