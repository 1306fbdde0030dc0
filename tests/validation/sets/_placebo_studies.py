"""Placebo studies on wage and growth panels: the design of Arkhangelsky et al. (2021), section 3.

A panel is split into additive effects, a low-rank part and noise; treatment is assigned with
probabilities that a logistic regression on the unit factors gives; noise is drawn anew with the
autocorrelation of what the factors leave. Nothing is treated: every estimate is an error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

RANK, N_TREATED, N_AFTER = 4, 10, 10


@dataclass(frozen=True)
class World:
    """What panels are drawn from; ``resample`` draws that many units with replacement."""

    additive: np.ndarray
    low_rank: np.ndarray
    sigma: np.ndarray
    probability: np.ndarray
    n_treated: int = N_TREATED
    n_after: int = N_AFTER
    resample: int | None = None

    def draw(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Give outcomes (n, n_units, n_periods) and who is treated (n, n_units)."""
        rng = np.random.default_rng(seed)
        signal = self.additive + self.low_rank
        size = self.resample or len(signal)
        # As there: probabilities are repeated over the rows drawn, whoever they are.
        chance = np.resize(self.probability, size)
        treated = rng.uniform(size=(n, size)) < chance
        for row in treated:
            found = np.flatnonzero(row)
            if len(found) == 0 or len(found) > self.n_treated:
                pool = found if len(found) else np.arange(size)
                row[:] = False
                row[rng.choice(pool, self.n_treated, replace=False)] = True
        rows = rng.integers(0, len(signal), (n, size)) if self.resample else np.arange(size)
        noise = rng.normal(size=(n, size, signal.shape[1])) @ _root(self.sigma).T
        return signal[rows] + noise, treated


def estimate_world(y: np.ndarray, assigned: np.ndarray) -> World:
    """Split a panel (n_units, n_periods), and find who is likely to be treated."""
    n, t = y.shape
    y = (y - y.mean()) / y.std()
    left, values, right = np.linalg.svd(y, full_matrices=False)
    signal = (left[:, :RANK] * values[:RANK]) @ right[:RANK]
    rest = y - signal
    additive = signal.mean(axis=1, keepdims=True) + signal.mean(axis=0) - signal.mean()
    ar = np.round(_fit_ar2(rest), 2)
    correlation = _ar2_correlation(ar, t)
    scale = np.linalg.norm(rest.T @ rest / n) / np.linalg.norm(correlation)
    chance = _logistic(left[:, :RANK] * np.sqrt(n), assigned)
    return World(additive, signal - additive, correlation * scale, chance)


def worlds(folder: Path) -> dict[str, World]:
    """Give all designs of tables 2 to 4, by the names of the published simulation file."""
    cps, penn = pl.read_parquet(folder / "cps.parquet"), pl.read_parquet(folder / "penn.parquet")

    def states(outcome: str, law: str = "min_wage") -> World:
        return estimate_world(_wide(cps, "state", outcome), _last(cps, "state", law))

    def countries(indicator: str) -> World:
        return estimate_world(_wide(penn, "country", "log_gdp"), _last(penn, "country", indicator))

    def at_random(world: World) -> World:
        return replace(world, probability=np.full(len(world.probability), 0.5))

    base = states("log_wage")
    t, nothing = len(base.sigma), np.zeros_like(base.additive)
    white = np.eye(t) * np.linalg.norm(base.sigma) / np.sqrt(t)
    return {
        "baseline": base,
        "no.corr": replace(base, sigma=white),
        "no.M": replace(base, low_rank=nothing),
        "no.F": replace(base, additive=nothing),
        "only.noise": replace(base, low_rank=nothing, additive=nothing),
        "no.noise": replace(base, sigma=np.zeros((t, t))),
        "gun.law": states("log_wage", "open_carry"),
        "abortion": states("log_wage", "abort_ban"),
        "random": at_random(base),
        "hours": states("hours"),
        "urate": states("urate"),
        "T1.is.one": replace(base, n_after=1),
        "N1.is.one": replace(base, n_treated=1),
        "blocksize.is.one": replace(base, n_after=1, n_treated=1),
        "resample.200": replace(base, resample=200, n_treated=20),
        "resample.400": replace(base, resample=400, n_treated=40),
        "penn.democracy": countries("dem"),
        "penn.education": countries("educ"),
        "penn.random": at_random(countries("educ")),
    }


def _root(sigma: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(sigma)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _wide(frame: pl.DataFrame, unit: str, value: str) -> np.ndarray:
    wide = frame.sort(unit, "year").pivot(index=unit, on="year", values=value)
    years = sorted(wide.columns[1:], key=float)
    return wide.select(years).to_numpy().astype(float)


def _last(frame: pl.DataFrame, unit: str, value: str) -> np.ndarray:
    return _wide(frame, unit, value)[:, -1]


def _fit_ar2(rest: np.ndarray) -> np.ndarray:
    now, one, two = rest[:, 2:], rest[:, 1:-1], rest[:, :-2]
    products = np.array(
        [[(one * one).sum(), (one * two).sum()], [(one * two).sum(), (two * two).sum()]]
    )
    return np.linalg.solve(products, np.array([(one * now).sum(), (two * now).sum()]))


def _ar2_correlation(ar: np.ndarray, n: int) -> np.ndarray:
    lags = [1.0, ar[0] / (1 - ar[1])]
    while len(lags) < n:
        lags.append(ar[0] * lags[-1] + ar[1] * lags[-2])
    place = np.abs(np.arange(n)[:, None] - np.arange(n)[None])
    return np.array(lags)[place]


def _logistic(x: np.ndarray, assigned: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(x)), x])
    beta = np.zeros(design.shape[1])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-design @ beta))
        weight = chance * (1 - chance)
        step = np.linalg.solve((design.T * weight) @ design, design.T @ (assigned - chance))
        beta += step
        if np.abs(step).max() < 1e-10:
            break
    return np.asarray(1 / (1 + np.exp(-design @ beta)))
