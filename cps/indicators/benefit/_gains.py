"""Draws of an initiative's yearly gain, host by host, from effects by year or by event time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.indicators.benefit.record import Gain, HostGain

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Gains:
    """Yearly gains by host and year since its start, 元; a row each draw.

    Parameters
    ----------
    proportional : tuple of ndarray, each of shape (n_draws, n_years of the host)
        If every host gained the same percentage.
    equal : tuple of ndarray or None
        If every host gained the same amount; None where that is the same thing.
    """

    proportional: tuple[Floats, ...]
    equal: tuple[Floats, ...] | None = None

    def by_host(self, sharing: Floats) -> tuple[Floats, ...]:
        """Give the gains between the two: at ``sharing`` 0 the equal ones, at 1 the others."""
        if self.equal is None:
            return self.proportional
        share = sharing[:, None]
        return tuple(
            even + share * (scaled - even)
            for scaled, even in zip(self.proportional, self.equal, strict=True)
        )


def shared_correlation(
    errors: Sequence[float], weights: Sequence[float], error_of_mean: float
) -> float:
    """Give the one correlation between all effects at which their weighted mean has its error.

    Effects by event time share units and noise; where a method gives only their own errors and the
    error of the overall effect, this is what the two together say. Cut off at 0 and 1.

    Parameters
    ----------
    errors, weights : sequence of float, length n_times
        Weights add up to 1.

    Examples
    --------
    >>> shared_correlation((1.0, 1.0), (0.5, 0.5), 0.75**0.5)
    0.5
    """
    parts = np.asarray(errors, dtype=float) * np.asarray(weights, dtype=float)
    alone, together = float((parts**2).sum()), float(parts.sum()) ** 2
    if together - alone <= 1e-12 * together:
        return 1.0
    return float(np.clip(round((error_of_mean**2 - alone) / (together - alone), 12), 0.0, 1.0))


def draw_gains(gain: Gain | HostGain, n_draws: int, rng: np.random.Generator) -> Gains:
    """Draw the gain from the normal sampling distribution of its effects."""
    if isinstance(gain, Gain):
        mean = np.array(gain.by_year_yuan)
        values, vectors = np.linalg.eigh(_covariance(gain))
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        drawn = rng.standard_normal((n_draws, mean.size))
        return Gains((mean + _times(drawn, root.T),))
    shared = rng.standard_normal((n_draws, 1))
    own = rng.standard_normal((n_draws, len(gain.effects)))
    rho = gain.correlation
    noise = np.sqrt(rho) * shared + np.sqrt(1 - rho) * own
    return _of_effects(gain, np.array(gain.effects) + np.array(gain.errors) * noise)


def gains_at(gain: Gain | HostGain, z: float) -> Gains:
    """Give the gain whose mean effect lies ``z`` standard errors from its estimate: one row.

    The effects of single years move as far as they go with their mean.
    """
    if isinstance(gain, Gain):
        covariance = _covariance(gain)
        size = float(np.sqrt(max(covariance.mean(), 0.0)))
        slope = covariance.mean(axis=1) / size if size > 0 else np.zeros(len(covariance))
        return Gains(((np.array(gain.by_year_yuan) + z * slope)[None, :],))
    errors, weights = np.array(gain.errors), np.array(gain.weights)
    shared = errors * float((errors * weights).sum())
    with_mean = gain.correlation * shared + (1 - gain.correlation) * errors**2 * weights
    size = float(np.sqrt(max(float((with_mean * weights).sum()), 0.0)))
    slope = with_mean / size if size > 0 else np.zeros(len(errors))
    return _of_effects(gain, (np.array(gain.effects) + z * slope)[None, :])


def mean_gain(by_host: Sequence[Floats]) -> Floats:
    """Give the yearly gain of all hosts together, each host's mean over its own years."""
    total = np.zeros(len(by_host[0]))
    for one in by_host:
        total = total + one.mean(axis=1)
    return total


def years_of(gain: HostGain) -> tuple[int, ...]:
    """Give for each host how many whole years since its start were observed without a gap."""
    found = []
    for row in gain.income_yuan:
        is_seen = [one is not None for one in row[: len(gain.effects)]]
        seen = is_seen.index(False) if False in is_seen else len(is_seen)
        found.append(seen // gain.periods_per_year)
    return tuple(found)


def _covariance(gain: Gain) -> Floats:
    n = len(gain.by_year_yuan)
    return np.array(gain.covariance, dtype=float).reshape(n, n)


def _times(rows: Floats, matrix: Floats) -> Floats:
    # Not a matrix product: those may add up in another order with other threads.
    total = np.zeros((len(rows), matrix.shape[1]))
    for k in range(len(matrix)):
        total += rows[:, k, None] * matrix[k]
    return total


def _of_effects(gain: HostGain, effects: Floats) -> Gains:
    """Translate drawn effects, shape (n_draws, n_times), into gains of whole years."""
    years, per_year = years_of(gain), gain.periods_per_year
    scaled = [np.zeros((len(effects), n)) for n in years]
    even = [np.zeros((len(effects), n)) for n in years]
    for time in range(max(years) * per_year):
        seen = [i for i, n in enumerate(years) if time < n * per_year]
        tau = effects[:, time]
        if not gain.is_log:
            for i in seen:
                scaled[i][:, time // per_year] += tau
            continue
        income = np.array([gain.income_yuan[i][time] for i in seen], dtype=float)
        share = -np.expm1(-tau)
        amount = equal_amount(tau, income) if len(seen) > 1 else share * income[0]
        for i, own in zip(seen, income, strict=True):
            scaled[i][:, time // per_year] += share * own
            even[i][:, time // per_year] += amount
    is_same = not gain.is_log or len(years) == 1
    return Gains(tuple(scaled), None if is_same else tuple(even))


def equal_amount(effects: Floats, income: Floats) -> Floats:
    r"""Give the amount g that, gained by each host alike, has the mean log effect.

    It solves :math:`\frac1n \sum_i -\log(1 - g / y_i) = \tau` for observed incomes y.

    Parameters
    ----------
    effects : ndarray, shape (n_draws,), log points
    income : ndarray, shape (n_hosts,), 元, positive

    Examples
    --------
    >>> income = np.array([110.0, 210.0])  # of 100 and 200, had each not gained 10
    >>> float(equal_amount(np.log(income / [100, 200]).mean(keepdims=True), income)[0].round(9))
    10.0
    """
    least, n = float(income.min()), income.size
    harmonic = n / float((1 / income).sum())
    # The left side is convex and rises: from a start at or right of the root Newton stays there.
    start = -harmonic * np.expm1(-effects)
    found = np.where(
        effects > 0, np.minimum(start, -least * np.expm1(-n * np.maximum(effects, 0))), start
    )
    found = np.minimum(found, least * (1 - 1e-12))
    for _ in range(60):
        value, slope = np.zeros_like(found), np.zeros_like(found)
        for own in income:
            value -= np.log1p(-found / own)
            slope += 1 / (own - found)
        step = (value / n - effects) / (slope / n)
        found = np.minimum(found - step, least * (1 - 1e-12))
        if float(np.abs(step).max()) <= 1e-11 * least:
            break
    return found
