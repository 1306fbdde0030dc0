"""The effect of one initiative with the effects of the others estimated beside it.

What would have been is imputed from unit and period effects and, for each other initiative, an
effect by time since its start, fitted where the initiative itself was not yet at work (Borusyak,
Jaravel & Spiess 2024, Review of Economic Studies 91(6), doi:10.1093/restud/rdae007). Effects of
initiatives in one unit add up: the model takes that for granted. Event-time coefficients of several
treatments in one regression are open to contamination where effects differ between hosts
(de Chaisemartin & D'Haultfœuille 2023, doi:10.1016/j.jeconom.2023.01.021); imputation leaves the
initiative's own effects free, the others' are common to their hosts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._joint_model import JointModel, joint_model
from cps.estimators._scale import (
    effect_measure,
    is_treated_cell,
    natural_scale,
    normal_estimate,
    path_points,
)
from cps.result import Effect, Estimate, EventTimeEffect

REFERENCE = "Borusyak, Jaravel & Spiess (2024), Rev. Econ. Stud. 91(6), doi:10.1093/restud/rdae007"
NAME = Text("多项目联合估计", "Joint effects of several initiatives")
ESTIMAND = Text(
    "启动以后各期对承办单位的平均效应，其他项目的效应同时估计、相加",
    "average effect on the treated over all treated unit-periods, the other initiatives' effects "
    "estimated beside it and added",
)
OPTIONS: dict[str, tuple[str, ...]] = {"own": ("imputed", "event_time")}
SUPPORTS = frozenset({"gaps", "weights", "clusters", "joint"})
_ASSUMES = Text(
    "同一单位内各项目的效应相加、互不影响；每个其他项目的效应只随启动后的期数变化；"
    "没有这些项目时各单位走势平行；各单位（聚类）的误差相互独立",
    "effects of initiatives in one unit add up and don't change one another; each other "
    "initiative's effect depends on the time since its start alone; without any of them units "
    "would have moved in parallel; errors of units (clusters) are independent",
)
OTHER = "other:"
_FEW = 5
_LEADS = 5

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Joint:
    """The model with what it is asked for."""

    model: JointModel
    names: list[tuple[str, int]]  # (other initiative, or "" for our own; event time) of each z
    cells: Bools  # treated, observed and determined
    lost: Bools  # treated and observed, but not determined
    omega: Floats  # weight of every observed cell
    event: NDArray[np.int64]  # (n_units, n_periods), meaningless for never treated


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design in which no cell's effect can be told from the other initiatives'."""
    found = _prepare(design, options["own"])
    if found.cells.any():
        return ()
    same = _coinciding(design)
    if same:
        names = "、".join(same), ", ".join(same)
        return (
            Finding(
                "E-EST-SAME-CELLS",
                "reject",
                Text(
                    f"{names[0]} 总与本项目在同样的单位、同样的时期出现，两者的效应无法分开",
                    f"{names[1]} is at work in the same units and periods as this initiative, "
                    "always: their effects can't be told apart",
                ),
                design.name,
                Text("把它们合并为一个项目评估", "evaluate them together, as one initiative"),
            ),
        )
    others = _others_in(design, found.lost)
    text = ("、".join(others) or "—", ", ".join(others) or "none")
    return (
        Finding(
            "E-EST-NOT-SEPARABLE",
            "reject",
            Text(
                f"启动以后没有任何单位和时期能把本项目与其他项目（{text[0]}）或共同变化分开",
                "after the starts no unit and period tells this initiative from the others "
                f"({text[1]}) or from what happened everywhere",
            ),
            design.name,
            Text(
                "加入只承办其中一个项目的单位和从未承办的单位，或合并评估",
                "add units that host only one of them, and units that host none; or evaluate them "
                "together",
            ),
        ),
    )


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Estimate the initiative's effect, and those of the others beside it.

    ``own="imputed"`` lets the initiative's effect differ freely between hosts and periods; then a
    cell counts only if the others' effects in it are known from cells without the initiative.
    ``own="event_time"`` takes one effect by time since the start, which reaches more cells and
    assumes more. Standard errors are clustered by unit, or by ``cluster``; those of treated cells
    are measured from the mean effect at their event time (conservative). ``seed`` is not used.
    """
    found = _prepare(design, options["own"])
    y = np.where(found.omega > 0, design.y, 0.0)
    asked = _asked(design, found, options["own"])
    residual = _residuals(design, found, y, options["own"])
    scores = np.array([_by_cluster(design, weights * residual) for weights in asked.values()])
    n_clusters = scores.shape[1]
    covariance = scores @ scores.T * n_clusters / max(n_clusters - 1, 1)
    has_error = design.n_treated > 1

    def one(place: int) -> Estimate:
        weights = list(asked.values())[place]
        att = float((weights * y).sum())
        variance = covariance[place, place]
        return normal_estimate(att, float(np.sqrt(variance)) if has_error else None, level)

    keys = list(asked)
    events = [place for place, (kind, _) in enumerate(keys) if kind == "event"]
    treated = np.array([cohort is not None for cohort in design.cohort])
    overall = one(0)
    first = min(design.cohorts)
    untreated = found.model.fitted(y)
    if options["own"] == "event_time":
        untreated = untreated - _own_part(found, y)
    return Effect(
        initiative=design.name,
        outcome=design.outcome,
        measure=effect_measure(design),
        natural_measure=design.measure,
        estimand=ESTIMAND,
        method="joint_effects",
        method_name=NAME,
        reference=REFERENCE,
        options=dict(options),
        overall=overall,
        natural=natural_scale(design, overall),
        level=level,
        inference="analytic" if has_error else "none",
        p_value_floor=None,
        n_treated=design.n_treated,
        n_comparison=design.n_donors,
        n_pre=sum(period < first - design.anticipation for period in design.periods),
        n_post=sum(period >= first for period in design.periods),
        by_event_time=tuple(
            EventTimeEffect(int(keys[place][1]), one(place), _n_at(found, treated, keys[place][1]))
            for place in events
        ),
        paths=path_points(design, _counterfactual(design, found, untreated, treated)),
        findings=(*_lost_finding(design, found), *_few_treated(design)),
        design_hash=design.design_hash,
        assumes=_ASSUMES,
        event_covariance=tuple(tuple(float(covariance[a, b]) for b in events) for a in events)
        if has_error
        else (),
        tables=_others_table(keys, one),
    )


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the estimate alone."""
    found = _prepare(design, options["own"])
    weights = _overall_weights(found, options["own"])
    return float((weights * np.where(found.omega > 0, design.y, 0.0)).sum())


