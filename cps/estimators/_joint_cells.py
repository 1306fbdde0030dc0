"""What is asked of the joint model: which treated cells it reaches, and the weights of each answer.

Everything here is arrays of units × periods; ``starts`` are first treated periods, infinity for never.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._joint_model import JointModel, joint_model

OTHER = "other:"
LEADS = 5

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Weights = dict[tuple[str, float], Floats]


@dataclass(frozen=True, slots=True)
class Ground:
    """What stays the same under every assignment of the initiative itself."""

    periods: NDArray[np.int64]
    omega: Floats  # (n_units, n_periods): weight of every observed cell, 0 elsewhere
    names: tuple[tuple[str, int], ...]  # other initiative and event time of each column
    columns: Floats  # (n_columns, n_units, n_periods)
    anticipation: int


@dataclass(frozen=True, slots=True)
class Joint:
    """The model under one assignment, with what it reaches."""

    ground: Ground
    model: JointModel
    is_imputed: bool
    names: tuple[tuple[str, int], ...]  # of every column after the periods; "" is our own
    cells: Bools  # treated, observed and determined
    lost: Bools  # treated and observed, but not determined
    event: NDArray[np.int64]  # (n_units, n_periods), meaningless for never treated
    treated: Bools  # (n_units,)


def ground_of(
    periods: NDArray[np.int64],
    omega: Floats,
    others: Sequence[tuple[str, Floats]],
    *,
    anticipation: int,
) -> Ground:
    """Lay out a column for each other initiative and time since its start."""
    names: list[tuple[str, int]] = []
    columns: list[Floats] = []
    for name, starts in others:
        _add_columns(names, columns, name, periods[None, :] - starts[:, None])
    return Ground(periods, omega, tuple(names), _stack(columns, omega.shape), anticipation)


def joint_of(ground: Ground, starts: Floats, *, is_imputed: bool) -> Joint:
    """Fit the model under one assignment.

    Imputed, cells from ``anticipation`` periods before a start on have no part in the fit; else our
    own initiative gets a column for each time since its start.
    """
    event = ground.periods[None, :] - starts[:, None]
    treated = (event >= 0) & (ground.omega > 0)
    whole = np.where(np.isfinite(event), event, 0).astype(np.int64)
    if is_imputed:
        fitted = np.where(event >= -ground.anticipation, 0.0, ground.omega)
        model = joint_model(fitted, ground.columns)
        names, cells = ground.names, model.reaches(treated)
    else:
        own: list[tuple[str, int]] = []
        columns: list[Floats] = []
        _add_columns(own, columns, "", event)
        names = (*ground.names, *own)
        z = np.concatenate([ground.columns, _stack(columns, event.shape)])
        model = joint_model(ground.omega, z)
        first = len(ground.periods)
        known = [e for k, (name, e) in enumerate(names) if not name and model.determines(first + k)]
        cells = treated & np.isin(event, known)
    return Joint(
        ground, model, is_imputed, names, cells, treated & ~cells, whole, np.isfinite(starts)
    )


def overall_weights(found: Joint, where: Bools | None = None) -> Floats:
    """Give the weights of the mean effect over the cells reached, or those of them in ``where``."""
    cells = found.cells if where is None else found.cells & where
    target = np.where(cells, found.ground.omega, 0.0)
    target = target / max(float(target.sum()), 1e-300)
    if found.is_imputed:
        return target - found.model.of_cells(target)
    asked = np.zeros(len(found.model.inverse))
    first = len(found.ground.periods)
    for place, (name, e) in enumerate(found.names):
        if name == "":
            asked[first + place] = target[cells & (found.event == e)].sum()
    return found.model.of_coefficients(asked)


def asked_weights(found: Joint, *, with_others: bool = True) -> Weights:
    """Give the weights of everything that is reported: overall, event times, others' effects."""
    asked: Weights = {("overall", 0): overall_weights(found)}
    if found.is_imputed:
        for e, weights in _lead_weights(found).items():
            asked["event", e] = weights
    for e in np.unique(found.event[found.cells]):
        asked["event", int(e)] = overall_weights(found, found.event == e)
    first = len(found.ground.periods)
    for place, (name, e) in enumerate(found.names if with_others else ()):
        if name and found.model.determines(first + place):
            unit = np.zeros(len(found.model.inverse))
            unit[first + place] = 1.0
            asked[OTHER + name, e] = found.model.of_coefficients(unit)
    return asked


def untreated_outcome(found: Joint, y: Floats) -> Floats:
    """Give what would have been without our own initiative, shape (n_units, n_periods)."""
    fitted = found.model.fitted(y)
    if found.is_imputed:
        return fitted
    model = found.model
    coefficients = model.inverse @ np.einsum("kit,it->k", model.centred, model.omega * y)
    first = len(found.ground.periods)
    own = np.array([first + k for k, (name, _) in enumerate(found.names) if name == ""], dtype=int)
    return fitted - np.einsum("kit,k->it", model.columns[own], coefficients[own])


def residuals(found: Joint, y: Floats) -> Floats:
    """Give what errors are computed from; of imputed cells, the distance from the mean effect."""
    gap = np.where(found.ground.omega > 0, y - found.model.fitted(y), 0.0)
    if not found.is_imputed:
        return gap
    residual = np.where(found.model.omega > 0, gap, 0.0)
    overall = gap[found.cells].mean() if found.cells.any() else 0.0
    for e in np.unique(found.event[found.cells]):
        here = found.cells & (found.event == e)
        # A single host has no spread of its own at this time: measured from the mean of all.
        residual[here] = gap[here] - (gap[here].mean() if here.sum() > 1 else overall)
    return residual


def n_at(found: Joint, event_time: float) -> int:
    """Count the treated units seen at an event time (from the start on: whose effect is reached)."""
    there = (found.event == event_time) & (found.ground.omega > 0) & found.treated[:, None]
    return int((there & (found.cells if event_time >= 0 else True)).any(axis=1).sum())


def _lead_weights(found: Joint) -> dict[int, Floats]:
    """Give the weights of pre-trends: leads in a regression on untreated cells alone.

    The periods further back are what they are compared with.
    """
    omega, last = found.model.omega, -found.ground.anticipation
    before = omega[found.treated] > 0
    n_leads = min(LEADS, int(before.sum(axis=1).min(initial=LEADS + 1)) - 1)
    if n_leads < 1 or not found.treated.any():
        return {}
    rows = found.treated[:, None] & (omega > 0)
    leads = range(last - n_leads, last)
    columns = np.array([(rows & (found.event == e)).astype(float) for e in leads])
    others = found.ground.columns
    model = joint_model(omega, np.concatenate([others, columns]))
    first = len(found.ground.periods) + len(others)
    weights = {}
    for place, e in enumerate(leads):
        if model.determines(first + place):
            asked = np.zeros(len(model.inverse))
            asked[first + place] = 1.0
            weights[e] = model.of_coefficients(asked)
    return weights


def _add_columns(
    names: list[tuple[str, int]], columns: list[Floats], name: str, event: Floats
) -> None:
    for e in np.unique(event[event >= 0]):
        names.append((name, int(e)))
        columns.append((event == e).astype(float))


def _stack(columns: list[Floats], shape: tuple[int, ...]) -> Floats:
    return np.array(columns).reshape(len(columns), *shape)
