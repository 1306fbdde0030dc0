"""California's cigarette sales as a single interrupted series: Stata ``itsa``'s printed output."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import cps
from tests.validation.table import Ours

SET = "prop99"


def ours(folder: Path) -> dict[str, Ours]:
    """Give trend, level change and slope change with Newey-West errors of one lag."""
    design = cps.design_from_frame(
        pl.read_parquet(folder / "data.parquet").filter(pl.col("state") == "California"),
        unit="state",
        period="year",
        outcome="cigsale",
        treated="treated",
        comparison="none",
    )
    table = cps.estimate(design, "interrupted_time_series", options={"lag": 1}).tables["regression"]
    place = {term: i for i, term in enumerate(table["term"])}
    rows = [place[term] for term in ("trend", "level_change", "slope_change")]
    return {
        "itsa_single": Ours([table["estimate"][i] for i in rows], [table["se"][i] for i in rows])
    }
