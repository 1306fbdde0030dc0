"""Basque terrorism: Chernozhukov, Wüthrich & Zhu's debiased synthetic control, R ``scinference``."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import cps
from tests.validation.table import Ours

SET = "basque"


def ours(folder: Path) -> dict[str, Ours]:
    """Give the debiased effect with three folds, 1955-74 before and 1975-97 after."""
    frame = pl.read_parquet(folder / "data.parquet").filter(
        pl.col("regionname") != "Spain (Espana)"
    )
    is_treated = pl.col("regionname").str.contains("Basque") & (pl.col("year") >= 1975)
    design = cps.design_from_frame(
        frame.with_columns(is_treated.alias("terror")),
        unit="regionname",
        period="year",
        outcome="gdpcap",
        treated="terror",
    )
    effect = cps.estimate(
        design,
        "synthetic_did",
        inference="debiased_t_test",
        options={"weights": "sc"},
        inference_options={"folds": 3},
    )
    overall = effect.overall
    ends = [overall.ci_low, overall.ci_high]
    return {"cwz_att": Ours(overall.att, overall.se, ends, overall.p_value)}
