"""Interaction-weighted event study: cohort by cohort against the never or last treated.

Sun & Abraham (2021), Journal of Econometrics 225(2), 175-199,
doi:10.1016/j.jeconom.2020.09.006. Numbers agree with ``sunab`` of R ``fixest``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import DesignError, Finding, Text
from cps.estimators._group_points import member_sums
from cps.estimators._regression import Errors, SmallSample
from cps.estimators._regression_absorb import dense
from cps.estimators._regression_errors import without_false_errors
from cps.estimators._regression_events import Cells, balanced_cells, saturated_cells
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
    t_estimate,
    under_each,
    unfitted,
    units_by_event,
)
from cps.estimators._scale import described, path_points
from cps.result import Effect, Estimate, EventTimeEffect, GroupTimeEffect, PeriodEffect

REFERENCE = "Sun & Abraham (2021), J. Econometrics 225(2), doi:10.1016/j.jeconom.2020.09.006"
NAME = Text("交互加权事件研究", "Interaction-weighted event study")
ESTIMAND = Text(
    "各启动批次在各时期对承办单位的平均效应，按观测数加权",
    "average effect on the treated by cohort and event time, weighted by observations",
)
ASSUMES = Text(
    "承办单位若未承办，与对照变化平行，且无预期反应；聚类之间独立，聚类（含承办的）不少；批次占比视为给定",
    "parallel trends with the comparison and no anticipation; independent clusters, neither few nor "
    "few treated; cohort shares taken as given",
)
OPTIONS: dict[str, tuple[str, ...]] = {
    "control": ("auto", "never", "last"),
    "levels": LEVELS,
    "covariates": COVARIATES,
    "errors": ("cluster", "robust", "iid"),
    "small_sample": ("nested", "full", "none"),
}
SUPPORTS = frozenset({"gaps", "covariates", "weights", "clusters"})
_ALONE = Text("以安慰剂或置换推断为准", "rely on placebo or randomisation inference")
_MOST = 50_000_000  # floats in a matrix of dummies

Floats = NDArray[np.float64]


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design without the comparison asked for, or without reference periods."""
    findings = list(level_findings(design, options))
    if options["control"] == "never" and not design.n_donors:
        findings.append(
            _reject(
                "E-EST-NO-NEVER-TREATED",
                Text("没有从未处理的单位作对照", "no never-treated unit to compare with"),
                f"{design.name} › control=never",
                Text("改用 control=last", "use control=last"),
            )
        )
    if not findings and not _usable(design, options).any():
        findings.append(_no_reference(design))
    if not findings and not _is_plain(design, options):
        n_cells = len(design.cohorts) * len(design.periods)
        is_laid_out = options["errors"] != "cluster" or options["levels"] != "unit"
        if is_laid_out and design.y.size * n_cells > _MOST:
            findings.append(
                _reject(
                    "E-EST-TOO-LARGE",
                    Text(
                        f"共 {n_cells} 个批次×时期，非聚类误差或非单位固定效应时超出内存",
                        f"{n_cells} cells of cohort and event time: too large with levels or "
                        "errors other than by unit",
                    ),
                    design.name,
                    Text("用 levels=unit 和 errors=cluster", "use levels=unit and errors=cluster"),
                )
            )
    return tuple(findings)


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Estimate every cell of cohort and event time, and average them by observations.

    The last period before the start (before anticipation) is the reference. Without never-treated
    units the last cohort is the comparison, and periods from its start on are left out. ``seed`` is
    not used: nothing is drawn.
    """
    rows, cells = _estimate(design, options)

    def as_estimate(att: float, se: float) -> Estimate:
        return t_estimate(att, se, level, cells.degrees)

    overall = as_estimate(*cells.mean(cells.event >= 0))
    starts = np.unique(cells.cohort)
    references = set(map(int, _reference_of(design, starts) - starts))
    others = sorted(set(map(int, cells.event)))
    events = sorted({*others, *references})
    share = cells.matrix(others, cells.event)
    att, covariance = share @ cells.att, share @ cells.covariance @ share.T
    by_event = {
        e: as_estimate(float(att[k]), _root(covariance[k, k])) for k, e in enumerate(others)
    }
    joint = np.zeros((len(events), len(events)))
    place = [events.index(e) for e in others]
    joint[np.ix_(place, place)] = covariance
    post = np.array([e >= 0 for e in others])
    mean = post / post.sum()
    aggregations = {
        "simple": overall,
        "dynamic": as_estimate(float(mean @ att), _root(mean @ covariance @ mean)),
    }
    comparison = _is_comparison(design, options)
    treated_units = units_by_event(rows)
    effect = dataclasses.replace(
        described(
            design,
            overall,
            level=level,
            method="interaction_weighted",
            method_name=NAME,
            reference=REFERENCE,
            estimand=ESTIMAND,
            inference="analytic",
            options=dict(options),
        ),
        n_treated=int((~comparison & np.isfinite(design.starts)).sum()),
        n_comparison=int(comparison.sum()),
        by_event_time=tuple(
            EventTimeEffect(e, by_event.get(e, Estimate(0.0)), treated_units.get(e, 0))
            for e in events
        ),
        by_cohort=tuple(
            PeriodEffect(
                int(g),
                as_estimate(*cells.mean((cells.cohort == g) & (cells.event >= 0))),
                sum(cohort == int(g) for cohort in design.cohort),
            )
            for g in np.unique(cells.cohort[cells.event >= 0])
        ),
        by_calendar=_by_calendar(design, cells, level),
        group_time=tuple(
            GroupTimeEffect(
                int(g),
                int(g + e),
                as_estimate(float(cells.att[k]), _root(cells.covariance[k, k])),
            )
            for k, (g, e) in enumerate(zip(cells.cohort, cells.event, strict=True))
        ),
        aggregations=aggregations,
        paths=path_points(design, _counterfactual(design, cells, rows)),
        findings=(
            *_comparison_finding(design, options),
            *_dropped_finding(design, cells),
            *collinear_finding(design, cells.lost),
            *alone_findings(design, _ALONE),
            *few_treated(design),
        ),
        assumes=ASSUMES,
        event_covariance=tuple(tuple(map(float, row)) for row in joint),
        tables={
            "covariates": {
                "name": tuple(one[0] for one in cells.slopes),
                "slope": tuple(one[1] for one in cells.slopes),
                "se": tuple(one[2] for one in cells.slopes),
            }
        }
        if cells.slopes
        else {},
    )
    return without_false_errors(design, effect)


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the average effect alone."""
    cells = _estimate(design, options)[1]
    return cells.mean(cells.event >= 0)[0]


