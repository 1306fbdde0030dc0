"""Effects against the intensity of treatment: number of formats, or money spent.

Callaway, Goodman-Bacon & Sant'Anna (2024), NBER working paper 32117, doi:10.3386/w32117. Unit by
unit, treated outcomes are set against what they would have been: imputed (Borusyak, Jaravel & Spiess
2024, doi:10.1093/restud/rdae007), or by long differences against never-treated units.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators import imputation
from cps.estimators._imputation import FirstStep, Targets, first_step, untreated_scores
from cps.estimators._options import Number, settle
from cps.estimators._regression_dose import (
    Line,
    Treated,
    line_scores,
    long_difference_scores,
    long_differences,
    mean_line,
    per_unit_line,
    slope_line,
)
from cps.estimators._regression_dose_findings import (
    strong_trends_finding,
    thin_findings,
    timing_findings,
)
from cps.estimators._regression_errors import without_false_errors
from cps.estimators._regression_panel import (
    Rows,
    few_treated,
    level_findings,
    rows_of,
    t_estimate,
)
from cps.estimators._scale import described, normal_estimate
from cps.result import Effect, Estimate, EventTimeEffect, PeriodEffect

REFERENCE = "Callaway, Goodman-Bacon & Sant'Anna (2024), NBER WP 32117, doi:10.3386/w32117"
NAME = Text("剂量—反应", "Dose response")
ESTIMAND = Text(
    "各剂量水平上承办单位在其所受剂量下的平均效应 ATT(d|d)；总效应为各承办单位×时期的平均",
    "average effect of the dose received, on those who received it, ATT(d|d), by level of dose; "
    "overall, the average over treated unit-periods",
)
ASSUMES = Text(
    "各剂量组若未承办则与未处理单位变化平行，且无预期反应；斜率另需强平行趋势：各组在同一剂量下效应相同",
    "parallel trends without treatment and no anticipation for every dose group; the slope needs "
    "strong parallel trends too: groups would have had the same effect at the same dose",
)
OPTIONS: dict[str, tuple[str, ...] | Number] = {
    "effects": ("imputed", "long_difference"),
    "dose": ("mean", "first", "last", "max"),
    "bins": Number("auto", low=1, high=20, is_whole=True, words=("auto",)),
    "slope": ("within_event_time", "pooled"),
}
SUPPORTS = frozenset({"dose", "gaps", "covariates", "weights", "clusters"})
_LEVELS = 5  # distinct doses up to which each is a level of its own
_PER_BIN = 5
_SHOWN = 5

Floats = NDArray[np.float64]
Table = dict[str, tuple[float | int | str | None, ...]]


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Treated cells with effect and dose, and how the untreated's noise enters."""

    rows: Rows
    cells: Treated
    unit: NDArray[np.int64]  # of each treated cell
    step: FirstStep | None  # where effects are imputed


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design without a dose, without variation in it, or with doses that contradict it."""
    if design.dose is None:
        return (
            _reject(
                design,
                "E-EST-NO-DOSE",
                Text("设计没有给出处理强度", "the design has no dose"),
                Text("设计时给出 dose", "give dose when designing"),
            ),
        )
    doses = unit_doses(design, options["dose"])
    treated = np.isfinite(design.starts)
    bad = [
        unit
        for unit, dose, is_treated in zip(design.units, doses, treated, strict=True)
        if is_treated and not dose > 0
    ]
    early = np.asarray(design.periods)[None] < design.starts[:, None]
    stray = np.flatnonzero((np.where(early, np.nan_to_num(design.dose), 0.0) > 0).any(axis=1))
    if bad or len(stray):
        named = [*bad, *(design.units[one] for one in stray)][:_SHOWN]
        return (
            _reject(
                design,
                "E-EST-DOSE-CONTRADICTS",
                Text(
                    f"{len(bad)} 个承办单位启动后强度为空或不为正，{len(stray)} 个单位未启动却有强度",
                    f"{len(bad)} treated units have no positive dose, {len(stray)} units have one "
                    "while untreated",
                ),
                Text(
                    "未处理时强度须为 0，启动后须为正",
                    "the dose must be 0 while untreated, and positive from the start on",
                ),
                ", ".join(named),
            ),
        )
    if len(np.unique(doses[treated])) < 2:
        return (
            _reject(
                design,
                "E-EST-DOSE-CONSTANT",
                Text(
                    "所有承办单位强度相同，无从估计剂量反应",
                    "all treated units have the same dose: nothing to compare",
                ),
                Text("改用 imputation", "use imputation"),
            ),
        )
    findings = list(level_findings(design, {}))
    if options["effects"] == "imputed":
        return tuple(findings) or imputation.needs(design, _imputation_options())
    if design.covariates is not None:
        findings.append(
            _reject(
                design,
                "E-EST-COVARIATES",
                Text("长差分不使用协变量", "long differences take no covariates"),
                Text("改用 effects=imputed", "use effects=imputed"),
            )
        )
    elif not np.isfinite(_long(design)).any():
        findings.append(
            _reject(
                design,
                "E-EST-NO-NEVER-TREATED",
                Text(
                    "没有从未处理的单位，或缺启动前一期",
                    "no never-treated unit, or no period just before a start",
                ),
                Text("改用 effects=imputed", "use effects=imputed"),
            )
        )
    return tuple(findings)


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Estimate effects by level of dose, the slope, and the effect per unit of dose.

    ``overall`` stays the average effect in the outcome's unit. ``tables["dose"]`` holds the curve
    (``level`` rows), ``per_unit`` (average effect over average dose) and ``slope`` (change of the
    effect by unit of dose; by default between units at the same event time). ``tables["units"]``
    holds each unit's dose and effect. Intervals are Student's, with the treated clusters less the
    numbers fitted to them as degrees of freedom. ``seed`` is not used: nothing is drawn.
    """
    fitted = _fit(design, options)
    cells = fitted.cells
    treated = np.unique(fitted.unit)
    doses = unit_doses(design, options["dose"])[treated]
    edges = _edges(doses, options["bins"])
    events, cohorts = np.unique(cells.event), np.unique(fitted.rows.cohort[cells.row])
    within = options["slope"] == "within_event_time"
    slope = slope_line(cells, within_event=within)
    lines = [
        mean_line(cells, np.ones(len(cells.effect), dtype=bool)),
        per_unit_line(cells),
        *([slope] if slope else []),
        *(mean_line(cells, (cells.dose >= low) & (cells.dose <= high)) for low, high in edges),
        *(mean_line(cells, cells.event == e) for e in events),
        *(mean_line(cells, fitted.rows.cohort[cells.row] == g) for g in cohorts),
    ]
    scores = _scores(design, fitted, lines)
    errors = np.sqrt((scores**2).sum(axis=0))
    all_of = [
        t_estimate(line.value, float(error), level, line.degrees)
        if line.degrees > 0
        else normal_estimate(line.value, None, level)
        for line, error in zip(lines, errors, strict=True)
    ]
    first_level = 3 if slope else 2
    first_event = first_level + len(edges)
    first_cohort = first_event + len(events)
    overall = all_of[0]
    chosen = scores[:, first_event:first_cohort]
    covariance = chosen.T @ chosen
    effect = dataclasses.replace(
        described(
            design,
            overall,
            level=level,
            method="dose_response",
            method_name=NAME,
            reference=REFERENCE,
            estimand=ESTIMAND,
            inference="analytic",
            options=dict(options),
        ),
        by_event_time=tuple(
            EventTimeEffect(
                int(e),
                all_of[first_event + k],
                len(np.unique(fitted.unit[cells.event == e])),
            )
            for k, e in enumerate(events)
        ),
        by_cohort=tuple(
            PeriodEffect(
                int(g), all_of[first_cohort + k], sum(one == int(g) for one in design.cohort)
            )
            for k, g in enumerate(cohorts)
        ),
        findings=(
            *(one for one in needs(design, options) if one.severity != "reject"),
            strong_trends_finding(design),
            *timing_findings(design, design.starts[treated], doses),
            *thin_findings(design, cells.dose, cells.cluster, edges),
            *few_treated(design),
        ),
        assumes=ASSUMES,
        event_covariance=tuple(tuple(map(float, row)) for row in covariance)
        if np.isfinite(covariance).all()
        else (),
        tables={
            "dose": _curve(fitted, edges, all_of[1:first_event], has_slope=slope is not None),
            "units": _units(design, fitted),
        },
    )
    return without_false_errors(design, effect)


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the average effect alone; the dose does not enter it."""
    cells = _fit(design, options).cells
    return float(cells.weight @ cells.effect / cells.weight.sum())


def points(design: Design, starts: Floats, *, options: Mapping[str, str]) -> Floats:
    """Give the average effects under many assignments; doses stay with their units and do not enter."""
    if options["effects"] == "imputed":
        bare = dataclasses.replace(design, dose=None)
        return imputation.points(bare, starts, options=_imputation_options())
    found = np.full(len(starts), np.nan)
    weight = np.ones(design.y.shape) if design.weights is None else design.weights
    for k, row in enumerate(np.asarray(starts, float)):
        start = np.where(row > design.periods[-1], np.inf, row)
        effects = long_differences(
            design.y,
            start,
            np.asarray(design.periods, float),
            weight,
            np.isinf(start),
            anticipation=design.anticipation,
        )
        seen = np.isfinite(effects)
        if seen.any():
            found[k] = float(weight[seen] @ effects[seen] / weight[seen].sum())
    return found


def unit_doses(design: Design, how: str) -> Floats:
    """Give each unit's dose, shape (n_units,): over its treated periods; 0 for never treated."""
    if design.dose is None:
        raise ValueError("the design has no dose")
    start = design.starts
    after = (np.asarray(design.periods)[None] >= start[:, None]) & np.isfinite(design.dose)
    after &= np.isfinite(design.y)
    doses = np.zeros(len(start))
    for i in np.flatnonzero(np.isfinite(start)):
        given = design.dose[i][after[i]]
        if len(given):
            doses[i] = {
                "mean": given.mean(),
                "first": given[0],
                "last": given[-1],
                "max": given.max(),
            }[how]
    return doses


