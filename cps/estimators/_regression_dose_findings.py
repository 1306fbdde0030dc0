"""What a reader of a dose curve must know: what it assumes, and where it is thin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def strong_trends_finding(design: Design) -> Finding:
    """Say what the slope takes for granted beyond the levels."""
    return Finding(
        "N-EST-STRONG-TRENDS",
        "note",
        Text(
            "各剂量水平的效应只需通常的平行趋势；斜率和水平之间的差别还需强平行趋势：选择不同剂量的单位，"
            "在同一剂量下效应相同。若单位按预期收益选择剂量，斜率不是加大投入的效果",
            "effects by level need ordinary parallel trends; the slope, and differences between "
            "levels, need strong parallel trends too: units that chose different doses would have had "
            "the same effect at the same dose. Where doses were chosen by expected gain, the slope "
            "is not what more of it would bring",
        ),
        f"{design.name} › dose",
        Text(
            "查明剂量如何确定；剂量由外部规则分配时，斜率才可作因果解释",
            "find out how doses were set; read the slope causally where a rule from outside set them",
        ),
    )


def timing_findings(design: Design, starts: Floats, doses: Floats) -> tuple[Finding, ...]:
    """Say so where those who started early had other doses than those who started late."""
    if len(np.unique(starts)) < 2 or len(starts) < 4 or len(np.unique(doses)) < 2:
        return ()
    together = float(np.corrcoef(starts, doses)[0, 1])
    if abs(together) < 0.5:
        return ()
    return (
        Finding(
            "W-EST-DOSE-TIMING",
            "warn",
            Text(
                f"剂量与启动早晚相关（r = {together:.2f}）：剂量的差别难与启动早晚的差别分开",
                f"doses go with the start (r = {together:.2f}): differences by dose can hardly be "
                "told from differences by time of start",
            ),
            f"{design.name} › dose",
            Text("分批次比较", "compare within cohorts"),
        ),
    )


def thin_findings(
    design: Design, dose: Floats, cluster: Codes, edges: list[tuple[float, float]]
) -> tuple[Finding, ...]:
    """Name the levels with fewer than three treated clusters."""
    thin = [
        (low, high)
        for low, high in edges
        if len(np.unique(cluster[(dose >= low) & (dose <= high)])) < 3
    ]
    if not thin:
        return ()
    names = ", ".join(f"{low:g}" if low == high else f"{low:g}–{high:g}" for low, high in thin[:5])
    return (
        Finding(
            "W-EST-THIN-LEVELS",
            "warn",
            Text(
                f"{len(thin)} 个剂量水平不足 3 个承办单位（聚类），其区间没有或极宽",
                f"{len(thin)} levels of dose have fewer than 3 treated units (clusters): their "
                "intervals are missing or very wide",
            ),
            f"{design.name} › {names}",
            Text("减少 bins，合并相近水平", "use fewer bins, so that near levels are joined"),
            count=len(thin),
        ),
    )
