"""County teen employment: the two-way fixed-effects coefficient, as ``fixest`` has it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import cps
from tests.validation.table import Ours

SET = "mpdta"


def ours(folder: Path) -> dict[str, Ours]:
    """Give the static coefficient, errors clustered by county."""
    design = cps.design_from_frame(
        pl.read_parquet(folder / "data.parquet"),
        unit="countyreal",
        period="year",
        outcome="lemp",
        cohort="first.treat",
    )
    static = cps.estimate(design, "two_way_fixed_effects").overall
    return {"twfe": Ours(static.att, static.se)}
