"""Inequality within groups and between them: Theil's T and L."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np

from cps.errors import Text
from cps.indicators.decomposition import decompose_theil
from cps.indicators.record import Ask, Found, Grid, Indicator


def _between(grid: Grid, ask: Ask, *, index: Literal["t", "l"]) -> Found:
    column = grid.at(ask.period)
    n = int(np.isfinite(column).sum())
    groups = [str(one) for one in (ask.groups if ask.groups is not None else grid.areas)]
    found = decompose_theil(column, groups, index=index)
    if found is None:
        return Found(
            None,
            n,
            notes=(
                Text(
                    "无人填报，或有值使指数无定义", "nothing reported, or the index is not defined"
                ),
            ),
        )
    share = 100 * found.between / found.total if found.total > 0 else None
    fields = (
        "group",
        "n",
        "population_share",
        "income_share",
        "mean",
        "index",
        "within",
        "between",
    )
    return Found(
        found.between,
        n,
        parts={
            "total": found.total,
            "within": found.within,
            "between": found.between,
            "between_share_pct": share,
        },
        table={name: tuple(getattr(one, name) for one in found.groups) for name in fields},
    )


INDICATORS = (
    Indicator(
        name="theil_t_between",
        title=Text("泰尔指数 T 的组间部分", "Theil's T between groups"),
        formula=Text(
            "T = Σs_g·T_g（组内）+ Σs_g·ln(μ_g/μ)（组间）",
            "T = Σs_g·T_g (within) + Σs_g·ln(μ_g/μ) (between)",
        ),
        unit="index",
        needs=("groups",),
        reference="Shorrocks (1980), doi:10.2307/1913126",
        compute=partial(_between, index="t"),
    ),
    Indicator(
        name="theil_l_between",
        title=Text("泰尔指数 L 的组间部分", "Theil's L between groups"),
        formula=Text(
            "L = Σw_g·L_g（组内）+ Σw_g·ln(μ/μ_g)（组间）",
            "L = Σw_g·L_g (within) + Σw_g·ln(μ/μ_g) (between)",
        ),
        unit="index",
        needs=("groups",),
        reference="Shorrocks (1980), doi:10.2307/1913126",
        compute=partial(_between, index="l"),
    ),
)
