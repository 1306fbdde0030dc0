"""Take one or two sets of effects out of columns, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Absorber:
    """Weighted projection off the dummies of up to two sets of levels.

    The larger set is eliminated by its means; what is left for the smaller one is a dense system as
    wide as its levels (periods, mostly), factorised once. Nothing iterates, so the result is exact
    on unbalanced panels too.
    """

    many: Codes | None
    few: Codes | None
    weight: Floats
    totals: Floats  # (n_many,)
    cross: Any  # sparse (n_many, n_few), weights by pair of levels
    factor: Floats  # (n_few, n_few), inverse of the reduced system, zero for grounded levels

    @classmethod
    def of(cls, absorb: Sequence[Codes], weight: Floats) -> Absorber:
        """Prepare the projection.

        Raises
        ------
        ValueError
            If there are more than two sets of levels.
        """
        if len(absorb) > 2:
            raise ValueError(
                "at most two sets of effects can be absorbed; give the rest as columns"
            )
        nothing = np.zeros(0)
        if not absorb:
            return cls(None, None, weight, nothing, None, nothing)
        ordered = sorted(map(dense, absorb), key=lambda codes: -int(codes.max()))
        many = ordered[0]
        totals = np.bincount(many, weights=weight).astype(float)
        if len(ordered) == 1:
            return cls(many, None, weight, totals, None, nothing)
        few = ordered[1]
        cross = cross_table(many, few, weight)
        reduced = np.diag(np.asarray(cross.sum(axis=0)).ravel()) - (
            cross.T @ scaled_rows(cross, 1 / totals)
        )
        sets = components(cross)[1]
        return cls(many, few, weight, totals, cross, grounded_inverse(reduced, sets))

    def residuals(self, columns: Floats) -> Floats:
        """Give columns, shape (n, k), without the effects."""
        if self.many is None:
            return columns
        sums = level_sums(self.weight[:, None] * columns, self.many, len(self.totals))
        left = columns - (sums / self.totals[:, None])[self.many]
        if self.few is None:
            return left
        sums = level_sums(self.weight[:, None] * left, self.few, self.cross.shape[1])
        effects = self.factor @ sums
        return np.asarray(
            left - effects[self.few] + (self.cross @ effects / self.totals[:, None])[self.many]
        )


def cross_table(
    many: Codes, few: Codes, weight: Floats, shape: tuple[int, int] | None = None
) -> Any:
    """Add weights up by pair of levels: a sparse matrix, shape (n_many, n_few)."""
    from scipy import sparse

    shape = shape or (int(many.max()) + 1, int(few.max()) + 1)
    return sparse.coo_array((weight, (many, few)), shape=shape).tocsr()


def scaled_rows(table: Any, factors: Floats) -> Any:
    """Multiply the rows of a sparse table; the product comes back dense where it is used."""
    return table.multiply(factors[:, None]).toarray()


def components(table: Any) -> tuple[Codes, Codes]:
    """Give the connected set that each row and each column of a table of pairs belongs to."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    if isinstance(table, np.ndarray):
        # Rows that meet the same columns are connected alike: few patterns stand for many rows.
        bits = np.packbits(table != 0, axis=1)
        patterns, first, place = np.unique(bits, axis=0, return_index=True, return_inverse=True)
        if len(patterns) < len(table):
            rows, columns = components(sparse.csr_array(table[first]))
            empty = ~table.any(axis=1)
            alone = np.arange(len(table)) + columns.max(initial=0) + rows.max(initial=0) + 1
            return np.where(empty, alone, rows[place.ravel()]), columns
        table = sparse.csr_array(table)
    n_rows = table.shape[0]
    graph = sparse.block_array([[None, table], [table.T, None]])
    sets = np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
    return sets[:n_rows], sets[n_rows:]


def grounded_inverse(reduced: Floats, sets: Codes) -> Floats:
    """Invert a system that is singular once for each connected set: its first level is set to 0."""
    free = np.ones(len(reduced), dtype=bool)
    free[np.unique(sets, return_index=True)[1]] = False
    inverse = np.zeros_like(reduced)
    if free.any():
        inverse[np.ix_(free, free)] = np.linalg.inv(reduced[np.ix_(free, free)])
    return inverse


def n_free(absorb: Sequence[Codes]) -> int:
    """Count the free parameters of one or two sets of levels, as ``fixest`` does by default."""
    return sum(int(codes.max()) + 1 for codes in absorb) - (len(absorb) - 1)


def dense(codes: Codes) -> Codes:
    """Number levels from 0 without gaps."""
    if (np.bincount(codes) > 0).all():
        return codes
    return np.unique(codes, return_inverse=True)[1].ravel().astype(np.int64)


def level_sums(columns: Floats, codes: Codes, size: int) -> Floats:
    """Add the rows of columns, shape (n, k), up by level: shape (size, k)."""
    sums = np.empty((size, columns.shape[1]))
    for j in range(columns.shape[1]):
        sums[:, j] = np.bincount(codes, weights=columns[:, j], minlength=size)
    return sums
