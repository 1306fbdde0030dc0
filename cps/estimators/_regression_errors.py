"""Errors that are none: clusters too few to have any, or nothing but rounding."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._regression_panel import clusters_of
from cps.result import Effect, Estimate

_LEAST_CLUSTERS = 3
# An error this small beside what varies, or beside the numbers themselves, is rounding.
_OF_NOISE = 1e-10
_OF_SIZE = 1e-13


def without_false_errors(design: Design, effect: Effect) -> Effect:
    """Take errors, intervals and p-values away where they say nothing, and say so.

    With one treated and one comparison cluster the clusters' scores are zero by construction: the
    regression fits both of them. A standard error of rounding's size would make any p-value zero.
    """
    n_clusters = len(np.unique(clusters_of(design)))
    is_clustered = effect.options.get("errors", "cluster") not in ("robust", "iid")
    floor = np.inf if is_clustered and n_clusters < _LEAST_CLUSTERS else rounding_floor(design)

    def cleaned(one: Estimate) -> Estimate:
        return Estimate(one.att) if one.se is not None and one.se <= floor else one

    overall = cleaned(effect.overall)
    parts: dict[str, Any] = {
        name: tuple(
            dataclasses.replace(one, estimate=cleaned(one.estimate))
            for one in getattr(effect, name)
        )
        for name in ("by_event_time", "by_cohort", "by_calendar", "group_time")
    }
    lost = any(
        was.estimate.se is not None and one.estimate.se is None
        for was, one in zip(effect.by_event_time, parts["by_event_time"], strict=True)
    )
    is_none = overall.se is None
    # Of cohorts that are one cluster each, leave_out has no error and says so itself.
    says = is_none and effect.options.get("leave_out") != "yes"
    natural = effect.natural
    if is_none and natural is not None:
        natural = Estimate(natural.att)
    return dataclasses.replace(
        effect,
        overall=overall,
        natural=natural,
        aggregations={name: cleaned(one) for name, one in effect.aggregations.items()},
        event_covariance=() if lost else effect.event_covariance,
        tables=_tables(effect, floor),
        inference="none" if is_none else effect.inference,
        findings=(
            *(
                one
                for one in effect.findings
                if not (says and one.code in ("W-EST-FEW-TREATED", "W-EST-ALONE-IN-COHORT"))
            ),
            *(_said(design, n_clusters, np.isinf(floor)) if says else ()),
        ),
        **parts,
    )


def _tables(
    effect: Effect, floor: float
) -> dict[str, dict[str, tuple[float | int | str | None, ...]]]:
    """Take errors away from tables too, where clusters are too few for any."""
    if not np.isinf(floor):
        return effect.tables
    names = ("se", "ci_low", "ci_high", "p_value")
    return {
        title: {
            name: (None,) * len(column) if name in names else column
            for name, column in table.items()
        }
        for title, table in effect.tables.items()
    }


def without_rounding(design: Design, one: Estimate) -> Estimate:
    """Take an error of rounding's size away, and the interval that it spans; a rank's p stays."""
    if one.se is None or one.se > rounding_floor(design):
        return one
    return Estimate(one.att, p_value=one.p_value)


def rounding_floor(design: Design) -> float:
    """Give the size below which an error is rounding: of the panel without its two means."""
    y = design.y
    seen = ~np.isnan(y)
    filled = np.where(seen, y, 0.0)
    by_unit = filled.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    left = np.where(seen, y - by_unit[:, None], 0.0)
    by_period = left.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    left = np.where(seen, left - by_period, 0.0)
    noise = float(np.sqrt((left**2).sum() / seen.sum()))
    return _OF_NOISE * noise + _OF_SIZE * float(np.abs(filled).max())


def _said(design: Design, n_clusters: int, is_few: bool) -> tuple[Finding, ...]:
    noun_zh, noun_en = ("单位", "units") if design.cluster is None else ("聚类", "clusters")
    what = (
        Text(
            f"全部{noun_zh}只有 {n_clusters} 个，承办与对照各自的波动无从估计，不给标准误、区间和 p 值",
            f"{n_clusters} {noun_en} in all: their own noise can't be seen, so that there is no "
            "standard error, interval or p-value",
        )
        if is_few
        else Text(
            "残差为零或只剩舍入误差，不给标准误、区间和 p 值",
            "residuals are zero but for rounding: there is no standard error, interval or p-value",
        )
    )
    # The code of the method's own errors: another inference in their place makes it moot.
    code = "W-EST-FEW-TREATED" if is_few else "W-EST-NO-ERROR"
    mend = Text("补充对照单位，再作安慰剂推断", "add comparison units, and take placebo inference")
    return (Finding(code, "warn", what, design.name, mend),)
