"""From a design to the rows of a regression, one for each cell that was observed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design, LeftOut
from cps.design.subset import subset_design
from cps.errors import DesignError, Finding, Text
from cps.estimators._regression import as_codes
from cps.estimators._scale import normal_estimate
from cps.result import Estimate

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

LEVELS = ("unit", "cohort", "cluster")
COVARIATES = ("as_given", "by_period")
FEW = 5


@dataclass(frozen=True, slots=True)
class Rows:
    """The observed cells of a design, unit after unit.

    Parameters
    ----------
    unit, period : ndarray of int, shape (n,)
        Places in the design's ``units`` and ``periods``.
    y : ndarray, shape (n,)
    event : ndarray, shape (n,)
        Period less start; minus infinity for never treated.
    cohort : ndarray, shape (n,)
        First treated period; infinity for never treated.
    level, cluster : ndarray of int, shape (n,)
        Whose level each row shares, and whose errors.
    weights : ndarray, shape (n,)
    is_weighted : bool
    covariates : ndarray, shape (n, p); ``names`` names the columns
    """

    unit: Codes
    period: Codes
    y: Floats
    event: Floats
    cohort: Floats
    level: Codes
    cluster: Codes
    weights: Floats
    is_weighted: bool
    covariates: Floats
    names: tuple[str, ...]

    def keep(self, mask: NDArray[np.bool_]) -> Rows:
        """Give the rows within ``mask``; levels and clusters keep their numbers."""
        return dataclasses.replace(
            self,
            **{
                name: getattr(self, name)[mask]
                for name in (
                    "unit",
                    "period",
                    "y",
                    "event",
                    "cohort",
                    "level",
                    "cluster",
                    "weights",
                    "covariates",
                )
            },
        )


def clusters_of(design: Design) -> Codes:
    """Number each unit's cluster, shape (n_units,); each its own if the design has none."""
    if design.cluster is None:
        return np.arange(len(design.units))
    return as_codes(design.cluster)


def rows_of(design: Design, options: Mapping[str, str]) -> Rows:
    """Lay the observed cells of a design out as rows.

    ``options["levels"]`` says who shares a level (each unit its own, if absent);
    ``options["covariates"]`` whether covariates enter as they are or with a slope for each period.
    """
    seen = ~np.isnan(design.y)
    unit, period = (one.astype(np.int64) for one in np.nonzero(seen))
    start = design.starts
    ordinals = np.asarray(design.periods, float)
    clusters = clusters_of(design)
    shared = {"unit": np.arange(len(start)), "cohort": as_codes(start), "cluster": clusters}
    covariates, names = _covariates(
        design, unit, period, options.get("covariates", "as_given") == "by_period"
    )
    return Rows(
        unit,
        period,
        design.y[unit, period],
        ordinals[period] - start[unit],
        start[unit],
        shared[options.get("levels", "unit")][unit].astype(np.int64),
        clusters[unit].astype(np.int64),
        np.ones(len(unit)) if design.weights is None else design.weights[unit, period],
        design.weights is not None,
        covariates,
        names,
    )


def _covariates(
    design: Design, unit: Codes, period: Codes, by_period: bool
) -> tuple[Floats, tuple[str, ...]]:
    if design.covariates is None:
        return np.zeros((len(unit), 0)), ()
    given = design.covariates[:, unit, period].T
    if not by_period:
        return given, design.covariate_names
    # One slope a period; the first is the reference where the covariate is fixed.
    return (
        np.concatenate(
            [given * (period == t)[:, None] for t in range(len(design.periods))], axis=1
        ),
        tuple(
            f"{name} × {label}" for label in design.period_labels for name in design.covariate_names
        ),
    )


def units_by_event(rows: Rows) -> dict[int, int]:
    """Count the treated units observed at each event time."""
    found, count = np.unique(rows.event[np.isfinite(rows.event)], return_counts=True)
    return {int(e): int(n) for e, n in zip(found, count, strict=True)}


