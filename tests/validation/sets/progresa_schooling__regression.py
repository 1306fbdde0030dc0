"""PROGRESA and enrolment: the repository essay's means and differences, village assignment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import cps
from tests.validation.table import Ours

SET = "progresa_schooling"


def ours(folder: Path) -> dict[str, Ours]:
    """Give means by participation, the difference in differences, and that of assignment."""
    frame = pl.read_parquet(folder / "data.parquet")
    return {
        "means_1998": Ours(_means(frame, 1998)),
        "means_1999": Ours(_means(frame, 1999)),
        "did_97_98": Ours(_changes(frame)),
        "itt_did_village": _assignment(frame),
    }


def _means(frame: pl.DataFrame, year: int) -> list[float]:
    """Poor children of households that take part, and of those that do not; Welch's t."""
    poor = frame.filter((pl.col("year") == year) & (pl.col("pov_HH") == 1))
    treated, control = (
        poor.filter(pl.col("D_HH") == flag)["enroll_child"].drop_nulls().to_numpy()
        for flag in (1, 0)
    )
    error = np.sqrt(treated.var(ddof=1) / len(treated) + control.var(ddof=1) / len(control))
    return [treated.mean(), control.mean(), (control.mean() - treated.mean()) / error]


def _changes(frame: pl.DataFrame) -> list[float]:
    """Participation in 1997 is not recorded: the household's of 1998 stands in for it."""
    later = (
        frame.filter(pl.col("year") == 1998)
        .group_by("hogid")
        .agg(pl.col("D_HH").max().alias("takes_part"))
    )
    poor = frame.filter((pl.col("pov_HH") == 1) & (pl.col("year") < 1999))
    joined = poor.join(later, on="hogid", how="left")
    mean = {
        (year, flag): joined.filter((pl.col("year") == year) & (pl.col("takes_part") == flag))[
            "enroll_child"
        ].mean()
        for year in (1997, 1998)
        for flag in (1, 0)
    }
    treated, control = (mean[1998, flag] - mean[1997, flag] for flag in (1, 0))
    return [treated, control, treated - control]


def _assignment(frame: pl.DataFrame) -> Ours:
    """Children are a cross-section each year; villages were drawn, so errors go by village."""
    poor = frame.filter((pl.col("pov_HH") == 1) & (pl.col("year") < 1999))
    design = cps.design_from_frame(
        poor.with_columns(pl.when(pl.col("D_assig") == 1).then(1998).alias("start")),
        unit=None,
        period="year",
        outcome="enroll_child",
        cohort="start",
        cluster="villid",
        missing="keep",
    )
    effect = cps.estimate(design, "two_way_fixed_effects", options={"levels": "cohort"})
    return Ours(effect.overall.att, effect.overall.se)
