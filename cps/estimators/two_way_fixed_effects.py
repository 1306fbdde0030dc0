"""Two-way fixed effects, shown as a diagnosis: what the common regression says, and averages.

Goodman-Bacon (2021), Journal of Econometrics 225(2), 254-277, doi:10.1016/j.jeconom.2021.03.014;
de Chaisemartin & D'Haultfœuille (2020), American Economic Review 110(9), 2964-2996,
doi:10.1257/aer.20181169. The coefficient and its errors are those of R ``fixest``; the
decomposition is that of R ``bacondecomp``. A design compares nobody with units treated from the
first period on; where it keeps their series, ``always_treated=include`` puts them back, as the
common regression has them, and ``cps.estimators._bacon.decompose`` takes plain arrays.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._bacon import Bacon, decompose, decompose_with_controls
from cps.estimators._bacon_findings import (
    diagnosis_finding,
    negative_findings,
    no_always_treated_finding,
)
from cps.estimators._regression import Errors, Regression, SmallSample, is_nested, regress
from cps.estimators._regression_absorb import Absorber
from cps.estimators._regression_collapsed import demeaned, regress_groups
from cps.estimators._regression_errors import without_false_errors
from cps.estimators._regression_panel import (
    COVARIATES,
    LEVELS,
    Rows,
    always_treated,
    clusters_of,
    collapsed,
    collinear_finding,
    few_treated,
    level_findings,
    rows_of,
    t_estimate,
    under_each,
    units_by_event,
    with_always_treated,
)
from cps.estimators._regression_sparse import regress_flags
from cps.estimators._scale import described
from cps.result import Effect, Estimate, EventTimeEffect

DIAGNOSIS = True
REFERENCE = "Goodman-Bacon (2021), J. Econometrics 225(2), doi:10.1016/j.jeconom.2021.03.014"
NAME = Text("双向固定效应（诊断）", "Two-way fixed effects (a diagnosis)")
ESTIMAND = Text(
    "所有两两比较的方差加权平均；效应随时间或批次不同时，不是任何承办单位的平均效应",
    "a variance-weighted average of all two-by-two comparisons; with effects that differ by cohort "
    "or grow, the average effect of nobody",
)
ASSUMES = Text(
    "变化平行、无预期反应，且效应在各批次、各时期都相同；聚类之间独立，聚类（含承办的）不少",
    "parallel trends, no anticipation, and one and the same effect in all cohorts and periods; "
    "independent clusters, neither few nor few treated",
)
OPTIONS: dict[str, tuple[str, ...]] = {
    "levels": LEVELS,
    "covariates": COVARIATES,
    "errors": ("cluster", "robust", "iid"),
    "small_sample": ("nested", "full", "none"),
    "always_treated": ("leave_out", "include"),
}
SUPPORTS = frozenset({"gaps", "covariates", "weights", "clusters"})
_TREATED = "(treated)"
_MOST = 50_000_000  # floats in a matrix of dummies

Floats = NDArray[np.float64]
Table = dict[str, tuple[float | int | str | None, ...]]


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design in which treatment does not vary once the effects are taken out."""
    findings = level_findings(design, options)
    if findings:
        return findings
    if options["always_treated"] == "include" and not always_treated(design):
        return (no_always_treated_finding(design),)
    design = _whole(design, options)
    rows = _static_rows(design, options)
    try:
        if _TREATED in _static(design, rows, options).names:
            return ()
        why = Text("", "")
    except ValueError as error:
        why = Text("，或参数多于观测", f" ({error})")
    return (
        Finding(
            "E-EST-NO-VARIATION",
            "reject",
            Text(
                f"扣除固定效应和协变量后，处理状态没有变化{why.zh}",
                f"treatment does not vary once fixed effects and covariates are taken out{why.en}",
            ),
            design.name,
            Text(
                "加入从未处理或更晚处理的单位，或补充启动前的台账",
                "add units never or later treated, or ledgers from before the start",
            ),
        ),
    )


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Regress on treatment with unit and period effects, and take the coefficient apart.

    ``tables["bacon"]`` holds every two-by-two comparison with its weight (with controls, every pair
    of groups and the part within groups): they add up to the coefficient; ``untreated_group`` says
    ``never`` or ``always`` where the comparison has no start. ``tables["cell_weights"]`` holds the
    weight that each cohort and period enters with. Periods under anticipation are left out of the
    static regression. ``seed`` is not used: nothing is drawn.
    """
    whole = _whole(design, options)
    rows = _static_rows(whole, options)
    fitted = _static(whole, rows, options)
    overall = t_estimate(*fitted.get(_TREATED), level, fitted.degrees)
    parts = _decomposition(whole, options)
    cells = _cell_weights(whole, rows)
    slopes = [name for name in fitted.names if name != _TREATED]
    events, covariance = _dynamic(design, options, level)
    tables: dict[str, Table] = {"cell_weights": cells}
    if parts is not None:
        tables["bacon"] = _table(parts)
    if slopes:
        tables["covariates"] = {
            "name": tuple(slopes),
            "slope": tuple(fitted.get(name)[0] for name in slopes),
            "se": tuple(fitted.get(name)[1] for name in slopes),
        }
    effect = dataclasses.replace(
        described(
            design,
            overall,
            level=level,
            method="two_way_fixed_effects",
            method_name=NAME,
            reference=REFERENCE,
            estimand=ESTIMAND,
            inference="analytic",
            options=dict(options),
        ),
        by_event_time=events,
        findings=(
            diagnosis_finding(design, parts, overall),
            *negative_findings(design, cells),
            *collinear_finding(design, fitted.dropped),
            *few_treated(design),
        ),
        assumes=ASSUMES,
        is_diagnosis=True,
        event_covariance=covariance,
        tables=tables,
    )
    return without_false_errors(design, effect)


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the coefficient alone."""
    design = _whole(design, options)
    fitted = _static(design, _static_rows(design, options), options)
    return fitted.get(_TREATED)[0] if _TREATED in fitted.names else float("nan")


