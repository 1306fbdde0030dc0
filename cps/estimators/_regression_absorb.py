"""Take one or two sets of effects out of columns, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_DENSE = 5_000_000  # pairs of levels up to which a table is laid out in full
_NARROW = 256


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
    cross: Any  # (n_many, n_few), weights by pair of levels, sparse if large
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
        reduced = np.diag(np.asarray(cross.sum(axis=0)).ravel()) - np.asarray(
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


def cross_table(many: Codes, few: Codes, weight: Floats) -> Any:
    """Add weights up by pair of levels, shape (n_many, n_few): dense, or sparse if that is large."""
    shape = (int(many.max()) + 1, int(few.max()) + 1)
    if shape[0] * shape[1] <= _DENSE:
        flat = np.bincount(many * shape[1] + few, weights=weight, minlength=shape[0] * shape[1])
        return flat.reshape(shape).astype(float)
    from scipy import sparse

    return sparse.coo_array((weight, (many, few)), shape=shape).tocsr()


def scaled_rows(table: Any, factors: Floats) -> Any:
    """Multiply the rows of a table; a sparse one comes back dense."""
    if isinstance(table, np.ndarray):
        return table * factors[:, None]
    return table.multiply(factors[:, None]).toarray()


def components(table: Any) -> tuple[Codes, Codes]:
    """Give the connected set that each row and each column of a table of pairs belongs to."""
    if isinstance(table, np.ndarray) and table.shape[1] <= _NARROW:
        return _narrow_components(table != 0)
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    n_rows = table.shape[0]
    pairs = sparse.csr_array(table)
    graph = sparse.block_array([[None, pairs], [pairs.T, None]])
    sets = np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
    return sets[:n_rows], sets[n_rows:]


def _narrow_components(meets: NDArray[np.bool_]) -> tuple[Codes, Codes]:
    """Connect the columns of a narrow table: rows that meet the same ones are one."""
    bits = np.packbits(meets, axis=1)
    first = np.unique(bits, axis=0, return_index=True)[1]
    rows = meets[first].astype(float)
    reach = (rows.T @ rows > 0) | np.eye(meets.shape[1], dtype=bool)
    while True:
        further = reach.astype(float) @ reach > 0
        if (further == reach).all():
            break
        reach = further
    columns = reach.argmax(axis=1).astype(np.int64)  # the first column that is reached
    n_columns = meets.shape[1]
    alone = np.arange(len(meets)) + n_columns
    return np.where(meets.any(axis=1), columns[meets.argmax(axis=1)], alone), columns


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
