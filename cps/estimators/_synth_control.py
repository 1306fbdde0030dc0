"""Donors' weights of synthetic control, for many assignments of treatment at once.

Abadie, Diamond & Hainmueller (2010), doi:10.1198/jasa.2009.ap08746; demeaned as in Ferman & Pinto
(2021), doi:10.3982/QE1596; ridge-augmented as in Ben-Michael, Feller & Rothstein (2021),
doi:10.1080/01621459.2021.1929245.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cps.estimators._simplex import simplex_even
from cps.estimators._synth_gaps import Calendar, Gaps
from cps.estimators._synth_ridge import augmented, choose_penalty
from cps.estimators._synth_v import Match, equal_start, nested
from cps.estimators._synth_weights import without_rounding

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

_CHUNK = 8_000_000  # floats held at a time


@dataclass(frozen=True, slots=True)
class Rules:
    """How weights are found.

    Parameters
    ----------
    has_intercept : bool
        Whether every unit's own mean before the start is taken out first.
    ridge : str
        ``none``, ``auto`` or a number: the penalty of the augmentation.
    rule : {"one_se", "min"}
    residualise : bool
        Whether covariates are regressed out and then balanced exactly, or balanced with outcomes.
    search : {"nested", "equal_start", "equal"}
        How weights of predictors are found, where predictors are matched.
    """

    has_intercept: bool
    ridge: str = "none"
    rule: str = "one_se"
    residualise: bool = False
    search: str = "nested"


@dataclass(frozen=True, slots=True)
class Predictors:
    """What is matched in place of whole paths: for the final weights, and to find ``v`` with.

    ``values`` and ``training`` have shape (n_units, k), ``followed`` is (n_periods,).
    """

    values: Floats
    training: Floats
    followed: Booleans


@dataclass(slots=True)
class Notes:
    """What a fit found on the way, by cohort, of the first assignment; filled while it goes on."""

    penalties: list[float] = field(default_factory=list)
    v: list[Floats] = field(default_factory=list)
    l2: list[float] = field(default_factory=list)
    l2_equal: list[float] = field(default_factory=list)


def control_gaps(
    y: Floats,
    starts: Floats,
    calendar: Calendar,
    rules: Rules,
    *,
    covariates: Floats | None = None,
    predictors: list[Predictors] | None = None,
    penalties: list[float] | None = None,
    apart: bool = False,
) -> tuple[Gaps, Notes]:
    """Estimate under many assignments.

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods)
    starts : ndarray, shape (n, n_units)
        As for ``gaps_under``: infinity compares, NaN takes no part.
    covariates : ndarray, shape (n_cohorts, n_units, k), or None
        Balanced beside outcomes.
    predictors : list of Predictors, one a cohort, or None
        Matched in place of outcomes.
    penalties : list of float, one a cohort, or None
        Ridge penalties to use in place of choosing them.
    apart : bool
        Whether each treated unit has weights of its own, not the mean of its cohort.
    """
    n, n_units = starts.shape
    n_cohorts, n_periods = calendar.is_post.shape
    gaps, sizes = np.zeros((n, n_cohorts, n_periods)), np.zeros((n, n_cohorts))
    units, notes = np.zeros((n, n_cohorts, n_units)), Notes()
    for c, g in enumerate(calendar.cohorts):
        members = starts == g
        rows = np.flatnonzero(members.any(axis=1))
        if not len(rows):
            continue
        pre = calendar.is_pre[c]
        if apart:
            owner, who = np.nonzero(members)
            share = np.zeros((len(owner), n_units))
            share[np.arange(len(owner)), who] = 1.0
        else:
            owner = rows
            share = members[rows] / members[rows].sum(axis=1, keepdims=True)
        allowed = np.isposinf(starts[owner])
        level = y[:, pre].mean(axis=1) if rules.has_intercept else np.zeros(n_units)
        moved = y - level[:, None]
        task = _Task(moved, share, allowed, pre, float(np.abs(y).max()))
        if predictors is None:
            fixed = None if penalties is None else penalties[c]
            own = None if covariates is None else covariates[c]
            weights = _by_outcomes(task, rules, own, fixed, notes)
        else:
            weights = _by_predictors(task, rules, predictors[c], notes)
        gap = share @ moved - weights @ moved
        first = gap[owner == 0]
        if len(first):
            equal = share[owner == 0] @ moved - _equal(allowed[owner == 0]) @ moved
            notes.l2.append(float(np.sqrt((first[:, pre].mean(axis=0) ** 2).sum())))
            notes.l2_equal.append(float(np.sqrt((equal[:, pre].mean(axis=0) ** 2).sum())))
        size = members.sum(axis=1).astype(float)
        each = 1 / (size[owner] if apart else np.ones(len(owner)))
        np.add.at(gaps[:, c], owner, gap * each[:, None])
        np.add.at(units[:, c], owner, weights * each[:, None])
        sizes[:, c] = size
    return Gaps(gaps, sizes, units, np.zeros((0, n_cohorts, n_periods))), notes


@dataclass(frozen=True, slots=True)
class _Task:
    y: Floats  # (n_units, n_periods)
    share: Floats  # (n, n_units): weights of the treated
    allowed: Booleans  # (n, n_units)
    pre: Booleans
    scale: float  # of outcomes as they were; what is tiny beside it is rounding


def _equal(allowed: Booleans) -> Floats:
    return np.asarray(allowed / allowed.sum(axis=1, keepdims=True))


def _by_outcomes(
    task: _Task, rules: Rules, covariates: Floats | None, fixed: float | None, notes: Notes
) -> Floats:
    if covariates is not None:
        return _balanced(task, rules, covariates, fixed, notes)
    before, wanted = (
        without_rounding(one, task.scale)
        for one in _centred(task.y[:, task.pre], task.share @ task.y[:, task.pre])
    )
    weights = _plain(before.T, wanted, task.allowed)
    if rules.ridge == "none":
        return weights
    penalties = np.full(len(weights), fixed if rules.ridge == "auto" else float(rules.ridge))
    if rules.ridge == "auto" and fixed is None:
        for i, (target, allowed) in enumerate(zip(wanted, task.allowed, strict=True)):
            penalties[i], *_ = choose_penalty(*_centred(before[allowed], target), rules.rule)
    notes.penalties.append(float(penalties[0]))
    size = max(1, _CHUNK // (4 * before.size))
    for low in range(0, len(weights), size):
        part = slice(low, low + size)
        allowed = task.allowed[part]
        middle = _equal(allowed) @ before
        # Those who may not compare have rows of zeros, and are moved nowhere.
        columns = (before - middle[:, None]) * allowed[:, :, None]
        weights[part] = augmented(columns, wanted[part] - middle, weights[part], penalties[part])
    return weights


def _balanced(
    task: _Task, rules: Rules, covariates: Floats, fixed: float | None, notes: Notes
) -> Floats:
    """Balance covariates beside outcomes, on each problem's own scale: one problem at a time."""
    weights = np.zeros(task.share.shape)
    for i, (share, allowed) in enumerate(zip(task.share, task.allowed, strict=True)):
        donors = task.y[allowed][:, task.pre]
        columns, target = _centred(donors, share @ task.y[:, task.pre])
        z, aim = _centred(covariates[allowed], share @ covariates)
        columns, target = _with_covariates(columns, target, (z, aim), rules.residualise)
        own = simplex_even(columns.T, target[None], np.ones((1, len(columns)), dtype=bool))[0]
        if rules.ridge != "none":
            penalty = fixed
            if penalty is None:
                penalty = (
                    choose_penalty(columns, target, rules.rule)[0]
                    if rules.ridge == "auto"
                    else float(rules.ridge)
                )
            if i == 0:
                notes.penalties.append(penalty)
            own = augmented(columns, target, own, penalty)
        if rules.residualise:
            own = own + z @ np.linalg.lstsq(z.T @ z, aim - own @ z, rcond=None)[0]
        weights[i, allowed] = own
    return weights


