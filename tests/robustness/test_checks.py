"""Checks: each fails where it should, and has no verdict where the data can't say."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import UsageError
from cps.estimators.registry import estimate
from cps.robustness.registry import check_robustness

YEARS = range(2014, 2024)


def design(
    *,
    start: int = 2020,
    n_treated: int = 2,
    n_donors: int = 16,
    effect: float = 0.0,
    drift: float = 0.0,
    seed: int = 0,
) -> Design:
    """Give a panel with unit noise 1; ``drift`` is the treated units' own trend a year."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "unit": f"u{i:02d}",
            "year": year,
            "y": 100.0
            + rng.normal(0, 1)
            + (i < n_treated) * (drift * (year - 2014) + effect * (year >= start)),
            "cohort": start if i < n_treated else None,
        }
        for i in range(n_treated + n_donors)
        for year in YEARS
    ]
    frame = pl.DataFrame(rows, schema_overrides={"cohort": pl.Int64})
    return design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="cohort")


def verdicts(one: Design, **options: str) -> dict[str, bool | None]:
    effect = estimate(one, options=options)
    return {check.name: check.verdict for check in check_robustness(one, effect)}


def test_a_clear_effect_on_parallel_units_passes_every_check() -> None:
    found = verdicts(design(effect=6.0))
    judged = ("leave_one_out", "placebo_in_space", "placebo_in_time", "pre_fit", "pretrend")
    assert {name: found[name] for name in judged} == dict.fromkeys(judged, True)
    # What the design gives no ground for has no verdict: no ring, no threshold was declared.
    assert found["spillover"] is None
    assert found["bunching"] is None
    assert found["contaminated_controls"] is not False
    assert found["overlap"] is not False


def test_no_check_likes_one_sign_of_the_effect_better() -> None:
    # The mirror image of the data: every check must say the same.
    up = design(effect=3.0, seed=3)
    down = dataclasses.replace(up, y=-up.y, y_natural=-up.y_natural)
    names = [
        "contaminated_controls",
        "leave_one_out",
        "overlap",
        "placebo_in_space",
        "placebo_in_time",
        "pre_fit",
    ]
    seen = [
        {
            one.name: (one.verdict, one.statistic)
            for one in check_robustness(each, estimate(each), names=names)
        }
        for each in (up, down)
    ]
    for name in names:
        assert seen[0][name][0] == seen[1][name][0], name
        assert seen[0][name][1] == pytest.approx(seen[1][name][1], abs=1e-6), name


def test_no_effect_does_not_stand_out_among_placebos() -> None:
    assert verdicts(design(effect=0.0, seed=2))["placebo_in_space"] is False


def test_units_on_a_trend_of_their_own_fail_before_the_start() -> None:
    found = verdicts(design(drift=1.5), weights="did")
    assert found["pretrend"] is False
    assert found["placebo_in_time"] is False
    assert found["pre_fit"] is False


def test_a_comparison_that_one_unit_carries_fails_leave_one_out() -> None:
    one = design(n_treated=2, effect=0.0, seed=1)
    y = one.y.copy()
    y[0, list(one.periods).index(2020) :] += 40.0  # one of two treated units makes the whole effect
    lopsided = dataclasses.replace(one, y=y)
    effect = estimate(lopsided)
    check = next(c for c in check_robustness(lopsided, effect) if c.name == "leave_one_out")
    assert check.verdict is False
    assert "u01 moves it most" in check.explanation.en  # without it, only the odd one is left


def test_too_few_periods_give_no_verdict_but_a_reason() -> None:
    one = design(start=2015)
    found = {c.name: c for c in check_robustness(one, estimate(one, options={"weights": "did"}))}
    for name in ("pretrend", "placebo_in_time"):
        assert found[name].verdict is None
        assert found[name].explanation.en


def test_too_few_comparison_units_for_a_small_p_value_give_no_verdict() -> None:
    one = design(n_treated=1, n_donors=9, effect=20.0)
    found = {c.name: c for c in check_robustness(one, estimate(one))}
    assert found["placebo_in_space"].verdict is None
    assert "too few placebos" in found["placebo_in_space"].explanation.en


def test_an_effect_of_another_design_is_refused() -> None:
    with pytest.raises(UsageError, match="not estimated from this design"):
        check_robustness(design(seed=1), estimate(design(seed=2)))


def test_an_unknown_check_names_the_nearest() -> None:
    one = design()
    with pytest.raises(UsageError, match="pretrend"):
        check_robustness(one, estimate(one), names=["pre_trend"])


def test_checks_say_the_same_numbers_in_both_languages() -> None:
    import re

    one = design(effect=3.0)
    for check in check_robustness(one, estimate(one)):
        numbers = [
            sorted(re.findall(r"\d+(?:\.\d+)?", text))
            for text in (check.explanation.zh, check.explanation.en)
        ]
        assert numbers[0] == numbers[1], check.name


def test_staggered_units_without_a_never_treated_one_are_checked_as_far_as_they_can_be() -> None:
    rng = np.random.default_rng(4)
    rows = [
        {
            "unit": f"u{i:02d}",
            "year": year,
            "y": 10.0 + rng.normal() + 2.0 * (year >= 2017 + i % 5),
            "cohort": 2017 + i % 5,
        }
        for i in range(20)
        for year in YEARS
    ]
    one = design_from_frame(
        pl.DataFrame(rows), unit="unit", period="year", outcome="y", cohort="cohort"
    )
    effect = estimate(one, "group_time_att", options={"control": "not_yet", "base": "universal"})
    found = {check.name: check for check in check_robustness(one, effect)}
    assert found["placebo_in_time"].verdict is None  # all would start at once
    assert found["leave_one_out"].verdict is True
