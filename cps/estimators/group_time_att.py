"""Group-time average treatment effects with analytic standard errors.

Callaway & Sant'Anna (2021), Journal of Econometrics 225(2), 200-230,
doi:10.1016/j.jeconom.2020.12.001. Numbers agree with R ``did`` (``bstrap = FALSE``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError, Finding, Text
from cps.estimators._group_aggregate import Window
from cps.estimators._group_fit import Ask, Family, Fit, fit_effects, has_shortcut, sorted_starts
from cps.estimators._group_points import effect_alone, effects_under
from cps.estimators._group_rows import Panel, is_constant
from cps.estimators._group_words import few_clusters, few_treated, left_out_cells, no_cell_bands
from cps.estimators._options import Number
from cps.estimators._scale import effect_measure, natural_scale, normal_estimate
from cps.result import Effect, Estimate, EventTimeEffect, GroupTimeEffect, PathPoint, PeriodEffect

REFERENCE = "Callaway & Sant'Anna (2021), J. Econometrics 225(2), doi:10.1016/j.jeconom.2020.12.001"
NAME = Text("分组-时期平均处理效应", "Group-time average treatment effects")
ESTIMAND = Text(
    "各启动批次在各时期对承办单位的平均效应（ATT(g,t)），按承办单位数加权",
    "average effect on the treated by cohort and period, ATT(g,t), weighted by cohort size",
)
ASSUMES = Text(
    "若未启动，承办单位与对照单位的变化相同（有协变量时为协变量相同的单位之间）；"
    "预期期以前没有影响；各单位（给出聚类时为各聚类）相互独立，且数目足够多",
    "without treatment, treated and comparison units would have changed alike (among units with the "
    "same covariates, where there are any); no effect before the anticipated periods; units (or "
    "clusters, where given) are independent of one another, and many",
)
OPTIONS: dict[str, tuple[str, ...] | Number] = {
    "control": ("never", "not_yet"),
    "base": ("varying", "universal"),
    "covariate_method": ("doubly_robust", "regression", "ipw", "improved"),
    "balance_e": Number("none", low=0, is_whole=True, words=("none",)),
    "min_e": Number("none", is_whole=True, words=("none",)),
    "max_e": Number("none", low=0, is_whole=True, words=("none",)),
    "draws": Number(1000, low=0, high=100_000, is_whole=True),
}
SUPPORTS = frozenset({"gaps", "covariates", "weights", "clusters"})


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design without the comparison units that ``options`` asks for."""
    if options["control"] == "never" and design.n_donors == 0:
        return (
            Finding(
                "E-EST-NO-NEVER-TREATED",
                "reject",
                Text("没有从未处理的单位作对照", "no never-treated unit to compare with"),
                f"{design.name} › control=never",
                Text(
                    "改用 control=not_yet，或加入从未处理的单位",
                    "use control=not_yet, or add never-treated units",
                ),
            ),
        )
    return ()


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Estimate every ATT(g, t) that has a comparison, and the four aggregations.

    Pre-treatment periods use the period before (``base="varying"``) or the last one before
    treatment (``"universal"``), as R ``did`` does. Covariates (and weights that change) count with
    their value in the earlier of the two periods. A panel with gaps is compared as repeated
    cross-sections are, errors by unit. ``balance_e``, ``min_e`` and ``max_e`` limit the event
    times that are averaged, as in R's ``aggte``. Bands come from ``draws`` draws of the Gaussian
    multiplier bootstrap, begun at ``seed``; nothing else is drawn.

    Raises
    ------
    DesignError
        If no period after a start has a unit to compare with, or covariates forbid it.
    """
    ask = _ask(design, options)
    panel, cohorts = _panel(design), sorted_starts(design.cohort)
    fitted = fit_effects(panel, cohorts, np.asarray(design.periods), ask, seed=seed, level=level)
    if isinstance(fitted, list):
        raise _nothing_after(design, options["control"], left_out_cells(design, fitted))
    return _effect(design, fitted, level=level, options=options)


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Estimate the average over all treated cells alone; NaN where nothing can be compared."""
    panel, cohorts = _panel(design), sorted_starts(design.cohort)
    return effect_alone(panel, cohorts, np.asarray(design.periods), _ask(design, options))


