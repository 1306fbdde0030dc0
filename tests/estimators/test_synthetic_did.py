"""Synthetic difference-in-differences: known truths, invariants, size of the placebo test."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError, UsageError
from cps.estimators._frank_wolfe import simplex_weights
from cps.estimators.battery import estimate_all
from cps.estimators.registry import estimate, list_estimators
from cps.estimators.synthetic_did import DRAWS

YEARS = np.arange(2015, 2025)


def factors(
    cohorts: list[int | None], effect: float, *, noise: float, seed: int, form: str = "level"
) -> Design:
    """Units on two factors, so that plain differences are biased for units with odd loadings."""
    rng = np.random.default_rng(seed)
    trend = np.stack([np.linspace(0, 4, len(YEARS)), np.sin(YEARS)])
    loading = rng.uniform(0, 1, (len(cohorts), 2))
    rows = []
    for i, cohort in enumerate(cohorts):
        path = 10 + loading[i] @ trend + rng.normal(0, noise, len(YEARS))
        for t, year in enumerate(YEARS):
            gain = effect if cohort and year >= cohort else 0.0
            y = path[t] + gain
            rows.append((f"u{i:02d}", int(year), np.exp(y) if form == "log" else y, cohort))
    frame = pl.DataFrame(
        rows,
        schema={"unit": pl.String, "year": pl.Int64, "y": pl.Float64, "cohort": pl.Int64},
        orient="row",
    )
    return design_from_frame(
        frame,
        unit="unit",
        period="year",
        outcome="y",
        cohort="cohort",
        form=form,  # type: ignore[arg-type]
    )


def test_a_simplex_regression_agrees_with_a_slow_independent_solver() -> None:
    from scipy.optimize import minimize

    rng = np.random.default_rng(5)
    matrix, target = rng.normal(size=(30, 6)), rng.normal(size=30)
    zeta = 0.3

    def loss(x: np.ndarray) -> float:
        return float(((matrix @ x - target) ** 2).mean() + zeta**2 * (x**2).sum())

    slow = minimize(
        loss,
        np.full(6, 1 / 6),
        bounds=[(0, 1)] * 6,
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    ours = simplex_weights(
        matrix[None],
        target[None],
        np.ones((1, 6), dtype=bool),
        n_rows=np.array([30]),
        zeta=np.array([zeta]),
        min_decrease=np.array([1e-9]),
    )[0]
    assert ours.sum() == pytest.approx(1)
    # Frank-Wolfe nears its minimum like 1/k: after 10,000 steps 1e-4 of the loss is what is left.
    assert slow.fun - 1e-9 <= loss(ours) <= slow.fun * (1 + 1e-4)


def test_many_problems_at_once_are_the_same_problems_one_by_one() -> None:
    rng = np.random.default_rng(6)
    matrix, target = rng.normal(size=(4, 12, 5)), rng.normal(size=(4, 12))
    allowed = np.array([[1, 1, 1, 1, 1], [0, 1, 1, 1, 1], [1, 0, 1, 0, 1], [1, 1, 1, 1, 0]]) > 0

    def solve(i: slice) -> np.ndarray:
        n = len(target[i])
        return simplex_weights(
            matrix[i],
            target[i],
            allowed[i],
            n_rows=np.full(n, 12),
            zeta=np.full(n, 0.1),
            min_decrease=np.full(n, 1e-6),
        )

    together = solve(slice(None))
    apart = np.concatenate([solve(slice(i, i + 1)) for i in range(4)])
    assert together == pytest.approx(apart, abs=1e-12)
    assert (together[~allowed] == 0).all()


def test_the_truth_is_found_without_noise_where_the_treated_is_a_mix_of_others() -> None:
    rng = np.random.default_rng(1)
    donors = rng.normal(0, 1, (8, len(YEARS))).cumsum(axis=1)
    treated = 0.25 * donors[0] + 0.75 * donors[3] + 5 + np.where(YEARS >= 2021, 2.0, 0.0)
    frame = pl.DataFrame(
        {
            "unit": [f"d{i}" for i in range(8) for _ in YEARS] + ["t"] * len(YEARS),
            "year": np.tile(YEARS, 9),
            "y": np.concatenate([donors.ravel(), treated]),
            "cohort": [None] * (8 * len(YEARS)) + [2021] * len(YEARS),
        }
    )
    design = design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="cohort")
    effect = estimate(design)
    # The ridge term spreads weights, so the mix is met closely, not exactly.
    assert effect.overall.att == pytest.approx(2.0, abs=0.5)
    heaviest = max((one for one in effect.weights if one.unit), key=lambda one: one.weight)
    assert heaviest.unit == "d3"


def test_levels_of_units_do_not_matter() -> None:
    design = factors([2020] * 2 + [None] * 12, 1.0, noise=0.2, seed=2)
    y = design.y + np.arange(len(design.units))[:, None] * 50
    import dataclasses

    moved = dataclasses.replace(design, y=y)
    assert estimate(design).overall.att == pytest.approx(estimate(moved).overall.att, abs=1e-6)


def test_the_same_seed_gives_the_same_placebos_and_another_seed_others() -> None:
    design = factors([2020, 2021] + [None] * 12, 1.0, noise=0.2, seed=2)
    first, again, other = (estimate(design, seed=seed).placebos for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(first) == DRAWS


def test_one_treated_unit_has_every_placebo_and_the_floor_of_their_number() -> None:
    effect = estimate(factors([2020] + [None] * 12, 3.0, noise=0.1, seed=2))
    assert len(effect.placebos) == 12
    assert effect.p_value_floor == pytest.approx(1 / 13)
    assert effect.overall.p_value == pytest.approx(1 / 13)


@pytest.mark.parametrize("n_treated", [1, 2])
def test_the_placebo_test_keeps_its_size_with_few_treated(n_treated: int) -> None:
    """With no effect, p ≤ 0.10 at most one time in ten: units are exchangeable by construction."""
    rejections = 0
    n = 150
    for seed in range(n):
        design = factors([2021] * n_treated + [None] * 20, 0.0, noise=0.5, seed=seed)
        p_value = estimate(design, options={"weights": "did"}).overall.p_value
        rejections += bool(p_value is not None and p_value <= 0.10)
    # 15 expected at most; 26 is three binomial standard deviations above.
    assert rejections <= 26


def test_staggered_cohorts_are_weighted_by_treated_unit_periods() -> None:
    design = factors([2019] * 3 + [2023] + [None] * 14, 1.0, noise=0.1, seed=4)
    effect = estimate(design, options={"weights": "did"})
    parts = {one.period: one.estimate.att for one in effect.by_cohort}
    cells = {2019: 3 * 6, 2023: 1 * 2}
    expected = sum(cells[g] * parts[g] for g in cells) / sum(cells.values())
    assert effect.overall.att == pytest.approx(expected)


def test_a_log_effect_is_translated_to_the_outcomes_own_unit() -> None:
    design = factors([2020] * 2 + [None] * 14, 0.2, noise=0.02, seed=5, form="log")
    effect = estimate(design)
    treated = np.array([cohort is not None for cohort in design.cohort])
    cells = design.y_natural[treated][:, np.asarray(design.periods) >= 2020]
    observed = np.exp(np.log(cells).mean())  # of a typical unit: the geometric mean
    assert effect.measure == "log_points"
    assert effect.natural.att == pytest.approx(observed * (1 - np.exp(-effect.overall.att)))
    assert effect.natural.ci_low == pytest.approx(observed * (1 - np.exp(-effect.overall.ci_low)))


def test_two_periods_before_the_start_are_needed_for_weights() -> None:
    design = factors([2016] + [None] * 8, 1.0, noise=0.1, seed=1)
    with pytest.raises(DesignError, match="weights=did"):
        estimate(design)
    assert estimate(design, options={"weights": "did"}).overall.att is not None


def test_the_headline_is_chosen_by_the_design_and_departures_are_said() -> None:
    usual = estimate_all(factors([2020] * 2 + [None] * 10, 1.0, noise=0.1, seed=1))
    early = estimate_all(factors([2016] * 2 + [None] * 10, 1.0, noise=0.1, seed=1))
    many = estimate_all(factors([2020] * 10 + [None] * 8, 1.0, noise=0.1, seed=1))
    assert usual[0].options["weights"] == "sdid"
    assert "N-EST-HEADLINE" not in {one.code for one in usual[0].findings}
    assert early[0].options["weights"] == "did"
    assert {"N-EST-HEADLINE", "W-EST-REFUSED"} <= {one.code for one in early[0].findings}
    assert many[0].method == "group_time_att"
    assert len(usual) >= 5


def test_an_unknown_method_or_option_names_the_nearest() -> None:
    design = factors([2020] + [None] * 8, 1.0, noise=0.1, seed=1)
    with pytest.raises(UsageError, match="synthetic_did"):
        estimate(design, "synthetic_dd")
    with pytest.raises(UsageError, match="weights"):
        estimate(design, options={"weight": "sdid"})
    with pytest.raises(UsageError, match="sdid"):
        estimate(design, options={"weights": "sdidd"})
    with pytest.raises(UsageError, match=r"0\.95"):
        estimate(design, level=95)
    assert {"group_time_att", "synthetic_did"} <= set(list_estimators())
