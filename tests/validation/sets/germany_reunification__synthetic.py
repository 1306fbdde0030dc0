"""German reunification: synthetic control with predictor weights by cross-validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import cps
from cps.design.record import Design
from tests.validation.table import Ours, card

SET = "germany_reunification"
NAMES = ("trade", "infrate", "industry", "schooling", "invest60", "invest70", "invest80")
COUNTRIES = ("Austria", "USA", "Japan", "Switzerland", "Netherlands")
# Abadie, Diamond & Hainmueller (2015), section 4: v from 1971-1980 for 1981-1990, then 1981-1990,
# 1990 included: so the start is 1991 here, while the published mean gap begins in 1990.
TRAINING = (
    "gdp:1971-1980; trade:1971-1980; infrate:1971-1980; industry:1971-1980; schooling:1970,1975; "
    "invest70:1980"
)
FINAL = (
    "gdp:1981-1990; trade:1981-1990; infrate:1981-1990; industry:1981-1990; schooling:1980,1985; "
    "invest80:1980"
)


def design(folder: Path, start: int = 1991) -> Design:
    """Give West Germany and 16 other countries."""
    frame = pl.read_parquet(folder / "data.parquet").sort("country", "year")
    return cps.design_from_frame(
        frame.with_columns(cohort=pl.when(pl.col("country") == "West Germany").then(start)),
        unit="country",
        period="year",
        outcome="gdp",
        cohort="cohort",
        covariates=NAMES,
        missing="keep_covariates",
        name="germany_reunification",
    )


def ours(folder: Path) -> dict[str, Ours]:
    """Give the weights, and the mean gap that the published ones leave."""
    one = design(folder)
    options = {
        "fit": "covariates",
        "v": "cross_validation",
        "training": TRAINING,
        "predictors": FINAL,
        "followed": "1981-1990",
        "placebo_pool": "none",
    }
    effect = cps.estimate(one, "synthetic_control", options=options)
    weight = {each.unit: each.weight for each in effect.weights}
    (target,) = (t for t in card(folder.parent, SET)["targets"] if t["id"] == "adh_weights")
    rows = [one.units.index(name) for name in COUNTRIES]
    gap = one.y[one.units.index("West Germany")] - np.array(target["value"]) @ one.y[rows]
    return {
        "adh_weights": Ours([weight[name] for name in COUNTRIES]),
        "adh_gap": Ours(float(gap[np.array(one.periods) >= 1990].mean())),
    }
