"""Draws of the largest of many correlated errors: what simultaneous bands are cut from.

Gaussian multiplier bootstrap of Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001,
section 4: the draws have the estimated covariance, here without a multiplier for each unit.
"""

from __future__ import annotations

import itertools

import numpy as np

from cps.estimators._group_cells import Cells, Floats, Ints

_AT_ONCE = 1 << 19
_FEW_SOURCES = 160
_NEGLIGIBLE = 1e-12


def critical_value(largest: Floats, level: float, pointwise: float) -> float:
    """Give the quantile of the largest error; never below the pointwise value."""
    return max(float(np.quantile(largest, level, method="inverted_cdf")), pointwise)


def root_of(second: Floats, rank: int | None = None) -> Floats:
    """Give a matrix whose product with its transpose is ``second``, up to rounding.

    Parameters
    ----------
    second : ndarray, shape (k, k)
        Positive semi-definite.
    rank : int or None
        An upper bound on its rank; below ``k``, the result has so many columns at most.
    """
    size = np.sqrt(np.maximum(np.diagonal(second), 0.0))
    safe = np.where(size > 0, size, 1.0)
    alike = second / safe[:, None] / safe[None, :]
    if rank is not None and rank < len(second):
        return np.asarray(size[:, None] * _pivoted(alike, rank))
    try:
        root = np.linalg.cholesky(alike + 1e-11 * np.eye(len(second)))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(alike)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(size[:, None] * root)


def _pivoted(alike: Floats, rank: int) -> Floats:
    """Decompose by Cholesky, the largest remaining variance first."""
    left = np.diagonal(alike).copy()
    root = np.zeros((len(alike), rank))
    for column in range(rank):
        pivot = int(np.argmax(left))
        if left[pivot] <= _NEGLIGIBLE:
            return root[:, :column]
        done = root[:, :column]
        root[:, column] = (alike[:, pivot] - done @ done[pivot]) / np.sqrt(left[pivot])
        left -= root[:, column] ** 2
        left[pivot] = 0.0
    return root


