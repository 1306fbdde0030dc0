"""Imputation difference-in-differences: what treated cells would have been, from untreated ones.

Borusyak, Jaravel & Spiess (2024), Review of Economic Studies 91(6), 3253-3285,
doi:10.1093/restud/rdae007; the estimates are also those of the two-stage estimator (Gardner 2021,
arXiv:2207.05943) and of ``fect`` with two-way effects. Numbers agree with R ``didimputation`` and
Stata ``did_imputation``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import DesignError, Finding, Text
from cps.estimators._imputation import (
    FirstStep,
    Targets,
    first_step,
    is_identified,
    target_scores,
)
from cps.estimators._imputation_batch import imputation_points
from cps.estimators._imputation_findings import lost_finding, nothing_finding
from cps.estimators._options import Number
from cps.estimators._regression import Regression, is_nested, regress
from cps.estimators._regression_collapsed import regress_groups
from cps.estimators._regression_errors import without_false_errors
from cps.estimators._regression_panel import (
    COVARIATES,
    LEVELS,
    Rows,
    alone_findings,
    clusters_of,
    collapsed,
    collinear_finding,
    few_treated,
    level_findings,
    rows_of,
    under_each,
    units_by_event,
)
from cps.estimators._regression_sparse import regress_flags
from cps.estimators._scale import (
    described,
    normal_estimate,
    path_points,
)
from cps.result import Effect, Estimate, EventTimeEffect, PeriodEffect

REFERENCE = "Borusyak, Jaravel & Spiess (2024), REStud 91(6), doi:10.1093/restud/rdae007"
NAME = Text("插补双重差分", "Imputation difference-in-differences")
ESTIMAND = Text(
    "启动以后各期对承办单位的平均效应（每个承办单位×时期权重相同）",
    "average effect on the treated, every treated unit-period counting alike",
)
ASSUMES = Text(
    "各单位若未承办则变化平行、且启动前无预期反应；聚类之间独立，承办的聚类不少；"
    "同一批次同一时期的效应视为相近，标准误偏保守",
    "parallel trends and no anticipation in all periods; independent clusters, not few of them "
    "treated; effects alike within cohort and period, which errs on the safe side",
)
OPTIONS: dict[str, tuple[str, ...] | Number] = {
    "levels": LEVELS,
    "covariates": COVARIATES,
    "average_by": ("cohort_period", "event_time", "all"),
    "leave_out": ("no", "yes"),
    "pretrends": Number("auto", low=0, is_whole=True, words=("auto",)),
    "unidentified": ("refuse", "drop"),
}
SUPPORTS = frozenset({"gaps", "covariates", "weights", "clusters"})
_AUTO_LEADS = 10
_LEAD = "(lead) "
_ALONE = Text(
    "用 average_by=event_time，或以安慰剂推断为准",
    "use average_by=event_time, or rely on placebo inference",
)
_SHOWN = 5

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Parts:
    """Rows, which are which, and the first step."""

    rows: Rows
    untreated: Mask
    treated: Mask  # at or after the start, and imputable
    step: FirstStep


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject treated cells that nothing untreated says anything of; name units and periods."""
    findings = level_findings(design, options)
    if findings:
        return findings
    rows = rows_of(design, options)
    untreated = _is_untreated(design, rows)
    if not untreated.any() or not (rows.event >= 0).any():
        return (nothing_finding(design),)
    lost = (rows.event >= 0) & ~_identified(design, rows, untreated)
    if not lost.any():
        return ()
    if lost.sum() == (rows.event >= 0).sum():
        return (nothing_finding(design),)
    return (
        lost_finding(design, rows, lost, untreated, refuse=options["unidentified"] == "refuse"),
    )


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Impute, average, and give the conservative standard errors.

    Pre-trends are coefficients of leads in a regression on untreated cells alone, so that they do
    not depend on the effects (Borusyak et al. 2024, section 4.4); effects from the start on are
    averages of imputed differences. ``seed`` is not used: nothing is drawn.
    """
    parts = _parts(design, options)
    rows, treated = parts.rows, parts.treated
    labels, names, sizes = _families(design, parts)
    targets = Targets.means(labels, rows.weights, sizes)
    values = targets.values(parts.step.effects)
    scores = target_scores(
        parts.step,
        targets,
        rows.level,
        rows.period,
        parts.untreated,
        weights=rows.weights,
        covariates=rows.covariates,
        cluster=rows.cluster,
        group=_groups(design, rows, options["average_by"]),
        leave_out=options["leave_out"] == "yes",
    )
    errors = np.sqrt((scores**2).sum(axis=0))
    all_of = [
        normal_estimate(float(value), float(error), level)
        for value, error in zip(values, errors, strict=True)
    ]
    offsets = np.cumsum([0, *sizes])
    events, cohorts, calendar = (
        dict(zip(names[k], all_of[offsets[k] : offsets[k + 1]], strict=True)) for k in (1, 2, 3)
    )
    leads = _leads(design, parts, options)
    before = _before(leads, level)
    overall = all_of[0]
    unit_of = units_by_event(rows)
    here = np.bincount(rows.period[treated], minlength=len(design.periods))
    dropped = tuple(
        name for name, kept in zip(rows.names, parts.step.kept, strict=True) if not kept
    )
    effect = dataclasses.replace(
        described(
            design,
            overall,
            level=level,
            method="imputation",
            method_name=NAME,
            reference=REFERENCE,
            estimand=ESTIMAND,
            inference="analytic",
            options=dict(options),
        ),
        by_event_time=tuple(
            EventTimeEffect(e, one, unit_of[e]) for e, one in {**before, **events}.items()
        ),
        by_cohort=tuple(
            PeriodEffect(g, one, sum(cohort == g for cohort in design.cohort))
            for g, one in cohorts.items()
        ),
        by_calendar=tuple(
            PeriodEffect(t, one, int(here[design.periods.index(t)])) for t, one in calendar.items()
        ),
        aggregations={"simple": overall, "dynamic": _dynamic(values, scores, offsets, level)},
        paths=path_points(design, _counterfactual(design, parts)),
        findings=(
            *(one for one in needs(design, options) if one.severity != "reject"),
            *collinear_finding(design, dropped),
            *(alone_findings(design, _ALONE) if options["average_by"] == "cohort_period" else ()),
            *few_treated(design),
        ),
        assumes=ASSUMES,
        event_covariance=_event_covariance(leads, scores[:, offsets[1] : offsets[2]], rows),
        tables={
            **_slopes(rows, parts.step),
            **({"pretrend_test": _joint_test(leads)} if before else {}),
        },
    )
    return without_false_errors(design, effect)


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the average effect alone."""
    parts = _parts(design, options)
    weights = parts.rows.weights[parts.treated]
    return float(weights @ parts.step.effects[parts.treated] / weights.sum())


