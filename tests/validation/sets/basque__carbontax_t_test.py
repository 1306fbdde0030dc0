"""Swedish carbon tax: the debiased t-test as R ``scinference`` prints it, and the placebo rank.

Chernozhukov, Wüthrich & Zhu, arXiv:1812.10820, table 5; Andersson (2019), AEJ: Economic Policy
11(4), doi:10.1257/pol.20170144: no other of 15 countries has as large a ratio of errors. The card
has no targets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import cps
from cps.design.record import Design
from tests.validation.table import Ours, Reference

SET = "basque"  # a set with targets, which the table asks for; the data lie beside it
_DATA = Path("more") / "carbontax_sweden" / "data.parquet"
_SERIES = ("GDP_per_capita", "gas_cons_capita", "vehicles_capita", "urban_pop")
# Poland's income is not known before 1970: outside every window.
_PREDICTORS = "; ".join(
    (
        *(f"{name}:1980-1989" for name in _SERIES),
        *(f"CO2_transport_capita:{year}" for year in (1970, 1980, 1989)),
    )
)
_ATT_AND_ENDS = [-0.273903, -0.406425, -0.141380]


def ours(folder: Path) -> dict[str, Ours]:
    """Give nothing: there are no targets."""
    return {}


def references(folder: Path) -> list[Reference]:
    """Compare the debiased effect and its 90% interval, three folds."""
    design = _design(folder)
    effect = cps.estimate(
        design,
        "synthetic_did",
        inference="debiased_t_test",
        level=0.9,
        options={"weights": "sc"},
    )
    found = [effect.overall.att, effect.overall.ci_low, effect.overall.ci_high]
    far = np.abs(np.asarray(found, float) - np.asarray(_ATT_AND_ENDS)).max()
    matched = cps.estimate(
        _design(folder, covariates=_SERIES),
        "synthetic_control",
        options={"fit": "covariates", "predictors": _PREDICTORS},
    )
    rank = abs((matched.overall.p_value or 0.0) - 1 / 15)
    return [
        Reference("carbontax_sweden: debiased effect and 90% interval", 3, float(far), 1e-6),
        Reference("carbontax_sweden: placebo rank, Poland kept", 1, rank, 1e-12),
    ]


def _design(folder: Path, covariates: tuple[str, ...] = ()) -> Design:
    """Give all 15 countries."""
    is_treated = (pl.col("country") == "Sweden") & (pl.col("year") >= 1990)
    return cps.design_from_frame(
        pl.read_parquet(folder.parent / _DATA).with_columns(is_treated.alias("tax")),
        unit="country",
        period="year",
        outcome="CO2_transport_capita",
        treated="tax",
        covariates=covariates,
        missing="keep_covariates",
    )
