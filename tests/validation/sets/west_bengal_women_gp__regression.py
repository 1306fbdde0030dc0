"""Seats reserved for women in village councils: Chattopadhyay & Duflo (2004), Imai (2017)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tests.validation.sets._regressions import coefficient, fit
from tests.validation.table import Ours

SET = "west_bengal_women_gp"


def ours(folder: Path) -> dict[str, Ours]:
    """Give means and differences: randomised, so no period before is needed."""
    frame = pl.read_csv(folder / "data.csv")
    means = frame.group_by("reserved").agg(pl.col("female").mean()).sort("reserved")["female"]
    return {
        "female_means": Ours([means[1], means[0]]),
        "water": Ours(fit(frame, "water", ["reserved"]).get("reserved")[0]),
        "irrigation": Ours(fit(frame, "irrigation", ["reserved"]).get("reserved")[0]),
        "water_cluster": coefficient(fit(frame, "water", ["reserved"], cluster="GP"), "reserved"),
    }
