"""What must be said of an interval that can't be claimed."""

from __future__ import annotations

from cps.design.record import Design
from cps.errors import Finding, Text


def floor_finding(design: Design, floor: float, level: float, n_others: int) -> Finding:
    """Say that so few comparisons allow no p-value low enough for the level."""
    return Finding(
        "W-INF-FLOOR",
        "warn",
        Text(
            f"可比较的只有 {n_others} 个，p 值最小 {floor:.3f}，高于 {1 - level:.3g}，"
            f"得不出 {level:.0%} 的区间",
            f"{n_others} comparisons allow no p-value below {floor:.3f}, above {1 - level:.3g}: "
            f"no {level:.0%} interval can be claimed",
        ),
        design.name,
        Text(
            "增加对照单位或时期，或降低置信水平；误差近似正态时可用 placebo_t",
            "add comparison units or periods, or lower the level; if errors are nearly normal, "
            "placebo_t needs fewer",
        ),
    )


def open_finding(design: Design) -> Finding:
    """Say that the interval has no end on one side or both."""
    return Finding(
        "W-INF-OPEN-INTERVAL",
        "warn",
        Text(
            "区间至少有一端没有界限：数据排除不了任意大的效应",
            "the interval has no end on one side at least: the data rule out no effect there",
        ),
        design.name,
        Text("增加对照单位，或改用别的推断", "add comparison units, or take another inference"),
    )
