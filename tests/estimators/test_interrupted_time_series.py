"""Interrupted time series: an independent regression, known truths, invariants, refusals."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators._its import newey_west
from cps.estimators.registry import estimate, list_estimators, refit
from cps.periods import Frequency
from cps.result import Effect

METHOD = "interrupted_time_series"


def panel(
    cohorts: list[int | None],
    *,
    n_periods: int = 40,
    effect: tuple[float, float] = (3.0, 0.5),
    noise: float = 1.0,
    rho: float = 0.0,
    seed: int = 0,
    frequency: Frequency = "year",
    scale: float = 1.0,
    shift: int = 0,
    reverse: bool = False,
    comparison: str = "required",
) -> Design:
    """Straight trends that share a shock each period; treated ones change level and slope."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 1, n_periods)
    rows = []
    for i, cohort in enumerate(cohorts):
        e = np.zeros(n_periods)
        for t in range(n_periods):
            before = rho * e[t - 1] if t else 0.0
            e[t] = before + rng.normal(0, noise)
        for t in range(n_periods):
            event = t - cohort if cohort is not None else -1
            gain = effect[0] + effect[1] * event if event >= 0 else 0.0
            y = 100 + 2 * i + 0.3 * t + shared[t] * (comparison == "required") + e[t] + gain
            start = None if cohort is None else cohort + 2000 + shift
            rows.append((f"u{i:02d}", 2000 + shift + t, scale * y, start))
    frame = pl.DataFrame(
        rows[::-1] if reverse else rows,
        schema={"unit": pl.String, "period": pl.Int64, "y": pl.Float64, "cohort": pl.Int64},
        orient="row",
    )
    return design_from_frame(
        frame,
        unit="unit",
        period="period",
        outcome="y",
        cohort="cohort",
        frequency=frequency,
        comparison=comparison,  # type: ignore[arg-type]
    )


