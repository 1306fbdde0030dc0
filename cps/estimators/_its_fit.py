"""One segmented regression per start, averaged: coefficients, errors and what would have been."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._its import (
    Floats,
    Regression,
    automatic_lag,
    least_squares,
    log_linear,
    newey_west,
    robust_covariance,
    segments,
    with_group,
)
from cps.estimators._scale import normal_estimate
from cps.result import Estimate

Masks = Mapping[int, NDArray[np.bool_]]
Column = tuple[float | int | str | None, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is regressed on what; ``lag`` is None for the automatic one."""

    periods: NDArray[np.int64]
    anticipation: int
    has_slope: bool
    harmonics: int
    per_year: int
    controls: str  # mean, pooled or none
    lag: int | None

    def kept(self, start: int) -> NDArray[np.bool_]:
        """Tell which periods enter: those of anticipation do not."""
        return (self.periods < start - self.anticipation) | (self.periods >= start)

    def kept_periods(self, start: int) -> NDArray[np.int64]:
        """Give the periods that enter."""
        return np.asarray(self.periods[self.kept(start)])

    def columns(self, start: int) -> tuple[Floats, tuple[str, ...]]:
        """Give the single series' columns over the periods that enter."""
        columns, names = self.everywhere(start)
        return columns[self.kept(start)], names

    def everywhere(self, start: int) -> tuple[Floats, tuple[str, ...]]:
        """Give the single series' columns over all periods."""
        return segments(
            self.periods,
            start,
            has_slope=self.has_slope,
            harmonics=self.harmonics,
            per_year=self.per_year,
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """All regressions together: coefficients of the starts one after the other.

    ``variance`` is the joint covariance of ``coefficients``; ``freedom`` None takes normal
    quantiles.
    """

    plan: Plan
    starts: tuple[int, ...]
    sizes: tuple[int, ...]
    names: tuple[tuple[str, ...], ...]
    coefficients: Floats
    variance: Floats
    freedom: int | None
    lag: int | None
    dispersion: float
    observed: Floats  # (n_periods,)
    counterfactual: Floats  # (n_periods,)
    is_ratio: bool = False

    def overall_weights(self) -> Floats:
        """Give the weights of the coefficients in the average over treated unit-periods."""
        cells = [int((self.plan.periods >= start).sum()) for start in self.starts]
        shares = np.array(self.sizes) * np.array(cells, float)
        return self._weights(
            {
                start: share / shares.sum() * self._departure(start).mean(axis=0)
                for start, share in zip(self.starts, shares, strict=True)
            }
        )

    def event_times(self) -> list[tuple[int, Floats, int]]:
        """Give each event time from the start on, its weights, and how many units it is of."""
        found = []
        last = int(self.plan.periods[-1])
        seen = {int(p - start) for start in self.starts for p in self.plan.periods if p >= start}
        for event in sorted(seen):
            there = {
                start: size
                for start, size in zip(self.starts, self.sizes, strict=True)
                if start + event <= last and (self.plan.periods == start + event).any()
            }
            n = sum(there.values())
            found.append(
                (
                    event,
                    self._weights(
                        {
                            start: size / n * np.array([1.0, event])[: 1 + self.plan.has_slope]
                            for start, size in there.items()
                        }
                    ),
                    n,
                )
            )
        return found

    def covariance(self, weights: Floats) -> Floats:
        """Give the covariance of linear combinations, shape (m, n_coefficients)."""
        return np.asarray(weights @ self.variance @ weights.T)

    def estimate(self, weights: Floats, level: float) -> Estimate:
        """Give one linear combination with its interval and p-value."""
        value = float(weights @ self.coefficients)
        variance = float(weights @ self.variance @ weights)
        # An error that is rounding alone is no error.
        scale = 1e-12 * max(1.0, float(np.abs(self.coefficients).max())) ** 2
        se = math.sqrt(variance) if variance > scale else None
        if se is None or self.freedom is None:
            return normal_estimate(value, se, level)
        from scipy.stats import t

        half = float(t.ppf(0.5 + level / 2, self.freedom)) * se
        p_value = 2 * float(t.sf(abs(value) / se, self.freedom))
        return Estimate(value, se, value - half, value + half, p_value)

    def tables(self, level: float) -> dict[str, dict[str, Column]]:
        """Give the regressions term by term, and what goes with them."""
        estimates, cohorts, terms = [], [], []
        place = 0
        for start, names in zip(self.starts, self.names, strict=True):
            for name in names:
                weights = np.zeros(len(self.coefficients))
                weights[place] = 1.0
                estimates.append(self.estimate(weights, level))
                cohorts.append(start)
                terms.append(name)
                place += 1
        regression: dict[str, Column] = {
            "cohort": tuple(cohorts),
            "term": tuple(terms),
            "estimate": tuple(one.att for one in estimates),
            "se": tuple(one.se for one in estimates),
            "ci_low": tuple(one.ci_low for one in estimates),
            "ci_high": tuple(one.ci_high for one in estimates),
            "p_value": tuple(one.p_value for one in estimates),
        }
        if self.is_ratio:
            for name in ("estimate", "ci_low", "ci_high"):
                regression[f"ratio_{name}"] = tuple(
                    None if one is None else math.exp(float(one)) for one in regression[name]
                )
        return {
            "regression": regression,
            "fit": {
                "lag": (self.lag,),
                "dispersion": (self.dispersion,),
                "degrees_of_freedom": (self.freedom,),
            },
        }

    def _departure(self, start: int) -> Floats:
        after = self.plan.periods[self.plan.periods >= start] - start
        return np.column_stack([np.ones(len(after)), after])[:, : 1 + self.plan.has_slope]

    def _weights(self, own: Mapping[int, Floats]) -> Floats:
        """Spread each start's weights of (level_change, slope_change) over all coefficients."""
        parts = []
        for start, names in zip(self.starts, self.names, strict=True):
            part = np.zeros(len(names))
            if start in own:
                part[names.index("level_change")] = own[start][0]
                if self.plan.has_slope:
                    part[names.index("slope_change")] = own[start][1]
            parts.append(part)
        return np.concatenate(parts)


def mean_functionals(plan: Plan, start: int) -> Floats | None:
    """Give the weights of a series' periods in its average departure; None if not identified."""
    if not (plan.periods >= start).any():
        return None
    columns, names = plan.columns(start)
    if len(columns) <= columns.shape[1] or np.linalg.matrix_rank(columns) < columns.shape[1]:
        return None
    projection = np.linalg.pinv(columns)
    after = plan.periods[plan.periods >= start] - start
    inner = projection[names.index("level_change")].copy()
    if plan.has_slope:
        inner += after.mean() * projection[names.index("slope_change")]
    weights = np.zeros(len(plan.periods))
    weights[plan.kept(start)] = inner
    return weights


def fit_means(y: Floats, members: Masks, is_donor: NDArray[np.bool_], plan: Plan) -> Fit:
    """Regress each start's mean series, less the comparison mean where there is one.

    What the starts' series have in common in a period enters through the scores, added up over
    starts period by period before lags are taken (Driscoll & Kraay 1998,
    doi:10.1162/003465398557825). With one start this is Newey & West.
    """
    other = y[is_donor].mean(axis=0) if plan.controls == "mean" else np.zeros(y.shape[1])
    fits: list[Regression] = []
    names, parts, scores = [], [], []
    counterfactual = np.zeros(y.shape[1])
    n_treated = sum(int(mask.sum()) for mask in members.values())
    for start, mask in members.items():
        columns, terms = plan.columns(start)
        keep = plan.kept(start)
        treated = y[mask].mean(axis=0)
        one = least_squares(columns, (treated - other)[keep])
        fits.append(one)
        names.append(terms)
        parts.append(one.coefficients)
        influence = np.zeros((y.shape[1], len(terms)))
        n, k = one.scores.shape
        influence[keep] = math.sqrt(n / (n - k)) * one.scores @ one.bread
        scores.append(influence)
        everywhere, _ = plan.everywhere(start)
        counterfactual += (
            mask.sum() / n_treated * (_without(everywhere, terms) @ one.coefficients + other)
        )
    lag = automatic_lag(y.shape[1]) if plan.lag is None else plan.lag
    treated_rows = np.any(list(members.values()), axis=0)
    return Fit(
        plan,
        tuple(members),
        tuple(int(mask.sum()) for mask in members.values()),
        tuple(names),
        np.concatenate(parts),
        newey_west(np.hstack(scores), lag),
        min(one.degrees_of_freedom for one in fits),
        lag,
        float(np.mean([one.dispersion for one in fits])),
        y[treated_rows].mean(axis=0),
        counterfactual,
    )


def fit_pooled(y: Floats, members: Masks, is_donor: NDArray[np.bool_], plan: Plan) -> Fit:
    """Regress all units at once on the terms of two groups, lags within units (one start)."""
    ((start, mask),) = members.items()
    keep = plan.kept(start)
    columns, names, units = _stack(plan, start, [True] * int(mask.sum()), int(is_donor.sum()))
    rows = np.concatenate([y[mask][:, keep], y[is_donor][:, keep]])
    one = least_squares(columns, rows.ravel())
    lag = automatic_lag(y.shape[1]) if plan.lag is None else plan.lag
    everywhere, terms = with_group(*plan.everywhere(start), True)
    return Fit(
        plan,
        (start,),
        (int(mask.sum()),),
        (names,),
        one.coefficients,
        robust_covariance(one, units, lag),
        one.degrees_of_freedom,
        lag,
        one.dispersion,
        y[mask].mean(axis=0),
        _without(everywhere, terms) @ one.coefficients,
    )


def fit_counts(
    counts: Floats,
    denominator: Floats | None,
    members: Masks,
    is_donor: NDArray[np.bool_],
    plan: Plan,
    *,
    is_dispersed: bool,
) -> Fit:
    """Fit a Poisson regression to the counts of a group, or to those of units (one start).

    Groups are added up: with ``controls="none"`` one series, with ``mean`` two, with ``pooled``
    every unit is a series of its own. Paths are per unit, or per unit of the denominator.
    """
    ((start, mask),) = members.items()
    keep = plan.kept(start)
    exposure = np.ones_like(counts) if denominator is None else denominator
    groups = [counts[mask].sum(axis=0)], [exposure[mask].sum(axis=0)]
    if plan.controls == "pooled":
        groups = list(counts[mask]), list(exposure[mask])
    flags = [True] * len(groups[0])
    if plan.controls == "mean":
        groups[0].append(counts[is_donor].sum(axis=0))
        groups[1].append(exposure[is_donor].sum(axis=0))
    elif plan.controls == "pooled":
        groups[0].extend(counts[is_donor])
        groups[1].extend(exposure[is_donor])
    if plan.controls == "none":
        columns, names = plan.columns(start)
        units = np.zeros(len(columns), dtype=np.int64)
        everywhere, terms = plan.everywhere(start)
    else:
        columns, names, units = _stack(plan, start, flags, len(groups[0]) - len(flags))
        everywhere, terms = with_group(*plan.everywhere(start), True)
    one = log_linear(
        columns,
        np.concatenate([series[keep] for series in groups[0]]),
        np.log(np.concatenate([series[keep] for series in groups[1]])),
    )
    if plan.lag is None:
        variance = one.bread * (one.dispersion if is_dispersed else 1.0)
    else:
        variance = robust_covariance(one, units, plan.lag)
    per_unit = exposure[mask].sum(axis=0)
    return Fit(
        plan,
        (start,),
        (int(mask.sum()),),
        (names,),
        one.coefficients,
        variance,
        None,
        plan.lag,
        one.dispersion,
        counts[mask].sum(axis=0) / per_unit,
        np.exp(_without(everywhere, terms) @ one.coefficients),
        is_ratio=True,
    )


def _stack(
    plan: Plan, start: int, treated: list[bool], n_others: int
) -> tuple[Floats, tuple[str, ...], NDArray[np.int64]]:
    """Stack the columns of treated and comparison series; give which series a row is of."""
    columns, names = plan.columns(start)
    own, all_names = with_group(columns, names, True)
    other, _ = with_group(columns, names, False)
    blocks = [own] * len(treated) + [other] * n_others
    return (
        np.vstack(blocks),
        all_names,
        np.repeat(np.arange(len(blocks)), len(columns)),
    )


def _without(columns: Floats, names: tuple[str, ...]) -> Floats:
    """Set the columns of the effect to zero; a comparison's own changes stay."""
    stays = np.array([name not in ("level_change", "slope_change") for name in names])
    return np.asarray(columns * stays)
