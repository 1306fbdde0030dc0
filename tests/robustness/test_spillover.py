"""Spill-over: the ring's change is told from ordinary noise, and the donut shown."""

from __future__ import annotations

import numpy as np
import pytest

from cps.design.record import Design
from cps.estimators.registry import estimate
from cps.result import Check
from cps.robustness._units import change_around, permutation_p_value, take_in
from cps.robustness.registry import check_robustness
from tests.robustness.worlds import noise, world

COHORT: list[int | None] = [2019, 2019, 2021, 2021]


def ringed(spill: float, seed: int = 0, n: int = 30) -> Design:
    """Four treated units with effect 5, five neighbours with ``spill`` from 2019 on."""
    y = noise(n, seed=seed)
    y[:2, 5:] += 5.0
    y[2:4, 7:] += 5.0
    y[4:9, 5:] += spill
    return world(y, [*COHORT, *[None] * (n - 4)], ring=[4, 5, 6, 7, 8])


def check(design: Design, method: str = "synthetic_did") -> Check:
    (one,) = check_robustness(design, estimate(design, method), names=["spillover"])
    return one


def test_neighbours_that_gain_with_the_treated_fail_and_the_donut_is_shown() -> None:
    one = check(ringed(4.0))
    assert one.verdict is False
    assert "5 neighbours" in one.explanation.en
    values = dict(zip(one.table["quantity"], one.table["value"], strict=True))
    # By hand: the mean change of the ring less that of the others, over the two cohorts alike.
    assert values["ring_less_far"] == pytest.approx(3.0, abs=1.5)  # 4 from 2019; less from 2021
    # With the ring among the comparison units part of the effect is differenced away.
    assert values["att_with_ring"] < values["att_without_ring"]


def test_neighbours_that_lose_fail_just_as_well() -> None:
    assert check(ringed(-4.0)).verdict is False


def test_neighbours_without_spill_over_are_rejected_in_one_of_twenty_worlds() -> None:
    # A permutation test holds its size exactly: 60 worlds, 5% expected; more than 8 (13%) would be
    # seen in fewer than 1 of 100 such studies.
    verdicts = [
        permutation_p_value(
            change_around(one, np.array([ring.y for ring in one.left_out])),
            change_around(one, one.y[one.is_donor]),
            0,
        )[0]
        > 0.05
        for one in (ringed(0.0, seed=seed) for seed in range(60))
    ]
    assert verdicts.count(False) <= 8


def test_without_a_ring_there_is_no_verdict_but_a_reason() -> None:
    y = noise(20)
    one = check(world(y, [2019, *[None] * 19]))
    assert one.verdict is None
    assert "no neighbour" in one.explanation.en
    assert "外溢圈" in one.explanation.zh


def test_too_few_units_for_any_small_p_value_give_no_verdict() -> None:
    y = noise(12)
    one = check(world(y, [2019, *[None] * 11], ring=[1]))
    assert one.verdict is None
    assert "too few units" in one.explanation.en


def test_the_permutation_p_value_is_exact_where_all_relabellings_are_counted() -> None:
    # Group {10}, others {1, 2, 3}: the group's mean is farthest out of the four labellings.
    p_value, floor = permutation_p_value(np.array([10.0]), np.array([1.0, 2.0, 3.0]), 0)
    assert (p_value, floor) == (0.25, 0.25)
    p_value, _ = permutation_p_value(np.array([1.0, 2.0]), np.array([1.0, 2.0]), 0)
    assert p_value == 1.0


def test_units_taken_in_have_their_series_and_may_be_compared() -> None:
    one = ringed(1.0)
    wide = take_in(one, one.left_out)
    assert wide.units[-5:] == tuple(ring.unit for ring in one.left_out)
    assert (wide.y[-5:] == np.array([ring.y for ring in one.left_out])).all()
    assert wide.n_donors == one.n_donors + 5
    assert wide.design_hash != one.design_hash
