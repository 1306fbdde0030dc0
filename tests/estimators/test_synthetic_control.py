"""Synthetic control: known mixes, invariants, placebo ranks, refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError, UsageError
from cps.estimators._synth_placebo import inverted_interval, rank_p_value
from cps.estimators._synth_ridge import augmented, choose_penalty
from cps.estimators.registry import estimate, refit

YEARS = np.arange(2008, 2025)
START = 2020


def panel(
    y: np.ndarray,
    cohorts: list[int | None],
    *,
    covariate: np.ndarray | None = None,
    names: list[str] | None = None,
) -> Design:
    """One row a unit and year."""
    names = names or [f"u{i:02d}" for i in range(len(y))]
    frame = pl.DataFrame(
        {
            "unit": [name for name in names for _ in YEARS],
            "year": np.tile(YEARS, len(y)),
            "y": y.ravel(),
            "cohort": pl.Series([one for one in cohorts for _ in YEARS], dtype=pl.Int64),
            "x": (y if covariate is None else covariate).ravel(),
        }
    )
    return design_from_frame(
        frame,
        unit="unit",
        period="year",
        outcome="y",
        cohort="cohort",
        covariates=() if covariate is None else ("x",),
    )


def walks(n_donors: int, seed: int, *, noise: float = 0.3) -> np.ndarray:
    """Donors on two factors."""
    rng = np.random.default_rng(seed)
    factors = np.stack([np.linspace(0, 5, len(YEARS)), np.sin(YEARS * 0.9)])
    own = rng.normal(0, noise, (n_donors, len(YEARS)))
    return 10 + rng.uniform(0, 2, (n_donors, 2)) @ factors + own


def mixed(seed: int = 1, *, effect: float = 3.0, level: float = 0.0) -> Design:
    """A treated unit that is three parts of the second donor and one of the fourth."""
    donors = walks(10, seed)
    treated = 0.75 * donors[1] + 0.25 * donors[3] + level + np.where(YEARS >= START, effect, 0.0)
    return panel(np.vstack([treated, donors]), [START] + [None] * 10)


def weights(design: Design, **options: str) -> dict[str, float]:
    return {
        str(one.unit): one.weight
        for one in estimate(design, "synthetic_control", options=options).weights
    }


def test_a_mix_of_donors_is_found_and_the_effect_with_it_to_the_last_digit() -> None:
    effect = estimate(mixed(), "synthetic_control")
    assert effect.overall.att == pytest.approx(3.0, abs=1e-9)
    found = {one.unit: one.weight for one in effect.weights}
    assert found == pytest.approx({"u02": 0.75, "u04": 0.25}, abs=1e-9)
    assert effect.findings == ()


def test_a_shifted_mix_asks_for_an_intercept_and_is_said_to_fit_poorly_without() -> None:
    shifted = mixed(level=40.0)
    with_intercept = estimate(shifted, "synthetic_control", options={"intercept": "yes"})
    assert with_intercept.overall.att == pytest.approx(3.0, abs=1e-9)
    assert with_intercept.findings == ()
    without = estimate(shifted, "synthetic_control")
    assert [one.code for one in without.findings] == ["W-EST-POOR-FIT"]
    assert abs(without.overall.att - 3.0) > 10


@pytest.mark.parametrize("augment", ["none", "ridge"])
@pytest.mark.parametrize("intercept", ["no", "yes"])
def test_scale_time_shifts_order_and_names_do_not_matter(augment: str, intercept: str) -> None:
    y = np.vstack([walks(1, 2), walks(9, 3)])
    cohorts: list[int | None] = [START] + [None] * 9
    # A penalty given in the outcome's own square would not scale with it; one chosen does.
    options = {"augment": augment, "intercept": intercept}

    def att(values: np.ndarray, order: np.ndarray, names: list[str] | None = None) -> float:
        design = panel(values[order], [cohorts[i] for i in order], names=names)
        return float(estimate(design, "synthetic_control", options=options).overall.att or 0.0)

    same = np.arange(10)
    plain = att(y, same)
    assert att(y * 1000, same) == pytest.approx(1000 * plain, rel=1e-6)
    assert att(y + np.cos(YEARS) * 7, same) == pytest.approx(plain, abs=1e-7)
    turned = np.array([9, 3, 0, 5, 1, 8, 2, 7, 4, 6])
    assert att(y, turned) == pytest.approx(plain, abs=1e-7)
    assert att(y, same, [f"村{i}" for i in range(10)]) == pytest.approx(plain, abs=1e-9)


def test_levels_of_units_do_not_matter_with_an_intercept_only() -> None:
    y = np.vstack([walks(1, 2), walks(9, 3)])
    moved = y + np.arange(10)[:, None] * 3
    cohorts: list[int | None] = [START] + [None] * 9
    options = {"intercept": "yes"}
    one, other = (
        estimate(panel(values, cohorts), "synthetic_control", options=options).overall.att
        for values in (y, moved)
    )
    assert one == pytest.approx(other, abs=1e-7)
    plain, shifted = (
        estimate(panel(values, cohorts), "synthetic_control").overall.att for values in (y, moved)
    )
    assert abs(plain - shifted) > 0.1


def test_donors_without_weight_can_leave() -> None:
    design = panel(np.vstack([walks(1, 2), walks(9, 3)]), [START] + [None] * 9)
    found = weights(design)
    keep = np.array([one in found or i == 0 for i, one in enumerate(design.units)])
    assert not keep.all()
    fewer = subset_design(design, units=keep)
    assert weights(fewer) == pytest.approx(found, abs=1e-8)


def test_every_donor_is_a_placebo_and_the_rank_is_that_of_the_table() -> None:
    effect = estimate(mixed(effect=6.0), "synthetic_control")
    noisy = estimate(panel(walks(12, 7), [START] + [None] * 11), "synthetic_control")
    for one, n in ((effect, 10), (noisy, 11)):
        table = one.tables["placebo"]
        assert len(one.placebos) == n
        assert table["unit"] == ("u00", *(f"u{i:02d}" for i in range(1, n + 1)))
        assert one.p_value_floor == pytest.approx(1 / (1 + n))
        gaps = np.array(one.tables["placebo_gaps"]["gap"]).reshape(n, -1)
        after = gaps[:, YEARS >= START]
        assert after.mean(axis=1) == pytest.approx(np.array(one.placebos))
        assert (after**2).mean(axis=1) == pytest.approx(np.array(table["post_mspe"][1:]))
    ratio = np.array(noisy.tables["placebo"]["ratio"], float)
    assert noisy.overall.p_value == pytest.approx((ratio >= ratio[0]).mean())
    assert effect.overall.p_value == pytest.approx(1 / 11)


def test_a_placebo_is_what_one_gets_by_treating_that_donor() -> None:
    design = panel(walks(9, 4), [START] + [None] * 8)
    effect = estimate(design, "synthetic_control")
    donors = np.arange(9) > 0
    for i in (1, 5):
        starts = [START if j == i else None for j in range(9)]
        alone = subset_design(design, units=donors, cohort=starts)
        again = estimate(alone, "synthetic_control")
        assert again.overall.att == pytest.approx(effect.placebos[i - 1], abs=1e-8)
    pooled = estimate(design, "synthetic_control", options={"placebo_pool": "all"})
    with_treated = subset_design(design, cohort=[START if j == 3 else None for j in range(9)])
    again = estimate(with_treated, "synthetic_control")
    assert again.overall.att == pytest.approx(pooled.placebos[2], abs=1e-8)


def test_the_interval_holds_exactly_the_constant_effects_that_the_test_keeps() -> None:
    design = panel(walks(40, 5), [START] + [None] * 39)
    effect = estimate(design, "synthetic_control", level=0.9)
    low, high = effect.overall.ci_low, effect.overall.ci_high
    assert low is not None
    assert high is not None
    treated = np.array([i == 0 for i in range(40)])[:, None] & (YEARS >= START)[None]
    for tau, inside in ((low + 1e-6, True), (high - 1e-6, True), (low - 1e-6, False)):
        without = dataclasses.replace(design, y=design.y - tau * treated)
        p_value = estimate(without, "synthetic_control").overall.p_value
        assert (p_value > 0.1 + 1e-9) == inside
    few = estimate(panel(walks(10, 5), [START] + [None] * 9), "synthetic_control")
    assert few.overall.ci_low is None  # nine placebos can't reach 5%


def test_interval_and_rank_by_hand() -> None:
    assert rank_p_value(4.0, np.array([1.0, 4.0, 9.0])) == pytest.approx(3 / 4)
    ratios = np.arange(1.0, 20.0)  # 19 placebos: one may be exceeded at 10%, none at 4%
    # after = att² + spread; 19 × 2 − (30 − 25) = 33.
    interval = inverted_interval(5.0, (2.0, 30.0), ratios, 0.95)
    assert interval == pytest.approx((5 - 33**0.5, 5 + 33**0.5))
    assert inverted_interval(5.0, (2.0, 30.0), ratios, 0.96) is None
    assert inverted_interval(5.0, (0.1, 30.0), ratios, 0.95) is None


def test_a_perfect_fit_with_few_periods_is_said_and_does_not_hang_on_the_order() -> None:
    donors = walks(30, 12)
    late = 2010  # two periods before, thirty donors: many mixes fit
    treated = donors[:20].mean(axis=0) + np.where(late <= YEARS, 2.0, 0.0)
    y = np.vstack([treated, donors])
    effect = estimate(panel(y, [late] + [None] * 30), "synthetic_control")
    assert [one.code for one in effect.findings] == ["W-EST-PERFECT-FIT"]
    order = np.concatenate([[0], 1 + np.random.default_rng(0).permutation(30)])
    turned = estimate(panel(y[order], [late] + [None] * 30), "synthetic_control")
    assert turned.overall.att == pytest.approx(effect.overall.att, abs=1e-7)
    # Where nothing is left before, units are ranked by what comes after, not by rounding errors.
    table = effect.tables["placebo"]
    perfect = [i for i, one in enumerate(table["pre_mspe"]) if one == table["pre_mspe"][0]]
    assert len(perfect) > 5
    ratio = np.array(table["ratio"], float)[perfect]
    assert np.argsort(ratio).tolist() == np.argsort(np.array(table["post_mspe"])[perfect]).tolist()


def test_outcomes_that_never_move_have_no_effect_and_no_made_up_number() -> None:
    design = panel(walks(6, 1), [START] + [None] * 5)
    flat = np.full(design.y.shape, 3.0)
    design = dataclasses.replace(design, y=flat, y_natural=flat)
    for options in ({}, {"intercept": "yes"}, {"augment": "ridge", "ridge": "1"}):
        effect = estimate(design, "synthetic_control", options=options)
        assert effect.overall.att == pytest.approx(0.0, abs=1e-12)
        assert effect.overall.p_value is None or effect.overall.p_value == 1.0
        assert all(np.isfinite(one) for one in effect.placebos)
    for weights in ("sdid", "sc", "did"):
        effect = estimate(design, "synthetic_did", options={"weights": weights})
        assert effect.overall.att == pytest.approx(0.0, abs=1e-12)
        assert effect.overall.se is None


def test_several_treated_units_are_their_mean_or_each_its_own() -> None:
    donors = walks(10, 6)
    gain = np.where(YEARS >= START, 2.0, 0.0)
    first, second = donors[0] + gain, donors[1] + 2 * gain
    design = panel(np.vstack([first, second, donors]), [START, START] + [None] * 10)
    for units in ("pooled", "separate"):
        effect = estimate(design, "synthetic_control", options={"units": units})
        assert effect.overall.att == pytest.approx(3.0, abs=1e-8)
        found = {one.unit: one.weight for one in effect.weights}
        assert found == pytest.approx({"u02": 0.5, "u03": 0.5}, abs=1e-8)


def test_cohorts_are_weighted_by_treated_unit_periods() -> None:
    y = walks(14, 8)
    effect = estimate(panel(y, [2019, 2019, 2022] + [None] * 11), "synthetic_control")
    parts = {one.period: one.estimate.att for one in effect.by_cohort}
    cells = {2019: 2 * 6, 2022: 1 * 3}
    expected = sum(cells[g] * parts[g] for g in cells) / sum(cells.values())
    assert effect.overall.att == pytest.approx(expected)
    assert len(effect.placebos) == 200
    again = estimate(panel(y, [2019, 2019, 2022] + [None] * 11), "synthetic_control")
    assert again.placebos == effect.placebos


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"intercept": "yes"},
        {"augment": "ridge"},
        {"fit": "covariates", "v": "equal"},
        {"units": "separate"},
    ],
)
def test_many_assignments_at_once_are_the_same_one_by_one(options: dict[str, str]) -> None:
    y = walks(11, 9)
    rng = np.random.default_rng(0)
    design = panel(y, [2019, 2021] + [None] * 9, covariate=rng.normal(size=y.shape))
    starts = np.full((4, 11), np.inf)
    for row in starts:
        row[rng.permutation(11)[:3]] = [2019, 2021, 2021]
    again = refit(design, "synthetic_control", options=options)
    together = again.under(starts)
    apart = [
        again.one(subset_design(design, cohort=[int(s) if np.isfinite(s) else None for s in row]))
        for row in starts
    ]
    assert together == pytest.approx(np.array(apart), abs=1e-7)
    whole = estimate(design, "synthetic_control", options=options).overall.att
    assert again.one(design) == pytest.approx(whole, abs=1e-9)


def test_assignments_that_can_not_be_estimated_have_no_number() -> None:
    design = panel(walks(5, 9), [2019] + [None] * 4)
    starts = np.array(
        [[2019, np.inf, np.inf, np.inf, np.inf], [2019] * 4 + [np.inf], [2009] + [np.inf] * 4]
    )
    found = refit(design, "synthetic_control").under(starts)
    assert np.isfinite(found).tolist() == [True, False, False]


def test_predictors_that_a_mix_shares_are_matched_exactly() -> None:
    donors = walks(10, 1)
    rng = np.random.default_rng(4)
    x = rng.normal(size=(10, 1)) + 0.1 * rng.normal(size=donors.shape)
    mix = np.array([0, 0.6, 0, 0.4, 0, 0, 0, 0, 0, 0])
    y = np.vstack([mix @ donors + np.where(YEARS >= START, 1.5, 0.0), donors])
    design = panel(y, [START] + [None] * 10, covariate=np.vstack([mix @ x, x]))
    options = {"fit": "covariates", "predictors": "x:2008-2019; y:2010; y:2015; y:2018,2019"}
    effect = estimate(design, "synthetic_control", options=options)
    assert effect.overall.att == pytest.approx(1.5, abs=0.02)
    table = effect.tables["predictors"]
    assert table["predictor"] == ("x:2008-2019", "y:2010", "y:2015", "y:2018-2019")
    assert sum(table["v"]) == pytest.approx(1)
    split = {"fit": "covariates", "v": "cross_validation", "placebo_pool": "none"}
    validated = estimate(design, "synthetic_control", options=split)
    assert validated.overall.att == pytest.approx(1.5, abs=0.2)
    assert validated.inference == "none"
    assert validated.overall.p_value is None


def test_the_search_for_predictor_weights_draws_nothing_and_beats_equal_ones() -> None:
    y = walks(12, 11)
    x = np.random.default_rng(5).normal(size=y.shape)
    design = panel(y, [START] + [None] * 11, covariate=x)
    options = {"fit": "covariates", "placebo_pool": "none"}

    def rmspe(v: str) -> tuple[float, float]:
        effect = estimate(design, "synthetic_control", options={**options, "v": v}, seed=len(v))
        return float(effect.tables["fit"]["pre_rmspe"][0]), float(effect.overall.att or 0.0)

    assert rmspe("nested") == rmspe("nested")
    assert rmspe("nested")[0] <= min(rmspe("equal")[0], rmspe("equal_start")[0]) + 1e-9


def test_ridge_augmentation_is_the_regression_it_says_it_is() -> None:
    rng = np.random.default_rng(2)
    donors, target = rng.normal(size=(8, 12)), rng.normal(size=12)
    middle = donors.mean(axis=0)
    columns, aim = donors - middle, target - middle
    w = np.full(8, 1 / 8)
    after = rng.normal(size=8)
    # Synthetic control plus what a ridge regression of the later outcome makes of the imbalance.
    slope = np.linalg.solve(
        columns.T @ columns + 0.7 * np.eye(12), columns.T @ (after - after.mean())
    )
    expected = w @ after + (aim - w @ columns) @ slope
    assert augmented(columns, aim, w, 0.7) @ after == pytest.approx(expected)
    assert augmented(columns, aim, w, 0.7).sum() == pytest.approx(1)
    assert augmented(columns, aim, w, 1e12) == pytest.approx(w)


@pytest.mark.parametrize("shape", [(8, 3), (5, 12)])
def test_no_penalty_is_the_limit_of_ever_smaller_ones(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(6)
    columns, aim = rng.normal(size=shape), rng.normal(size=shape[1])
    columns -= columns.mean(axis=0)
    w = np.full(shape[0], 1 / shape[0])
    none = augmented(columns, aim, w, 0.0)
    # A penalty moves weights by its share of the least curvature, rounding by its inverse.
    assert none == pytest.approx(augmented(columns, aim, w, 1e-7), abs=1e-6)
    # Nothing is left of the imbalance but what donors' differences do not span.
    assert columns @ (aim - none @ columns) == pytest.approx(np.zeros(shape[0]), abs=1e-12)


def test_many_augmentations_at_once_are_the_same_one_by_one() -> None:
    rng = np.random.default_rng(7)
    columns, aim = rng.normal(size=(6, 9, 4)), rng.normal(size=(6, 4))
    columns[0, 3:] = 0.0  # units that may not compare
    columns -= columns.mean(axis=1, keepdims=True)
    w, penalty = rng.dirichlet(np.ones(9), 6), np.array([0.1, 0.2, 0.0, 1.0, 5.0, 1e-8])
    together = augmented(columns, aim, w, penalty)
    for i in range(6):
        alone = augmented(columns[i], aim[i], w[i], float(penalty[i]))
        assert together[i] == pytest.approx(alone, rel=1e-9, abs=1e-9)


def test_ridge_placebos_are_what_one_gets_by_treating_those_donors() -> None:
    design = panel(walks(9, 4), [START] + [None] * 8)
    options = {"augment": "ridge", "ridge": "0.3"}
    effect = estimate(design, "synthetic_control", options=options)
    donors = np.arange(9) > 0
    for i in (1, 5, 8):
        starts = [START if j == i else None for j in range(9)]
        alone = subset_design(design, units=donors, cohort=starts)
        again = estimate(alone, "synthetic_control", options=options)
        assert again.overall.att == pytest.approx(effect.placebos[i - 1], abs=1e-8)


def test_the_penalty_is_chosen_by_leaving_out_periods_one_by_one() -> None:
    from scipy.optimize import minimize

    rng = np.random.default_rng(3)
    columns, aim = rng.normal(size=(5, 7)), rng.normal(size=7)
    columns -= columns.mean(axis=0)
    errors = []
    penalty, penalties, mean = choose_penalty(columns, aim, "min")
    for out in range(6):
        keep = np.arange(7) != out
        x, y = columns[:, keep], aim[keep]
        slow = minimize(
            lambda w, x=x, y=y: ((w @ x - y) ** 2).sum(),
            np.full(5, 0.2),
            bounds=[(0, 1)] * 5,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-15, "maxiter": 500},
        ).x
        errors.append(
            [(aim[out] - augmented(x, y, slow, p) @ columns[:, out]) ** 2 for p in penalties]
        )
    # The slow solver's weights are good to 1e-6 or so; small penalties magnify that.
    assert mean == pytest.approx(np.mean(errors, axis=0), rel=1e-3)
    assert penalty == penalties[np.mean(errors, axis=0).argmin()]
    bound = mean.min() + np.std(np.array(errors)[:, mean.argmin()], ddof=1) / 6**0.5
    wide, _, _ = choose_penalty(columns, aim, "one_se")
    assert wide == max(p for p, e in zip(penalties, mean, strict=True) if e <= bound)


def test_inputs_stay_as_they_were() -> None:
    design = mixed()
    before = design.y.copy()
    assert not design.y.flags.writeable
    for options in ({}, {"intercept": "yes", "augment": "ridge"}, {"fit": "covariates"}):
        estimate(design, "synthetic_control", options=options)
    assert (design.y == before).all()


def test_what_can_not_be_done_is_refused_in_words() -> None:
    design = mixed()
    with pytest.raises(DesignError, match="before the start"):
        estimate(panel(walks(6, 1), [2009] + [None] * 5), "synthetic_control")
    with pytest.raises(DesignError, match="beyond the start"):
        estimate(
            design, "synthetic_control", options={"fit": "covariates", "predictors": "y:2015-2021"}
        )
    with pytest.raises(DesignError, match="ridge"):
        estimate(design, "synthetic_control", options={"fit": "covariates", "augment": "ridge"})
    with pytest.raises(UsageError, match="'z'"):
        estimate(design, "synthetic_control", options={"fit": "covariates", "predictors": "z:2015"})
    with pytest.raises(UsageError, match="1999"):
        estimate(design, "synthetic_control", options={"fit": "covariates", "predictors": "y:1999"})
    with pytest.raises(UsageError, match="no periods"):
        estimate(design, "synthetic_control", options={"fit": "covariates", "predictors": "y"})
    lone = panel(walks(2, 1), [START, None])
    with pytest.raises(DesignError, match="at least 2"):
        estimate(lone, "synthetic_control")
