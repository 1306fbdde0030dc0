"""From an estimate and its standard error to intervals, and from logarithms back to money."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Text
from cps.result import Effect, Estimate, PathPoint

_NORMAL = NormalDist()
_LEAST_LOG = -30.0


def normal_estimate(att: float, se: float | None, level: float) -> Estimate:
    """Give an estimate with the normal interval and two-sided p-value of its standard error."""
    if se is None or not np.isfinite(se) or se <= 0:
        return Estimate(float(att))
    half = _NORMAL.inv_cdf(0.5 + level / 2) * float(se)
    p_value = math.erfc(abs(att) / se / math.sqrt(2))
    return Estimate(float(att), float(se), float(att) - half, float(att) + half, p_value)


def with_band(estimate: Estimate, critical_value: float) -> Estimate:
    """Add the simultaneous band that a critical value (in standard errors) spans."""
    if estimate.se is None or estimate.att is None:
        return estimate
    half = critical_value * estimate.se
    return dataclasses.replace(
        estimate, band_low=estimate.att - half, band_high=estimate.att + half
    )


def rank_estimate(
    att: float, placebos: NDArray[np.float64], level: float, *, n_units: int | None = None
) -> Estimate:
    """Give an estimate with placebo inference.

    The standard error is the standard deviation of the placebo effects (Arkhangelsky et al. 2021,
    algorithm 4), and the p-value is the share of placebo effects at least as large in size, the
    estimate itself counted among them. The interval spans Student's t quantiles with
    ``n_units − 1`` degrees of freedom: however many the placebos, they come from that many
    comparison units, and normal quantiles cover 94% at 30 units, 91% at 8 (Donald & Lang 2007,
    doi:10.1162/rest.89.2.221). Normal ones if ``n_units`` is None.
    """
    draws = placebos[np.isfinite(placebos)]
    if len(draws) < 2:
        return Estimate(float(att))
    deviation = float(draws.std())
    # Placebo effects that differ by rounding alone are no measure of anything.
    is_noise = np.inf > deviation > 1e-9 * max(abs(att), float(np.abs(draws).max()))
    p_value = (1 + int((np.abs(draws) >= abs(att)).sum())) / (1 + len(draws))
    if not is_noise:
        return Estimate(float(att), p_value=p_value)
    wide = 0.5 + level / 2
    half = (_NORMAL.inv_cdf(wide) if n_units is None else t_quantile(wide, n_units - 1)) * deviation
    return Estimate(float(att), deviation, float(att) - half, float(att) + half, p_value)


def t_quantile(probability: float, freedom: int) -> float:
    """Give a quantile of Student's t; infinite without a degree of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability)) if freedom > 0 else math.inf


def described(
    design: Design,
    overall: Estimate,
    *,
    method: str,
    method_name: Text,
    reference: str,
    estimand: Text,
    options: Mapping[str, str],
    level: float,
    inference: str,
) -> Effect:
    """Give an effect with all that follows from its design and its overall estimate.

    A method adds what is its own by ``dataclasses.replace``. Periods before and after are counted
    from the earliest start.
    """
    first = min(design.cohorts)
    return Effect(
        initiative=design.name,
        outcome=design.outcome,
        measure=effect_measure(design),
        natural_measure=design.measure,
        estimand=estimand,
        method=method,
        method_name=method_name,
        reference=reference,
        options=dict(options),
        overall=overall,
        natural=natural_scale(design, overall),
        level=level,
        inference=inference,
        p_value_floor=None,
        n_treated=design.n_treated,
        n_comparison=design.n_donors,
        n_pre=sum(period < first - design.anticipation for period in design.periods),
        n_post=sum(period >= first for period in design.periods),
        design_hash=design.design_hash,
    )


def effect_measure(design: Design) -> str:
    """Give the unit of an effect on the design's estimation scale."""
    return "log_points" if design.form == "log" else design.measure


def is_treated_cell(design: Design) -> NDArray[np.bool_]:
    """Tell which cells, shape (n_units, n_periods), lie at or after their unit's start."""
    start = design.starts
    return np.asarray(design.periods)[None, :] >= start[:, None]


def natural_scale(design: Design, estimate: Estimate) -> Estimate | None:
    """Translate a log-point effect into the outcome's own unit, per unit and period.

    For a typical treated cell: the geometric mean of what was observed, less what the estimate says
    it would have been, ``G × (1 − exp(−att))``. That is the same statement as the one in
    logarithms; an arithmetic mean would multiply the small units' percentage with the large units'
    money. The ends of the interval are translated in the same way; the p-value stays.

    Returns
    -------
    Estimate or None
        None if the design is not in logarithms: the estimate is in the outcome's unit already.
    """
    if design.form != "log" or estimate.att is None:
        return None
    observed = float(np.exp(np.nanmean(design.y[is_treated_cell(design)])))

    def translate(log_points: float | None) -> float | None:
        if log_points is None or log_points < _LEAST_LOG:
            return None  # an end beyond any money is no end
        return float(observed * -np.expm1(-log_points))

    # The error of a non-linear translation is not symmetric: the interval carries it, not one se.
    return Estimate(
        translate(estimate.att),
        None,
        translate(estimate.ci_low),
        translate(estimate.ci_high),
        estimate.p_value,
    )


def path_points(design: Design, counterfactual: NDArray[np.float64]) -> tuple[PathPoint, ...]:
    """Pair the treated units' mean with their counterfactual, period by period.

    Parameters
    ----------
    counterfactual : ndarray, shape (n_periods,)
        NaN where the method says nothing.
    """
    treated = np.array([cohort is not None for cohort in design.cohort])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a period in which nobody was observed
        observed = np.nanmean(design.y[treated], axis=0)
    return tuple(
        PathPoint(
            period,
            float(seen) if np.isfinite(seen) else None,
            float(other) if np.isfinite(other) else None,
        )
        for period, seen, other in zip(design.periods, observed, counterfactual, strict=True)
    )
