"""Fit ATT(g, t), its averages, their covariances and bands, by the shorter of two ways."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from cps.estimators._group_aggregate import Averages, Window, average, each_cell
from cps.estimators._group_cells import Cells, Cohorts, Floats, Ints, plan_cells, sort_cohorts
from cps.estimators._group_clusters import ClusterErrors
from cps.estimators._group_draws import critical_value, largest_of
from cps.estimators._group_moments import (
    CohortErrors,
    Moments,
    cell_effects,
    cohort_moments,
    control_totals,
)
from cps.estimators._group_rows import (
    Panel,
    RowErrors,
    StreamErrors,
    fit_cells,
    is_constant,
    membership,
)

# An error of zero means that there is none to speak of: R did's threshold, made free of units.
_NO_ERROR = 10 * np.sqrt(np.finfo(float).eps)
_MOST_RESTRICTIONS = 400
_MOST_HELD = 1 << 25  # numbers of influence functions: 256 MB

Errors = CohortErrors | RowErrors | StreamErrors


Failed = tuple[int, int, str]  # cohort, period, reason


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of a design: the method's options, as values."""

    control: str
    base: str
    method: str
    window: Window
    anticipation: int
    n_draws: int


@dataclass(frozen=True, slots=True)
class Family:
    """Estimates of one kind with their errors (NaN where there is none) and critical value."""

    labels: Ints
    att: Floats
    se: Floats
    critical: float | None


@dataclass(frozen=True, slots=True)
class Pretest:
    """Wald test that all differences before the start are zero."""

    statistic: float
    degrees_of_freedom: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Everything estimated; ``cells`` are those that could be."""

    cohorts: Cohorts
    total: Floats
    cells: Cells
    group_time: Family
    by_event: Family
    by_cohort: Family
    by_calendar: Family
    overall: dict[str, tuple[float, float]]
    event_covariance: Floats
    counterfactual: Floats
    observed: Floats
    failed: list[Failed]
    pretests: list[tuple[str, Pretest]]


def sorted_starts(cohort: tuple[int | None, ...]) -> Cohorts:
    """Sort a design's units by cohort."""
    infinity = np.inf
    start = np.fromiter(
        (infinity if one is None else one for one in cohort), np.float64, len(cohort)
    )
    return sort_cohorts(start)


def has_shortcut(panel: Panel) -> bool:
    """Tell whether counts, means and Gram matrices by cohort say everything."""
    return panel.is_complete and panel.covariates is None and is_constant(panel.weights)


