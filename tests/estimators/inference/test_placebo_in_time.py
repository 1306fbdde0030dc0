"""Placebo in time as inference: against blocks slid by hand, and what it may not look at."""

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


def panel(n_before: int, n_after: int, n_units: int = 6, seed: int = 0) -> Design:
    """One treated unit among plain noise."""
    y = np.random.default_rng(seed).normal(size=(n_units, n_before + n_after))
    rows = [
        (f"u{i}", t, float(y[i, t]), n_before if i == 0 else None)
        for i in range(n_units)
        for t in range(y.shape[1])
    ]
    frame = pl.DataFrame(rows, schema=["unit", "month", "y", "start"], orient="row")
    return design_from_frame(frame, unit="unit", period="month", outcome="y", cohort="start")


def inferred(design: Design, level: float = 0.95, **options: str | float) -> Effect:
    return estimate(
        design,
        "synthetic_did",
        options={"weights": "did", "errors": "none"},
        inference="placebo_in_time",
        inference_options=options,
        level=level,
    )


def by_hand(design: Design, n_before: int, length: int, least: int) -> np.ndarray:
    gap = design.y[0] - design.y[1:].mean(axis=0)
    return np.array(
        [
            gap[start : start + length].mean() - gap[:start].mean()
            for start in range(least, n_before - length + 1)
        ]
    )


def test_pretended_starts_are_blocks_slid_over_the_periods_before() -> None:
    design = panel(26, 4)
    effect = inferred(design)
    slow = by_hand(design, 26, 4, 2)
    assert np.array(effect.placebos) == pytest.approx(slow)
    assert len(slow) == 21
    att = effect.overall.att
    assert att is not None
    assert effect.overall.p_value == pytest.approx((1 + (np.abs(slow) >= abs(att)).sum()) / 22)
    assert effect.overall.ci_high == pytest.approx(att + np.abs(slow).max())


def test_nothing_after_the_start_moves_the_placebos() -> None:
    design = panel(24, 6)
    y = design.y.copy()
    y[:, 24:] += np.random.default_rng(1).normal(0, 50, (6, 6))
    moved = inferred(dataclasses.replace(design, y=y, y_natural=y))
    assert moved.placebos == inferred(design).placebos


def test_few_periods_give_a_p_value_and_no_interval_and_say_how_few() -> None:
    effect = inferred(panel(6, 3), length=2)
    assert len(effect.placebos) == 3
    assert effect.p_value_floor == pytest.approx(0.25)
    assert (effect.overall.ci_low, effect.overall.ci_high) == (None, None)
    codes = [one.code for one in effect.findings]
    assert "W-INF-FLOOR" in codes
    (said,) = [one for one in effect.findings if one.code == "N-INF-PRETENDED-STARTS"]
    assert said.severity == "warn"
    assert "3" in said.what.zh
    assert "3 pretended" in said.what.en
    assert inferred(panel(6, 3), 0.5, length=2).overall.ci_low is not None


def test_no_room_for_a_pretended_start_is_refused() -> None:
    with pytest.raises(DesignError, match="no room"):
        inferred(panel(2, 3))


def test_all_treated_units_pretend_to_start_together() -> None:
    design = panel(12, 4)
    cohort = (12, 14, *design.cohort[2:])
    both = dataclasses.replace(
        design, cohort=cohort, is_donor=np.array([one is None for one in cohort])
    )
    effect = inferred(both, length=3)
    gap = both.y[:2].mean(axis=0) - both.y[2:].mean(axis=0)
    slow = [gap[s : s + 3].mean() - gap[:s].mean() for s in range(2, 10)]
    assert np.array(effect.placebos) == pytest.approx(slow)
