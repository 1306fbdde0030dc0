"""Who changes place: transition matrices between quintiles or brackets, and what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cps.indicators.record import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Mobility:
    """Moves between classes from a base period to a later one.

    Parameters
    ----------
    counts : ndarray, shape (k, k)
        Units from class (row) to class (column), lowest first.
    probabilities : ndarray, shape (k, k)
        Rows of ``counts`` as shares; NaN in a row that no unit started in.
    shorrocks : float or None
        ``(k − Σpᵢᵢ) ÷ (k − 1)`` over the classes that units started in: 0 if none moved, 1 where the
        base class tells nothing.
    moved : float
        Share of units in another class (Prais–Bibby).
    up, down : float
        Share of units in a higher, a lower one.
    mean_jump : float
        Mean number of classes moved.
    rank_correlation : float or None
        Spearman's, of the values.
    n : int
        Units that reported in both periods.
    """

    counts: FloatArray
    probabilities: FloatArray
    shorrocks: float | None
    moved: float
    up: float
    down: float
    mean_jump: float
    rank_correlation: float | None
    n: int


def quantile_classes(values: ArrayLike, k: int = 5) -> FloatArray:
    """Give each unit's class of ``k`` by rank, 0 the lowest; equal values share a class.

    Parameters
    ----------
    values : array_like, shape (n,)
        Complete.

    Examples
    --------
    >>> quantile_classes([10, 20, 30, 40, 50]).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    middle = _middle_ranks(np.asarray(values, dtype=float))
    return np.clip(np.floor(k * middle / middle.size), 0, k - 1)


def bracket_classes(values: ArrayLike, edges: Sequence[float]) -> FloatArray:
    """Give each unit's bracket: 0 up to and with the first edge, 1 above it (超) and so on."""
    return np.searchsorted(np.asarray(edges, dtype=float), values, side="left").astype(float)


def mobility(
    now: ArrayLike, base: ArrayLike, *, edges: Sequence[float] | None = None
) -> Mobility | None:
    """Count moves of the units that reported in both periods; None if none did.

    Parameters
    ----------
    now, base : array_like, shape (n,)
        NaN is not reported.
    edges : sequence of float, optional
        Edges of brackets in the values' unit; without them quintiles of each period.

    References
    ----------
    Shorrocks, A. F. (1978). The measurement of mobility. Econometrica 46(5), 1013–1024.
    doi:10.2307/1911433
    Prais, S. J. (1955). Measuring social mobility. Journal of the Royal Statistical Society A 118(1),
    56–66. doi:10.2307/2342512
    """
    later, earlier = np.asarray(now, dtype=float), np.asarray(base, dtype=float)
    both = np.isfinite(later) & np.isfinite(earlier)
    later, earlier = later[both], earlier[both]
    n = later.size
    if n == 0:
        return None
    if edges is None:
        k = 5
        start, end = quantile_classes(earlier, k), quantile_classes(later, k)
    else:
        k = len(edges) + 1
        start, end = bracket_classes(earlier, edges), bracket_classes(later, edges)
    counts = np.zeros((k, k))
    np.add.at(counts, (start.astype(int), end.astype(int)), 1.0)
    step = end - start
    ranks = (_middle_ranks(later), _middle_ranks(earlier))
    is_flat = min(ranks[0].std(), ranks[1].std()) == 0
    return Mobility(
        counts=counts,
        probabilities=row_shares(counts),
        shorrocks=shorrocks_index(counts),
        moved=float((step != 0).mean()),
        up=float((step > 0).mean()),
        down=float((step < 0).mean()),
        mean_jump=float(np.abs(step).mean()),
        rank_correlation=None if is_flat else float(np.corrcoef(*ranks)[0, 1]),
        n=n,
    )


def row_shares(counts: ArrayLike) -> FloatArray:
    """Give rows as shares of their sums; NaN in a row of zeros."""
    array = np.asarray(counts, dtype=float)
    sums = array.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums > 0, array / sums, np.nan)


def shorrocks_index(counts: ArrayLike) -> float | None:
    """Give Shorrocks' index of a matrix of counts or of probabilities; None with one row in use."""
    shares = row_shares(counts)
    stays = np.diag(shares)[np.isfinite(shares).all(axis=1)]
    k = stays.size
    return None if k < 2 else float((k - stays.sum()) / (k - 1))


def _middle_ranks(values: FloatArray) -> FloatArray:
    """Give ranks less one half, from 0.5 to n − 0.5, equal values sharing their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - counts / 2)[inverse]
