"""What must hold before effects of several initiatives can be put together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cps.errors import DesignError, Text, UsageError, unknown_choice
from cps.estimators.registry import Refit
from cps.result import Effect

Floats = NDArray[np.float64]

_LEAST_DRAWS = 99
_LEAST_POOL = 5
# What estimators say of errors of their own that few treated units make too small.
_DOUBTS = {"W-EST-FEW-TREATED", "W-EST-ALONE-IN-COHORT", "W-EST-LEVEL"}


def common_pool(refits: Mapping[str, Refit], where: str) -> list[str]:
    """Give the units that serve every design as comparison; refuse too few."""
    donors = [
        {
            unit
            for unit, is_donor in zip(one.design.units, one.design.is_donor, strict=True)
            if is_donor
        }
        for one in refits.values()
    ]
    pool = sorted(set.intersection(*donors))
    if len(pool) < _LEAST_POOL:
        raise DesignError(
            Text(
                f"各项目共同的对照单位 {len(pool)} 个，至少需要 {_LEAST_POOL} 个",
                f"{len(pool)} units serve all initiatives as comparison; this needs {_LEAST_POOL}",
            ),
            where=where,
            mend=Text(
                "放宽对照范围，或分组比较对照相同的项目",
                "widen the comparison, or compare groups of initiatives that share one",
            ),
        )
    return pool


def check_refits(refits: Mapping[str, Refit], draws: int, where: str) -> None:
    """Refuse designs whose outcomes can't move between units."""
    check_count(len(refits), where)
    if draws < _LEAST_DRAWS:
        raise fault(
            f"抽样 {draws} 次太少",
            f"{draws} draws are too few",
            f"{where} › draws",
            Text(f"至少 {_LEAST_DRAWS} 次", f"take {_LEAST_DRAWS} at least"),
        )
    features = (("covariates", "协变量"), ("weights", "抽样权重"), ("cluster", "聚类"))
    for name, one in refits.items():
        for feature, zh in features:
            if getattr(one.design, feature) is not None:
                raise DesignError(
                    Text(
                        f"“{name}”的设计含{zh}，不能随结果在单位之间调换",
                        f"the design of {name!r} has {feature}, which can't move between units "
                        "with the outcomes",
                    ),
                    where=where,
                    mend=Text(
                        "用 jackknife_influence 和 influence_covariance",
                        "take jackknife_influence and influence_covariance",
                    ),
                )


def check_count(n: int, where: str) -> None:
    """Refuse fewer than two initiatives."""
    if n < 2:
        raise fault(
            f"项目 {n} 个，谈不上相互关系",
            f"{n} initiatives have nothing between them",
            where,
            Text("至少给出两个", "give two at least"),
        )


def check_effects(
    effects: Mapping[str, Effect],
    names: tuple[str, ...],
    design_hashes: Mapping[str, str],
    methods: Mapping[str, str],
    *,
    where: str,
) -> None:
    """Refuse effects of different kinds, or that the source knows nothing of."""
    for name in effects:
        if name not in names:
            raise unknown_choice(Text("共富项目", "initiative"), name, names, where=where)
    for words, found in (
        (Text("结果变量", "outcomes"), {one.outcome for one in effects.values()}),
        (Text("计量单位", "measures"), {one.measure for one in effects.values()}),
    ):
        if len(found) != 1:
            raise fault(
                f"各效应的{words.zh}不同：{'、'.join(sorted(found)) or '无'}",
                f"effects have different {words.en}: {', '.join(sorted(found)) or 'none'}",
                where,
                Text("按同一结果、同一尺度估计", "estimate one outcome on one scale"),
            )
    for name, one in effects.items():
        drawn = (
            design_hashes.get(name, one.design_hash),
            methods.get(name, one.method),
        )
        if drawn != (one.design_hash, one.method):
            raise fault(
                f"“{name}”的效应与来源不是同一设计或方法",
                f"the effect of {name!r} and the source are of different designs or methods",
                where,
                Text("用同一设计和方法重新抽样", "resample with the same design and method"),
            )


def own_errors(effects: Mapping[str, Effect], where: str) -> Floats:
    """Give the effects' standard errors, NaN for the absent; refuse those that can't be relied on."""
    there = {name: one for name, one in effects.items() if one.overall.att is not None}
    without = [name for name, one in there.items() if not (one.overall.se and one.overall.se > 0)]
    mend = Text(
        "换用守住水平的推断，或用 scale=source",
        "take an inference that holds its level, or scale='source'",
    )
    if without:
        raise fault(
            f"没有标准误：{'、'.join(without)}",
            f"no standard error: {', '.join(without)}",
            where,
            mend,
        )
    # Errors that are far too small would tell ranks apart that nobody can tell apart.
    doubtful = [
        name
        for name, one in there.items()
        if one.is_reliable is False or {found.code for found in one.findings} & _DOUBTS
    ]
    if doubtful:
        raise fault(
            f"处理单位太少，所用推断的标准误不可靠：{'、'.join(doubtful)}",
            f"too few are treated for the standard errors of this inference: {', '.join(doubtful)}",
            where,
            mend,
        )
    return np.array([one.overall.se or np.nan for one in effects.values()], dtype=float)


def fault(zh: str, en: str, where: str, mend: Text) -> UsageError:
    """Make the error of a call that can't be answered."""
    return UsageError(Text(zh, en), where=where, mend=mend)
