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

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design, starts_of
from cps.errors import Finding, Text
from cps.estimators._joint_cells import (
    OTHER,
    Ground,
    Joint,
    asked_weights,
    ground_of,
    joint_of,
    n_at,
    overall_weights,
    residuals,
    untreated_outcome,
)
from cps.estimators._joint_words import (
    few_placebos,
    few_treated,
    lost_finding,
    n_groups,
    not_separable,
)
from cps.estimators._regression_errors import rounding_floor, without_rounding
from cps.estimators._regression_panel import level_findings
from cps.estimators._scale import (
    described,
    normal_estimate,
    path_points,
    rank_estimate,
)
from cps.result import Effect, Estimate, EventTimeEffect

REFERENCE = "Borusyak, Jaravel & Spiess (2024), Rev. Econ. Stud. 91(6), doi:10.1093/restud/rdae007"
NAME = Text("多项目联合估计", "Joint effects of several initiatives")
ESTIMAND = Text(
    "启动以后各期对承办单位的平均效应，其他项目的效应同时估计、相加",
    "average effect on the treated over all treated unit-periods, the other initiatives' effects "
    "estimated beside it and added",
)
OPTIONS: dict[str, tuple[str, ...]] = {
    "own": ("imputed", "event_time"),
    "errors": ("auto", "clustered", "placebo"),
}
SUPPORTS = frozenset({"gaps", "weights", "clusters", "joint"})
DRAWS = 499
_FEW = 5
_TOO_FEW = 2  # clusters in all, of which none shows its noise
_MODEL = Text(
    "同一单位内各项目的效应相加、互不影响；每个其他项目的效应只随启动后的期数变化；"
    "没有这些项目时各单位走势平行",
    "effects of initiatives in one unit add up and don't change one another; each other "
    "initiative's effect depends on the time since its start alone; without any of them units "
    "would have moved in parallel",
)
_LOG = Text("（对数上相加，即增幅相乘）", " (in logarithms: growth factors multiply)")
_CLUSTERED = Text("；各单位（聚类）的误差相互独立", "; errors of units (clusters) are independent")
_PLACEBO = Text(
    "；承办单位的波动与从未承办的单位相近", "; hosts' noise is like that of units that host nothing"
)