def points(design: Design, starts: Floats, *, options: Mapping[str, str]) -> Floats:
    """Give the estimates under many assignments at once, shape (n_assignments,)."""
    if _is_plain(design, options):
        return imputation_points(design, design.y[None], np.asarray(starts, float), options)

    if options["levels"] != "unit":
        design, starts = collapsed(design, starts)

    def one(other: Design) -> float:
        if any(finding.severity == "reject" for finding in needs(other, options)):
            return float("nan")
        return point(other, options=options)

    return under_each(design, starts, one)


def outcome_points(
    design: Design, outcomes: Floats, *, options: Mapping[str, str]
) -> Floats | None:
    """Give the estimates of other outcomes; None if the design takes one at a time."""
    if not _is_plain(design, options):
        return None
    starts = np.broadcast_to(design.starts, outcomes.shape[:2])
    return imputation_points(design, outcomes, starts, options)


def _is_untreated(design: Design, rows: Rows) -> Mask:
    return np.asarray(rows.event < -design.anticipation)


def _n_levels(design: Design, rows: Rows) -> int:
    return max(int(rows.level.max()) + 1, 1)


def _identified(design: Design, rows: Rows, untreated: Mask) -> Mask:
    return is_identified(
        rows.level, rows.period, untreated, _n_levels(design, rows), len(design.periods)
    )


