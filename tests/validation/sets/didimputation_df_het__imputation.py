"""Simulated effects that differ and grow: R ``didimputation``'s printed output."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import cps
from tests.validation.table import Ours

SET = "didimputation_df_het"


def ours(folder: Path) -> dict[str, Ours]:
    """Give the average, the horizons, and the average with levels by state."""
    frame = pl.read_parquet(folder / "data.parquet")
    design = cps.design_from_frame(frame, unit="unit", period="year", outcome="dep_var", cohort="g")
    effect = cps.estimate(design, "imputation")
    by_event = {one.event_time: one.estimate for one in effect.by_event_time}
    by_state = cps.design_from_frame(
        frame, unit="unit", period="year", outcome="dep_var", cohort="g", cluster="state"
    )
    staged = cps.estimate(by_state, "imputation", options={"levels": "cluster"})
    treated = frame.filter(pl.col("treat").cast(pl.Boolean))
    truth = treated.select((pl.col("te") + pl.col("te_dynamic")).mean()).item()
    return {
        "true_att": Ours(truth),
        "imputation_static": Ours(effect.overall.att, effect.overall.se),
        "imputation_es_0_5": Ours([by_event[e].att for e in range(6)]),
        "did2s_state_fe": Ours(staged.overall.att),
    }