def points(design: Design, starts: Floats, *, options: Mapping[str, str]) -> Floats:
    """Give the estimates under many assignments at once, shape (n_assignments,)."""

    def one(other: Design) -> float:
        if any(finding.severity == "reject" for finding in needs(other, options)):
            return float("nan")
        return point(other, options=options)

    if options["levels"] != "unit":
        design, starts = collapsed(design, starts)
    if not _is_plain(design, options) or options["control"] == "last":
        return under_each(design, starts, one)
    starts = np.where(np.asarray(starts) > design.periods[-1], np.inf, starts)
    if not np.isinf(starts).any(axis=1).all():
        return under_each(design, starts, one)
    return _batch(design, design.y[None], starts)


def outcome_points(
    design: Design, outcomes: Floats, *, options: Mapping[str, str]
) -> Floats | None:
    """Give the estimates of other outcomes; None if the design takes one at a time."""
    starts = np.where(design.starts > design.periods[-1], np.inf, design.starts)
    is_last = options["control"] == "last" or options["levels"] != "unit"
    if is_last or not _is_plain(design, options) or not np.isinf(starts).any():
        return None
    return _batch(design, outcomes, np.broadcast_to(starts, outcomes.shape[:2]))


def _batch(design: Design, y: Floats, starts: Floats) -> Floats:
    """Average changes since the reference, cohort by cohort, against the never treated."""
    periods = np.asarray(design.periods, float)
    weight = np.ones(len(design.units)) if design.weights is None else design.weights[:, 0]
    never = np.isinf(starts) * weight
    norm = member_sums(never, y) / never.sum(axis=1, keepdims=True)
    total, mass = np.zeros(len(starts)), np.zeros(len(starts))
    for g in np.unique(starts[np.isfinite(starts)]):
        at = int((periods < g - design.anticipation).sum()) - 1
        if at < 0:
            return np.full(len(starts), np.nan)
        member = (starts == g) * weight
        size = member.sum(axis=1)
        after = periods >= g
        gap = member_sums(member, y) - size[:, None] * norm
        total += (gap[:, after] - gap[:, [at]]).sum(axis=1)
        mass += size * after.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(mass > 0, total / mass, np.nan)


