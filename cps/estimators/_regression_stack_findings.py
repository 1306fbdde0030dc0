"""What a reader of stacked comparisons must know: which cohorts are not in them."""

from __future__ import annotations

from cps.design.record import Design
from cps.errors import Finding, Text


def left_out_findings(
    design: Design,
    trimmed: tuple[int, ...],
    lonely: tuple[int, ...],
    *,
    low: int,
    high: int,
) -> tuple[Finding, ...]:
    """Name the cohorts that have no window, or no clean control in it."""
    labels = dict(zip(design.periods, design.period_labels, strict=True))
    found = []
    for cohorts, zh, en in (
        (trimmed, "没有完整的窗口", "without the whole window"),
        (lonely, "窗口内没有干净的对照", "without a clean control in their window"),
    ):
        if cohorts:
            n_units = sum(cohort in cohorts for cohort in design.cohort)
            found.append(
                Finding(
                    "W-EST-COHORTS-LEFT-OUT",
                    "warn",
                    Text(
                        f"{len(cohorts)} 个启动批次（{n_units} 个承办单位）{zh}，未纳入",
                        f"{len(cohorts)} cohorts ({n_units} treated units) {en} are left out",
                    ),
                    ", ".join(labels.get(g, str(g)) for g in cohorts[:5]),
                    Text(
                        f"当前窗口为启动前后第 {low} 至 {high} 期；可调 pre、post",
                        f"the window runs from event time {low} to {high}: change pre or post",
                    ),
                    count=len(cohorts),
                )
            )
    return tuple(found)
