"""The minimum detectable effect: there for every design that bears one, and right."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.design._power import (
    detectable_effect,
    imputation_weights,
    multiple,
    natural_detectable,
    student_quantile,
)
from cps.design.frame import design_from_frame
from tests.robustness.worlds import noise, world

PERIODS = np.arange(6)


def persistent(n: int, rng: np.random.Generator, *, t: int = 6) -> np.ndarray:
    """Errors of standard deviation 0.2 that fade by 0.7 a year: the domain's villages."""
    e = np.zeros((n, t))
    e[:, 0] = 0.2 * rng.normal(size=n)
    for year in range(1, t):
        e[:, year] = 0.7 * e[:, year - 1] + 0.2 * np.sqrt(1 - 0.49) * rng.normal(size=n)
    return e


@pytest.mark.parametrize(("df", "p", "quantile"), [
    (1, 0.975, 12.7062047), (2, 0.975, 4.30265273), (3, 0.975, 3.18244631), (5, 0.8, 0.919543780),
    (10, 0.975, 2.22813885), (25, 0.975, 2.05953855), (25, 0.8, 0.856236146), (7, 0.9999, 7.063433),
])  # fmt: skip
def test_students_quantiles_are_those_of_the_tables(df: int, p: float, quantile: float) -> None:
    assert student_quantile(p, df) == pytest.approx(quantile, rel=2e-5)


@pytest.mark.parametrize(("n_treated", "n_donors", "published"), [(15, 15, 0.18), (4, 26, 0.28)])
def test_villages_of_twenty_percent_noise_detect_what_the_domain_says(
    n_treated: int, n_donors: int, published: float
) -> None:
    # 3 + 3 years. "About 18%" and "about 28%" are printed to a point; on average ours must be within
    # a point and a half of them.
    rng = np.random.default_rng(0)
    starts = np.array([3.0] * n_treated + [np.inf] * n_donors)
    found = [
        detectable_effect(
            persistent(n_treated + n_donors, rng), starts, np.isinf(starts), PERIODS
        ).effect
        for _ in range(150)
    ]
    assert np.mean([one for one in found if one is not None]) == pytest.approx(published, abs=0.015)


@pytest.mark.parametrize(("n_treated", "n_donors"), [(15, 15), (4, 26)])
def test_an_effect_of_that_size_is_found_in_four_samples_of_five(
    n_treated: int, n_donors: int
) -> None:
    # The test that knows the noise from comparison units alone: t with n_donors - 1 degrees.
    rng = np.random.default_rng(1)
    starts = np.array([3.0] * n_treated + [np.inf] * n_donors)
    change_sd = 0.2 * np.sqrt(2 * (0.7533333 - 0.3730078))  # of AR(1) means of three years
    se = change_sd * np.sqrt(1 / n_treated + 1 / n_donors)
    effect = multiple(n_donors - 1) * se
    critical = student_quantile(0.975, n_donors - 1)
    hits = 0
    for _ in range(2_000):
        y = persistent(n_treated + n_donors, rng)
        y[:n_treated, 3:] += effect
        change = y[:, 3:].mean(axis=1) - y[:, :3].mean(axis=1)
        gap = change[:n_treated].mean() - change[n_treated:].mean()
        error = change[n_treated:].std(ddof=1) * np.sqrt(1 / n_treated + 1 / n_donors)
        hits += abs(gap) > critical * error
    # 2,000 samples know a share to 0.009; the sum of quantiles overstates by under 2 points.
    assert 0.775 < hits / 2_000 < 0.83
    assert np.isinf(starts).sum() == n_donors


def test_without_comparison_units_the_noise_is_known_from_before_the_starts() -> None:
    # Staggered, nobody never treated: the detectable effect must match the spread of the imputation
    # estimate over samples. 120 samples know that spread to 6.5%, the noise of one design to 20%.
    rng = np.random.default_rng(2)
    starts = np.repeat([3.0, 4.0, 5.0, 6.0], 4)  # the last ones start after the panel
    starts[starts == 6] = np.inf
    everyone = np.repeat([3.0, 4.0, 5.0, 5.0], 4)
    before = (PERIODS[None, :] < everyone[:, None]).astype(float)
    target = (PERIODS[None, :] >= everyone[:, None]) & (PERIODS[None, :] < 5)
    weights, _ = imputation_weights(before, target / target.sum())
    estimates, effects = [], []
    for _ in range(120):
        y = persistent(16, rng)
        estimates.append((weights * y).sum())
        found = detectable_effect(y, everyone, np.zeros(16, bool), PERIODS)
        assert found.source == "untreated"
        effects.append(found.effect)
    truth = multiple(15) * np.std(estimates)
    assert np.mean(effects) == pytest.approx(truth, rel=0.2)


def test_imputation_weights_are_those_of_least_squares() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=(7, 5))
    starts = np.array([2, 3, 3, 4, 9, 9, 9])
    periods = np.arange(5)
    before = periods[None, :] < starts[:, None]
    before[5, 1] = False  # never seen
    target = (periods[None, :] >= starts[:, None]).astype(float)
    weights, reached = imputation_weights(before.astype(float), target / target.sum())
    assert reached.sum() == target.sum()
    i, t = np.nonzero(before)
    x = np.zeros((len(i), 12))
    x[np.arange(len(i)), i] = x[np.arange(len(i)), 7 + t] = 1
    beta = np.linalg.lstsq(x, y[before], rcond=None)[0]
    gap = y - beta[:7, None] - beta[None, 7:]
    assert (weights * y).sum() == pytest.approx((gap * target).sum() / target.sum(), abs=1e-10)