def _prepare(design: Design, own: str) -> _Joint:
    periods = np.asarray(design.periods)
    seen = ~np.isnan(design.y)
    omega = np.where(seen, 1.0 if design.weights is None else design.weights, 0.0)
    omega = np.where(np.isnan(omega), 0.0, omega)
    starts = _starts(design.cohort)
    treated = is_treated_cell(design) & (omega > 0)
    names: list[tuple[str, int]] = []
    columns: list[Floats] = []
    for name, cohort in sorted(design.other_cohorts.items()):
        _add_columns(names, columns, name, periods[None, :] - _starts(cohort)[:, None])
    event = periods[None, :] - starts[:, None]
    if own == "event_time":
        _add_columns(names, columns, "", event)
        fitted = omega
    else:
        fitted = np.where(event >= -design.anticipation, 0.0, omega)
    z = np.array(columns).reshape(len(columns), *omega.shape)
    model = joint_model(fitted, z)
    if own == "event_time":
        known = {e: model.determines(len(periods) + k) for k, (n, e) in enumerate(names) if n == ""}
        cells = treated & np.isin(event, [e for e, is_known in known.items() if is_known])
    else:
        cells = model.reaches(treated)
    whole = np.where(np.isfinite(event), event, 0).astype(np.int64)
    return _Joint(model, names, cells, treated & ~cells, omega, whole)


