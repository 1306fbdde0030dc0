"""Confidence sets for ranks, against tables of the studentised range and a slow version."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cps.errors import UsageError
from cps.synthesis.rank_sets import rank_sets, tau_best, tau_worst

SPREAD = [3.1, 0.2, 1.9, -0.7, 1.8, 0.4, 5.2, 2.2]
CORRELATED = 0.3 * (0.6 * np.eye(8) + 0.4)


def _slow(x, covariance, group, *, level, stepwise, draws, seed, sides):
    """Follow the paper pair by pair, in plain loops over one set of draws."""
    values, vectors = np.linalg.eigh(covariance)
    normal = np.random.default_rng(seed).standard_normal((draws, len(x)))
    errors = normal @ (vectors * np.sqrt(np.clip(values, 0, None))).T
    n = len(x)
    pairs = [
        (i, j)
        for i, j in itertools.permutations(range(n), 2)
        if (sides != "upper" and j in group) or (sides != "lower" and i in group)
    ]
    se = {
        (i, j): (covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]) ** 0.5
        for i, j in pairs
    }
    told: set[tuple[int, int]] = set()
    while True:
        left = [one for one in pairs if one not in told]
        if not left:
            break
        top = [max((e[i] - e[j]) / se[i, j] for i, j in left) for e in errors]
        cut = np.quantile(top, level)
        new = {(i, j) for i, j in left if (x[i] - x[j]) / se[i, j] > cut}
        told |= new
        if not new or not stepwise:
            break
    above = [sum((i, j) in told for i in range(n)) for j in group]
    below = [sum((j, i) in told for i in range(n)) for j in group]
    low = [1 + (0 if sides == "upper" else one) for one in above]
    high = [n - (0 if sides == "lower" else one) for one in below]
    return low, high


@pytest.mark.parametrize("sides", ["two_sided", "lower", "upper"])
@pytest.mark.parametrize("stepwise", [True, False])
def test_sets_equal_those_of_plain_loops_over_pairs(sides: str, stepwise: bool) -> None:
    ask = {"level": 0.9, "sides": sides, "stepwise": stepwise, "draws": 150, "seed": 3}
    together = rank_sets(SPREAD, CORRELATED, **ask)
    low, high = _slow(SPREAD, CORRELATED, range(8), **ask)
    assert (list(together.low), list(together.high)) == (low, high)
    each = rank_sets(SPREAD, CORRELATED, scope="marginal", **ask)
    for j in (0, 3):
        low, high = _slow(SPREAD, CORRELATED, [j], **ask)
        assert (each.low[j], each.high[j]) == (low[0], high[0])


@pytest.mark.parametrize(
    ("n", "studentised_range"), [(3, 3.314), (5, 3.858), (10, 4.474), (15, 4.796)]
)
def test_equal_errors_are_told_apart_at_the_tabled_studentised_range(
    n: int, studentised_range: float
) -> None:
    # Two-sided single step over all pairs is Tukey's test: q(0.05; n, inf) of its tables. With
    # 40,000 draws the critical value has an error of about 0.01; 2% to either side is beyond it.
    for factor, apart in ((0.98, False), (1.02, True)):
        x = np.zeros(n)
        x[0] = factor * studentised_range
        x[1:-1] = x[0] / 2
        found = rank_sets(x, np.ones(n), stepwise=False, draws=40_000)
        assert (found.low[-1] > 1) is apart


def test_a_rank_counts_from_the_largest_and_lies_in_its_set() -> None:
    found = rank_sets(SPREAD, CORRELATED)
    assert found.rank == (2, 7, 4, 8, 5, 6, 1, 3)
    assert all(
        low <= rank <= high
        for low, rank, high in zip(found.low, found.rank, found.high, strict=True)
    )


def test_sets_turn_round_with_the_sign_and_move_with_the_order() -> None:
    # Draws differ in sign and order: only well separated and quite equal estimates are sure.
    x, v = np.array([9.0, 9.0, 5.0, 5.0, 0.0]), np.full(5, 0.2)
    found, turned = rank_sets(x, v), rank_sets(-x, v)
    assert found.low == (1, 1, 3, 3, 5)
    assert found.high == (2, 2, 4, 4, 5)
    assert turned.low == tuple(6 - one for one in found.high)
    moved = rank_sets(x[[4, 0, 2, 1, 3]], v)
    assert moved.low == (5, 1, 3, 1, 3)
    assert rank_sets(7 + 100 * x, 1e4 * v).low == found.low


def test_sets_alone_lie_within_sets_together_and_steps_only_narrow_them() -> None:
    together = rank_sets(SPREAD, CORRELATED)
    alone = rank_sets(SPREAD, CORRELATED, scope="marginal")
    single = rank_sets(SPREAD, CORRELATED, stepwise=False)
    for narrow, wide in ((alone, together), (together, single)):
        assert all(a >= b for a, b in zip(narrow.low, wide.low, strict=True))
        assert all(a <= b for a, b in zip(narrow.high, wide.high, strict=True))
    assert single.low != together.low or single.high != together.high


def test_estimates_that_move_together_are_told_apart_where_independent_ones_are_not() -> None:
    x = [1.0, 0.0]
    assert rank_sets(x, [[1, 0.95], [0.95, 1]]).high == (1, 2)
    assert rank_sets(x, [1.0, 1.0]).high == (2, 2)


def test_an_absent_estimate_may_stand_anywhere_and_widens_the_others() -> None:
    found = rank_sets([9.0, None, 0.0], [0.1, 0.1, 0.1])
    assert found.rank == (1, None, 2)
    assert found.low == (1, 1, 2)
    assert found.high == (2, 3, 3)
    assert found.n_estimated == 2


def test_the_best_and_the_worst_are_marked_from_one_side() -> None:
    x, v = [9.0, 8.9, 3.0, 0.0, None], [0.1] * 5
    assert tau_best(x, v, 1) == (True, True, False, False, True)
    assert tau_worst(x, v, 1) == (False, False, False, True, True)
    assert sum(tau_best(SPREAD, CORRELATED, 3)) >= 3


@pytest.mark.parametrize(
    ("x", "v", "ask", "words"),
    [
        ([1.0, 2.0], [1.0, 1.0], {"sides": "both"}, "two_sided"),
        ([1.0, 2.0], [1.0, 1.0], {"level": 95}, "between 0 and 1"),
        ([1.0, 2.0], [1.0, 1.0], {"draws": 10}, "too few"),
        ([1.0, None], [1.0, 1.0], {}, "needs 2"),
        ([1.0, 2.0], [1.0, 0.0], {}, "not above zero"),
        ([1.0, 2.0], [[1, 2], [2, 1]], {}, "semidefinite"),
        ([1.0, 2.0], [[1, 0.5], [0.2, 1]], {}, "symmetric"),
        ([1.0, 2.0], [[1, 1], [1, 1]], {}, "no error"),
        ([1.0, 2.0], np.eye(3), {}, "do not go with"),
        ([1.0, np.inf], [1.0, 1.0], {}, "not finite"),
        ([1.0, 2.0], [1.0, 1.0], {"errors": np.ones((99, 3))}, "not 99 or more"),
        ([1.0, 2.0], [1.0, 1.0], {"errors": np.full((99, 2), np.nan)}, "missing"),
    ],
)
def test_what_gives_no_ranks_is_refused_in_words(x, v, ask, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        rank_sets(x, v, **ask)
    assert words in caught.value.message("en")
    assert caught.value.message("zh") != caught.value.message("en")


def test_a_tau_beyond_the_initiatives_is_refused() -> None:
    for mark in (tau_best, tau_worst):
        with pytest.raises(UsageError, match="between 1 and 2"):
            mark([1.0, 2.0], [1.0, 1.0], 3)


def test_errors_that_were_resampled_take_the_place_of_normal_ones() -> None:
    rng = np.random.default_rng(2)
    normal = rng.multivariate_normal(np.zeros(8), CORRELATED, size=20_000)
    ours, given = rank_sets(SPREAD, CORRELATED), rank_sets(SPREAD, CORRELATED, errors=7 + normal)
    assert (given.low, given.high) == (ours.low, ours.high)
    assert (given.draws, given.seed) == (20_000, None)
    # Errors with far tails tell fewer apart.
    tails = normal * rng.standard_t(2, size=(20_000, 1))
    wide = rank_sets(SPREAD, CORRELATED, errors=tails)
    assert sum(wide.high) - sum(wide.low) > sum(ours.high) - sum(ours.low)
    assert tau_best(SPREAD, CORRELATED, 1, errors=normal) == tau_best(SPREAD, CORRELATED, 1)
