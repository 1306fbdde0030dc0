"""Mobility: moves between quintiles and between brackets of income."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from math import isfinite

from cps.errors import Text
from cps.indicators.mobility import mobility
from cps.indicators.record import BRACKETS_WAN, Ask, Found, Grid, Indicator
from cps.units import YUAN_PER_WAN

FEW_A_CLASS = 5
_EDGES = tuple(float(wan * YUAN_PER_WAN) for wan in BRACKETS_WAN)
_BRACKETS = (
    f"≤{BRACKETS_WAN[0]}",
    *(f"{low}–{high}" for low, high in pairwise(BRACKETS_WAN)),
    f">{BRACKETS_WAN[-1]}",
)
_QUINTILES = ("Q1", "Q2", "Q3", "Q4", "Q5")


def _move(grid: Grid, ask: Ask, *, edges: Sequence[float] | None, labels: Sequence[str]) -> Found:
    base = ask.base if ask.base is not None else ask.period
    found = mobility(grid.at(ask.period), grid.at(base), edges=edges)
    if found is None:
        return Found(None, 0, notes=(Text("没有单位两期都报", "no unit reported in both periods"),))
    k = len(labels)
    notes: tuple[Text, ...] = ()
    if found.shorrocks is None:
        notes = (Text("基期单位全在同一档", "all units were in one class in the base period"),)
    elif found.n < FEW_A_CLASS * k:
        notes = (
            Text(
                f"{found.n} 个单位分 {k} 档，每档平均不足 {FEW_A_CLASS} 个，比例只作参考",
                f"{found.n} units in {k} classes, fewer than {FEW_A_CLASS} in each: read shares with care",
            ),
        )
    return Found(
        found.shorrocks,
        found.n,
        parts={
            "moved": found.moved,
            "up": found.up,
            "down": found.down,
            "mean_jump": found.mean_jump,
            "rank_correlation": found.rank_correlation,
        },
        table={
            "from": tuple(labels[i] for i in range(k) for _ in range(k)),
            "to": tuple(labels[j] for _ in range(k) for j in range(k)),
            "n": tuple(int(one) for one in found.counts.ravel()),
            "share": tuple(
                float(one) if isfinite(one) else None for one in found.probabilities.ravel()
            ),
        },
        notes=notes,
    )


_FORMULA = Text(
    "M = (k − Σpᵢᵢ) ÷ (k − 1)，pᵢᵢ 为留在原档的比例，k 为基期有单位的档数；0 不流动，1 与起点无关",
    "M = (k − Σpᵢᵢ) ÷ (k − 1), pᵢᵢ the share that stayed, k the classes in use in the base period; 0 no "
    "move, 1 no tie to where units started",
)

INDICATORS = (
    Indicator(
        name="mobility_quintiles",
        title=Text("五等分组流动性（肖洛克斯指数）", "Mobility between quintiles (Shorrocks)"),
        formula=_FORMULA,
        unit="index",
        needs=("base",),
        reference="Shorrocks (1978), doi:10.2307/1911433",
        compute=partial(_move, edges=None, labels=_QUINTILES),
    ),
    Indicator(
        name="mobility_brackets",
        title=Text(
            "收入档次流动性（万元档，肖洛克斯指数）",
            "Mobility between brackets of income (Shorrocks)",
        ),
        formula=_FORMULA,
        unit="index",
        needs=("base", "yuan", "yearly"),
        reference="Shorrocks (1978), doi:10.2307/1911433",
        compute=partial(_move, edges=_EDGES, labels=_BRACKETS),
    ),
)
