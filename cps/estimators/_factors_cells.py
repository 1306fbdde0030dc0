"""From a panel of gaps, treated units by periods, to averages by event time, cohort and period."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.estimators._scale import normal_estimate, path_points
from cps.result import Estimate, EventTimeEffect, GroupTimeEffect, PathPoint, PeriodEffect

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_AT_ONCE = 512  # redrawn panels


@dataclass(frozen=True, slots=True)
class Panel:
    """A design as the factor methods need it; arrays run over units, then periods.

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods)
    covariates : ndarray, shape (n_covariates, n_units, n_periods), or None
    seen : ndarray of bool
        Cells to fit on: observed, and untreated with no effect anticipated.
    starts : ndarray, shape (n_units,)
        Infinity for comparison units.
    rows : ndarray of int
        Units of the design that are here: treated units and donors.
    observed : ndarray of bool
        Cells with an outcome, treated ones too.
    """

    y: Floats
    covariates: Floats | None
    seen: Bools
    starts: Floats
    rows: NDArray[np.int64]
    observed: Bools

    @property
    def is_treated(self) -> Bools:
        """Units with a start, shape (n_units,)."""
        return np.isfinite(self.starts)


def panel_of(design: Design, starts: Floats | None = None) -> Panel:
    """Take treated units and donors out of a design, with other starts if ``starts`` gives them."""
    given = design.starts
    first = given if starts is None else starts
    rows = np.flatnonzero(np.isfinite(first) | (design.is_donor if starts is None else True))
    periods = np.asarray(design.periods)
    untreated = periods[None, :] < (first - design.anticipation)[:, None]
    seen = untreated & np.isfinite(design.y)
    return Panel(
        y=np.where(np.isfinite(design.y), design.y, 0.0)[rows],
        covariates=None if design.covariates is None else design.covariates[:, rows],
        seen=seen[rows],
        starts=first[rows],
        rows=rows,
        observed=np.isfinite(design.y)[rows],
    )


@dataclass(frozen=True, slots=True)
class Averages:
    """Which cells each average runs over, with equal weight for each cell.

    Parameters
    ----------
    keys : tuple of tuples
        ``("overall",)``, ``("event", e)``, ``("cohort", g)``, ``("calendar", t)``,
        ``("group_time", g, t)``.
    weights : ndarray, shape (n_averages, n_treated × n_periods)
    n_units : tuple of int
        Treated units with a cell in it.
    """

    keys: tuple[tuple[int | str, ...], ...]
    weights: Floats
    n_units: tuple[int, ...]

    def of(self, gaps: Floats) -> Floats:
        """Average gaps, shape (..., n_treated, n_periods): shape (..., n_averages)."""
        flat = np.nan_to_num(gaps).reshape(*gaps.shape[:-2], -1)
        return np.asarray(flat @ self.weights.T)


def averages_of(starts: Floats, periods: tuple[int, ...], is_observed: Bools) -> Averages:
    """List the averages that treated units with these starts and cells have.

    Parameters
    ----------
    starts : ndarray, shape (n_treated,)
    is_observed : ndarray of bool, shape (n_treated, n_periods)
    """
    calendar = np.asarray(periods)[None, :]
    event = calendar - starts[:, None]
    after = (event >= 0) & is_observed
    cells: dict[tuple[int | str, ...], Bools] = {("overall",): after}
    cells |= {("event", int(e)): (event == e) & is_observed for e in np.unique(event[is_observed])}
    for g in np.unique(starts):
        mine = starts[:, None] == g
        cells["cohort", int(g)] = mine & after
        cells |= {
            ("group_time", int(g), int(t)): mine & is_observed & (calendar == t) for t in periods
        }
    cells |= {("calendar", int(t)): after & (calendar == t) for t in periods}
    kept = {key: one for key, one in cells.items() if one.any()}
    return Averages(
        tuple(kept),
        np.array([(one / one.sum()).ravel() for one in kept.values()]),
        tuple(int(one.any(axis=1).sum()) for one in kept.values()),
    )


@dataclass(frozen=True, slots=True)
class Views:
    """An effect's parts as :class:`cps.result.Effect` has them."""

    overall: Estimate
    by_event_time: tuple[EventTimeEffect, ...]
    by_cohort: tuple[PeriodEffect, ...]
    by_calendar: tuple[PeriodEffect, ...]
    group_time: tuple[GroupTimeEffect, ...]
    event_covariance: tuple[tuple[float, ...], ...]


def views(averages: Averages, found: Floats, covariance: Floats | None, level: float) -> Views:
    """Sort averages into an effect's parts, with normal intervals where there is a covariance."""
    errors = [None] * len(found) if covariance is None else np.sqrt(np.diag(covariance)).tolist()
    estimates = [
        normal_estimate(float(att), se, level) for att, se in zip(found, errors, strict=True)
    ]
    rows = list(zip(averages.keys, estimates, averages.n_units, strict=True))
    event = [place for place, key in enumerate(averages.keys) if key[0] == "event"]
    return Views(
        estimates[0],
        tuple(EventTimeEffect(int(key[1]), one, n) for key, one, n in rows if key[0] == "event"),
        tuple(PeriodEffect(int(key[1]), one, n) for key, one, n in rows if key[0] == "cohort"),
        tuple(PeriodEffect(int(key[1]), one, n) for key, one, n in rows if key[0] == "calendar"),
        tuple(
            GroupTimeEffect(int(key[1]), int(key[2]), one)
            for key, one, _ in rows
            if key[0] == "group_time"
        ),
        ()
        if covariance is None
        else tuple(tuple(float(v) for v in row) for row in covariance[np.ix_(event, event)]),
    )


