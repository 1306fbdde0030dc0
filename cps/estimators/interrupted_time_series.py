"""Interrupted time series: segmented regression of the treated series, with or without comparison.

Wagner, Soumerai, Zhang & Ross-Degnan (2002), doi:10.1046/j.1365-2710.2002.00430.x; Lopez Bernal,
Cummins & Gasparrini (2017), doi:10.1093/ije/dyw098. Least-squares numbers agree with Stata ``itsa``
(Linden 2015, doi:10.1177/1536867X1501500208), counts with R ``glm`` and an offset.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError, Finding, Text
from cps.estimators._its import Floats
from cps.estimators._its_fit import Fit, Plan, fit_counts, fit_means, fit_pooled, mean_functionals
from cps.estimators._its_words import REFUSALS, findings_of, refusal
from cps.estimators._options import Number
from cps.estimators._scale import described, effect_measure, natural_scale
from cps.periods import PERIODS_PER_YEAR
from cps.result import Effect, Estimate, EventTimeEffect, PathPoint

REFERENCE = "Lopez Bernal, Cummins & Gasparrini (2017), IJE 46(1), doi:10.1093/ije/dyw098"
NAME = Text("中断时间序列", "Interrupted time series")
ESTIMAND = Text(
    "启动后各期，承办单位序列相对于其自身原有走势延续（有对照时再减去对照的同期变化）的平均偏离",
    "average departure of the treated series, after the start, from the continuation of its own "
    "earlier trend (less that of the comparison, where there is one)",
)
OPTIONS: dict[str, tuple[str, ...] | Number] = {
    "family": ("gaussian", "poisson", "quasi_poisson"),
    "change": ("level_and_slope", "level"),
    "controls": ("auto", "mean", "pooled", "none"),
    "harmonics": Number(0, 0, 3, is_whole=True),
    "lag": Number("auto", 0, 60, is_whole=True, words=("auto",)),
}
SUPPORTS: frozenset[str] = frozenset()
_MIN_PRE = 3
_MIN_FREEDOM = 2


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject what the regression can't tell apart, and counts that are none."""
    found = []
    controls, family = _controls(design, options), options["family"]
    if controls != "none" and design.n_donors == 0:
        found.append(refusal("no_comparison", design, controls))
    if family != "gaussian":
        if design.form == "log":
            found.append(refusal("logarithms", design, family))
        elif (design.y_natural < 0).any():
            found.append(refusal("negative", design, family))
    if len(design.cohorts) > 1 and (controls == "pooled" or family != "gaussian"):
        found.append(refusal("several_starts", design, str(len(design.cohorts))))
    per_year, harmonics = PERIODS_PER_YEAR[design.frequency], int(options["harmonics"])
    if 2 * harmonics > per_year:
        found.append(refusal("no_season", design, str(harmonics)))
        return tuple(found)
    plan = _plan(design, options)
    for start in design.cohorts:
        columns, _ = plan.columns(start)
        event = plan.kept_periods(start) - start
        n_pre, n_post = int((event < 0).sum()), int((event >= 0).sum())
        need_post = 2 if plan.has_slope else 1
        n, k = columns.shape
        if n_pre < _MIN_PRE or n_post < need_post or n - k < _MIN_FREEDOM:
            found.append(
                refusal(
                    "too_short",
                    design,
                    str(n_pre),
                    str(n_post),
                    str(max(_MIN_PRE, k + _MIN_FREEDOM - n_post)),
                    str(need_post),
                )
            )
            break
        if np.linalg.matrix_rank(columns) < k:
            found.append(refusal("collinear", design, str(k)))
            break
    return tuple(found)


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Estimate the change of level, and of slope, at the start, and their average afterwards.

    Least squares with Newey-West errors of the ``lag`` given (``auto``: 4 (T/100)^(2/9)), scaled
    by n/(n-k), and quantiles of t with n-k degrees of freedom, as ``itsa``. Counts: Poisson
    regression with logarithmic link and the design's denominator as offset; the effect is then in
    logarithms of the rate ratio; errors are the model's (``quasi_poisson``: scaled by Pearson's
    dispersion) unless a lag is given. Several starts are fitted one by one and averaged by treated
    unit-periods; what their series share in a period enters the error. Nothing is drawn.

    Parameters
    ----------
    options
        ``controls``: ``mean`` regresses the treated mean less the comparison mean; ``pooled``
        stacks all units in one regression, as ``itsa`` with several panels; ``auto`` is ``mean``
        where there are comparison units.

    Raises
    ------
    DesignError
        If a regression of counts does not converge.
    """
    plan = _plan(design, options)
    estimated = _estimated(design, plan, options)
    overall = estimated.estimate(estimated.overall_weights(), level)
    is_count = options["family"] != "gaussian"
    natural = _natural_of_ratio(design, overall) if is_count else natural_scale(design, overall)
    events = estimated.event_times()
    covariance = estimated.covariance(np.array([weights for _, weights, _ in events]))
    return dataclasses.replace(
        described(
            design,
            overall,
            level=level,
            method="interrupted_time_series",
            method_name=NAME,
            reference=REFERENCE,
            estimand=ESTIMAND,
            inference="analytic",
            options=dict(options),
        ),
        measure="log_points" if is_count else effect_measure(design),
        natural=natural,
        n_comparison=0 if plan.controls == "none" else design.n_donors,
        by_event_time=tuple(
            EventTimeEffect(event, estimated.estimate(weights, level), n)
            for event, weights, n in events
        ),
        event_covariance=tuple(tuple(float(one) for one in row) for row in covariance),
        paths=_paths(design, estimated),
        tables=estimated.tables(level),
        findings=findings_of(design, plan.controls, estimated.lag),
        assumes=_assumes(plan.controls),
    )


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the average departure after the start alone."""
    estimated = _estimated(design, _plan(design, options), options)
    return float(estimated.overall_weights() @ estimated.coefficients)