def _starts(cohort: tuple[int | None, ...]) -> Floats:
    return np.array([np.inf if one is None else one for one in cohort], dtype=float)


def _add_columns(
    names: list[tuple[str, int]], columns: list[Floats], name: str, event: Floats
) -> None:
    for e in np.unique(event[event >= 0]):
        names.append((name, int(e)))
        columns.append((event == e).astype(float))


def _asked(design: Design, found: _Joint, own: str) -> dict[tuple[str, float], Floats]:
    """Give the cells' weights of everything that is reported: overall, event times, others."""
    asked: dict[tuple[str, float], Floats] = {("overall", 0): _overall_weights(found, own)}
    if own == "imputed":
        for e, weights in _lead_weights(design, found).items():
            asked["event", e] = weights
    for e in np.unique(found.event[found.cells]):
        asked["event", int(e)] = _overall_weights(found, own, found.event == e)
    n_periods = len(design.periods)
    for place, (name, e) in enumerate(found.names):
        if name and found.model.determines(n_periods + place):
            unit = np.zeros(len(found.model.inverse))
            unit[n_periods + place] = 1.0
            asked[OTHER + name, e] = found.model.of_coefficients(unit)
    return asked


def _overall_weights(found: _Joint, own: str, where: Bools | None = None) -> Floats:
    cells = found.cells if where is None else found.cells & where
    target = np.where(cells, found.omega, 0.0)
    target = target / max(float(target.sum()), 1e-300)
    if own == "imputed":
        return target - found.model.of_cells(target)
    asked = np.zeros(len(found.model.inverse))
    first = len(asked) - len(found.names)
    for place, (name, e) in enumerate(found.names):
        if name == "":
            asked[first + place] = target[cells & (found.event == e)].sum()
    return found.model.of_coefficients(asked)


def _lead_weights(design: Design, found: _Joint) -> dict[int, Floats]:
    """Give the weights of pre-trends: leads in a regression on untreated cells alone.

    The periods further back are what they are compared with.
    """
    treated = np.isfinite(_starts(design.cohort))
    before = found.model.omega[treated] > 0
    n_leads = min(_LEADS, int(before.sum(axis=1).min(initial=0)) - 1)
    leads = range(-design.anticipation - n_leads, -design.anticipation)
    if n_leads < 1:
        return {}
    rows = treated[:, None] & (found.model.omega > 0)
    columns = np.array([(rows & (found.event == e)).astype(float) for e in leads])
    others = found.model.columns[len(design.periods) :]
    model = joint_model(found.model.omega, np.concatenate([others, columns]))
    first = len(design.periods) + len(others)
    weights = {}
    for place, e in enumerate(leads):
        if model.determines(first + place):
            asked = np.zeros(len(model.inverse))
            asked[first + place] = 1.0
            weights[e] = model.of_coefficients(asked)
    return weights


def _residuals(design: Design, found: _Joint, y: Floats, own: str) -> Floats:
    gap = np.where(found.omega > 0, y - found.model.fitted(y), 0.0)
    if own == "event_time":
        return gap
    residual = np.where(found.model.omega > 0, gap, 0.0)
    overall = gap[found.cells].mean() if found.cells.any() else 0.0
    for e in np.unique(found.event[found.cells]):
        here = found.cells & (found.event == e)
        # A single host has no spread of its own at this time: measured from the mean of all.
        mean = gap[here].mean() if here.sum() > 1 else overall
        residual[here] = gap[here] - mean
    return residual


def _by_cluster(design: Design, scores: Floats) -> Floats:
    by_unit = scores.sum(axis=1)
    if design.cluster is None:
        return by_unit
    codes = np.unique(np.array(design.cluster), return_inverse=True)[1]
    return np.asarray(np.bincount(codes, by_unit), dtype=float)


def _own_part(found: _Joint, y: Floats) -> Floats:
    model = found.model
    coefficients = model.inverse @ np.einsum("kit,it->k", model.centred, model.omega * y)
    first = len(coefficients) - len(found.names)
    own = np.array([first + k for k, (name, _) in enumerate(found.names) if name == ""], dtype=int)
    return np.asarray(np.einsum("kit,k->it", model.columns[own], coefficients[own]))


