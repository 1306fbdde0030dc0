"""What a reader of imputed effects must know: cells beyond reach, cohorts of one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._regression_panel import Rows

Mask = NDArray[np.bool_]
_SHOWN = 5


def nothing_finding(design: Design) -> Finding:
    """Say that no treated cell can be imputed."""
    return Finding(
        "E-EST-NOTHING-TO-IMPUTE",
        "reject",
        Text(
            "没有未处理的观测可据以插补任何承办单位启动后的时期",
            "no untreated observation tells what any treated cell would have been",
        ),
        design.name,
        Text(
            "补充启动前的台账，或加入从未处理、更晚处理的单位",
            "add ledgers from before the start, or units never or later treated",
        ),
    )


def lost_finding(
    design: Design, rows: Rows, lost: Mask, untreated: Mask, *, refuse: bool
) -> Finding:
    """Name the units and periods whose treated cells can\'t be imputed."""
    n_cells = int(lost.sum())
    known = np.unique(rows.level[untreated])
    orphans = np.unique(rows.unit[lost & ~np.isin(rows.level, known)])
    late = np.unique(rows.period[lost & np.isin(rows.level, known)])
    units = [design.units[one] for one in orphans]
    periods = [design.period_labels[one] for one in late]
    where = ", ".join(units[:_SHOWN] + periods[:_SHOWN])
    return Finding(
        "E-EST-NOT-IDENTIFIED" if refuse else "W-EST-NOT-IDENTIFIED",
        "reject" if refuse else "warn",
        Text(
            f"有 {n_cells} 个启动后观测无法插补：{len(units)} 个单位没有启动前观测，"
            f"{len(periods)} 个时期没有未处理的观测可比",
            f"{n_cells} treated observations can't be imputed: {len(units)} units without an "
            f"observation before the start, {len(periods)} periods without a comparable untreated "
            "one",
        )
        if refuse
        else Text(
            f"有 {n_cells} 个启动后观测无法插补，未计入平均：{len(units)} 个单位、{len(periods)} 个时期",
            f"{n_cells} treated observations can't be imputed and are left out of the average: "
            f"{len(units)} units, {len(periods)} periods",
        ),
        f"{design.name} › {where}",
        Text(
            "补充台账或从未处理的单位；或用 unidentified=drop，只对可插补的观测求平均",
            "add ledgers, or never-treated units; or average over the rest: unidentified=drop",
        ),
        count=n_cells,
    )
