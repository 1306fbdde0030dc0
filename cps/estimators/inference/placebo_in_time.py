"""Placebo in time: the estimate among those of starts pretended before anything started.

Abadie, Diamond & Hainmueller (2015), doi:10.1111/ajps.12116; as a test over blocks of periods,
Chernozhukov, Wüthrich & Zhu (2021), doi:10.1080/01621459.2021.1920957.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import Finding, Text
from cps.estimators._options import Number
from cps.estimators._ranks import accept_half_width, counted_p, p_floor
from cps.estimators._regression_errors import without_rounding
from cps.estimators._scale import natural_scale
from cps.estimators.inference._events import bare
from cps.estimators.inference._words import floor_finding
from cps.estimators.registry import Refit
from cps.result import Effect, Estimate

NAME = Text("时间安慰剂推断", "Inference by placebo in time")
REFERENCE = "Abadie, Diamond & Hainmueller (2015), AJPS 59(2), doi:10.1111/ajps.12116"
ASSUMES = Text(
    "若无处理，承办单位与对照的差距在启动前后波动相同，且与时期先后无关",
    "without treatment the gap between treated and comparison units would vary after the start as "
    "it did before, whichever the periods",
)
OPTIONS: dict[str, tuple[str, ...] | Number] = {
    "length": Number("auto", 1, 10_000, is_whole=True, words=("auto",)),
    "before": Number(2, 1, 10_000, is_whole=True),
}


def needs(design: Design, effect: Effect, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design without room for a pretended start, or one whose dose has its own dates."""
    found = []
    if effect.overall.att is None:
        found.append(
            _reject(
                design,
                Text("没有估计值可供推断", "there is no estimate to infer on"),
                Text("先换用能给出估计的方法", "take a method that gives an estimate"),
            )
        )
    if design.dose is not None or design.other_cohorts:
        found.append(
            _reject(
                design,
                Text(
                    "处理强度或其他项目另有日期，无法虚拟启动",
                    "a dose or other initiatives have dates of their own: no start can be pretended",
                ),
                Text("设计时不给 dose 并剔除这些单位", "leave the dose and those units out"),
            )
        )
    n, least = _n_before(design), _least_before(design, options)
    if n < least + _length(design, options):
        found.append(
            _reject(
                design,
                Text(
                    f"最早批次启动前只有 {n} 期，容不下一个虚拟启动（此前至少 {least} 期，此后 "
                    f"{_length(design, options)} 期）",
                    f"{n} periods before the earliest start leave no room for a pretended one with "
                    f"{least} periods before and {_length(design, options)} after",
                ),
                Text(
                    "补充更早时期，或把 length、before 改小", "add earlier periods, or shorten both"
                ),
            )
        )
    return tuple(found)


def infer(
    design: Design,
    effect: Effect,
    refit: Refit,
    *,
    level: float,
    seed: int,
    options: Mapping[str, str],
) -> Effect:
    """Slide a block of pretended treatment over the periods before the earliest true start.

    In each place all treated units start at the block's first period, the periods after the block
    are cut off, and the method estimates anew. ``length`` is the block's; ``auto`` takes the true
    one, or less where there is room for a few blocks only. Nothing is drawn.
    """
    length, least = _length(design, options), _least_before(design, options)
    placebos = _placebos(design, refit, length, least)
    att = effect.overall.att
    if att is None:
        return effect
    n = len(placebos)
    floor = p_floor(n)
    findings = [*effect.findings, _how(design, n, length)]
    half = accept_half_width(placebos, level)
    if not np.isfinite(half):
        findings.append(floor_finding(design, floor, level, n))
    overall = Estimate(
        att,
        float(np.sqrt((placebos**2).mean())) if n > 1 else None,
        att - half if np.isfinite(half) else None,
        att + half if np.isfinite(half) else None,
        counted_p(att, placebos) if n else None,
    )
    overall = without_rounding(design, overall)
    return dataclasses.replace(
        bare(effect, overall),
        natural=natural_scale(design, overall),
        level=level,
        p_value_floor=floor if n else None,
        placebos=tuple(float(one) for one in placebos),
        findings=tuple(findings),
    )


def _placebos(design: Design, refit: Refit, length: int, least: int) -> NDArray[np.float64]:
    treated = np.array([one is not None for one in design.cohort])
    place = np.arange(len(design.periods))
    found = []
    for start in range(least, _n_before(design) - length + 1):
        cohort = [design.periods[start] if one else None for one in treated]
        pretended = subset_design(
            design,
            units=treated | design.is_donor,
            periods=place < start + length,
            cohort=cohort,
        )
        found.append(refit.one(pretended))
    estimates = np.array(found, dtype=float)
    return estimates[np.isfinite(estimates)]


def _n_before(design: Design) -> int:
    first = min(design.cohorts) - design.anticipation
    return sum(period < first for period in design.periods)


def _n_after(design: Design) -> int:
    return sum(period >= min(design.cohorts) for period in design.periods)


def _least_before(design: Design, options: Mapping[str, str]) -> int:
    return int(options["before"]) + design.anticipation


def _length(design: Design, options: Mapping[str, str]) -> int:
    if options["length"] != "auto":
        return int(options["length"])
    room = _n_before(design) - _least_before(design, options)
    return max(1, min(_n_after(design), (room + 1) // 2))


def _reject(design: Design, what: Text, mend: Text) -> Finding:
    return Finding("E-INF-NO-PRETENDED-START", "reject", what, design.name, mend)


def _how(design: Design, n: int, length: int) -> Finding:
    true_length = _n_after(design)
    tail_zh = tail_en = ""
    if length < true_length:
        tail_zh = f"，短于实际的 {true_length} 期：差距若逐期扩大，p 值偏小"
        tail_en = f", shorter than the true {true_length}: too small a p-value if gaps widen"
    return Finding(
        "N-INF-PRETENDED-STARTS",
        "warn" if tail_en else "note",
        Text(
            f"启动前虚拟启动 {n} 次，每次 {length} 期{tail_zh}",
            f"{n} pretended starts before the true one, {length} periods each{tail_en}",
        ),
        design.name,
        Text("与空间上的安慰剂对照阅读", "read it beside placebos in space"),
    )
