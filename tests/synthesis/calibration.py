"""How often families of tests, rank sets and pooled intervals are right, where the truth is known.

Estimates are normal with a covariance that is known, or come from small simulated panels. Usage:

python -m tests.synthesis.calibration [--draws 2000] [--write docs/together.md]
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

import cps
from cps.design.record import Design
from cps.estimators.registry import refit
from cps.synthesis.joint_covariance import resample_effects
from cps.synthesis.multiplicity import romano_wolf
from cps.synthesis.pooling import pool_effects
from cps.synthesis.rank_sets import rank_sets

N = 15
MEAN = 3.0


@dataclass(frozen=True)
class Share:
    """How often something held among ``n`` draws, and how often it should."""

    what: str
    share: float
    n: int
    error: float  # of the share, from the draws

    def __str__(self) -> str:
        return f"| {self.what} | {100 * self.share:.1f}% (± {100 * self.error:.1f}) | {self.n:,} |"


def errors_of_fifteen(seed: int = 5) -> NDArray[np.float64]:
    """Covariance of 15 estimates: unequal errors, all alike by shared controls, pairs by hosts."""
    rng = np.random.default_rng(seed)
    spread = np.exp(rng.normal(0.0, 0.4, N))
    correlation = np.full((N, N), 0.2) + 0.8 * np.eye(N)
    for i, j in ((0, 1), (4, 7), (9, 10)):
        correlation[i, j] = correlation[j, i] = 0.6
    return np.asarray(correlation * np.outer(spread, spread))


def family_wise_errors(n_draws: int, *, draws: int = 2000) -> Iterator[Share]:
    """Chance of any false rejection by Romano-Wolf: no effect at all, and five real ones."""
    for words, effects in (("no effect anywhere", np.zeros(N)), ("five real", _some_real())):
        hits = [
            any(
                rejected
                for rejected, truth in zip(
                    romano_wolf(y, covariance, draws=draws, seed=k).is_rejected,
                    effects,
                    strict=True,
                )
                if truth == 0
            )
            for k, (y, covariance) in enumerate(_estimates(effects, n_draws))
        ]
        yield _share(f"Romano-Wolf, {words}: a false rejection", hits)


def rank_coverage(n_draws: int, *, draws: int = 2000) -> Iterator[Share]:
    """How often all rank sets hold the true ranks, and how often the first one does alone."""
    cases = (
        ("all equal", np.zeros(N)),
        ("equal but for three", np.r_[np.zeros(12), 3.0, 6.0, 9.0]),
        ("evenly apart by half an error", 0.5 * np.arange(N)),
    )
    for words, effects in cases:
        ranks = 1 + (effects[None, :] > effects[:, None]).sum(axis=1)
        together, alone = [], []
        for k, (y, covariance) in enumerate(_estimates(effects, n_draws)):
            found = rank_sets(y, covariance, draws=draws, seed=k)
            together.append(bool(((found.low <= ranks) & (ranks <= found.high)).all()))
            found = rank_sets(y, covariance, draws=draws, seed=k, scope="marginal")
            alone.append(found.low[0] <= ranks[0] <= found.high[0])
        yield _share(f"rank sets at once, effects {words}: all hold", together)
        yield _share(f"rank set of one, effects {words}: holds", alone)


def pooled_coverage(
    n_draws: int, *, prior: str = "variance", ratios: tuple[float, ...] = (0, 0.5, 0.75, 1, 2)
) -> Iterator[Share]:
    """How often pooled intervals hold the true effects, by their spread over a typical error."""
    covariance = errors_of_fifteen()
    typical = float(np.sqrt(np.diag(covariance).mean()))
    factor = np.linalg.cholesky(covariance)
    rng = np.random.default_rng(11)
    for ratio in ratios:
        held, new = [], []
        for _ in range(n_draws):
            effects = MEAN + ratio * typical * rng.standard_normal(N + 1)
            y = effects[:N] + factor @ rng.standard_normal(N)
            found = pool_effects(y, covariance, prior=prior)
            low, high = np.array(found.low, float), np.array(found.high, float)
            held.append(float(((low <= effects[:N]) & (effects[:N] <= high)).mean()))
            new.append(found.new_low <= effects[N] <= found.new_high)
        yield _share(f"the 15 pooled intervals ({prior}), spread/error {ratio}: hold", held)
        yield _share(f"interval of a new initiative ({prior}), spread/error {ratio}: holds", new)


def from_panels(n_draws: int, *, n_donors: int = 43, resamples: int = 299) -> Iterator[Share]:
    """The same from simulated panels, with a covariance that has to be estimated from them.

    Fifteen initiatives of one or two hosts, two of them sharing a host, eight years, no effects.
    """
    designs = _panel_designs(n_donors)
    rng = np.random.default_rng(13)
    units = sorted({unit for one in designs.values() for unit in one.units})
    hits: dict[str, list[bool]] = {"t": [], "normal": [], "ranks": []}
    held: list[float] = []
    for k in range(n_draws):
        series = rng.standard_normal((len(units), 8)).cumsum(axis=1)
        drawn = {
            name: dataclasses.replace(one, y=series[[units.index(unit) for unit in one.units]])
            for name, one in designs.items()
        }
        refits = {name: refit(one, "imputation") for name, one in drawn.items()}
        source = resample_effects(refits, draws=resamples, seed=k)
        y = np.array([one.one(one.design) for one in refits.values()])
        freedom = source.freedom
        for name, given in (("t", freedom), ("normal", None)):
            found = romano_wolf(y, source.covariance, freedom=given, draws=2000, seed=k)
            hits[name].append(any(found.is_rejected))
        ranks = rank_sets(y, source.covariance, freedom=freedom, draws=2000, seed=k)
        hits["ranks"].append(all(one == 1 for one in ranks.low))
        # The estimator is linear: an effect in the hosts' outcomes adds itself to the estimate.
        effects = rng.standard_normal(N)
        pooled = pool_effects(y + effects, source.covariance)
        low, high = np.array(pooled.low, float), np.array(pooled.high, float)
        held.append(float(((low <= effects) & (effects <= high)).mean()))
    yield _share("from panels, Romano-Wolf with t: a false rejection", hits["t"])
    yield _share("from panels, Romano-Wolf taken as normal: a false rejection", hits["normal"])
    yield _share("from panels, rank sets at once: all hold", hits["ranks"])
    yield _share("from panels, the 15 pooled intervals: hold", held)


def _panel_designs(n_donors: int) -> dict[str, Design]:
    found = {}
    for k in range(N):
        hosts = [f"h{k}"] if k % 2 else [f"h{k}", f"h{k}b" if k else "h1"]
        rows = [
            {
                "unit": unit,
                "year": year,
                "y": float(year % 7),
                "start": 2020 + k % 3 if unit in hosts else None,
            }
            for unit in [*hosts, *(f"d{one:02d}" for one in range(n_donors))]
            for year in range(2016, 2024)
        ]
        found[f"i{k}"] = cps.design_from_frame(
            pl.DataFrame(rows), unit="unit", period="year", outcome="y", cohort="start"
        )
    return found


def _some_real() -> NDArray[np.float64]:
    return np.r_[np.zeros(10), 1.0, 2.0, 3.0, 4.0, -6.0]


def _estimates(
    effects: NDArray[np.float64], n_draws: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    covariance = errors_of_fifteen()
    factor = np.linalg.cholesky(covariance)
    rng = np.random.default_rng(7)
    for _ in range(n_draws):
        yield effects + factor @ rng.standard_normal(N), covariance


def _share(what: str, hits: list[bool] | list[float]) -> Share:
    values = np.array(hits, dtype=float)
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return Share(what, float(values.mean()), len(values), error)


def table(n_draws: int) -> Iterator[str]:
    """Give the table of all studies in Markdown, a line at a time."""
    yield "| how often | share | draws |"
    yield "|---|---|---|"
    for study in (family_wise_errors, rank_coverage, pooled_coverage):
        yield from map(str, study(n_draws))
    yield from map(str, from_panels(max(n_draws // 4, 2)))
    yield from map(str, pooled_coverage(n_draws, prior="spread"))


if __name__ == "__main__":
    from tests.synthesis._calibration_table import write_table

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--write", type=Path, help="page whose table is written anew")
    given = parser.parse_args()
    lines = []
    for line in table(given.draws):
        print(line, flush=True)
        lines.append(line)
    if given.write:
        write_table(given.write, "normal", "\n".join(lines))
