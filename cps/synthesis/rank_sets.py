"""Confidence sets for ranks: how far down and up each initiative may truly stand.

Mogstad, Romano, Shaikh & Wilhelm (2024), Review of Economic Studies 91(1), 476-518,
doi:10.1093/restud/rdad006. Families of hypotheses and steps are those of R ``csranks``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cps.errors import Text, UsageError, unknown_choice
from cps.synthesis._family import Family, Floats, check_level, draw_errors, family, given_errors

REFERENCE = "Mogstad, Romano, Shaikh & Wilhelm (2024), REStud 91(1), doi:10.1093/restud/rdad006"
SIDES = ("two_sided", "lower", "upper")
SCOPES = ("simultaneous", "marginal")
DRAWS = 10_000
_CELLS = 1 << 21  # of pairs × draws held at once

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class RankSets:
    """Ranks with their confidence sets; rank 1 is the largest effect.

    Parameters
    ----------
    rank : tuple of (int or None), length n_declared
        1 + number of larger estimates, among those that are there; None where there is none.
    low, high : tuple of int, length n_declared
        The rank's confidence set, among all declared: an initiative without an estimate may stand
        anywhere, and above or below any other.
    scope : {"simultaneous", "marginal"}
        Whether the level holds for all sets at once, or for each alone.
    n_estimated : int
    draws, seed : int, int or None
        No seed where errors were given.
    """

    rank: tuple[int | None, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    level: float
    sides: str
    scope: str
    is_stepwise: bool
    n_estimated: int
    draws: int
    seed: int | None


def rank_sets(
    estimates: Sequence[float | None] | ArrayLike,
    covariance: ArrayLike,
    *,
    level: float = 0.95,
    sides: str = "two_sided",
    scope: str = "simultaneous",
    stepwise: bool = True,
    errors: ArrayLike | None = None,
    freedom: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> RankSets:
    """Give confidence sets for the ranks of estimates that may depend on one another.

    One estimate stands above another if their difference, divided by its own error, exceeds what
    the largest of all such differences would by chance. ``low − 1`` is the number of those that
    stand above, ``n_declared − high`` that of those below.

    Parameters
    ----------
    estimates : array_like, shape (n_declared,)
        Any one unit of measure; None or NaN where an initiative has no estimate.
    covariance : array_like, shape (n_declared, n_declared) or (n_declared,)
        Joint covariance; one-dimensional: variances of independent estimates.
    level : float
    sides : {"two_sided", "lower", "upper"}
        ``lower``: only how good a rank may be is bounded, ``high`` is the number declared;
        ``upper`` the other way round.
    scope : {"simultaneous", "marginal"}
    stepwise : bool
        Whether differences already told apart are left out and the rest compared anew, which
        rejects more at the same level.
    errors : array_like, shape (n_draws, n_declared), or None
        Joint draws of the estimates' errors, such as those of ``resample_effects``: one host's
        errors need not be normal. None: normal with the given covariance.
    freedom : float or None
        Degrees of freedom of the covariance, where few units tell it; None takes it as known.
    draws, seed : int
        Of normal errors; like ``freedom`` not used with ``errors``.

    Returns
    -------
    RankSets

    Raises
    ------
    UsageError
        If a choice is unknown, estimates and covariance do not go together, fewer than two
        estimates are there, or two of them differ by a number known without error.

    References
    ----------
    Mogstad, Romano, Shaikh & Wilhelm (2024), doi:10.1093/restud/rdad006.

    Examples
    --------
    >>> sets = rank_sets([9.0, 5.0, 1.0], [0.1, 0.1, 0.1])
    >>> sets.low, sets.high
    ((1, 2, 3), (1, 2, 3))
    """
    where = "rank_sets"
    check_level(level, where=where)
    for kind, given, offered in (("sides", sides, SIDES), ("scope", scope, SCOPES)):
        if given not in offered:
            raise unknown_choice(
                Text(f"{kind} 的取值", f"value of {kind}"), given, offered, where=where
            )
    known = family(estimates, covariance, least=2, where=where)
    scales = _difference_errors(known, where)
    if errors is None:
        drawn = draw_errors(known.covariance, draws, seed, freedom=freedom, where=where)
    else:
        drawn = given_errors(known, errors, where=where)
    gaps = (known.estimates[:, None] - known.estimates[None, :]) / scales
    every = range(known.n)
    groups = [list(every)] if scope == "simultaneous" else [[one] for one in every]
    n_above, n_below = np.zeros(known.n, int), np.zeros(known.n, int)
    for group in groups:
        above = _stands_above(
            gaps, scales, drawn, group, level=level, sides=sides, stepwise=stepwise
        )
        n_above[group], n_below[group] = above.sum(axis=0)[group], above.sum(axis=1)[group]
    if sides == "lower":
        n_below[:] = 0
    if sides == "upper":
        n_above[:] = 0
    place = np.flatnonzero(known.is_there)
    low, high = np.ones(known.n_declared, int), np.full(known.n_declared, known.n_declared)
    low[place], high[place] = 1 + n_above, known.n_declared - n_below
    larger = (known.estimates[None, :] > known.estimates[:, None]).sum(axis=1)
    return RankSets(
        rank=tuple(None if one is None else int(one) for one in known.spread(1 + larger)),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        level=level,
        sides=sides,
        scope=scope,
        is_stepwise=stepwise,
        n_estimated=known.n,
        draws=len(drawn),
        seed=seed if errors is None else None,
    )


def tau_best(
    estimates: Sequence[float | None] | ArrayLike,
    covariance: ArrayLike,
    tau: int,
    *,
    level: float = 0.95,
    stepwise: bool = True,
    errors: ArrayLike | None = None,
    freedom: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[bool, ...]:
    """Say who may be among the ``tau`` best: with probability ``level`` they all are marked.

    Projects one-sided simultaneous rank sets. An initiative without an estimate may be among them.

    Parameters
    ----------
    estimates, covariance, level, stepwise, errors, freedom, draws, seed
        As in :func:`rank_sets`.
    tau : int, from 1 to n_declared

    Returns
    -------
    tuple of bool, length n_declared

    Raises
    ------
    UsageError
        As :func:`rank_sets`, or if ``tau`` is no such number.
    """
    found = rank_sets(
        estimates,
        covariance,
        level=level,
        sides="lower",
        stepwise=stepwise,
        errors=errors,
        freedom=freedom,
        draws=draws,
        seed=seed,
    )
    return among_best(found, tau)


def tau_worst(
    estimates: Sequence[float | None] | ArrayLike,
    covariance: ArrayLike,
    tau: int,
    *,
    level: float = 0.95,
    stepwise: bool = True,
    errors: ArrayLike | None = None,
    freedom: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[bool, ...]:
    """Say who may be among the ``tau`` last; otherwise as :func:`tau_best`."""
    found = rank_sets(
        estimates,
        covariance,
        level=level,
        sides="upper",
        stepwise=stepwise,
        errors=errors,
        freedom=freedom,
        draws=draws,
        seed=seed,
    )
    return among_worst(found, tau)


def among_best(sets: RankSets, tau: int) -> tuple[bool, ...]:
    """Read off ``lower`` rank sets who may be among the ``tau`` best."""
    _check_tau(tau, len(sets.low), "tau_best")
    return tuple(one <= tau for one in sets.low)


def among_worst(sets: RankSets, tau: int) -> tuple[bool, ...]:
    """Read off ``upper`` rank sets who may be among the ``tau`` last."""
    n = len(sets.high)
    _check_tau(tau, n, "tau_worst")
    return tuple(one >= n - tau + 1 for one in sets.high)


def _check_tau(tau: int, n: int, where: str) -> None:
    if not 1 <= tau <= n:
        raise UsageError(
            Text(f"tau={tau} 不在 1 与 {n} 之间", f"tau={tau} is not between 1 and {n}"),
            where=where,
            mend=Text("给出前几名的个数", "say how many count as best"),
        )


def _difference_errors(known: Family, where: str) -> Floats:
    variance = np.diag(known.covariance)
    squared = variance[:, None] + variance[None, :] - 2 * known.covariance
    np.fill_diagonal(squared, 1.0)
    if (squared <= 1e-12 * variance.max()).any():
        i, j = np.argwhere(squared <= 1e-12 * variance.max())[0]
        first, second = np.flatnonzero(known.is_there)[[i, j]] + 1
        raise UsageError(
            Text(
                f"第 {first} 与第 {second} 个估计值之差没有误差，无从检验",
                f"the difference of estimates {first} and {second} has no error to test it against",
            ),
            where=where,
            mend=Text(
                "同样的村、同样的起始期是同一个项目：合并后再比较",
                "the same units from the same start are one initiative: put them together",
            ),
        )
    return np.asarray(np.sqrt(squared))


def _stands_above(
    gaps: Floats,
    scales: Floats,
    errors: Floats,
    group: list[int],
    *,
    level: float,
    sides: str,
    stepwise: bool,
) -> NDArray[np.bool_]:
    """Tell which of all pairs (above, below) are told apart, for the ranks of ``group``."""
    n = len(gaps)
    asked = np.zeros((n, n), bool)
    if sides in ("two_sided", "lower"):
        asked[:, group] = True  # someone stands above a member
    if sides in ("two_sided", "upper"):
        asked[group, :] = True  # a member stands above someone
    np.fill_diagonal(asked, False)
    told = np.zeros((n, n), bool)
    while True:
        open_pairs = asked & ~told
        largest = _largest(errors, scales, np.nonzero(open_pairs))
        new = open_pairs & (gaps > np.quantile(largest, level))
        told |= new
        if not stepwise or not new.any() or not (asked & ~told).any():
            return told


def _largest(errors: Floats, scales: Floats, pairs: tuple[NDArray[np.int64], ...]) -> Floats:
    """Largest studentised difference of each draw over pairs, shape (draws,)."""
    i, j = pairs
    found = np.empty(len(errors))
    step = max(1, _CELLS // max(1, len(i)))
    scale = scales[i, j]
    for start in range(0, len(errors), step):
        part = errors[start : start + step]
        found[start : start + step] = ((part[:, i] - part[:, j]) / scale).max(axis=1)
    return found