def test_cells_that_nothing_untreated_reaches_are_left_out() -> None:
    starts = np.array([2, 2, 3, 3])
    periods = np.arange(5)
    before = (periods[None, :] < starts[:, None]).astype(float)
    target = (periods[None, :] >= starts[:, None]).astype(float)
    _, reached = imputation_weights(before, target / target.sum())
    assert reached[:, 3:].sum() == 0  # from the last start on nobody is untreated
    assert reached[0, 2]


def test_a_design_with_gaps_has_a_detectable_effect() -> None:
    y = noise(20)
    y[3, 2] = y[7, 8] = np.nan
    full = world(noise(20), [2019, 2019, *[None] * 18])
    holed = world(y, [2019, 2019, *[None] * 18], missing="keep")
    assert not holed.is_balanced
    assert holed.minimum_detectable_effect == pytest.approx(full.minimum_detectable_effect, rel=0.1)


@pytest.mark.parametrize(
    "cohort",
    [
        [2017, 2018, 2019, 2020, 2021, 2022, 2017, 2018, 2019, 2020],  # not-yet-treated only
        [2019, 2019, 2020, 2020, None, None],  # two comparison units
        [2019, 2020, 2021, None],
    ],
)
def test_few_or_no_comparison_units_still_give_one_and_say_where_the_noise_is_from(
    cohort: list[int | None],
) -> None:
    one = world(noise(len(cohort)), cohort)
    assert one.minimum_detectable_effect is not None
    assert one.minimum_detectable_effect > 0
    assert "N-DESIGN-MDE-BEFORE-START" in {finding.code for finding in one.findings}


def test_one_treated_and_one_comparison_unit_have_one_if_the_series_are_long() -> None:
    # The noise is that of the difference before the start: unit noise, 12 + 8 periods.
    rng = np.random.default_rng(9)
    found = [
        detectable_effect(
            rng.normal(size=(2, 20)),
            np.array([12.0, np.inf]),
            np.array([False, True]),
            np.arange(20),
        ).effect
        for _ in range(100)
    ]
    se = np.sqrt(2 * (1 / 12 + 1 / 8))
    # Between the normal multiple, and that of four degrees of freedom.
    mean = np.mean([one for one in found if one is not None])
    assert len([one for one in found if one is not None]) == 100
    assert 2.8 * 0.85 * se < mean < multiple(4) * 1.15 * se


def test_where_it_cannot_be_computed_a_finding_says_why() -> None:
    one = world(noise(2, t=3), [2016, None])
    assert one.minimum_detectable_effect is None
    (finding,) = [f for f in one.findings if f.code == "N-DESIGN-NO-MDE"]
    assert "too few untreated observations" in finding.what.en
    assert "最小可检测效应" in finding.what.zh


def test_repeated_cross_sections_have_one_by_the_textbook_formula() -> None:
    rng = np.random.default_rng(5)
    n = 400
    frame = pl.DataFrame(
        {
            "year": np.repeat([1978, 1981], n // 2),
            "y": rng.normal(size=n),
            "first": np.tile([1981.0, np.inf], n // 2),
        }
    )
    one = design_from_frame(
        frame, unit=None, period="year", outcome="y", cohort="first", missing="keep"
    )
    # Four cells of 100, unit noise: standard error 0.2.
    assert one.minimum_detectable_effect == pytest.approx(multiple(297) * 0.2, rel=0.1)


def test_units_that_move_together_in_clusters_detect_less() -> None:
    rng = np.random.default_rng(6)
    town = np.repeat(np.arange(10), 4)
    shared = rng.normal(0, 2, (10, 1)) * (np.arange(10) >= 5)
    y = noise(40) + shared[town]
    cohort: list[int | None] = [2019 if i < 8 else None for i in range(40)]
    alone = world(y, cohort)
    frame_cluster = detectable_effect(
        alone.y,
        np.array([np.inf if one is None else one for one in alone.cohort], dtype=float),
        alone.is_donor,
        np.asarray(alone.periods),
        cluster=town,
    )
    # Two treated and eight other towns: se of town means, 2 * sqrt(1/2 + 1/8) at least.
    assert frame_cluster.effect is not None
    assert alone.minimum_detectable_effect is not None
    assert frame_cluster.effect > 1.3 * alone.minimum_detectable_effect
    assert frame_cluster.n == 8


def test_it_translates_into_the_outcomes_own_unit() -> None:
    logs = world(np.exp(noise(20) / 20), [2019, 2019, *[None] * 18], form="log")
    before = logs.y[:2, :5].mean()
    assert natural_detectable(logs) == pytest.approx(
        np.exp(before) * np.expm1(logs.minimum_detectable_effect)
    )
    level = world(noise(20), [2019, 2019, *[None] * 18])
    assert natural_detectable(level) == level.minimum_detectable_effect


def test_it_scales_with_the_outcome_and_reads_nothing_of_hosts_after_their_start() -> None:
    y, cohort = noise(20), [2019, 2021, *[None] * 18]
    base = world(y, cohort).minimum_detectable_effect
    assert world(7 * y + 3, cohort).minimum_detectable_effect == pytest.approx(7 * (base or 0))
    after = y.copy()
    after[0, 5:] += 50
    after[1, 7:] -= 50
    assert world(after, cohort).minimum_detectable_effect == base
    # The same where the noise comes from before the starts.
    few = [2019, 2021, 2020, None]
    assert (
        world(after[:4], few).minimum_detectable_effect
        == world(y[:4], few).minimum_detectable_effect
    )
