"""Robust sets: published digits are in tests/validation; here a slow version, truths, invariants."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq, linprog, minimize
from scipy.stats import ncx2, norm, truncnorm

from cps.design.frame import design_from_frame
from cps.errors import Text
from cps.estimators.registry import estimate
from cps.robustness import honest_did
from cps.robustness._honest import (
    EventStudy,
    breakdown,
    original_set,
    relative_magnitude_excludes_zero,
    relative_magnitude_set,
    relative_magnitude_sets,
    smoothness_relative_set,
    smoothness_relative_sets,
    smoothness_set,
    with_weights,
)
from cps.robustness._honest_bound import _brent, least_favourable_bounds, widest_bounds
from cps.robustness._honest_event import Vector, comparison_event_study, event_vector
from cps.robustness._honest_flci import folded_normal_quantile, shortest_affine
from cps.robustness._honest_rays import extreme_rays
from cps.robustness._honest_test import Moments, accepted, moments
from tests.robustness.worlds import checked, panel

Floats = NDArray[np.float64]


def study(n_pre: int, n_post: int, *, seed: int = 0, effect: float = 1.0) -> EventStudy:
    rng = np.random.default_rng(seed)
    n = n_pre + n_post
    root = rng.normal(size=(n, 3 * n)) / np.sqrt(3 * n)
    sigma = 0.02 * (root @ root.T + 0.5)
    mean = np.repeat([0.0, effect], [n_pre, n_post])
    return EventStudy(
        rng.multivariate_normal(mean, sigma), sigma, n_pre, np.full(n_post, 1 / n_post)
    )


def test_the_rays_of_a_cone_are_those_that_every_choice_of_equations_gives() -> None:
    rng = np.random.default_rng(1)
    for rows, columns in ((1, 4), (2, 6), (3, 7)):
        equations = rng.integers(-2, 3, size=(rows, columns)).astype(float)
        slow = set()
        for kept in combinations(range(columns), np.linalg.matrix_rank(equations) + 1):
            part = equations[:, kept]
            if np.linalg.matrix_rank(part) != len(kept) - 1:
                continue
            null = np.linalg.svd(part)[2][-1]
            null = null * np.sign(null[np.abs(null).argmax()])
            if (null >= -1e-12).all():
                ray = np.zeros(columns)
                ray[list(kept)] = null / null.max()
                slow.add(tuple(np.round(np.abs(ray), 9)))
        ours = {tuple(np.round(one, 9)) for one in extreme_rays(equations)}
        assert ours == slow


def test_the_conditional_test_agrees_with_the_papers_linear_programme() -> None:
    """Andrews, Roth & Pakes: solve for eta, bisect for the range in which the vertex stays best."""
    one = study(3, 3, seed=4, effect=0.4)
    rows = np.delete(np.diff(np.eye(7), n=2, axis=0), 3, axis=1)[2:]
    matrix, limit = np.concatenate([rows, -rows]), np.full(2 * len(rows), 0.05)
    direction, nuisance = np.zeros(6), np.zeros((6, 2))
    direction[3], nuisance[4, 0], nuisance[5, 1] = 1.0, 1.0, 1.0
    found = moments(matrix, limit, one.beta, one.sigma, direction=direction, nuisance=nuisance)
    noise = matrix @ one.sigma @ matrix.T
    deviation = np.sqrt(np.diag(noise))

    def dual(worth: Floats) -> tuple[float, Floats]:
        equal = np.vstack([deviation, (matrix @ nuisance).T])
        solved = linprog(-worth, A_eq=equal, b_eq=[1.0, 0.0, 0.0], bounds=(0, None))
        return -solved.fun, solved.x

    def slow(theta: float) -> bool:
        worth = matrix @ (one.beta - direction * theta) - limit
        eta, gamma = dual(worth)
        variance = gamma @ noise @ gamma
        rate = noise @ gamma / variance
        rest = worth - rate * eta

        def stays(at: float) -> bool:
            return abs(dual(rest + rate * at)[0] - at) < 1e-9

        ends = []
        for far in (-50.0, 50.0):
            inside, outside = eta, far
            for _ in range(36):
                middle = (inside + outside) / 2
                inside, outside = (middle, outside) if stays(middle) else (inside, middle)
            ends.append(inside)
        scale = np.sqrt(variance)
        cut = truncnorm.ppf(0.95, ends[0] / scale, ends[1] / scale) * scale
        return bool(eta <= max(0.0, cut))

    grid = np.linspace(one.beta[3] - 1.0, one.beta[3] + 1.0, 7)
    quick = accepted(found, grid, alpha=0.05)
    assert quick.tolist() == [slow(float(theta)) for theta in grid]
    assert 0 < quick.sum() < len(grid)


def test_without_departures_the_conditional_set_is_the_usual_interval() -> None:
    one = study(4, 3)
    exact = relative_magnitude_set(one, 0.0, method="Conditional")
    # The set's ends are bisected to 1e-7 of the grid's step.
    np.testing.assert_allclose(exact, original_set(one), atol=1e-6)


def test_robust_sets_widen_with_the_departure_allowed() -> None:
    one = study(5, 2)
    sets = [relative_magnitude_set(one, mbar) for mbar in (0.0, 0.5, 1.0, 2.0)]
    bends = [smoothness_set(one, m) for m in (0.0, 0.01, 0.05)]
    for family in (sets, bends):
        lengths = [high - low for low, high in family]
        assert lengths == sorted(lengths)
        assert lengths[-1] > 1.2 * lengths[0]


@pytest.mark.parametrize("method", ["C-LF", "Conditional"])
def test_sets_move_and_stretch_with_the_outcome_and_turn_with_its_sign(method: str) -> None:
    one = study(4, 2, effect=0.6)
    low, high = relative_magnitude_set(one, 1.0, method=method)  # type: ignore[arg-type]
    scaled = EventStudy(-1000 * one.beta, 1e6 * one.sigma, one.n_pre, one.l_vec)
    # Draws are antithetic, so that turning the sign changes none of them.
    turned = relative_magnitude_set(scaled, 1.0, method=method)  # type: ignore[arg-type]
    np.testing.assert_allclose(turned, (-1000 * high, -1000 * low), rtol=1e-4)
    moved = EventStudy(one.beta + np.r_[np.zeros(4), 5.0, 5.0], one.sigma, 4, one.l_vec)
    shifted = relative_magnitude_set(moved, 1.0, method=method)  # type: ignore[arg-type]
    np.testing.assert_allclose(shifted, (low + 5, high + 5), atol=1e-4)


def test_smoothness_sets_ignore_any_linear_difference_in_trends() -> None:
    one = study(4, 3)
    line = 0.7 * np.array([-4, -3, -2, -1, 1, 2, 3.0])
    bent = EventStudy(one.beta + line, one.sigma, 4, one.l_vec)
    for method in ("FLCI", "C-F", "C-LF", "Conditional"):
        for moved, kept in zip(
            smoothness_set(bent, 0.02, method=method),  # type: ignore[arg-type]
            smoothness_set(one, 0.02, method=method),  # type: ignore[arg-type]
            strict=True,
        ):
            assert moved == pytest.approx(kept, abs=2e-4)


def test_the_shortest_affine_interval_is_the_least_that_a_search_finds() -> None:
    rng = np.random.default_rng(2)
    for n_pre, n_post, m in ((1, 1, 0.1), (2, 1, 0.0), (4, 2, 0.03), (5, 3, 0.1)):
        sigma = study(n_pre, n_post, seed=n_pre).sigma
        l_vec = rng.random(n_post)
        best = shortest_affine(sigma, n_pre, l_vec, m, 0.05)
        times = np.r_[np.arange(-n_pre, 0), np.arange(1, n_post + 1)]
        assert best.weights @ times == pytest.approx(0, abs=1e-12)

        def half(free: Floats) -> float:
            weights = np.r_[free, 0.0, l_vec]  # noqa: B023
            weights[n_pre - 1] = weights @ times  # noqa: B023  (the nearest is at −1)
            return _half_length(weights, sigma, n_pre, m)  # noqa: B023

        searched = (
            half(np.zeros(0))
            if n_pre == 1
            else min(
                minimize(
                    half,
                    best.weights[: n_pre - 1] + rng.normal(0, 0.3, n_pre - 1) * away,
                    method="Nelder-Mead",
                    options={"xatol": 1e-9, "fatol": 1e-12, "maxfev": 4000},
                ).fun
                for away in (0.0, 1.0)
            )
        )
        assert best.half_length == pytest.approx(searched, rel=1e-6)


def _half_length(weights: Floats, sigma: Floats, n_pre: int, m: float) -> float:
    """Worst bias over kinks at every period, by hand, and the folded normal's quantile."""
    n = len(weights)
    times = np.r_[np.arange(-n_pre, 0), np.arange(1, n - n_pre + 1)]
    kinks = [
        np.where(times > at, times - at, 0) if at >= 0 else np.where(times < at, at - times, 0)
        for at in range(-n_pre + 1, n - n_pre)
    ]
    # A kink before the base bends the path to its left, one after it to its right.
    bias = m * sum(abs(float(weights @ one)) for one in kinks)
    deviation = float(np.sqrt(weights @ sigma @ weights))
    return float(np.sqrt(ncx2.ppf(0.95, 1, (bias / deviation) ** 2))) * deviation