def points(
    design: Design, starts: NDArray[np.float64], *, options: Mapping[str, str]
) -> NDArray[np.float64]:
    """Estimate the average over all treated cells under many assignments.

    Parameters
    ----------
    starts : ndarray, shape (n_assignments, n_units)
        First treated periods, infinity for never; NaN for a unit that takes no part.

    Returns
    -------
    ndarray, shape (n_assignments,)
        NaN where nothing can be compared.
    """
    panel = _panel(design)
    if has_shortcut(panel):
        return effects_under(panel, starts, np.asarray(design.periods), _ask(design, options))
    found = []
    for row in starts:
        cohort = [int(one) if np.isfinite(one) else None for one in row]
        there = None if not np.isnan(row).any() else ~np.isnan(row)
        found.append(point(subset_design(design, units=there, cohort=cohort), options=options))
    return np.array(found)


def outcome_points(
    design: Design, outcomes: NDArray[np.float64], *, options: Mapping[str, str]
) -> NDArray[np.float64] | None:
    """Estimate the same average of other outcomes; None if the design takes one at a time.

    Parameters
    ----------
    outcomes : ndarray, shape (n_outcomes, n_units, n_periods)
    """
    panel = _panel(design)
    if not has_shortcut(panel):
        return None
    starts = np.broadcast_to(design.starts, outcomes.shape[:2])
    ask = _ask(design, options)
    return effects_under(panel, starts, np.asarray(design.periods), ask, outcomes)


def _ask(design: Design, options: Mapping[str, str]) -> Ask:
    def limit(name: str) -> float | None:
        return None if options[name] == "none" else float(options[name])

    return Ask(
        control=options["control"],
        base=options["base"],
        method=options["covariate_method"],
        window=Window(limit("balance_e"), limit("min_e"), limit("max_e")),
        anticipation=design.anticipation,
        n_draws=int(options["draws"]),
    )


def _panel(design: Design) -> Panel:
    cluster = None
    if design.cluster is not None:
        _, cluster = np.unique(np.array(design.cluster), return_inverse=True)
    return Panel(
        design.y,
        design.covariates,
        design.weights,
        cluster,
        is_complete=design.is_balanced,
        is_fixed=is_constant(design.covariates) and is_constant(design.weights),
    )


def _effect(design: Design, fitted: Fit, *, level: float, options: Mapping[str, str]) -> Effect:
    cohorts, periods = fitted.cohorts, np.asarray(design.periods)
    starts, sizes = cohorts.starts, cohorts.sizes[:-1]
    aggregations = {
        name: normal_estimate(att, None if np.isnan(se) else se, level)
        for name, (att, se) in fitted.overall.items()
    }
    overall = aggregations["simple"]
    first = int(starts[0])
    lacks_bands = (
        options["draws"] != "0"
        and fitted.group_time.critical is None
        and bool(np.isfinite(fitted.group_time.se).any())
    )
    event_time = periods[fitted.cells.time] - starts[fitted.cells.cohort]
    return Effect(
        initiative=design.name,
        outcome=design.outcome,
        measure=effect_measure(design),
        natural_measure=design.measure,
        estimand=ESTIMAND,
        method="group_time_att",
        method_name=NAME,
        reference=REFERENCE,
        options=dict(options),
        overall=overall,
        natural=natural_scale(design, overall),
        level=level,
        inference="analytic",
        p_value_floor=None,
        n_treated=int(sizes.sum()),
        n_comparison=design.n_donors,
        n_pre=int((periods < first - design.anticipation).sum()),
        n_post=int((periods >= first).sum()),
        by_event_time=tuple(
            EventTimeEffect(int(e), one, int(sizes[fitted.cells.cohort[event_time == e]].sum()))
            for e, one in zip(
                fitted.by_event.labels, _estimates(fitted.by_event, level), strict=True
            )
        ),
        by_cohort=tuple(
            PeriodEffect(int(g), one, int(sizes[starts == g].sum()))
            for g, one in zip(
                fitted.by_cohort.labels, _estimates(fitted.by_cohort, level), strict=True
            )
        ),
        by_calendar=tuple(
            PeriodEffect(int(t), one, int(sizes[starts <= t].sum()))
            for t, one in zip(
                fitted.by_calendar.labels, _estimates(fitted.by_calendar, level), strict=True
            )
        ),
        group_time=tuple(
            GroupTimeEffect(g, t, one)
            for g, t, one in zip(
                starts[fitted.cells.cohort].tolist(),
                periods[fitted.cells.time].tolist(),
                _estimates(fitted.group_time, level),
                strict=True,
            )
        ),
        aggregations=aggregations,
        paths=_paths(design.periods, fitted.observed, fitted.counterfactual),
        findings=(
            *few_treated(design, starts, sizes),
            *few_clusters(design),
            *left_out_cells(design, fitted.failed),
            *([no_cell_bands(design, len(fitted.cells.time))] if lacks_bands else []),
        ),
        design_hash=design.design_hash,
        assumes=ASSUMES,
        event_covariance=tuple(map(tuple, fitted.event_covariance.tolist())),
        tables=_tables(fitted),
    )


