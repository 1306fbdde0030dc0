"""Effects by event time when another inference takes over: placebo errors, or none."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.estimators._ranks import accept_half_width, counted_p
from cps.estimators.inference._assign import Assignments
from cps.estimators.inference._statistic import fit_under
from cps.estimators.registry import Refit
from cps.result import Effect, Estimate, EventTimeEffect, GroupTimeEffect, PeriodEffect

Covariance = tuple[tuple[float, ...], ...]


_WithEstimate = TypeVar("_WithEstimate", EventTimeEffect, PeriodEffect, GroupTimeEffect)


def bare(effect: Effect, overall: Estimate) -> Effect:
    """Put a new headline in, and drop every error that the inference replaced had given.

    An aggregation that is the headline itself takes the new one over.
    """
    return dataclasses.replace(
        effect,
        overall=overall,
        by_event_time=without_errors(effect.by_event_time),
        by_cohort=without_errors(effect.by_cohort),
        by_calendar=without_errors(effect.by_calendar),
        group_time=without_errors(effect.group_time),
        aggregations={
            name: overall if one.att == effect.overall.att else Estimate(one.att)
            for name, one in effect.aggregations.items()
        },
        event_covariance=(),
        placebos=(),
    )


def without_errors(effects: tuple[_WithEstimate, ...]) -> tuple[_WithEstimate, ...]:
    """Keep the effects and drop their errors."""
    return tuple(dataclasses.replace(one, estimate=Estimate(one.estimate.att)) for one in effects)


def placebo_events(
    design: Design, effect: Effect, refit: Refit, placebos: Assignments, level: float
) -> tuple[tuple[EventTimeEffect, ...], Covariance]:
    """Rank each event time's effect among its placebos; the band holds for all at once.

    Returns
    -------
    effects : tuple of EventTimeEffect
        With the placebos' root mean square as standard error, p-values and intervals by rank, and
        a band by the rank of the largest of |effect| / error over event times.
    covariance : tuple of tuples of float
        Second moments of the placebos; empty if they do not cover all event times.
    """
    place = {one.event_time: i for i, one in enumerate(effect.by_event_time)}
    table = np.full((len(placebos.starts), len(place)), np.nan)
    for row, starts in zip(table, placebos.starts, strict=True):
        found = fit_under(design, refit, design.y, starts, placebos.units)
        for one in () if found is None else found.by_event_time:
            if one.event_time in place and one.estimate.att is not None:
                row[place[one.event_time]] = one.estimate.att
    table = table[np.isfinite(table).all(axis=1)]
    if len(table) < 2:
        return without_errors(effect.by_event_time), ()
    spread = np.sqrt((table**2).mean(axis=0))
    size = max(float(np.nanstd(design.y)), 1e-300)
    varies = spread > 1e-9 * size
    if not varies.any():
        return without_errors(effect.by_event_time), ()
    largest = np.abs(table[:, varies] / spread[varies]).max(axis=1)
    critical = accept_half_width(largest, level)
    effects = tuple(
        _ranked(one, table[:, i], float(spread[i]), level, critical)
        if varies[i]
        else dataclasses.replace(one, estimate=Estimate(one.estimate.att))
        for i, one in enumerate(effect.by_event_time)
    )
    moments = table.T @ table / len(table)
    moments = np.where(varies[:, None] & varies[None, :], moments, 0.0)
    return effects, tuple(tuple(float(one) for one in row) for row in moments)


def _ranked(
    one: EventTimeEffect,
    placebos: NDArray[np.float64],
    spread: float,
    level: float,
    critical: float,
) -> EventTimeEffect:
    att = one.estimate.att
    if att is None:
        return one
    half, band = accept_half_width(placebos, level), critical * spread
    low, high = (att - half, att + half) if np.isfinite(half) else (None, None)
    below, above = (att - band, att + band) if np.isfinite(band) else (None, None)
    ranked = Estimate(att, spread, low, high, counted_p(att, placebos), below, above)
    return dataclasses.replace(one, estimate=ranked)