def points(design: Design, starts: Floats, *, options: Mapping[str, str]) -> Floats:
    """Give the estimates under many assignments at once, shape (n_assignments,)."""
    is_plain = (
        design.is_balanced
        and design.covariates is None
        and design.weights is None
        and design.anticipation == 0
        and options["levels"] == "unit"
    )
    if not is_plain:
        if options["levels"] != "unit" and options["always_treated"] == "leave_out":
            design, starts = collapsed(design, starts)
        return under_each(design, starts, lambda other: point(other, options=options))
    whole = _whole(design, options)
    n_more = len(whole.units) - len(design.units)
    # Units treated all along keep their starts under every assignment.
    starts = np.column_stack([starts, np.full((len(starts), n_more), float(design.periods[0]))])
    design = whole
    n_units, n_periods = design.y.shape
    left = demeaned(design.y, np.ones(n_units))
    # Sum from a start to the end, for each unit and each place of a start.
    after = np.zeros((n_units, n_periods + 1))
    after[:, :-1] = left[:, ::-1].cumsum(axis=1)[:, ::-1]
    place = np.searchsorted(np.asarray(design.periods, float), np.asarray(starts, float))
    top = after[np.arange(n_units)[None], place].sum(axis=1)
    length = (n_periods - place).astype(float)
    counts = np.array([np.bincount(one, minlength=n_periods + 1)[:-1] for one in place])
    by_period = counts.cumsum(axis=1).astype(float)
    total = length.sum(axis=1)
    bottom = (
        total
        - (length**2).sum(axis=1) / n_periods
        - (by_period**2).sum(axis=1) / n_units
        + total**2 / (n_units * n_periods)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(bottom > 1e-9, top / bottom, np.nan)


def _whole(design: Design, options: Mapping[str, str]) -> Design:
    """Put the units that were treated from the first period on back, where that is asked for."""
    return with_always_treated(design) if options["always_treated"] == "include" else design


def _static_rows(design: Design, options: Mapping[str, str]) -> Rows:
    rows = rows_of(design, options)
    return rows.keep((rows.event < -design.anticipation) | (rows.event >= 0))


def _static(design: Design, rows: Rows, options: Mapping[str, str]) -> Regression:
    # Controls first: where they span treatment there is no estimate, rather than a wrong one.
    return _regress(design, rows, options, {_TREATED: (0.0, np.inf)})


def _regress(
    design: Design,
    rows: Rows,
    options: Mapping[str, str],
    spans: Mapping[str, tuple[float, float]],
) -> Regression:
    """Regress on flags of event times from one end of each span to the other."""
    errors = cast(Errors, options["errors"])
    small_sample = cast(SmallSample, options["small_sample"])
    if _is_plain(design, options) and len(rows.y) == design.y.size:
        starts, group = np.unique(design.starts, return_inverse=True)
        event = np.asarray(design.periods)[None] - starts[:, None]
        return regress_groups(
            design.y,
            group.ravel(),
            np.array([(event >= low) & (event <= high) for low, high in spans.values()]) * 1.0,
            names=list(spans),
            weight=np.ones(len(design.units)) if design.weights is None else design.weights[:, 0],
            cluster=clusters_of(design),
            errors=errors,
            small_sample=small_sample,
        )
    names = [*rows.names, *spans]
    flags = [(rows.event >= low) & (rows.event <= high) for low, high in spans.values()]
    if len(flags) > 1 and errors == "cluster" and is_nested(rows.level, rows.cluster):
        return regress_flags(
            rows.y,
            np.select(flags, range(len(flags)), -1),
            rows.covariates,
            names=names,
            level=rows.level,
            period=rows.period,
            weights=rows.weights,
            cluster=rows.cluster,
            small_sample=small_sample,
        )
    return regress(
        rows.y,
        np.column_stack([rows.covariates, *flags]).astype(float),
        names=names,
        absorb=[rows.level, rows.period],
        weights=rows.weights,
        errors=errors,
        clusters=[rows.cluster],
        small_sample=small_sample,
    )


def _is_plain(design: Design, options: Mapping[str, str]) -> bool:
    """Tell whether groups that start together carry all that the regression needs."""
    constant = design.weights is None or bool((design.weights == design.weights[:, :1]).all())
    return (
        design.is_balanced
        and design.covariates is None
        and constant
        and options["levels"] == "unit"
    )


def _dynamic(
    design: Design, options: Mapping[str, str], level: float
) -> tuple[tuple[EventTimeEffect, ...], tuple[tuple[float, ...], ...]]:
    """Regress on leads and lags; without never-treated units the earliest lead is lost too."""
    rows = rows_of(design, options)
    reference = -1.0 - design.anticipation
    found = np.unique(rows.event[np.isfinite(rows.event)])
    wanted = [e for e in found if e != reference][::-1]
    if reference not in found:
        return (), ()
    spans = {_name(e): (float(e), float(e)) for e in wanted}
    is_laid_out = options["errors"] != "cluster" or options["levels"] != "unit"
    if is_laid_out and len(rows.y) * len(spans) > _MOST and not _is_plain(design, options):
        return (), ()
    try:
        fitted = _regress(design, rows, options, spans)
    except ValueError:
        return (), ()
    counts = units_by_event(rows)
    events = [int(e) for e in found if e == reference or _name(e) in fitted.names]
    place = [fitted.names.index(_name(e)) if e != reference else -1 for e in events]
    covariance = np.zeros((len(events), len(events)))
    real = [k for k, at in enumerate(place) if at >= 0]
    chosen = [place[k] for k in real]
    covariance[np.ix_(real, real)] = fitted.covariance[np.ix_(chosen, chosen)]
    return (
        tuple(
            EventTimeEffect(
                e,
                Estimate(0.0)
                if at < 0
                else t_estimate(*fitted.get(_name(e)), level, fitted.degrees),
                counts[e],
            )
            for e, at in zip(events, place, strict=True)
        ),
        tuple(tuple(map(float, row)) for row in covariance),
    )


def _name(event: float) -> str:
    return f"(event) {int(event)}"


def _decomposition(design: Design, options: Mapping[str, str]) -> Bacon | None:
    constant = design.weights is None or bool((design.weights == design.weights[:, :1]).all())
    if not design.is_balanced or not constant or design.anticipation or options["levels"] != "unit":
        return None
    weight = None if design.weights is None else design.weights[:, 0]
    periods = np.asarray(design.periods, float)
    if design.covariates is None:
        return decompose(design.y, design.starts, periods, weight)
    covariates = design.covariates
    if options["covariates"] == "by_period":
        covariates = np.array([one * (periods == t) for one in design.covariates for t in periods])
    return decompose_with_controls(design.y, design.starts, periods, covariates, weight)


def _table(parts: Bacon) -> Table:
    def ordinal(value: float) -> int | None:
        return int(value) if np.isfinite(value) else None

    def group(value: float) -> str:
        if np.isfinite(value):
            return "cohort"
        return "never" if value > 0 else "always"

    within = parts.within is not None
    return {
        "treated": (*map(ordinal, parts.treated), *([None] if within else [])),
        "untreated": (*map(ordinal, parts.untreated), *([None] if within else [])),
        "untreated_group": (*map(group, parts.untreated), *([None] if within else [])),
        "kind": (*parts.kind, *(["within_groups"] if within else [])),
        "estimate": (*map(float, parts.estimate), *([parts.within] if within else [])),
        "weight": (*map(float, parts.weight), *([parts.within_weight] if within else [])),
    }


def _cell_weights(design: Design, rows: Rows) -> Table:
    """Give the weight with which each treated cohort and period enters the coefficient."""
    treated = rows.event >= 0
    columns = np.column_stack([treated.astype(float), rows.covariates])
    left = Absorber.of([rows.level, rows.period], rows.weights).residuals(columns)
    d, x = left[:, 0], left[:, 1:]
    if x.shape[1]:
        root = np.sqrt(rows.weights)
        scale = np.sqrt((x**2).sum(axis=0))
        x = x[:, scale > 0] / scale[scale > 0]
        slopes = np.linalg.lstsq(x * root[:, None], d * root, rcond=1e-10)[0]
        d = d - x @ slopes
    part = rows.weights[treated] * d[treated]
    period = np.asarray(design.periods)[rows.period[treated]]
    pairs, place = np.unique(
        np.column_stack([rows.cohort[treated], period]), axis=0, return_inverse=True
    )
    weight = np.bincount(place.ravel(), weights=part, minlength=len(pairs)) / part.sum()
    return {
        "cohort": tuple(int(one) for one in pairs[:, 0]),
        "period": tuple(int(one) for one in pairs[:, 1]),
        "weight": tuple(map(float, weight)),
    }
