"""Processes whose effect is known, drawn as designs that every method can be given."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cps.demo._villages import villages
from cps.demo._world import _TREND, NOISE, PERSISTENCE
from cps.design.frame import design_from_frame
from cps.design.record import Design, Form

Floats = NDArray[np.float64]
Outcome = Literal["zero", "true"]
FIRST = 2001


@dataclass(frozen=True)
class Drawn:
    """Outcomes without treatment, effects by cell, starts (inf for never), clusters."""

    untreated: Floats  # (n_units, n_periods)
    effect: Floats  # (n_units, n_periods), what treatment adds if it does anything
    starts: Floats  # (n_units,), places of first treated periods
    cluster: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Process:
    """A way to draw panels.

    Parameters
    ----------
    is_judged : bool
        True if a sound method must keep its level here; False for stress tests, which are shown.
    treated : tuple of int
        Numbers of treated units (of treated clusters, where units are grouped) that are drawn.
    outcomes : tuple of {"zero", "true"}
        Whether the effect is left out, put in, or both.
    """

    name: str
    words: str
    is_judged: bool
    treated: tuple[int, ...]
    outcomes: tuple[Outcome, ...]
    form: Form
    draw: Callable[[np.random.Generator, int], Drawn]


def draw_design(
    process: Process, n_treated: int, outcome: Outcome, rep: int
) -> tuple[Design, float]:
    """Draw replication ``rep`` of one cell: the design, and the effect averaged over treated cells.

    Zero and true effects share every random draw.
    """
    rng = np.random.default_rng([zlib.crc32(process.name.encode()), n_treated, rep])
    drawn = process.draw(rng, n_treated)
    n_units, n_periods = drawn.untreated.shape
    on = np.arange(n_periods)[None, :] >= drawn.starts[:, None]
    y = drawn.untreated + (drawn.effect * on if outcome == "true" else 0.0)
    truth = float(drawn.effect[on].mean()) if outcome == "true" else 0.0
    natural = np.exp(y) if process.form == "log" else y
    for array in (y, natural):
        array.setflags(write=False)
    is_donor = np.isinf(drawn.starts)
    is_donor.setflags(write=False)
    design = dataclasses.replace(
        _template(n_units, n_periods, process.form, drawn.cluster is not None),
        name=process.name,
        y=y,
        y_natural=natural,
        cohort=tuple(int(s) + FIRST if np.isfinite(s) else None for s in drawn.starts),
        is_donor=is_donor,
        cluster=drawn.cluster,
        minimum_detectable_effect=None,
        design_hash=f"{process.name}-{n_treated}-{outcome}-{rep}",
    )
    return design, truth


@lru_cache(maxsize=64)
def _template(n_units: int, n_periods: int, form: Form, is_clustered: bool) -> Design:
    units = np.repeat(np.arange(n_units), n_periods)
    periods = np.tile(np.arange(n_periods) + FIRST, n_units)
    frame = pl.DataFrame(
        {
            "unit": [f"u{i:03d}" for i in units],
            "period": periods,
            "y": 2.0 + np.sin(units + periods),
            "on": ((units == 0) & (periods == FIRST + n_periods - 1)).astype(int),
            "group": [f"g{i:03d}" for i in units],
        }
    )
    return design_from_frame(
        frame,
        unit="unit",
        period="period",
        outcome="y",
        treated="on",
        form=form,
        cluster="group" if is_clustered else None,
    )


def autoregressive(
    rng: np.random.Generator, shape: tuple[int, int], *, rho: float, sd: float
) -> Floats:
    """Draw stationary first-order autoregressions along the second axis."""
    steps = rng.normal(0, sd, shape)
    out = np.empty(shape)
    out[:, 0] = steps[:, 0]
    for t in range(1, shape[1]):
        out[:, t] = rho * out[:, t - 1] + np.sqrt(1 - rho**2) * steps[:, t]
    return out


def _growing(starts: Floats, n_periods: int, per_period: float) -> Floats:
    event = np.arange(n_periods)[None, :] - starts[:, None]
    return np.where(event >= 0, per_period * (event + 1), 0.0)


def _starts(rng: np.random.Generator, n_units: int, given: list[int]) -> Floats:
    starts = np.full(n_units, np.inf)
    starts[rng.permutation(n_units)[: len(given)]] = given
    return starts


def _village_levels(rng: np.random.Generator, n_units: int) -> Floats:
    levels = np.array([one.level for one in villages()[:75]])
    return np.asarray(rng.permutation(levels)[:n_units])


def _village_effect(rng: np.random.Generator, level: Floats, starts: Floats) -> Floats:
    """Give 20万元 a year at full strength, from a quarter at the start to full in four years."""
    event = np.arange(len(_TREND))[None, :] - starts[:, None]
    strength = np.where(event >= 0, np.minimum(0.25 + 0.75 * (event + 0.5) / 4, 1.0), 0.0)
    size = 20.0 * rng.uniform(0.85, 1.15, len(level)) / level
    return np.asarray(np.log1p(size[:, None] * strength))


def _villages(rng: np.random.Generator, n_treated: int) -> Drawn:
    n_units = 50 if n_treated < 5 else 75
    level = _village_levels(rng, n_units)
    noise = autoregressive(rng, (n_units, len(_TREND)), rho=PERSISTENCE, sd=NOISE)
    starts = _starts(rng, n_units, [(4, 3, 5)[i % 3] for i in range(n_treated)])
    effect = _village_effect(rng, level, starts)
    return Drawn(np.log(level)[:, None] + _TREND + noise, effect, starts)


def _dip(rng: np.random.Generator, n_treated: int) -> Drawn:
    n_units = 50 if n_treated < 5 else 75
    level = _village_levels(rng, n_units)
    noise = autoregressive(rng, (n_units, len(_TREND)), rho=PERSISTENCE, sd=NOISE)
    candidates = rng.permutation(n_units)[: 2 * n_treated]
    starts = np.full(n_units, np.inf)
    starts[candidates[np.argsort(noise[candidates, 3])[:n_treated]]] = 4
    effect = _village_effect(rng, level, starts)
    return Drawn(np.log(level)[:, None] + _TREND + noise, effect, starts)


def _factor_panel(rng: np.random.Generator, n_units: int) -> tuple[Floats, Floats]:
    factors = autoregressive(rng, (2, 24), rho=0.5, sd=1.0)
    loadings = rng.uniform(0, 2, (n_units, 2))
    noise = autoregressive(rng, (n_units, 24), rho=0.3, sd=1.0)
    level = rng.normal(0, 2, (n_units, 1))
    return level + 0.1 * np.arange(24) + loadings @ factors + noise, loadings


def _factors(rng: np.random.Generator, n_treated: int) -> Drawn:
    n_units = 40 if n_treated < 5 else 50
    panel, _ = _factor_panel(rng, n_units)
    starts = _starts(rng, n_units, [18] * n_treated)
    return Drawn(panel, _growing(starts, 24, 0.4), starts)


def _selected(rng: np.random.Generator, n_treated: int) -> Drawn:
    n_units = 40 if n_treated < 5 else 50
    panel, loadings = _factor_panel(rng, n_units)
    panel = panel + loadings[:, :1] * 0.15 * np.arange(24)
    starts = np.full(n_units, np.inf)
    starts[np.argsort(-loadings[:, 0])[:n_treated]] = 18
    return Drawn(panel, _growing(starts, 24, 0.4), starts)


def _clusters(rng: np.random.Generator, n_treated: int) -> Drawn:
    n_clusters, size, n_periods = 25, 3, 10
    shared = autoregressive(rng, (n_clusters, n_periods), rho=0.6, sd=0.15)
    own = rng.normal(0, 0.1, (n_clusters * size, n_periods))
    level = rng.normal(0, 0.5, (n_clusters * size, 1))
    panel = 4 + level + 0.03 * np.arange(n_periods) + np.repeat(shared, size, axis=0) + own
    starts = np.repeat(_starts(rng, n_clusters, [6] * n_treated), size)
    names = tuple(f"g{i:02d}" for i in np.repeat(np.arange(n_clusters), size))
    return Drawn(panel, _growing(starts, n_periods, 0.06), starts, names)


def _staggered(rng: np.random.Generator, n_treated: int) -> Drawn:
    n_units, n_periods = 45, 12
    panel = rng.normal(0, 1, (n_units, 1)) + 0.2 * np.arange(n_periods)
    panel = panel + autoregressive(rng, (n_units, n_periods), rho=0.5, sd=0.5)
    starts = _starts(rng, n_units, [(4, 6, 8)[i % 3] for i in range(n_treated)])
    return Drawn(panel, _growing(starts, n_periods, 0.3), starts)


def _nearly_all(rng: np.random.Generator, n_treated: int) -> Drawn:
    n_units, n_periods = 30, 20
    panel = rng.normal(0, 1, (n_units, 1)) + 0.2 * np.arange(n_periods)
    panel = panel + autoregressive(rng, (n_units, n_periods), rho=0.5, sd=0.5)
    starts = _starts(rng, n_units, [2] * 15 + [14] * (n_treated - 15))
    return Drawn(panel, _growing(starts, n_periods, 0.3), starts)


PROCESSES: tuple[Process, ...] = (
    Process(
        "villages",
        "The demonstration panel's process: 8 years of log income, common trend and shocks, "
        f"idiosyncratic noise of s.d. {NOISE:.2f} with yearly persistence {PERSISTENCE:.1f}; 1 or 3 "
        "of 50 or 15 of 75 villages start in the fourth to sixth year; 20万元 a year at full "
        "strength, reached in four years.",
        True,
        (1, 3, 15),
        ("zero", "true"),
        "log",
        _villages,
    ),
    Process(
        "factors",
        "Two autoregressive factors with random loadings, noise as large, so that no synthetic "
        "control fits the past (Ferman & Pinto 2021); 18 periods before and 6 after one start; 1 or "
        "3 of 40 or 15 of 50 units, drawn at random.",
        True,
        (1, 3, 15),
        ("zero", "true"),
        "level",
        _factors,
    ),
    Process(
        "clusters",
        "25 townships of 3 villages that share persistent shocks; whole townships are treated at "
        "once (1, 3 or 8: the number counts townships); 6 periods before and 4 after.",
        True,
        (1, 3, 8),
        ("zero", "true"),
        "level",
        _clusters,
    ),
    Process(
        "staggered",
        "15 of 45 units start in three waves, effects grow by 0.3 a period, noise persists.",
        True,
        (15,),
        ("zero", "true"),
        "level",
        _staggered,
    ),
    Process(
        "nearly_all",
        "Stress: 15 units start in period 3 of 20, 12 in period 15, 3 never; effects grow by 0.3 a "
        "period. Two-way fixed effects takes the wrong sign (Goodman-Bacon 2021; Baker, Larcker & "
        "Wang 2022).",
        False,
        (27,),
        ("true",),
        "level",
        _nearly_all,
    ),
    Process(
        "dip",
        "Stress: as `villages`, but of twice as many candidates those with the worst last year "
        "before the start are treated (Ashenfelter's dip): they recover, and comparisons with that "
        "year count it as effect; those with all earlier years less so.",
        False,
        (3, 15),
        ("zero",),
        "log",
        _dip,
    ),
    Process(
        "selected",
        "Stress: as `factors`, with a trend in the first factor, and the units that load most on it "
        "are treated: trends are not parallel, and no mixture of others has such loadings.",
        False,
        (1, 3),
        ("zero",),
        "level",
        _selected,
    ),
)


def wages(folder: Path) -> Process:
    """Give placebo laws on women's log wages in 50 states, 40 years (Bertrand et al. 2004).

    Parameters
    ----------
    folder : Path
        Holds ``sim_cps_penn/cps.parquet``, the panel that ``synthdid`` publishes.
    """
    frame = pl.read_parquet(folder / "sim_cps_penn" / "cps.parquet").sort("state", "year")
    n_periods = frame["year"].n_unique()
    panel = frame["log_wage"].to_numpy().reshape(-1, n_periods)

    def draw(rng: np.random.Generator, n_treated: int) -> Drawn:
        start = int(rng.integers(20, 36))
        starts = _starts(rng, len(panel), [start] * n_treated)
        return Drawn(panel.copy(), np.zeros_like(panel), starts)

    return Process(
        "wages",
        "Placebo laws in women's log wages, 50 states and 40 years, at random states and years.",
        False,
        (1, 3, 15),
        ("zero",),
        "level",
        draw,
    )


def processes(panels: Path | None) -> dict[str, Process]:
    """Give every process by name; ``wages`` only where its panel is given."""
    every = [*PROCESSES, *([wages(panels)] if panels else [])]
    return {one.name: one for one in every}
