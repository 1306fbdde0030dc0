"""Simulated staggered starts: R ``fixest``'s printed output of ``sunab``."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import cps
from tests.validation.table import Ours

SET = "fixest_base_stagg"


def ours(folder: Path) -> dict[str, Ours]:
    """Give the biased regression, and the interaction-weighted effects with one covariate."""
    frame = pl.read_parquet(folder / "data.parquet")
    design = cps.design_from_frame(
        frame, unit="id", period="year", outcome="y", cohort="year_treated", covariates=["x1"]
    )
    weighted = cps.estimate(design, "interaction_weighted")
    biased = cps.estimate(design, "two_way_fixed_effects").overall
    events = [one.estimate for one in weighted.by_event_time if one.event_time != -1]
    slope = weighted.tables["covariates"]
    treated = frame.filter(pl.col("time_to_treatment") >= 0)
    return {
        "true_att": Ours(treated["treatment_effect_true"].mean()),
        "twfe": Ours(biased.att, biased.se),
        "sunab_att": Ours(weighted.overall.att, weighted.overall.se),
        "x1": Ours(slope["slope"][0], slope["se"][0]),
        "sunab_es": Ours([one.att for one in events], [one.se for one in events]),
    }
