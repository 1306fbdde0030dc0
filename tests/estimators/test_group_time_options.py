"""Group-time effects with weights, clusters, gaps, covariates and bands, against slow versions."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError
from cps.estimators import group_time_att
from cps.estimators._options import settle
from cps.estimators.registry import estimate, point_estimate
from cps.result import Effect

PERIODS = np.arange(2010, 2017)
STARTS = (2012, 2014, 2015, None)


def panel(n_units: int = 60, seed: int = 1) -> pl.DataFrame:
    """Noisy units in three cohorts and never treated, with a weight, a cluster and covariates."""
    rng = np.random.default_rng(seed)
    cohort = np.array([STARTS[i % 4] or 9999 for i in range(n_units)])
    x = rng.normal(size=n_units) + 0.3 * (cohort == 2012)
    moving = rng.normal(size=(n_units, len(PERIODS))) * 0.2 + x[:, None]
    y = (
        rng.normal(0, 2, (n_units, 1))
        + (0.2 + 0.1 * x[:, None]) * (PERIODS - 2010)
        + np.where(cohort[:, None] <= PERIODS, 0.5, 0.0)
        + rng.normal(0, 0.5, (n_units, len(PERIODS)))
    )
    weight = rng.uniform(0.3, 3, n_units)
    return pl.DataFrame(
        {
            "unit": np.repeat(np.arange(n_units), len(PERIODS)),
            "year": np.tile(PERIODS, n_units),
            "y": y.ravel(),
            "cohort": np.repeat(cohort, len(PERIODS)),
            "w": np.repeat(weight, len(PERIODS)),
            # Weights that all but stand still take the way of weights that change.
            "drift": np.repeat(weight, len(PERIODS)) * (1 + 1e-13 * np.tile(PERIODS, n_units)),
            "town": np.repeat(np.arange(n_units) * 7 % 23, len(PERIODS)),
            "x": np.repeat(x, len(PERIODS)),
            "moving": moving.ravel(),
        }
    )


def design(frame: pl.DataFrame, **options: object) -> Design:
    return design_from_frame(
        frame,
        unit="unit",
        period="year",
        outcome="y",
        cohort="cohort",
        **options,  # type: ignore[arg-type]
    )


def numbers(effect: Effect) -> NDArray[np.float64]:
    """Every estimate and error of an effect; -1 where there is no error."""
    parts = [
        *effect.group_time,
        *effect.by_event_time,
        *effect.by_cohort,
        *effect.by_calendar,
    ]
    all_of = [one.estimate for one in parts] + list(effect.aggregations.values())
    return np.array([[one.att, -1.0 if one.se is None else one.se] for one in all_of])


def slow(design: Design, control: str, base: str) -> NDArray[np.float64]:
    """Group-time effects, errors and all averages from one influence function a cell, by loops."""
    n = len(design.y)
    w = np.ones(n) if design.weights is None else np.asarray(design.weights)[:, 0]
    start = np.array([np.inf if one is None else one for one in design.cohort])
    cells: dict[tuple[int, int], tuple[float, NDArray[np.float64]]] = {}
    for g, (t, period) in itertools.product(design.cohorts, enumerate(design.periods)):
        long = max(i for i, one in enumerate(design.periods) if one + design.anticipation < g)
        b = long if base == "universal" or period >= g else t - 1
        if b == t:
            cells[g, period] = 0.0, np.zeros(n)
            continue
        if b < 0:
            continue
        horizon = design.periods[max(t, b)] + design.anticipation
        other = np.isinf(start) if control == "never" else (start > horizon) & (start != g)
        if not other.any():
            continue
        change = design.y[:, t] - design.y[:, b]
        psi, att = np.zeros(n), 0.0
        for sign, side in ((1, start == g), (-1, other)):
            mean = np.average(change[side], weights=w[side])
            psi[side] = sign * w[side] * (change[side] - mean) / w[side].sum()
            att += sign * mean
        cells[g, period] = att, psi
    size = {g: w[start == g].sum() for g in design.cohorts}

    def mean_of(keys: list[tuple[int, int]]) -> tuple[float, NDArray[np.float64]]:
        total = sum(size[g] for g, _ in keys)
        att = sum(size[g] * cells[g, t][0] for g, t in keys) / total
        psi = sum(size[g] * cells[g, t][1] for g, t in keys) / total
        for g, t in keys:
            psi = psi + w * (start == g) * (cells[g, t][0] - att) / total
        return att, psi

    def plain(parts: list[tuple[float, NDArray[np.float64]]]) -> tuple[float, NDArray[np.float64]]:
        return float(np.mean([a for a, _ in parts])), np.mean([p for _, p in parts], axis=0)

    events = sorted({t - g for g, t in cells})
    by_event = [mean_of([(g, t) for g, t in cells if t - g == e]) for e in events]
    treated = {g: [(g, t) for t in design.periods if t >= g and (g, t) in cells] for g in size}
    by_cohort = {g: plain([cells[key] for key in keys]) for g, keys in treated.items() if keys}
    dates = sorted({t for g, t in cells if t >= g})
    by_date = [mean_of([(g, t) for g, t in cells if t == date and t >= g]) for date in dates]
    whole = sum(size[g] for g in by_cohort)
    group = sum(size[g] * att for g, (att, _) in by_cohort.items()) / whole
    psi = sum(size[g] * one for g, (_, one) in by_cohort.items()) / whole
    for g, (att, _) in by_cohort.items():
        psi = psi + w * (start == g) * (att - group) / whole
    found = [*cells.values(), *by_event, *by_cohort.values(), *by_date]
    found += [mean_of([(g, t) for g, t in cells if t >= g])]
    found += [plain([one for e, one in zip(events, by_event, strict=True) if e >= 0])]
    found += [(group, psi), plain(by_date)]
    towns = None if design.cluster is None else np.unique(design.cluster, return_inverse=True)[1]
    rows = []
    for att, one in found:
        sums = one if towns is None else np.bincount(towns, one)
        error = np.sqrt((sums**2).sum())
        rows.append([att, error if error > 1e-10 else -1.0])
    return np.array(rows)


@pytest.mark.parametrize("control", ["never", "not_yet"])
@pytest.mark.parametrize("base", ["varying", "universal"])
@pytest.mark.parametrize("anticipation", [0, 1])
@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"weights": "w"},
        {"cluster": "town"},
        {"weights": "w", "cluster": "town"},
        {"weights": "drift"},
        {"weights": "drift", "cluster": "town"},
    ],
)
def test_effects_averages_and_errors_are_those_of_one_influence_function_a_cell(
    control: str, base: str, anticipation: int, columns: dict[str, str]
) -> None:
    one = design(panel(), anticipation=anticipation, **columns)
    effect = estimate(one, "group_time_att", options={"control": control, "base": base, "draws": 0})
    # Two orders of summation of numbers near one.
    np.testing.assert_allclose(numbers(effect), slow(one, control, base), atol=1e-12)


def test_sums_by_cohort_and_explicit_influence_functions_give_the_same_covariance() -> None:
    frame = panel(40)
    plain = design(frame, weights="w")
    # Each unit its own cluster: the long way to the same numbers.
    alone = dataclasses.replace(plain, cluster=plain.units)
    for control in ("never", "not_yet"):
        options = {"control": control, "base": "universal"}
        short, long = (estimate(d, "group_time_att", options=options) for d in (plain, alone))
        np.testing.assert_allclose(numbers(short), numbers(long), atol=1e-12)
        covariance = np.array(short.event_covariance)
        np.testing.assert_allclose(covariance, np.array(long.event_covariance), atol=1e-13)
        errors = [one.estimate.se or 0.0 for one in short.by_event_time]
        np.testing.assert_allclose(np.sqrt(np.diagonal(covariance)), errors, atol=1e-14)
        assert short.tables["pretest"]["wald"] == pytest.approx(long.tables["pretest"]["wald"])
        # Two samples of 1,000 draws of the same law: quantiles differ by a few percent.
        for ours, theirs in zip(short.group_time, long.group_time, strict=True):
            if ours.estimate.band_high is not None and theirs.estimate.band_high is not None:
                assert ours.estimate.band_high - (ours.estimate.att or 0) == pytest.approx(
                    theirs.estimate.band_high - (theirs.estimate.att or 0), rel=0.08
                )


@pytest.mark.parametrize("method", ["doubly_robust", "regression", "ipw", "improved"])
@pytest.mark.parametrize("columns", [{}, {"weights": "w"}])
def test_a_covariate_that_says_nothing_changes_nothing(
    method: str, columns: dict[str, str]
) -> None:
    frame = panel()
    # Balanced within every cohort: each unit twice, once with +1 and once with -1.
    both = pl.concat(
        [
            frame.with_columns(z=pl.lit(sign), unit=pl.col("unit") + shift)
            for sign, shift in ((1.0, 0), (-1.0, 1000))
        ]
    )
    options = {"covariate_method": method, "control": "not_yet", "draws": 0}
    plain = estimate(design(both, **columns), "group_time_att", options=options)
    with_z = estimate(design(both, covariates=["z"], **columns), "group_time_att", options=options)
    np.testing.assert_allclose(numbers(with_z), numbers(plain), atol=1e-9)


def test_effects_that_grow_with_a_covariate_are_found_by_all_but_the_plain_comparison() -> None:
    rng = np.random.default_rng(5)
    n = 4000
    x = rng.normal(size=n)
    treated = rng.random(n) < 1 / (1 + np.exp(-x))
    frame = pl.DataFrame(
        {
            "unit": np.repeat(np.arange(n), 2),
            "year": np.tile([2010, 2011], n),
            "y": np.stack([x, 3 * x + 1 + treated + rng.normal(size=n)], axis=1).ravel(),
            "cohort": np.repeat(np.where(treated, 2011, 9999), 2),
            "x": np.repeat(x, 2),
        }
    )
    with_x = design(frame, covariates=["x"])
    for method in group_time_att.OPTIONS["covariate_method"]:  # type: ignore[union-attr]
        one = estimate(with_x, "group_time_att", options={"covariate_method": method}).overall
        assert abs(one.att - 1.0) < 4 * one.se, method
        assert one.se < 0.2
    plain = estimate(design(frame), "group_time_att").overall
    assert plain.att > 2.0  # the trend in x is taken for an effect


@pytest.mark.parametrize("method", ["doubly_robust", "regression", "ipw"])
def test_covariates_count_with_their_value_in_the_earlier_period(method: str) -> None:
    frame = panel(80)
    later = frame.with_columns(
        moving=pl.when(pl.col("year") == 2016).then(1e3).otherwise(pl.col("moving"))
    )
    one, other = (
        estimate(
            design(f, covariates=["moving"]),
            "group_time_att",
            options={"covariate_method": method, "draws": 0},
        )
        for f in (frame, later)
    )
    np.testing.assert_array_equal(numbers(one), numbers(other))


def test_a_unit_with_a_gap_counts_where_it_was_seen() -> None:
    frame = panel(40).filter(~((pl.col("unit") == 3) & (pl.col("year") == 2014)))
    kept = design(frame, missing="keep")
    effect = estimate(kept, "group_time_att", options={"draws": 0})
    y, start = kept.y, np.array([one or 9999 for one in kept.cohort])
    means = {
        (who, t): np.nanmean(y[start == who, t])
        for who in (2012, 9999)
        for t in range(len(PERIODS))
    }
    for one in effect.group_time:
        if one.cohort == 2012 and one.period >= 2012:
            t, b = one.period - 2010, 1
            expected = means[2012, t] - means[2012, b] - means[9999, t] + means[9999, b]
            assert one.estimate.att == pytest.approx(expected, abs=1e-12)


def test_without_a_gap_both_ways_of_a_panel_give_the_same_effects() -> None:
    whole = design(panel(40))
    y = np.array(whole.y)
    y[3, 4] = np.nan
    torn = dataclasses.replace(whole, y=y)
    rest = subset_design(torn, units=~np.isnan(y).any(axis=1))
    options = {"draws": 0}
    # Cells that do not touch 2014 compare complete pairs; there is no trace of the gap in them.
    with_gap = estimate(torn, "group_time_att", options=options)
    without = estimate(whole, "group_time_att", options=options)
    kept = {(one.cohort, one.period): one.estimate for one in without.group_time}
    same = [
        one for one in with_gap.group_time if one.period not in (2014, 2015) and one.cohort != 2015
    ]
    assert len(same) >= 6
    for one in same:
        assert one.estimate.att == pytest.approx(kept[one.cohort, one.period].att, abs=1e-12)
        assert one.estimate.se == pytest.approx(kept[one.cohort, one.period].se, abs=1e-12)
    assert estimate(rest, "group_time_att", options=options).n_comparison == 10 - 1


def test_repeated_cross_sections_give_differences_of_four_means() -> None:
    rng = np.random.default_rng(2)
    n = 400
    year = rng.choice([2010, 2011, 2012], n)
    group = rng.choice([2012, 9999], n)
    y = rng.normal(size=n) + (group == 2012) * 2 + (year == 2012) * ((group == 2012) + 0.5)
    frame = pl.DataFrame({"year": year, "y": y, "cohort": group})
    sections = design_from_frame(
        frame, unit=None, period="year", outcome="y", cohort="cohort", missing="keep"
    )
    one = estimate(sections, "group_time_att").overall
    sides = {(g, t): y[(group == g) & (year == t)] for g in (2012, 9999) for t in (2011, 2012)}
    expected = (
        sides[2012, 2012].mean()
        - sides[2012, 2011].mean()
        - sides[9999, 2012].mean()
        + sides[9999, 2011].mean()
    )
    assert one.att == pytest.approx(expected, abs=1e-12)
    variance = sum(side.var() / len(side) for side in sides.values())
    assert one.se == pytest.approx(np.sqrt(variance), abs=1e-12)


def test_where_a_covariate_tells_who_is_treated_the_cells_are_left_out_and_named() -> None:
    frame = panel().with_columns(tell=(pl.col("cohort") == 2012) * 50.0 + pl.col("x"))
    options = {"draws": 0}
    effect = estimate(design(frame, covariates=["tell"]), "group_time_att", options=options)
    assert {one.cohort for one in effect.group_time} == {2014, 2015}
    assert [one.code for one in effect.findings] == ["W-EST-CELL-OVERLAP"]
    assert set(effect.tables["cells_left_out"]["cohort"]) == {2012}
    assert len(effect.tables["cells_left_out"]["period"]) == 6


def test_more_covariates_than_comparison_units_are_refused_by_cell() -> None:
    rng = np.random.default_rng(0)
    frame = panel(24)
    names = [f"z{i}" for i in range(8)]
    wide = frame.with_columns(
        pl.Series(name, np.repeat(rng.normal(size=24), len(PERIODS))) for name in names
    )
    with pytest.raises(DesignError, match="too few comparison units"):
        estimate(
            design(wide, covariates=names),
            "group_time_att",
            options={"covariate_method": "regression"},
        )


@pytest.mark.parametrize("control", ["never", "not_yet"])
@pytest.mark.parametrize("columns", [{}, {"weights": "w"}, {"covariates": ["x"]}])
def test_the_point_alone_and_many_assignments_at_once_are_the_fitted_effect(
    control: str, columns: dict[str, object]
) -> None:
    one = design(panel(32), **columns)
    options = settle(group_time_att.OPTIONS, {"control": control, "draws": 0}, where="test")
    rng = np.random.default_rng(0)
    start = np.array([np.inf if c is None else c for c in one.cohort])
    starts = np.array([start, *(rng.permutation(start) for _ in range(4))])
    at_once = group_time_att.points(one, starts, options=options)
    for row, value in zip(starts, at_once, strict=True):
        cohort = [int(c) if np.isfinite(c) else None for c in row]
        again = subset_design(one, cohort=cohort)
        effect = group_time_att.fit(again, level=0.95, seed=0, options=options)
        assert value == pytest.approx(effect.overall.att, abs=1e-11)
        assert group_time_att.point(again, options=options) == pytest.approx(value, abs=1e-11)


def test_assignments_without_treated_or_comparison_units_have_no_effect() -> None:
    one = design(panel(16))
    options = settle(group_time_att.OPTIONS, {}, where="test")
    nobody, everybody = np.full(16, np.inf), np.full(16, 2014.0)
    assert np.isnan(
        group_time_att.points(one, np.array([nobody, everybody]), options=options)
    ).all()


def test_order_names_and_inputs_of_units_do_not_matter() -> None:
    frame = panel(40)
    renamed = frame.with_columns(unit=(pl.col("unit") * 37 + 11) % 1009).sort("y")
    one, other = design(frame, cluster="town"), design(renamed, cluster="town")
    before = np.array(one.y)
    effects = [estimate(d, "group_time_att", options={"control": "not_yet"}) for d in (one, other)]
    np.testing.assert_allclose(numbers(effects[0]), numbers(effects[1]), atol=1e-12)
    assert np.array_equal(before, one.y)


def test_bands_are_wider_than_intervals_cover_jointly_and_repeat_with_the_seed() -> None:
    one = design(panel(40))
    first, again, other = (estimate(one, "group_time_att", seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.group_time != other.group_time
    families = (first.group_time, first.by_event_time, first.by_cohort, first.by_calendar)
    for family in families:
        seen = [part.estimate for part in family if part.estimate.se is not None]
        assert seen
        for estimated in seen:
            assert estimated.band_low <= estimated.ci_low < estimated.ci_high <= estimated.band_high
    none = estimate(one, "group_time_att", options={"draws": 0})
    assert all(part.estimate.band_low is None for part in none.group_time)


def test_bands_cover_all_event_times_at_once_at_their_level() -> None:
    hits = 0
    for seed in range(120):
        frame = panel(200, seed=seed).with_columns(
            y=pl.col("y") - 0.1 * pl.col("x") * (pl.col("year") - 2010)
        )
        effect = estimate(design(frame), "group_time_att", seed=seed)
        truth = [0.5 if part.event_time >= 0 else 0.0 for part in effect.by_event_time]
        hits += all(
            part.estimate.band_low <= value <= part.estimate.band_high
            for part, value in zip(effect.by_event_time, truth, strict=True)
        )
    # 95% of 120 is 114; 105 is four binomial standard deviations below.
    assert hits >= 105


def test_event_times_are_limited_as_asked() -> None:
    one = design(panel())
    window = estimate(one, "group_time_att", options={"min_e": -2, "max_e": 1, "draws": 0})
    assert [part.event_time for part in window.by_event_time] == [-2, -1, 0, 1]
    balanced = estimate(one, "group_time_att", options={"balance_e": 2, "draws": 0})
    # Cohorts of 2012 and 2014 are seen two periods on, the one of 2015 is not.
    assert {part.event_time: part.n_treated for part in balanced.by_event_time}[0] == 45
    assert max(part.event_time for part in balanced.by_event_time) == 2


def test_where_nobody_is_never_treated_the_last_cohort_only_serves_as_comparison() -> None:
    frame = panel(60).filter(pl.col("cohort") != 9999)
    effect = estimate(design(frame), "group_time_att", options={"control": "not_yet"})
    assert {one.cohort for one in effect.group_time} == {2012, 2014}
    assert max(one.period for one in effect.group_time) == 2014


def test_the_scale_of_the_outcome_scales_everything() -> None:
    frame = panel(40)
    small = frame.with_columns(y=pl.col("y") * 1e-9)
    one, other = (estimate(design(f), "group_time_att") for f in (frame, small))
    np.testing.assert_allclose(numbers(other)[:, 0] * 1e9, numbers(one)[:, 0], rtol=1e-7, atol=1e-9)
    assert other.overall.se == pytest.approx(one.overall.se * 1e-9, rel=1e-7)


def test_point_estimates_of_the_registry_are_the_effect() -> None:
    one = design(panel(40))
    assert point_estimate(one, "group_time_att") == pytest.approx(
        estimate(one, "group_time_att").overall.att, abs=1e-12
    )


@pytest.mark.parametrize(
    "columns", [{"covariates": ["x"]}, {"weights": "drift", "cluster": "town"}, {"missing": "keep"}]
)
def test_influence_functions_that_are_not_held_give_the_same_numbers(
    columns: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = panel(40)
    if "missing" in columns:
        frame = frame.filter(pl.col("unit") + pl.col("year") != 2020)
    one = design(frame, **columns)
    held = estimate(one, "group_time_att")
    monkeypatch.setattr("cps.estimators._group_fit._MOST_HELD", 10)
    streamed = estimate(one, "group_time_att")
    np.testing.assert_allclose(numbers(streamed), numbers(held), atol=1e-12)
    assert streamed.by_event_time[0].estimate.band_low is not None
    # What is not held can't be drawn from: no bands for cells, and the page says so.
    assert all(part.estimate.band_low is None for part in streamed.group_time)
    assert "N-EST-NO-CELL-BANDS" in [found.code for found in streamed.findings]
    assert "N-EST-NO-CELL-BANDS" not in [found.code for found in held.findings]
