"""Village panels with a known effect, for the specification curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.robustness.specifications.grid import OWN

YEARS = range(2015, 2023)
AREAS = ("甲镇", "乙镇")


def log_incomes(n: int, seed: int, *, spread: float = 0.85, noise: float = 0.2) -> np.ndarray:
    """Give log incomes, shape (n, n_years): unit levels, a common course, AR(1) noise of 0.7."""
    rng = np.random.default_rng(seed)
    level, shocks = rng.normal(13.0, spread, (n, 1)), rng.normal(0, noise, (n, len(YEARS)))
    course = np.cumsum(rng.normal(0.1, 0.05, len(YEARS)))
    own = np.zeros_like(shocks)
    own[:, 0] = shocks[:, 0] / np.sqrt(1 - 0.7**2)
    for t in range(1, len(YEARS)):
        own[:, t] = 0.7 * own[:, t - 1] + shocks[:, t]
    return level + course + own


def village_design(
    y: np.ndarray,
    starts: Sequence[int],
    *,
    effect: float = 0.0,
    names: Sequence[str] | None = None,
    order: Sequence[int] | None = None,
    form: str = "log",
    ring: Sequence[int] = (),
    name: str = "case",
) -> Design:
    """Make the design of log incomes whose first units are hosts, from ``starts`` on.

    ``order`` is the order of the units' rows in the frame, ``ring`` names rows left out as near.
    """
    units = list(names or [f"村{i:03d}" for i in range(len(y))])
    rows = [
        {
            "unit": units[i],
            "year": year,
            "income": float(np.exp(y[i, t] + (effect if is_on else 0.0))),
            "cohort": start,
            "ring": i in ring,
        }
        for i in (order if order is not None else range(len(y)))
        for start in [starts[i] if i < len(starts) else None]
        for t, year in enumerate(YEARS)
        for is_on in [start is not None and year >= start]
    ]
    return design_from_frame(
        pl.DataFrame(rows, schema_overrides={"cohort": pl.Int64}),
        unit="unit",
        period="year",
        outcome="income",
        cohort="cohort",
        ring="ring" if ring else None,
        form=form,  # type: ignore[arg-type]
        measure="yuan",
        name=name,
    )


def areas_of(design: Design) -> dict[str, str | None]:
    """Lay every third unit into the second area, those left out too."""
    units = sorted({*design.units, *(one.unit for one in design.left_out)})
    return {unit: AREAS[int(place % 3 == 2)] for place, unit in enumerate(units)}


def smaller_grid(folder: Path, **changes: tuple[str, str]) -> Path:
    """Write the package's grid with one text put in the place of another, by any name."""
    text = OWN.read_text(encoding="utf-8")
    for before, after in changes.values():
        assert before in text, before
        text = text.replace(before, after)
    path = folder / "grid.toml"
    path.write_text(text, encoding="utf-8")
    return path