def _plain(columns: Floats, target: Floats, allowed: Booleans) -> Floats:
    size = max(1, _CHUNK // (16 * columns.shape[1]))
    return np.concatenate(
        [
            simplex_even(columns, target[low : low + size], allowed[low : low + size])
            for low in range(0, len(target), size)
        ]
    )


def _centred(donors: Floats, target: Floats) -> tuple[Floats, Floats]:
    middle = donors.mean(axis=0)
    return donors - middle, target - middle


def _with_covariates(
    columns: Floats, target: Floats, balance: tuple[Floats, Floats], residualise: bool
) -> tuple[Floats, Floats]:
    z, aim = balance
    if residualise:
        slope = np.linalg.lstsq(z, columns, rcond=None)[0]
        return columns - z @ slope, target - aim @ slope
    # On the outcome's scale, so that no covariate counts by its unit of measure.
    spread = z.std(axis=0, ddof=1)
    factor = columns.std(ddof=1) / np.where(spread > 0, spread, np.inf)
    return np.hstack([columns, z * factor]), np.concatenate([target, aim * factor])


def _by_predictors(task: _Task, rules: Rules, predictors: Predictors, notes: Notes) -> Floats:
    search = Match(
        predictors.training,
        task.share @ predictors.training,
        task.y[:, predictors.followed],
        task.share @ task.y[:, predictors.followed],
        task.allowed,
    )
    n, k = search.wanted.shape
    if rules.search == "equal" or k == 1:
        v = np.full((n, k), 1 / k)
    else:
        v = nested(search) if rules.search == "nested" else equal_start(search)
    notes.v.append(v[0] / v[0].sum())
    final = Match(
        predictors.values,
        task.share @ predictors.values,
        search.outcomes,
        search.followed,
        task.allowed,
    )
    return final.donors(np.arange(n), v)
