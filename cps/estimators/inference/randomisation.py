"""Randomisation inference: the estimate among those of assignments that could have been.

Fisher's exact test of no effect, and of every constant effect for the interval; Rosenbaum (2002),
doi:10.1214/ss/1042727942; MacKinnon & Webb (2020), doi:10.1016/j.jeconom.2020.04.024; of the
timing, Roth & Sant'Anna (2023), doi:10.1086/726581; with comparison units only it is the placebo
in space of Abadie, Diamond & Hainmueller (2010), doi:10.1198/jasa.2009.ap08746.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._options import Number
from cps.estimators._regression_errors import without_rounding
from cps.estimators._scale import natural_scale
from cps.estimators.inference._assign import Assignments, assign
from cps.estimators.inference._events import bare, placebo_events
from cps.estimators.inference._refuse import (
    can_stand_in,
    groups_units,
    refusals,
    settle_scheme,
)
from cps.estimators.inference._statistic import Scores, choose
from cps.estimators.inference._words import floor_finding, open_finding
from cps.estimators.registry import Refit
from cps.result import Effect, Estimate

NAME = Text("随机化推断", "Randomisation inference")
REFERENCE = "Fisher (1935); MacKinnon & Webb (2020), doi:10.1016/j.jeconom.2020.04.024"
ASSUMES = Text(
    "若无处理，各单位（或聚类）的结果可互换：谁承办、何时启动如同抽签；区间另以效应处处相同为前提",
    "without treatment units (or clusters) are exchangeable: who was treated when is as if by lot; "
    "the interval also takes the effect to be the same everywhere",
)
OPTIONS: dict[str, tuple[str, ...] | Number] = {
    "scheme": ("auto", "units", "donors", "starts", "clusters", "within"),
    "statistic": ("estimate", "t"),
    "draws": Number(999, 19, 99_999, is_whole=True),
    "events": ("placebo", "none"),
}
_EVENT_PLACEBOS = 199
_LEAST_PLACEBOS = 39
_LEAST_DRAWS = 99
_CELLS = 40_000_000  # cells that all fits together may have: a minute or two


def needs(design: Design, effect: Effect, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design whose starts can't be reassigned, or a scheme with nothing to reassign."""
    return refusals(design, effect, options)


def infer(
    design: Design,
    effect: Effect,
    refit: Refit,
    *,
    level: float,
    seed: int,
    options: Mapping[str, str],
) -> Effect:
    """Rank the estimate among those under other assignments, and invert the test.

    The p-value counts the actual assignment and every tie. The interval holds the constant effects
    that are not rejected: exact for methods that are linear in the outcome, searched for with others.
    The scheme ``auto`` permutes among clusters where starts are theirs, else among units; methods
    that are neither linear nor fast are ranked among comparison units only, whose estimates do
    not move with the effect tested.
    """
    scheme = settle_scheme(design, options["scheme"], refit)
    asked = int(options["draws"])
    draws = _affordable(design, refit, asked)
    others = assign(design, scheme, draws, seed)
    att = effect.overall.att
    if att is None:
        return effect
    scores = choose(options["statistic"], att, refit, others, moves=scheme != "donors")
    overall, floor = _estimate(effect, scores, level)
    overall = without_rounding(design, overall)
    findings = [*effect.findings, _how(design, scheme, others, scores.n_failed)]
    if draws < asked and not others.is_all:
        findings.append(_capped(design, draws, asked))
    if scheme == "units" and groups_units(design):
        findings.append(_ignored(design))
    if floor > 1 - level:
        findings.append(floor_finding(design, floor, level, len(others.starts)))
    elif overall.ci_low is None or overall.ci_high is None:
        findings.append(open_finding(design))
    events, said = _events(design, effect, refit, options=options, level=level, seed=seed)
    return dataclasses.replace(
        bare(effect, overall),
        natural=natural_scale(design, overall),
        level=level,
        p_value_floor=floor,
        placebos=tuple(float(one) for one in scores.placebos if np.isfinite(one)),
        findings=(*findings, *said),
        **events,
    )


def _estimate(effect: Effect, scores: Scores, level: float) -> tuple[Estimate, float]:
    floor = scores.floor()
    low, high = (None, None) if floor > 1 - level else scores.interval(level)
    spread = scores.spread()
    return Estimate(effect.overall.att, spread, low, high, scores.p_value()), floor


