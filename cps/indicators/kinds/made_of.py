"""Structure of income, dependence on subsidies, and what members were paid."""

from __future__ import annotations

import numpy as np

from cps.errors import PanelError, Text, UsageError
from cps.indicators.record import Ask, FloatArray, Found, Grid, Indicator
from cps.indicators.structure import income_structure, subsidy_dependence

# 经营性收入 (Zhejiang, gross) is the sum of these three.
PARTS = ("direct_operating_income_yuan", "investment_income_yuan", "contract_income_yuan")
SUBSIDIES = "subsidy_income_yuan"
DIVIDENDS = "dividends_yuan"
SURPLUS = "net_surplus_yuan"
MEMBERS = "members_persons"


def _structure(grid: Grid, ask: Ask) -> Found:
    total = grid.at(ask.period) if not grid.basis.subsidies else None
    try:
        found = income_structure(
            {name: _component(grid, name, ask) for name in PARTS},
            total=total if grid.basis.income == "gross" else None,
        )
    except (UsageError, PanelError) as error:
        return Found(None, 0, notes=(error.what,))
    if found is None:
        return Found(None, 0, notes=(_NOTHING,))
    return Found(
        found.shares_pct[PARTS[0]],
        found.n,
        parts={"concentration": found.concentration},
        table={
            "part": tuple(found.shares_pct),
            "amount": tuple(found.amounts.values()),
            "share_pct": tuple(found.shares_pct.values()),
        },
    )


def _subsidies(grid: Grid, ask: Ask) -> Found:
    if grid.basis.income != "gross" or grid.basis.subsidies:
        return Found(
            None,
            0,
            notes=(
                Text(
                    "补助依赖度要以不含补助的总额收入为分母，净额或已含补助的数不能混算",
                    "dependence on subsidies needs gross income without them: net figures, or ones "
                    "that hold them already, can't be mixed in",
                ),
            ),
        )
    found = subsidy_dependence(grid.at(ask.period), _component(grid, SUBSIDIES, ask))
    if found is None:
        return Found(None, 0, notes=(_NOTHING,))
    return Found(
        found.share_pct,
        found.n,
        parts={
            "median_share_pct": found.median_share_pct,
            "above_half_pct": found.above_half_pct,
        },
    )


def _subsidies_change(grid: Grid, ask: Ask) -> Found:
    base = ask.base if ask.base is not None else ask.period
    ends = [_subsidies(grid, Ask(period=one)) for one in (ask.period, base)]
    now, before = ends[0].value, ends[1].value
    if now is None or before is None:
        return Found(None, 0, notes=(*ends[0].notes, *ends[1].notes))
    notes: tuple[Text, ...] = ()
    if ends[0].n_reported != ends[1].n_reported:
        notes = (
            Text(
                f"两期填报单位数不同（{ends[0].n_reported} 与 {ends[1].n_reported}）",
                f"the two periods have different numbers of units ({ends[0].n_reported} and "
                f"{ends[1].n_reported})",
            ),
        )
    return Found(
        now - before,
        min(one.n_reported for one in ends),
        parts={"share_pct": now, "base_share_pct": before},
        formula=Text(
            f"{now:.2f}% − {before:.2f}% = {now - before:+.2f} 个百分点",
            f"{now:.2f}% − {before:.2f}% = {now - before:+.2f} percentage points",
        ),
        notes=notes,
    )


def _dividends(grid: Grid, ask: Ask) -> Found:
    paid = _component(grid, DIVIDENDS, ask)
    reported = np.isfinite(paid)
    n = int(reported.sum())
    if n == 0:
        return Found(None, 0, notes=(_NOTHING,))
    members = _component(grid, MEMBERS, ask)
    surplus = _component(grid, SURPLUS, ask)
    counted = reported & (members > 0)
    earned = reported & (surplus > 0)
    return Found(
        float(paid[reported].sum()) if n == len(grid.units) else None,
        n,
        parts={
            "mean": float(paid[reported].mean()),
            "paying_units_pct": float(100 * (paid[reported] > 0).mean()),
            "per_member_yuan": _ratio(paid[counted], members[counted]),
            "of_net_surplus_pct": _ratio(paid[earned], surplus[earned], scale=100),
            "n_with_members": float(counted.sum()),
            "n_with_surplus": float(earned.sum()),
        },
        notes=()
        if n == len(grid.units)
        else (
            Text("有单位未报，部分之和不是总数", "some did not report: part of a sum is no sum"),
        ),
    )


def _component(grid: Grid, name: str, ask: Ask) -> FloatArray:
    if name not in grid.components:
        return np.full(len(grid.units), np.nan)
    return grid.components[name][:, grid.periods.index(ask.period)]


def _ratio(above: FloatArray, below: FloatArray, *, scale: float = 1.0) -> float | None:
    return float(scale * above.sum() / below.sum()) if below.size else None


_NOTHING = Text("没有单位填报所需各项", "no unit reported what this takes")

INDICATORS = (
    Indicator(
        name="own_operation_share",
        title=Text(
            "直接经营收入占比及收入结构", "Share of own operations, and structure of income"
        ),
        formula=Text(
            "各项 ÷（经营收入 + 投资收益 + 发包及上交收入）；集中度 = Σ占比²",
            "each part ÷ (own operations + investment + rents and dues); concentration = Σshare²",
        ),
        unit="percent",
        needs=("components", "yuan"),
        components=PARTS,
        compute=_structure,
    ),
    Indicator(
        name="subsidy_dependence",
        title=Text("补助依赖度", "Dependence on subsidies"),
        formula=Text(
            "补助收入 ÷（经营性收入 + 补助收入）× 100%",
            "subsidies ÷ (operating income + subsidies) × 100%",
        ),
        unit="percent",
        needs=("components", "yuan"),
        components=(SUBSIDIES,),
        compute=_subsidies,
    ),
    Indicator(
        name="subsidy_dependence_change",
        title=Text("补助依赖度变动", "Change of dependence on subsidies"),
        formula=Text("本期占比 − 基期占比（百分点）", "share − base share (percentage points)"),
        unit="points",
        needs=("components", "yuan", "base"),
        components=(SUBSIDIES,),
        compute=_subsidies_change,
    ),
    Indicator(
        name="dividends",
        title=Text("成员分红", "Dividends to members"),
        formula=Text(
            "分红合计；人均 = 分红 ÷ 成员数；占净收益 = 分红 ÷ 净收益",
            "sum of dividends; per member = dividends ÷ members; of surplus = dividends ÷ net surplus",
        ),
        unit="yuan",
        needs=("components",),
        components=(DIVIDENDS,),
        compute=_dividends,
    ),
)
