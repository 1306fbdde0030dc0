"""Structural time series: statsmodels' state space, known truths, invariants, refusals."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError
from cps.estimators._structural import Combination, components, forecast, season_columns
from cps.estimators.registry import estimate

METHOD = "structural_time_series"


def panel(
    cohorts: list[int | None],
    *,
    n_periods: int = 36,
    effect: float = 2.0,
    wander: float = 0.3,
    noise: float = 1.0,
    seed: int = 0,
    scale: float = 1.0,
    move: float = 0.0,
    monthly: bool = False,
) -> Design:
    """Units that follow one shared walk, each with noise and a small walk of its own."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 1, n_periods).cumsum()
    rows = []
    for i, cohort in enumerate(cohorts):
        own = rng.normal(0, wander, n_periods).cumsum() + rng.normal(0, noise, n_periods)
        for t in range(n_periods):
            gain = effect if cohort is not None and t >= cohort else 0.0
            y = scale * (10 + shared[t] + own[t] + gain) + move
            rows.append((f"u{i:02d}", 2000 + t, y, None if cohort is None else 2000 + cohort))
    frame = pl.DataFrame(
        rows,
        schema={"unit": pl.String, "period": pl.Int64, "y": pl.Float64, "cohort": pl.Int64},
        orient="row",
    )
    if monthly:
        frame = frame.with_columns(
            pl.date(2000, 1, 1)
            .dt.offset_by((pl.col(name) - 2000).cast(pl.String) + "mo")
            .alias(name)
            for name in ("period", "cohort")
        )
    return design_from_frame(
        frame,
        unit="unit",
        period="period",
        outcome="y",
        cohort="cohort",
        frequency="month" if monthly else "year",
    )


