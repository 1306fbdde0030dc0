"""Naturalisation in 1,209 Swiss municipalities: Hainmueller & Hangartner (2019), R ``fect``."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from cps.estimators._bacon import decompose
from tests.validation.sets._regressions import coefficient, fit, panel, starts
from tests.validation.table import Ours

SET = "swiss_naturalization"


def ours(folder: Path) -> dict[str, Ours]:
    """Give the coefficient with always-treated municipalities, and what its parts add up to."""
    frame = pl.read_parquet(folder / "data.parquet").sort("bfs", "year")
    periods = frame["year"].unique().sort().cast(pl.Float64).to_numpy()
    start = starts(panel(frame, "bfs", "indirect") > 0, periods)
    parts = decompose(panel(frame, "bfs", "nat_rate_ord"), start, periods)
    whole = fit(frame, "nat_rate_ord", ["indirect"], absorb=["bfs", "year"], cluster="bfs")
    return {"twfe_all": coefficient(whole, "indirect"), "bacon_identity": Ours(parts.total)}
