"""Synthetic difference-in-differences: known truths, invariants, size of the placebo test."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError, UsageError
from cps.estimators._frank_wolfe import simplex_weights
from cps.estimators._synth_weights import KINDS, Problem, exact_weights, stepwise_weights
from cps.estimators.battery import estimate_all
from cps.estimators.registry import estimate, list_estimators, point_estimate, refit
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


def with_covariate(design: Design, x: np.ndarray) -> Design:
    return dataclasses.replace(design, covariates=x[None], covariate_names=("x",))


def test_steps_that_stop_and_weights_to_the_last_digit_give_nearly_the_same() -> None:
    rng = np.random.default_rng(8)
    pool = rng.normal(size=(20, 12)).cumsum(axis=1)
    pre = np.arange(12) < 8
    problem = Problem(
        pool,
        pool[:3],
        ~np.eye(20, dtype=bool)[:3],
        pre,
        ~pre,
        noise=np.full(3, 1.0),
        n_treated=np.ones(3),
    )

    def loss(weights: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        gap = (problem.treated - weights[0] @ pool)[:, pre]
        gap = gap - gap.mean(axis=1, keepdims=True)
        penalty = 8 * problem.zeta**2 * (weights[0] ** 2).sum(axis=1)
        return np.asarray((gap**2).sum(axis=1) + penalty)

    exact, steps = exact_weights(problem, KINDS["sdid"]), stepwise_weights(problem, KINDS["sdid"])
    # The steps stop at a fall of 1e-10; what is left of the way is a thousand such steps at most.
    assert (loss(exact) <= loss(steps) + 1e-9).all()
    assert exact[0] == pytest.approx(steps[0], abs=5e-3)
    assert exact[1] == pytest.approx(steps[1], abs=5e-2)


@pytest.mark.parametrize("kind", list(KINDS))
def test_many_assignments_are_estimated_as_one_by_one(kind: str) -> None:
    design = factors([2019, 2021] + [None] * 11, 1.0, noise=0.2, seed=3)
    rng = np.random.default_rng(0)
    starts = np.full((5, 13), np.inf)
    for row in starts:
        row[rng.permutation(13)[:3]] = [2019, 2021, 2021]
    again = refit(design, "synthetic_did", options={"weights": kind})
    apart = [
        again.one(subset_design(design, cohort=[int(s) if np.isfinite(s) else None for s in row]))
        for row in starts
    ]
    assert again.under(starts) == pytest.approx(np.array(apart), abs=1e-8)
    short = np.where(np.isfinite(starts), 2016.0, np.inf)
    assert np.isnan(again.under(short)).all() == (kind != "did")
    assert np.isnan(again.under(np.full((1, 13), 2019.0))).all()


def test_the_estimate_alone_is_the_fitted_one_but_for_the_last_steps() -> None:
    design = factors([2019, 2021] + [None] * 11, 1.0, noise=0.2, seed=3)
    fitted = estimate(design).overall.att
    # Weights of the fit stop where synthdid stops: the third digit or so hangs on it.
    assert point_estimate(design, "synthetic_did") == pytest.approx(fitted, abs=5e-3)


def test_the_jackknife_with_weights_kept_is_that_of_leaving_units_out_by_hand() -> None:
    design = factors([2020] * 3 + [None] * 9, 1.0, noise=0.3, seed=6)
    effect = estimate(design, options={"errors": "jackknife"})
    omega = np.array(
        [sum(w.weight for w in effect.weights if w.unit == one) for one in design.units]
    )
    lam = np.array([sum(w.weight for w in effect.weights if w.period == t) for t in design.periods])
    after = np.asarray(design.periods) >= 2020
    change = design.y @ (after / after.sum() - lam)
    treated = np.array([one is not None for one in design.cohort])
    values = []
    for i in range(len(omega)):
        keep = np.arange(len(omega)) != i
        w = np.where(keep, omega, 0)
        values.append(change[treated & keep].mean() - w @ change / w.sum())
    n = len(values)
    assert effect.overall.se == pytest.approx(((n - 1) * np.var(values)) ** 0.5)
    assert effect.inference == "jackknife"
    assert effect.p_value_floor is None
    assert effect.placebos == ()
    assert effect.assumes is not None


@pytest.mark.parametrize("errors", ["placebo", "jackknife", "jackknife_refit", "bootstrap"])
def test_every_error_is_about_the_true_spread_where_units_are_alike(errors: str) -> None:
    """Equal weights on independent noise: the spread of the difference is known."""
    n_treated, n_donors, noise = 8, 30, 1.0
    ratios = []
    for seed in range(6):
        design = factors([2020] * n_treated + [None] * n_donors, 0.0, noise=noise, seed=100 + seed)
        flat = np.random.default_rng(seed).normal(0, noise, design.y.shape)
        design = dataclasses.replace(design, y=flat, y_natural=flat)
        effect = estimate(design, options={"weights": "did", "errors": errors})
        one_unit = noise**2 * (1 / 5 + 1 / 5)
        true = (one_unit * (1 / n_treated + 1 / n_donors)) ** 0.5
        ratios.append(effect.overall.se / true)
    # A mean of six errors from 38 units has an error of 5 to 10%.
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.3)


def test_one_treated_unit_has_no_jackknife_and_no_bootstrap() -> None:
    single = factors([2020] + [None] * 8, 1.0, noise=0.1, seed=1)
    for errors in ("jackknife", "jackknife_refit", "bootstrap"):
        with pytest.raises(DesignError, match="errors=placebo"):
            estimate(single, options={"errors": errors})
    staggered = factors([2020, 2021] + [None] * 8, 1.0, noise=0.1, seed=1)
    with pytest.raises(DesignError, match="single treated unit"):
        estimate(staggered, options={"errors": "jackknife"})
    assert estimate(staggered, options={"errors": "bootstrap"}).overall.se is not None
    none = estimate(single, options={"errors": "none"})
    assert (none.inference, none.overall.se, none.p_value_floor) == ("none", None, None)


def test_the_bootstrap_and_the_placebo_have_the_seeds_draws() -> None:
    design = factors([2020, 2021] + [None] * 10, 1.0, noise=0.2, seed=2)
    for errors in ("bootstrap", "placebo"):
        one, again, other = (
            estimate(design, seed=seed, options={"errors": errors}).overall.se for seed in (1, 1, 2)
        )
        assert one == again
        assert one != other


def test_draws_are_as_many_as_asked_for_and_all_assignments_where_that_is_fewer() -> None:
    design = factors([2020, 2021] + [None] * 10, 1.0, noise=0.2, seed=2)
    usual = estimate(design)
    assert len(usual.placebos) == DRAWS
    assert estimate(design, options={"draws": DRAWS}).overall == usual.overall
    many = estimate(design, options={"draws": 350})
    assert (len(many.placebos), many.p_value_floor) == (350, 1 / 351)
    # The first draws are the same ones.
    assert many.placebos[:DRAWS] == pytest.approx(usual.placebos, abs=1e-9)
    pairs = factors([2020] * 2 + [None] * 22, 1.0, noise=0.2, seed=2)
    assert len(estimate(pairs).placebos) == DRAWS
    assert len(estimate(pairs, options={"draws": 231}).placebos) == 231  # 22 × 21 / 2: all pairs
    few, more = (
        estimate(design, options={"errors": "bootstrap", "draws": n}).overall.se for n in (20, 400)
    )
    assert few != more


def test_the_mend_of_errors_that_fail_names_some_that_work_on_that_design() -> None:
    lopsided = factors([2020] * 6 + [2021] + [None] * 5, 1.0, noise=0.1, seed=1)
    with pytest.raises(DesignError) as caught:
        estimate(lopsided, options={"errors": "jackknife"})
    mend = caught.value.mend.en
    assert "errors=bootstrap" in mend
    assert "placebo" not in mend
    (warning,) = estimate(lopsided).findings
    assert warning.code == "W-EST-NO-PLACEBO"
    assert "errors=bootstrap" in warning.mend.en
    assert "jackknife" not in warning.mend.en
    assert estimate(lopsided, options={"errors": "bootstrap"}).overall.se is not None
    ranked = estimate(lopsided, inference="randomisation")
    assert ranked.overall.p_value is not None
    alone = factors([2020] + [None] * 2, 1.0, noise=0.1, seed=1)
    (warning,) = estimate(alone).findings
    assert "errors=" not in warning.mend.en
    assert "inference=randomisation" in warning.mend.en
    assert "inference=randomisation" in warning.mend.zh
    ranked = estimate(alone, inference="randomisation")
    assert ranked.overall.p_value is not None


@pytest.mark.parametrize("how", ["projected", "optimized"])
def test_what_a_covariate_explains_is_taken_out(how: str) -> None:
    plain = factors([2020] * 3 + [None] * 15, 1.0, noise=0.05, seed=7)
    rng = np.random.default_rng(1)
    parallel = rng.normal(size=(18, 1)) + np.sin(YEARS) + rng.normal(0, 0.05, plain.y.shape)
    parallel[:3] += YEARS >= 2020
    plain = dataclasses.replace(plain, y=parallel)
    x = rng.normal(size=plain.y.shape) + np.where(np.arange(18)[:, None] < 3, YEARS >= 2020, 0.0)
    moved = dataclasses.replace(plain, y=plain.y + 2.0 * x)
    options = {"covariates": how, "errors": "none"}
    adjusted = estimate(with_covariate(moved, x), options=options).overall.att
    # The coefficient is estimated on 150 cells of noise 0.05, or found by steps that stop.
    assert adjusted == pytest.approx(1.0, abs=0.1)
    assert abs(estimate(moved).overall.att - 1.0) > 0.5


def test_covariates_that_effects_span_change_nothing() -> None:
    design = factors([2020] * 2 + [None] * 10, 1.0, noise=0.1, seed=2)
    plain = estimate(design).overall.att
    by_unit = np.broadcast_to(np.arange(12.0)[:, None], design.y.shape)
    by_period = np.broadcast_to(np.arange(10.0) ** 2, design.y.shape)
    for x in (by_unit, by_period, by_unit + by_period):
        assert estimate(with_covariate(design, x)).overall.att == pytest.approx(plain, abs=1e-9)


def test_optimized_covariates_go_with_the_weights_that_they_are_found_with() -> None:
    design = factors([2020] * 2 + [None] * 10, 1.0, noise=0.1, seed=2)
    with pytest.raises(DesignError, match="covariates=projected"):
        estimate(
            with_covariate(design, design.y),
            options={"covariates": "optimized", "weights": "sc"},
        )


def test_scale_order_and_names_of_units_do_not_matter() -> None:
    design = factors([2020, 2020, 2022] + [None] * 10, 1.0, noise=0.2, seed=9)
    att = estimate(design, options={"errors": "none"}).overall.att
    scaled = dataclasses.replace(design, y=design.y * 1000)
    # The stopping rule scales with the noise, so that even the steps are the same.
    assert estimate(scaled, options={"errors": "none"}).overall.att == pytest.approx(1000 * att)
    order = np.random.default_rng(1).permutation(13)
    turned = dataclasses.replace(
        design,
        y=design.y[order],
        units=tuple(f"村{i}" for i in range(13)),
        cohort=tuple(design.cohort[i] for i in order),
        is_donor=design.is_donor[order],
    )
    # Ties aside, the steps go the same way in any order.
    assert estimate(turned, options={"errors": "none"}).overall.att == pytest.approx(att, abs=1e-8)


def test_common_shocks_move_the_penalty_and_through_it_the_estimate_a_little() -> None:
    """Not an invariance of the default: the noise level is taken from first differences."""
    design = factors([2020] * 2 + [None] * 12, 1.0, noise=0.2, seed=9)
    shocked = dataclasses.replace(design, y=design.y + np.where(YEARS == 2017, 5.0, 0.0))
    one, other = (point_estimate(each, "synthetic_did") for each in (design, shocked))
    assert one != pytest.approx(other, abs=1e-6)
    assert one == pytest.approx(other, abs=0.5)
    equal = {"weights": "did"}
    one, other = (
        point_estimate(each, "synthetic_did", options=equal) for each in (design, shocked)
    )
    assert one == pytest.approx(other, abs=1e-9)


def test_units_that_host_other_initiatives_take_no_part() -> None:
    design = factors([2020] * 2 + [None] * 10, 1.0, noise=0.2, seed=9)
    donors = design.is_donor.copy()
    donors[5] = False
    barred = dataclasses.replace(design, is_donor=donors)
    gone = subset_design(design, units=np.arange(12) != 5)
    for options in ({}, {"errors": "jackknife_refit"}, {"errors": "bootstrap"}):
        one, other = estimate(barred, options=options), estimate(gone, options=options)
        assert one.overall.att == pytest.approx(other.overall.att, abs=1e-9)
        assert one.overall.se == pytest.approx(other.overall.se, abs=1e-9)