def _events(
    design: Design,
    effect: Effect,
    refit: Refit,
    *,
    options: Mapping[str, str],
    level: float,
    seed: int,
) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """Give each event time its own placebos, unless the method brought its own."""
    if effect.inference == "placebo":
        return {
            "by_event_time": effect.by_event_time,
            "by_cohort": effect.by_cohort,
            "by_calendar": effect.by_calendar,
            "event_covariance": effect.event_covariance,
        }, ()
    # Errors that are drawn, too, would be drawn anew for each placebo.
    is_cheap = effect.inference == "analytic" and can_stand_in(design)
    if options["events"] == "none" or not is_cheap:
        return {}, ()
    if groups_units(design):
        # Units that stand in one by one do not carry what their cluster shares.
        return {}, (_no_events(design),)
    n = min(_EVENT_PLACEBOS, max(_LEAST_PLACEBOS, _CELLS // design.y.size))
    placebos = assign(design, "donors", n, seed)
    events, covariance = placebo_events(design, effect, refit, placebos, level)
    said = () if n == _EVENT_PLACEBOS else (_fewer(design, n),)
    return {"by_event_time": events, "event_covariance": covariance}, said


def _affordable(design: Design, refit: Refit, draws: int) -> int:
    """Give the draws that a panel of this size is worth, where each one is a regression anew."""
    by_cells = design.cluster is not None and refit.options.get("levels", "unit") != "unit"
    if design.covariates is None and (design.is_balanced or by_cells):
        return draws
    return min(draws, max(_LEAST_DRAWS, _CELLS // design.y.size))


def _capped(design: Design, draws: int, asked: int) -> Finding:
    return Finding(
        "N-INF-FEWER-DRAWS",
        "note",
        Text(
            f"面板有 {design.y.size} 个单元格，每次指派都须重新回归，只抽取 {draws} 次（要求 {asked} 次）",
            f"the panel has {design.y.size} cells and each assignment is a regression anew: {draws} "
            f"are drawn instead of {asked}",
        ),
        design.name,
        Text(
            "不列协变量、补齐缺口，或先汇总为聚类×时期的面板",
            "leave covariates out, fill the gaps, or design a panel of clusters' means",
        ),
        count=draws,
    )


def _no_events(design: Design) -> Finding:
    return Finding(
        "N-INF-NO-EVENT-PLACEBOS",
        "note",
        Text(
            "单位归入聚类，逐单位顶替的安慰剂不反映聚类内相关，各期效应不给区间",
            "units are grouped into clusters, whose shared noise placebos of single units do not "
            "show: effects by event time come without intervals",
        ),
        design.name,
        Text("以总效应的推断为准", "rely on the inference of the overall effect"),
    )


def _fewer(design: Design, n: int) -> Finding:
    return Finding(
        "N-INF-FEWER-PLACEBOS",
        "note",
        Text(
            f"面板有 {design.y.size} 个单元格，各期效应的安慰剂只取 {n} 次（通常 {_EVENT_PLACEBOS} 次）",
            f"the panel has {design.y.size} cells: effects by event time are ranked among {n} "
            f"placebos instead of {_EVENT_PLACEBOS}",
        ),
        design.name,
        Text("无须处理", "nothing to do"),
        count=n,
    )


def _how(design: Design, scheme: str, others: Assignments, n_failed: int) -> Finding:
    words = {
        "units": ("在全部单位之间重排启动时期", "starts permuted among all units"),
        "donors": ("以对照单位顶替承办单位", "comparison units in the treated units' place"),
        "starts": ("在承办单位之间重排启动时期", "starts permuted among the treated units"),
        "clusters": ("在聚类之间重排启动时期", "starts permuted among clusters"),
        "within": ("在各聚类内部重排启动时期", "starts permuted within each cluster"),
    }
    n = len(others.starts)
    how_zh, how_en = ("穷尽", "all there are") if others.is_all else ("随机抽取", "drawn at random")
    tail_zh = f"；其中 {n_failed} 次无法估计，按不小于本估计计" if n_failed else ""
    tail_en = f"; {n_failed} could not be estimated and count as large" if n_failed else ""
    return Finding(
        "N-INF-ASSIGNMENTS",
        "note",
        Text(
            f"{words[scheme][0]}，另有 {n} 种指派（{how_zh}）{tail_zh}",
            f"{words[scheme][1]}: {n} other assignments ({how_en}){tail_en}",
        ),
        design.name,
        Text("无须处理", "nothing to do"),
    )


def _ignored(design: Design) -> Finding:
    return Finding(
        "W-INF-CLUSTERS-IGNORED",
        "warn",
        Text(
            "设计把单位归入聚类，而启动时期逐单位重排：聚类内相关的误差没有计入",
            "the design groups units into clusters, but starts are permuted unit by unit: errors "
            "related within clusters are not allowed for",
        ),
        design.name,
        Text(
            "聚类内既有承办也有对照时用 scheme=within",
            "use scheme='within' where clusters hold both treated and comparison units",
        ),
    )