def level_findings(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject own levels for units seen once, and cluster levels without clusters."""
    levels = options.get("levels", "unit")
    if len(np.unique(clusters_of(design))) < 2:
        return (
            Finding(
                "E-EST-ONE-CLUSTER",
                "reject",
                Text(
                    "所有单位同属一个聚类，误差无从估计", "all units are in one cluster: no error"
                ),
                f"{design.name} › cluster",
                Text(
                    "设计时不给 cluster，或用更细的聚类", "leave cluster out, or take a finer one"
                ),
            ),
        )
    if levels == "cluster" and design.cluster is None:
        return (
            Finding(
                "E-EST-NO-CLUSTERS",
                "reject",
                Text("设计没有给出聚类", "the design has no clusters"),
                f"{design.name} › levels=cluster",
                Text("设计时给出 cluster，或用 levels=unit", "give cluster, or use levels=unit"),
            ),
        )
    if levels == "unit" and (~np.isnan(design.y)).sum(axis=1).max() < 2:
        return (
            Finding(
                "E-EST-SEEN-ONCE",
                "reject",
                Text(
                    "每个单位只观测到一次，单位固定效应无从估计",
                    "every unit was observed once: it can't have a level of its own",
                ),
                design.name,
                Text(
                    "重复截面数据请用 levels=cohort",
                    "use levels=cohort for repeated cross-sections",
                )
                if "levels" in options
                else Text(
                    "重复截面数据请改用 imputation，并设 levels=cohort",
                    "for repeated cross-sections take imputation with levels=cohort",
                ),
            ),
        )
    return ()


def few_treated(design: Design) -> tuple[Finding, ...]:
    """Warn where clustered errors rest on few treated clusters."""
    treated = [one is not None for one in design.cohort]
    names = design.units if design.cluster is None else design.cluster
    count = len({name for name, is_one in zip(names, treated, strict=True) if is_one})
    if count >= FEW:
        return ()
    noun_zh = "承办单位" if design.cluster is None else "有承办单位的聚类"
    noun_en = "treated units" if design.cluster is None else "clusters with treated units"
    return (
        Finding(
            "W-EST-FEW-TREATED",
            "warn",
            Text(
                f"{noun_zh}只有 {count} 个，按聚类计算的标准误明显偏小，区间不可尽信",
                f"{count} {noun_en}: clustered standard errors are far too small, and so are the "
                "intervals",
            ),
            design.name,
            Text(
                "以安慰剂或置换推断的结果为准",
                "rely on placebo or randomisation inference",
            ),
            count=count,
        ),
    )


def alone_findings(design: Design, mend: Text) -> tuple[Finding, ...]:
    """Say so where a cohort is a single cluster: its own average hides its noise."""
    names = design.units if design.cluster is None else design.cluster
    members = {
        g: len({n for n, cohort in zip(names, design.cohort, strict=True) if cohort == g})
        for g in design.cohorts
    }
    alone = [g for g, count in members.items() if count == 1]
    if not alone:
        return ()
    labels = dict(zip(design.periods, design.period_labels, strict=True))
    return (
        Finding(
            "W-EST-ALONE-IN-COHORT",
            "warn",
            Text(
                f"{len(alone)} 个启动批次只有一个承办单位（聚类），其自身波动未计入标准误",
                f"{len(alone)} cohorts are a single unit (cluster): its own noise does not enter "
                "the standard error",
            ),
            ", ".join(labels.get(g, str(g)) for g in alone[:5]),
            mend,
            count=len(alone),
        ),
    )


def collinear_finding(design: Design, dropped: tuple[str, ...]) -> tuple[Finding, ...]:
    """Name the covariates that the effects or other covariates span."""
    if not dropped:
        return ()
    return (
        Finding(
            "N-EST-COLLINEAR",
            "note",
            Text(
                f"{len(dropped)} 个协变量与固定效应或其他协变量共线，未进入回归",
                f"{len(dropped)} covariates are spanned by the fixed effects or by others, and are "
                "left out",
            ),
            f"{design.name} › {', '.join(dropped[:5])}" + (" …" if len(dropped) > 5 else ""),
            Text(
                "不随时间变化的协变量可用 covariates=by_period",
                "give covariates that do not change over time a slope by period: "
                "covariates=by_period",
            ),
            count=len(dropped),
        ),
    )


def t_estimate(att: float, se: float | None, level: float, degrees: int | None) -> Estimate:
    """Give an estimate with Student's interval and p-value; normal ones if ``degrees`` is None."""
    if se is None or not np.isfinite(se) or se <= 0 or degrees is None or degrees < 1:
        return normal_estimate(att, se if degrees is None else None, level)
    from scipy.special import stdtr, stdtrit

    half = float(stdtrit(degrees, 0.5 + level / 2)) * se
    p_value = float(2 * stdtr(degrees, -abs(att / se)))
    return Estimate(float(att), float(se), float(att - half), float(att + half), p_value)


def under_each(design: Design, starts: Floats, estimate: Callable[[Design], float]) -> Floats:
    """Estimate under each assignment, shape (n_assignments, n_units); NaN where it can't be."""
    found = np.full(len(starts), np.nan)
    for place, row in enumerate(starts):
        try:
            found[place] = estimate(assigned(design, row))
        except (DesignError, ValueError):
            continue
    return found


def always_treated(design: Design) -> list[LeftOut]:
    """Give the units treated from the first period on that were kept with all that the design has."""
    return [
        one
        for one in design.left_out
        if one.reason == "always_treated"
        and (design.covariates is None or one.covariates is not None)
        and (design.weights is None or one.weights is not None)
        and (design.cluster is None or one.cluster is not None)
    ]


def with_always_treated(design: Design) -> Design:
    """Put the units that were treated from the first period on back."""
    more = always_treated(design)
    if not more:
        return design
    y = np.vstack([design.y, *(one.y for one in more)])
    covariates, weights, cluster = design.covariates, design.weights, design.cluster
    if covariates is not None:
        given = [one.covariates for one in more if one.covariates is not None]
        covariates = np.concatenate([covariates, np.stack(given, axis=1)], axis=1)
    if weights is not None:
        weights = np.vstack([weights, *(one.weights for one in more if one.weights is not None)])
    if cluster is not None:
        cluster = (*cluster, *(one.cluster for one in more if one.cluster is not None))
    return dataclasses.replace(
        design,
        units=(*design.units, *(one.unit for one in more)),
        y=y,
        y_natural=y,
        cohort=(*design.cohort, *(design.periods[0] for _ in more)),
        is_donor=np.append(design.is_donor, np.zeros(len(more), dtype=bool)),
        covariates=covariates,
        weights=weights,
        cluster=cluster,
        exposure=None,
    )


def collapsed(design: Design, starts: Floats) -> tuple[Design, Floats]:
    """Put the units of each cluster together, where they start together under every assignment.

    A regression whose levels are not the units' own, and that has no covariates, knows the panel by
    the means and sizes of its cells alone: the clusters' means, weighted by their rows, give the
    same coefficient. Gives design and starts as they are where that is not so.
    """
    if design.cluster is None or design.covariates is not None or design.other_cohorts:
        return design, starts
    names, first, code = np.unique(np.array(design.cluster), return_index=True, return_inverse=True)
    code = code.ravel()
    if len(names) == len(code):
        return design, starts
    if any((row[first][code] != row).any() for row in starts):
        return design, starts
    seen = ~np.isnan(design.y)
    weight = np.where(seen, 1.0 if design.weights is None else design.weights, 0.0)
    sums, mass = (
        np.array([np.bincount(code, column, len(names)) for column in table.T]).T
        for table in (weight * np.where(seen, design.y, 0.0), weight)
    )
    y = np.divide(sums, mass, out=np.full(mass.shape, np.nan), where=mass > 0)
    small = dataclasses.replace(
        design,
        units=tuple(map(str, names)),
        y=y,
        y_natural=y,
        cohort=tuple(design.cohort[one] for one in first),
        is_donor=design.is_donor[first],
        weights=np.where(mass > 0, mass, 1.0),
        cluster=tuple(map(str, names)),
        dose=None,
        denominator=None,
        exposure=None,
    )
    return small, starts[:, first]


def unfitted(design: Design, error: ValueError) -> DesignError:
    """Say in words that a regression could not be fitted."""
    return DesignError(
        Text(
            "回归无法估计：参数不少于观测，或自变量全部共线",
            f"the regression can't be fitted: {error}",
        ),
        where=design.name,
        mend=Text("增加对照单位，或减少协变量", "add comparison units, or leave out covariates"),
    )


def assigned(design: Design, row: Floats) -> Design:
    """Give the design with other starts; infinity for never."""
    return subset_design(
        design, cohort=[int(start) if np.isfinite(start) else None for start in row]
    )