def _no_reference(design: Design) -> Finding:
    return _reject(
        "E-EST-NO-REFERENCE",
        Text(
            "没有一个启动批次既有启动前一期、又有启动后可比的观测",
            "no cohort has both its reference period and a comparable period afterwards",
        ),
        design.name,
        Text(
            "补充启动前后的台账，或加入从未处理的单位",
            "add ledgers around the start, or never-treated units",
        ),
    )


def _root(variance: float) -> float:
    """Give the standard error; rounding can leave a variance of nothing below zero."""
    return float(np.sqrt(max(float(variance), 0.0)))


def _reject(code: str, what: Text, where: str, mend: Text) -> Finding:
    return Finding(code, "reject", what, where, mend)


def _uses_last(design: Design, options: Mapping[str, str]) -> bool:
    return options["control"] == "last" or (options["control"] == "auto" and not design.n_donors)


def _is_comparison(design: Design, options: Mapping[str, str]) -> NDArray[np.bool_]:
    if _uses_last(design, options):
        return np.asarray(design.starts == max(design.cohorts))
    return np.asarray(design.is_donor)


def _inside(design: Design, rows: Rows, options: Mapping[str, str]) -> NDArray[np.bool_]:
    """Tell which rows enter: units of the comparison or treated, periods with a comparison."""
    start = design.starts
    inside = _is_comparison(design, options) | np.isfinite(start)
    rows_inside = inside[rows.unit]
    rows_inside &= _periods_kept(design, options)[rows.period]
    return np.asarray(rows_inside)


def _periods_kept(design: Design, options: Mapping[str, str]) -> NDArray[np.bool_]:
    """Tell which periods, shape (n_periods,), have a comparison."""
    if not _uses_last(design, options):
        return np.ones(len(design.periods), dtype=bool)
    return np.asarray(design.periods) < max(design.cohorts) - design.anticipation


def _usable(design: Design, options: Mapping[str, str]) -> NDArray[np.bool_]:
    """Tell which cohorts have their reference and a period afterwards."""
    comparison = _is_comparison(design, options)
    periods = [
        t for t, is_in in zip(design.periods, _periods_kept(design, options), strict=True) if is_in
    ]
    left = {
        g for g, is_in in zip(design.cohort, comparison, strict=True) if g is not None and not is_in
    }
    return np.array(
        [
            any(t < g - design.anticipation for t in periods) and any(t >= g for t in periods)
            for g in left
        ]
    )


def _is_plain(design: Design, options: Mapping[str, str]) -> bool:
    """Tell whether the saturated regression is a table of means."""
    constant = design.weights is None or bool((design.weights == design.weights[:, :1]).all())
    return (
        design.is_balanced
        and design.covariates is None
        and constant
        and options["levels"] == "unit"
        and options["errors"] == "cluster"
    )


def _reference_of(design: Design, cohort: Floats) -> Floats:
    """Give the last period before the start, less anticipation, shape of ``cohort``; NaN if none."""
    periods = np.asarray(design.periods, float)
    place = np.searchsorted(periods, cohort - design.anticipation) - 1
    found = np.where(place >= 0, periods[np.maximum(place, 0)], np.nan)
    return np.where(np.isfinite(cohort), found, np.nan)


def _estimate(design: Design, options: Mapping[str, str]) -> tuple[Rows, Cells]:
    try:
        rows, cells = _all_cells(design, options)
    except ValueError as error:
        raise unfitted(design, error) from error
    if not (cells.event >= 0).any():
        finding = _no_reference(design)
        raise DesignError(finding.what, where=finding.where, mend=finding.mend)
    return rows, cells


