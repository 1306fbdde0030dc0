"""Gaps between treated units and their synthetic comparison, under one or many assignments.

An assignment says of every unit when it starts: a period, infinity for a unit to compare with, NaN
for one that takes no part. Cohorts are estimated one at a time against units that never start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._synth_weights import (
    Booleans,
    Floats,
    Kind,
    Problem,
    noise_level,
    without_rounding,
)

_CHUNK = 8_000_000  # floats held at a time

Outcomes = Floats | tuple[Floats, ...]
Solver = Callable[[Problem, Kind], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which periods are before and after each cohort's start.

    Parameters
    ----------
    periods : ndarray of int, shape (n_periods,)
    cohorts : ndarray of int, shape (n_cohorts,)
    anticipation : int
    """

    periods: NDArray[np.int64]
    cohorts: NDArray[np.int64]
    anticipation: int

    @property
    def is_pre(self) -> Booleans:
        """Periods that weights are fitted on, shape (n_cohorts, n_periods)."""
        return np.asarray(self.periods[None] < self.cohorts[:, None] - self.anticipation)

    @property
    def is_post(self) -> Booleans:
        """Periods with treatment, shape (n_cohorts, n_periods)."""
        return np.asarray(self.periods[None] >= self.cohorts[:, None])

    @property
    def event_time(self) -> NDArray[np.int64]:
        """Periods since the start, shape (n_cohorts, n_periods)."""
        return np.asarray(self.periods[None] - self.cohorts[:, None])


@dataclass(frozen=True, slots=True)
class Gaps:
    """What assignments give; the first axis runs over them.

    Parameters
    ----------
    gaps : ndarray, shape (n, n_cohorts, n_periods)
        Treated less counterfactual; 0 where an assignment has nobody in a cohort.
    sizes : ndarray, shape (n, n_cohorts)
        Number of treated units.
    unit_weights : ndarray, shape (n, n_cohorts, n_pool)
    period_weights : ndarray, shape (n, n_cohorts, n_periods)
    """

    gaps: Floats
    sizes: Floats
    unit_weights: Floats
    period_weights: Floats

    def mean(self, keep: Booleans) -> Floats:
        """Average over cells of ``keep`` (n_cohorts, n_periods) by treated units: shape (n,)."""
        return self.means(keep[None])[:, 0]

    def means(self, keeps: Booleans) -> Floats:
        """Average over several sets of cells, (n_sets, n_cohorts, n_periods): shape (n, n_sets).

        NaN where an assignment has nobody in a set.
        """
        n, n_sets = len(self.gaps), len(keeps)
        cells = (self.gaps * self.sizes[:, :, None]).reshape(n, keeps[0].size)
        sums = cells @ keeps.reshape(n_sets, keeps[0].size).T.astype(float)
        total = self.sizes @ keeps.sum(axis=2).T.astype(float)
        return np.divide(sums, total, out=np.full(sums.shape, np.nan), where=total > 0)

    def part(self, rows: slice) -> Gaps:
        """Keep some assignments."""
        weights = (self.unit_weights, self.period_weights)
        return Gaps(
            self.gaps[rows], self.sizes[rows], *(one[rows] if len(one) else one for one in weights)
        )


@dataclass(frozen=True, slots=True)
class Slices:
    """Sets of cells by event time, cohort and calendar period, each (n_sets, n_cohorts, n_periods)."""

    event_times: NDArray[np.int64]
    events: Booleans
    cohorts: Booleans
    places: NDArray[np.int64]  # of calendar periods with treatment
    calendar: Booleans

    @classmethod
    def of(cls, calendar: Calendar) -> Slices:
        """Cut the cells of a calendar."""
        event, post = calendar.event_time, calendar.is_post
        times = np.unique(event)
        own = np.eye(len(post), dtype=bool)
        columns = np.eye(post.shape[1], dtype=bool)
        places = np.flatnonzero(post.any(axis=0))
        return cls(
            times,
            event[None] == times[:, None, None],
            own[:, :, None] & post[None],
            places,
            columns[places][:, None, :] & post[None],
        )


