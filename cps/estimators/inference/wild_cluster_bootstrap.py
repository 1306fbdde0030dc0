"""Wild cluster bootstrap for estimates that are a coefficient of a regression.

Cameron, Gelbach & Miller (2008), doi:10.1162/rest.90.3.414; MacKinnon & Webb (2018),
doi:10.1111/ectj.12107, for few treated clusters; numbers agree with Stata ``boottest``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import DesignError, Finding, Text
from cps.estimators._options import Number
from cps.estimators._regression_errors import rounding_floor
from cps.estimators._regression_panel import with_always_treated
from cps.estimators._scale import natural_scale
from cps.estimators._wild import Kind, Ties, WildTest, wild_bootstrap
from cps.estimators.inference._events import bare, without_errors
from cps.estimators.inference._linear import common_contrast
from cps.estimators.inference._regression import (
    Regression,
    clusters,
    is_coefficient,
    one_comparison,
    two_way_of,
)
from cps.estimators.registry import Refit
from cps.result import Effect, Estimate, EventTimeEffect

NAME = Text("野聚类自助法", "Wild cluster bootstrap")
REFERENCE = (
    "Cameron, Gelbach & Miller (2008), doi:10.1162/rest.90.3.414; "
    "MacKinnon & Webb (2018), doi:10.1111/ectj.12107"
)
ASSUMES = Text(
    "误差在聚类之间独立，且承办与对照两侧的聚类都不太少",
    "errors are independent between clusters, and neither treated nor comparison clusters are few",
)
OPTIONS: dict[str, tuple[str, ...] | Number] = {
    "null": ("restricted", "unrestricted"),
    "weights": ("auto", "rademacher", "mammen", "webb", "normal"),
    "by": ("auto", "cluster", "unit", "observation"),
    "ties": ("conservative", "half", "strict"),
    "draws": Number(9999, 99, 999_999, is_whole=True),
}
_FEW_TREATED = 4  # fewer treated clusters than this: the two forms err in opposite directions


def needs(design: Design, effect: Effect, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject an estimate that is no regression's coefficient, or one with too few clusters."""
    findings = []
    design = _regressed(design, effect)
    if len(set(clusters(design).tolist())) < 3:
        findings.append(
            Finding(
                "E-INF-FEW-CLUSTERS",
                "reject",
                Text("聚类不足 3 个，无法自助", "fewer than 3 clusters: nothing to resample"),
                design.name,
                Text("改用更细的聚类", "take finer clusters"),
            )
        )
    if two_way_of(design, effect.overall.att) is None and not _one_cohort(design):
        error = _no_coefficient(design, effect)
        findings.append(
            Finding("E-INF-NO-REGRESSION", "reject", error.what, error.where, error.mend)
        )
    return tuple(findings)


def infer(
    design: Design,
    effect: Effect,
    refit: Refit,
    *,
    level: float,
    seed: int,
    options: Mapping[str, str],
) -> Effect:
    """Bootstrap the regression whose coefficient the estimate is.

    That is the two-way fixed-effects regression where its coefficient equals the estimate, and for
    one cohort any comparison of a contrast over periods between treated and comparison units
    (checked by equality, too). Other estimates are refused.

    Raises
    ------
    DesignError
        If the estimate is neither.
    """
    whole = _regressed(design, effect)
    regression = two_way_of(whole, effect.overall.att)
    if regression is None:
        regression = _comparison(design, effect, refit)
    _require_noise(design, effect, regression)
    n_treated = len(set(clusters(whole)[_treated(whole)].tolist()))
    by = _by(options["by"], design, n_treated)

    def bootstrap(one: Regression) -> WildTest:
        return wild_bootstrap(
            one.y,
            one.x,
            one.cluster,
            0,
            restricted=options["null"] == "restricted",
            kind=cast(Kind, options["weights"]),
            draws=int(options["draws"]),
            seed=seed,
            level=level,
            boot_cluster=_shared(one, by),
            ties=cast(Ties, options["ties"]),
            n_absorbed=one.n_absorbed,
        )

    found = bootstrap(regression)
    small_sample = effect.options.get("small_sample", "nested")
    overall = _estimate(effect.overall.att, found, regression.factor(small_sample))
    options_of, said = _settled(design, effect)
    return dataclasses.replace(
        bare(effect, overall),
        options=options_of,
        natural=natural_scale(design, overall),
        level=level,
        p_value_floor=found.p_value_floor,
        by_event_time=_events(design, effect, bootstrap, small_sample),
        findings=(
            *effect.findings,
            *said,
            _how(design, found, by, options["null"]),
            *_few(design, n_treated, found.n_clusters, by, options["null"]),
        ),
    )


def _estimate(att: float | None, found: WildTest, factor: float) -> Estimate:
    return Estimate(att, found.se * factor, found.ci_low, found.ci_high, found.p_value)


def _regressed(design: Design, effect: Effect) -> Design:
    """Give the design with the always-treated units, where the regression has them."""
    is_whole = effect.options.get("always_treated") == "include"
    return with_always_treated(design) if is_whole else design


def _require_noise(design: Design, effect: Effect, regression: Regression) -> None:
    """Refuse a regression without residuals: there is nothing to resample."""
    x, y = regression.x, regression.y
    left = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    if float(np.sqrt((left**2).mean())) > rounding_floor(design):
        return
    raise DesignError(
        Text(
            "回归没有残差（或只剩舍入误差），无从自助",
            "the regression leaves no residuals but rounding: nothing to resample",
        ),
        where=f"{design.name} › {effect.method}",
        mend=Text(
            "增加对照单位，或改用 randomisation", "add units, or use inference='randomisation'"
        ),
    )