def fit_effects(
    panel: Panel, cohorts: Cohorts, periods: Ints, ask: Ask, *, seed: int, level: float
) -> Fit | list[Failed]:
    """Fit everything; where no period after a start can be estimated, only say what failed.

    Parameters
    ----------
    periods : ndarray of int, shape (n_periods,)
    """
    weight = panel.unit_weights() if panel.weights is not None else None
    short = has_shortcut(panel)
    planned = plan_cells(cohorts.starts, periods, ask.anticipation, ask.control, ask.base)
    moments = (
        cohort_moments(panel.y, cohorts, weight, with_second=panel.cluster is None)
        if short
        else None
    )
    total = _totals(cohorts, weight) if moments is None else moments.total
    if not total[-1] > 0:
        # Nobody is never treated: the last cohort serves as comparison alone, as in R did.
        planned = planned.keep(planned.cohort < len(cohorts.starts) - 1)
    cells = planned.keep(planned.is_base | (control_totals(planned, total) > 0))
    errors: Errors
    if moments is not None:
        att, _, _ = cell_effects(cells, moments)
        failed: dict[int, str] = {}
        scale = moments.scale
    else:
        is_small = panel.n_rows * len(cells.time) <= _MOST_HELD
        fitted = fit_cells(panel, cohorts, cells, ask.method, with_influence=is_small)
        att, failed = fitted.att, fitted.failed
        scale = float(np.sqrt(np.nanmean(panel.y**2)))
    is_fine = np.isfinite(att)
    cells, lost, att = cells.keep(is_fine), cells.keep(~is_fine), att[is_fine]
    if not (cohorts.starts[cells.cohort] <= periods[cells.time]).any():
        return _failures(cohorts, periods, lost, failed)
    if moments is not None and panel.cluster is not None:
        errors = ClusterErrors(
            cells, moments, y=panel.y, cohorts=cohorts, weights=weight, cluster=panel.cluster
        )
    elif moments is not None:
        errors = CohortErrors(cells, moments)
    else:
        by_cohort = membership(cohorts, panel.unit_weights(), panel.cluster)
        if fitted.influence is None:
            errors = StreamErrors(panel, cohorts, cells, ask.method, by_cohort)
        else:
            kept = fitted.influence if is_fine.all() else fitted.influence[:, is_fine]
            errors = RowErrors(kept, by_cohort)
    averages = average(
        cells, att, total[:-1], starts=cohorts.starts, periods=periods, window=ask.window
    )
    smallest = _NO_ERROR * min(1.0, scale)
    rng = np.random.default_rng(seed)
    families, overall, event_covariance = _averaged(
        averages, errors, smallest=smallest, n_draws=ask.n_draws, level=level, rng=rng
    )
    cell_errors = _errors(errors.variances(), smallest)
    critical = None
    if ask.n_draws and np.isfinite(cell_errors).any():
        drawn = errors.largest(cell_errors, ask.n_draws, rng)
        critical = critical_value(drawn, level, _pointwise(level)) if len(drawn) else None
    observed, counterfactual = _paths(
        panel, cohorts, periods, ask, moments=moments, total=total, known=(cells, att)
    )
    return Fit(
        cohorts=cohorts,
        total=total,
        cells=cells,
        group_time=Family(np.arange(len(att)), att, cell_errors, critical),
        by_event=families[0],
        by_cohort=families[1],
        by_calendar=families[2],
        overall=overall,
        event_covariance=event_covariance,
        counterfactual=counterfactual,
        observed=observed,
        failed=_failures(cohorts, periods, lost, failed),
        pretests=_pretests(
            cells,
            att,
            cell_errors,
            errors,
            cohorts=cohorts,
            periods=periods,
            anticipation=ask.anticipation,
            n_rows=panel.n_rows,
        ),
    )


def _failures(cohorts: Cohorts, periods: Ints, lost: Cells, failed: dict[int, str]) -> list[Failed]:
    reasons = [reason for _, reason in sorted(failed.items())]
    return [
        (int(cohorts.starts[g]), int(periods[t]), reason)
        for g, t, reason in zip(lost.cohort, lost.time, reasons, strict=True)
    ]


def _totals(cohorts: Cohorts, weight: Floats | None) -> Floats:
    if weight is None:
        return cohorts.sizes.astype(float)
    found = np.bincount(cohorts.codes(), weight, len(cohorts.bounds) - 1)
    return np.asarray(found, dtype=np.float64)


def _errors(variances: Floats, smallest: float) -> Floats:
    errors = np.sqrt(np.maximum(variances, 0.0))
    return np.where(errors > smallest, errors, np.nan)


def _pointwise(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)


def _averaged(
    averages: Averages,
    errors: Errors,
    *,
    smallest: float,
    n_draws: int,
    level: float,
    rng: np.random.Generator,
) -> tuple[list[Family], dict[str, tuple[float, float]], Floats]:
    sums = averages.all()
    covariances = errors.covariances(sums)
    overall = _overall(averages, covariances, smallest)
    families = []
    for place, one in enumerate(sums[:3]):
        error = _errors(np.diagonal(covariances[place]), smallest)
        has = np.isfinite(error)
        covariances[place] = covariances[place] * (has[:, None] & has[None, :])
        critical = None
        if n_draws and has.any():
            drawn = largest_of(covariances[place], n_draws, rng)
            critical = critical_value(drawn, level, _pointwise(level))
        families.append(Family(one.labels, one.att, error, critical))
    return families, overall, covariances[0]


def _overall(
    averages: Averages, covariances: list[Floats], smallest: float
) -> dict[str, tuple[float, float]]:
    """Give the four overall effects and their errors; one without event times is absent."""
    of_event, _, of_calendar, of_simple, of_group = covariances
    after = averages.by_event.labels >= 0
    parts = {
        "simple": (averages.simple.att, of_simple),
        "dynamic": (averages.by_event.att[after], of_event[np.ix_(after, after)]),
        "group": (averages.group.att, of_group),
        "calendar": (averages.by_calendar.att, of_calendar),
    }
    return {
        name: (float(att.mean()), float(_errors(np.array([covariance.mean()]), smallest)[0]))
        for name, (att, covariance) in parts.items()
        if len(att)
    }


