"""Rhode Island, the application of Chernozhukov, Wüthrich & Zhu (2021), section 5.

The card has no targets: the numbers are those that R ``scinference`` and the paper's supplement
print, on a grid of 0.01 for the intervals.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import cps
from tests.validation.table import Ours, Reference

SET = "basque"  # a set with targets, which the table asks for; the data lie beside it
_DATA = Path("more") / "rhode_island_gonorrhea" / "data.parquet"
_P_MOVING_BLOCK = 0.04
_P_IID = 0.0227954409  # 5,000 permutations
_P_PLACEBO = [0.3157894737, 0.3157894737, 0.2631578947]
_LOW = [-0.26, -0.86, -0.81, -1.16, -1.46, -1.31]
_HIGH = [0.70, -0.01, 0.17, -0.33, -0.33, -0.19]


def ours(folder: Path) -> dict[str, Ours]:
    """Give nothing: there are no targets."""
    return {}


def references(folder: Path) -> list[Reference]:
    """Compare p-values, placebo starts and the six pointwise 90% intervals."""
    design = cps.design_from_frame(
        pl.read_parquet(folder.parent / _DATA),
        unit="state",
        period="year",
        outcome="logfemrate",
        treated="treated",
    )
    blocks, free = (
        cps.estimate(
            design,
            "synthetic_did",
            inference="conformal",
            level=0.9,
            options={"weights": "sc"},
            inference_options={"permutations": kind},
        )
        for kind in ("moving_block", "iid")
    )
    table = blocks.tables["conformal"]
    placebo = [
        p
        for what, p in zip(table["what"], table["p_value"], strict=True)
        if what == "placebo_start"
    ]
    after = [one.estimate for one in blocks.by_event_time if one.event_time >= 0]
    # Theirs are the outermost points of the grid that are kept, ours where the p-value crosses.
    low = np.ceil(np.array([one.ci_low for one in after], dtype=float) * 100) / 100
    high = np.floor(np.array([one.ci_high for one in after], dtype=float) * 100) / 100
    p = float(blocks.overall.p_value or 1), float(free.overall.p_value or 1)
    return [
        Reference(
            "rhode_island_gonorrhea: p-value, moving blocks", 1, abs(p[0] - _P_MOVING_BLOCK), 1e-9
        ),
        Reference(
            "rhode_island_gonorrhea: p-values of placebo starts",
            3,
            _farthest(placebo, _P_PLACEBO),
            1e-9,
        ),
        Reference(
            "rhode_island_gonorrhea: ends of pointwise intervals",
            12,
            _farthest([*low, *high], _LOW + _HIGH),
            1e-9,
        ),
        # Two sets of 5,000 draws: three standard errors of their difference.
        Reference(
            "rhode_island_gonorrhea: p-value, iid permutations", 1, abs(p[1] - _P_IID), 0.009
        ),
    ]


def _farthest(ours: list[float], theirs: list[float]) -> float:
    return float(np.max(np.abs(np.asarray(ours, float) - np.asarray(theirs))))
