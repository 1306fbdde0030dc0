"""Conley–Taber and Ferman–Pinto: against closed forms, by going through units, and by simulation."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError
from cps.estimators.inference.ferman_pinto import variance_line
from cps.estimators.registry import estimate, refit
from cps.result import Effect

N, T = 40, 8
PAPER = {"tails": "equal", "correction": "none"}


@cache
def blank(n_treated: int, starts: tuple[int, ...] = (5,)) -> Design:
    """A design whose outcomes are put in afterwards."""
    rows = [
        (f"u{i:02d}", t + 1, float(i + t), starts[i % len(starts)] if i < n_treated else None)
        for i in range(N)
        for t in range(T)
    ]
    frame = pl.DataFrame(
        rows,
        schema={"unit": pl.String, "year": pl.Int64, "y": pl.Float64, "start": pl.Int64},
        orient="row",
    )
    return design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="start")


def noise(seed: int, rho: float = 0.7) -> np.ndarray:
    """Autocorrelated normal errors with variance 1, shape (N, T)."""
    rng = np.random.default_rng(seed)
    e = rng.normal(size=(N, T))
    for t in range(1, T):
        e[:, t] = rho * e[:, t - 1] + np.sqrt(1 - rho**2) * e[:, t]
    return e


def filled(design: Design, y: np.ndarray) -> Design:
    return dataclasses.replace(design, y=y, y_natural=y)


def did(design: Design, way: str, **options: str | float) -> Effect:
    return estimate(
        design,
        "synthetic_did",
        options={"weights": "did", "errors": "none"},
        inference=way,
        inference_options=options,
    )


def contrasts(design: Design) -> np.ndarray:
    """Mean after less mean before of each unit, for a start in period 5."""
    return np.asarray(design.y[:, 4:].mean(axis=1) - design.y[:, :4].mean(axis=1))


def test_with_one_treated_unit_the_errors_are_the_comparison_units_contrasts() -> None:
    design = filled(blank(1), noise(1))
    x = contrasts(design)
    gap = x[0] - x[1:].mean()
    others = np.sort(x[1:] - x[1:].mean())
    found = did(design, "conley_taber", **PAPER)
    n = len(others)
    # The paper's rule for n = 39 at 95%: ⌊.975⌋ = 0, so that no lower quantile exists.
    assert found.overall.ci_low is None
    wider = estimate(
        design,
        "synthetic_did",
        options={"weights": "did", "errors": "none"},
        inference="conley_taber",
        inference_options=PAPER,
        level=0.8,
    ).overall
    assert wider.ci_low == pytest.approx(gap - others[int(np.ceil(0.9 * n)) - 1])
    assert wider.ci_high == pytest.approx(gap - others[int(np.floor(0.1 * n)) - 1])
    symmetric = did(design, "conley_taber", correction="none").overall
    half = np.sort(np.abs(others))[::-1][1]  # 2 of 40 numbers are 5%
    assert (symmetric.ci_low, symmetric.ci_high) == pytest.approx((gap - half, gap + half))
    assert symmetric.p_value == pytest.approx((1 + (np.abs(others) >= abs(gap)).sum()) / 40)


def test_with_two_treated_units_every_pair_of_comparison_units_stands_in() -> None:
    design = filled(blank(2), noise(2))
    x = contrasts(design)
    others = (x[2:] - x[2:].mean()) / 2
    pairs = np.abs(others[:, None] + others[None, :]).ravel()
    gap = x[:2].mean() - x[2:].mean()
    found = did(design, "conley_taber", correction="none")
    assert found.p_value_floor == pytest.approx(1 / (1 + 38**2))
    assert found.overall.p_value == pytest.approx((1 + (pairs >= abs(gap)).sum()) / (1 + 38**2))


def test_the_correction_gives_the_error_of_a_difference_of_means() -> None:
    # Residuals of n donors vary by s²(n−1)/n; the estimate's error by s²(1 + 1/n).
    design = filled(blank(1), noise(3))
    x = contrasts(design)[1:]
    plain, widened = (
        did(design, "conley_taber", correction=one).overall.se for one in ("none", "small_sample")
    )
    n = len(x)
    assert plain == pytest.approx(x.std())
    assert widened == pytest.approx(x.std(ddof=1) * np.sqrt(1 + 1 / n))


def test_whoever_was_treated_few_are_found_to_differ() -> None:
    # Each unit of one heavy-tailed panel in turn: two of forty is the level, on either side of it
    # one more or less, as residuals are not quite exchangeable with the treated unit's error.
    rng = np.random.default_rng(4)
    base = filled(blank(1), rng.standard_t(2, (N, T)).cumsum(axis=1))
    rejected = 0
    for treated in range(N):
        cohort = [5 if unit == treated else None for unit in range(N)]
        one = did(subset_design(base, cohort=cohort), "conley_taber").overall.p_value
        assert one is not None
        rejected += one <= 0.05
    assert 1 <= rejected <= 3


@pytest.mark.parametrize("n_treated", [1, 2, 3])
def test_the_level_holds_with_one_to_three_treated_units(n_treated: int) -> None:
    design = blank(n_treated, (5, 6))
    rejected = 0
    for seed in range(100):
        found = did(filled(design, noise(100 + seed)), "conley_taber", draws=999).overall
        assert found.p_value is not None
        rejected += found.p_value <= 0.05
    # A hundred panels: 5% is 5, with a standard deviation of 2.2.
    assert 1 <= rejected <= 11


def test_a_small_treated_unit_is_held_by_the_variance_rule_alone() -> None:
    design = blank(1)
    # As small as the smallest comparison unit, so that its variance is seen, not extrapolated.
    sizes = np.concatenate([[25.0, 25.0, 25.0], np.random.default_rng(0).uniform(25, 400, N - 3)])
    design = dataclasses.replace(design, denominator=np.tile(sizes[:, None], (1, T)))
    rejected = {"conley_taber": 0, "ferman_pinto": 0}
    for seed in range(100):
        y = noise(500 + seed) * np.sqrt(0.05 + 40 / sizes)[:, None]
        for way in rejected:
            found = did(filled(design, y), way).overall
            assert found.p_value is not None
            rejected[way] += found.p_value <= 0.05
    # 5% of a hundred panels is 5, with a standard deviation of 2.2.
    assert rejected["conley_taber"] > 14
    assert 1 <= rejected["ferman_pinto"] <= 11


def test_a_treated_unit_smaller_than_all_others_is_said_to_be_extrapolated() -> None:
    sizes = np.concatenate([[25.0], np.random.default_rng(0).uniform(50, 400, N - 1)])
    codes = {}
    for name, own in (("outside", 25.0), ("inside", 200.0)):
        sizes[0] = own
        design = dataclasses.replace(
            filled(blank(1), noise(13)), denominator=np.tile(sizes[:, None], (1, T))
        )
        codes[name] = {one.code for one in did(design, "ferman_pinto").findings}
    assert codes["outside"] - codes["inside"] == {"W-INF-EXTRAPOLATED"}


def test_a_design_without_size_is_judged_by_volatility_before_the_start() -> None:
    y = noise(7)
    rough = y.copy()
    rough[0] *= 5
    found = {
        name: did(filled(blank(1), one), "ferman_pinto", size="volatility").overall.se
        for name, one in (("alike", y), ("rough", rough))
    }
    assert found["alike"] is not None
    assert found["rough"] is not None
    assert found["rough"] > 1.3 * found["alike"]


def test_the_variance_line_has_no_negative_part() -> None:
    roughness = np.array([1.0, 2.0, 3.0, 4.0])
    assert variance_line(2 + 3 * roughness, roughness) == pytest.approx((2, 3))
    assert variance_line(5 - roughness, roughness) == pytest.approx((2.5, 0))
    a, b = variance_line(3 * roughness - 2, roughness)
    assert a == 0
    assert b == pytest.approx(roughness @ (3 * roughness - 2) / (roughness @ roughness))


def test_equal_sizes_make_both_the_same() -> None:
    design = dataclasses.replace(filled(blank(2), noise(8)), denominator=np.full((N, T), 100.0))
    one, other = (did(design, way).overall for way in ("conley_taber", "ferman_pinto"))
    assert (one.ci_low, one.p_value) == pytest.approx((other.ci_low, other.p_value))


def test_scale_and_common_shocks_do_not_matter() -> None:
    y = noise(9)
    rng = np.random.default_rng(0)
    moved = 7 * y + rng.normal(size=(N, 1)) + rng.normal(size=T)
    for way in ("conley_taber", "ferman_pinto"):
        one = did(filled(blank(2, (5, 6)), y), way, draws=999).overall
        other = did(filled(blank(2, (5, 6)), moved), way, draws=999).overall
        assert one.ci_low is not None
        assert other.p_value == one.p_value
        assert other.ci_low == pytest.approx(7 * one.ci_low)


def test_a_method_that_bends_is_refused_in_words() -> None:
    design = filled(blank(1), noise(10) + np.arange(N)[:, None] % 3)
    with pytest.raises(DesignError, match="not linear"):
        estimate(design, "synthetic_did", options={"errors": "none"}, inference="conley_taber")


def test_units_that_share_a_cluster_are_not_stood_in_for_one_by_one() -> None:
    design = filled(blank(2), noise(12))
    cluster = tuple(f"c{i // 2}" for i in range(N))
    plain = estimate(design, "group_time_att", inference="conley_taber")
    assert plain.overall.p_value is not None
    assert plain.placebos == ()
    with pytest.raises(DesignError, match="clusters"):
        estimate(
            dataclasses.replace(design, cluster=cluster), "group_time_att", inference="conley_taber"
        )


def test_without_size_or_room_to_see_volatility_the_rule_is_refused() -> None:
    design = subset_design(filled(blank(1), noise(11)), periods=np.arange(T) >= 2)
    with pytest.raises(DesignError, match="volatility"):
        did(design, "ferman_pinto")


BATCHED: tuple[tuple[str, dict[str, str]], ...] = (
    ("group_time_att", {"control": "never", "base": "universal"}),
    ("group_time_att", {"control": "not_yet"}),
    ("imputation", {}),
    ("interaction_weighted", {}),
    ("stacked", {"weights": "corrected"}),
    ("stacked", {"weights": "plain"}),
)


@pytest.mark.parametrize(("method", "options"), BATCHED)
def test_many_outcomes_at_once_give_what_each_gives_alone(
    method: str, options: dict[str, str]
) -> None:
    design = filled(blank(6, (4, 5, 7)), noise(11))
    again = refit(design, method, options=options)
    outcomes = np.array([noise(seed) for seed in range(20, 25)])
    each = [again.one(filled(design, y)) for y in outcomes]
    assert np.isfinite(each).all()
    np.testing.assert_allclose(again.of(outcomes), each, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(again.of(outcomes[:1]), each[:1], rtol=1e-9, atol=1e-11)
    assert hasattr(again.module, "outcome_points")


def test_a_method_without_a_batch_takes_outcomes_one_at_a_time() -> None:
    design = filled(blank(2), noise(12))
    again = refit(design, "synthetic_did", options={"weights": "did", "errors": "none"})
    outcomes = np.array([noise(seed) for seed in (30, 31)])
    each = [again.one(filled(design, y)) for y in outcomes]
    np.testing.assert_allclose(again.of(outcomes), each, rtol=1e-12)