def test_the_folded_normal_quantile_is_that_of_a_noncentral_chi_squared() -> None:
    for mean in (0.001, 0.5, 2.0, 6.0):
        for alpha in (0.05, 0.005):
            wanted = np.sqrt(ncx2.ppf(1 - alpha, 1, mean**2))
            assert folded_normal_quantile(mean, alpha) == pytest.approx(wanted, abs=1e-8)
    assert folded_normal_quantile(0.0, 0.05) == pytest.approx(norm.ppf(0.975))
    assert folded_normal_quantile(500.0, 0.05) == pytest.approx(500 + norm.ppf(0.95))


def test_sets_of_level_95_cover_a_departure_within_the_bound() -> None:
    """Truth known: 100 draws; 2.7 standard deviations below 95% is 89."""
    base = study(4, 2)
    departure = np.array([-0.2, -0.1, -0.2, -0.1, 0.1, 0.2])  # steps of .1, after as before
    rng = np.random.default_rng(7)
    draws = rng.multivariate_normal(departure + np.r_[np.zeros(4), 1, 1], base.sigma, size=100)
    covered = 0
    for beta in draws:
        low, high = relative_magnitude_set(
            EventStudy(beta, base.sigma, 4, np.array([0.5, 0.5])), 1.0, method="Conditional"
        )
        covered += low <= 1.0 <= high
    assert covered >= 89


