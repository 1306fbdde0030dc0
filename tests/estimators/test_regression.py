"""Least squares with absorbed effects: against dummies, sandwiches by hand and invariants."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.errors import DesignError
from cps.estimators import _regression_absorb
from cps.estimators._regression import CONSTANT, as_codes, regress
from cps.estimators._regression_collapsed import regress_groups
from cps.estimators._regression_sparse import regress_flags
from cps.estimators.registry import estimate, point_estimate, refit
from tests.estimators._panels import design, panel, starts


def sample(n_units: int = 12, n_periods: int = 7, *, drop: float = 0.2, seed: int = 0):
    rng = np.random.default_rng(seed)
    unit, period = (one.ravel() for one in np.indices((n_units, n_periods)))
    kept = rng.uniform(size=unit.size) >= drop
    unit, period = unit[kept], period[kept]
    x = rng.normal(size=(unit.size, 3))
    y = x @ [1.0, -2.0, 0.5] + unit + 0.3 * period + rng.normal(size=unit.size)
    return y, x, unit, period, rng.uniform(0.5, 3.0, unit.size)


def dummies(codes: np.ndarray) -> np.ndarray:
    return (codes[:, None] == np.unique(codes)[None]).astype(float)


def by_hand(y, x, unit, period, weight):
    """Weighted least squares with every dummy written out: (coefficients, residuals, residual x)."""
    root = np.sqrt(weight)
    effects = np.column_stack([dummies(unit), dummies(period)[:, 1:]])
    whole = np.column_stack([x, effects]) * root[:, None]
    solved = np.linalg.lstsq(whole, y * root, rcond=None)[0]
    left = x - effects @ np.linalg.lstsq(effects * root[:, None], x * root[:, None], rcond=None)[0]
    return solved[: x.shape[1]], y - np.column_stack([x, effects]) @ solved, left


@pytest.mark.parametrize("drop", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_absorbing_is_writing_out_every_dummy(drop: float, weighted: bool) -> None:
    y, x, unit, period, weight = sample(drop=drop)
    w = weight if weighted else np.ones_like(y)
    fitted = regress(
        y, x, names="abc", absorb=[unit, period], weights=w, errors="cluster", clusters=[unit]
    )
    coefficients, residuals, left = by_hand(y, x, unit, period, w)
    # Both are direct solutions: rounding is all that may differ.
    np.testing.assert_allclose(fitted.coefficients, coefficients, atol=1e-10)
    np.testing.assert_allclose(fitted.residuals, residuals, atol=1e-9)
    bread = np.linalg.inv(left.T @ (w[:, None] * left))
    scores = np.array(
        [((w * residuals)[unit == one, None] * left[unit == one]).sum(axis=0) for one in set(unit)]
    )
    n, g, k = len(y), len(set(unit)), 3 + len(set(period))
    factor = g / (g - 1) * (n - 1) / (n - k)  # unit levels lie within clusters: not counted
    np.testing.assert_allclose(
        fitted.covariance, factor * bread @ scores.T @ scores @ bread, rtol=1e-8
    )
    np.testing.assert_allclose(fitted.scores.T @ fitted.scores, fitted.covariance, rtol=1e-10)
    assert (fitted.n_parameters, fitted.degrees) == (k, g - 1)


def test_small_sample_factors_differ_by_what_they_count() -> None:
    y, x, unit, period, _ = sample()
    n, n_units, n_periods = len(y), len(set(unit)), len(set(period))
    errors = {
        kind: regress(
            y,
            x,
            names="abc",
            absorb=[unit, period],
            errors="cluster",
            clusters=[unit],
            small_sample=kind,
        ).get("a")[1]
        for kind in ("nested", "full", "none")
    }
    g = n_units / (n_units - 1) * (n - 1)
    nested, full = n - 3 - n_periods, n - 3 - n_periods - n_units + 1
    assert errors["nested"] / errors["none"] == pytest.approx(np.sqrt(g / nested))
    assert errors["full"] / errors["none"] == pytest.approx(np.sqrt(g / full))


def test_iid_and_robust_errors_are_those_of_the_textbook() -> None:
    y, x, unit, period, _ = sample()
    plain = regress(y, x, names="abc", absorb=[unit, period])
    robust = regress(y, x, names="abc", absorb=[unit, period], errors="robust")
    _, e, left = by_hand(y, x, unit, period, np.ones_like(y))
    bread = np.linalg.inv(left.T @ left)
    df = len(y) - 3 - len(set(unit)) - len(set(period)) + 1
    np.testing.assert_allclose(plain.covariance, bread * (e @ e) / df, rtol=1e-9)
    meat = (left * e[:, None]).T @ (left * e[:, None])
    np.testing.assert_allclose(robust.covariance, bread @ meat @ bread * len(y) / df, rtol=1e-9)


def test_two_way_clusters_add_both_ways_and_take_off_their_intersection() -> None:
    y, x, unit, period, _ = sample(n_units=40, n_periods=30)
    y = y - unit - 0.3 * period
    group = unit % 20

    def covariance(*clusters: np.ndarray) -> np.ndarray:
        return regress(
            y, x, names="abc", errors="cluster", clusters=clusters, small_sample="none"
        ).covariance

    both = covariance(group, period)
    cells = as_codes(group * 100 + period)
    expected = covariance(group) + covariance(period) - covariance(cells)
    assert np.linalg.eigvalsh(expected).min() > 0  # so that nothing had to be mended
    np.testing.assert_allclose(both, expected, rtol=1e-9)


def test_columns_that_others_span_are_dropped_and_named() -> None:
    y, x, unit, period, _ = sample()
    fixed = np.sqrt(unit + 1.0)  # absorbed by unit levels
    twice = 2 * x[:, 0] - x[:, 1]
    more = np.column_stack([x[:, :2], fixed, twice, x[:, 2]])
    fitted = regress(y, more, names=["a", "b", "fixed", "twice", "c"], absorb=[unit, period])
    assert fitted.dropped == ("fixed", "twice")
    short = regress(y, x, names="abc", absorb=[unit, period])
    np.testing.assert_allclose(fitted.coefficients, short.coefficients, atol=1e-10)


def test_a_badly_scaled_column_is_not_taken_for_a_collinear_one() -> None:
    y, x, unit, period, _ = sample()
    scaled = x * [1e-7, 1.0, 1e7] + [0.0, 1e4, 0.0]
    fitted = regress(y, scaled, names="abc", absorb=[unit, period])
    short = regress(y, x, names="abc", absorb=[unit, period])
    assert not fitted.dropped
    # The mean of 1e4 costs eight digits of sixteen in the cross-products.
    np.testing.assert_allclose(
        fitted.coefficients * [1e-7, 1.0, 1e7], short.coefficients, rtol=1e-7
    )


def test_a_cross_section_gets_a_constant() -> None:
    y, x, *_ = sample()
    fitted = regress(y, x, names="abc")
    whole = np.column_stack([np.ones_like(y), x])
    np.testing.assert_allclose(
        fitted.coefficients, np.linalg.lstsq(whole, y, rcond=None)[0], atol=1e-10
    )
    assert fitted.names == (CONSTANT, "a", "b", "c")


def test_a_difference_of_means_is_a_regression_on_a_flag() -> None:
    rng = np.random.default_rng(5)
    flag = np.arange(40) % 3 == 0
    y = rng.normal(size=40) + flag
    value, error = regress(y, flag[:, None], names=["flag"]).get("flag")
    assert value == pytest.approx(y[flag].mean() - y[~flag].mean())
    pooled = ((y[flag] - y[flag].mean()) ** 2).sum() + ((y[~flag] - y[~flag].mean()) ** 2).sum()
    assert error == pytest.approx(np.sqrt(pooled / 38 * (1 / flag.sum() + 1 / (~flag).sum())))


def test_a_single_period_can_be_compared_by_means_but_not_over_time() -> None:
    frame = pl.DataFrame(
        {"village": range(6), "year": [2000] * 6, "y": range(6), "reserved": [0, 1] * 3}
    )
    with pytest.raises(DesignError, match="single period"):
        design_from_frame(frame, unit="village", period="year", outcome="y", treated="reserved")


def test_codes_with_holes_and_in_any_order_give_the_same_numbers() -> None:
    y, x, unit, period, _ = sample()
    fitted = regress(y, x, names="abc", absorb=[unit, period], errors="cluster", clusters=[unit])
    shuffled = np.random.default_rng(2).permutation(len(y))
    other = regress(
        y[shuffled],
        x[shuffled],
        names="abc",
        absorb=[900 - 7 * unit[shuffled], 3 * period[shuffled]],
        errors="cluster",
        clusters=[900 - 7 * unit[shuffled]],
    )
    np.testing.assert_allclose(other.coefficients, fitted.coefficients, atol=1e-10)
    np.testing.assert_allclose(other.covariance, fitted.covariance, rtol=1e-9)


def test_inputs_are_left_as_they_were() -> None:
    y, x, unit, period, weight = sample()
    before = [one.copy() for one in (y, x, unit, period, weight)]
    regress(y, x, names="abc", absorb=[unit, period], weights=weight)
    for one, other in zip((y, x, unit, period, weight), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_cannot_be_fitted_is_refused() -> None:
    y, x, unit, period, _ = sample()
    with pytest.raises(ValueError, match="no column is left"):
        regress(y, unit[:, None].astype(float), names=["unit"], absorb=[unit, period])
    with pytest.raises(ValueError, match="at most two"):
        regress(y, x, names="abc", absorb=[unit, period, unit])
    with pytest.raises(ValueError, match="rows for"):
        regress(y[:3], x[:3], names="abc")


@pytest.mark.parametrize("errors", ["cluster", "robust", "iid"])
@pytest.mark.parametrize("small_sample", ["nested", "full", "none"])
@pytest.mark.parametrize("weighted", [False, True])
def test_groups_that_share_their_columns_give_the_regression_of_all_rows(
    errors: str, small_sample: str, weighted: bool
) -> None:
    rng = np.random.default_rng(8)
    n_units, n_periods, n_groups = 20, 6, 4
    group = rng.integers(0, n_groups, n_units)
    group[:n_groups] = range(n_groups)
    y = rng.normal(size=(n_units, n_periods))
    columns = rng.normal(size=(3, n_groups, n_periods))
    columns[2] = columns[0] + 4.0  # spanned
    weight = rng.uniform(0.5, 2, n_units) if weighted else np.ones(n_units)
    cluster = np.arange(n_units) // 2
    quick = regress_groups(
        y,
        group,
        columns,
        names="abc",
        weight=weight,
        cluster=cluster,
        errors=errors,
        small_sample=small_sample,  # type: ignore[arg-type]
    )
    unit, period = (one.ravel() for one in np.indices(y.shape))
    slow = regress(
        y.ravel(),
        columns[:, group].reshape(3, -1).T,
        names="abc",
        absorb=[unit, period],
        weights=np.repeat(weight, n_periods),
        errors=errors,  # type: ignore[arg-type]
        clusters=[cluster[unit]],
        small_sample=small_sample,  # type: ignore[arg-type]
    )
    assert quick.names == slow.names
    assert quick.dropped == slow.dropped == ("c",)
    assert quick.degrees == slow.degrees
    np.testing.assert_allclose(quick.coefficients, slow.coefficients, atol=1e-10)
    np.testing.assert_allclose(quick.covariance, slow.covariance, rtol=1e-8)


METHODS = ("imputation", "interaction_weighted", "stacked", "two_way_fixed_effects")


@pytest.mark.parametrize("method", [*METHODS, "dose_response"])
def test_units_in_another_order_with_other_names_give_the_same_effect(method: str) -> None:
    frame = panel(effect=1.0, growth=0.5, noise=1.0)
    given = {"weights": "wt", **({"dose": "dose"} if method == "dose_response" else {})}
    moved = frame.with_columns(
        unit=pl.lit("v") + (99 - pl.col("unit").str.slice(1).cast(pl.Int64)).cast(pl.String)
    ).sample(fraction=1, shuffle=True, seed=4)
    one, other = (estimate(design(f, **given), method) for f in (frame, moved))
    assert one.overall.att == pytest.approx(other.overall.att, abs=1e-9)
    assert one.overall.se == pytest.approx(other.overall.se, abs=1e-9)
    for a, b in zip(one.by_event_time, other.by_event_time, strict=True):
        assert (a.event_time, a.n_treated) == (b.event_time, b.n_treated)
        assert a.estimate.att == pytest.approx(b.estimate.att, abs=1e-9)


@pytest.mark.parametrize("method", [*METHODS, "dose_response"])
def test_an_effect_can_be_written_down_and_is_the_same_each_time(method: str) -> None:
    given = {"dose": "dose"} if method == "dose_response" else {}
    one = design(panel(effect=1.0, noise=1.0), **given)
    effect = estimate(one, method)
    assert effect == estimate(one, method, seed=7)
    # NaN would raise here.
    json.dumps(dataclasses.asdict(effect), allow_nan=False)
    assert effect.p_value_floor is None
    assert effect.assumes is not None
    assert effect.method == method
    narrow, wide = (estimate(one, method, level=level).overall for level in (0.8, 0.99))
    assert wide.ci_low < narrow.ci_low < narrow.ci_high < wide.ci_high


@pytest.mark.parametrize("method", [*METHODS, "dose_response"])
def test_the_point_is_the_effect_and_so_is_the_own_assignment_in_a_batch(method: str) -> None:
    given = {"dose": "dose"} if method == "dose_response" else {}
    one = design(panel(effect=1.0, noise=1.0), **given)
    att = estimate(one, method).overall.att
    assert point_estimate(one, method) == pytest.approx(att, abs=1e-9)
    assert refit(one, method).under(starts(one))[0] == pytest.approx(att, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_logarithms_are_told_in_the_outcomes_own_unit_too(method: str) -> None:
    frame = panel(effect=0.2).with_columns(y=(pl.col("y") / 20).exp())
    effect = estimate(design(frame, form="log", measure="yuan"), method)
    assert effect.measure == "log_points"
    assert effect.natural_measure == "yuan"
    assert effect.natural is not None
    assert effect.natural.att > 0


@pytest.mark.parametrize("sparse", [False, True])
def test_panels_in_several_pieces_are_absorbed_piece_by_piece(
    monkeypatch: pytest.MonkeyPatch, sparse: bool
) -> None:
    if sparse:
        monkeypatch.setattr(_regression_absorb, "_DENSE", 0)
    rng = np.random.default_rng(6)
    # Two sets of units that never share a period.
    unit, period = (one.ravel() for one in np.indices((12, 8)))
    kept = (unit < 6) == (period < 4)
    unit, period = unit[kept], period[kept]
    x, y = rng.normal(size=(len(unit), 2)), rng.normal(size=len(unit))
    fitted = regress(y, x, names="ab", absorb=[unit, period])
    coefficients, residuals, _ = by_hand(y, x, unit, period, np.ones_like(y))
    np.testing.assert_allclose(fitted.coefficients, coefficients, atol=1e-10)
    np.testing.assert_allclose(fitted.residuals, residuals, atol=1e-10)


def test_connected_sets_are_found_alike_in_narrow_and_wide_tables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    table = (rng.uniform(size=(40, 30)) < 0.03).astype(float)
    rows, columns = _regression_absorb.components(table)
    monkeypatch.setattr(_regression_absorb, "_NARROW", 0)
    other_rows, other_columns = _regression_absorb.components(table)
    both, others = np.concatenate([rows, columns]), np.concatenate([other_rows, other_columns])
    assert 1 < len(set(both)) == len(set(others))
    np.testing.assert_array_equal(both[:, None] == both, others[:, None] == others)


@pytest.mark.parametrize("small_sample", ["nested", "full", "none"])
@pytest.mark.parametrize("grouped", [False, True])
def test_flags_that_are_not_laid_out_give_the_regression_with_them_laid_out(
    small_sample: str, grouped: bool
) -> None:
    y, x, unit, period, weight = sample(n_units=20, n_periods=8)
    flag = np.where((unit < 9) & (period >= 3), (unit // 3) * 8 + period, -1)
    used = np.unique(flag[flag >= 0])
    flag = np.where(flag >= 0, np.searchsorted(used, flag), -1)
    x = np.column_stack([x[:, :2], np.sqrt(unit + 2.0)])  # the last one is absorbed
    cluster = unit // 2 if grouped else unit
    names = ["a", "b", "fixed", *(f"f{k}" for k in range(len(used)))]
    given = {"weights": weight, "small_sample": small_sample}
    quick = regress_flags(
        y, flag, x, names=names, level=unit, period=period, cluster=cluster, **given
    )
    laid_out = np.column_stack([x, flag[:, None] == np.arange(len(used))]).astype(float)
    slow = regress(
        y,
        laid_out,
        names=names,
        absorb=[unit, period],
        errors="cluster",
        clusters=[cluster],
        **given,
    )
    assert quick.names == slow.names
    assert quick.dropped == slow.dropped
    assert "fixed" in quick.dropped
    assert quick.n_parameters == slow.n_parameters
    np.testing.assert_allclose(quick.coefficients, slow.coefficients, atol=1e-9)
    np.testing.assert_allclose(quick.residuals, slow.residuals, atol=1e-9)
    np.testing.assert_allclose(quick.covariance, slow.covariance, atol=1e-10)
