"""House prices near an incinerator: Wooldridge's example 13.3."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tests.validation.sets._regressions import coefficient, fit
from tests.validation.table import Ours

SET = "kielmc_incinerator"
DID = ("y81", "nearinc", "y81nrinc")
AGE = ("age", "agesq")
SPECIFICATIONS = {
    "did_base": ("rprice", ()),
    "did_age": ("rprice", AGE),
    "did_full": ("rprice", (*AGE, "intst", "land", "area", "rooms", "baths")),
    "did_log": ("lprice", ()),
    "did_log_full": ("lprice", (*AGE, "lintst", "lland", "larea", "rooms", "baths")),
}


def ours(folder: Path) -> dict[str, Ours]:
    """Give the interaction in each specification, houses of two years being a cross-section each."""
    frame = pl.read_parquet(folder / "data.parquet")
    return {
        name: coefficient(fit(frame, outcome, [*DID, *more]), "y81nrinc")
        for name, (outcome, more) in SPECIFICATIONS.items()
    }
