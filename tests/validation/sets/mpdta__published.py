"""County teen employment: Callaway & Sant'Anna's extract, R ``did``'s printed output."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import cps
from tests.validation.table import Ours

SET = "mpdta"


def ours(folder: Path) -> dict[str, Ours]:
    """Give the aggregations without covariates."""
    design = cps.design_from_frame(
        pl.read_parquet(folder / "data.parquet"),
        unit="countyreal",
        period="year",
        outcome="lemp",
        cohort="first.treat",
    )
    effect = cps.estimate(design, "group_time_att")
    events = [one.estimate for one in effect.by_event_time]
    groups = [one.estimate for one in effect.by_cohort]
    dynamic, group = effect.aggregations["dynamic"], effect.aggregations["group"]
    return {
        "dynamic_nocov": Ours([one.att for one in events], [one.se for one in events]),
        "dynamic_overall_nocov": Ours(dynamic.att, dynamic.se),
        "group_nocov": Ours([one.att for one in groups], [one.se for one in groups]),
        "group_overall_nocov": Ours(group.att, group.se),
    }