def _settled(design: Design, effect: Effect) -> tuple[dict[str, str], tuple[Finding, ...]]:
    """Say that the error is by cluster, whichever was asked for of the method itself."""
    if effect.options.get("errors") not in ("robust", "iid"):
        return effect.options, ()
    given = effect.options["errors"]
    note = Finding(
        "N-INF-CLUSTERED",
        "note",
        Text(
            f"野自助法的标准误按聚类计算；errors={given} 不再适用",
            f"the wild bootstrap's standard error is by cluster: errors={given} no longer holds",
        ),
        f"{design.name} › errors={given}",
        Text("用 errors=cluster", "use errors=cluster"),
    )
    return {**effect.options, "errors": "cluster"}, (note,)


def _events(
    design: Design,
    effect: Effect,
    bootstrap: Callable[[Regression], WildTest],
    small_sample: str,
) -> tuple[EventTimeEffect, ...]:
    """Bootstrap each event time of one cohort: a period compared with the base that it has."""
    if not _one_cohort(design):
        return without_errors(effect.by_event_time)
    start = design.periods.index(design.cohorts[0])
    n_before = sum(p < design.cohorts[0] - design.anticipation for p in design.periods)
    found = []
    for one in effect.by_event_time:
        t = start + one.event_time
        estimate = Estimate(one.estimate.att)
        for base in ([n_before - 1], [t - 1], list(range(n_before))):
            contrast = np.zeros(len(design.periods))
            contrast[base] -= 1 / len(base)
            contrast[t] += 1
            regression = one_comparison(design, contrast)
            if contrast.any() and is_coefficient(regression, one.estimate.att, design):
                factor = regression.factor(small_sample)
                estimate = _estimate(one.estimate.att, bootstrap(regression), factor)
                break
        found.append(dataclasses.replace(one, estimate=estimate))
    return tuple(found)


def _one_cohort(design: Design) -> bool:
    return len(design.cohorts) == 1 and design.is_balanced and design.weights is None


def _comparison(design: Design, effect: Effect, refit: Refit) -> Regression:
    contrast = common_contrast(design, effect.overall.att, refit)
    if contrast is not None:
        regression = one_comparison(design, contrast)
        if is_coefficient(regression, effect.overall.att, design):
            return regression
    raise _no_coefficient(design, effect)


def _no_coefficient(design: Design, effect: Effect) -> DesignError:
    return DesignError(
        Text(
            f"{effect.method_name.zh}的估计不是双向固定效应回归的系数，也不是单一批次的前后对比，"
            "野自助法不适用",
            f"the estimate of {effect.method} is neither the coefficient of a two-way "
            "fixed-effects regression nor one cohort's comparison: the wild bootstrap is not for it",
        ),
        where=f"{design.name} › {effect.method}",
        mend=Text("改用 randomisation", "use inference='randomisation'"),
    )


def _treated(design: Design) -> NDArray[np.bool_]:
    return np.array([one is not None for one in design.cohort])


def _by(chosen: str, design: Design, n_treated: int) -> str:
    """Settle what shares a weight: finer than clusters where few of them are treated."""
    if chosen != "auto":
        return chosen
    if n_treated >= _FEW_TREATED:
        return "cluster"
    return "observation" if design.cluster is None else "unit"


def _shared(regression: Regression, by: str) -> NDArray[np.int64] | None:
    if by == "cluster":
        return None
    if by == "unit":
        return np.unique(regression.unit, return_inverse=True)[1].astype(np.int64)
    return np.arange(len(regression.y))


def _how(design: Design, found: WildTest, by: str, null: str) -> Finding:
    how_zh, how_en = ("穷尽", "all there are") if found.is_enumerated else ("随机", "drawn")
    words = {
        "cluster": ("聚类", "cluster"),
        "unit": ("单位", "unit"),
        "observation": ("观测", "observation"),
    }
    null_zh = "施加原假设" if null == "restricted" else "不施加原假设"
    return Finding(
        "N-INF-WILD",
        "note",
        Text(
            f"{found.n_clusters} 个聚类，{found.kind} 权重 {found.n_draws} 次（{how_zh}），"
            f"逐{words[by][0]}赋权，{null_zh}",
            f"{found.n_clusters} clusters, {found.n_draws} draws of {found.kind} weights ({how_en}), "
            f"one weight per {words[by][1]}, null {'' if null == 'restricted' else 'not '}imposed",
        ),
        design.name,
        Text("无须处理", "nothing to do"),
    )


def _few(
    design: Design, n_treated: int, n_clusters: int, by: str, null: str
) -> tuple[Finding, ...]:
    if min(n_treated, n_clusters - n_treated) >= _FEW_TREATED:
        return ()
    if by != "cluster":
        zh, en = "逐单位或逐观测赋权只部分弥补", "weights finer than clusters mend it in part only"
    elif null == "restricted":
        zh, en = "施加原假设时几乎不会拒绝", "with the null imposed it hardly ever rejects"
    else:
        zh, en = "不施加原假设时拒绝过多", "without the null imposed it rejects far too often"
    return (
        Finding(
            "W-INF-FEW-TREATED-CLUSTERS",
            "warn",
            Text(
                f"承办聚类 {n_treated} 个、对照聚类 {n_clusters - n_treated} 个，野自助法不可靠：{zh}",
                f"{n_treated} treated and {n_clusters - n_treated} comparison clusters: the wild "
                f"bootstrap is unreliable: {en}",
            ),
            design.name,
            Text("以 randomisation 为准", "rely on inference='randomisation'"),
        ),
    )
