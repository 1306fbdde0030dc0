"""Other assignments of the same starts: all of them where few, drawn where many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Assignments:
    """Assignments that could have been, without the actual one.

    Parameters
    ----------
    starts : ndarray, shape (n_assignments, n_kept)
        First treated period of each unit kept, infinity for never.
    units : ndarray of bool, shape (n_units,)
        Units kept.
    is_all : bool
        True if there are no others.
    """

    starts: Floats
    units: NDArray[np.bool_]
    is_all: bool


def assign(design: Design, scheme: str, draws: int, seed: int) -> Assignments:
    """Give the other assignments of a scheme.

    Parameters
    ----------
    scheme : {"units", "donors", "starts", "clusters", "within"}
        Starts are permuted among all units, given to comparison units only (the treated are left
        out), permuted among the treated, among clusters (constant within each), or among the units
        of each cluster.
    draws : int
        Assignments drawn where there are more than that.
    """
    starts = design.starts
    treated = np.isfinite(starts)
    pool = treated | design.is_donor
    rng = np.random.default_rng(seed)
    if scheme == "donors":
        values = np.full(int(design.is_donor.sum()), np.inf)
        values[: int(treated.sum())] = np.sort(starts[treated])
        found, is_all = permutations(values, draws, rng, without=None)
        return Assignments(found, design.is_donor.copy(), is_all)
    actual = starts[pool]
    if scheme == "clusters":
        names, code = np.unique(np.array(design.cluster)[pool], return_inverse=True)
        of_cluster = np.array([actual[code == c][0] for c in range(len(names))])
        found, is_all = permutations(of_cluster, draws, rng, without=of_cluster)
        return Assignments(found[:, code], pool, is_all)
    if scheme == "within":
        code = np.unique(np.array(design.cluster)[pool], return_inverse=True)[1]
        found, is_all = within(actual, code.astype(np.int64), draws, rng)
        return Assignments(found, pool, is_all)
    if scheme == "starts":
        among = np.isfinite(actual)
        found, is_all = permutations(actual[among], draws, rng, without=actual[among])
        table = np.full((len(found), len(actual)), np.inf)
        table[:, among] = found
        return Assignments(table, pool, is_all)
    found, is_all = permutations(actual, draws, rng, without=actual)
    return Assignments(found, pool, is_all)


def count_permutations(values: Floats) -> int:
    """Count the distinct orders of values that may repeat."""
    return factorial(len(values)) // prod(factorial(n) for n in Counter(values.tolist()).values())


def permutations(
    values: Floats, draws: int, rng: np.random.Generator, *, without: Floats | None
) -> tuple[Floats, bool]:
    """Give distinct orders of ``values``, shape (n, len(values)), and whether these are all.

    Where there are more than ``draws``, independent draws are given; then ``without`` may be among
    them, as the validity of the rank does not mind.
    """
    others = count_permutations(values) - (without is not None)
    if others <= draws:
        every = np.array(list(_orders(values)))
        if without is not None:
            every = every[(every != without).any(axis=1)]
        return every.reshape(-1, len(values)), True
    return rng.permuted(np.tile(values, (draws, 1)), axis=1), False


def within(
    values: Floats, code: NDArray[np.int64], draws: int, rng: np.random.Generator
) -> tuple[Floats, bool]:
    """Give orders of ``values`` that keep those of each group within it, but for the actual one."""
    groups = [np.flatnonzero(code == c) for c in np.unique(code)]
    if prod(count_permutations(values[one]) for one in groups) - 1 <= draws:
        every = np.empty((0, len(values)))
        for choice in product(*(_orders(values[one]) for one in groups)):
            row = np.empty(len(values))
            for places, part in zip(groups, choice, strict=True):
                row[places] = part
            every = np.vstack([every, row])
        return every[(every != values).any(axis=1)], True
    drawn = np.tile(values, (draws, 1))
    for one in groups:
        drawn[:, one] = rng.permuted(drawn[:, one], axis=1)
    return drawn, False


def _orders(values: Floats) -> Iterator[Floats]:
    counts = Counter(values.tolist())
    rarest = sorted(counts, key=lambda one: (counts[one], one))

    def place(kind: int, free: tuple[int, ...], so_far: Floats) -> Iterator[Floats]:
        if kind == len(rarest) - 1:
            last = so_far.copy()
            last[list(free)] = rarest[kind]
            yield last
            return
        for chosen in combinations(free, counts[rarest[kind]]):
            taken = set(chosen)
            following = so_far.copy()
            following[list(chosen)] = rarest[kind]
            yield from place(kind + 1, tuple(one for one in free if one not in taken), following)

    yield from place(0, tuple(range(len(values))), np.empty(len(values)))
