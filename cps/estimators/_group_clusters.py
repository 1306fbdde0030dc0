"""Covariances of ATT(g, t) without covariates where units of a cluster may err together.

What ``_group_moments`` does with Gram matrices, done with sums by cohort and cluster: the influence
of a cluster is linear in them, so that no array of clusters × cells is held.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from cps.estimators._group_aggregate import Sums
from cps.estimators._group_cells import Cells, Cohorts, Floats, Ints
from cps.estimators._group_draws import CellDraws
from cps.estimators._group_moments import CohortErrors, Moments

_CHUNK = 1 << 19


class ClusterErrors(CohortErrors):
    """Covariances and draws from sums within clusters.

    Parameters
    ----------
    cells, moments
        As for ``CohortErrors``; second moments are not needed.
    y : ndarray, shape (n_units, n_periods); complete
    weights : ndarray, shape (n_units,), or None
    cluster : ndarray of int, shape (n_units,)
    """

    def __init__(
        self,
        cells: Cells,
        moments: Moments,
        *,
        y: Floats,
        cohorts: Cohorts,
        weights: Floats | None,
        cluster: Ints,
    ) -> None:
        super().__init__(cells, moments)
        self.n_clusters = int(cluster.max()) + 1
        self.names: list[Ints] = []  # clusters that a cohort has units in
        self.sums: list[Floats] = []  # of weight times (outcome less cohort mean, one) in them
        for place in range(len(moments.total)):
            rows = cohorts.rows(place)
            names, inverse = np.unique(cluster[rows], return_inverse=True)
            self.names.append(names)
            self.sums.append(_sums(y, rows, inverse, len(names), weights, moments.mean[place]))

    def variances(self) -> Floats:
        """Give the variance of each cell's ATT(g, t), shape (n_cells,)."""
        cells = self.cells
        found = np.zeros(len(cells.time))
        pooled = np.zeros((self.n_clusters, self.mean.shape[1] + 1))
        for rank in range(len(self.sums) - 1, -1, -1):
            pooled[self.names[rank]] += self._raw(rank)
            here = np.flatnonzero((cells.rank == rank) & self.is_used)
            for place in np.unique(cells.cohort[here]).tolist():
                mine = here[cells.cohort[here] == place]
                found[mine] = self._squares(place, mine, pooled, is_inside=place >= rank)
        return found

    def _raw(self, place: int) -> Floats:
        """Give sums of weight times (outcome, one)."""
        raw = self.sums[place].copy()
        raw[:, :-1] += self.mean[place] * raw[:, -1:]
        return raw

    def _squares(self, place: int, mine: Ints, pooled: Floats, *, is_inside: bool) -> Floats:
        cells, names = self.cells, self.names[place]
        t, b = cells.time[mine], cells.base[mine]
        other, n_control = self.other[mine], self.n_control[mine]
        influence = (pooled[:, b] - pooled[:, t] + pooled[:, -1:] * other) / n_control
        if is_inside:
            raw = self._raw(place)
            influence[names] += (raw[:, t] - raw[:, b] - raw[:, -1:] * other) / n_control
        own = self.sums[place]
        influence[names] += (own[:, t] - own[:, b]) / self.total[place]
        return np.asarray(np.einsum("ij,ij->j", influence, influence))

    def covariances(self, sums: Sequence[Sums]) -> list[Floats]:
        """Give the covariance of each kind of sums, shapes (n_sums, n_sums)."""
        ends = np.cumsum([0, *(len(one.labels) for one in sums)])
        each = np.zeros((self.n_clusters, int(ends[-1])))
        for place, coefficients in self._coefficients(sums, ends):
            each[self.names[place]] += self.sums[place] @ coefficients.T
        return [
            each[:, first:last].T @ each[:, first:last]
            for first, last in itertools.pairwise(ends.tolist())
        ]

    def _draws(self, seen: Ints, errors: Floats) -> CellDraws:
        return CellDraws(
            self.cells.keep(np.isin(np.arange(len(errors)), seen)),
            errors=errors[seen],
            other=self.other[seen],
            n_control=self.n_control[seen],
            total=self.total,
            mean=self.mean,
            roots=[one.T for one in self.sums],
            sources=self.names,
        )


def _sums(  # noqa: PLR0917
    y: Floats, rows: Ints, inverse: Ints, n: int, weights: Floats | None, mean: Floats
) -> Floats:
    found = np.zeros((n, y.shape[1] + 1))
    step = max(_CHUNK // y.shape[1], 64)
    order = np.argsort(inverse, kind="stable")
    for first in range(0, len(rows), step):
        some = order[first : first + step]
        block = np.empty((len(some), y.shape[1] + 1))
        block[:, :-1] = y[rows[some]]
        block[:, :-1] -= block[:, :-1].mean(axis=1, keepdims=True) + mean
        block[:, -1] = 1.0
        if weights is not None:
            block *= weights[rows[some]][:, None]
        name = inverse[some]
        begins = np.flatnonzero(np.r_[True, name[1:] != name[:-1]])
        found[name[begins]] += np.add.reduceat(block, begins, axis=0)
    return found
