"""How often families of tests, rank sets and pooled intervals are right, where the truth is known.

Usage: python -m tests.synthesis.calibration [N_DRAWS]     (2,000 for the record)
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
        return (
            f"{self.what:<78}{100 * self.share:6.1f}%  (± {100 * self.error:.1f}, {self.n} draws)"
        )


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


if __name__ == "__main__":
    count = int(sys.argv[1]) if sys.argv[1:] else 2000
    for study in (family_wise_errors, rank_coverage, pooled_coverage):
        for line in study(count):
            print(line, flush=True)
    for line in pooled_coverage(count, prior="spread"):
        print(line, flush=True)