def largest_of_root(root: Floats, n_draws: int, rng: np.random.Generator) -> Floats:
    """Draw the largest absolute entry of ``root @ z``, z standard normal, shape (n_draws,)."""
    # Single precision: the draws are random in their third digit.
    step = max((_AT_ONCE << 3) // max(root.shape), 16)
    single = root.astype(np.float32)
    found = []
    for first in range(0, n_draws, step):
        size = min(step, n_draws - first)
        drawn = single @ rng.standard_normal((root.shape[1], size), dtype=np.float32)
        found.append(np.maximum(drawn.max(axis=0), -drawn.min(axis=0)))
    return np.concatenate(found).astype(np.float64)


def largest_of(covariance: Floats, n_draws: int, rng: np.random.Generator) -> Floats:
    """Draw the largest error in standard errors of estimates with a joint covariance."""
    size = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    seen = np.flatnonzero(size > 0)
    if not len(seen):
        return np.zeros(n_draws)
    alike = covariance[np.ix_(seen, seen)] / size[seen, None] / size[None, seen]
    return largest_of_root(root_of(alike), n_draws, rng)


class CellDraws:
    """Draws for cells whose errors are sums over cohorts; see ``CohortErrors``.

    Parameters
    ----------
    cells : Cells
        Those with a standard error.
    errors, other, n_control : ndarray, shape (n_cells,)
        Standard error, mean change of the comparison, and its sum of weights.
    total, mean : ndarray
        As in ``Moments``.
    roots : list of ndarray, shapes (n_periods + 1, n_sources of the cohort)
        What independent normals become in each cohort: sums of weight times (outcome less cohort
        mean, one).
    sources : list of ndarray of int, or None
        Which of the normals they are, where cohorts share some; None if each has its own.
    """

    def __init__(
        self,
        cells: Cells,
        *,
        errors: Floats,
        other: Floats,
        n_control: Floats,
        total: Floats,
        mean: Floats,
        roots: list[Floats],
        sources: list[Ints] | None = None,
    ) -> None:
        self.cells = cells
        self.mean = mean
        self.of_treated = 1.0 / (errors * total[cells.cohort])
        self.of_control = 1.0 / (errors * n_control)
        self.lift = other * self.of_control
        self.is_inside = cells.cohort >= cells.rank
        self.roots = roots
        ends = np.cumsum([0, *(root.shape[1] for root in roots)])
        self.sources = (
            [np.arange(first, last) for first, last in itertools.pairwise(ends.tolist())]
            if sources is None
            else sources
        )
        self.n_sources = max(int(one.max()) + 1 for one in self.sources if len(one))
        self.has_shared = sources is not None

    def largest(self, n_draws: int, rng: np.random.Generator) -> Floats:
        """Draw the largest error in standard errors, shape (n_draws,)."""
        if self.n_sources <= _FEW_SOURCES:
            return largest_of_root(self._loadings(), n_draws, rng)
        held = self.mean[:, 0].size * (self.mean.shape[1] + 1)
        step = max(_AT_ONCE // max(held, self.n_sources if self.has_shared else 0), 32)
        return np.concatenate(
            [
                self._largest_at_once(min(step, n_draws - first), rng)
                for first in range(0, n_draws, step)
            ]
        )

    def _loadings(self) -> Floats:
        """Give each cell's error as a linear form of independent normals."""
        cells = self.cells
        found = np.zeros((len(cells.time), self.n_sources))
        for place, root in enumerate(self.roots):
            whole = root.copy()
            whole[:-1] += self.mean[place][:, None] * root[-1]
            part = (whole[cells.base] - whole[cells.time]) * self.of_control[:, None]
            part += whole[-1] * self.lift[:, None]
            part[(cells.rank > place) | (cells.cohort == place)] = 0.0
            own = np.flatnonzero(cells.cohort == place)
            change = root[cells.time[own]] - root[cells.base[own]]
            part[own] += change * self.of_treated[own, None]
            found[:, self.sources[place]] += part
        return found

    def _largest_at_once(self, size: int, rng: np.random.Generator) -> Floats:
        n_cohorts, n_periods = self.mean.shape
        own = np.empty((n_cohorts, n_periods + 1, size), np.float32)
        shared = (
            rng.standard_normal((self.n_sources, size), dtype=np.float32)
            if self.has_shared
            else None
        )
        for place, root in enumerate(self.roots):
            drawn = (
                rng.standard_normal((root.shape[1], size), dtype=np.float32)
                if shared is None
                else shared[self.sources[place]]
            )
            own[place] = root.astype(np.float32) @ drawn
        pooled = own.copy()
        pooled[:, :-1] += self.mean.astype(np.float32)[:, :, None] * own[:, -1:, :]
        for place in range(n_cohorts - 2, -1, -1):
            pooled[place] += pooled[place + 1]
        most = np.zeros(size, np.float32)
        bounds = np.searchsorted(self.cells.cohort, np.arange(n_cohorts + 1))
        for place in range(n_cohorts):
            mine = slice(bounds[place], bounds[place + 1])
            if mine.start == mine.stop:
                continue
            value = self._of_cohort(place, mine, own[place], pooled)
            np.maximum(most, np.maximum(value.max(axis=0), -value.min(axis=0)), out=most)
        return most.astype(np.float64)

    def _of_cohort(self, place: int, mine: slice, own: Floats, pooled: Floats) -> Floats:
        cells = self.cells
        time, base, rank = cells.time[mine], cells.base[mine], cells.rank[mine]
        of_control = self.of_control[mine].astype(np.float32)[:, None]
        lift = self.lift[mine].astype(np.float32)[:, None]
        value = own[time] - own[base]
        value *= self.of_treated[mine].astype(np.float32)[:, None]
        control = pooled[rank, time] - pooled[rank, base]
        control *= of_control
        value -= control
        value += pooled[rank, -1] * lift
        inside = np.flatnonzero(self.is_inside[mine])
        if len(inside):
            # What the cohort itself added to the pool is no comparison for it.
            alone = pooled[place] - pooled[place + 1]
            alike = (alone[time[inside]] - alone[base[inside]]) * of_control[inside]
            value[inside] += alike - alone[-1] * lift[inside]
        return value