def gaps_under(
    y: Outcomes,
    starts: Floats,
    calendar: Calendar,
    kind: Kind,
    solve: Solver,
    *,
    noise: Floats | None = None,
    keep_weights: bool = False,
) -> Gaps:
    """Estimate under many assignments.

    Parameters
    ----------
    y : ndarray, or a tuple of one for each cohort
        Shape (n_pool, n_periods), or (n, n_pool, n_periods) where each has its own units.
    starts : ndarray, shape (n, n_pool)
        Finite values lie among the calendar's cohorts.
    noise : ndarray, shape (n_cohorts,), or None
        Noise level to hold fixed; each assignment's own if None.
    """
    n, n_pool = starts.shape
    n_cohorts, n_periods = calendar.is_post.shape
    gaps, sizes = np.zeros((n, n_cohorts, n_periods)), np.zeros((n, n_cohorts))
    kept = n if keep_weights else 0
    units = np.zeros((kept, n_cohorts, n_pool))
    times = np.zeros((kept, n_cohorts, n_periods))
    for c, part in _parts(y, starts, calendar):
        own = y[c] if isinstance(y, tuple) else y
        pool = own if own.ndim == 2 else own[part]
        members = (starts[part] == calendar.cohorts[c]).astype(float)
        size = members.sum(axis=1)
        treated = members @ pool if pool.ndim == 2 else (members[:, None] @ pool)[:, 0]
        allowed = np.isposinf(starts[part])
        level = noise_level(pool, allowed, calendar.is_pre[c])
        problem = Problem(
            pool,
            treated / size[:, None],
            allowed,
            calendar.is_pre[c],
            calendar.is_post[c],
            level if noise is None else np.full(len(part), noise[c]),
            size,
        )
        omega, lam = solve(problem, kind)
        mix = omega @ pool if pool.ndim == 2 else (omega[:, None] @ pool)[:, 0]
        gap = problem.treated - mix
        before = (gap[:, problem.pre] * lam).sum(axis=1, keepdims=True)
        # Gaps of rounding would be ranked, and have a spread, as if they were something.
        gaps[part, c] = without_rounding(gap - before, float(np.abs(pool).max()))
        sizes[part, c] = size
        if keep_weights:
            units[part, c] = omega
            times[part[:, None], c, np.flatnonzero(problem.pre)] = lam
    return Gaps(gaps, sizes, units, times)


def _parts(
    y: Outcomes, starts: Floats, calendar: Calendar
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Give cohort and assignments that have somebody in it, as many as fit in memory."""
    one = y[0] if isinstance(y, tuple) else y
    n_pool, n_periods = one.shape[-2:]
    each = n_pool * (n_periods if one.ndim == 2 else max(n_pool, n_periods)) + n_periods**2
    most = max(1, _CHUNK // each)
    for c, g in enumerate(calendar.cohorts):
        rows = np.flatnonzero((starts == g).any(axis=1))
        for low in range(0, len(rows), most):
            yield c, rows[low : low + most]


def fixed_weights(
    y: Outcomes, starts: Floats, calendar: Calendar, actual: Gaps, absent: Booleans
) -> Gaps:
    """Estimate without some units, weights kept but for those of the absent.

    Parameters
    ----------
    y, starts : ndarray, shapes (n_pool, n_periods), or a tuple of one for each cohort, and (n_pool,)
    actual : Gaps
        Of the one assignment with everybody, weights included.
    absent : ndarray of bool, shape (n, n_pool)
    """
    n, (n_cohorts, n_periods) = len(absent), calendar.is_post.shape
    gaps, sizes = np.zeros((n, n_cohorts, n_periods)), np.zeros((n, n_cohorts))
    for c, g in enumerate(calendar.cohorts):
        members = ((starts == g) & ~absent).astype(float)
        omega = actual.unit_weights[0, c] * ~absent
        total = omega.sum(axis=1, keepdims=True)
        others = (np.isposinf(starts) & ~absent).astype(float)
        equal = others / others.sum(axis=1, keepdims=True)
        omega = np.where(total > 0, omega / np.where(total > 0, total, 1.0), equal)
        size = members.sum(axis=1)
        some = size > 0
        own = y[c] if isinstance(y, tuple) else y
        gap = members[some] @ own / size[some, None] - omega[some] @ own
        before = gap @ actual.period_weights[0, c]
        gaps[some, c] = gap - before[:, None]
        sizes[:, c] = size
    empty = np.zeros((0, n_cohorts, len(starts)))
    return Gaps(gaps, sizes, empty, np.zeros((0, n_cohorts, n_periods)))