def test_a_breakdown_value_lies_where_the_set_reaches_zero() -> None:
    one = study(5, 2, effect=0.8)
    value = breakdown(
        lambda size: relative_magnitude_excludes_zero(one, size), start=0.5, most=20.0
    )
    assert value is not None and value > 0.3
    inside, outside = (relative_magnitude_set(one, value * f) for f in (0.98, 1.02))
    assert inside[0] > 0 >= outside[0]
    nothing = study(5, 2, effect=0.0, seed=3)
    excluded = [relative_magnitude_excludes_zero(nothing, size) for size in (0.0, 1.0)]
    assert excluded == [False, False]
    assert breakdown(lambda size: False, start=1, most=9) is None
    assert breakdown(lambda size: True, start=1, most=9) == 9
    assert breakdown(lambda size: size < 2.5, start=1, most=9) == pytest.approx(2.5, rel=0.006)


def test_bends_bounded_by_past_bends_allow_for_a_line_that_goes_on() -> None:
    line = 0.5 * np.array([-4.0, -3, -2, -1, 1, 2])
    sigma = 1e-4 * np.eye(6)
    one = EventStudy(line + np.r_[np.zeros(4), 1, 1], sigma, 4, np.array([1.0, 0]))
    low, high = smoothness_relative_set(one, 1.0)
    assert low <= 1.0 <= high
    assert relative_magnitude_set(one, 1.0)[1] > 1.95  # a step may be as large the other way
    second = smoothness_relative_set(with_weights(one, np.array([0.0, 1.0])), 1.0)
    assert second[0] <= 1.0 <= second[1]


def test_comparison_noise_is_that_of_all_stand_ins() -> None:
    """One cohort: enumerate every choice of stand-ins, the others being their comparison."""
    rng = np.random.default_rng(5)
    y = rng.normal(size=(8, 5)).cumsum(axis=1)
    start = np.r_[[3.0, 3.0], np.full(6, np.inf)]
    periods = np.arange(5)
    times, n_treated, beta, sigma = comparison_event_study(y, start, np.isinf(start), periods, 0)
    change = y - y[:, [2]]
    np.testing.assert_allclose(beta, change[:2].mean(axis=0) - change[2:].mean(axis=0))
    assert times.tolist() == [-3, -2, -1, 0, 1]
    assert n_treated.tolist() == [2.0] * 5
    donors = change[2:]
    gaps = np.array(
        [
            donors[list(pair)].mean(axis=0) - np.delete(donors, pair, axis=0).mean(axis=0)
            for pair in combinations(range(6), 2)
        ]
    )
    # Their 4 comparisons are fewer than the true 6: the factor is 1/2 + 1/6 against 1/2 + 1/4.
    enumerated = gaps.T @ gaps / len(gaps) * (1 / 2 + 1 / 6) / (1 / 2 + 1 / 4)
    np.testing.assert_allclose(sigma, enumerated, atol=1e-12)