def points(design: Design, starts: Floats, *, options: Mapping[str, str]) -> Floats:
    """Give the estimates under other assignments, (n_assignments, n_units); NaN where refused."""
    plan = _plan(design, options)
    if options["family"] != "gaussian" or plan.controls == "pooled":
        return np.array([_point_under(design, row, options) for row in starts])
    usable = {
        start: functional
        for start in np.unique(starts[np.isfinite(starts)])
        if (functional := mean_functionals(plan, int(start))) is not None
    }
    periods = np.asarray(design.periods)
    total, weight = np.zeros(len(starts)), np.zeros(len(starts))
    never = np.isinf(starts)
    for start in np.unique(starts[np.isfinite(starts)]):
        members = starts == start
        size = members.sum(axis=1).astype(float)
        here = size > 0
        if start not in usable:
            total[here] = np.nan
            continue
        per_unit = design.y @ usable[start]
        departure = (members @ per_unit)[here] / size[here]
        if plan.controls != "none":
            with np.errstate(invalid="ignore", divide="ignore"):
                departure = departure - (never @ per_unit)[here] / never.sum(axis=1)[here]
        cells = size[here] * (periods >= start).sum()
        total[here] += departure * cells
        weight[here] += cells
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / weight)


def _point_under(design: Design, row: Floats, options: Mapping[str, str]) -> float:
    cohort = [int(one) if np.isfinite(one) else None for one in row]
    other = subset_design(design, cohort=cohort)
    if any(one.severity == "reject" for one in needs(other, options)):
        return math.nan
    try:
        return point(other, options=options)
    except DesignError:
        return math.nan


def _controls(design: Design, options: Mapping[str, str]) -> str:
    if options["controls"] == "auto":
        return "mean" if design.n_donors else "none"
    return options["controls"]


def _plan(design: Design, options: Mapping[str, str]) -> Plan:
    return Plan(
        periods=np.asarray(design.periods),
        anticipation=design.anticipation,
        has_slope=options["change"] == "level_and_slope",
        harmonics=int(options["harmonics"]),
        per_year=PERIODS_PER_YEAR[design.frequency],
        controls=_controls(design, options),
        lag=None if options["lag"] == "auto" else int(options["lag"]),
    )


def _members(design: Design) -> dict[int, NDArray[np.bool_]]:
    return {g: np.array([one == g for one in design.cohort]) for g in design.cohorts}


def _estimated(design: Design, plan: Plan, options: Mapping[str, str]) -> Fit:
    members = _members(design)
    if options["family"] == "gaussian" and plan.controls != "pooled":
        return fit_means(design.y, members, design.is_donor, plan)
    if options["family"] == "gaussian":
        return fit_pooled(design.y, members, design.is_donor, plan)
    try:
        return fit_counts(
            design.y_natural,
            design.denominator,
            members,
            design.is_donor,
            plan,
            is_dispersed=options["family"] == "quasi_poisson",
        )
    except (FloatingPointError, np.linalg.LinAlgError) as error:
        one = REFUSALS["no_convergence"]
        raise DesignError(one.what, where=f"{design.name} › {design.outcome}", mend=one.mend) from (
            error
        )


def _natural_of_ratio(design: Design, overall: Estimate) -> Estimate | None:
    """Translate a log rate ratio into counts per unit and period, as ``natural_scale`` does logs."""
    treated = np.array([cohort is not None for cohort in design.cohort])
    if (design.y_natural[treated] <= 0).any():
        return None
    counts = dataclasses.replace(design, form="log", y=np.log(np.maximum(design.y_natural, 1e-300)))
    return natural_scale(counts, overall)


def _paths(design: Design, estimated: Fit) -> tuple[PathPoint, ...]:
    def number(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    return tuple(
        PathPoint(period, number(seen), number(other))
        for period, seen, other in zip(
            design.periods, estimated.observed, estimated.counterfactual, strict=True
        )
    )


def _assumes(controls: str) -> Text:
    if controls == "none":
        return Text(
            "承办单位原有的直线走势（及季节）本会延续，且启动前后没有其他变化；标准误考虑了序列相关",
            "the treated series' own straight trend (and season) would have gone on, and nothing "
            "else changed at the start; errors allow for correlation over time",
        )
    return Text(
        "承办单位与对照之差的原有走势本会延续；标准误考虑了序列相关，未反映承办单位独有的冲击",
        "the earlier trend of the difference from the comparison would have gone on; errors allow "
        "for correlation over time, not for shocks that hit the treated units alone",
    )
