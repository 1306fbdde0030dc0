"""The wild cluster bootstrap of one coefficient of a regression, on arrays.

Cameron, Gelbach & Miller (2008), doi:10.1162/rest.90.3.414; the fast form of Roodman, Nielsen,
MacKinnon & Webb (2019), doi:10.1177/1536867X19830877: each draw costs one product of clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cps.estimators._ranks import TIE, accept_half_width, outermost

Floats = NDArray[np.float64]
Kind = Literal["auto", "rademacher", "mammen", "webb", "normal"]
Ties = Literal["conservative", "half", "strict"]
_Groups = tuple[NDArray[np.int64], NDArray[np.int64]]
FEW = 12  # clusters below which two-point weights have too few distinct draws (Webb 2023)
_CHUNK = 4_000_000  # floats held at a time


@dataclass(frozen=True, slots=True)
class WildTest:
    """A coefficient with its bootstrap test and interval.

    Parameters
    ----------
    estimate, se, t : float
        OLS, and the cluster-robust error with factor G/(G−1) · (N−1)/(N−k); t against ``null``.
    p_value : float
        Two-sided, symmetric.
    p_value_floor : float
        The smallest p-value that these draws can give.
    ci_low, ci_high : float or None
        None where the interval has no end, or the floor is above 1 − level.
    """

    estimate: float
    se: float
    t: float
    p_value: float
    p_value_floor: float
    ci_low: float | None
    ci_high: float | None
    n_clusters: int
    n_draws: int
    is_enumerated: bool
    kind: str


@dataclass(frozen=True, slots=True)
class _Draws:
    """Bootstrap numerators and squared errors as functions of the value tested, b.

    The numerator is ``top0 − b · top1``, the squared error ``low00 − 2 b · low01 + b² · low11``.
    """

    top0: Floats
    top1: Floats
    low00: Floats
    low01: Floats
    low11: Floats

    def size(self, b: float) -> Floats:
        """Give |t*| under the value ``b``; infinite where a draw has no error (counts as large)."""
        low = np.sqrt(np.maximum(self.low00 - 2 * b * self.low01 + b * b * self.low11, 0.0))
        top = np.abs(self.top0 - b * self.top1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(low > 0, top / low, np.inf)


def wild_bootstrap(
    y: Floats,
    x: Floats,
    cluster: NDArray[np.int64],
    column: int,
    *,
    null: float = 0.0,
    restricted: bool = True,
    kind: Kind = "auto",
    draws: int = 9999,
    seed: int = 0,
    level: float = 0.95,
    boot_cluster: NDArray[np.int64] | None = None,
    ties: Ties = "conservative",
    n_absorbed: int = 0,
) -> WildTest:
    """Test one coefficient, and find the values that the test does not reject.

    Parameters
    ----------
    y : ndarray, shape (n,)
    x : ndarray, shape (n, k), of full rank
        With a weighted regression, multiply ``y`` and ``x`` by the weights' root first.
    cluster : ndarray of int, shape (n,)
        Codes of the groups within which errors may be related.
    column : int
        The coefficient tested.
    restricted : bool
        Impose the null on the residuals (WCR); else not (WCU).
    kind : {"auto", "rademacher", "mammen", "webb", "normal"}
        Weights; ``auto`` is Webb's six points below 12 clusters, Rademacher from there on.
        Rademacher weights are enumerated where there are no more than ``draws``.
    boot_cluster : ndarray of int, shape (n,), or None
        Codes of the groups that share a weight; ``cluster`` if None, finer for the sub-cluster
        bootstrap of MacKinnon & Webb (2018), doi:10.1111/ectj.12107.
    ties : {"conservative", "half", "strict"}
        How draws as large as the statistic count; ``strict`` is boottest's rule.
    n_absorbed : int
        Parameters taken out of ``y`` and ``x`` beforehand, for the factor N − k.
    """
    # Codes without a row would count as clusters.
    cluster = _codes(cluster)
    shared = cluster if boot_cluster is None else _codes(boot_cluster)
    parts = _Parts.of(y, x, (cluster, shared), column, n_absorbed)
    chosen = kind
    if kind == "auto":
        chosen = "webb" if parts.h < FEW else "rademacher"
    t = (parts.estimate - null) / parts.se
    bases = (parts.y, parts.x) if restricted else (parts.y - parts.estimate * parts.x, None)
    count, is_all, make = _weights(chosen, parts.h, draws, seed)
    found = _draw(parts, bases, count, make)
    # Of all sign changes two give the statistic itself; drawn ones are joined by the actual one.
    counts_itself = is_all and restricted
    floor = 2 / count if counts_itself else 1 / (1 + count)

    def p_of(t_size: float, sizes: Floats) -> float:
        return _share(t_size, sizes, ties, counts_itself)

    p_value = p_of(abs(t), found.size(null))
    if floor > 1 - level:
        low, high = -np.inf, np.inf
    elif restricted:
        low, high = _invert(parts, found, p_of, 1 - level)
    else:
        half = accept_half_width(found.size(0.0), level) * parts.se
        low, high = parts.estimate - half, parts.estimate + half
    return WildTest(
        parts.estimate,
        parts.se,
        t,
        p_value,
        floor,
        low if np.isfinite(low) else None,
        high if np.isfinite(high) else None,
        parts.g,
        count,
        is_all,
        chosen,
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """What every draw shares: outcome and regressor with the other columns taken out."""

    y: Floats
    x: Floats
    others: Floats  # (n, k − 1), orthonormal
    cluster: NDArray[np.int64]
    shared: NDArray[np.int64]
    g: int  # clusters
    h: int  # groups that share a weight
    square: float  # x'x
    estimate: float
    se: float
    factor: float

    @classmethod
    def of(cls, y: Floats, x: Floats, groups: _Groups, column: int, n_absorbed: int) -> _Parts:
        cluster, shared = groups
        others, _ = np.linalg.qr(np.delete(x, column, axis=1))
        own = x[:, column] - others @ (others.T @ x[:, column])
        rest = y - others @ (others.T @ y)
        square = float(own @ own)
        estimate = float(own @ rest) / square
        n, g = len(y), int(cluster.max()) + 1
        factor = g / (g - 1) * (n - 1) / (n - x.shape[1] - n_absorbed)
        scores = _sums(cluster, own * (rest - estimate * own), g)
        se = float(np.sqrt(factor * (scores**2).sum())) / square
        h = int(shared.max()) + 1
        return cls(rest, own, others, cluster, shared, g, h, square, estimate, se, factor)


def _codes(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _sums(codes: NDArray[np.int64], values: Floats, n: int) -> Floats:
    return np.asarray(np.bincount(codes, values, n), dtype=np.float64)


def _draw(parts: _Parts, bases: tuple[Floats, Floats | None], count: int, make: _Maker) -> _Draws:
    """Find the draws' numerators and errors; the second base multiplies the value tested."""
    maps = [_Scores.of(parts, base) for base in bases if base is not None]
    tops = [np.zeros(count) for _ in range(2)]
    lows = [np.zeros(count) for _ in range(3)]
    step = max(1, _CHUNK // max(parts.g, parts.h))
    scale = parts.factor / parts.square**2
    for low in range(0, count, step):
        part = slice(low, min(count, low + step))
        v = make(part)
        scores = []
        for place, one in enumerate(maps):
            top, score = one.under(v)
            tops[place][part] = top / parts.square
            scores.append(score)
        lows[0][part] = scale * np.einsum("ij,ij->i", scores[0], scores[0])
        if len(scores) > 1:
            lows[1][part] = scale * np.einsum("ij,ij->i", scores[0], scores[1])
            lows[2][part] = scale * np.einsum("ij,ij->i", scores[1], scores[1])
    return _Draws(tops[0], tops[1], *lows)


@dataclass(frozen=True, slots=True)
class _Scores:
    """What maps weights (n_draws, h) to numerators (n_draws,) and clusters' scores (n_draws, g).

    Each cluster's score is its own part of the numerator, less what the draw's regression takes
    away: a matrix of rank k, so that a draw costs k products of clusters, not their square.
    """

    own: Floats  # (h,)
    share: Floats  # (g,), of x'x
    left: Floats  # (k − 1, g)
    right: Floats  # (k − 1, h)
    order: NDArray[np.int64]  # of the weights' groups, cluster by cluster
    first: NDArray[np.int64]  # where each cluster's groups begin in that order
    matrix: Floats | None  # (g, h), where a weight is shared across clusters

    @classmethod
    def of(cls, parts: _Parts, residual: Floats) -> _Scores:
        g, h = parts.g, parts.h
        product = parts.x * residual
        home = np.zeros(h, dtype=np.int64)
        home[parts.shared] = parts.cluster
        matrix = None
        if (home[parts.shared] != parts.cluster).any():
            matrix = _sums(parts.cluster * h + parts.shared, product, g * h).reshape(g, h)
        order = np.argsort(home, kind="stable")
        others = parts.others.T
        return cls(
            _sums(parts.shared, product, h),
            _sums(parts.cluster, parts.x**2, g) / parts.square,
            np.array([_sums(parts.cluster, parts.x * one, g) for one in others]).reshape(-1, g),
            np.array([_sums(parts.shared, residual * one, h) for one in others]).reshape(-1, h),
            order,
            np.searchsorted(home[order], np.arange(g)),
            matrix,
        )

    def under(self, v: Floats) -> tuple[Floats, Floats]:
        """Give numerators and scores of a slice of the draws."""
        product = v * self.own
        top = product.sum(axis=1)
        if self.matrix is None:
            score = np.add.reduceat(product[:, self.order], self.first, axis=1)
        else:
            score = v @ self.matrix.T
        score -= np.outer(top, self.share)
        score -= (v @ self.right.T) @ self.left
        return top, score


class _Maker:
    """Weights for a slice of the draws, shape (n_of_slice, n_shared)."""

    def __init__(self, kind: str, n: int, seed: int, is_all: bool) -> None:
        self.kind, self.n, self.is_all = kind, n, is_all
        self.rng = np.random.default_rng(seed)

    def __call__(self, part: slice) -> Floats:
        size = (part.stop - part.start, self.n)
        if self.is_all:
            codes = np.arange(part.start, part.stop)[:, None]
            return np.asarray(1.0 - 2.0 * ((codes >> np.arange(self.n)) & 1))
        if self.kind == "rademacher":
            return np.asarray(self.rng.integers(0, 2, size) * 2.0 - 1.0)
        if self.kind == "webb":
            points = np.sqrt(np.array([0.5, 1.0, 1.5]))
            return np.asarray(np.concatenate([-points, points])[self.rng.integers(0, 6, size)])
        if self.kind == "normal":
            return np.asarray(self.rng.standard_normal(size), dtype=np.float64)
        root = np.sqrt(5.0)
        is_low = self.rng.random(size) < (root + 1) / (2 * root)
        return np.asarray(np.where(is_low, (1 - root) / 2, (1 + root) / 2), dtype=np.float64)


def _weights(kind: str, n: int, draws: int, seed: int) -> tuple[int, bool, _Maker]:
    is_all = kind == "rademacher" and n < 31 and 2**n <= draws
    return (2**n if is_all else draws), is_all, _Maker(kind, n, seed, is_all)


def _share(t_size: float, sizes: Floats, ties: str, counts_itself: bool) -> float:
    slack = TIE * max(t_size, 1e-300)
    larger = int((sizes > t_size + slack).sum())
    tied = int((sizes >= t_size - slack).sum()) - larger
    if ties == "strict":
        return larger / len(sizes)
    if ties == "half":
        return (larger + tied / 2) / len(sizes)
    if counts_itself:
        return (larger + tied) / len(sizes)
    return (1 + larger + tied) / (1 + len(sizes))


def _invert(
    parts: _Parts, found: _Draws, p_of: Callable[[float, Floats], float], alpha: float
) -> tuple[float, float]:
    """Find the outermost values on either side that are not rejected; infinite if there is no end."""

    def p_at(steps: float) -> float:
        return p_of(abs(steps), found.size(parts.estimate - steps * parts.se))

    return (
        parts.estimate - outermost(p_at, alpha) * parts.se,
        parts.estimate + outermost(lambda steps: p_at(-steps), alpha) * parts.se,
    )
