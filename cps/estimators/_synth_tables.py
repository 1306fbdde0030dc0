"""Tables that belong to synthetic control: placebos, predictors, quality of fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.estimators._synth_control import Notes
from cps.estimators._synth_gaps import Calendar, Gaps
from cps.estimators._synth_placebo import Errors

Floats = NDArray[np.float64]
Table = dict[str, tuple[float | int | str | None, ...]]

_MOST_PATHS = 60  # placebo units whose paths are kept


def control_tables(
    design: Design,
    actual: Gaps,
    placebos: Gaps,
    calendar: Calendar,
    *,
    given: Floats,
    errors: tuple[Errors, Errors],
    notes: Notes,
    names: tuple[str, ...],
    is_drawn: bool,
) -> dict[str, Table]:
    """Give ``fit``, and ``placebo``, ``placebo_gaps``, ``predictors`` where there is such a thing.

    ``placebo`` has the treated in its first row; placebos are named where each is one unit.
    """
    own, others = errors
    labels = _labels(design, given, is_drawn)
    tables: dict[str, Table] = {"fit": _fit(design, own, notes)}
    if labels:
        ratio = np.concatenate([own.ratio, others.ratio])
        tables["placebo"] = {
            "unit": ("+".join(_treated(design)), *labels),
            "pre_mspe": (float(own.pre[0]), *others.pre.tolist()),
            "post_mspe": (float(own.post[0]), *others.post.tolist()),
            "ratio": tuple(float(one) if np.isfinite(one) else None for one in ratio),
        }
    if labels and len(calendar.cohorts) == 1 and len(labels) <= _MOST_PATHS:
        n_periods = len(design.periods)
        tables["placebo_gaps"] = {
            "unit": tuple(label for label in labels for _ in range(n_periods)),
            "period": tuple(design.periods) * len(labels),
            "gap": tuple(placebos.gaps[:, 0].ravel().tolist()),
        }
    if names:
        tables["predictors"] = {
            "cohort": tuple(int(g) for g in design.cohorts for _ in names),
            "predictor": names * len(design.cohorts),
            "v": tuple(float(one) for v in notes.v for one in v),
        }
    return tables


def _fit(design: Design, own: Errors, notes: Notes) -> Table:
    n = len(design.cohorts)
    penalties = notes.penalties if len(notes.penalties) == n else [None] * n
    return {
        "cohort": tuple(int(g) for g in design.cohorts),
        "pre_rmspe": (float(np.sqrt(own.pre[0])),) * n,
        "l2_imbalance": tuple(notes.l2),
        "scaled_l2_imbalance": tuple(
            one / other if other > 0 else None
            for one, other in zip(notes.l2, notes.l2_equal, strict=True)
        ),
        "ridge": tuple(None if one is None else float(one) for one in penalties),
    }


def _treated(design: Design) -> list[str]:
    return [unit for unit, g in zip(design.units, design.cohort, strict=True) if g is not None]


def _labels(design: Design, given: Floats, is_drawn: bool) -> tuple[str, ...]:
    if is_drawn:
        return tuple(f"#{i + 1}" for i in range(len(given)))
    return tuple(
        "+".join(design.units[i] for i in np.flatnonzero(np.isfinite(row))) for row in given
    )
