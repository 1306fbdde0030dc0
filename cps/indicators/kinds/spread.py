"""Inequality: Gini, Theil, ratios and the poorest fifth."""

from __future__ import annotations

import numpy as np

from cps.errors import Text
from cps.indicators import distribution as of
from cps.indicators.record import Indicator

_NEGATIVE = Text(
    "有负值或合计为零，此指数无定义", "a value is negative or the sum is zero: not defined"
)
_ZERO = Text("有零或负值，对数无定义", "a value is zero or negative: its logarithm is not defined")

INDICATORS = (
    Indicator(
        name="gini",
        title=Text("基尼系数", "Gini coefficient"),
        formula=Text(
            "G = Σ(2i − n − 1)x₍ᵢ₎ ÷ (nΣxᵢ)（总体式，最大 (n − 1)/n）",
            "G = Σ(2i − n − 1)x₍ᵢ₎ ÷ (nΣxᵢ) (population version, at most (n − 1)/n)",
        ),
        unit="index",
        reference="Sen (1973)",
        statistic=of.gini_of,
        limits=(0, 1),
        influence=of.gini_influence,
        undefined=_NEGATIVE,
    ),
    Indicator(
        name="gini_small_sample",
        title=Text("基尼系数（小样本修正式）", "Gini coefficient, small-sample version"),
        formula=Text("G × n ÷ (n − 1)，最大为 1", "G × n ÷ (n − 1), at most 1"),
        unit="index",
        reference="Deltas (2003), doi:10.1162/rest.2003.85.1.226",
        statistic=of.gini_small_of,
        influence=of.gini_small_influence,
        limits=(0, 1),
        undefined=_NEGATIVE,
    ),
    Indicator(
        name="theil_t",
        title=Text("泰尔指数 T", "Theil's T"),
        formula=Text("T = (1/n)Σ(xᵢ/μ)ln(xᵢ/μ)", "T = (1/n)Σ(xᵢ/μ)ln(xᵢ/μ)"),
        unit="index",
        reference="Theil (1967)",
        statistic=of.theil_t_of,
        limits=(0, np.inf),
        influence=of.theil_t_influence,
        undefined=_NEGATIVE,
    ),
    Indicator(
        name="theil_l",
        title=Text("泰尔指数 L（平均对数离差）", "Theil's L (mean log deviation)"),
        formula=Text("L = (1/n)Σln(μ/xᵢ)", "L = (1/n)Σln(μ/xᵢ)"),
        unit="index",
        reference="Theil (1967)",
        statistic=of.theil_l_of,
        limits=(0, np.inf),
        influence=of.theil_l_influence,
        undefined=_ZERO,
    ),
    Indicator(
        name="p90_p10",
        title=Text("P90/P10 分位比", "P90/P10 ratio"),
        formula=Text(
            "第90百分位 ÷ 第10百分位（阶梯式分位，落在边上取平均）",
            "90th ÷ 10th percentile (steps, averaged on an edge)",
        ),
        unit="ratio",
        reference="Hyndman & Fan (1996), doi:10.1080/00031305.1996.10473566",
        statistic=of.p90_p10_of,
        undefined=Text("第10百分位不为正", "the 10th percentile is not positive"),
    ),
    Indicator(
        name="palma",
        title=Text("帕尔马比值", "Palma ratio"),
        formula=Text(
            "最高10%单位的合计 ÷ 最低40%单位的合计",
            "what the top 10% of units have ÷ what the bottom 40% have",
        ),
        unit="ratio",
        reference="Palma (2011), doi:10.1111/j.1467-7660.2011.01694.x",
        statistic=of.palma_of,
        undefined=Text("最低40%合计不为正，或有负值", "the bottom 40% have nothing, or a negative"),
    ),
    Indicator(
        name="poorest_fifth_mean",
        title=Text("最低20%单位均值", "Mean of the poorest fifth"),
        formula=Text(
            "最低20%单位的合计 ÷ (0.2n)，边上单位按比例计",
            "what the lowest 20% of units have ÷ (0.2n); a unit on the edge counts in part",
        ),
        unit="measure",
        statistic=of.poorest_fifth_of,
    ),
    Indicator(
        name="sd_log",
        title=Text("对数标准差", "Standard deviation of logs"),
        formula=Text("σ = √((1/n)Σ(ln xᵢ − 均值)²)", "σ = √((1/n)Σ(ln xᵢ − mean)²)"),
        unit="index",
        statistic=of.sd_log_of,
        undefined=_ZERO,
    ),
)
