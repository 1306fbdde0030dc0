"""Outcomes that no comparison can be made of are refused, with the cell."""

from __future__ import annotations

import numpy as np
import polars as pl

from cps.design._arrays import Arrays
from cps.design.record import Exclusion, Form
from cps.errors import DesignError, Finding, Text
from cps.periods import Frequency, label

_SHOWN = 5


def require_two_periods(frame: pl.DataFrame, *, name: str) -> None:
    """Refuse a panel with a single period."""
    if frame["period"].n_unique() < 2:
        raise DesignError(
            Text("面板只有一个时期", "the panel has a single period"),
            where=name,
            mend=Text("至少需要启动前后各一期", "at least one period before and after is needed"),
        )


def require_finite(frame: pl.DataFrame, *, name: str, outcome: str, frequency: Frequency) -> None:
    """Refuse infinite outcomes: unlike an empty cell, they are a fault of a computation."""
    endless = frame.filter(pl.col("outcome").is_infinite()).sort("unit", "period")
    if endless.height:
        first = endless.row(0, named=True)
        raise DesignError(
            Text(
                f"有 {endless.height} 个结果值为无穷大",
                f"{endless.height} values of the outcome are infinite",
            ),
            where=f"{name} › {outcome}: {first['unit']}, {label(first['period'], frequency)}",
            mend=Text(
                "多为除以 0 或对 0 取对数所致：更正，或改为空值（该单位将不纳入）",
                "most often a division by 0 or the logarithm of 0: correct it, or make it null "
                "(the unit is then left out)",
            ),
        )


def require_variation(arrays: Arrays, *, name: str, outcome: str) -> None:
    """Refuse an outcome that is the same in every unit and period."""
    values = arrays.y[~np.isnan(arrays.y)]
    if values.size and values.min() == values.max():
        raise DesignError(
            Text(
                f"所有单位、所有时期的结果都是 {values[0]:g}，没有可比较的变化",
                f"the outcome is {values[0]:g} in every unit and period: nothing varies",
            ),
            where=f"{name} › {outcome}",
            mend=Text(
                "核对是否取错了列，或数据被填成同一数值", "check that it is the right column"
            ),
        )


def not_positive_findings(
    frame: pl.DataFrame, dropped: list[Exclusion], *, form: Form, frequency: Frequency
) -> list[Finding]:
    """Warn of units left out because their outcome has no logarithm."""
    if form != "log":
        return []
    gone = [one.unit for one in dropped if one.unit]
    bad = frame.filter(pl.col("unit").is_in(gone) & (pl.col("outcome") <= 0)).sort("unit", "period")
    if bad.is_empty():
        return []
    n = bad["unit"].n_unique()
    shown = [
        f"{unit} {label(period, frequency)}: {value:g}"
        for unit, period, value in bad.select("unit", "period", "outcome").head(_SHOWN).iter_rows()
    ]
    return [
        Finding(
            "W-DESIGN-NOT-POSITIVE",
            "warn",
            Text(
                f"{n} 个单位有不为正的结果（共 {bad.height} 个），没有对数，未纳入；剔除它们会使样本偏向较好的单位",
                f"{n} units have outcomes that are not positive ({bad.height} in all) and no "
                "logarithm: they are left out, which tilts the sample towards better-off units",
            ),
            "; ".join(shown) + (" …" if bad.height > _SHOWN else ""),
            Text(
                "改用 form=level（或 rate）保留这些单位，或更正数值",
                "use form='level' (or 'rate') to keep them, or correct the values",
            ),
            count=n,
        )
    ]
