"""Thresholds: how many stand above 5 to 200万元, how far the others fall short."""

from __future__ import annotations

from functools import partial

import numpy as np

from cps.errors import Text
from cps.indicators.distribution import share_above_of, shortfall_of
from cps.indicators.intervals import ends_of, interval_of_pairs, interval_of_share
from cps.indicators.record import BRACKETS_WAN, Ask, Found, Grid, Indicator
from cps.units import YUAN_PER_WAN

_SHORT = (
    (
        Text("未达{wan}万元单位占比（FGT 0）", "Share below {amount} (FGT 0)"),
        Text("低于门槛的单位占比", "share of units below the threshold"),
    ),
    (
        Text("{wan}万元平均缺口率（FGT 1）", "Mean gap to {amount} (FGT 1)"),
        Text("平均缺口占门槛的比例", "mean gap as a share of the threshold"),
    ),
    (
        Text("{wan}万元缺口平方均值（FGT 2）", "Mean squared gap to {amount} (FGT 2)"),
        Text("缺口越深权重越大", "deep gaps weigh more"),
    ),
)


def _change(grid: Grid, ask: Ask, *, threshold: float) -> Found:
    """Give the change of the share above, in 百分点, over the units that reported in both periods."""
    base = ask.base if ask.base is not None else ask.period
    now, before = grid.at(ask.period), grid.at(base)
    both = np.isfinite(now) & np.isfinite(before)
    if not both.any():
        return Found(None, 0, notes=(Text("没有单位两期都报", "no unit reported in both periods"),))
    interval = None
    if grid.is_sample:
        interval = interval_of_pairs(
            now[both],
            before[both],
            lambda later, earlier: (
                share_above_of(later, threshold) - share_above_of(earlier, threshold)
            ),
            level=ask.level,
            draws=ask.draws,
            seed=ask.seed,
        )
    shares = [float(share_above_of(one[both], threshold)) for one in (now, before)]
    return Found(
        shares[0] - shares[1],
        int(both.sum()),
        parts={"share_pct": shares[0], "base_share_pct": shares[1]},
        ci=ends_of(interval),
        interval=interval.how if interval else None,
        formula=Text(
            f"{shares[0]:.2f}% − {shares[1]:.2f}% = {shares[0] - shares[1]:+.2f} 个百分点",
            f"{shares[0]:.2f}% − {shares[1]:.2f}% = {shares[0] - shares[1]:+.2f} percentage points",
        ),
    )


def _share(grid: Grid, ask: Ask, *, threshold: float, above: bool) -> Found:
    """Give the share on one side, and what it could be whatever the other units have."""
    column = grid.at(ask.period)
    values = column[np.isfinite(column)]
    n = len(grid.units)
    if values.size == 0:
        return Found(None, 0, notes=(Text("没有单位填报", "no unit reported"),))
    n_with = int((values > threshold).sum() if above else (values < threshold).sum())
    interval = interval_of_share(n_with, values.size, level=ask.level) if grid.is_sample else None
    scale = 1 if above else 0.01
    return Found(
        scale * 100 * n_with / values.size,
        values.size,
        parts={
            "n_above" if above else "n_below": float(n_with),
            "lowest_possible": scale * 100 * n_with / n,
            "highest_possible": scale * 100 * (n_with + n - values.size) / n,
        },
        ci=ends_of(interval, scale=scale),
        interval=interval.how if interval else None,
    )


def _amount(wan: int) -> str:
    return f"CNY {wan * YUAN_PER_WAN:,}"


INDICATORS = tuple(
    one
    for wan in BRACKETS_WAN
    for one in (
        Indicator(
            name=f"share_above_{wan}",
            title=Text(f"超{wan}万元单位占比", f"Share above {_amount(wan)}"),
            formula=Text(
                f"超过 {wan}万元（严格大于）的单位数 ÷ n",
                f"units strictly above {_amount(wan)} ÷ n",
            ),
            unit="percent",
            needs=("yuan", "yearly"),
            statistic=partial(share_above_of, threshold=float(wan * YUAN_PER_WAN)),
            compute=partial(_share, threshold=float(wan * YUAN_PER_WAN), above=True),
        ),
        Indicator(
            name=f"share_above_{wan}_change",
            title=Text(f"超{wan}万元占比变动", f"Change of the share above {_amount(wan)}"),
            formula=Text("本期占比 − 基期占比（百分点）", "share − base share (percentage points)"),
            unit="points",
            needs=("yuan", "yearly", "base"),
            compute=partial(_change, threshold=float(wan * YUAN_PER_WAN)),
        ),
        *(
            Indicator(
                name=f"shortfall{power}_{wan}",
                title=Text(
                    _SHORT[power][0].zh.format(wan=wan),
                    _SHORT[power][0].en.format(amount=_amount(wan)),
                ),
                formula=Text(
                    f"(1/n)Σ((z − xᵢ)/z)^{power}，仅计 xᵢ < z = {wan}万元：{_SHORT[power][1].zh}",
                    f"(1/n)Σ((z − xᵢ)/z)^{power} over xᵢ < z = {_amount(wan)}: {_SHORT[power][1].en}",
                ),
                unit="index",
                needs=("yuan", "yearly"),
                reference="Foster, Greer & Thorbecke (1984), doi:10.2307/1913475",
                statistic=partial(shortfall_of, threshold=float(wan * YUAN_PER_WAN), power=power),
                limits=(0, np.inf),
                compute=partial(_share, threshold=float(wan * YUAN_PER_WAN), above=False)
                if power == 0
                else None,
            )
            for power in (0, 1, 2)
        ),
    )
)
