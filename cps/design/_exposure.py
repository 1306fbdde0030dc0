"""How far each unit is exposed to what happens in treated ones."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cps.errors import DesignError, Text


def exposure_of(frame: pl.DataFrame, units: list[str]) -> NDArray[np.float64] | None:
    """Give the exposure of each unit, shape (n_units,); None where the frame has no such column.

    Raises
    ------
    DesignError
        If it is missing, negative, or changes over time in a unit.
    """
    if "exposure" not in frame.columns:
        return None
    by_unit = frame.group_by("unit").agg(
        pl.col("exposure").drop_nulls().first().alias("value"),
        pl.col("exposure").n_unique().alias("n"),
    )
    by_unit = pl.DataFrame({"unit": units}, schema={"unit": pl.String}).join(
        by_unit, on="unit", how="left", maintain_order="left"
    )
    bad = by_unit.filter(
        (pl.col("n") > 1) | ~pl.col("value").is_finite().fill_null(False) | (pl.col("value") < 0)
    )
    if bad.height:
        raise DesignError(
            Text(
                f"有 {bad.height} 个单位的外溢暴露程度为空、为负或前后不一",
                f"the exposure is empty, negative or changes over time in {bad.height} units",
            ),
            where=f"unit {bad['unit'][0]}",
            mend=Text(
                "每个单位给一个不小于零、不随时间变化的数，例如离最近承办单位的距离的倒数",
                "give each unit one number, zero or more, such as 1 / distance to the nearest host",
            ),
        )
    found = by_unit["value"].cast(pl.Float64).to_numpy().copy()
    found.setflags(write=False)
    return found
