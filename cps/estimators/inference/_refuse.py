"""When starts can't be reassigned, in words; and which scheme of reassignment fits a design."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators.inference._linear import is_linear_in_treated
from cps.estimators.registry import Refit
from cps.result import Effect

_LEFT = 2  # comparison units that must be left when others stand in for the treated


def refusals(design: Design, effect: Effect, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Give the reasons for which starts can't be reassigned."""
    found = []
    scheme = options["scheme"]
    if effect.overall.att is None:
        found.append(_reject("NO-ESTIMATE", design, _NO_ESTIMATE, _NO_ESTIMATE_MEND))
    if design.dose is not None or design.other_cohorts:
        found.append(_reject("REASSIGN", design, _TIED, _TIED_MEND))
    is_shared = shares_starts(design)
    if scheme == "clusters" and not is_shared:
        found.append(_reject("CLUSTERS", design, _NO_CLUSTERS, _NO_CLUSTERS_MEND))
    if scheme == "within" and not _mixes(design):
        found.append(_reject("CLUSTERS", design, _NO_MIX, _NO_CLUSTERS_MEND))
    if seen_once(design) and not (is_shared and scheme in ("auto", "clusters")):
        found.append(_reject("ROWS", design, _ROWS, ROWS_MEND))
    if scheme == "starts" and len(design.cohorts) < 2:
        found.append(_reject("ONE-START", design, _ONE_START, _ONE_START_MEND))
    if scheme in ("units", "auto") and not design.is_donor.any() and len(design.cohorts) < 2:
        found.append(_reject("ONE-START", design, _ONE_START, _ONE_START_MEND))
    if scheme == "donors" and not can_stand_in(design):
        found.append(
            _reject(
                "FEW-DONORS",
                design,
                Text(
                    f"对照单位 {design.n_donors} 个，顶替 {design.n_treated} 个承办单位后不足 {_LEFT} 个",
                    f"{design.n_donors} comparison units: fewer than {_LEFT} are left after "
                    f"{design.n_treated} stand in for the treated",
                ),
                Text("改用 scheme=units", "use scheme='units'")
                if "statistic" in options
                else Text("改用 inference=randomisation", "use inference='randomisation'"),
            )
        )
    if options.get("statistic") == "t" and effect.overall.se is None:
        found.append(_reject("NO-ERROR", design, _NO_ERROR, _PLAIN))
    elif options.get("statistic") == "t" and effect.inference == "placebo":
        found.append(_reject("NO-ERROR", design, _OWN_PLACEBO, _PLAIN))
    return tuple(found)


def settle_scheme(design: Design, scheme: str, refit: Refit) -> str:
    """Choose the scheme that ``auto`` stands for."""
    if scheme != "auto":
        return scheme
    if shares_starts(design):
        return "clusters"
    # A method that bends is estimated anew at each effect tested, which must be fast.
    is_fast = hasattr(refit.module, "points") or is_linear_in_treated(design, refit)
    return "units" if is_fast or not can_stand_in(design) else "donors"


def seen_once(design: Design) -> bool:
    """Tell whether most units were observed once, as in repeated cross-sections."""
    return bool(((~np.isnan(design.y)).sum(axis=1) <= 1).mean() > 0.5)


def shares_starts(design: Design) -> bool:
    """Tell whether there are clusters within which all units start alike."""
    if design.cluster is None:
        return False
    starts, pool = design.starts, design.is_donor | np.isfinite(design.starts)
    seen: dict[str, float] = {}
    return all(
        seen.setdefault(design.cluster[i], float(starts[i])) == starts[i]
        for i in np.flatnonzero(pool)
    )


def groups_units(design: Design) -> bool:
    """Tell whether some cluster holds more than one unit."""
    return design.cluster is not None and len(set(design.cluster)) < len(design.units)


def clusters_ignored(design: Design) -> list[Finding]:
    """Reject a design that groups units, for an inference in which they stand in one by one."""
    if not groups_units(design):
        return []
    return [
        Finding(
            "E-INF-CLUSTERS",
            "reject",
            Text(
                "设计把单位归入聚类，而顶替逐单位进行，聚类内的相关会被忽略",
                "units are grouped into clusters, but stand in one by one: what clusters share "
                "would be ignored",
            ),
            design.name,
            Text(
                "改用 inference=randomisation（按聚类重排），或以聚类均值为单位",
                "use inference='randomisation', which permutes clusters, or make clusters units",
            ),
        )
    ]


def _mixes(design: Design) -> bool:
    return design.cluster is not None and not shares_starts(design)


def can_stand_in(design: Design) -> bool:
    """Tell whether enough comparison units are left when some stand in for the treated."""
    return design.n_donors - design.n_treated >= _LEFT


def _reject(code: str, design: Design, what: Text, mend: Text) -> Finding:
    return Finding(f"E-INF-{code}", "reject", what, design.name, mend)


_NO_ESTIMATE = Text("没有估计值可供推断", "there is no estimate to infer on")
_NO_ESTIMATE_MEND = Text("先换用能给出估计的方法", "take a method that gives an estimate")
_TIED = Text(
    "处理强度或其他项目与单位绑定，启动时期无法在单位之间重排",
    "a dose or other initiatives are tied to the units: starts can't be given to others",
)
_TIED_MEND = Text(
    "设计时不给 dose、剔除承办其他项目的单位，或换用该方法自带的推断",
    "leave the dose and the other hosts out, or keep the method's own inference",
)
_NO_CLUSTERS = Text(
    "没有聚类，或同一聚类内启动时期不一，无法按聚类重排",
    "there are no clusters, or starts differ within one: they can't be permuted by cluster",
)
_NO_MIX = Text(
    "没有聚类，或各聚类内启动时期一致，聚类内部无可重排",
    "there are no clusters, or starts are alike within each: nothing to permute within them",
)
_NO_CLUSTERS_MEND = Text("改用 scheme=units", "use scheme='units'")
_ROWS = Text(
    "每行自成一个单位（重复截面），逐单位重排没有意义",
    "each row is a unit of its own (repeated cross-sections): permuting units has no meaning",
)
ROWS_MEND = Text(
    "设计时给出 cluster（启动时期在聚类内一致），方法用 levels=cohort，推断用 randomisation",
    "give the design a cluster within which starts are alike; take a method with levels=cohort, and "
    "inference='randomisation'",
)
_ONE_START = Text("启动时期只有一个，没有可重排的", "there is one start only: nothing to permute")
_ONE_START_MEND = Text(
    "改用 scheme=units，并加入对照单位", "use scheme='units', with comparison units"
)
_NO_ERROR = Text(
    "该方法没有标准误，无法用 t 统计量", "this method has no standard error for a t statistic"
)
_OWN_PLACEBO = Text(
    "该方法的标准误来自安慰剂，不宜再作 t 统计量",
    "this method's standard error comes from placebos: a t statistic would need placebos of each",
)
_PLAIN = Text("改用 statistic=estimate", "use statistic='estimate'")