def _imputation_options() -> dict[str, str]:
    return settle(imputation.OPTIONS, {}, where="dose_response")


def _long(design: Design) -> Floats:
    weight = np.ones(design.y.shape) if design.weights is None else design.weights
    return long_differences(
        design.y,
        design.starts,
        np.asarray(design.periods, float),
        weight,
        np.asarray(design.is_donor),
        anticipation=design.anticipation,
    )


def _fit(design: Design, options: Mapping[str, str]) -> _Fitted:
    rows = rows_of(design, {})
    step = _first_step(design, rows) if options["effects"] == "imputed" else None
    effects = _long(design)[rows.unit, rows.period] if step is None else step.effects
    row = np.flatnonzero((rows.event >= 0) & np.isfinite(effects))
    doses = unit_doses(design, options["dose"])
    cells = Treated(
        effects[row],
        doses[rows.unit[row]],
        rows.event[row],
        rows.weights[row],
        rows.cluster[row],
        row,
    )
    return _Fitted(rows, cells, rows.unit[row], step)


def _first_step(design: Design, rows: Rows) -> FirstStep:
    return first_step(
        rows.y,
        rows.level,
        rows.period,
        rows.event < -design.anticipation,
        weights=rows.weights,
        covariates=rows.covariates,
        n_levels=len(design.units),
        n_periods=len(design.periods),
    )


