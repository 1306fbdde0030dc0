"""Quadratic programs over the simplex by a primal active set, many at a time.

Every problem holds the few columns that carry weight in slots; a round minimises over their affine
hull, drops those that would turn negative, and lets in the one whose gradient is steepest. Problems
take their rounds side by side, so that a hundred cost little more than the slowest of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

_RELATIVE = 1e-11  # of a problem's scale: below it a gradient is rounding
_JITTER = 1e-13  # keeps equal columns from making a system singular


class Gram:
    """Products of columns, shape (n or 1, k, k)."""

    def __init__(self, gram: Floats) -> None:
        self.gram = gram
        self.diagonal = np.ascontiguousarray(np.diagonal(gram, axis1=1, axis2=2))

    def times(self, x: Floats) -> Floats:
        """Multiply (n, k) to (n, k)."""
        return x @ self.gram[0] if len(self.gram) == 1 else (x[:, None] @ self.gram)[:, 0]

    def block(self, order: NDArray[np.int64]) -> Floats:
        """Give the products of the columns in ``order``: (n, m) to (n, m, m)."""
        k = self.gram.shape[-1]
        pairs = order[:, :, None] * k + order[:, None, :]
        own = 0 if len(self.gram) == 1 else np.arange(len(order))[:, None, None]
        return np.asarray(self.gram.reshape(len(self.gram), -1)[own, pairs])

    def keep(self, left: Booleans) -> Gram:
        """Keep some problems."""
        return self if len(self.gram) == 1 else Gram(self.gram[left])


class Shared:
    """Products of columns that all problems share, formed only where they are asked for."""

    def __init__(self, columns: Floats) -> None:
        self.columns = columns

    @property
    def diagonal(self) -> Floats:
        return np.asarray((self.columns**2).sum(axis=0)[None])

    def times(self, x: Floats) -> Floats:
        """Multiply (n, k) to (n, k)."""
        return np.asarray((x @ self.columns.T) @ self.columns)

    def block(self, order: NDArray[np.int64]) -> Floats:
        """Give the products of the columns in ``order``: (n, m) to (n, m, m)."""
        own = self.columns.T[order]
        return np.asarray(own @ np.swapaxes(own, 1, 2))

    def keep(self, left: Booleans) -> Shared:
        """Keep some problems."""
        return self


class Distances:
    """Products of weighted deviations of shared points from each problem's target."""

    def __init__(self, points: Floats, wanted: Floats, v: Floats) -> None:
        self.points, self.wanted, self.v = points, wanted, v
        self.far = (v * wanted**2).sum(axis=1, keepdims=True)

    @property
    def diagonal(self) -> Floats:
        cross = (self.v * self.wanted) @ self.points.T
        return np.maximum(self.v @ (self.points**2).T - 2 * cross + self.far, 0.0)

    def times(self, x: Floats) -> Floats:
        """Multiply (n, k) to (n, k); rows of ``x`` sum to one."""
        rest = self.v * (x @ self.points - self.wanted)
        return np.asarray(rest @ self.points.T - (rest * self.wanted).sum(axis=1, keepdims=True))

    def block(self, order: NDArray[np.int64]) -> Floats:
        """Give the products of the points in ``order``: (n, m) to (n, m, m)."""
        gap = self.points[order] - self.wanted[:, None]
        return np.asarray((gap * self.v[:, None]) @ np.swapaxes(gap, 1, 2))

    def keep(self, left: Booleans) -> Distances:
        """Keep some problems."""
        return Distances(self.points, self.wanted[left], self.v[left])


def active_set(
    products: Gram | Shared | Distances, linear: Floats, allowed: Booleans, start: Floats | None
) -> Floats:
    """Minimise ``x'Gx − 2c'x`` over the simplex: ``linear`` and ``allowed`` of shape (n, k).

    ``start`` holds minimisers of similar problems whose columns are independent, or is None.
    """
    n, k = linear.shape
    diagonal = products.diagonal
    # Gradients that are small beside this are rounding.
    size = np.abs(diagonal).max(axis=1) + np.abs(linear).max(axis=1)
    size = np.asarray(np.broadcast_to(np.where(size > 0, size, 1.0), (n,)))
    barrier = np.where(allowed, 0.0, np.inf)
    if start is None:
        first = (diagonal - 2 * linear + barrier).argmin(axis=1)[:, None]
        held = _Held(first, np.ones((n, 1)), np.ones((n, 1), dtype=bool))
    else:
        held = _Held.of(start)
    result, place, done = np.zeros((n, k)), np.arange(n), np.zeros(n, dtype=bool)
    for _ in range(20 * (k + 5)):
        wanted, multiplier = _on_support(products, linear, held, size)
        held, inside = held.towards(wanted, k)
        rows = np.arange(len(inside))
        gradient = np.full((len(rows), k + 1), np.inf)
        gradient[:, :k] = products.times(held.spread(k)) - linear + barrier
        gradient[rows[:, None], held.order] = np.inf
        entering = gradient.argmin(axis=1)
        enters = inside & (multiplier - gradient[rows, entering] > _RELATIVE * size)
        done = done | (inside & ~enters)
        held = held.let_in(rows[enters & ~done], entering, k)
        # Those that are done stay where they are until there are enough of them to leave out.
        if done.sum() * 4 >= len(done):
            result[place[done]] = held.spread(k)[done]
            left = ~done
            place, done = place[left], done[left]
            if not len(place):
                break
            held, products = held.keep(left), products.keep(left)
            linear, barrier, size = linear[left], barrier[left], size[left]
    if len(place):
        result[place] = held.spread(k)
    result = np.maximum(result, 0.0)
    return np.asarray(result / result.sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True)
