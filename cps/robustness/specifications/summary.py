"""What the spread of estimates comes from: shares of variance by choice, and single moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from cps.robustness.specifications.record import Influence, Move

Floats = NDArray[np.float64]
Choices = Sequence[Mapping[str, str]]


def influences(estimates: Floats, choices: Choices) -> tuple[tuple[Influence, ...], float]:
    """Share the variance of estimates out among dimensions; give the sum too.

    Main effects alone. The grid is not complete, so that what a dimension explains depends on
    which others are in already: its share is the average over all orders (Shapley; Lindeman,
    Merenda & Gold 1980), and the shares sum to what main effects explain together.

    Parameters
    ----------
    estimates : ndarray, shape (n_cells,)
    choices : sequence of mapping of dimension to option
    """
    names = [name for name in choices[0] if len({one[name] for one in choices}) > 1]
    codes = {name: _columns([one[name] for one in choices]) for name in names}
    explained = _explained_by_sets(estimates, [codes[name] for name in names])
    k = len(names)
    shares = {}
    for place, name in enumerate(names):
        others = [one for one in range(k) if one != place]
        shares[name] = sum(
            (explained[frozenset((*some, place))] - explained[frozenset(some)])
            / (k * comb(k - 1, size))
            for size in range(k)
            for some in combinations(others, size)
        )
    found = [
        Influence(name, float(shares.get(name, 0.0)), _means(estimates, choices, name))
        for name in choices[0]
    ]
    found.sort(key=lambda one: -round(one.share, 12))
    return tuple(found), float(explained[frozenset(range(k))])


def _means(estimates: Floats, choices: Choices, name: str) -> dict[str, float]:
    taken = [one[name] for one in choices]
    return {
        option: float(
            np.mean([e for e, one in zip(estimates, taken, strict=True) if one == option])
        )
        for option in dict.fromkeys(taken)
    }


def _columns(taken: Sequence[str]) -> Floats:
    """Give indicator columns of all options but the first, shape (n_cells, n_options - 1)."""
    options = list(dict.fromkeys(taken))[1:]
    return np.array([[float(one == option) for option in options] for one in taken])


def _explained_by_sets(estimates: Floats, columns: Sequence[Floats]) -> dict[frozenset[int], float]:
    """Give the share of variance that each set of dimensions explains, by least squares."""
    centred = estimates - estimates.mean()
    total = float((centred**2).sum())
    found = {frozenset[int](): 0.0}
    if not columns:
        return found
    x = np.hstack(columns)
    x = x - x.mean(axis=0)
    gram, right = x.T @ x, x.T @ centred
    edges = np.cumsum([0, *(one.shape[1] for one in columns)])
    for size in range(1, len(columns) + 1):
        for some in combinations(range(len(columns)), size):
            own = np.concatenate([np.arange(edges[one], edges[one + 1]) for one in some])
            slope = np.linalg.pinv(gram[np.ix_(own, own)], rcond=1e-10, hermitian=True) @ right[own]
            fitted = float(slope @ right[own])
            found[frozenset(some)] = min(fitted / total, 1.0) if total > 0 else 0.0
    return found


def single_moves(
    estimates: Mapping[int, float],
    choices: Choices,
    same_as: Mapping[int, int],
    headline: int,
) -> tuple[Move, ...]:
    """List what the headline becomes when one choice alone is made otherwise, the largest first.

    A method that does not know the headline's controls comes with its own.

    Parameters
    ----------
    estimates : mapping of cell number to estimate
        Of the cells estimated, on the common scale.
    same_as : mapping of cell number to cell number
        Of the cells that are counted with another.
    """
    base = choices[headline]
    offered: dict[str, set[str]] = {}
    for one in choices:
        offered.setdefault(one["method"], set()).add(one["controls"])
    found: dict[int, Move] = {}
    for number, one in enumerate(choices):
        changed = [name for name, option in one.items() if option != base[name]]
        if "method" in changed and base["controls"] not in offered[one["method"]]:
            changed = [name for name in changed if name != "controls"]
        at = same_as.get(number, number)
        if len(changed) != 1 or at == headline or at not in estimates or at in found:
            continue
        change = estimates[at] - estimates[headline]
        found[at] = Move(changed[0], one[changed[0]], at, estimates[at], change)
    return tuple(sorted(found.values(), key=lambda one: (-abs(one.change), one.number)))