def _counterfactual(design: Design, found: _Joint, untreated: Floats, treated: Bools) -> Floats:
    known = ~found.lost[treated].any(axis=0)
    with np.errstate(invalid="ignore"):
        # Where a host was not observed, the mean of those observed is the one to compare with.
        seen = np.where(found.omega[treated] > 0, untreated[treated], np.nan)
        total, n = np.nansum(seen, axis=0), (~np.isnan(seen)).sum(axis=0)
        mean = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    return np.where(known, mean, np.nan)


def _n_at(found: _Joint, treated: Bools, event_time: float) -> int:
    there = (found.event == event_time) & (found.omega > 0) & treated[:, None]
    return int((there & (found.cells if event_time >= 0 else True)).any(axis=1).sum())


def _coinciding(design: Design) -> list[str]:
    own = is_treated_cell(design)
    periods = np.asarray(design.periods)
    return [
        name
        for name, cohort in sorted(design.other_cohorts.items())
        if ((periods[None, :] >= _starts(cohort)[:, None]) == own).all()
    ]


def _others_in(design: Design, cells: Bools) -> list[str]:
    periods = np.asarray(design.periods)
    return [
        name
        for name, cohort in sorted(design.other_cohorts.items())
        if (cells & (periods[None, :] >= _starts(cohort)[:, None])).any()
    ]


def _others_table(
    keys: list[tuple[str, float]], one: Callable[[int], Estimate]
) -> dict[str, dict[str, tuple[float | int | str | None, ...]]]:
    rows = [
        (name.removeprefix(OTHER), int(e), one(place))
        for place, (name, e) in enumerate(keys)
        if name.startswith(OTHER)
    ]
    if not rows:
        return {}
    return {
        "other_initiatives": {
            "initiative": tuple(row[0] for row in rows),
            "event_time": tuple(row[1] for row in rows),
            "att": tuple(row[2].att for row in rows),
            "se": tuple(row[2].se for row in rows),
        }
    }


def _lost_finding(design: Design, found: _Joint) -> tuple[Finding, ...]:
    if not found.lost.any():
        return ()
    n_lost, n_all = int(found.lost.sum()), int(found.lost.sum() + found.cells.sum())
    others = _others_in(design, found.lost)
    units = [design.units[row] for row in np.flatnonzero(found.lost.any(axis=1))]
    return (
        Finding(
            "W-EST-CELLS-NOT-SEPARABLE",
            "warn",
            Text(
                f"启动以后 {n_all} 个“单位×时期”中有 {n_lost} 个无法与其他项目"
                f"（{'、'.join(others) or '共同变化'}）分开，未计入平均",
                f"{n_lost} of {n_all} treated unit-periods can't be told from other initiatives "
                f"({', '.join(others) or 'common changes'}) and are not in the average",
            ),
            ", ".join(units[:_FEW]) + (" …" if len(units) > _FEW else ""),
            Text(
                "加入只承办其他项目的单位，或用 own=event_time（假定效应只随启动后期数变化）",
                "add units that host the others alone, or use own=event_time (one effect by time "
                "since the start)",
            ),
            count=n_lost,
        ),
    )


def _few_treated(design: Design) -> tuple[Finding, ...]:
    if design.n_treated >= _FEW:
        return ()
    alone = design.n_treated == 1
    return (
        Finding(
            "W-EST-FEW-TREATED",
            "warn",
            Text(
                f"承办单位只有 {design.n_treated} 个，"
                + ("无法给出标准误" if alone else "聚类标准误偏小，区间不可尽信"),
                f"{design.n_treated} treated unit(s): "
                + (
                    "no standard error can be given"
                    if alone
                    else "clustered standard errors are too small, the interval can't be trusted"
                ),
            ),
            design.name,
            Text("以安慰剂（随机化）推断为准", "rely on placebo (randomisation) inference"),
            count=design.n_treated,
        ),
    )