def _all_cells(design: Design, options: Mapping[str, str]) -> tuple[Rows, Cells]:
    small_sample = cast(SmallSample, options["small_sample"])
    rows = rows_of(design, options)
    comparison = _is_comparison(design, options)
    if _is_plain(design, options):
        start = design.starts
        used, kept = comparison | np.isfinite(start), _periods_kept(design, options)
        cells = balanced_cells(
            design.y[np.ix_(used, kept)],
            start[used],
            np.asarray(design.periods, float)[kept],
            anticipation=design.anticipation,
            is_comparison=comparison[used],
            weight=np.ones(int(used.sum())) if design.weights is None else design.weights[used, 0],
            is_weighted=design.weights is not None,
            cluster=dense(clusters_of(design)[used]),
            small_sample=small_sample,
        )
        return rows.keep(_inside(design, rows, options)), cells
    inside = rows.keep(_inside(design, rows, options))
    return inside, saturated_cells(
        inside,
        np.asarray(design.periods)[inside.period] == _reference_of(design, inside.cohort),
        treated=np.isfinite(inside.cohort) & ~comparison[inside.unit],
        errors=cast(Errors, options["errors"]),
        small_sample=small_sample,
    )


def _by_calendar(design: Design, cells: Cells, level: float) -> tuple[PeriodEffect, ...]:
    period = cells.cohort + cells.event
    return tuple(
        PeriodEffect(
            int(t),
            t_estimate(*cells.mean((period == t) & (cells.event >= 0)), level, cells.degrees),
            sum(cohort is not None and cohort <= int(t) for cohort in design.cohort),
        )
        for t in np.unique(period[cells.event >= 0])
    )


def _counterfactual(design: Design, cells: Cells, rows: Rows) -> Floats:
    """Give the treated units' mean less the average effect of the cells of each period."""
    cohorts = np.array(design.cohorts, float)
    gaps = np.full((len(cohorts), len(design.periods)), np.nan)
    periods = np.asarray(design.periods, float)
    gaps[periods[None] == _reference_of(design, cohorts)[:, None]] = 0.0
    at = np.searchsorted(cohorts, cells.cohort)
    gaps[at, np.searchsorted(periods, cells.cohort + cells.event)] = cells.att
    treated = np.isfinite(rows.cohort)
    period = rows.period[treated]
    gap = gaps[np.searchsorted(cohorts, rows.cohort[treated]), period]
    count = np.bincount(period, minlength=len(periods))
    with np.errstate(invalid="ignore", divide="ignore"):
        # NaN where a treated unit has no effect to take off.
        return np.asarray(
            np.bincount(period, weights=rows.y[treated] - gap, minlength=len(periods)) / count
        )


def _comparison_finding(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    if not _uses_last(design, options):
        return ()
    last = max(design.cohorts)
    label = dict(zip(design.periods, design.period_labels, strict=True)).get(last, str(last))
    return (
        Finding(
            "N-EST-LAST-COHORT",
            "note",
            Text(
                f"以最后启动的批次（{label}）为对照，{label} 起各期不用",
                f"the last cohort ({label}) is the comparison; periods from {label} on are not used",
            ),
            design.name,
            Text("加入从未处理的单位", "add never-treated units"),
        ),
    )


def _dropped_finding(design: Design, cells: Cells) -> tuple[Finding, ...]:
    lost = [(g, e) for g, e in cells.dropped]
    if not lost:
        return ()
    labels = dict(zip(map(float, design.periods), design.period_labels, strict=True))
    names = ", ".join(f"{labels.get(g, g)} {int(e):+d}" for g, e in lost[:5])
    return (
        Finding(
            "W-EST-CELLS-DROPPED",
            "warn",
            Text(
                f"{len(lost)} 个批次×时期与其余共线，无法识别，未计入平均",
                f"{len(lost)} cells of cohort and event time can't be told from the rest and are "
                "left out of the averages",
            ),
            f"{design.name} › {names}",
            Text("补充启动前一期的台账", "add ledgers of the period before the start"),
            count=len(lost),
        ),
    )
