"""Each scheme's design finds the truth of its ledger, where a before-after figure finds what it is told."""

from __future__ import annotations

import functools

import numpy as np
import polars as pl
import pytest

from cps.demo.schemes import draw_scheme
from cps.design.frame import design_from_frame
from cps.estimators.registry import point_estimate
from tests.schemes.recovery_study import (
    EVALUABLE,
    SPURIOUS,
    TRUE,
    Found,
    design_of,
    headline,
    method_of,
    worlds,
)

N_WORLDS = 4  # a hundred in recovery_study, whose table docs/scheme_ledgers.md holds


@functools.cache
def found(scheme: str, mode: str, outcome: str | None = None) -> tuple[Found, ...]:
    return tuple(worlds(scheme, mode, range(N_WORLDS), outcome=outcome))


def test_eight_schemes_can_be_evaluated() -> None:
    assert len(EVALUABLE) == 8
    assert "safety_net" not in EVALUABLE


def test_intervals_cover_the_truth_at_about_their_level() -> None:
    # Of 32 intervals at 95%, 26 or fewer cover by chance in four studies of a thousand. The two
    # modes share their draws, so that the other 32 would add nothing.
    covered = [one.covers for scheme in EVALUABLE for one in found(scheme, TRUE)]
    assert len(covered) == 32
    assert sum(covered) >= 27


@pytest.mark.parametrize("scheme", EVALUABLE)
def test_estimates_lie_around_the_truth(scheme: str) -> None:
    # Their mean within three of its standard errors: the largest of eight schemes' is below 2.8 in
    # all but one study in twenty.
    errors = np.array([one.att - one.truth for one in found(scheme, TRUE)])
    spread = np.mean([one.se for one in found(scheme, TRUE)]) / np.sqrt(N_WORLDS)
    assert abs(errors.mean()) < 3 * spread


@pytest.mark.parametrize("scheme", EVALUABLE)
def test_before_after_can_not_tell_a_real_effect_from_none_and_the_design_can(scheme: str) -> None:
    real, none = found(scheme, TRUE), found(scheme, SPURIOUS)
    naive = [np.mean([one.before_after for one in worlds_]) for worlds_ in (real, none)]
    assert abs(naive[1]) > 0.75 * abs(naive[0]) > 0
    assert all(one.truth == 0 for one in none)
    assert all(one.truth != 0 for one in real)
    # The design's estimates of the two modes stand apart by the effect: nine tenths of it at least.
    apart = np.mean([a.att - b.att for a, b in zip(real, none, strict=True)])
    assert apart / np.mean([one.truth for one in real]) == pytest.approx(1.0, abs=0.1)


def test_before_after_shows_the_published_rise_of_46_percent_with_and_without_an_effect() -> None:
    for mode in (TRUE, SPURIOUS):
        assert all(one.before_after > 0.46 for one in found("village_tender", mode))


def test_price_over_reserve_rises_where_reserves_were_cut_and_nobody_paid_more() -> None:
    # So it stands beside the rent of like lots, and is not the headline.
    premium = found("village_tender", SPURIOUS, "price_over_reserve")
    assert all(one.alarms and one.att > 0.05 for one in premium)
    assert not any(one.alarms for one in found("village_tender", SPURIOUS))


def test_closure_of_all_events_falls_with_sensors_that_find_small_matters() -> None:
    every = found("digital_ground_governance", SPURIOUS, "all_closure_hours")
    assert all(one.alarms and one.att < -0.15 for one in every)
    assert sum(one.alarms for one in found("digital_ground_governance", SPURIOUS)) <= 1


def test_the_clock_from_acceptance_halves_where_files_are_accepted_later() -> None:
    clock = found("plant_expansion", SPURIOUS, "acceptance_to_approval_days")
    assert all(one.alarms and one.att < -0.4 for one in clock)
    assert sum(one.alarms for one in found("plant_expansion", SPURIOUS)) <= 1


def test_the_costly_quarter_before_a_check_must_stay_out_of_the_base() -> None:
    # Regression to the mean: with that quarter in, the bills of those checked seem to fall by
    # more, in every world.
    for seed in range(3):
        drawn = draw_scheme("power_checkup", mode=SPURIOUS, seed=seed)
        declared = design_of("power_checkup", drawn)
        assert declared.anticipation == 1
        careless = design_from_frame(
            drawn.frame(),
            unit="unit",
            period="period",
            outcome="value",
            cohort="cohort",
            form="log",
            frequency="quarter",
            unit_kind="firm",
            name="careless",
        )
        honest, naive = (headline(one, seed=seed).overall.att for one in (declared, careless))
        assert honest is not None and naive is not None
        assert naive < honest


def test_firms_that_never_asked_are_no_comparison_because_those_that_ask_save_anyway() -> None:
    gaps = []
    for seed in range(3):
        drawn = draw_scheme("power_checkup", mode=SPURIOUS, seed=seed)
        checked, waiting = set(drawn.starts), set(drawn.areas) - set(drawn.starts)
        everyone = drawn.outcomes[0].observed.with_columns(
            pl.col("unit").replace_strict(drawn.starts, default=None).alias("cohort")
        )
        never_asked = set(everyone["unit"]) - checked - waiting
        assert (len(checked), len(waiting), len(never_asked)) == (103, 170, 40)
        estimates = [
            point_estimate(
                design_from_frame(
                    everyone.filter(pl.col("unit").is_in(list(checked | compared))),
                    unit="unit",
                    period="period",
                    outcome="value",
                    cohort="cohort",
                    form="log",
                    frequency="quarter",
                    anticipation=1,
                ),
                "imputation",
            )
            for compared in (waiting, never_asked)
        ]
        assert estimates[0] is not None and estimates[1] is not None
        assert abs(estimates[0]) < 0.006
        gaps.append(estimates[1] - estimates[0])
    # Those who ask save 0.8 of 5% more over all quarters; about half of it between base and after.
    assert np.mean(gaps) == pytest.approx(-0.02, abs=0.01)


@pytest.mark.parametrize("scheme", EVALUABLE)
def test_the_headline_is_synthetic_did_with_weights_learnt_before_the_start(scheme: str) -> None:
    chosen = method_of(scheme)
    assert (chosen.method, chosen.options["weights"]) == ("synthetic_did", "sdid")


def test_interrupted_series_alone_would_miss_their_level_and_are_no_headline() -> None:
    # With one treated series its own trend is all there is to go by: errors are too small.
    errors = np.array(
        [
            (one.att - one.truth) / one.se
            for scheme in ("service_centre", "plant_expansion")
            for one in worlds(scheme, TRUE, range(8), method="interrupted_time_series")
        ]
    )
    assert errors.std() > 1.2
