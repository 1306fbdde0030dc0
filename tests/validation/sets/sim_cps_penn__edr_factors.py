"""Election-day registration and turnout: Xu (2017), table 2, and R ``fect``'s tests.

The card has no targets. Xu prints two digits: 5.13 without covariates, 4.90 with them, two factors
chosen by cross-validation. ``fect``'s tests give the running sum of the effects at event times 1
to 10 without factors, 21.501, and the number of factors that the PC criterion picks, 4.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

import cps
from cps.result import Effect
from tests.validation.table import Ours, Reference

SET = "sim_cps_penn"  # a set with targets, which the table asks for; the data lie beside it
_DATA = Path("more") / "edr_turnout" / "data.parquet"
_COVARIATES = ("policy_mail_in", "policy_motor")
_ELECTIONS_A_DECADE = 10


def ours(folder: Path) -> dict[str, Ours]:
    """Give nothing: there are no targets."""
    return {}


def references(folder: Path) -> list[Reference]:
    """Compare effects and numbers of factors."""
    frame = pl.read_parquet(folder.parent / _DATA)

    def effect(covariates: tuple[str, ...], **options: str | float) -> Effect:
        design = cps.design_from_frame(
            frame,
            unit="abb",
            period="year",
            outcome="turnout",
            treated="policy_edr",
            covariates=covariates,
        )
        return cps.estimate(
            design, "interactive_fixed_effects", options={"errors": "none", **options}
        )

    plain, full = effect(()), effect(_COVARIATES)
    none = effect(_COVARIATES, factors=0)
    picked = effect(_COVARIATES, criterion="pc")
    after = [one.estimate.att or 0.0 for one in none.by_event_time if one.event_time >= 0]
    running = sum(after[:_ELECTIONS_A_DECADE])
    n_factors = [one.tables["model"]["n_factors"][0] for one in (plain, full, picked)]
    wrong = sum(ours != theirs for ours, theirs in zip(n_factors, [2, 2, 4], strict=True))
    return [
        Reference(
            "edr_turnout: ATT without covariates", 1, abs((plain.overall.att or 0) - 5.13), 0.005
        ),
        Reference(
            "edr_turnout: ATT with covariates", 1, abs((full.overall.att or 0) - 4.90), 0.005
        ),
        Reference(
            "edr_turnout: running sum of ten effects, no factor", 1, abs(running - 21.501), 0.0006
        ),
        Reference("edr_turnout: numbers of factors", 3, float(wrong), 0.0),
    ]
