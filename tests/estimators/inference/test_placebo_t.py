"""Placebo errors with Student's t: against the two-sample t interval."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators.registry import estimate
from cps.result import Effect


def panel(n_donors: int, seed: int = 0) -> Design:
    """One treated unit among plain noise, eight years."""
    y = np.random.default_rng(seed).normal(size=(n_donors + 1, 8))
    rows = [
        (f"u{i}", t, float(y[i, t]), 4 if i == 0 else None)
        for i in range(n_donors + 1)
        for t in range(8)
    ]
    frame = pl.DataFrame(rows, schema=["unit", "year", "y", "start"], orient="row")
    return design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="start")


def inferred(design: Design) -> Effect:
    return estimate(
        design,
        "synthetic_did",
        options={"weights": "did", "errors": "none"},
        inference="placebo_t",
    )


def test_one_treated_unit_has_the_two_sample_t_interval() -> None:
    from scipy.stats import t

    design = panel(9)
    x = design.y[:, 4:].mean(axis=1) - design.y[:, :4].mean(axis=1)
    n = 9
    # Placebos leave the unit itself out of its comparison, which the factor undoes exactly.
    error = x[1:].std(ddof=1) * np.sqrt(1 + 1 / n) / np.sqrt(1 - 1 / n**2)
    half = t.ppf(0.975, n - 1) * error
    gap = x[0] - x[1:].mean()
    found = inferred(design).overall
    assert (found.ci_low, found.ci_high) == pytest.approx((gap - half, gap + half))
    assert found.p_value == pytest.approx(2 * t.sf(abs(gap) / error, n - 1))


def test_with_seven_comparison_units_the_level_holds_where_the_normal_one_does_not() -> None:
    design = panel(7)
    misses = {"t": 0, "normal": 0}
    for seed in range(160):
        y = np.random.default_rng(seed).normal(size=(8, 8))
        found = inferred(dataclasses.replace(design, y=y, y_natural=y)).overall
        assert found.p_value is not None
        assert found.att is not None
        assert found.se is not None
        misses["t"] += found.p_value <= 0.05
        misses["normal"] += abs(found.att) > 1.96 * found.se
    # 5% of 160 is 8, with a standard deviation of 2.8; the normal quantile misses 9%.
    assert 2 <= misses["t"] <= 15
    assert misses["normal"] > misses["t"]


def test_scale_is_followed_and_all_alike_units_give_no_error() -> None:
    design = panel(9)
    scaled = dataclasses.replace(design, y=5 * design.y, y_natural=5 * design.y)
    assert inferred(scaled).overall.p_value == pytest.approx(inferred(design).overall.p_value)
    flat = np.tile(np.arange(8.0), (10, 1))
    nothing = inferred(dataclasses.replace(design, y=flat, y_natural=flat)).overall
    assert (nothing.se, nothing.ci_low, nothing.p_value) == (None, None, None)


def test_four_comparison_units_are_refused() -> None:
    with pytest.raises(DesignError, match="4 comparison units"):
        inferred(panel(4))


def test_units_grouped_into_clusters_are_refused() -> None:
    alone = panel(12)
    grouped = dataclasses.replace(
        alone, cluster=tuple(f"c{i // 2}" for i in range(len(alone.units)))
    )
    with pytest.raises(DesignError, match="what clusters share"):
        estimate(grouped, "group_time_att", inference="placebo_t")
