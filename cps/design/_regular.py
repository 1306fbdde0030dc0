"""Tell whether a frame is already laid out unit after unit, each with the same periods in order."""

from __future__ import annotations

import numpy as np
import polars as pl


def block_length(frame: pl.DataFrame) -> int | None:
    """Give the number of rows of each unit, or None where the layout is any other.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns unit and period, without nulls.

    Returns
    -------
    int or None
        If given, rows ``i * n`` to ``(i + 1) * n - 1`` are one unit's, of which there is no other
        row, and its periods ascend and are those of every other unit.
    """
    if frame.height < 2 or frame["period"].null_count() or frame["unit"].null_count():
        return None
    period = frame["period"].to_numpy()
    falls = np.flatnonzero(np.diff(period) <= 0)
    length = int(falls[0]) + 1 if len(falls) else frame.height
    if frame.height % length:
        return None
    blocks = period.reshape(-1, length)
    if not (blocks == blocks[0]).all():
        return None
    unit = frame["unit"]
    changes = (unit != unit.shift(1)).fill_null(value=True).to_numpy().reshape(-1, length)
    names = unit.gather_every(length)
    if not changes[:, 0].all() or changes[:, 1:].any() or names.n_unique() < len(names):
        return None
    return length
