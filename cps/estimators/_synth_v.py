"""Weights of predictors for synthetic control: the outer problem of Abadie, Diamond & Hainmueller.

Given weights ``v`` of predictors, donors' weights minimise the weighted distance in predictors; the
``v`` wanted are those whose donors follow the outcome best. That loss has many local minima, so it
is searched from many starts at once, all of them by one batch of small quadratic programs a round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._nelder_mead import nelder_mead
from cps.estimators._simplex import simplex_nearest

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

_LOWEST = -7.0  # decimal logarithm of the smallest weight, the largest being 1
_POPULATION = 24  # besides the named starts
_GENERATIONS = 60
_SMALLEST_STEP = 1e-4
_CHUNK = 20_000  # floats held at a time


@dataclass(frozen=True, slots=True)
class Match:
    """Tasks with the same donors' data; the first axis of targets runs over tasks.

    Parameters
    ----------
    predictors : ndarray, shape (n_units, k)
        Each divided by its standard deviation over units.
    wanted : ndarray, shape (n, k)
    outcomes : ndarray, shape (n_units, n_periods)
        In the periods that the outer loss looks at.
    followed : ndarray, shape (n, n_periods)
    allowed : ndarray of bool, shape (n, n_units)
    """

    predictors: Floats
    wanted: Floats
    outcomes: Floats
    followed: Floats
    allowed: Booleans

    def donors(self, task: NDArray[np.int64], v: Floats, start: Floats | None = None) -> Floats:
        """Solve for donors' weights, shape (len(task), n_units), given ``v`` (len(task), k)."""
        size = max(1, _CHUNK // self.predictors.shape[0])
        if len(task) > size:
            cuts = [slice(i, i + size) for i in range(0, len(task), size)]
            return np.concatenate(
                [self.donors(task[i], v[i], None if start is None else start[i]) for i in cuts]
            )
        # What all units have in common moves no weight; without it the digits are better.
        middle = self.predictors.mean(axis=0)
        return simplex_nearest(
            self.predictors - middle,
            self.wanted[task] - middle,
            v,
            self.allowed[task],
            start=start,
        )

    def loss(self, task: NDArray[np.int64], weights: Floats) -> Floats:
        """Give the mean squared prediction error of the outcome, shape (len(task),)."""
        return np.asarray(((self.followed[task] - weights @ self.outcomes) ** 2).mean(axis=1))


def nested(match: Match) -> Floats:
    """Search for the ``v`` of least loss from many starts, shape (n, k); nothing is random."""
    n, k = match.wanted.shape
    rng = np.random.default_rng(0)
    named = np.concatenate([_regression(match), np.zeros((n, 1, k)), _single(n, k)], axis=1)
    drawn = rng.uniform(_LOWEST, 0, (_POPULATION, k))
    people = np.concatenate([named, np.broadcast_to(drawn, (n, _POPULATION, k))], axis=1)
    size = people.shape[1]
    task = np.repeat(np.arange(n), size)
    weights = match.donors(task, 10.0 ** people.reshape(-1, k))
    loss = match.loss(task, weights).reshape(n, size)
    for _ in range(_GENERATIONS):
        others = np.array([rng.permutation(size)[:3] for _ in range(size)])
        a, b, c = (people[:, others[:, i]] for i in range(3))
        best = np.take_along_axis(people, loss.argmin(axis=1)[:, None, None], axis=1)
        step = rng.uniform(0.4, 0.9, (1, size, 1))
        towards = rng.uniform(0, 1, (1, size, 1)) < 0.5
        moved = np.where(towards, people + step * (best - people), a) + step * (b - c)
        crossed = rng.uniform(0, 1, (1, size, k)) < 0.8
        tried = np.clip(np.where(crossed, moved, people), _LOWEST, 0)
        new_weights = match.donors(task, 10.0 ** tried.reshape(-1, k), weights)
        new = match.loss(task, new_weights).reshape(n, size)
        better = new < loss
        people = np.where(better[:, :, None], tried, people)
        loss = np.where(better, new, loss)
        weights = np.where(better.reshape(-1)[:, None], new_weights, weights)
    place = loss.argmin(axis=1)
    first = np.take_along_axis(people, place[:, None, None], axis=1)[:, 0]
    return 10.0 ** _polish(match, first, loss.min(axis=1))


def equal_start(match: Match) -> Floats:
    """Search by Nelder–Mead from equal weights, shape (n, k), as Python ``pysyncon`` does."""
    k = match.wanted.shape[1]

    def loss(task: NDArray[np.int64], x: Floats) -> Floats:
        v = np.abs(x) / np.abs(x).sum(axis=1, keepdims=True)
        return match.loss(task, match.donors(task, v))

    x = nelder_mead(loss, np.full((len(match.wanted), k), 1 / k))
    return np.asarray(np.abs(x) / np.abs(x).sum(axis=1, keepdims=True))


def _single(n: int, k: int) -> Floats:
    """Give starts in which one predictor counts ten thousand times as much as any other."""
    return np.broadcast_to(np.where(np.eye(k) > 0, 0.0, -4.0), (n, k, k))


def _regression(match: Match) -> Floats:
    """Start from how well predictors explain outcomes across units, as R ``Synth`` does."""
    x = match.predictors - match.predictors.mean(axis=0)
    beta = np.linalg.lstsq(x, match.outcomes - match.outcomes.mean(axis=0), rcond=None)[0]
    v = (beta**2).sum(axis=1)
    log = np.log10(np.maximum(v / max(v.max(), 1e-300), 10**_LOWEST))
    return np.broadcast_to(log, (len(match.wanted), 1, len(log)))


def _polish(match: Match, log: Floats, loss: Floats) -> Floats:
    """Move one predictor at a time, by ever smaller steps, while the loss falls."""
    n, k = log.shape
    step = np.full(n, 1.0)
    directions = np.concatenate([np.eye(k), -np.eye(k)])
    start = match.donors(np.arange(n), 10.0**log)
    for _ in range(200):
        busy = np.flatnonzero(step > _SMALLEST_STEP)
        if not len(busy):
            break
        tried = log[busy, None] + step[busy, None, None] * directions
        tried = np.clip(tried - np.maximum(tried.max(axis=2, keepdims=True), 0), _LOWEST, 0)
        task = np.repeat(busy, 2 * k)
        weights = match.donors(task, 10.0 ** tried.reshape(-1, k), start[task])
        new = match.loss(task, weights).reshape(len(busy), 2 * k)
        place, least = new.argmin(axis=1), new.min(axis=1)
        better = least < loss[busy] * (1 - 1e-12)
        log[busy[better]] = tried[better, place[better]]
        loss[busy[better]] = least[better]
        start[busy[better]] = weights.reshape(len(busy), 2 * k, -1)[better, place[better]]
        step[busy[~better]] /= 2
    return log
