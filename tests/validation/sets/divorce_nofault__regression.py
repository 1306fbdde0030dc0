"""No-fault divorce and female suicide: Goodman-Bacon (2021), with states that always had it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from cps.estimators._bacon import decompose, decompose_with_controls
from tests.validation.sets._regressions import coefficient, fit, panel, starts
from tests.validation.table import Ours, Reference

SET = "divorce_nofault"
CONTROLS = ("pcinc", "asmrh", "cases")
UNITS = ("stfips", "year")


def ours(folder: Path) -> dict[str, Ours]:
    """Give the coefficient without and with controls."""
    frame = pl.read_parquet(folder / "data.parquet")
    return {
        "twfe": coefficient(fit(frame, "asmrs", ["post"], absorb=UNITS), "post"),
        "twfe_controls": coefficient(
            fit(frame, "asmrs", ["post", *CONTROLS], absorb=UNITS), "post"
        ),
        "twfe_controls_cluster": coefficient(
            fit(frame, "asmrs", ["post", *CONTROLS], absorb=UNITS, cluster="stfips"), "post"
        ),
    }


def references(folder: Path) -> list[Reference]:
    """Compare the decompositions' sums with the coefficients that they decompose."""
    frame = pl.read_parquet(folder / "data.parquet").sort(UNITS)
    periods = frame["year"].unique().sort().cast(pl.Float64).to_numpy()
    y, start = panel(frame, "stfips", "asmrs"), starts(panel(frame, "stfips", "post") > 0, periods)
    covariates = np.array([panel(frame, "stfips", one) for one in CONTROLS])
    reached = ours(folder)
    plain = decompose(y, start, periods).total - reached["twfe"].value
    controlled = decompose_with_controls(y, start, periods, covariates).total
    return [
        Reference("Goodman-Bacon parts add up to the coefficient", 1, abs(plain), 1e-10),
        Reference(
            "and with controls, to its coefficient",
            1,
            abs(controlled - reached["twfe_controls"].value),
            1e-10,
        ),
    ]
