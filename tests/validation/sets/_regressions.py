"""Regressions on the columns of a frame, as the published tables have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cps.estimators._regression import Errors, Regression, as_codes, regress
from tests.validation.table import Ours


def fit(
    frame: pl.DataFrame,
    outcome: str,
    columns: Sequence[str],
    *,
    absorb: Sequence[str] = (),
    weights: str | None = None,
    cluster: str | None = None,
    errors: Errors = "iid",
) -> Regression:
    """Regress one column on others; rows with an empty cell are left out."""
    used = [outcome, *columns, *absorb, *(one for one in (weights, cluster) if one)]
    kept = frame.select(list(dict.fromkeys(used))).drop_nulls().drop_nans()
    return regress(
        kept[outcome].cast(pl.Float64).to_numpy(),
        kept.select(pl.col(list(columns)).cast(pl.Float64)).to_numpy(),
        names=list(columns),
        absorb=[as_codes(kept[one].to_numpy()) for one in absorb],
        weights=None if weights is None else kept[weights].cast(pl.Float64).to_numpy(),
        errors="cluster" if cluster else errors,
        clusters=[as_codes(kept[cluster].to_numpy())] if cluster else (),
    )


def coefficient(fitted: Regression, name: str) -> Ours:
    """Give one coefficient with its standard error."""
    return Ours(*fitted.get(name))


def panel(frame: pl.DataFrame, unit: str, column: str) -> np.ndarray:
    """Lay a column of a balanced panel, sorted by unit and period, out by unit."""
    values = frame[column].cast(pl.Float64).to_numpy()
    return values.reshape(frame[unit].n_unique(), -1)


def starts(treated: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """Give the first treated period by unit: minus infinity always, infinity never."""
    first = np.where(treated.any(axis=1), periods[treated.argmax(axis=1)], np.inf)
    return np.where(treated.all(axis=1), -np.inf, first)
