"""Yearly flows from an effect and assumptions: for one set of values or for many draws at once."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from cps.indicators.benefit.finance import internal_rates
from cps.indicators.benefit.record import Assumptions, Capital, Gain, Spread

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Draws of everything uncertain, shape (n_draws,); the gain also by year, (n_draws, n_seen)."""

    gain_by_year: Floats
    persistence: Floats
    margin: Floats
    overrun: Floats
    displacement: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """Yearly 元, shape (n_draws, horizon + 1): net surplus, and outlays as positive amounts."""

    surplus: Floats
    public: Floats
    private: Floats

    @property
    def net(self) -> Floats:
        return self.surplus - self.public - self.private


def draw_inputs(gain: Gain, assume: Assumptions, n_draws: int, rng: np.random.Generator) -> Inputs:
    """Draw the gain from its normal sampling distribution and each assumption from its spread."""
    mean = np.array(gain.by_year_yuan)
    values, vectors = np.linalg.eigh(np.array(gain.covariance, dtype=float).reshape(2 * mean.shape))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return Inputs(
        mean + rng.standard_normal((n_draws, mean.size)) @ root.T,
        _triangular(assume.persistence, n_draws, rng),
        _triangular(assume.margin, n_draws, rng),
        _triangular(assume.overrun, n_draws, rng),
        _triangular(assume.displacement, n_draws, rng),
    )


def _triangular(spread: Spread, n: int, rng: np.random.Generator) -> Floats:
    if spread.low == spread.high:
        return np.full(n, spread.mode)
    return rng.triangular(spread.low, spread.mode, spread.high, n)


def quantile(spread: Spread, share: float) -> float:
    """Give a quantile of the triangular distribution."""
    low, mode, high = spread.low, spread.mode, spread.high
    if low == high:
        return mode
    if share <= (mode - low) / (high - low):
        return low + float(np.sqrt(share * (high - low) * (mode - low)))
    return high - float(np.sqrt((1 - share) * (high - low) * (high - mode)))


def moments(spread: Spread) -> tuple[float, float]:
    """Give mean and standard deviation of the triangular distribution."""
    low, mode, high = spread.low, spread.mode, spread.high
    square = low**2 + mode**2 + high**2 - low * mode - low * high - mode * high
    return (low + mode + high) / 3, float(np.sqrt(max(square, 0.0) / 18))


def product_moments(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Give mean and standard deviation of a product of independent quantities."""
    mean = one[0] * other[0]
    square = (one[0] * other[1]) ** 2 + (one[1] * other[0]) ** 2 + (one[1] * other[1]) ** 2
    return mean, float(np.sqrt(square))


def single(gain: Gain, assume: Assumptions, at: dict[str, float] | None = None) -> Inputs:
    """Give one set of inputs: medians, but for those named in ``at``.

    ``gain`` is set by its yearly mean; the years then move as far as they go with the mean.
    """
    chosen = at or {}
    mean = np.array(gain.by_year_yuan)
    if "gain" in chosen:
        covariance = np.array(gain.covariance, dtype=float).reshape(2 * mean.shape)
        with_mean = covariance.mean(axis=1)
        size = covariance.mean()
        slope = with_mean / size if size > 0 else np.ones(mean.size)
        mean = mean + slope * (chosen["gain"] - mean.mean())

    def value(name: str, spread: Spread) -> Floats:
        return np.array([chosen.get(name, quantile(spread, 0.5))])

    return Inputs(
        mean[None, :],
        value("persistence", assume.persistence),
        value("margin", assume.margin),
        value("overrun", assume.overrun),
        value("displacement", assume.displacement),
    )


def gain_quantile(gain: Gain, share: float) -> float:
    """Give a quantile of the mean yearly gain."""
    size = float(np.sqrt(max(np.array(gain.covariance, dtype=float).mean(), 0.0)))
    return float(np.mean(gain.by_year_yuan)) + size * NormalDist().inv_cdf(share)


def make_flows(inputs: Inputs, capital: Capital, assume: Assumptions) -> Flows:
    """Lay outlays and net surplus out over the horizon."""
    n, seen = inputs.gain_by_year.shape
    years = assume.horizon_years
    gross = np.zeros((n, years + 1))
    for year in range(1, years + 1):
        if year <= seen:
            gross[:, year] = inputs.gain_by_year[:, year - 1]
        else:
            gross[:, year] = inputs.gain_by_year[:, -1] * inputs.persistence ** (year - seen)
    surplus = gross * (inputs.margin * (1 - inputs.displacement))[:, None]
    public, private = (
        inputs.overrun[:, None] * outlays(capital, is_public=kind, n_years=years + 1)
        for kind in (True, False)
    )
    return Flows(surplus, public, private)


def outlays(capital: Capital, *, is_public: bool, n_years: int) -> Floats:
    """Give public or other outlays by year, shape (n_years,), 元, before any overrun."""
    total = np.zeros(n_years)
    for source, amounts in capital.by_source_yuan.items():
        if (source in capital.public_sources) == is_public:
            total[: len(amounts)] += amounts
    return total


def rates_of_draws(net: Floats) -> tuple[Floats, int, int]:
    """Give the internal rates of draws that have exactly one; count those with none and several."""
    signs = np.sign(net)
    changes = np.zeros(len(net), dtype=int)
    last = signs[:, 0].copy()
    for year in range(1, net.shape[1]):
        now = signs[:, year]
        changes += (now * last) < 0
        last = np.where(now == 0, last, now)
    one = changes == 1
    found = [_bisect(net[one])] if one.any() else []
    none, several = int((changes == 0).sum()), 0
    for row in net[changes > 1]:
        rates = internal_rates(row).rates
        if len(rates) == 1:
            found.append(np.array(rates))
        elif rates:
            several += 1
        else:
            none += 1
    return (np.concatenate(found) if found else np.zeros(0)), none, several


def _bisect(net: Floats) -> Floats:
    """Solve flows with one change of sign for log(1 + rate); they have exactly one rate."""
    years = np.arange(net.shape[1])
    low, high = np.full(len(net), -10.0), np.full(len(net), 10.0)
    # Positive for rates below the root where outlays come first, negative where they come last.
    last = np.array([row[np.flatnonzero(row)[-1]] for row in net])
    for _ in range(60):
        middle = (low + high) / 2
        # Scaled by the last year's factor, so that no power overflows.
        exponents = -middle[:, None] * years
        exponents -= exponents.max(axis=1, keepdims=True)
        above = (net * np.exp(exponents)).sum(axis=1) * np.sign(last) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(np.expm1((low + high) / 2))
