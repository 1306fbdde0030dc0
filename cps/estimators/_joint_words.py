"""What the joint model can't tell apart, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design, starts_of
from cps.errors import Finding, Text
from cps.estimators._scale import is_treated_cell

_FEW = 5

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def not_separable(design: Design, lost: Bools) -> Finding:
    """Say which initiatives our own can't be told from in any unit and period."""
    same = _coinciding(design)
    if same:
        names = "、".join(same), ", ".join(same)
        return Finding(
            "E-EST-SAME-CELLS",
            "reject",
            Text(
                f"{names[0]} 总与本项目在同样的单位、同样的时期出现，两者的效应无法分开",
                f"{names[1]} is at work in the same units and periods as this initiative, "
                "always: their effects can't be told apart",
            ),
            design.name,
            Text("把它们合并为一个项目评估", "evaluate them together, as one initiative"),
        )
    others = _others_in(design, lost)
    text = ("、".join(others) or "—", ", ".join(others) or "none")
    return Finding(
        "E-EST-NOT-SEPARABLE",
        "reject",
        Text(
            f"启动以后没有任何单位和时期能把本项目与其他项目（{text[0]}）或共同变化分开",
            "after the starts no unit and period tells this initiative from the others "
            f"({text[1]}) or from what happened everywhere",
        ),
        design.name,
        Text(
            "加入只承办其中一个项目的单位和从未承办的单位，或合并评估",
            "add units that host only one of them, and units that host none; or evaluate them "
            "together",
        ),
    )


def few_placebos(design: Design, n_roles: int) -> Finding:
    """Say that the starts can't be dealt out among units that host nothing."""
    return Finding(
        "E-EST-FEW-DONORS",
        "reject",
        Text(
            f"什么项目都不承办的单位有 {design.n_donors} 个，不足以替代 {n_roles} 个承办单位"
            "（含同办项目的其他承办单位）做安慰剂",
            f"{design.n_donors} units host nothing and can't stand in for {n_roles} hosts "
            "(those of the initiatives hosted beside ours among them)",
        ),
        design.name,
        Text("改用 errors=clustered，或补充对照单位", "use errors=clustered, or add such units"),
    )


def lost_finding(design: Design, lost: Bools, cells: Bools) -> tuple[Finding, ...]:
    """Say which treated cells are not in the average, and what hides them."""
    if not lost.any():
        return ()
    n_lost, n_all = int(lost.sum()), int(lost.sum() + cells.sum())
    others = _others_in(design, lost)
    units = [design.units[row] for row in np.flatnonzero(lost.any(axis=1))]
    return (
        Finding(
            "W-EST-CELLS-NOT-SEPARABLE",
            "warn",
            Text(
                f"启动以后 {n_all} 个“单位×时期”中有 {n_lost} 个无法与其他项目"
                f"（{'、'.join(others) or '共同变化'}）分开，未计入平均",
                f"{n_lost} of {n_all} treated unit-periods can't be told from other initiatives "
                f"({', '.join(others) or 'common changes'}) and are not in the average",
            ),
            ", ".join(units[:_FEW]) + (" …" if len(units) > _FEW else ""),
            Text(
                "加入只承办其他项目的单位，或用 own=event_time（假定效应只随启动后期数变化）",
                "add units that host the others alone, or use own=event_time (one effect by time "
                "since the start)",
            ),
            count=n_lost,
        ),
    )


def n_groups(design: Design) -> int:
    """Count the hosts, or the clusters that hold them where units are grouped."""
    if design.cluster is None:
        return design.n_treated
    pairs = zip(design.cluster, design.cohort, strict=True)
    return len({name for name, cohort in pairs if cohort is not None})


def few_treated(design: Design, how: str, *, is_known: bool) -> tuple[Finding, ...]:
    """Warn of clustered errors from a handful of hosts, and of no errors at all."""
    count = n_groups(design)
    if how == "placebo" or (count >= _FEW and is_known):
        return ()
    noun_zh = "承办单位" if design.cluster is None else "有承办单位的聚类"
    noun_en = "treated unit(s)" if design.cluster is None else "cluster(s) with treated units"
    return (
        Finding(
            "W-EST-FEW-TREATED",
            "warn",
            Text(
                f"{noun_zh}只有 {count} 个，"
                + ("聚类标准误偏小，区间不可尽信" if is_known else "不给标准误、区间和 p 值"),
                f"{count} {noun_en}: "
                + (
                    "clustered standard errors are too small, the interval can't be trusted"
                    if is_known
                    else "there is no standard error, interval or p-value"
                ),
            ),
            design.name,
            Text(
                "补充从未承办的单位，改用 errors=placebo",
                "add units that host nothing, and use errors=placebo",
            )
            if design.cluster is None
            else Text(
                "补充承办的聚类；承办单位分属不同聚类时可用 errors=placebo",
                "add clusters with treated units; where each host has a cluster of its own, "
                "use errors=placebo",
            ),
            count=count,
        ),
    )


def _coinciding(design: Design) -> list[str]:
    own = is_treated_cell(design)
    periods = np.asarray(design.periods)
    return [
        name
        for name, cohort in sorted(design.other_cohorts.items())
        if ((periods[None, :] >= starts_of(cohort)[:, None]) == own).all()
    ]


def _others_in(design: Design, cells: Bools) -> list[str]:
    periods = np.asarray(design.periods)
    return [
        name
        for name, cohort in sorted(design.other_cohorts.items())
        if (cells & (periods[None, :] >= starts_of(cohort)[:, None])).any()
    ]
