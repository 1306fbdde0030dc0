"""Anticipation: units that move a year early are found, others are left alone."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.estimators.registry import estimate
from cps.result import Estimate
from cps.robustness import anticipation


def panel(*, early: float = 0.0, effect: float = 5.0, allowed: int = 0, n_donors: int = 24,
          first_year: int = 2014) -> Design:  # fmt: skip
    rng = np.random.default_rng(3)
    rows = [
        {
            "unit": f"u{i:02d}",
            "year": year,
            "y": rng.normal() + (i < 3) * (effect * (year >= 2020) + early * (year == 2019)),
            "cohort": 2020 if i < 3 else None,
        }
        for i in range(3 + n_donors)
        for year in range(first_year, 2024)
    ]
    frame = pl.DataFrame(rows, schema_overrides={"cohort": pl.Int64})
    return design_from_frame(
        frame, unit="unit", period="year", outcome="y", cohort="cohort", anticipation=allowed
    )


def test_units_that_wait_for_the_start_pass() -> None:
    one = panel()
    check = anticipation.run(one, estimate(one, options={"weights": "did"}), seed=0)
    assert check.verdict is True
    assert "第 -1 期" in check.explanation.zh


def test_units_that_move_a_year_early_fail_and_pass_once_it_is_allowed_for() -> None:
    early = panel(early=5.0)
    for method, options in (
        ("synthetic_did", {"weights": "did"}),
        ("group_time_att", {"base": "universal"}),
    ):
        check = anticipation.run(early, estimate(early, method, options=options), seed=0)
        assert check.verdict is False
        assert check.table["att"][0] is not None
        assert abs(float(check.table["att"][0]) - 5.0) < 2.0  # three units' noise is .6
    allowed = panel(early=5.0, allowed=1)
    check = anticipation.run(allowed, estimate(allowed, options={"weights": "did"}), seed=0)
    assert check.verdict is True
    assert check.table["event_time"] == (-2,)


def test_the_effect_is_estimated_as_if_the_design_had_allowed_for_it() -> None:
    one = panel(early=2.0)
    options = {"base": "universal"}
    check = anticipation.run(one, estimate(one, "group_time_att", options=options), seed=0)
    wanted = estimate(panel(early=2.0, allowed=1), "group_time_att", options=options)
    assert check.table["overall"] == (wanted.overall.att,)
    lead = next(e.estimate for e in wanted.by_event_time if e.event_time == -1)
    assert check.table["att"] == (lead.att,)


def test_too_few_placebos_to_see_an_early_move_give_no_verdict() -> None:
    one = panel(n_donors=5)
    found = estimate(one, options={"weights": "did"})
    assert found.p_value_floor is not None and found.p_value_floor > 0.05
    assert anticipation.run(one, found, seed=0).verdict is None


def test_no_period_to_spare_gives_a_reason() -> None:
    one = panel(first_year=2018)
    assert anticipation.applies(one, estimate(one, options={"weights": "did"})) is not None


def test_an_estimate_is_like_another_within_its_interval_on_its_side_of_zero() -> None:
    sure = Estimate(2.0, 0.5, 1.0, 3.0, 0.01)
    assert anticipation.is_like(sure, 1.5)
    assert not anticipation.is_like(sure, 3.5)
    unsure = Estimate(0.5, 0.5, -0.5, 1.5, 0.3)
    assert anticipation.is_like(unsure, -0.2)
    assert not anticipation.is_like(Estimate(2.0), -1.0)


def test_words_hold_the_same_numbers_in_both_languages() -> None:
    one = panel(early=5.0)
    text = anticipation.run(one, estimate(one, options={"weights": "did"}), seed=0).explanation
    found = [sorted(re.findall(r"\d+(?:\.\d+)?", words)) for words in (text.zh, text.en)]
    assert found[0] == found[1]