def counterfactual_path(design: Design, gaps: Floats) -> tuple[PathPoint, ...]:
    """Pair the treated units' mean with their counterfactual; ``gaps`` is NaN where unobserved."""
    treated = np.array([one is not None for one in design.cohort])
    n = np.isfinite(gaps).sum(axis=0)
    gap = np.divide(np.nansum(gaps, axis=0), n, out=np.full(len(n), np.nan), where=n > 0)
    y = design.y[treated]
    seen = np.isfinite(y).sum(axis=0)
    mean = np.divide(np.nansum(y, axis=0), seen, out=np.full(len(n), np.nan), where=seen > 0)
    return path_points(design, mean - gap)


# panels of one shape -> gaps of the treated units of each, shape (n_treated, n_periods)
Gaps = Callable[[Sequence[Panel]], Sequence[Floats]]
Redraw = tuple[Floats, Floats, Bools]


def block_bootstrap(panel: Panel, gaps_of: Gaps, *, n_draws: int, seed: int) -> list[Redraw]:
    """Draw units with replacement, treated and comparison units apart, and estimate anew.

    Returns
    -------
    list of (gaps, starts, is_observed)
        Of the treated units drawn.
    """
    rng = np.random.default_rng(seed)
    treated, others = np.flatnonzero(panel.is_treated), np.flatnonzero(~panel.is_treated)
    drawn = (
        np.concatenate([rng.choice(treated, len(treated)), rng.choice(others, len(others))])
        for _ in range(n_draws)
    )
    return _again((_rows_of(panel, rows) for rows in drawn), gaps_of)


def placebo_gaps(panel: Panel, gaps_of: Gaps, *, n_draws: int, seed: int) -> Floats:
    """Let comparison units stand in for the treated ones, who are left out, and estimate anew.

    Every comparison unit takes its turn if there is one treated unit and draws enough.

    Returns
    -------
    ndarray, shape (n, n_treated, n_periods)
        NaN where the stand-in was not observed.
    """
    treated, others = np.flatnonzero(panel.is_treated), np.flatnonzero(~panel.is_treated)
    rng = np.random.default_rng(seed)
    if len(treated) == 1 and len(others) <= n_draws:
        chosen = others[:, None]
    else:
        chosen = np.array([rng.permutation(others)[: len(treated)] for _ in range(n_draws)])
    masks, n = panel.seen[treated], len(treated)
    starts = np.full(len(others), np.inf)
    starts[:n] = panel.starts[treated]

    def stand_ins() -> Iterator[Panel]:
        for one in chosen:
            is_left = ~panel.is_treated
            is_left[one] = False
            drawn = _rows_of(panel, np.concatenate([one, np.flatnonzero(is_left)]))
            drawn.seen[:n] &= masks
            yield replace(drawn, starts=starts)

    gaps = [one for some in _batches(stand_ins()) for one in gaps_of(some)]
    return np.where(panel.observed[chosen], np.array(gaps), np.nan)


def jackknife(panel: Panel, gaps_of: Gaps) -> list[Redraw]:
    """Leave out one unit at a time and estimate anew; as :func:`block_bootstrap`."""
    every = np.arange(len(panel.y))
    return _again((_rows_of(panel, np.delete(every, one)) for one in every), gaps_of)


def _rows_of(panel: Panel, rows: NDArray[np.int64]) -> Panel:
    return Panel(
        panel.y[rows],
        None if panel.covariates is None else panel.covariates[:, rows],
        panel.seen[rows],
        panel.starts[rows],
        panel.rows[rows],
        panel.observed[rows],
    )


def _again(drawn: Iterator[Panel], gaps_of: Gaps) -> list[Redraw]:
    found: list[Redraw] = []
    for some in _batches(drawn):
        for one, gaps in zip(some, gaps_of(some), strict=True):
            observed = one.observed[one.is_treated]
            found.append((np.where(observed, gaps, np.nan), one.starts[one.is_treated], observed))
    return found


def _batches(drawn: Iterator[Panel]) -> Iterator[list[Panel]]:
    """A hundred thousand panels need not lie in memory together."""
    return iter(lambda: list(islice(drawn, _AT_ONCE)), [])


def covariance_of_redraws(
    redraws: list[Redraw],
    averages: Averages,
    periods: tuple[int, ...],
    *,
    is_jackknife: bool,
) -> Floats:
    """Give the covariance of the averages over redrawn panels.

    An average that a redraw does not have (a cohort that was not drawn) is left out of that
    redraw; a pair is measured where both are there.
    """
    table = np.full((len(redraws), len(averages.keys)), np.nan)
    place = {key: column for column, key in enumerate(averages.keys)}
    for row, (gaps, starts, is_observed) in enumerate(redraws):
        mine = averages_of(starts, periods, is_observed)
        for key, value in zip(mine.keys, mine.of(gaps), strict=True):
            if key in place:
                table[row, place[key]] = value
    is_there = np.isfinite(table)
    n = is_there.sum(axis=0)
    mean = np.where(is_there, table, 0).sum(axis=0) / np.maximum(n, 1)
    deviation = np.where(is_there, table - mean, 0)
    shared = np.maximum(is_there.T.astype(float) @ is_there, 2)
    squares = deviation.T @ deviation
    return np.asarray(squares * (shared - 1) / shared if is_jackknife else squares / (shared - 1))
