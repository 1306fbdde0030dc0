"""Many panels of one shape completed side by side, each ending where it would alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._factors import ROUGH, ROUGH_STEPS, STEPS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Whole = NDArray[np.int64]
_STEPS = 5_000  # of shrinking
_ROUGH_STEPS = 200
_CELLS = 2**15  # of the panels in one go: what a processor's cache holds


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Completed panels.

    Parameters
    ----------
    fitted : ndarray, shape (n_panels, n_units, n_periods)
    rank : ndarray of int, shape (n_panels,)
        Singular values that are left.
    """

    fitted: Floats
    rank: Whole


def additive_fits(y: Floats, mask: Bools, *, effects: str, tolerance: float) -> Floats:
    """Fit additive effects over the cells of ``mask``, and give them for every cell.

    Parameters
    ----------
    y : ndarray, shape (n_panels, n_units, n_periods)
    mask : ndarray of bool, shape as y
    effects : {"two_way", "unit", "time", "none"}
    tolerance : float
        Relative change of a panel's fit at which its iteration ends.
    """
    found = np.empty_like(y)
    for part in _parts(y.shape):
        lines = _Lines.of(y[part], mask[part], effects)
        found[part] = lines.back(_additive_fits(lines, tolerance))
    return found


def shrink(
    y: Floats, mask: Bools, penalty: Floats, start: Floats, *, effects: str, tolerance: float
) -> Shrunk:
    """Fill, take out effects, shrink singular values, and again, until nothing moves.

    With momentum that a panel drops when it overshoots.

    Parameters
    ----------
    y, start : ndarray, shape (n_panels, n_units, n_periods)
    mask : ndarray of bool, shape as y
    penalty : ndarray, shape (n_panels,)
        What is taken off each singular value.
    """
    fitted, rank = np.empty_like(y), np.zeros(len(y), dtype=np.int64)
    for part in _parts(y.shape):
        lines = _Lines.of(y[part], mask[part], effects)
        found, rank[part] = _shrink(lines, penalty[part], lines.turned(start[part]), tolerance)
        fitted[part] = lines.back(found)
    return Shrunk(fitted, rank)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Panels with their longer side last, which is where arithmetic is quick.

    Parameters
    ----------
    y, gaps : ndarray, shape (n_panels, n_lines, length)
        Outcomes, 0 where there is none; 1 where there is none.
    is_turned : bool
        True where lines are periods.
    has_lines, has_places : bool
        Whether lines, and places along them, have effects.
    """

    y: Floats
    gaps: Floats
    is_turned: bool
    has_lines: bool
    has_places: bool

    @classmethod
    def of(cls, y: Floats, mask: Bools, effects: str) -> _Lines:
        is_turned = y.shape[2] < y.shape[1]
        of_units, of_periods = effects in ("two_way", "unit"), effects in ("two_way", "time")
        y, gaps = np.where(mask, y, 0.0), (~mask).astype(float)
        if is_turned:
            y, gaps = _transposed(y), _transposed(gaps)
            of_units, of_periods = of_periods, of_units
        return cls(y, gaps, is_turned, of_units, of_periods)

    def turned(self, values: Floats) -> Floats:
        return _transposed(values) if self.is_turned else values

    back = turned

    def only(self, kept: Bools) -> _Lines:
        return _Lines(
            self.y[kept], self.gaps[kept], self.is_turned, self.has_lines, self.has_places
        )


def _transposed(values: Floats) -> Floats:
    return np.ascontiguousarray(values.transpose(0, 2, 1))


def _parts(shape: tuple[int, ...]) -> Iterator[slice]:
    size = max(1, _CELLS // max(shape[1] * shape[2], 1))
    return (slice(low, low + size) for low in range(0, shape[0], size))


def _additive_fits(lines: _Lines, tolerance: float) -> Floats:
    n_panels, n_lines, length = lines.y.shape
    seen = np.maximum(n_lines * length - lines.gaps.sum(axis=(1, 2)), 1)
    mean = lines.y.sum(axis=(1, 2)) / seen
    effects = np.zeros((n_panels, n_lines + length))
    effects[:, :n_lines] = mean[:, None]
    sums = _Sums(lines.y.sum(axis=2), lines.y.sum(axis=1))
    # A rough fit first: mixing starts anew from it.
    for one in (1e-6, tolerance):
        effects = _settle(lines, sums, effects, one)
    effects = _refilled(lines, sums, effects)
    return effects[:, :n_lines, None] + effects[:, None, n_lines:]


@dataclass(frozen=True, slots=True)
class _Sums:
    lines: Floats  # shape (n_panels, n_lines)
    places: Floats  # shape (n_panels, length)


def _refilled(lines: _Lines, sums: _Sums, effects: Floats) -> Floats:
    """Fill gaps with effects and take effects anew, without writing the panels down.

    Effects of lines, which hold the level, come first; those of places add up to zero.
    """
    _, n_lines, length = lines.y.shape
    of_lines, of_places = effects[:, :n_lines], effects[:, n_lines:]
    along = np.matmul(lines.gaps, of_places[:, :, None])[:, :, 0]
    line = (sums.lines + along + lines.gaps.sum(axis=2) * of_lines) / length
    level = line.mean(axis=1, keepdims=True)
    new = np.zeros_like(effects)
    new[:, :n_lines] = line if lines.has_lines else level
    if lines.has_places:
        across = np.matmul(of_lines[:, None, :], lines.gaps)[:, 0]
        new[:, n_lines:] = (
            sums.places + across + lines.gaps.sum(axis=1) * of_places
        ) / n_lines - level
    return new


def _settle(lines: _Lines, sums: _Sums, start: Floats, tolerance: float) -> Floats:
    """Fill and take effects until nothing moves, with Anderson's mixing of two where it helps."""
    found = np.array(start)
    n_lines, length = lines.y.shape[1:]
    # Effects of lines and of places are orthogonal as parts of a panel.
    weight = np.repeat([float(length), float(n_lines)], [n_lines, length])
    open_, state = np.arange(len(found)), found
    before_value, before_move, before_size = found, found, np.full(len(found), np.nan)
    for _ in range(STEPS if tolerance < ROUGH else ROUGH_STEPS):
        value = _refilled(lines, sums, state)
        move = value - state
        size = np.sqrt(move**2 @ weight)
        found[open_] = value
        goes_on = size > tolerance * np.sqrt(value**2 @ weight)
        if not goes_on.all():
            open_, lines = open_[goes_on], lines.only(goes_on)
            if not len(open_):
                break
            sums = _Sums(sums.lines[goes_on], sums.places[goes_on])
            value, move, size = value[goes_on], move[goes_on], size[goes_on]
            before_value, before_move = before_value[goes_on], before_move[goes_on]
            before_size = before_size[goes_on]
        turn = move - before_move
        square = turn**2 @ weight
        share = np.divide(
            (move * turn) @ weight, square, out=np.zeros(len(open_)), where=square > 0
        )
        # Far extrapolation leaves the region where the map is nearly linear.
        share[~(size < before_size) | (np.abs(share) >= 20)] = 0.0
        state = value - share[:, None] * (value - before_value)
        before_value, before_move, before_size = value, move, size
    return found


