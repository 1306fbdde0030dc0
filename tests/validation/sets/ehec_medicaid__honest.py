"""Medicaid expansion: the robust sets printed in R ``HonestDiD``'s manual."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.estimators.registry import estimate
from cps.result import Effect
from cps.robustness._honest import EventStudy, Interval, original_set, with_weights
from cps.robustness.registry import check_robustness
from tests.validation.sets import _honest_package
from tests.validation.table import Ours, Reference, card

SET = "ehec_medicaid"
YEARS = tuple(range(2008, 2016))
BASE = 2013


def medicaid(folder: Path) -> Design:
    """Take states that adopted in 2014, and those that had not by 2015, as the manual does."""
    rows = pl.read_parquet(folder / "data.parquet").with_columns(
        start=pl.col("yexp2").fill_nan(None)
    )
    kept = rows.filter(
        pl.col("year") <= YEARS[-1], pl.col("start").is_null() | (pl.col("start") != 2015)
    ).select(
        pl.col("stfips").cast(pl.String),
        pl.col("year").cast(pl.Int64),
        pl.col("dins").cast(pl.Float64),
        start=pl.when(pl.col("start") <= YEARS[-1]).then(pl.col("start")).cast(pl.Int64),
    )
    return design_from_frame(kept, unit="stfips", period="year", outcome="dins", cohort="start")


def ours(folder: Path) -> dict[str, Ours]:
    """Give every robust set on the card as ``check_robustness`` gives it."""
    design = medicaid(folder)
    effect = estimate(design, "interaction_weighted")
    found = {}
    for target in card(folder.parent, SET)["targets"]:
        name, spec = target["id"], target["spec"]
        if name.startswith("original_cs"):
            l_vec = np.array([float(one) for one in _asked(spec, as_weights=True).split(",")])
            found[name] = Ours(original_set(with_weights(study(effect), l_vec)))
        elif name.startswith("honest_"):
            found[name] = Ours(_set(design, effect, name, spec))
    return found


def study(effect: Effect) -> EventStudy:
    """Take the coefficients and their covariance off an effect, without the base year."""
    kept = [i for i, one in enumerate(effect.by_event_time) if one.event_time != -1]
    beta = np.array([effect.by_event_time[i].estimate.att or 0.0 for i in kept])
    sigma = np.array(effect.event_covariance)[np.ix_(kept, kept)]
    return EventStudy(beta, sigma, BASE - YEARS[0], np.array([1.0, 0.0]))


def _asked(spec: str, *, as_weights: bool = False) -> str:
    """Take the effect of the year named, else the average of both."""
    year = re.search(r"effect (\d{4})|for (\d{4})", spec)
    if year is None:
        return "0.5,0.5"
    place = int(year[1] or year[2]) - BASE
    return ",".join("01"[i == place] for i in (1, 2)) if as_weights else str(place)


def _set(design: Design, effect: Effect, name: str, spec: str) -> Interval:
    """Read restriction, size and method off the specification."""
    method = re.search(r"Conditional|C-LF|C-F\b|FLCI", spec)
    size = re.search(r"\b(?:Mbar|M) ?= ?([\d.]*\d)", spec)
    assert size is not None, spec
    check, grid = "honest_smoothness", "m"
    options = {"target": _asked(spec)}
    if "rm" in name.lower():
        check, grid = "honest_did", "mbar"
        steps = "smoothness_" if "sdrm" in name.lower() else ""
        options["restriction"] = f"{steps}relative_magnitude"
    if method is not None:
        options["method"] = method[0].lower().replace("-", "_")
    options[grid] = size[1]
    (one,) = check_robustness(design, effect, names=[check], options={check: options})
    low, high = one.table["low"][0], one.table["high"][0]
    assert isinstance(low, float) and isinstance(high, float)
    return low, high


def references(folder: Path) -> list[Reference]:
    """Hold the coefficients to a regression by hand, and the sets to the package's own grid.

    With the package's grid and its random numbers the printed digits come out, so that the
    differences of ``ours`` are its grid's step and its 1000 draws, not another test; half a unit of
    the last digit printed is allowed for. The covariance of the effect is that of the regression
    by hand, up to rounding.
    """
    one = by_hand(folder)
    theirs = study(estimate(medicaid(folder), "interaction_weighted"))
    gap = max(
        float(np.abs(one.beta - theirs.beta).max()), float(np.abs(one.sigma - theirs.sigma).max())
    )
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
    same = "the effect's coefficients and covariance, and those of two-way regression by hand"
    return [Reference(what, len(off), max(off), 5e-5), Reference(same, 7 + 49, gap, 1e-12)]


def by_hand(folder: Path) -> EventStudy:
    """Regress coverage on adoption in 2014 by year.

    Two-way fixed effects, errors clustered by state, small-sample factor of R ``fixest`` (fixed
    effects nested in clusters are not counted).
    """
    design = medicaid(folder)
    adopts = np.array([one is not None for one in design.cohort])
    shown = np.array([year for year in YEARS if year != BASE])
    x = adopts[:, None, None] * (np.array(YEARS)[None, :, None] == shown)
    y, x = _within(design.y), _within(x.astype(float))
    n_states = len(y)
    flat = x.reshape(-1, len(shown))
    bread = np.linalg.inv(flat.T @ flat)
    beta = bread @ (flat.T @ y.ravel())
    scores = np.einsum("it,itk->ik", y - x @ beta, x)
    n_rows, n_coefficients = y.size, len(shown) + len(YEARS)
    factor = n_states / (n_states - 1) * (n_rows - 1) / (n_rows - n_coefficients)
    sigma = bread @ (scores.T @ scores) @ bread * factor
    return EventStudy(beta, sigma, int((shown < BASE).sum()), np.array([1.0, 0.0]))


def _within(array: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(
        array
        - array.mean(axis=0, keepdims=True)
        - array.mean(axis=1, keepdims=True)
        + array.mean(axis=(0, 1), keepdims=True)
    )
