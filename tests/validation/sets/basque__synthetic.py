"""Terrorism and the Basque Country: synthetic control matched on predictors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import cps
from cps.design.record import Design
from tests.validation.table import Ours, card

SET = "basque"
OUT_OF_SCOPE = {
    "pysyncon_placebo_p": "three regions' ratios lie next to the Basque Country's, and pysyncon's "
    "own depend on where its inner solver stops; with donors' weights solved exactly and the same "
    "search four exceed it (4/18), not three; the card has not recomputed it either"
}
BASQUE = "Basque Country (Pais Vasco)"
SECTORS = ("agriculture", "energy", "industry", "construction", "services.venta")
SCHOOLS = ("illit", "prim", "med", "high", "post.high")
REST = (
    "gdpcap:1960-1969; "
    + "; ".join(f"sec.{name}:1961,1963,1965,1967,1969" for name in (*SECTORS, "services.nonventa"))
    + "; popdens:1969"
)


def design(folder: Path, start: int, *, nation: bool, shares: bool) -> Design:
    """Give the regions; ``nation`` keeps Spain among them, ``shares`` has schooling in per cent."""
    frame = pl.read_parquet(folder / "data.parquet").sort("regionname", "year")
    if not nation:
        frame = frame.filter(~pl.col("regionname").str.contains("Spain"))
    school = [f"school.{name}" for name in SCHOOLS]
    if shares:
        # The two highest levels are one in Abadie & Gardeazabal (2003).
        high = pl.col("school.high") + pl.col("school.post.high")
        frame = frame.with_columns(high.alias("school.high"))
        school = school[:4]
        total = pl.sum_horizontal(school)
        frame = frame.with_columns(pl.col(name) / total * 100 for name in school)
    names = [
        *school,
        "invest",
        *(f"sec.{one}" for one in (*SECTORS, "services.nonventa")),
        "popdens",
    ]
    return cps.design_from_frame(
        frame.with_columns(cohort=pl.when(pl.col("regionname") == BASQUE).then(start)),
        unit="regionname",
        period="year",
        outcome="gdpcap",
        cohort="cohort",
        covariates=names,
        missing="keep_covariates",
        name="basque",
    )


def ours(folder: Path) -> dict[str, Ours]:
    """Give the weights and mean gaps of pysyncon and MSCMT."""
    equal = {"fit": "covariates", "followed": "1960-1969", "v": "equal_start"}
    counts = "; ".join(f"school.{name}:1964-1969" for name in SCHOOLS) + "; invest:1964-1969; "
    whole = design(folder, 1975, nation=True, shares=False)
    effect = cps.estimate(
        whole,
        "synthetic_control",
        options={**equal, "placebo_pool": "none", "predictors": counts + REST},
    )
    weight = {one.unit: one.weight for one in effect.weights}
    shares = "; ".join(f"school.{name}:1964-1969" for name in SCHOOLS[:4]) + "; invest:1964-1969; "
    best = cps.estimate(
        design(folder, 1970, nation=False, shares=True),
        "synthetic_control",
        options={
            **equal,
            "v": "nested",
            "placebo_pool": "none",
            "predictors": shares + REST,
        },
    )
    gaps = [
        float(one.estimate.att or 0.0) for one in best.by_event_time if 0 <= one.event_time <= 20
    ]
    (target,) = (t for t in card(folder.parent, SET)["targets"] if t["id"] == "ag_weights")
    rows = [whole.units.index(name) for name in ("Cataluna", "Madrid (Comunidad De)")]
    gap = whole.y[whole.units.index(BASQUE)] - np.array(target["value"]) @ whole.y[rows]
    return {
        "ag_weights": Ours([weight["Cataluna"], weight["Madrid (Comunidad De)"]]),
        "pysyncon_att": Ours(effect.overall.att),
        "att_pub_weights": Ours(float(gap[20:].mean())),
        "mscmt_gap": Ours(float(np.mean(gaps))),
    }