def test_with_few_comparison_units_a_fitted_interval_still_covers() -> None:
    """Truth known: 300 panels of 2 and 16 units, a line between them; three binomial deviations.

    Weights fitted to 15 degrees of freedom without allowance would cover 86 times in 100.
    """
    rng = np.random.default_rng(0)
    start = np.r_[[6.0, 6.0], np.full(16, np.inf)]
    covered = 0
    for _ in range(300):
        y = rng.normal(size=(18, 10))
        y[:2] += 0.3 * np.arange(10)
        times, n_treated, beta, sigma = comparison_event_study(
            y, start, np.isinf(start), np.arange(10), 0
        )
        kept = times != -1
        found = Vector(
            times=times[kept] + 1, base=-1, n_treated=n_treated[kept], beta=beta[kept],
            sigma=sigma[np.ix_(kept, kept)], is_effect=times[kept] >= 0, freedom=15,
            is_student=True, unit=Text("期", "period"), source=Text("", ""),
        )  # fmt: skip
        low, high = smoothness_set(found.study(found.headline, n_fitted=found.n_pre - 1), 0.0)
        covered += low <= 0 <= high
    assert covered >= 300 * 0.95 - 3 * np.sqrt(300 * 0.95 * 0.05)


def test_staggered_cohorts_are_averaged_by_their_units() -> None:
    one = panel(n_treated=6, starts=(2018, 2020), effect=3.0)
    start = np.array([np.inf if c is None else c for c in one.cohort])
    times, _, beta, _ = comparison_event_study(
        one.y, start, one.is_donor, np.asarray(one.periods), 0
    )
    options = {"control": "never", "base": "universal"}
    plain = estimate(one, "group_time_att", options=options)
    theirs = {e.event_time: e.estimate.att for e in plain.by_event_time}
    np.testing.assert_allclose(beta, [theirs[int(e)] for e in times], atol=1e-12)


def test_a_strong_effect_among_many_units_is_robust_and_the_words_say_how_far() -> None:
    one = panel(n_treated=8, n_donors=40, effect=6.0)
    check = checked("honest_did", one, estimate(one, options={"weights": "did"}))
    assert check.verdict is True
    assert check.statistic is not None and check.statistic > 1
    assert f"{check.statistic:.2f}" in check.explanation.zh
    assert "仍不含零" in check.explanation.zh
    assert "95%" in check.explanation.zh
    smooth = checked("honest_smoothness", one, estimate(one, options={"weights": "did"}))
    assert smooth.verdict is True
    assert "仍不含零" in smooth.explanation.zh


def test_an_effect_that_is_a_drift_is_not_robust() -> None:
    one = panel(n_treated=4, n_donors=20, drift=2.0)
    effect = estimate(one, options={"weights": "did"})
    assert checked("honest_did", one, effect).verdict is False
    assert checked("honest_smoothness", one, effect).verdict is False


def test_where_the_interval_covers_zero_there_is_nothing_to_break() -> None:
    one = panel(effect=0.0, seed=2)
    for name in ("honest_did", "honest_smoothness"):
        check = checked(name, one, estimate(one, options={"weights": "did"}))
        assert check.verdict is None
        assert "nothing to break" in check.explanation.en


def test_words_hold_the_same_numbers_in_both_languages() -> None:
    for effect in (0.0, 6.0):
        one = panel(effect=effect, years=range(2016, 2022))
        for name in ("honest_did", "honest_smoothness"):
            text = checked(name, one, estimate(one, options={"weights": "did"})).explanation
            found = [sorted(re.findall(r"\d+(?:\.\d+)?", words)) for words in (text.zh, text.en)]
            assert found[0] == found[1]


def test_few_comparison_units_leave_few_periods() -> None:
    one = panel(n_treated=1, n_donors=9, effect=6.0)
    found = event_vector(one, estimate(one))
    assert not isinstance(found, Text)
    assert found.freedom == 8
    assert len(found.times) == 5  # 70% of them
    assert "仅取最近" in found.source.zh


