"""Families of tests, against published tables, statsmodels and a slow version."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from cps.errors import UsageError
from cps.synthesis.multiplicity import adjust_p_values, romano_wolf, romano_wolf_resampled

# Benjamini & Hochberg (1995), section 4.1: 15 comparisons of two treatments of the heart.
HEART = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
    0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000,
]  # fmt: skip


def _rejections(method: str) -> int:
    return sum(one <= 0.05 for one in adjust_p_values(HEART, method) if one is not None)


def test_the_heart_study_rejects_as_many_as_its_paper_says() -> None:
    assert _rejections("bonferroni") == 3
    assert _rejections("holm") == 3
    assert _rejections("benjamini_hochberg") == 4


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("holm", "holm"),
        ("bonferroni", "bonferroni"),
        ("benjamini_hochberg", "fdr_bh"),
        ("benjamini_yekutieli", "fdr_by"),
    ],
)
def test_adjusted_p_values_are_those_of_statsmodels_in_any_order(ours: str, theirs: str) -> None:
    shuffled = np.random.default_rng(1).permutation([*HEART, 0.0019, 0.02])  # with a tie
    expected = multipletests(shuffled, method=theirs)[1]
    np.testing.assert_allclose(adjust_p_values(shuffled, ours), expected, rtol=1e-12)


def test_a_missing_p_value_is_not_tested_and_not_counted() -> None:
    assert adjust_p_values([0.01, None, 0.03, math.nan], "bonferroni") == (0.02, None, 0.06, None)
    with pytest.raises(UsageError, match="between 0 and 1"):
        adjust_p_values([2.3])
    with pytest.raises(UsageError) as caught:
        adjust_p_values([0.1], "benjamini_hochburg")
    assert "benjamini_hochberg" in caught.value.message("en")


# Dunnett (1964), two-sided 5% points of comparisons with one control, infinite degrees of freedom.
@pytest.mark.parametrize(("n", "point"), [(1, 1.96), (2, 2.21), (3, 2.35), (5, 2.51), (9, 2.69)])
def test_the_critical_value_of_equicorrelated_tests_is_dunnetts(n: int, point: float) -> None:
    covariance = 0.5 * np.eye(n) + 0.5
    found = romano_wolf(np.zeros(n), covariance, draws=40_000)
    # Two decimals in the table, and some 0.01 from 40,000 draws.
    assert found.critical_value == pytest.approx(point, abs=0.025)


def _slow(statistics: list[float], null: np.ndarray) -> list[float]:
    """Step down as Romano & Wolf (2016) write it: largest first, each among those left."""
    order = sorted(range(len(statistics)), key=lambda one: -statistics[one])
    adjusted, so_far = [0.0] * len(statistics), 0.0
    for step, one in enumerate(order):
        left = order[step:]
        count = sum(max(row[k] for k in left) >= statistics[one] for row in null)
        so_far = max(so_far, (1 + count) / (len(null) + 1))
        adjusted[one] = so_far
    return adjusted


@pytest.mark.parametrize("alternative", ["two_sided", "greater", "less"])
def test_resampled_p_values_are_those_of_plain_loops(alternative: str) -> None:
    rng = np.random.default_rng(5)
    statistics = np.array([2.5, -1.9, 0.3, 3.4, -2.8])
    null = rng.standard_normal((200, 5)) + rng.standard_normal((200, 1))
    turn = {"two_sided": np.abs, "greater": lambda x: x, "less": lambda x: -x}[alternative]
    found = romano_wolf_resampled(statistics, null, alternative=alternative)
    assert list(found.adjusted) == _slow(turn(statistics).tolist(), turn(null))
    assert found.p_value_floor == 1 / 201
    assert found.p_value[3] == (1 + (turn(null)[:, 3] >= turn(statistics)[3]).sum()) / 201


def test_independent_tests_get_the_p_values_of_sidak_stepped_down() -> None:
    # The largest of m independent statistics: 1 − (1 − p)^m exactly.
    found = romano_wolf([3.0, -2.5, 1.0, 2.0], np.ones(4), draws=40_000)
    p = [math.erfc(one / math.sqrt(2)) for one in (3.0, 2.5, 2.0, 1.0)]
    expected = [1 - (1 - one) ** m for one, m in zip(p, (4, 3, 2, 1), strict=True)]
    ours = [found.adjusted[k] for k in (0, 1, 3, 2)]
    np.testing.assert_allclose(ours, expected, atol=0.008)  # three errors of 40,000 draws
    assert found.p_value[0] == pytest.approx(p[0])


def test_dependence_makes_the_family_smaller() -> None:
    x = [2.4, 2.4, 2.4]
    tied = romano_wolf(x, 0.999 * np.ones((3, 3)) + 0.001 * np.eye(3))
    apart = romano_wolf(x, np.ones(3))
    assert max(tied.adjusted) < 0.025
    assert min(apart.adjusted) > 0.04
    assert tied.is_rejected == (True, True, True)


def test_intervals_for_all_leave_out_zero_where_the_first_step_rejects() -> None:
    found = romano_wolf([4.0, 0.5, None], [1.0, 1.0, 1.0])
    assert found.low[0] > 0 > found.low[1]
    assert found.adjusted[2] is None
    assert found.is_rejected == (True, False, None)
    assert found.high[0] - 4.0 == pytest.approx(found.critical_value)
    assert found.n_tested == 2


def test_scale_does_not_matter_and_the_same_seed_gives_the_same_numbers() -> None:
    covariance = 0.4 * np.ones((3, 3)) + np.diag([0.6, 1.0, 2.0])
    x = np.array([1.0, 2.0, -3.0])
    found = romano_wolf(x, covariance, seed=4)
    scaled = romano_wolf(1e4 * x, 1e8 * covariance, seed=4)
    np.testing.assert_allclose(scaled.adjusted, found.adjusted)
    assert romano_wolf(x, covariance, seed=4) == found


@pytest.mark.parametrize(
    ("statistics", "null", "words"),
    [
        ([1.0, 2.0], np.zeros((50, 3)), "do not go with"),
        ([1.0, 2.0], np.zeros((10, 2)), "fewer than 19"),
        ([1.0, 2.0], np.full((50, 2), np.nan), "missing"),
    ],
)
def test_resamples_that_are_no_joint_draws_are_refused(statistics, null, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        romano_wolf_resampled(statistics, null)
    assert words in caught.value.message("en")


# Two-sided 5% points of the studentised maximum modulus with 10 degrees of freedom, independent
# means (Stoline & Ury 1979; Hahn & Hendrickson 1971).
@pytest.mark.parametrize(("n", "point"), [(1, 2.228), (2, 2.609), (5, 3.103), (10, 3.462)])
def test_a_covariance_from_few_units_takes_the_studentised_maximum_modulus(
    n: int, point: float
) -> None:
    found = romano_wolf(np.full(n, 2.0), np.ones(n), freedom=10, draws=40_000)
    assert found.critical_value == pytest.approx(point, abs=0.05)
    one_sided = romano_wolf(np.full(n, 2.0), np.ones(n), freedom=10, alternative="greater")
    assert found.p_value[0] == pytest.approx(2 * one_sided.p_value[0])
    assert found.p_value[0] == pytest.approx(0.0734, abs=5e-5)  # Student's t at 2.0
    less = romano_wolf(np.full(n, 2.0), np.ones(n), freedom=10, alternative="less")
    assert less.p_value[0] == pytest.approx(1 - one_sided.p_value[0])


def test_no_degree_of_freedom_is_refused() -> None:
    with pytest.raises(UsageError, match="fewer than one"):
        romano_wolf([1.0], [1.0], freedom=0)