def _scores(design: Design, fitted: _Fitted, lines: list[Line]) -> Floats:
    rows = fitted.rows

    def imputed(step: FirstStep, targets: Targets) -> Floats:
        return untreated_scores(
            step,
            targets,
            rows.level,
            rows.period,
            rows.event < -design.anticipation,
            weights=rows.weights,
            covariates=rows.covariates,
            cluster=rows.cluster,
        )

    def differenced(targets: Targets) -> Floats:
        n_units = len(design.units)
        cluster = np.zeros(n_units, dtype=np.int64)
        cluster[rows.unit] = rows.cluster
        return long_difference_scores(
            targets,
            rows.unit,
            rows.period,
            y=design.y,
            start=design.starts,
            periods=np.asarray(design.periods, float),
            weight=np.ones(design.y.shape) if design.weights is None else design.weights,
            is_never=np.asarray(design.is_donor),
            cluster=cluster,
            anticipation=design.anticipation,
        )

    noise = differenced if fitted.step is None else partial(imputed, fitted.step)
    return line_scores(fitted.cells, lines, int(rows.cluster.max()) + 1, noise)


def _edges(doses: Floats, bins: str) -> list[tuple[float, float]]:
    """Cut doses into levels: each value if they are few, else bins of about equal size."""
    values = np.unique(doses)
    if bins == "auto" and len(values) <= _LEVELS:
        return [(float(one), float(one)) for one in values]
    n = max(1, min(4, len(doses) // _PER_BIN)) if bins == "auto" else int(bins)
    cuts = np.quantile(doses, np.linspace(0, 1, n + 1)[1:-1])
    place = np.searchsorted(cuts, values, side="left")
    return [
        (float(values[place == k].min()), float(values[place == k].max())) for k in np.unique(place)
    ]


def _curve(
    fitted: _Fitted,
    edges: list[tuple[float, float]],
    estimates: list[Estimate],
    *,
    has_slope: bool,
) -> Table:
    cells = fitted.cells
    kinds = ["per_unit", *(["slope"] if has_slope else []), *["level"] * len(edges)]
    spans = [(float(cells.dose.min()), float(cells.dose.max()))] * (len(kinds) - len(edges)) + edges
    inside = [(cells.dose >= low) & (cells.dose <= high) for low, high in spans]
    return {
        "kind": tuple(kinds),
        "dose_low": tuple(one[0] for one in spans),
        "dose_high": tuple(one[1] for one in spans),
        "dose_mean": tuple(
            float(cells.weight[one] @ cells.dose[one] / cells.weight[one].sum()) for one in inside
        ),
        "n_treated": tuple(len(np.unique(fitted.unit[one])) for one in inside),
        "att": tuple(one.att for one in estimates),
        "se": tuple(one.se for one in estimates),
        "ci_low": tuple(one.ci_low for one in estimates),
        "ci_high": tuple(one.ci_high for one in estimates),
        "p_value": tuple(one.p_value for one in estimates),
    }


def _units(design: Design, fitted: _Fitted) -> Table:
    cells = fitted.cells
    found, place = np.unique(fitted.unit, return_inverse=True)
    mass = np.bincount(place.ravel(), weights=cells.weight)
    mean = np.bincount(place.ravel(), weights=cells.weight * cells.effect) / mass
    dose = np.bincount(place.ravel(), weights=cells.weight * cells.dose) / mass
    return {
        "unit": tuple(design.units[one] for one in found),
        "dose": tuple(map(float, dose)),
        "n_periods": tuple(map(int, np.bincount(place.ravel()))),
        "effect": tuple(map(float, mean)),
    }


def _reject(design: Design, code: str, what: Text, mend: Text, where: str = "") -> Finding:
    return Finding(code, "reject", what, f"{design.name} › {where or 'dose'}", mend)
