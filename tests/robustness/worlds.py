"""Small designs with a known course, for the checks that look at particular units."""

from __future__ import annotations

import numpy as np
import polars as pl

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.result import Check, Effect
from cps.robustness.registry import check_robustness

YEARS = np.arange(2014, 2024)


def world(
    y: np.ndarray,
    cohort: list[int | None],
    *,
    ring: list[int] | None = None,
    covariates: dict[str, np.ndarray] | None = None,
    **more: object,
) -> Design:
    """Give the design of outcomes, shape (n_units, n_years), with cohorts and a ring of rows."""
    n, t = y.shape
    years = YEARS[:t]
    frame = pl.DataFrame(
        {
            "unit": [f"u{i:02d}" for i in range(n) for _ in years],
            "year": np.tile(years, n),
            "y": y.ravel(),
            "cohort": [one for one in cohort for _ in years],
            "ring": [i in (ring or []) for i in range(n) for _ in years],
            **{name: np.repeat(values, t) for name, values in (covariates or {}).items()},
        },
        schema_overrides={"cohort": pl.Int64},
    )
    return design_from_frame(
        frame,
        unit="unit",
        period="year",
        outcome="y",
        cohort="cohort",
        ring="ring" if ring else None,
        covariates=tuple(covariates or ()),
        **more,  # type: ignore[arg-type]
    )


def noise(n: int, *, seed: int = 0, t: int = 10) -> np.ndarray:
    """Give unit levels with s.d. 3, common years and noise 1."""
    rng = np.random.default_rng(seed)
    return 50 + rng.normal(0, 3, (n, 1)) + rng.normal(0, 2, (1, t)) + rng.normal(0, 1, (n, t))


def panel(
    *,
    n_treated: int = 2,
    n_donors: int = 16,
    effect: float = 0.0,
    drift: float = 0.0,
    years: range = range(2014, 2024),
    starts: tuple[int, ...] = (2020,),
    seed: int = 0,
) -> Design:
    """Give units with noise 1, treated ones with an effect and a drift a year."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "unit": f"u{i:02d}",
            "year": year,
            "y": 100.0
            + rng.normal()
            + (start is not None) * drift * (year - years[0])
            + (effect if start is not None and year >= start else 0.0),
            "cohort": start,
        }
        for i in range(n_treated + n_donors)
        for start in [starts[i % len(starts)] if i < n_treated else None]
        for year in years
    ]
    frame = pl.DataFrame(rows, schema_overrides={"cohort": pl.Int64})
    return design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="cohort")


def checked(name: str, design: Design, effect: Effect, **options: str | float) -> Check:
    """Run one check with options."""
    (check,) = check_robustness(design, effect, names=[name], options={name: options})
    return check
