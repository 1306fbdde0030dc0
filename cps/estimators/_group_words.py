"""What a reader of group-time effects must know: few units, few clusters, cells left out."""

from __future__ import annotations

from collections.abc import Sequence

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._group_cells import Ints

_FEW = 5
_FEW_CLUSTERS = 20
_SHOWN = 5

_REASONS: dict[str, tuple[Text, Text]] = {
    "overlap": (
        Text(
            "凭协变量几乎可以断定哪些单位承办，没有可比的对照",
            "the covariates all but tell who is treated: nobody to compare with",
        ),
        Text(
            "减少协变量，或改用 covariate_method=regression",
            "use fewer covariates, or covariate_method=regression",
        ),
    ),
    "controls": (
        Text(
            "对照单位太少，或其协变量共线，回归无法进行",
            "too few comparison units for the covariates, or covariates that are collinear there",
        ),
        Text(
            "减少协变量，或改用 control=not_yet",
            "use fewer covariates, or control=not_yet",
        ),
    ),
    "singular": (
        Text("协变量共线", "the covariates are collinear"),
        Text("去掉重复的协变量", "leave out covariates that repeat others"),
    ),
    "unobserved": (
        Text(
            "该期或基期没有观测到承办单位或对照单位",
            "no treated or no comparison unit was observed then, or in the base period",
        ),
        Text("补齐该期数据", "supply the data of those periods"),
    ),
}


def few_treated(design: Design, starts: Ints, sizes: Ints) -> tuple[Finding, ...]:
    """Warn of cohorts whose analytic errors are too small."""
    few = [(int(g), int(size)) for g, size in zip(starts, sizes, strict=True) if size < _FEW]
    if not few:
        return ()
    labels = dict(zip(design.periods, design.period_labels, strict=True))
    return (
        Finding(
            "W-EST-FEW-TREATED",
            "warn",
            Text(
                f"{len(few)} 个启动批次的承办单位不足 {_FEW} 个，解析标准误偏小，区间不可尽信",
                f"{len(few)} cohorts have fewer than {_FEW} treated units: analytic standard "
                "errors are too small there",
            ),
            ", ".join(f"{labels.get(g, g)} (n={size})" for g, size in few[:_SHOWN]),
            Text("以安慰剂推断的结果为准", "rely on the placebo inference"),
            count=len(few),
        ),
    )


def few_clusters(design: Design) -> tuple[Finding, ...]:
    """Warn where the number of clusters, or of treated ones, is no large sample."""
    if design.cluster is None:
        return ()
    n_all = len(set(design.cluster))
    n_treated = len(
        {one for one, start in zip(design.cluster, design.cohort, strict=True) if start is not None}
    )
    if n_all >= _FEW_CLUSTERS and n_treated >= _FEW:
        return ()
    return (
        Finding(
            "W-EST-FEW-CLUSTERS",
            "warn",
            Text(
                f"共 {n_all} 个聚类，其中 {n_treated} 个含承办单位，聚类标准误偏小",
                f"{n_all} clusters, {n_treated} of them with treated units: clustered standard "
                "errors are too small",
            ),
            design.name,
            Text("以随机化推断或自助法的结果为准", "rely on randomisation or the bootstrap"),
            count=n_all,
        ),
    )


def no_cell_bands(design: Design, n_cells: int) -> Finding:
    """Say that the cells have no simultaneous band, only intervals of their own."""
    return Finding(
        "N-EST-NO-CELL-BANDS",
        "note",
        Text(
            f"面板过大，{n_cells} 个批次-时期没有同时置信带，只有各自的区间",
            f"the panel is too large for simultaneous bands over {n_cells} cohort-periods: each has "
            "its own interval only",
        ),
        design.name,
        Text(
            "按启动后期数、批次和年份的置信带仍可用", "those by event time, cohort and period hold"
        ),
    )


def left_out_cells(design: Design, failed: Sequence[tuple[int, int, str]]) -> tuple[Finding, ...]:
    """Name the ATT(g, t) that could not be estimated, by reason."""
    labels = dict(zip(design.periods, design.period_labels, strict=True))
    findings = []
    for reason, (what, mend) in _REASONS.items():
        places = [(g, t) for g, t, why in failed if why == reason]
        if not places:
            continue
        shown = ", ".join(
            f"ATT({labels.get(g, g)}, {labels.get(t, t)})" for g, t in places[:_SHOWN]
        )
        findings.append(
            Finding(
                f"W-EST-CELL-{reason.upper()}",
                "warn",
                Text(
                    f"{len(places)} 个批次-时期未估计：{what.zh}",
                    f"{len(places)} cohort-periods are not estimated: {what.en}",
                ),
                shown + (" …" if len(places) > _SHOWN else ""),
                mend,
                count=len(places),
            )
        )
    return tuple(findings)
