"""Kansas' tax cuts: synthetic control, plain and augmented, against R ``augsynth``."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import cps
from cps.design.record import Design
from cps.result import Effect
from tests.validation.table import Ours, Reference

SET = "kansas_taxcuts"
COVARIATES = (
    "log_gdp",
    "log_revstatecapita",
    "log_revlocalcapita",
    "log_avgwklywagecapita",
    "estabscapita",
    "emplvlcapita",
)


def design(folder: Path, *, covariates: bool = False) -> Design:
    """Give the 50 states by quarter."""
    frame = pl.read_parquet(folder / "data.parquet").with_columns(
        quarter=(pl.col("year_qtr") * 4).round().cast(pl.Int64),
        state=pl.col("fips").cast(pl.Int64),
        log_gdp=pl.col("lngdpcapita"),
        **{
            f"log_{name}": pl.col(name).log()
            for name in ("revstatecapita", "revlocalcapita", "avgwklywagecapita")
        },
    )
    return cps.design_from_frame(
        frame.with_columns(cohort=pl.when(pl.col("state") == 20).then(2012 * 4 + 1)),
        unit="state",
        period="quarter",
        outcome="lngdpcapita",
        cohort="cohort",
        covariates=COVARIATES if covariates else (),
        missing="keep_covariates",
        name="kansas_taxcuts",
    )


def ours(folder: Path) -> dict[str, Ours]:
    """Give the plain synthetic control."""
    effect = cps.estimate(design(folder), "synthetic_control")
    path = [one.estimate.att for one in effect.by_event_time if one.event_time >= 0]
    return {"scm_att": Ours([effect.overall.att, _l2(effect)]), "scm_path": Ours(path)}


def references(folder: Path) -> list[Reference]:
    """Compare the augmented ones with augsynth 0.2.0's own run, printed to six decimals."""
    plain, rich = design(folder), design(folder, covariates=True)
    ladder = [
        (plain, {"augment": "ridge"}, (-0.040063, 0.061515)),
        (rich, {"augment": "ridge"}, (-0.060937, 0.053855)),
        (rich, {"augment": "ridge", "intercept": "yes"}, (-0.052773, 0.057637)),
    ]
    far = 0.0
    for one, options, (att, l2) in ladder:
        effect = cps.estimate(one, "synthetic_control", options=options)
        far = max(far, abs(float(effect.overall.att or 0.0) - att), abs(_l2(effect) - l2))
    return [Reference("augsynth: ridge, with covariates, demeaned", 6, far, 6e-7)]


def _l2(effect: Effect) -> float:
    return float(effect.tables["fit"]["l2_imbalance"][0] or 0.0)
