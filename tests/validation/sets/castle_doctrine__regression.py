"""Castle-doctrine laws and homicide: Cheng & Hoekstra (2013), table 5; R ``bacondecomp``."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import cps
from tests.validation.sets._regressions import coefficient, fit
from tests.validation.table import Ours

SET = "castle_doctrine"
CONTROLS = (
    "l_police",
    "unemployrt",
    "poverty",
    "l_income",
    "l_prisoner",
    "l_lagprisoner",
    "blackm_15_24",
    "whitem_15_24",
    "blackm_25_44",
    "whitem_25_44",
    "l_exp_subsidy",
    "l_exp_pubwelfare",
)


def ours(folder: Path) -> dict[str, Ours]:
    """Give the table's six regressions on the share of the year, and the one on the flag."""
    frame = pl.read_parquet(folder / "data.parquet")
    regions = [one for one in frame.columns if one.startswith("r2")]
    columns = {"fe": [], "regionyear": regions, "controls": [*regions, *CONTROLS]}
    found = {
        f"ch2013_{key}_{name}": coefficient(
            fit(
                frame,
                "l_homicide",
                ["cdl", *more],
                absorb=["sid", "year"],
                weights="popwt" if key == "w" else None,
                cluster="sid",
            ),
            "cdl",
        )
        for key in "wu"
        for name, more in columns.items()
    }
    design = cps.design_from_frame(
        frame, unit="sid", period="year", outcome="l_homicide", treated="post"
    )
    static = cps.estimate(design, "two_way_fixed_effects").overall
    return {**found, "twfe_post": Ours(static.att, static.se)}
