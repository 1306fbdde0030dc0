"""Job training: LaLonde's experiment, and Sant'Anna & Zhao's comparison with survey men."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import cps
from cps.design.record import Design
from tests.validation.table import Ours

SET = "lalonde_nsw"
_COVARIATES = ("age", "educ", "black", "married", "nodegree", "hisp", "re74")
_METHODS = {
    "szhao_reg": "regression",
    "szhao_ipw": "ipw",
    "szhao_dr": "doubly_robust",
    "szhao_drimp": "improved",
}


def ours(folder: Path) -> dict[str, Ours]:
    """Give the experiment's differences, and the bias of four estimators where the truth is 0."""
    frame = pl.read_parquet(folder / "data.parquet")
    found = _experiment(frame)
    bias = _design(
        frame.filter((pl.col("treated") == 0) | (pl.col("sample") == 2)),
        "experimental",
        covariates=_COVARIATES,
    )
    for target, method in _METHODS.items():
        one = cps.estimate(bias, "group_time_att", options={"covariate_method": method}).overall
        found[target] = Ours(one.att, one.se, [one.ci_low, one.ci_high])
    return found


def _experiment(frame: pl.DataFrame) -> dict[str, Ours]:
    design = _design(frame.filter(pl.col("sample") == 1), "treated")
    treated = np.array([one is not None for one in design.cohort])
    after = design.y[:, 1]
    sides = (after[treated], after[~treated])
    error = np.sqrt(sum(side.var(ddof=1) / len(side) for side in sides))
    did = cps.estimate(design, "group_time_att").overall
    return {
        "lalonde_exp": Ours(sides[0].mean() - sides[1].mean(), error),
        "lalonde_did": Ours(did.att, did.se),
    }


def _design(frame: pl.DataFrame, flag: str, *, covariates: tuple[str, ...] = ()) -> Design:
    return cps.design_from_frame(
        frame.with_columns(start=pl.when(pl.col(flag) == 1).then(1978)),
        unit="id",
        period="year",
        outcome="re",
        cohort="start",
        covariates=covariates,
    )
