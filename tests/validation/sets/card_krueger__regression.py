"""Minimum wage and fast food: Card & Krueger (1994), table 3; Hill, Griffiths & Lim, table 7.9."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from tests.validation.sets._regressions import coefficient, fit
from tests.validation.table import Ours

SET = "card_krueger"
DID = ("nj", "d", "d_nj")
CHAINS = ("kfc", "roys", "wendys", "co_owned")
REGIONS = ("southj", "centralj", "pa1")


def ours(folder: Path) -> dict[str, Ours]:
    """Give means, differences of means and regressions."""
    frame = pl.read_parquet(folder / "data.parquet")
    cells = [
        frame.filter((pl.col("nj") == state) & (pl.col("d") == wave))["fte"]
        .drop_nulls()
        .drop_nans()
        .to_numpy()
        for state in (1, 0)
        for wave in (0, 1)
    ]
    means = [float(one.mean()) for one in cells]
    change = frame.filter(pl.col("d") == 0)
    return {
        "means": Ours(means, [float(one.std(ddof=1) / np.sqrt(len(one))) for one in cells]),
        "did_ols": coefficient(fit(frame, "fte", DID), "d_nj"),
        "ck_change": Ours(means[1] - means[0] - means[3] + means[2]),
        "did_cov": coefficient(fit(frame, "fte", [*DID, *CHAINS]), "d_nj"),
        "did_cov2": coefficient(fit(frame, "fte", [*DID, *CHAINS, *REGIONS]), "d_nj"),
        "balanced_change": coefficient(fit(change, "demp", ["nj"], errors="robust"), "nj"),
    }
