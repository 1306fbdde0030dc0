"""Placebo studies of Arkhangelsky et al. (2021), tables 2 to 4: bias, error, coverage."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import cps
from cps.estimators._synth_errors import bootstrap_rows
from cps.estimators._synth_gaps import Calendar, Gaps, gaps_under
from cps.estimators._synth_weights import KINDS, exact_weights, noise_level, stepwise_weights
from tests.validation.sets._placebo_studies import World, worlds
from tests.validation.table import Ours, card

SET = "sim_cps_penn"
SEED = 1
REPLICATIONS = 1_000  # as published
_FEWER = {"resample.200": 300, "resample.400": 150}
_STEPWISE = 200  # replications of a solver that goes as slowly as the published one
_COVERED, _DRAWS = 80, 50
_COMPLETED = 20
_NORMAL = 1.959963984540054


def ours(folder: Path) -> dict[str, Ours]:
    """Give what the card asks for: root mean squared error and bias, or three coverages."""
    every = _worlds(folder)
    found = {}
    for target in card(folder.parent, SET)["targets"]:
        name, kind, is_coverage = _parts(target["id"], every)
        world = every[name]
        if is_coverage:
            if kind in KINDS:
                found[target["id"]] = Ours(_coverage(world, kind))
            continue
        errors = _completed(world) if kind == "mc" else _errors(name, world, kind)
        found[target["id"]] = Ours([float(np.sqrt((errors**2).mean())), float(errors.mean())])
    return found


@cache
def _worlds(folder: Path) -> dict[str, World]:
    return worlds(folder)


def _parts(target: str, every: dict[str, World]) -> tuple[str, str, bool]:
    """Part an id such as ``gun.law_sc_reg_coverage`` into design, estimator and kind."""
    plain = target.replace(".", "_")
    name = max((one for one in every if plain.startswith(one.replace(".", "_") + "_")), key=len)
    rest = plain[len(name) + 1 :]
    return name, rest.removesuffix("_coverage"), rest.endswith("_coverage")


def _setting(world: World, n: int) -> tuple[np.ndarray, np.ndarray, Calendar]:
    y, treated = world.draw(n, SEED)
    start = y.shape[2] - world.n_after
    calendar = Calendar(np.arange(y.shape[2]), np.array([start]), 0)
    return y, np.where(treated, float(start), np.inf), calendar


def _errors(name: str, world: World, kind: str) -> np.ndarray:
    """Give the estimates; nothing is treated, so each is an error."""
    # Where donors outnumber periods, weights without a penalty are not unique, and the published
    # ones are where R's iterations stopped on their way from equal weights.
    published = kind in ("sc", "difp") and name.startswith(("penn", "resample"))
    n = _STEPWISE if published else _FEWER.get(name, REPLICATIONS)
    y, starts, calendar = _setting(world, n)
    if not published:
        return gaps_under(y, starts, calendar, KINDS[kind], exact_weights).mean(calendar.is_post)
    return np.array(
        [
            gaps_under(one, row[None], calendar, KINDS[kind], stepwise_weights).mean(
                calendar.is_post
            )[0]
            for one, row in zip(y, starts, strict=True)
        ]
    )


def _coverage(world: World, kind: str) -> list[float]:
    """Give shares of normal intervals that hold zero: bootstrap, jackknife, placebo."""
    y, starts, calendar = _setting(world, _COVERED)
    covered = np.zeros((len(y), 3))
    for i, (panel, start) in enumerate(zip(y, starts, strict=True)):
        noise = np.array([noise_level(panel, np.isinf(start)[None], calendar.is_pre[0])[0]])

        def mean(values: np.ndarray, given: np.ndarray, noise: np.ndarray = noise) -> np.ndarray:
            gaps: Gaps = gaps_under(
                values, given, calendar, KINDS[kind], exact_weights, noise=noise
            )
            return gaps.mean(calendar.is_post)

        estimate = mean(panel, start[None])[0]
        rows = bootstrap_rows(start, i)[:_DRAWS]
        one_out = np.where(np.eye(len(start), dtype=bool), np.nan, start)
        leave = mean(panel, one_out)
        leave = leave[np.isfinite(leave)]
        donors = panel[np.isinf(start)]
        rng = np.random.default_rng(i)
        shuffled = [rng.permutation(len(donors)) for _ in range(_DRAWS)]
        n_treated = len(start) - len(donors)
        stand_ins = np.where(np.array(shuffled) < n_treated, start.min(), np.inf)
        errors = (
            mean(panel[rows], start[rows]).std(),
            np.sqrt((len(leave) - 1) * leave.var()),
            mean(donors, stand_ins).std(),
        )
        covered[i] = [abs(estimate) <= _NORMAL * one for one in errors]
    return [float(one) for one in covered.mean(axis=0)]


def _completed(world: World) -> np.ndarray:
    """Give the errors of matrix completion."""
    y, treated = world.draw(_COMPLETED, SEED)
    n_units, n_periods = y.shape[1:]
    start = n_periods - world.n_after + 1
    errors = []
    for panel, who in zip(y, treated, strict=True):
        columns: dict[str, Any] = {
            "unit": np.repeat(np.arange(n_units), n_periods),
            "period": np.tile(np.arange(1, n_periods + 1), n_units),
            "y": panel.ravel(),
            "cohort": np.repeat(np.where(who, start, 0), n_periods),
        }
        design = cps.design_from_frame(
            pl.DataFrame(columns), unit="unit", period="period", outcome="y", cohort="cohort"
        )
        effect = cps.estimate(design, "matrix_completion", options={"errors": "none"})
        errors.append(float(effect.overall.att or 0.0))
    return np.array(errors)
