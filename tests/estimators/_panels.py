"""Panels with known effects, for the tests of the regression family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cps.design.frame import design_from_frame
from cps.design.record import Design

STAGGERED: tuple[int | None, ...] = (2017,) * 3 + (2019,) * 4 + (2021,) * 2 + (None,) * 6


def panel(
    cohorts: Sequence[int | None] = STAGGERED,
    *,
    effect: float = 0.0,
    growth: float = 0.0,
    noise: float = 0.0,
    seed: int = 0,
) -> pl.DataFrame:
    """Units with own levels and a common trend over 2015–2022; effects may grow by event time."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, cohort in enumerate(cohorts):
        for year in range(2015, 2023):
            on = cohort is not None and year >= cohort
            gain = effect + growth * (year - cohort) if on and cohort is not None else 0.0
            rows.append(
                {
                    "unit": f"u{i:02d}",
                    "group": f"c{i // 2:02d}",
                    "year": year,
                    "y": 3.0 * i + (year - 2015) ** 1.5 + gain + noise * rng.normal(),
                    "x": rng.normal(),
                    "w": 1.0 + i % 3,
                    "wt": float(rng.uniform(0.5, 2.0)),
                    "dose": (1.0 + i % 3) if on else 0.0,
                    "cohort": cohort,
                }
            )
    return pl.DataFrame(rows, schema_overrides={"cohort": pl.Int64})


def design(frame: pl.DataFrame, **given: object) -> Design:
    """Design the panel of :func:`panel`."""
    return design_from_frame(
        frame,
        unit="unit",
        period="year",
        outcome="y",
        cohort="cohort",
        **given,  # type: ignore[arg-type]
    )


def with_gaps(frame: pl.DataFrame, share: float = 0.15, seed: int = 1) -> pl.DataFrame:
    """Blank a share of the outcomes, but never a unit's period before its start."""
    rng = np.random.default_rng(seed)
    gone = pl.Series(rng.uniform(size=frame.height) < share)
    near = (frame["year"] == frame["cohort"] - 1).fill_null(False)
    return frame.with_columns(
        y=pl.when(gone & ~near).then(None).otherwise(pl.col("y")),
    )


def starts(one: Design) -> np.ndarray:
    """Give the design's own assignment, shape (1, n_units)."""
    return np.array([[np.inf if cohort is None else cohort for cohort in one.cohort]])


def shuffles(one: Design, n: int, seed: int = 3) -> np.ndarray:
    """Give the design's own assignment and random permutations of it."""
    rng = np.random.default_rng(seed)
    own = starts(one)[0]
    return np.array([own, *(rng.permutation(own) for _ in range(n - 1))])