def _shrink(
    lines: _Lines, penalty: Floats, start: Floats, tolerance: float
) -> tuple[Floats, Whole]:
    found, rank = np.array(start), np.zeros(len(start), dtype=np.int64)
    open_ = np.arange(len(start))
    fit, ahead, speed = found, found, np.ones(len(start))
    for _ in range(_STEPS if tolerance < ROUGH else _ROUGH_STEPS):
        values = ahead * lines.gaps
        values += lines.y
        new, left = _shrunk(lines, values, penalty)
        move = new - fit
        found[open_], rank[open_] = new, left
        goes_on = _norm(move) > tolerance * _norm(new)
        if not goes_on.all():
            open_, lines = open_[goes_on], lines.only(goes_on)
            if not len(open_):
                break
            new, move, ahead = new[goes_on], move[goes_on], ahead[goes_on]
            penalty, speed = penalty[goes_on], speed[goes_on]
        speed = np.where(_inner(ahead - new, move) > 0, 1.0, speed)
        faster = (1 + np.sqrt(1 + 4 * speed**2)) / 2
        move *= ((speed - 1) / faster)[:, None, None]
        ahead = new + move
        fit, speed = new, faster
    return found, rank


def _shrunk(lines: _Lines, values: Floats, penalty: Floats) -> tuple[Floats, Whole]:
    _, n_lines, length = values.shape
    means = np.add.reduce(values, axis=2, keepdims=True) / length
    level = np.add.reduce(means, axis=1, keepdims=True) / n_lines
    rest = values - (means if lines.has_lines else level)
    if lines.has_places:
        rest -= np.add.reduce(values, axis=1, keepdims=True) / n_lines - level
    squares, vectors = np.linalg.eigh(rest @ rest.transpose(0, 2, 1))
    sizes = np.sqrt(np.maximum(squares, 0))
    left = np.maximum(sizes - penalty[:, None], 0.0)
    shares = left / np.where(left > 0, sizes, 1.0)
    new = (vectors * shares[:, None, :]) @ vectors.transpose(0, 2, 1) @ rest
    new += values
    new -= rest
    return new, np.count_nonzero(left, axis=1)


def _norm(values: Floats) -> Floats:
    return np.sqrt(_inner(values, values))


def _inner(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.einsum("bij,bij->b", one, other))
