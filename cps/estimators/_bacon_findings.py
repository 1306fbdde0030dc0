"""What a reader of a two-way fixed-effects coefficient must know."""

from __future__ import annotations

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._bacon import FORBIDDEN, Bacon
from cps.result import Estimate

Table = dict[str, tuple[float | int | str | None, ...]]


def diagnosis_finding(design: Design, parts: Bacon | None, overall: Estimate) -> Finding:
    """Say how much of the coefficient comes from comparisons that should not be made."""
    mend = Text(
        "主结果请用 imputation、interaction_weighted 或 group_time_att",
        "take the result from imputation, interaction_weighted or group_time_att",
    )
    if parts is None:
        what = Text(
            "双向固定效应仅作诊断；面板不平衡、权重随时间变化或设有预期期，无法作 Goodman-Bacon 分解",
            "two-way fixed effects is a diagnosis; with gaps, weights that change or anticipation "
            "there is no Goodman-Bacon decomposition",
        )
    elif parts.within is not None:
        share = 100 * parts.within_weight
        what = Text(
            f"双向固定效应仅作诊断；{share:.1f}% 的权重来自同批次内协变量的差异，其余来自批次两两比较",
            f"two-way fixed effects is a diagnosis; {share:.1f}% of its weight comes from "
            "differences of the covariates within cohorts, the rest from pairs of cohorts",
        )
    else:
        by_kind = parts.by_kind()
        bad = sum(by_kind[kind][0] for kind in FORBIDDEN if kind in by_kind)
        clean = [by_kind[kind] for kind in by_kind if kind not in FORBIDDEN]
        mean = sum(w * b for w, b in clean) / sum(w for w, _ in clean) if clean else float("nan")
        clean_zh = f"只看其余比较，估计为 {mean:.4g}（全部为 {overall.att:.4g}）" if clean else ""
        clean_en = f"the others alone average {mean:.4g} (all: {overall.att:.4g})" if clean else ""
        what = Text(
            f"双向固定效应仅作诊断；{100 * bad:.1f}% 的权重来自不应作的比较"
            f"（以已启动的单位作对照）；{clean_zh}",
            f"two-way fixed effects is a diagnosis; {100 * bad:.1f}% of its weight comes from "
            f"forbidden comparisons (units already treated as controls); {clean_en}",
        )
    return Finding("W-EST-DIAGNOSIS", "warn", what, design.name, mend)


def negative_findings(design: Design, cells: Table) -> tuple[Finding, ...]:
    """Say how many cells enter with negative weight."""
    weights = [float(one) for one in cells["weight"] if isinstance(one, float)]
    negative = [one for one in weights if one < 0]
    if not negative:
        return ()
    return (
        Finding(
            "W-EST-NEGATIVE-WEIGHTS",
            "warn",
            Text(
                f"{len(weights)} 个批次×时期中有 {len(negative)} 个以负权重进入系数，"
                f"合计 {sum(negative):.3f}",
                f"{len(negative)} of {len(weights)} cells of cohort and period enter with negative "
                f"weight, {sum(negative):.3f} in all",
            ),
            design.name,
            Text("见表 cell_weights", "see the table cell_weights"),
            count=len(negative),
        ),
    )


def no_always_treated_finding(design: Design) -> Finding:
    """Say that there is nobody to put back."""
    held = any(one.reason == "always_treated" for one in design.left_out)
    return Finding(
        "E-EST-NO-ALWAYS-TREATED",
        "reject",
        Text("设计没有保留始终处理的单位", "the design keeps no always-treated units")
        if not held
        else Text(
            "始终处理的单位没有完整的协变量、权重或聚类",
            "no always-treated unit has all covariates, weights and clusters",
        ),
        f"{design.name} › always_treated=include",
        Text("用 always_treated=leave_out", "use always_treated=leave_out"),
    )
