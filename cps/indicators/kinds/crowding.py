"""Crowding just above 50 and 100万元: an integrity check of what was reported."""

from __future__ import annotations

from functools import partial

import numpy as np

from cps.errors import DesignError, Text
from cps.indicators.bunching import WINDOW, count_beside, excess_mass
from cps.indicators.record import Ask, Found, Grid, Indicator
from cps.units import YUAN_PER_WAN

PROMISED_WAN = (50, 100)


def _crowding(grid: Grid, ask: Ask, *, threshold: float) -> Found:
    """Pool the periods from the base (or the first) to the date."""
    first = ask.base if ask.base is not None else grid.periods[0]
    chosen = [place for place, one in enumerate(grid.periods) if first <= one <= ask.period]
    values = grid.values[:, chosen]
    periods = tuple(grid.periods[place] for place in chosen)
    n = int(np.isfinite(values).any(axis=1).sum())
    beside = count_beside(values, threshold)
    parts: dict[str, float | None] = {
        "cells_below": float(beside.cells_below),
        "cells_above": float(beside.cells_above),
        "units_below": float(beside.units_below),
        "units_above": float(beside.units_above),
        "sign_test_p": beside.p_value,
    }
    try:
        found = excess_mass(values, threshold, confidence=ask.level, seed=ask.seed)
    except DesignError as error:
        return Found(None, n, parts=parts, notes=(error.what,), periods=periods)
    return Found(
        found.excess,
        n,
        parts={
            **parts,
            "excess_ratio": found.excess_ratio,
            "missing_below": found.missing,
            "observed": found.observed,
            "expected": found.expected,
            "n_values": float(found.n_values),
        },
        table={"distance": found.centres, "n": found.counts, "fitted": found.fitted},
        ci=None if found.low is None or found.high is None else (found.low, found.high),
        interval=_PROCESS,
        notes=(_READ,),
        periods=periods,
    )


_PROCESS = Text(
    "按单位（连同其各期）自助抽样，说的是填报过程，不是单位的抽样",
    "bootstrap of units with all their periods; it speaks of how figures come about, not of a draw",
)
_READ = Text(
    "超出不等于造假：也可能是达标考核促使的真实努力，须与凭证核对",
    "an excess is no proof of false figures: effort for the target looks the same; check vouchers",
)

INDICATORS = tuple(
    Indicator(
        name=f"crowding_above_{wan}",
        title=Text(
            f"{wan}万元门槛上方聚集（超出数）",
            f"Crowding just above CNY {wan * YUAN_PER_WAN:,} (excess)",
        ),
        formula=Text(
            f"门槛上方 {WINDOW:.0%} 以内的单位期数 − 平滑分布下应有的期数（各期合并）",
            f"unit-periods within {WINDOW:.0%} above − those a smooth distribution has (periods pooled)",
        ),
        unit="units",
        needs=("yuan", "yearly"),
        reference="Chetty et al. (2011), doi:10.1093/qje/qjr013",
        compute=partial(_crowding, threshold=float(wan * YUAN_PER_WAN)),
    )
    for wan in PROMISED_WAN
)
