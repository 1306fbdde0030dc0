"""Do reported outcomes crowd just above a level that was promised?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Text
from cps.indicators.bunching import WINDOW, count_beside
from cps.result import Check, Effect
from cps.robustness._parts import several

NAME = Text("门槛聚集", "Bunching at thresholds")
SIZE = 0.05
_FEWEST = 5  # with fewer units no one-sided sign test reaches 5%


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why there is no threshold to look at, or None."""
    if not any(level > 0 for level in design.thresholds):
        return Text("没有约定的门槛值", "no level was promised or reported at")
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Count units just above and just below each threshold, treated ones after their start.

    Within a narrow window a smooth distribution puts a unit above as likely as below (Cattaneo,
    Jansson & Ma 2020, doi:10.1080/01621459.2019.1635480; Frandsen 2017,
    doi:10.1108/S0731-905320170000038012). Years of one unit are not independent, so each unit
    counts once, by the side on which it stands more often; the p-value is that of a one-sided sign
    test. It fails if treated units crowd above after the start; comparison units and the time
    before are shown beside it. Fewer than five units near a threshold can't say.
    """
    rows = [
        (level, group, *_count(design, level, cells))
        for level in design.thresholds
        if level > 0
        for group, cells in _groups(design).items()
    ]
    main = [row for row in rows if row[1] == "treated_after"]
    judged = [row for row in main if row[4] + row[5] >= _FEWEST]
    bound = SIZE / max(len(judged), 1)
    worst = min(judged or main, key=lambda row: row[6])
    shown = {row[1]: row for row in rows if row[0] == worst[0]}
    parts_zh = "；".join(
        f"{_WORDS[group].zh} {row[5]} 个在上、{row[4]} 个在下" for group, row in shown.items()
    )
    parts_en = "; ".join(
        f"{_WORDS[group].en}, {several(row[5], 'unit')} above and {row[4]} below"
        for group, row in shown.items()
    )
    few = not judged
    level = _threshold(design, float(worst[0]))
    return Check(
        name="bunching",
        method=effect.method,
        verdict=None if few else all(row[6] > bound for row in judged),
        statistic=worst[6],
        threshold=bound,
        title=NAME,
        explanation=Text(
            f"门槛 {level.zh} 上下 {WINDOW:.0%} 以内：{parts_zh}；启动后承办单位偏上的 p = {worst[6]:.3f}"
            + (f"；门槛附近的单位不足 {_FEWEST} 个，无法判断" if few else ""),
            f"within {WINDOW:.0%} of the threshold {level.en}: {parts_en}; p = {worst[6]:.3f} "
            "for treated units crowding above after their start"
            + (f"; fewer than {_FEWEST} units are near it: can't say" if few else ""),
        ),
        table={
            "threshold": tuple(row[0] for row in rows),
            "group": tuple(row[1] for row in rows),
            "cells_below": tuple(row[2] for row in rows),
            "cells_above": tuple(row[3] for row in rows),
            "units_below": tuple(row[4] for row in rows),
            "units_above": tuple(row[5] for row in rows),
            "p_value": tuple(row[6] for row in rows),
        },
    )


_WORDS = {
    "treated_after": Text("承办单位启动后", "treated units after the start"),
    "treated_before": Text("承办单位启动前", "treated units before it"),
    "comparison_after": Text("对照单位启动后", "comparison units after the first start"),
    "comparison_before": Text("对照单位启动前", "comparison units before it"),
}


def _threshold(design: Design, level: float) -> Text:
    if design.measure == "yuan":
        return Text(f"{level / 1e4:g}万元", f"CNY {level:,.0f}")
    return Text(*[f"{level:,g}"] * 2)


def _groups(design: Design) -> dict[str, NDArray[np.bool_]]:
    periods = np.asarray(design.periods)[None, :]
    starts = design.starts[:, None]
    treated = np.isfinite(starts)
    donors = design.is_donor[:, None]
    first = min(design.cohorts)
    return {
        "treated_after": treated & (periods >= starts),
        "treated_before": treated & (periods < starts),
        "comparison_after": donors & (periods >= first),
        "comparison_before": donors & (periods < first),
    }


def _count(
    design: Design, level: float, cells: NDArray[np.bool_]
) -> tuple[int, int, int, int, float]:
    """Count cells below and above, units below and above, and give the sign test's p-value."""
    found = count_beside(design.y_natural, level, cells=cells)
    return (
        found.cells_below,
        found.cells_above,
        found.units_below,
        found.units_above,
        found.p_value,
    )