class _Held:
    """Columns that carry weight, (n, slots); an empty slot names column k and has weight 0."""

    order: NDArray[np.int64]
    x: Floats
    used: Booleans

    @classmethod
    def of(cls, weights: Floats) -> _Held:
        """Hold the columns of (n, k) weights."""
        k, used = weights.shape[1], weights > 0
        held = cls(np.where(used, np.arange(k), k), np.where(used, weights, 0.0), used)
        return held.keep(np.ones(len(weights), dtype=bool))

    def spread(self, k: int) -> Floats:
        """Put weights in their columns' places: (n, k)."""
        full = np.zeros((len(self.x), k + 1))
        full[np.arange(len(self.x))[:, None], self.order] = self.x
        return full[:, :k]

    def towards(self, wanted: Floats, k: int) -> tuple[_Held, Booleans]:
        """Move to ``wanted``, or up to the edge and drop what vanishes there; which got there?"""
        negative = self.used & (wanted < 0)
        outside = np.asarray(negative.any(axis=1))
        if not outside.any():
            return _Held(self.order, wanted, self.used), np.logical_not(outside)
        step = _step_to_edge(self.x, wanted, negative)
        moved = self.x + step[:, None] * (wanted - self.x)
        blocked = negative & (moved <= 1e-15)
        x = np.where(outside[:, None], np.where(blocked, 0.0, moved), wanted)
        used = self.used & ~blocked
        return _Held(np.where(used, self.order, k), x, used), np.logical_not(outside)

    def let_in(self, rows: NDArray[np.int64], entering: NDArray[np.int64], k: int) -> _Held:
        """Give a slot to the column that enters each of some problems."""
        order, x, used = self.order.copy(), self.x, self.used.copy()
        if used[rows].all(axis=1).any():
            more = np.zeros((len(x), 1))
            order, x = np.hstack([order, np.full(more.shape, k)]), np.hstack([x, more])
            used = np.hstack([used, more > 0])
        slot = used[rows].argmin(axis=1)
        order[rows, slot], used[rows, slot] = entering[rows], True
        return _Held(order, x, used)

    def keep(self, left: Booleans) -> _Held:
        """Keep some problems, with no more slots than they need."""
        order, x, used = self.order[left], self.x[left], self.used[left]
        most = int(used.sum(axis=1).max())
        if most < used.shape[1]:
            kept = np.argsort(~used, axis=1, kind="stable")[:, :most]
            rows = np.arange(len(x))[:, None]
            order, x, used = order[rows, kept], x[rows, kept], used[rows, kept]
        return _Held(order, x, used)


def _on_support(
    products: Gram | Shared | Distances, linear: Floats, held: _Held, size: Floats
) -> tuple[Floats, Floats]:
    """Minimise over the affine hull of each problem's support: weights and multiplier."""
    order, used = held.order, held.used
    n, most = order.shape
    named = np.minimum(order, linear.shape[1] - 1)
    unit = size[:, None]
    system = np.zeros((n, most + 1, most + 1))
    system[:, :most, :most] = products.block(named)
    if not used.all():
        system[:, :most, :most] *= used[:, :, None] & used[:, None, :]
    # Padding rows hold 1 on the diagonal and nothing else, so that their weight is 0.
    corner = np.arange(most)
    system[:, corner, corner] += np.where(used, _JITTER, 1.0) * unit
    system[:, :most, most] = system[:, most, :most] = used * unit
    right = np.empty((n, most + 1))
    right[:, :most] = linear[np.arange(n)[:, None], named] * used
    right[:, most] = size
    solution = np.linalg.solve(system, right[:, :, None])[:, :, 0]
    return solution[:, :most] * used, -solution[:, most] * size


def _step_to_edge(now: Floats, wanted: Floats, negative: Booleans) -> Floats:
    fall = np.where(negative, now - wanted, 1.0)
    ratio = np.where(negative, now / np.where(fall > 0, fall, 1.0), np.inf)
    return np.asarray(np.clip(ratio.min(axis=1), 0.0, 1.0))
