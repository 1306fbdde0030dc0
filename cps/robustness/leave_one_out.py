"""Does the estimate hang on a single unit, cohort or cluster?"""

from __future__ import annotations

import numpy as np

from cps.design.record import Design
from cps.errors import Text
from cps.estimators.registry import refit
from cps.result import Check, Effect
from cps.robustness._parts import MANY_CELLS, amount, several
from cps.robustness._units import change_around, mean_seen

NAME = Text("逐一剔除", "Leave one out")
MOST, MOST_OF_MANY = 10, 5


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why no unit can be left out, or None."""
    if effect.overall.att is None or (design.n_donors < 3 and design.n_treated < 2):
        return Text("单位太少，无法剔除", "too few units to leave one out")
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Estimate again without each treated unit, each influential comparison unit, each cohort.

    With clusters, also without each cluster that holds treated units.

    Comparison units are those with the largest weights, or, of a method without weights, those whose
    change around the starts is farthest from the rest; where no unit was seen on both sides of a
    start (repeated cross-sections), whose outcome is. No more than ten are left out of either side,
    of cohorts (the largest) and of clusters; five where units times periods are over 250,000. It
    passes if every such estimate keeps the sign and lies within the headline's interval. Where the
    interval covers zero the sign is not asked for: it was not known before either.
    """
    overall = effect.overall
    att = overall.att or 0.0
    estimates = _estimates(design, effect)
    if not estimates:
        reason = Text("剔除后均无法估计", "nothing can be estimated without any of them")
        return Check("leave_one_out", effect.method, None, None, None, NAME, reason)
    name = max(estimates, key=lambda one: abs(estimates[one] - att))
    low, high = min(estimates.values()), max(estimates.values())
    moved = estimates[name]
    ends = (overall.ci_low, overall.ci_high)
    inside = ends[0] is None or ends[1] is None or (ends[0] <= low and high <= ends[1])
    covers_zero = ends[0] is not None and ends[1] is not None and ends[0] <= 0 <= ends[1]
    same_sign = covers_zero or (low > 0) == (high > 0) == (att > 0)
    shown = [amount(design, value) for value in (low, high, moved, att)]
    n_cohorts = sum(one.startswith(_COHORT) for one in estimates)
    n_clusters = sum(one.startswith(_CLUSTER) for one in estimates)
    n_units = len(estimates) - n_cohorts - n_clusters
    groups_zh = (f"、{n_cohorts} 个启动批次" if n_cohorts else "") + (
        f"、{n_clusters} 个聚类" if n_clusters else ""
    )
    groups_en = (f", {several(n_cohorts, 'cohort')}" if n_cohorts else "") + (
        f", {several(n_clusters, 'cluster')}" if n_clusters else ""
    )
    capped = Text("", "")
    if design.y.size > MANY_CELLS:
        capped = Text(
            f"（数据量大，每类至多剔除 {_most(design)} 个）",
            f" (the panel being large, at most {_most(design)} of each kind)",
        )
    what = name.removeprefix(_COHORT).removeprefix(_CLUSTER)
    kind_zh = "批次" if name.startswith(_COHORT) else "聚类" if name.startswith(_CLUSTER) else ""
    return Check(
        name="leave_one_out",
        method=effect.method,
        verdict=inside and same_sign,
        statistic=abs(moved - att),
        threshold=None if ends[0] is None or ends[1] is None else (ends[1] - ends[0]) / 2,
        title=NAME,
        explanation=Text(
            f"逐一剔除 {n_units} 个单位{groups_zh}{capped.zh}，"
            f"估计在 {shown[0].zh} 至 {shown[1].zh} 之间；"
            f"影响最大的是{what}{kind_zh}（{shown[3].zh} 变为 {shown[2].zh}）",
            f"without each of {several(n_units, 'unit')}{groups_en}{capped.en} the estimate lies between "
            f"{shown[0].en} and {shown[1].en}; {name} moves it most "
            f"({shown[3].en} to {shown[2].en})",
        ),
        table={"unit": tuple(estimates), "att": tuple(estimates.values())},
    )


_COHORT, _CLUSTER = "cohort ", "cluster "


def _estimates(design: Design, effect: Effect) -> dict[str, float]:
    labels = dict(zip(design.periods, design.period_labels, strict=True))
    starts = design.starts
    without: dict[str, np.ndarray] = {
        unit: np.array([one != unit for one in design.units])
        for unit in _candidates(design, effect)
    }
    sizes = {start: int((starts == start).sum()) for start in design.cohorts}
    if len(sizes) > 1:
        largest = sorted(sizes, key=lambda start: -sizes[start])[: _most(design)]
        # A cohort of one unit is left out with its unit.
        without |= {
            f"{_COHORT}{labels.get(start, str(start))}": starts != start
            for start in sorted(largest)
            if sizes[start] > 1
        }
    if design.cluster is not None:
        groups = np.array(design.cluster)
        hosting = sorted(set(groups[np.isfinite(starts)].tolist()))
        without |= {
            f"{_CLUSTER}{name}": groups != name
            for name in hosting[: _most(design)]
            if 1 < (groups == name).sum() < len(groups)
        }
    if not without:
        return {}
    absent = np.logical_not(np.array(list(without.values())))
    found = refit(design, effect.method, options=effect.options).without(absent)
    return {
        name: one for name, one in zip(without, found.tolist(), strict=True) if np.isfinite(one)
    }


def _most(design: Design) -> int:
    return MOST if design.y.size <= MANY_CELLS else MOST_OF_MANY


def _candidates(design: Design, effect: Effect) -> list[str]:
    change = change_around(design, design.y)
    if not np.isfinite(change).any():
        # No unit was seen on both sides of a start: its outcome, net of the period's mean, tells.
        change = mean_seen(design.y - mean_seen(design.y.T))
    known = np.isfinite(change)
    change = np.where(known, change, np.median(change[known]) if known.any() else 0.0)
    weight: dict[str, float] = {}
    for one in effect.weights:
        if one.unit is not None:
            weight[one.unit] = max(weight.get(one.unit, 0.0), one.weight)
    heaviest = sorted(weight, key=lambda unit: -weight[unit])[: _most(design)]
    treated = _farthest(design, change, np.isfinite(design.starts))
    return [
        *(treated if len(treated) > 1 else []),
        *(heaviest or _farthest(design, change, design.is_donor)),
    ]


def _farthest(design: Design, change: np.ndarray, group: np.ndarray) -> list[str]:
    """Name the units of a group whose change is farthest from the group's median."""
    rows = np.flatnonzero(group)
    most = _most(design)
    if len(rows) <= most:
        return [design.units[row] for row in rows]
    far = np.abs(change[rows] - np.median(change[rows]))
    return [design.units[row] for row in rows[np.argsort(-far, kind="stable")[:most]]]
