"""A change of accounts: harmless if it hits all alike, found if it makes the effect."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.estimators.registry import estimate
from cps.result import Check
from cps.robustness import regime_break

YEARS = range(2010, 2024)


def panel(
    *,
    at: int | None = 2020,
    everyone: float = 0.0,
    treated: float = 0.0,
    effect: float = 4.0,
    growth: float = 0.0,
    starts: tuple[int, ...] = (2016,),
    named: bool = True,
) -> Design:
    """Give a panel whose accounts change in ``at``, by so much for everyone and for the treated."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "unit": f"u{i:02d}",
            "year": year,
            "y": rng.normal(0, 0.5)
            + (start is not None and year >= start) * (effect + growth * (year - (start or 0)))
            + (at is not None and year >= at) * (everyone + treated * (start is not None)),
            "cohort": start,
            "regime": "new" if at is not None and year >= at else "old",
        }
        for i in range(34)
        for start in [starts[i % len(starts)] if i < 4 else None]
        for year in YEARS
    ]
    frame = pl.DataFrame(rows, schema_overrides={"cohort": pl.Int64})
    return design_from_frame(
        frame, unit="unit", period="year", outcome="y", cohort="cohort",
        regime="regime" if named else None,
    )  # fmt: skip


def check_of(one: Design) -> Check:
    effect = estimate(one, options={"weights": "did"})
    assert regime_break.applies(one, effect) is None
    return regime_break.run(one, effect, seed=0)


def test_a_change_that_hits_all_alike_passes() -> None:
    check = check_of(panel(everyone=30.0))
    assert check.verdict is True
    assert "2020" in check.explanation.zh


def test_a_change_that_lifts_the_treated_alone_is_found() -> None:
    check = check_of(panel(treated=3.0))
    assert check.verdict is False
    jump = check.table["jump"][0]
    assert jump is not None
    assert float(jump) == pytest.approx(3.0, abs=1.2)  # four units' noise is about .35


def test_an_effect_that_grows_steadily_is_no_jump_and_no_short_horizon_effect_is_held_against_it(
) -> None:  # fmt: skip
    assert check_of(panel(growth=1.0)).verdict is True


def test_the_estimate_within_one_regime_is_that_of_those_periods() -> None:
    one = panel(everyone=30.0)
    frame = pl.DataFrame(
        {
            "unit": np.repeat(one.units, 10),
            "year": np.tile(np.arange(2010, 2020), len(one.units)),
            "y": one.y[:, :10].ravel(),
            "cohort": np.repeat([np.nan if c is None else c for c in one.cohort], 10),
        }
    )
    short = design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="cohort")
    wanted = estimate(short, options={"weights": "did"}).overall.att
    assert wanted is not None
    assert f"得 {wanted:+.3g}" in check_of(one).explanation.zh


def test_a_start_on_the_change_leaves_no_verdict() -> None:
    check = check_of(panel(starts=(2020,)))
    assert check.verdict is None
    assert "分不开" in check.explanation.zh


def test_cohorts_that_start_elsewhere_speak_for_those_that_start_on_the_change() -> None:
    assert check_of(panel(starts=(2016, 2020), everyone=10.0)).verdict is True
    assert check_of(panel(starts=(2016, 2020), treated=4.0)).verdict is False


def test_one_regime_or_none_named_gives_a_reason() -> None:
    for one, words in ((panel(at=None), "一致"), (panel(named=False), "未注明")):
        reason = regime_break.applies(one, estimate(one, options={"weights": "did"}))
        assert reason is not None and words in reason.zh


def test_words_hold_the_same_numbers_in_both_languages() -> None:
    for one in (panel(treated=3.0), panel(starts=(2020,))):
        text = check_of(one).explanation
        found = [sorted(re.findall(r"\d+(?:\.\d+)?", words)) for words in (text.zh, text.en)]
        assert found[0] == found[1]