def _parts(design: Design, options: Mapping[str, str]) -> _Parts:
    rows = rows_of(design, options)
    untreated = _is_untreated(design, rows)
    treated = (rows.event >= 0) & _identified(design, rows, untreated)
    step = first_step(
        rows.y,
        rows.level,
        rows.period,
        untreated,
        weights=rows.weights,
        covariates=rows.covariates,
        n_levels=_n_levels(design, rows),
        n_periods=len(design.periods),
    )
    if step.extrapolates:
        names = ", ".join(rows.names[place] for place in step.extrapolates[:_SHOWN])
        raise DesignError(
            Text(
                "启动前样本中共线、启动后才变化的协变量，其系数无从估计",
                "covariates that are collinear among untreated cells change afterwards: their "
                "slopes are unknown",
            ),
            where=f"{design.name} › {names}",
            mend=Text("去掉这些协变量", "leave these covariates out"),
        )
    return _Parts(rows, untreated, treated, step)


def _families(
    design: Design, parts: _Parts
) -> tuple[list[NDArray[np.int64]], list[list[int]], list[int]]:
    """Label treated rows by part: all, event time, cohort, calendar period."""
    rows, treated = parts.rows, parts.treated
    ordinals = np.asarray(design.periods)
    labels, names = [], []
    for values in (
        np.zeros(len(rows.y)),
        rows.event,
        rows.cohort,
        ordinals[rows.period].astype(float),
    ):
        found, place = np.unique(values[treated], return_inverse=True)
        label = np.full(len(rows.y), -1, dtype=np.int64)
        label[treated] = place.ravel()
        labels.append(label)
        names.append([int(one) for one in found])
    return labels, names, [len(one) for one in names]


def _groups(design: Design, rows: Rows, by: str) -> NDArray[np.int64]:
    if by == "all":
        return np.zeros(len(rows.y), dtype=np.int64)
    event = np.where(np.isfinite(rows.event), rows.event, -1)
    if by == "event_time":
        return np.maximum(event, -1).astype(np.int64) + 1
    cohort = np.unique(rows.cohort, return_inverse=True)[1].ravel()
    return (cohort * len(design.periods) + rows.period).astype(np.int64)


def _leads(design: Design, parts: _Parts, options: Mapping[str, str]) -> Regression | None:
    """Regress untreated outcomes on leads of the start."""
    rows = parts.rows.keep(parts.untreated)
    near = np.unique(rows.event[np.isfinite(rows.event)])[::-1]  # the last before the start first
    wanted = options["pretrends"]
    n = min(len(near) - 1, _AUTO_LEADS) if wanted == "auto" else min(int(wanted), len(near))
    if n < 1:
        return None
    leads = [int(e) for e in near[:n]][::-1]
    try:
        if _is_plain(design, options):
            starts, group = np.unique(design.starts, return_inverse=True)
            event = np.asarray(design.periods)[None] - starts[:, None]
            return regress_groups(
                design.y,
                group.ravel(),
                np.array([event == e for e in leads]).astype(float),
                names=[*map(_lead, leads)],
                weight=np.ones(len(design.units)),
                cluster=clusters_of(design),
                errors="cluster",
                small_sample="nested",
                seen=event < -design.anticipation,
            )
        flag = np.full(len(rows.y), -1, dtype=np.int64)
        for k, e in enumerate(leads):
            flag[rows.event == e] = k
        if is_nested(rows.level, rows.cluster):
            return regress_flags(
                rows.y,
                flag,
                rows.covariates,
                names=[*rows.names, *map(_lead, leads)],
                level=rows.level,
                period=rows.period,
                weights=rows.weights,
                cluster=rows.cluster,
                small_sample="nested",
            )
        flags = flag[:, None] == np.arange(n)
        return regress(
            rows.y,
            np.column_stack([rows.covariates, flags]).astype(float),
            names=[*rows.names, *map(_lead, leads)],
            absorb=[rows.level, rows.period],
            weights=rows.weights,
            errors="cluster",
            clusters=[rows.cluster],
        )
    except ValueError:
        return None