@pytest.mark.parametrize("trend", ["local_level", "local_linear_trend"])
def test_the_forecast_agrees_with_an_exact_diffuse_kalman_filter(trend: str) -> None:
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    rng = np.random.default_rng(11)
    n, ahead = 48, 8
    x = rng.normal(size=n + ahead)
    y = rng.normal(0, 0.6, n + ahead).cumsum() + 2 * x + rng.normal(size=n + ahead)
    parts, start = components(np.arange(n + ahead), trend)
    columns = np.column_stack([start, x])
    seen = np.arange(n + ahead) < n
    ours = forecast(y, seen, parts, columns, is_averaged=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = UnobservedComponents(
            y[:n],
            {"local_level": "llevel", "local_linear_trend": "lltrend"}[trend],
            exog=x[:n, None],
            mle_regression=False,
            use_exact_diffuse=True,
        )
        result = model.fit(model.fit(disp=False, method="powell").params, disp=False, maxiter=500)
        theirs = result.get_forecast(ahead, exog=x[n:, None])
    # Two searches for one maximum: they agree as far as theirs converges.
    np.testing.assert_allclose(ours.mean(), theirs.predicted_mean, atol=2e-3)
    scale = np.sqrt(np.diagonal(ours.scales[0]))
    np.testing.assert_allclose(scale, theirs.se_mean, rtol=2e-3)


def test_the_joint_scale_of_the_average_agrees_with_simulated_futures() -> None:
    rng = np.random.default_rng(2)
    parts, start = components(np.arange(30), "local_level")
    y = rng.normal(size=30).cumsum()
    ours = forecast(y, np.arange(30) < 24, parts, start, is_averaged=True)
    weights = np.full(6, 1 / 6)
    draws = []
    for share, mean, scale in zip(ours.weights, ours.means, ours.scales, strict=True):
        n = round(200_000 * share)
        normal = rng.multivariate_normal(np.zeros(6), scale, n)
        student = np.sqrt(ours.freedom / rng.chisquare(ours.freedom, n))
        draws.append((mean + normal * student[:, None]) @ weights)
    drawn = np.concatenate(draws)
    combined = ours.combined(weights)
    # 200,000 draws leave half a percent of a standard deviation on the mean, two on a far quantile.
    assert combined.mean() == pytest.approx(drawn.mean(), abs=0.01 * drawn.std())
    assert combined.deviation() == pytest.approx(drawn.std(), rel=0.02)
    for probability in (0.025, 0.5, 0.975):
        assert combined.quantile(probability) == pytest.approx(
            float(np.quantile(drawn, probability)), abs=0.03 * drawn.std()
        )


def test_a_single_student_distribution_has_its_own_quantiles() -> None:
    from scipy.stats import t

    one = Combination(np.ones(1), np.array([3.0]), np.array([2.0]), 7)
    assert one.quantile(0.975) == pytest.approx(3 + 2 * t.ppf(0.975, 7), rel=1e-9)
    two = Combination(np.full(2, 0.5), np.array([3.0, 3.0]), np.array([2.0, 2.0]), 7)
    assert two.quantile(0.2) == pytest.approx(3 + 2 * t.ppf(0.2, 7), rel=1e-9)


@pytest.mark.parametrize(
    ("n_pre", "wander", "lowest"),
    # .95 nominal; three binomial errors of 120 draws are .06. A walk seen for 15 periods is the
    # hard case, .91 in long runs; a level that hardly moves is covered too often, never too seldom.
    [(15, 0.0, 0.93), (15, 3.0, 0.84), (40, 0.0, 0.93), (40, 3.0, 0.88)],
)
def test_intervals_of_the_average_cover_it(n_pre: int, wander: float, lowest: float) -> None:
    n = n_pre + 6
    parts, start = components(np.arange(n), "local_level")
    covered = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        y = rng.normal(0, wander, n).cumsum() + rng.normal(size=n)
        one = forecast(y, np.arange(n) < n_pre, parts, start, is_averaged=True).combined(
            np.full(6, 1 / 6)
        )
        covered.append(one.quantile(0.025) <= y[n_pre:].mean() <= one.quantile(0.975))
    assert np.mean(covered) >= lowest


def test_controls_take_out_what_all_units_share() -> None:
    design = panel([26, None, None, None, None, None], noise=0.2, wander=0.02)
    with_controls = estimate(design, METHOD).overall
    alone = estimate(design, METHOD, options={"controls": "none"})
    assert with_controls.att == pytest.approx(2.0, abs=3 * float(with_controls.se or 0))
    assert float(alone.overall.se or 0) > 3 * float(with_controls.se or 0)
    assert any(one.code == "W-STS-HISTORY" for one in alone.findings)


def test_scale_level_and_order_of_units_do_not_matter() -> None:
    cohorts = [24, 28, None, None, None]
    base = estimate(panel(cohorts), METHOD)
    for other, factor in ((panel(cohorts, scale=1e4, move=5e5), 1e4), (panel(cohorts), 1.0)):
        effect = estimate(other, METHOD)
        assert effect.overall.att == pytest.approx(factor * float(base.overall.att or 0), rel=1e-6)
        assert effect.overall.ci_low == pytest.approx(
            factor * float(base.overall.ci_low or 0), rel=1e-5, abs=1e-6 * factor
        )
        assert effect.overall.p_value == pytest.approx(base.overall.p_value, abs=1e-7)
    turned = dataclasses.replace(
        panel(cohorts),
        y=panel(cohorts).y[::-1],
        cohort=panel(cohorts).cohort[::-1],
        is_donor=panel(cohorts).is_donor[::-1],
    )
    assert estimate(turned, METHOD).overall.att == pytest.approx(base.overall.att, rel=1e-9)


def test_a_constant_effect_moves_the_estimate_by_itself_and_the_interval_not_at_all() -> None:
    cohorts = [26, None, None, None]
    zero = estimate(panel(cohorts, effect=0.0), METHOD).overall
    ten = estimate(panel(cohorts, effect=10.0), METHOD).overall
    assert ten.att == pytest.approx(float(zero.att or 0) + 10)
    assert ten.se == pytest.approx(zero.se)
    assert float(ten.p_value or 1) < 1e-3


def test_the_interval_and_the_p_value_tell_one_story() -> None:
    design = panel([26, None, None, None], effect=1.0)
    for level in (0.5, 0.9, 0.95, 0.99):
        one = estimate(design, METHOD, level=level).overall
        excludes = float(one.ci_low or 0) > 0 or float(one.ci_high or 0) < 0
        assert excludes == (float(one.p_value or 1) < 1 - level)


def test_errors_of_several_starts_add_up_as_if_they_were_one() -> None:
    effect = estimate(panel([24, 28, None, None, None]), METHOD)
    cells = np.array([12.0, 8.0]) / 20
    errors = [float(one.estimate.se or 0) for one in effect.by_cohort]
    assert effect.overall.se == pytest.approx(float(cells @ errors))
    assert effect.event_covariance == ()


def test_event_times_average_to_the_whole_with_their_covariance() -> None:
    effect = estimate(panel([26, None, None, None]), METHOD)
    atts = np.array([one.estimate.att for one in effect.by_event_time])
    weights = np.full(len(atts), 1 / len(atts))
    assert weights @ atts == pytest.approx(effect.overall.att)
    covariance = np.array(effect.event_covariance)
    assert np.sqrt(weights @ covariance @ weights) == pytest.approx(effect.overall.se)


def test_seasons_sum_to_zero_over_a_year() -> None:
    columns = season_columns(np.arange(24_000, 24_024), 12)
    np.testing.assert_allclose(columns[:12].sum(axis=0), 0)
    assert np.linalg.matrix_rank(columns) == 11


@pytest.mark.parametrize(
    ("design", "options", "code"),
    [
        (panel([7, None, None]), {}, "E-STS-SHORT"),
        (panel([20, *[None] * 20]), {"controls": "all"}, "E-STS-SHORT"),
        (panel([12, None, None], monthly=True), {}, "E-STS-SHORT"),
    ],
)
def test_a_series_too_short_to_foretell_is_refused(
    design: Design, options: dict[str, str], code: str
) -> None:
    with pytest.raises(DesignError) as caught:
        estimate(design, METHOD, options=options)
    assert code in {one.code for one in caught.value.findings}


def test_a_design_without_never_treated_units_is_refused_for_its_controls() -> None:
    design = panel([20, 26, None])
    nobody = subset_design(design, units=np.array([True, True, False]))
    with pytest.raises(DesignError, match="never-treated"):
        estimate(nobody, METHOD)
    assert estimate(nobody, METHOD, options={"controls": "none"}).n_comparison == 0
