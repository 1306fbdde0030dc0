"""Gender quotas in parliaments: Stata ``sdid``'s printed results for staggered starts.

Clarke, Pailañir, Athey & Imbens (2024), Stata Journal 24(4), doi:10.1177/1536867X241297914, sections
4.2 and 4.3. The data have a card without targets: they lie beside a set that has some.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

import cps
from cps.result import Effect
from tests.validation.table import Ours, Reference

SET = "prop99"
_DATA = Path("more") / "quota_parliament" / "data.parquet"
_COHORTS = (8.389, 6.968, 13.952, -3.451, 2.749, 21.763, -0.820)
# Left out so that every start has two countries, which the jackknife asks for.
_SINGLE = ("Algeria", "Kenya", "Samoa", "Swaziland", "Tanzania")


def ours(folder: Path) -> dict[str, Ours]:
    """Give nothing: the card's targets are served elsewhere."""
    return {}


def references(folder: Path) -> list[Reference]:
    """Compare effects and the jackknife's error, which nothing random enters."""
    frame = pl.read_parquet(folder.parent / _DATA)
    complete = frame.drop_nulls("lngdp")
    plain = _effect(frame)
    cohorts = [float(one.estimate.att or 0.0) for one in plain.by_cohort]
    far = max(abs(one - other) for one, other in zip(cohorts, _COHORTS, strict=True))
    two = frame.filter(~pl.col("country").is_in(_SINGLE))
    jackknife = _effect(two, errors="jackknife").overall
    several = max(abs((jackknife.att or 0) - 10.331), abs((jackknife.se or 0) - 6.006))
    return [
        Reference("quota_parliament: ATT", 1, _off(plain, 8.034), 5.1e-4),
        Reference("quota_parliament: ATT by cohort", 7, far, 5.1e-4),
        Reference(
            "quota_parliament: ATT, projected covariate",
            1,
            _off(_effect(complete, "lngdp"), 8.059),
            5.1e-4,
        ),
        Reference(
            "quota_parliament: ATT, optimized covariate",
            1,
            _off(_effect(complete, "lngdp", covariates="optimized"), 8.0515),
            5.1e-5,
        ),
        Reference("quota_parliament: two cohorts, ATT and jackknife error", 2, several, 5.1e-4),
    ]


def _effect(frame: pl.DataFrame, *names: str, errors: str = "none", **options: str) -> Effect:
    design = cps.design_from_frame(
        frame,
        unit="country",
        period="year",
        outcome="womparl",
        treated="quota",
        covariates=names,
    )
    return cps.estimate(design, "synthetic_did", options={"errors": errors, **options})


def _off(effect: Effect, published: float) -> float:
    return abs(float(effect.overall.att or 0.0) - published)