def _paths(
    panel: Panel,
    cohorts: Cohorts,
    periods: Ints,
    ask: Ask,
    *,
    moments: Moments | None,
    total: Floats,
    known: tuple[Cells, Floats],
) -> tuple[Floats, Floats]:
    """Give the treated units' mean, and what it would have been: less the long difference.

    NaN in periods in which not every cohort has a comparison.
    """
    treated = cohorts.order[: cohorts.bounds[-2]]
    observed = _treated_mean(panel, treated)
    long = plan_cells(cohorts.starts, periods, ask.anticipation, ask.control, "universal")
    long = long.keep(long.is_base | (control_totals(long, total) > 0))
    if moments is not None:
        att, _, _ = cell_effects(long, moments)
    else:
        # Only what is not known from the fit: with a universal base that is nothing.
        number = {key: place for place, key in enumerate(zip(*known[0].keys(), strict=True))}
        found = [number.get(key, -1) for key in zip(*long.keys(), strict=True)]
        att = np.where(np.array(found) >= 0, known[1][found], np.nan)
        rest = np.flatnonzero(np.array(found) < 0)
        mask = np.isin(np.arange(len(att)), rest)
        att[rest] = fit_cells(panel, cohorts, long.keep(mask), ask.method, with_influence=False).att
    size = np.where(np.isfinite(att), total[long.cohort], 0.0)
    reached = np.bincount(long.time, np.isfinite(att), len(periods)) == len(cohorts.starts)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.bincount(long.time, size * np.nan_to_num(att), len(periods)) / np.bincount(
            long.time, size, len(periods)
        )
    return observed, np.where(reached, observed - gap, np.nan)


def _treated_mean(panel: Panel, rows: Ints) -> Floats:
    n_periods = panel.y.shape[1]
    sums, sizes = np.zeros(n_periods), np.zeros(n_periods)
    step = max((1 << 19) // n_periods, 1)
    for first in range(0, len(rows), step):
        some = rows[first : first + step]
        block = panel.y[some]
        weight = np.ones(block.shape) if panel.weights is None else panel.weights[some]
        if not panel.is_complete:
            weight = np.where(np.isnan(block), 0.0, weight)
            block = np.nan_to_num(block)
        sums += (block * weight).sum(axis=0)
        sizes += weight.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums / sizes)


def _pretests(
    cells: Cells,
    att: Floats,
    cell_errors: Floats,
    errors: Errors,
    *,
    cohorts: Cohorts,
    periods: Ints,
    anticipation: int,
    n_rows: int,
) -> list[tuple[str, Pretest]]:
    start, period = cohorts.starts[cells.cohort], periods[cells.time]
    before = np.flatnonzero((period < start) & np.isfinite(cell_errors))
    if isinstance(errors, StreamErrors):
        return []
    if not 0 < len(before) <= min(_MOST_RESTRICTIONS, n_rows - 1):
        return []
    chosen = np.isin(np.arange(len(att)), before)
    (covariance,) = errors.covariances([each_cell(chosen, att, len(cohorts.starts))])
    found = [("before_start", _wald(att[before], covariance))]
    if anticipation:
        early = (period + anticipation < start)[before]
        found.append(
            ("before_anticipation", _wald(att[before][early], covariance[np.ix_(early, early)]))
        )
    return [(name, one) for name, one in found if one is not None]


def _wald(att: Floats, covariance: Floats) -> Pretest | None:
    if not len(att):
        return None
    size = np.sqrt(np.diagonal(covariance))
    alike = covariance / size[:, None] / size[None, :]
    if np.linalg.cond(alike, 1) > 1e13:
        return None
    scaled = att / size
    statistic = float(scaled @ np.linalg.solve(alike, scaled))
    return Pretest(statistic, len(att), _chi_square_tail(statistic, len(att)))


def _chi_square_tail(value: float, degrees: int) -> float:
    """Give the probability of a larger value; a sum of positive terms, for whole degrees."""
    half = value / 2
    tail = math.erfc(math.sqrt(half)) if degrees % 2 else math.exp(-half)
    for one in range(1 if degrees % 2 else 2, degrees, 2):
        tail += math.exp(one / 2 * math.log(half) - half - math.lgamma(one / 2 + 1)) if half else 0
    return min(tail, 1.0)
