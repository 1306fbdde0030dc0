"""Draws that several scheme generators share: persistent noise, events in periods, aggregation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cps.demo.schemes._record import Outcome
from cps.design.record import Form
from cps.periods import PERIODS_PER_YEAR, Frequency

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]
Moments = NDArray[np.datetime64]

TARGET, NEXT_DOOR = "示例街道", "示例邻镇"


def names(word: str, n: int, *, first: int = 1, digits: int = 3) -> list[str]:
    """Give neutral names: 示例网格001, 示例网格002 …"""
    return [f"{word}{number:0{digits}d}" for number in range(first, first + n)]


def persistent(
    rng: np.random.Generator, n_units: int, n_periods: int, *, persistence: float, spread: float
) -> Floats:
    """Draw stationary autoregressive noise, shape (n_units, n_periods), of standard deviation ``spread``."""
    steps = rng.normal(0, spread, (n_units, n_periods))
    noise = np.empty_like(steps)
    noise[:, 0] = steps[:, 0]
    innovation = np.sqrt(1 - persistence**2)
    for t in range(1, n_periods):
        noise[:, t] = persistence * noise[:, t - 1] + innovation * steps[:, t]
    return noise


def after(
    starts: Sequence[int | None], periods: Whole, *, ramp: Sequence[float] = (1.0,)
) -> Floats:
    """Give the share of the full effect by unit and period, shape (n_units, n_periods).

    ``ramp`` holds it for the first periods after the start; the last value stays.
    """
    shares = np.zeros((len(starts), len(periods)))
    steps = np.array(ramp)
    for row, start in enumerate(starts):
        if start is not None:
            event = periods - start
            shares[row] = np.where(event < 0, 0.0, steps[np.clip(event, 0, len(steps) - 1)])
    return shares


def lift_of(effect: Floats, is_treated: Flags) -> Floats:
    """Give what treated units gain on average by period: the growth that the spurious mode gives all."""
    return np.asarray(effect[is_treated].mean(axis=0))


def events(counts: NDArray[Any]) -> tuple[Whole, Whole]:
    """Give unit and period index of each event, from counts of shape (n_units, n_periods)."""
    unit, period = np.indices(counts.shape)
    flat = counts.ravel()
    return np.repeat(unit.ravel(), flat), np.repeat(period.ravel(), flat)


def days(rng: np.random.Generator, period: Whole, frequency: Frequency) -> Moments:
    """Draw a day within each period (ordinals)."""
    per_year = PERIODS_PER_YEAR[frequency]
    months = 12 // per_year
    first = (period // per_year - 1970) * 12 + (period % per_year) * months
    start = first.astype("datetime64[M]").astype("datetime64[D]")
    end = (first + months).astype("datetime64[M]").astype("datetime64[D]")
    length = (end - start).astype(np.int64)
    return np.asarray(start + np.floor(rng.random(len(period)) * length).astype(np.int64))


def start_days(
    rng: np.random.Generator, starts: Sequence[int | None], frequency: Frequency
) -> list[Any]:
    """Draw a day within each unit's first treated period; None for never."""
    found = days(rng, np.array([one or 0 for one in starts]), frequency).tolist()
    return [None if one is None else on for one, on in zip(starts, found, strict=True)]


def known_starts(units: Sequence[str], starts: Sequence[int | None]) -> dict[str, int]:
    """Give the first treated period of the units that have one."""
    return {name: int(one) for name, one in zip(units, starts, strict=True) if one is not None}


def moments(rng: np.random.Generator, day: Moments, *, opens: int = 8, closes: int = 17) -> Moments:
    """Draw a minute of office hours on each day."""
    minutes = rng.integers(opens * 60, closes * 60, len(day))
    return np.asarray(day.astype("datetime64[m]") + minutes)


def later(moment: Moments, minutes: Floats) -> Moments:
    """Give moments so many minutes later, at least one."""
    return np.asarray(moment + np.maximum(np.rint(minutes), 1).astype(np.int64))


def minutes_between(early: Moments, late: Moments) -> Floats:
    """Give whole minutes between moments, as a reader of the ledger would find them."""
    return (late - early).astype("timedelta64[m]").astype(float)


def outcome_of(
    name: str,
    measure: str,
    *,
    form: Form,
    frequency: Frequency,
    unit: Sequence[str],
    period: Whole,
    observed: Floats,
    untreated: Floats,
    over: Floats | None = None,
    over_untreated: Floats | None = None,
    keep: Flags | None = None,
    keep_untreated: Flags | None = None,
    times: float = 1.0,
) -> Outcome:
    """Average events by unit and period, with the scheme and without it.

    A mean, or ``times`` the ratio of sums where ``over`` is given; ``keep`` takes part of the events,
    ``keep_untreated`` those that would have been recorded without the scheme (by default the same).
    """
    plain = keep if keep_untreated is None else keep_untreated
    return Outcome(
        name,
        measure,
        form,
        frequency,
        by_period(unit, period, observed, over=over, keep=keep, times=times),
        by_period(
            unit,
            period,
            untreated,
            over=over if over_untreated is None else over_untreated,
            keep=plain,
            times=times,
        ),
    )


def by_period(
    unit: Sequence[str],
    period: Whole,
    value: Floats,
    *,
    over: Floats | None = None,
    keep: Flags | None = None,
    times: float = 1.0,
) -> pl.DataFrame:
    """Average events by unit and period: the mean, or the ratio of sums where ``over`` is given."""
    frame = pl.DataFrame(
        {
            "unit": unit,
            "period": period,
            "value": value.astype(float),
            "over": np.ones(len(value)) if over is None else over.astype(float),
        }
    )
    if keep is not None:
        frame = frame.filter(pl.Series(keep))
    ratio = times * pl.col("value").sum() / pl.col("over").sum()
    return frame.group_by("unit", "period").agg(ratio.alias("value")).sort("unit", "period")


def before_after(
    unit: Sequence[str],
    period: Whole,
    value: Floats,
    starts: Mapping[str, int],
    *,
    over: Floats | None = None,
    within: int = 10_000,
) -> float:
    """Give the relative change of treated units' pooled figure, as a report without comparison does.

    Parameters
    ----------
    over : ndarray, shape (n_events,), or None
        Denominator of the figure; number of events if None.
    within : int
        Periods before the start that count as before.
    """
    first = np.array([starts.get(one, 0) for one in unit])
    is_treated = first > 0
    is_after = is_treated & (period >= first)
    is_before = is_treated & (period < first) & (period >= first - within)
    weight = np.ones(len(value)) if over is None else over.astype(float)
    late, early = (
        float(value[one].sum()) / float(weight[one].sum()) for one in (is_after, is_before)
    )
    return late / early - 1


def dates(values: Moments) -> list[Any]:
    """Give days or moments as Python's own; missing ones as None."""
    return values.tolist()


def place_of(is_inside: Sequence[bool] | Flags) -> list[str]:
    """Give the area of units: the target's where inside, the neighbour's elsewhere."""
    return [TARGET if one else NEXT_DOOR for one in is_inside]
