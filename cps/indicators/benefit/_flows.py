"""Yearly flows from an effect and assumptions: for one set of values or for many draws at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.indicators.benefit._gains import Gains, draw_gains, gains_at, mean_gain
from cps.indicators.benefit.record import Assumptions, Capital, Gain, HostGain, Spread

Floats = NDArray[np.float64]
# The assumptions that are drawn, in the order of drawing.
DRAWN: tuple[str, ...] = (
    "persistence",
    "margin",
    "overrun",
    "displacement",
    "residual",
    "running_yuan",
    "sharing",
)


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Draws of everything uncertain, shape (n_draws,); the gain by host and year."""

    gains: Gains
    persistence: Floats
    margin: Floats
    overrun: Floats
    displacement: Floats
    residual: Floats
    running_yuan: Floats
    sharing: Floats

    def extra(self) -> Floats:
        """Give the mean yearly gain of all hosts together, net of displacement, 元."""
        return mean_gain(self.gains.by_host(self.sharing)) * (1 - self.displacement)


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """Yearly 元, shape (n_draws, horizon + 1): net surplus, and outlays as positive amounts.

    ``outside`` is the part of ``private`` whose returns are the investors' own; what is left of it
    in the last year, ``outside_residual``, shape (n_draws,), is a part of ``surplus``.
    """

    surplus: Floats
    public: Floats
    private: Floats
    outside: Floats
    outside_residual: Floats

    @property
    def net(self) -> Floats:
        return self.surplus - self.public - self.private


def draw_inputs(
    gain: Gain | HostGain, assume: Assumptions, n_draws: int, rng: np.random.Generator
) -> Inputs:
    """Draw the gain from its sampling distribution and each assumption from its spread."""
    gains = draw_gains(gain, n_draws, rng)
    return Inputs(
        gains, **{name: _triangular(getattr(assume, name), n_draws, rng) for name in DRAWN}
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


def single(
    gain: Gain | HostGain, assume: Assumptions, at: dict[str, float] | None = None
) -> Inputs:
    """Give one set of inputs: medians, but for those named in ``at``.

    ``gain`` is set in standard errors of its mean effect from the estimate; the years then move as
    far as they go with the mean.
    """
    chosen = at or {}
    values = {
        name: np.array([chosen.get(name, quantile(getattr(assume, name), 0.5))]) for name in DRAWN
    }
    return Inputs(gains_at(gain, chosen.get("gain", 0.0)), **values)


def make_flows(inputs: Inputs, capital: Capital, assume: Assumptions) -> Flows:
    """Lay outlays and net surplus out over the horizon."""
    by_host = inputs.gains.by_host(inputs.sharing)
    years = assume.horizon_years
    gross = np.zeros((len(inputs.margin), years + 1))
    kept = np.cumprod(np.repeat(inputs.persistence[:, None], years, axis=1), axis=1)
    for one in by_host:
        seen = min(one.shape[1], years)
        gross[:, 1 : seen + 1] += one[:, :seen]
        gross[:, seen + 1 :] += one[:, seen - 1, None] * kept[:, : years - seen]
    surplus = gross * (inputs.margin * (1 - inputs.displacement))[:, None]
    surplus[:, 1:] -= inputs.running_yuan[:, None]
    public, private, outside = (
        inputs.overrun[:, None] * one for one in outlays(capital, n_years=years + 1)
    )
    surplus[:, -1] += inputs.residual * (public.sum(axis=1) + private.sum(axis=1))
    return Flows(surplus, public, private, outside, inputs.residual * outside.sum(axis=1))


def outlays(capital: Capital, *, n_years: int) -> tuple[Floats, Floats, Floats]:
    """Give public, private and outside outlays by year, shape (n_years,), before any overrun."""
    public, private, outside = np.zeros(n_years), np.zeros(n_years), np.zeros(n_years)
    for source, amounts in capital.by_source_yuan.items():
        total = public if source in capital.public_sources else private
        total[: len(amounts)] += amounts
        if source in capital.outside_sources:
            outside[: len(amounts)] += amounts
    return public, private, outside