def test_many_months_become_years() -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"unit": f"u{i:02d}", "month": month, "y": rng.normal() + (i < 6) * (month >= 48) * 2.0,
         "cohort": 48 if i < 6 else None}
        for i in range(46)
        for month in range(84)
    ]  # fmt: skip
    one = design_from_frame(
        pl.DataFrame(rows, schema_overrides={"cohort": pl.Int64}),
        unit="unit", period="month", outcome="y", cohort="cohort", frequency="month",
    )  # fmt: skip
    found = event_vector(one, estimate(one, "group_time_att", options={"base": "universal"}))
    assert not isinstance(found, Text)
    assert found.unit.zh == "年"
    assert found.times.tolist() == [-3, -2, -1, 1, 2, 3]
    treated = np.array([c is not None for c in one.cohort])
    gap = one.y[treated].mean(axis=0) - one.y[~treated].mean(axis=0)
    yearly = gap.reshape(7, 12).mean(axis=1)
    np.testing.assert_allclose(found.beta, np.delete(yearly - yearly[3], 3), atol=1e-12)


def test_too_few_periods_or_units_give_a_reason() -> None:
    short = panel(years=range(2018, 2024), starts=(2020,))
    assert honest_did.applies(short, estimate(short, options={"weights": "did"})) is not None
    lone = panel(n_treated=1, n_donors=3, effect=5.0)
    check = checked("honest_did", lone, estimate(lone, options={"weights": "did"}))
    assert check.verdict is None
    assert check.explanation.zh


def test_the_design_is_not_written_to() -> None:
    one = panel(effect=5.0)
    before = one.y.copy()
    checked("honest_did", one, estimate(one, options={"weights": "did"}))
    np.testing.assert_array_equal(one.y, before)


def test_sets_searched_together_are_those_searched_alone() -> None:
    one = study(4, 3, seed=2, effect=0.8)
    sizes = (0.0, 0.5, 1.0, 40.0)  # the last needs a wider search than the others
    for together, alone in (
        (relative_magnitude_sets, relative_magnitude_set),
        (smoothness_relative_sets, smoothness_relative_set),
    ):
        for method in ("C-LF", "Conditional"):
            found = together(one, sizes, method=method)
            each = [alone(one, size, method=method) for size in sizes]
            np.testing.assert_allclose(found, each, rtol=1e-12)


def test_the_least_favourable_bound_is_passed_as_rarely_as_it_says() -> None:
    rng = np.random.default_rng(5)
    root = rng.normal(size=(3, 6, 4)) * np.array([1.0, 0.6, 1.5])[:, None, None]
    root[1, 4:] = 0.0  # vertices without noise
    root[2, 1:] = root[2, 0]  # normals that are one and the same
    covariance = root @ np.swapaxes(root, 1, 2)
    found = Moments(np.zeros((3, 6)), np.zeros((3, 6)), root, covariance)
    noise, tail = rng.normal(size=(64, 4)), (rng.permutation(64) + 0.5) / 64
    bounds = least_favourable_bounds(found, noise, tail, 0.05)
    assert (bounds <= widest_bounds(found, 0.05)).all()
    drawn = rng.normal(size=(200_000, 4))
    for bound, one in zip(bounds, root, strict=True):
        passed = ((drawn @ one.T).max(axis=1) > bound).mean()
        # Drawn within .0015 of its mean; the bound comes from a few dozen draws.
        assert passed == pytest.approx(0.05, abs=0.004)
    mirrored = Moments(found.value, found.slope, -root, covariance)
    np.testing.assert_allclose(least_favourable_bounds(mirrored, noise, tail, 0.05), bounds)


def test_roots_found_by_asking_are_scipys() -> None:
    curves = (
        lambda x: np.exp(-x) - 0.3,
        lambda x: np.cos(x) - x,
        lambda x: (x - 0.7) ** 3,
        lambda x: -1.0 if x < 1.3 else 2.0,  # a jump
    )
    for curve in curves:
        asked = []
        search = _brent(0.0, 2.0, curve(0.0), curve(2.0), xtol=1e-5)
        try:
            at = next(search)
            while True:
                asked.append(at)
                at = search.send(curve(at))
        except StopIteration as end:
            root = end.value
        wanted, told = brentq(curve, 0.0, 2.0, xtol=1e-5, full_output=True)
        assert root == wanted
        assert len(asked) == told.function_calls - 2