def _is_plain(design: Design, options: Mapping[str, str]) -> bool:
    return (
        design.is_balanced
        and design.covariates is None
        and design.weights is None
        and options["levels"] == "unit"
    )


def _lead(event: int) -> str:
    return f"{_LEAD}{event}"


def _is_lead(name: str) -> bool:
    return name.startswith(_LEAD)


def _before(leads: Regression | None, level: float) -> dict[int, Estimate]:
    if leads is None:
        return {}
    return {
        int(name.removeprefix(_LEAD)): normal_estimate(*leads.get(name), level)
        for name in leads.names
        if _is_lead(name)
    }


def _joint_test(leads: Regression | None) -> dict[str, tuple[float | int | str | None, ...]]:
    """Test that all leads are zero: an F statistic, as ``did_imputation`` reports it."""
    if leads is None:
        return {}
    from scipy.special import fdtrc

    place = [k for k, name in enumerate(leads.names) if _is_lead(name)]
    covariance = leads.covariance[np.ix_(place, place)]
    coefficients = leads.coefficients[place]
    rank = int(np.linalg.matrix_rank(covariance))
    if rank < len(place):
        return {"f": (None,), "df_leads": (rank,), "df_clusters": (leads.degrees,), "p": (None,)}
    f = float(coefficients @ np.linalg.solve(covariance, coefficients)) / rank
    p = float(fdtrc(rank, leads.degrees, f))
    return {"f": (f,), "df_leads": (rank,), "df_clusters": (leads.degrees,), "p": (p,)}


def _event_covariance(
    leads: Regression | None, scores: Floats, rows: Rows
) -> tuple[tuple[float, ...], ...]:
    """Join the scores of leads and of effects by cluster; empty where an error is unknown."""
    before = np.zeros((len(scores), 0))
    if leads is not None and leads.scores is not None:
        place = [k for k, name in enumerate(leads.names) if _is_lead(name)]
        before = np.zeros((len(scores), len(place)))
        # Clusters without an untreated row have no part in the leads.
        present = np.unique(rows.cluster[rows.event < 0])
        if len(present) != len(leads.scores):
            return ()
        before[present] = leads.scores[:, place]
    joint = np.column_stack([before, scores])
    covariance = joint.T @ joint
    if not np.isfinite(covariance).all():
        return ()
    return tuple(tuple(map(float, row)) for row in covariance)


def _dynamic(values: Floats, scores: Floats, offsets: NDArray[np.int64], level: float) -> Estimate:
    part = slice(offsets[1], offsets[2])
    error = float(np.sqrt((scores[:, part].mean(axis=1) ** 2).sum()))
    return normal_estimate(float(values[part].mean()), error, level)


def _counterfactual(design: Design, parts: _Parts) -> Floats:
    rows = parts.rows
    usable = np.isfinite(rows.cohort) & (parts.untreated | parts.treated)
    whole = np.isfinite(rows.cohort)
    imputed = np.where(usable, rows.y - parts.step.effects, np.nan)[whole]
    period = rows.period[whole]
    count = np.bincount(period, minlength=len(design.periods))
    with np.errstate(invalid="ignore", divide="ignore"):
        # NaN where a treated cell can't be imputed.
        return np.asarray(
            np.bincount(period, weights=imputed, minlength=len(design.periods)) / count
        )


def _slopes(
    rows: Rows, step: FirstStep
) -> dict[str, dict[str, tuple[float | int | str | None, ...]]]:
    if not len(step.slopes):
        return {}
    names = tuple(name for name, kept in zip(rows.names, step.kept, strict=True) if kept)
    return {"covariates": {"name": names, "slope": tuple(map(float, step.slopes))}}