def counts(*, effect: float, seed: int, n: int = 120, with_comparison: bool = False) -> Design:
    """Monthly Poisson counts over a growing population, with a season."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    rows = []
    for i in range(1 + with_comparison):
        people = 50_000 * (1 + 0.002 * t) * (1 + i)
        rate = 0.002 * np.exp(0.003 * t + 0.2 * np.sin(2 * np.pi * t / 12))
        rate = rate * np.exp(effect * (t >= 70) * (i == 0) + 0.3 * (t >= 70) * with_comparison)
        events = rng.poisson(people * rate)
        rows += [
            (
                f"u{i}",
                f"{2000 + k // 12}-{k % 12 + 1:02d}",
                float(events[k]),
                float(people[k]),
                int(i == 0 and k >= 70),
            )
            for k in t
        ]
    frame = pl.DataFrame(rows, schema=["unit", "period", "events", "people", "on"], orient="row")
    return design_from_frame(
        frame,
        unit="unit",
        period="period",
        outcome="events",
        treated="on",
        denominator="people",
        form="rate",
        frequency="month",
        comparison="required" if with_comparison else "none",
    )


def term(effect: Effect, name: str, column: str = "estimate") -> float:
    table = effect.tables["regression"]
    return float(table[column][table["term"].index(name)] or math.nan)


@pytest.mark.parametrize("lag", [0, 1, 4])
def test_a_single_series_agrees_with_an_independent_newey_west_regression(lag: int) -> None:
    import statsmodels.api as sm

    design = panel([25], rho=0.4, comparison="none")
    effect = estimate(design, METHOD, options={"lag": lag})
    t = np.arange(40.0)
    columns = np.column_stack([np.ones(40), t, t >= 25, (t - 25) * (t >= 25)])
    slow = sm.OLS(design.y[0], columns).fit(
        cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": True}, use_t=True
    )
    # The same closed form by another hand: rounding only.
    for place, name in enumerate(("intercept", "trend", "level_change", "slope_change")):
        assert term(effect, name) == pytest.approx(slow.params[place], rel=1e-9)
        assert term(effect, name, "se") == pytest.approx(slow.bse[place], rel=1e-9)
        assert term(effect, name, "p_value") == pytest.approx(slow.pvalues[place], rel=1e-7)
    mean = slow.t_test(np.array([0, 0, 1, 7.0]))
    assert effect.overall.att == pytest.approx(float(np.squeeze(mean.effect)), rel=1e-9)
    assert (effect.overall.ci_low, effect.overall.ci_high) == pytest.approx(
        tuple(np.squeeze(mean.conf_int())), rel=1e-9
    )


def test_pooled_panels_agree_with_an_independent_regression_with_lags_within_units() -> None:
    import statsmodels.api as sm

    design = panel([25, 25, None, None, None], rho=0.3)
    effect = estimate(design, METHOD, options={"controls": "pooled", "lag": 2})
    t = np.tile(np.arange(40.0), 5)
    unit = np.repeat(np.arange(5), 40)
    z, x = (unit < 2) * 1.0, (t >= 25) * 1.0
    base = np.column_stack([np.ones(200), t, x, x * (t - 25)])
    columns = np.column_stack([base, z[:, None] * base])
    slow = sm.OLS(design.y.ravel(), columns).fit()
    middle = sum(newey_west((columns * slow.resid[:, None])[unit == u], 2) for u in range(5))
    inverse = np.linalg.inv(columns.T @ columns)
    errors = np.sqrt(np.diag(200 / 192 * inverse @ middle @ inverse))
    assert term(effect, "level_change") == pytest.approx(slow.params[6], rel=1e-8)
    assert term(effect, "slope_change", "se") == pytest.approx(errors[7], rel=1e-8)
    assert term(effect, "comparison_level_change") == pytest.approx(slow.params[2], rel=1e-7)
    # In a balanced panel, pooled groups and the difference of means are one estimate.
    difference = estimate(design, METHOD, options={"controls": "mean"})
    assert difference.overall.att == pytest.approx(effect.overall.att, rel=1e-9)


def test_a_comparison_takes_out_what_happened_to_everybody() -> None:
    design = panel([20, 20, None, None, None, None], noise=0.05)
    shocked = panel([20, 20, None, None, None, None], noise=0.05, effect=(3.0, 0.5))
    effect = estimate(design, METHOD)
    alone = estimate(shocked, METHOD, options={"controls": "none"})
    truth = 3.0 + 0.5 * 9.5
    # Noise of 0.05 over 40 periods moves the difference by hundredths; shared shocks of 1 do not.
    assert effect.overall.att == pytest.approx(truth, abs=0.15)
    assert alone.overall.se > 3 * effect.overall.se  # type: ignore[operator]
    assert any(one.code == "W-ITS-HISTORY" for one in alone.findings)
    assert not any(one.code == "W-ITS-HISTORY" for one in effect.findings)


def test_exact_lines_are_found_exactly_and_their_error_is_absent_rather_than_zero() -> None:
    effect = estimate(panel([25], noise=0.0, comparison="none"), METHOD)
    assert effect.overall.att == pytest.approx(3.0 + 0.5 * 7, abs=1e-9)
    assert effect.overall.se is None and effect.overall.p_value is None
    assert [one.estimate.att for one in effect.by_event_time] == pytest.approx(
        [3.0 + 0.5 * e for e in range(15)], abs=1e-8
    )


def test_several_starts_are_averaged_by_treated_periods() -> None:
    design = panel([10, 20, 20, None, None, None], rho=0.3)
    effect = estimate(design, METHOD)
    single = [
        estimate(
            panel([c if c == g else None for c in (10, 20, 20)] + [None] * 3, rho=0.3), METHOD
        ).overall.att
        for g in (10, 20)
    ]
    assert None not in single
    table = effect.tables["regression"]
    level = dict(
        zip(zip(table["cohort"], table["term"], strict=True), table["estimate"], strict=True)
    )
    each = [
        float(level[(2000 + g, "level_change")] or 0)
        + float(level[(2000 + g, "slope_change")] or 0) * (39 - g) / 2
        for g in (10, 20)
    ]
    assert effect.overall.att == pytest.approx((1 * 30 * each[0] + 2 * 20 * each[1]) / 70)


def test_intervals_cover_with_long_series_and_white_noise() -> None:
    covered = []
    for seed in range(150):
        design = panel([60], n_periods=100, seed=seed, comparison="none", effect=(1.0, 0.0))
        one = estimate(design, METHOD, options={"change": "level", "lag": 2}).overall
        covered.append(one.ci_low <= 1.0 <= one.ci_high)  # type: ignore[operator]
    # .95 less what Newey-West loses at T=100; three binomial errors (.018) below .93.
    assert np.mean(covered) > 0.87


def test_a_rate_ratio_of_counts_is_found_beside_season_and_population() -> None:
    effects = [
        estimate(
            counts(effect=-0.15, seed=seed),
            METHOD,
            options={"family": "poisson", "change": "level", "harmonics": 1},
        ).overall
        for seed in range(60)
    ]
    # The mean of 60 draws lies within three errors of the truth.
    errors = np.mean([float(one.se or 0) for one in effects])
    assert np.mean([one.att for one in effects]) == pytest.approx(-0.15, abs=3 * errors / 60**0.5)
    covered = np.mean([one.ci_low <= -0.15 <= one.ci_high for one in effects])  # type: ignore[operator]
    assert covered >= 0.85  # .95 less three binomial errors of 60 draws


def test_a_comparison_of_counts_takes_out_a_jump_that_both_share() -> None:
    design = counts(effect=-0.2, seed=1, with_comparison=True)
    options = {"family": "quasi_poisson", "change": "level", "harmonics": 1}
    both = estimate(design, METHOD, options=options)
    alone = estimate(design, METHOD, options={**options, "controls": "none"})
    assert both.measure == "log_points"
    assert abs(both.overall.att + 0.2) < 4 * both.overall.se  # type: ignore[operator]
    assert alone.overall.att > both.overall.att + 0.2  # type: ignore[operator]
    path = both.paths[-1]
    assert path.observed is not None and path.counterfactual is not None
    assert math.log(path.observed / path.counterfactual) == pytest.approx(-0.2, abs=0.15)


def test_robust_errors_of_counts_agree_with_an_independent_sandwich() -> None:
    import statsmodels.api as sm

    design = counts(effect=0.1, seed=4)
    effect = estimate(design, METHOD, options={"family": "poisson", "change": "level", "lag": 0})
    t = np.arange(120.0)
    columns = np.column_stack([np.ones(120), t, t >= 70])
    offset = np.log(design.denominator[0])  # type: ignore[index]
    slow = sm.GLM(design.y_natural[0], columns, family=sm.families.Poisson(), offset=offset).fit(
        cov_type="HC0"
    )
    assert effect.overall.se == pytest.approx(slow.bse[2] * math.sqrt(120 / 117), rel=1e-6)


def test_scale_calendar_and_order_of_rows_do_not_matter() -> None:
    cohorts = [15, 25, None, None, None]
    base = estimate(panel(cohorts), METHOD)
    for other, factor in (
        (panel(cohorts, scale=1000.0), 1000.0),
        (panel(cohorts, shift=17), 1.0),
        (panel(cohorts, reverse=True), 1.0),
    ):
        effect = estimate(other, METHOD)
        assert effect.overall.att == pytest.approx(factor * float(base.overall.att or 0), rel=1e-8)
        assert effect.overall.se == pytest.approx(factor * float(base.overall.se or 0), rel=1e-8)
        assert effect.overall.p_value == pytest.approx(base.overall.p_value, rel=1e-6)


def test_many_assignments_at_once_are_the_same_estimates_one_by_one() -> None:
    design = panel([15, 25, None, None, None, None])
    rng = np.random.default_rng(3)
    start = np.array([2015.0, 2025.0] + [np.inf] * 4)
    starts = np.array([rng.permutation(start) for _ in range(6)])
    again = refit(design, METHOD)
    from cps.design.subset import subset_design

    slow = [
        again.one(subset_design(design, cohort=[int(s) if np.isfinite(s) else None for s in row]))
        for row in starts
    ]
    np.testing.assert_allclose(again.under(starts), slow, rtol=1e-9)


def test_anticipated_periods_are_left_out_of_the_regression() -> None:
    import dataclasses

    design = panel([25], comparison="none")
    leaning = dataclasses.replace(design, anticipation=3)
    spoilt = design.y.copy()
    spoilt[0, 22:25] += 50.0
    same = estimate(dataclasses.replace(leaning, y=spoilt), METHOD).overall
    assert same == estimate(leaning, METHOD).overall


@pytest.mark.parametrize(
    ("design", "options", "code"),
    [
        (panel([38], comparison="none"), {"harmonics": 1}, "E-ITS-SEASON"),
        (panel([39], comparison="none"), {}, "E-ITS-SHORT"),
        (panel([2], comparison="none"), {}, "E-ITS-SHORT"),
        (panel([25], comparison="none"), {"controls": "mean"}, "E-ITS-NO-COMPARISON"),
        (panel([10, 20, None]), {"family": "poisson"}, "E-ITS-STARTS"),
        (panel([10, 20, None]), {"controls": "pooled"}, "E-ITS-STARTS"),
        (panel([20, None], scale=-1.0), {"family": "poisson"}, "E-ITS-NEGATIVE"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(
    design: Design, options: dict[str, str | float], code: str
) -> None:
    with pytest.raises(DesignError) as caught:
        estimate(design, METHOD, options=options)
    assert code in {one.code for one in caught.value.findings}


def test_a_single_series_is_refused_unless_it_is_asked_for_by_name() -> None:
    frame = pl.DataFrame({"u": ["a"] * 12, "t": range(12), "y": np.arange(12.0), "d": [0, 1] * 6})
    frame = frame.with_columns((pl.col("t") >= 7).cast(pl.Int64).alias("d"))
    with pytest.raises(DesignError, match="no comparison") as caught:
        design_from_frame(frame, unit="u", period="t", outcome="y", treated="d")
    assert "comparison='none'" in caught.value.mend.en
    assert "comparison=none" in caught.value.mend.zh


@pytest.mark.parametrize(
    "method", [one for one in list_estimators() if one not in (METHOD, "structural_time_series")]
)
def test_no_method_that_needs_a_comparison_takes_a_single_series(method: str) -> None:
    design = panel([25], comparison="none")
    try:
        effect = estimate(design, method)
    except DesignError:
        return
    assert effect.overall.att is None, f"{method} gives a number without a comparison"
