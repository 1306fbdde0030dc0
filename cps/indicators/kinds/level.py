"""Levels: total, mean and median."""

from __future__ import annotations

from cps.errors import Text
from cps.indicators.distribution import mean_influence, mean_of, median_of, total_of
from cps.indicators.record import Indicator

INDICATORS = (
    Indicator(
        name="total",
        title=Text("合计", "Total"),
        formula=Text("合计 = Σxᵢ（全部单位齐报才计）", "total = Σxᵢ (only if every unit reported)"),
        unit="measure",
        statistic=total_of,
        whole=True,
    ),
    Indicator(
        name="mean",
        title=Text("均值", "Mean"),
        formula=Text("均值 = Σxᵢ ÷ n", "mean = Σxᵢ ÷ n"),
        unit="measure",
        statistic=mean_of,
        influence=mean_influence,
    ),
    Indicator(
        name="median",
        title=Text("中位数", "Median"),
        formula=Text("按大小排列居中者", "the middle one by size"),
        unit="measure",
        statistic=median_of,
    ),
)
