"""Two-by-two comparisons with covariates: influence functions against derivatives, known truths."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cps.estimators._drdid_panel import METHODS, panel_effects
from cps.estimators._drdid_parts import Unfit, calibrated_scores, scores
from cps.estimators._drdid_sections import section_effect
from cps.estimators._group_aggregate import each_cell
from cps.estimators._group_cells import plan_cells
from cps.estimators._group_draws import root_of
from cps.estimators._group_fit import _chi_square_tail, sorted_starts
from cps.estimators._group_moments import CohortErrors, cohort_moments

Floats = NDArray[np.float64]
N = 90


def sample(seed: int = 0) -> tuple[Floats, Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(N), rng.normal(size=(N, 2))])
    is_treated = (rng.random(N) < 1 / (1 + np.exp(0.4 - 0.7 * x[:, 1]))).astype(float)
    change = x @ [0.3, 1.0, -0.5] + is_treated * (1 + x[:, 2]) + rng.normal(size=N)
    return change, is_treated, x, rng.uniform(0.5, 2.0, N)


@pytest.mark.parametrize("method", METHODS)
def test_influence_functions_on_a_panel_are_derivatives_with_respect_to_weights(
    method: str,
) -> None:
    change, is_treated, x, weight = sample()

    def att(weights: Floats) -> float:
        effect, _ = panel_effects(method, change[:, None], is_treated, x, weights, is_plain=False)
        return float(effect[0])

    _, influence = panel_effects(method, change[:, None], is_treated, x, weight, is_plain=False)
    step = 1e-5
    for unit in range(0, N, 7):
        moved = weight.copy()
        moved[unit] *= 1 + step
        back = weight.copy()
        back[unit] *= 1 - step
        slope = (att(moved) - att(back)) / (2 * step)
        # Central differences of a smooth function of size one: 1e-10 and rounding over 1e-5.
        assert influence[unit, 0] == pytest.approx(slope, abs=2e-9), unit
    assert float(influence.sum()) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("method", ["doubly_robust", "regression", "ipw"])
def test_influence_functions_of_sections_are_derivatives_with_respect_to_weights(
    method: str,
) -> None:
    y, is_treated, x, weight = sample(3)
    is_after = (np.arange(N) % 2).astype(float)

    def att(weights: Floats) -> float:
        return section_effect(
            method, y, is_after=is_after, is_treated=is_treated, x=x, weight=weights
        )[0]

    _, influence = section_effect(
        method, y, is_after=is_after, is_treated=is_treated, x=x, weight=weight
    )
    step = 1e-5
    for unit in range(0, N, 7):
        moved = weight.copy()
        moved[unit] *= 1 + step
        back = weight.copy()
        back[unit] *= 1 - step
        slope = (att(moved) - att(back)) / (2 * step)
        assert influence[unit] == pytest.approx(slope, abs=2e-9), unit


def test_an_outcome_that_is_linear_in_the_covariates_has_no_effect_by_regression_and_both() -> None:
    _, is_treated, x, weight = sample(1)
    change = (x @ [1.0, 2.0, -3.0])[:, None]
    for method in ("regression", "doubly_robust", "improved"):
        effect, influence = panel_effects(method, change, is_treated, x, weight, is_plain=False)
        assert effect[0] == pytest.approx(0.0, abs=1e-10)
        assert np.abs(influence).max() < 1e-9


def test_scores_solve_their_equations_and_calibrated_ones_balance_exactly() -> None:
    _, is_treated, x, weight = sample(2)
    fitted = scores(x, is_treated, weight)
    np.testing.assert_allclose(x.T @ (weight * (is_treated - fitted)), 0.0, atol=1e-9)
    tilted = calibrated_scores(x, is_treated, weight)
    odds = tilted / (1 - tilted)
    np.testing.assert_allclose(
        x.T @ (weight * (1 - is_treated) * odds), x.T @ (weight * is_treated), rtol=1e-9
    )


def test_covariates_that_tell_the_treated_or_repeat_one_another_are_refused() -> None:
    change, is_treated, x, weight = sample(4)
    telling = np.column_stack([x, 10 * is_treated + 0.1 * x[:, 1]])
    twice = np.column_stack([x, x[:, 1]])
    for bad, reasons in ((telling, {"overlap"}), (twice, {"singular", "controls"})):
        for method in METHODS:
            if method == "regression" and bad is telling:
                continue  # a regression needs no scores
            with pytest.raises(Unfit) as caught:
                panel_effects(method, change[:, None], is_treated, bad, weight, is_plain=False)
            assert caught.value.args[0] in reasons, method


def test_roots_of_short_samples_have_no_more_columns_than_units() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 12))
    second = rows.T @ rows
    root = root_of(second, 5)
    assert root.shape == (12, 5)
    np.testing.assert_allclose(root @ root.T, second, atol=1e-10)
    # The jitter that lets Cholesky through is 1e-11 of the variances.
    np.testing.assert_allclose(root_of(second) @ root_of(second).T, second, atol=1e-8)


@pytest.mark.parametrize("control", ["never", "not_yet"])
@pytest.mark.parametrize("base", ["varying", "universal"])
def test_both_ways_to_draw_the_largest_error_have_the_law_of_the_covariance(
    control: str, base: str
) -> None:
    rng = np.random.default_rng(1)
    start = tuple([3, 5, 6, None][i % 4] for i in range(80))
    y = rng.normal(size=(80, 7)).cumsum(axis=1)
    cohorts = sorted_starts(start)
    cells = plan_cells(cohorts.starts, np.arange(7), 0, control, base)
    errors = CohortErrors(cells, cohort_moments(y, cohorts, None))
    n = len(cells.time)
    (covariance,) = errors.covariances([each_cell(np.ones(n, bool), np.zeros(n), 3)])
    np.testing.assert_allclose(np.diagonal(covariance), errors.variances(), atol=1e-13)
    se = np.sqrt(errors.variances())
    seen = se > 0
    draws = errors._draws(np.flatnonzero(seen), np.where(seen, se, np.nan))
    loadings = draws._loadings()
    expected = covariance[np.ix_(seen, seen)] / np.outer(se[seen], se[seen])
    np.testing.assert_allclose(loadings @ loadings.T, expected, atol=1e-9)
    short = np.quantile(
        np.abs(loadings @ rng.standard_normal((loadings.shape[1], 20000))).max(0), 0.95
    )
    long = np.quantile(draws._largest_at_once(20000, rng), 0.95)
    # The standard error of a 95% quantile from 20,000 draws is about 0.01 here.
    assert long == pytest.approx(short, abs=0.06)


@pytest.mark.parametrize("degrees", [1, 2, 5, 8, 31, 400])
def test_the_tail_of_a_wald_statistic_is_that_of_chi_square(degrees: int) -> None:
    from scipy.stats import chi2

    for value in (0.0, 0.3, float(degrees), 2.5 * degrees):
        assert _chi_square_tail(value, degrees) == pytest.approx(
            float(chi2.sf(value, degrees)), rel=1e-11, abs=1e-300
        )
