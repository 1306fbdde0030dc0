"""Medicaid expansion: the robust sets printed in R ``HonestDiD``'s manual."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cps.robustness._honest import (
    EventStudy,
    Interval,
    Method,
    original_set,
    relative_magnitude_set,
    smoothness_relative_set,
    smoothness_set,
    with_weights,
)
from tests.validation.sets import _honest_package
from tests.validation.table import Ours, Reference, card

SET = "ehec_medicaid"
YEARS = tuple(range(2008, 2016))
BASE = 2013


def study(folder: Path) -> EventStudy:
    """Regress coverage on adoption in 2014 by year, as the manual does.

    Two-way fixed effects, errors clustered by state, small-sample factor of R ``fixest`` (fixed
    effects nested in clusters are not counted).
    """
    rows = pl.read_parquet(folder / "data.parquet").with_columns(
        start=pl.col("yexp2").fill_nan(None)
    )
    kept = rows.filter(
        pl.col("year") <= YEARS[-1], pl.col("start").is_null() | (pl.col("start") != 2015)
    ).sort("stfips", "year")
    n_states = kept["stfips"].n_unique()
    y = kept["dins"].cast(pl.Float64).to_numpy().reshape(n_states, len(YEARS))
    adopts = kept["start"].fill_null(0).to_numpy().reshape(y.shape)[:, 0] == 2014
    shown = np.array([year for year in YEARS if year != BASE])
    x = adopts[:, None, None] * (np.array(YEARS)[None, :, None] == shown)
    y, x = _within(y), _within(x.astype(float))
    flat = x.reshape(-1, len(shown))
    bread = np.linalg.inv(flat.T @ flat)
    beta = bread @ (flat.T @ y.ravel())
    scores = np.einsum("it,itk->ik", y - x @ beta, x)
    n_rows, n_coefficients = y.size, len(shown) + len(YEARS)
    factor = n_states / (n_states - 1) * (n_rows - 1) / (n_rows - n_coefficients)
    sigma = bread @ (scores.T @ scores) @ bread * factor
    return EventStudy(beta, sigma, int((shown < BASE).sum()), np.array([1.0, 0.0]))


def ours(folder: Path) -> dict[str, Ours]:
    """Give every robust set on the card, as its specification has it."""
    one = study(folder)
    found = {}
    for target in card(folder.parent, SET)["targets"]:
        name, spec = target["id"], target["spec"]
        if name.startswith("original_cs"):
            found[name] = Ours(original_set(_asked(one, spec)))
        elif name.startswith("honest_"):
            found[name] = Ours(_set(_asked(one, spec), name, spec))
    return found


def _asked(one: EventStudy, spec: str) -> EventStudy:
    """Take the effect of the year named, else the average of both."""
    year = re.search(r"effect (\d{4})|for (\d{4})", spec)
    if year is None:
        return with_weights(one, np.array([0.5, 0.5]))
    return with_weights(one, np.eye(2)[int(year[1] or year[2]) - BASE - 1])


def _set(one: EventStudy, name: str, spec: str) -> Interval:
    """Read restriction, size and method off the specification."""
    method = re.search(r"Conditional|C-LF|C-F\b|FLCI", spec)
    size = re.search(r"\b(?:Mbar|M) ?= ?([\d.]*\d)", spec)
    assert size is not None, spec
    if "sdrm" in name.lower():
        return smoothness_relative_set(one, float(size[1]), method=_or(method, "C-LF"))
    if "rm" in name:
        return relative_magnitude_set(one, float(size[1]), method=_or(method, "C-LF"))
    return smoothness_set(one, float(size[1]), method=_or(method, "FLCI"))


def _or(found: re.Match[str] | None, default: Method) -> Method:
    return cast(Method, found[0]) if found else default


def references(folder: Path) -> list[Reference]:
    """Read the sets of relative magnitudes off the package's grid, with its random numbers.

    That reproduces the printed digits, so that the differences above are its grid's step and its
    1000 draws, not another test. Half a unit of the last digit printed is allowed for.
    """
    one = study(folder)
    printed = {target["id"]: target["value"] for target in card(folder.parent, SET)["targets"]}
    off = [
        abs(ours - theirs)
        for mbar in ("0.5", "1", "2")
        for ours, theirs in zip(
            _honest_package.relative_magnitude_set(one, float(mbar)),
            printed[f"honest_rm_Mbar{mbar}"],
            strict=True,
        )
    ]
    what = "HonestDiD's relative magnitudes on its own grid, with its random numbers"
    return [Reference(what, len(off), max(off), 5e-5)]


def _within(array: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(
        array
        - array.mean(axis=0, keepdims=True)
        - array.mean(axis=1, keepdims=True)
        + array.mean(axis=(0, 1), keepdims=True)
    )