Floats = NDArray[np.float64]


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design in which no cell's effect can be told from the other initiatives'.

    ``errors="placebo"`` asks for two more units that host nothing than it has to deal parts out to.
    """
    once = [one for one in level_findings(design, {}) if one.code == "E-EST-SEEN-ONCE"]
    if once:
        return tuple(once)
    found = joint_of(_ground(design), design.starts, is_imputed=options["own"] == "imputed")
    if not found.cells.any():
        return (not_separable(design, found.lost),)
    if options["errors"] == "placebo" and not _can_deal(design):
        return (few_placebos(design, len(_roles(design)[0])),)
    return ()


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Estimate the initiative's effect, and those of the others beside it.

    ``own="imputed"`` lets the initiative's effect differ freely between hosts and periods; then a
    cell counts only if the others' effects in it are known from cells without the initiative.
    ``own="event_time"`` takes one effect by time since the start, which reaches more cells and
    assumes more.

    ``errors="clustered"``: by unit, or by ``cluster``; those of treated cells are measured from the
    mean effect at their event time (conservative). ``"placebo"``: among units that host nothing, the
    parts of our hosts, and of the other hosts of what these host too, are dealt out anew and all is
    estimated from those units alone, ``DRAWS`` times. ``"auto"`` takes placebos with fewer than five
    hosts or five clusters with hosts, if that can be done: enough units that host nothing, and no
    two hosts in one cluster, whose shared noise units dealt out one by one would not show; where it
    can't, there is no error. The others' effects always have clustered errors.
    """
    ground, starts = _ground(design), design.starts
    found = joint_of(ground, starts, is_imputed=options["own"] == "imputed")
    y = np.where(ground.omega > 0, design.y, 0.0)
    asked = asked_weights(found)
    atts = {key: float((weights * y).sum()) for key, weights in asked.items()}
    keys = list(asked)
    scores = _scores(design, found, asked, y)
    covariance = scores @ scores.T * scores.shape[1] / max(scores.shape[1] - 1, 1)
    how = _how(design, options["errors"])
    by_placebo = how == "placebo"
    placebos = _placebos(design, ground, found.is_imputed, seed) if by_placebo else {}
    has_error = how == "clustered" and n_groups(design) > 1 and scores.shape[1] > _TOO_FEW

    floor = rounding_floor(design)

    def one(key: tuple[str, float]) -> Estimate:
        if by_placebo and not key[0].startswith(OTHER):
            draws_of = np.asarray(placebos.get(key, ()))
            ranked = rank_estimate(atts[key], draws_of, level, n_units=design.n_donors)
            return without_rounding(design, ranked)
        place = keys.index(key)
        is_ours = not key[0].startswith(OTHER)
        has_own = has_error or (not is_ours and scores.shape[1] > _TOO_FEW)
        se = float(np.sqrt(covariance[place, place])) if has_own else 0.0
        return normal_estimate(atts[key], se if se > floor else None, level)

    events = [key for key in keys if key[0] == "event"]
    places = [keys.index(key) for key in events]
    overall = one(("overall", 0))
    draws = tuple(float(one) for one in placebos.get(("overall", 0), ()))
    tail = _PLACEBO if by_placebo else _CLUSTERED
    return dataclasses.replace(
        described(
            design,
            overall,
            level=level,
            method="joint_effects",
            method_name=NAME,
            reference=REFERENCE,
            estimand=ESTIMAND,
            inference="placebo" if by_placebo else "analytic" if has_error else "none",
            options=dict(options),
        ),
        p_value_floor=1 / (1 + len(draws)) if by_placebo else None,
        by_event_time=tuple(
            EventTimeEffect(int(key[1]), one(key), n_at(found, key[1])) for key in events
        ),
        paths=path_points(design, _counterfactual(found, y)),
        placebos=draws,
        findings=(
            *lost_finding(design, found.lost, found.cells),
            *few_treated(design, how, is_known=has_error),
        ),
        assumes=_assumes(design, tail),
        event_covariance=tuple(tuple(float(covariance[a, b]) for b in places) for a in places)
        if has_error and not by_placebo
        else (),
        tables=_others_table(keys, one),
    )


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the estimate alone."""
    return float(points(design, design.starts[None], options=options)[0])


def points(design: Design, starts: Floats, *, options: Mapping[str, str]) -> Floats:
    """Give the estimates under other assignments; NaN where none can be told from the others.

    Parameters
    ----------
    starts : ndarray, shape (n_assignments, n_units)
        First treated periods, infinity for never.
    """
    ground = _ground(design)
    y = np.where(ground.omega > 0, design.y, 0.0)
    estimates = np.full(len(starts), np.nan)
    for place, row in enumerate(starts):
        found = joint_of(ground, row, is_imputed=options["own"] == "imputed")
        if found.cells.any():
            estimates[place] = (overall_weights(found) * y).sum()
    return estimates


def _ground(design: Design) -> Ground:
    omega = np.where(np.isnan(design.y), 0.0, 1.0 if design.weights is None else design.weights)
    omega = np.where(np.isnan(omega), 0.0, omega)
    others = [(name, starts_of(one)) for name, one in sorted(design.other_cohorts.items())]
    return ground_of(np.asarray(design.periods), omega, others, anticipation=design.anticipation)


def _assumes(design: Design, tail: Text) -> Text:
    scale = _LOG if design.form == "log" else Text("", "")
    return Text(_MODEL.zh + scale.zh + tail.zh, _MODEL.en + scale.en + tail.en)


def _roles(design: Design) -> tuple[NDArray[np.int64], list[str]]:
    """Give the rows that a placebo has to stand in for, and the other initiatives that matter.

    Those are the initiatives that our hosts host too: what is known of their effects comes from
    their other hosts, whose noise is then in our estimate as well.
    """
    own = np.isfinite(design.starts)
    others = {name: np.isfinite(starts_of(one)) for name, one in design.other_cohorts.items()}
    shared = sorted(name for name, hosts in others.items() if (hosts & own).any())
    role = own.copy()
    for name in shared:
        role |= others[name]
    return np.flatnonzero(role), shared


def _can_deal(design: Design) -> bool:
    return design.n_donors - len(_roles(design)[0]) >= 2


def _how(design: Design, errors: str) -> str:
    """Settle the errors: clustered ones never with few hosts, unless they were asked for."""
    if errors != "auto":
        return errors
    if n_groups(design) >= _FEW:
        return "clustered"
    # Hosts that share a cluster share its noise.
    is_alone = n_groups(design) == design.n_treated
    return "placebo" if is_alone and _can_deal(design) else "none"


def _placebos(
    design: Design, ground: Ground, is_imputed: bool, seed: int
) -> dict[tuple[str, float], NDArray[np.float64]]:
    """Estimate everything of our own where nothing happened; every draw has all roles filled."""
    roles, shared = _roles(design)
    donors = np.flatnonzero(design.is_donor)
    padding = np.full(len(donors) - len(roles), np.inf)
    own = np.concatenate([design.starts[roles], padding])
    others = [
        (name, np.concatenate([starts_of(design.other_cohorts[name])[roles], padding]))
        for name in shared
    ]
    rng = np.random.default_rng(seed)
    if len(roles) == 1:
        drawn = np.array([np.roll(donors, -place) for place in range(len(donors))])[:DRAWS]
    else:
        drawn = np.array([rng.permutation(donors) for _ in range(DRAWS)])
    y = np.where(ground.omega > 0, design.y, 0.0)

    def weights_of(rows: NDArray[np.int64]) -> dict[tuple[str, float], Floats]:
        laid = ground_of(
            ground.periods, ground.omega[rows], others, anticipation=ground.anticipation
        )
        found = joint_of(laid, own, is_imputed=is_imputed)
        return asked_weights(found, with_others=False) if found.cells.any() else {}

    omega = ground.omega[donors]
    if (omega == omega[0, 0]).all():
        # The roles lie on the same rows in every draw, so the weights are found once.
        return {
            key: np.tensordot(y[drawn], weights, axes=2)
            for key, weights in weights_of(donors).items()
        }
    each = [(rows, weights_of(rows)) for rows in drawn]
    keys = {key for _, weights in each for key in weights}
    return {
        key: np.array([(w[key] * y[rows]).sum() for rows, w in each if key in w]) for key in keys
    }


def _scores(
    design: Design, found: Joint, asked: Mapping[tuple[str, float], Floats], y: Floats
) -> Floats:
    """Give each answer's sum of weighted residuals by cluster; shape (n_answers, n_clusters)."""
    residual = residuals(found, y)
    by_unit = np.array([(weights * residual).sum(axis=1) for weights in asked.values()])
    if design.cluster is None:
        return by_unit
    codes = np.unique(np.array(design.cluster), return_inverse=True)[1]
    return np.array([np.bincount(codes, one) for one in by_unit], dtype=float)


def _counterfactual(found: Joint, y: Floats) -> Floats:
    treated = found.treated
    known = ~found.lost[treated].any(axis=0)
    # Where a host was not observed, the mean of those observed is the one to compare with.
    seen = found.ground.omega[treated] > 0
    total = np.where(seen, untreated_outcome(found, y)[treated], 0.0).sum(axis=0)
    n = seen.sum(axis=0)
    mean = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)
    return np.where(known, mean, np.nan)


def _others_table(
    keys: list[tuple[str, float]], one: Callable[[tuple[str, float]], Estimate]
) -> dict[str, dict[str, tuple[float | int | str | None, ...]]]:
    rows = [
        (key[0].removeprefix(OTHER), int(key[1]), one(key))
        for key in keys
        if key[0].startswith(OTHER)
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