def _estimates(family: Family, level: float) -> list[Estimate]:
    """Give estimates with normal intervals, p-values and the family's band."""
    att, se = family.att, family.se
    half = NormalDist().inv_cdf(0.5 + level / 2) * se
    band = (np.nan if family.critical is None else family.critical) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.abs(att) / se / math.sqrt(2)
    has_error, has_band = np.isfinite(se), np.isfinite(band)
    columns = (att, se, att - half, att + half, distance, att - band, att + band)
    return [
        Estimate(value, error, low, high, math.erfc(far), lower, upper)
        if with_band
        else Estimate(value, error, low, high, math.erfc(far))
        if with_error
        else Estimate(value)
        for value, error, low, high, far, lower, upper, with_error, with_band in zip(
            *(one.tolist() for one in columns),
            has_error.tolist(),
            has_band.tolist(),
            strict=True,
        )
    ]


def _paths(
    periods: Sequence[int], observed: NDArray[np.float64], other: NDArray[np.float64]
) -> tuple[PathPoint, ...]:
    def known(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    return tuple(
        PathPoint(period, known(seen), known(without))
        for period, seen, without in zip(periods, observed, other, strict=True)
    )


def _tables(fitted: Fit) -> dict[str, dict[str, tuple[float | int | str | None, ...]]]:
    tables: dict[str, dict[str, tuple[float | int | str | None, ...]]] = {}
    if fitted.pretests:
        tables["pretest"] = {
            "periods": tuple(name for name, _ in fitted.pretests),
            "wald": tuple(one.statistic for _, one in fitted.pretests),
            "degrees_of_freedom": tuple(one.degrees_of_freedom for _, one in fitted.pretests),
            "p_value": tuple(one.p_value for _, one in fitted.pretests),
        }
    if fitted.failed:
        tables["cells_left_out"] = {
            "cohort": tuple(one[0] for one in fitted.failed),
            "period": tuple(one[1] for one in fitted.failed),
            "reason": tuple(one[2] for one in fitted.failed),
        }
    return tables


def _nothing_after(design: Design, control: str, failed: tuple[Finding, ...]) -> DesignError:
    if failed:
        return DesignError(
            failed[0].what, where=failed[0].where, mend=failed[0].mend, findings=failed
        )
    return DesignError(
        Text(
            "启动以后没有任何一期有可比较的单位",
            "no period after a start has a unit to compare with",
        ),
        where=f"{design.name} › control={control}",
        mend=Text(
            "加入从未处理或更晚处理的单位", "add units that are never treated, or treated later"
        ),
    )
