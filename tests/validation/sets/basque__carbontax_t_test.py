"""Swedish carbon tax: the t-test's own application, as R ``scinference`` prints it.

Chernozhukov, Wüthrich & Zhu, arXiv:1812.10820, table 5. The card has no targets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import cps
from tests.validation.table import Ours, Reference

SET = "basque"  # a set with targets, which the table asks for; the data lie beside it
_DATA = Path("more") / "carbontax_sweden" / "data.parquet"
_ATT_AND_ENDS = [-0.273903, -0.406425, -0.141380]


def ours(folder: Path) -> dict[str, Ours]:
    """Give nothing: there are no targets."""
    return {}


def references(folder: Path) -> list[Reference]:
    """Compare the debiased effect and its 90% interval, three folds."""
    is_treated = (pl.col("country") == "Sweden") & (pl.col("year") >= 1990)
    design = cps.design_from_frame(
        pl.read_parquet(folder.parent / _DATA).with_columns(is_treated.alias("tax")),
        unit="country",
        period="year",
        outcome="CO2_transport_capita",
        treated="tax",
    )
    effect = cps.estimate(
        design,
        "synthetic_did",
        inference="debiased_t_test",
        level=0.9,
        options={"weights": "sc"},
    )
    found = [effect.overall.att, effect.overall.ci_low, effect.overall.ci_high]
    far = np.abs(np.asarray(found, float) - np.asarray(_ATT_AND_ENDS)).max()
    return [Reference("carbontax_sweden: debiased effect and 90% interval", 3, float(far), 1e-6)]
