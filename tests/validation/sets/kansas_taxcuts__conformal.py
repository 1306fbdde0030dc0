"""Kansas tax cuts: the p-values by period that R ``augsynth``'s vignette prints.

``singlesynth-vignette``: conformal inference (the package's default) for the synthetic control and
for the ridge-augmented one. Its intervals are read off a grid of 50 points, its joint p-value is
random; the p-values by period are neither.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import cps
from tests.validation.table import Ours, Reference

SET = "kansas_taxcuts"
# fmt: off
_P = {
    "none": [0.111, 0.022, 0.044, 0.111, 0.044, 0.022, 0.022, 0.022,
             0.022, 0.044, 0.144, 0.078, 0.122, 0.111, 0.189, 0.100],
    "ridge": [0.056, 0.022, 0.022, 0.033, 0.022, 0.022, 0.022, 0.022,
              0.022, 0.033, 0.056, 0.056, 0.056, 0.056, 0.056, 0.056],
}
# fmt: on


def ours(folder: Path) -> dict[str, Ours]:
    """Give nothing: the targets are the estimators'."""
    return {}


def references(folder: Path) -> list[Reference]:
    """Compare sixteen p-values of each method."""
    quarter = (pl.col("year_qtr") * 4).round().cast(pl.Int64)
    design = cps.design_from_frame(
        pl.read_parquet(folder / "data.parquet").with_columns(quarter.alias("quarter")),
        unit="state",
        period="quarter",
        outcome="lngdpcapita",
        treated="treated",
    )
    found = []
    for augment, published in _P.items():
        effect = cps.estimate(
            design,
            "synthetic_control",
            inference="conformal",
            options={"augment": augment, "placebo_pool": "none"},
        )
        p = [one.estimate.p_value for one in effect.by_event_time if one.event_time >= 0]
        far = np.abs(np.asarray(p, float) - np.asarray(published)).max()
        found.append(Reference(f"conformal p by quarter, augment={augment}", 16, float(far), 6e-4))
    return found
