"""What factor methods refuse, and what they say of their errors."""

from __future__ import annotations

import numpy as np

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._factors_cells import Panel, panel_of

# Ways of getting errors that the vocabulary has no word for.
ERROR_NAMES = {
    "parametric": Text("参数自助法", "parametric bootstrap"),
    "block_bootstrap": Text("按单位整块重抽的自助法", "block bootstrap of units"),
}
_MANY = 40  # treated units from which R gsynth thinks a resampling of them is fit
_LEAST = 5  # redrawing fewer gives errors that are far too small


def rejection(code: str, what: Text, where: str, mend: Text) -> Finding:
    """Make a finding that refuses the design."""
    return Finding(code, "reject", what, where, mend)


def common_refusals(design: Design) -> list[Finding]:
    """Refuse a design whose cells don't tell unit, period and covariate effects apart."""
    found = []
    if design.n_donors < 2:
        found.append(
            rejection(
                "E-EST-FEW-DONORS",
                Text(
                    f"从未处理的单位只有 {design.n_donors} 个，至少需要 2 个",
                    f"{design.n_donors} never-treated units; at least 2 are needed",
                ),
                design.name,
                Text("放宽对照范围，或补充台账", "widen the comparison, or add ledgers"),
            )
        )
        return found
    panel = panel_of(design)
    empty = [
        design.units[row]
        for row, seen in zip(panel.rows, panel.seen, strict=True)
        if not seen.any()
    ]
    if empty:
        found.append(
            rejection(
                "E-EST-NO-PRE-PERIOD",
                Text(
                    f"有 {len(empty)} 个单位没有任何未处理的观测期",
                    f"{len(empty)} units have no period observed without treatment",
                ),
                f"{design.name} › {', '.join(empty[:5])}",
                Text("剔除这些单位，或补充更早的台账", "leave them out, or add earlier ledgers"),
            )
        )
    n_seen = panel.seen[~panel.is_treated].sum(axis=0)
    labels = [one for one, n in zip(design.period_labels, n_seen, strict=True) if not n]
    if labels:
        found.append(
            rejection(
                "E-EST-EMPTY-PERIOD",
                Text(
                    f"有 {len(labels)} 期没有任何对照单位的观测",
                    f"{len(labels)} periods have no comparison unit observed",
                ),
                f"{design.name} › {', '.join(labels[:5])}",
                Text("补充台账，或去掉这些时期", "add ledgers, or drop these periods"),
            )
        )
    if design.covariates is not None:
        found_there = np.isfinite(design.covariates[:, panel.rows])
        names = [
            name
            for name, one in zip(design.covariate_names, found_there, strict=True)
            if (panel.observed & ~one).any()
        ]
        if names:
            found.append(
                rejection(
                    "E-EST-COVARIATE-GAPS",
                    Text(
                        f"有 {len(names)} 个协变量在有结果的期次缺失",
                        f"{len(names)} covariates are missing where the outcome is there",
                    ),
                    f"{design.name} › {', '.join(names[:5])}",
                    Text("补齐协变量，或不列入", "complete the covariates, or leave them out"),
                )
            )
    return found


def error_refusals(design: Design, kind: str) -> list[Finding]:
    """Refuse a resampling that the design can't bear."""
    if kind in ("jackknife", "block_bootstrap") and design.n_treated < _LEAST:
        return [
            rejection(
                "E-EST-FEW-TREATED",
                Text(
                    f"只有 {design.n_treated} 个承办单位，重抽或去掉承办单位所得的误差远远偏小，"
                    f"至少需要 {_LEAST} 个",
                    f"{design.n_treated} treated units: errors from redrawing or dropping them are "
                    f"far too small; at least {_LEAST} are needed",
                ),
                f"{design.name} › errors={kind}",
                Text(
                    "改用 errors=parametric（交互固定效应）或 errors=placebo（矩阵补全），或保形推断",
                    "use errors=parametric (interactive fixed effects), errors=placebo (matrix "
                    "completion), or conformal inference",
                ),
            )
        ]
    n_needed = design.n_treated + 5
    if kind == "placebo" and design.n_donors < n_needed:
        return [
            rejection(
                "E-EST-FEW-DONORS",
                Text(
                    f"对照单位 {design.n_donors} 个，替代 {design.n_treated} 个承办单位做安慰剂"
                    f"至少需要 {n_needed} 个",
                    f"{design.n_donors} comparison units can't stand in for {design.n_treated} "
                    f"treated ones; at least {n_needed} are needed",
                ),
                f"{design.name} › errors=placebo",
                Text("放宽对照范围，或用 errors=none", "widen the comparison, or use errors=none"),
            )
        ]
    if kind == "parametric" and not design.is_balanced:
        return [
            rejection(
                "E-EST-PARAMETRIC-GAPS",
                Text("参数自助法不能用于有缺口的面板", "the parametric bootstrap can't bear gaps"),
                f"{design.name} › errors=parametric",
                Text(
                    "改用 errors=jackknife 或 errors=none，或设计时用 missing=drop_unit",
                    "use errors=jackknife or errors=none, or design it with missing='drop_unit'",
                ),
            )
        ]
    if kind == "parametric" and design.n_donors < 5:
        return [
            rejection(
                "E-EST-FEW-DONORS",
                Text(
                    f"对照单位只有 {design.n_donors} 个，轮流充当承办单位至少需要 5 个",
                    f"{design.n_donors} comparison units can't take turns as treated; at least 5 "
                    "are needed",
                ),
                f"{design.name} › errors=parametric",
                Text("放宽对照范围，或用 errors=none", "widen the comparison, or use errors=none"),
            )
        ]
    return []


def error_findings(design: Design, kind: str, panel: Panel) -> list[Finding]:
    """Say what the errors are, and where they are not to be trusted."""
    n_pre = int(panel.seen[panel.is_treated].sum(axis=1).min())
    if kind in ("jackknife", "block_bootstrap") and design.n_treated < _MANY:
        return [
            Finding(
                "W-EST-FEW-TREATED",
                "warn",
                Text(
                    f"承办单位只有 {design.n_treated} 个，重抽单位的误差须 {_MANY} 个以上才可靠",
                    f"{design.n_treated} treated units: errors from redrawing units are fit from "
                    f"{_MANY} on",
                ),
                f"{design.name} › errors={kind}",
                Text("与保形推断或安慰剂推断对照", "compare conformal or placebo inference"),
            )
        ]
    if kind == "placebo":
        return [
            Finding(
                "N-EST-PLACEBO",
                "note",
                Text(
                    f"标准误为 {design.n_donors} 个对照单位替代承办单位时所得效应的离散程度，"
                    "以承办单位与对照单位波动相近为前提",
                    f"the standard error is the spread of effects found when comparison units (of "
                    f"{design.n_donors}) stand in for the treated, whose noise is taken to be "
                    "alike",
                ),
                design.name,
                Text("结合留一和安慰剂检验阅读", "read it with the checks of robustness"),
            )
        ]
    if kind == "parametric":
        return [
            Finding(
                "N-EST-PARAMETRIC",
                "note",
                Text(
                    f"参数自助法：承办单位的误差取自轮流充当承办单位的 {design.n_donors} 个对照单位，"
                    f"最短启动前 {n_pre} 期",
                    f"parametric bootstrap: treated units' errors are those of {design.n_donors} "
                    f"comparison units taking turns as treated; shortest pre-period {n_pre}",
                ),
                design.name,
                Text("与保形推断或安慰剂推断对照", "compare conformal or placebo inference"),
            )
        ]
    return []
