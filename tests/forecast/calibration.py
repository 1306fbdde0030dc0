"""How often forecasts of a known process come true: chances, intervals and counts by simulation.

Worlds are drawn from a process that isn't the model's own (``tests.forecast.worlds``): many years'
worth of forecasts whose truth is known. Errors are between worlds, since villages of one world share
its year. Usage:

python -m tests.forecast.calibration [--worlds 200] [--months 3,6,9] [--write docs/forecast.md]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cps.forecast._model import Chain
from cps.forecast.outlook import predictive_draws
from tests.forecast.worlds import draw_months

CHAIN = Chain(n_burn=100, n_keep=200, n_futures=5)
EDGES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
BEGIN, END = "<!-- calibration -->", "<!-- end of calibration -->"


@dataclass(frozen=True)
class Found:
    """A share of cases in which something held, and its error between worlds."""

    what: str
    said: float
    came: float
    error: float
    n: int


def simulate(
    n_worlds: int, month: int, *, catch_up: float = 0.0, chain: Chain = CHAIN
) -> list[Found]:
    """Forecast each world's last year from its first months, and set what was said against truth."""
    said, came, inside_80, inside_95, of_world = [], [], [], [], []
    for world in range(n_worlds):
        months = draw_months(1000 * month + world, catch_up=catch_up)
        truth = months.totals_yuan()[:, -1]
        draws, rows = predictive_draws(
            months.seen_until(months.years[-1], month), chain=chain, seed=world, breaks=()
        )
        # Each village's own last year, and a sixth above it: chances of every size come up.
        before = months.totals_yuan()[rows, -2]
        for threshold in (before, before * 7 / 6):
            said.append((draws > threshold).mean(axis=0))
            came.append(truth[rows] > threshold)
        ends = np.quantile(draws, [0.025, 0.1, 0.9, 0.975], axis=0)
        inside_80.append(((ends[1] <= truth[rows]) & (truth[rows] <= ends[2])).mean())
        inside_95.append(((ends[0] <= truth[rows]) & (truth[rows] <= ends[3])).mean())
        of_world += [np.full(len(rows), world)] * 2
    n = n_worlds * len(said[0])
    found = [
        _share("inside the 80% interval", 0.80, np.array(inside_80), n),
        _share("inside the 95% interval", 0.95, np.array(inside_95), n),
    ]
    return found + _bins(np.concatenate(said), np.concatenate(came), np.concatenate(of_world))


def _share(what: str, said: float, by_world: NDArray[np.float64], n: int) -> Found:
    error = float(by_world.std(ddof=1) / np.sqrt(len(by_world)))
    return Found(what, said, float(by_world.mean()), error, n)


def _bins(
    said: NDArray[np.float64], came: NDArray[np.bool_], world: NDArray[np.float64]
) -> list[Found]:
    """Compare by range of probability; the error is of the mean difference, between worlds."""
    place = np.clip(np.searchsorted(EDGES, said, side="right") - 1, 0, len(EDGES) - 2)
    found = []
    for one in range(len(EDGES) - 1):
        inside = place == one
        if not inside.any():
            continue
        misses = came[inside] - said[inside]
        n = int(inside.sum())
        sums = np.array([misses[world[inside] == w].sum() for w in np.unique(world)])
        error = float(sums.std(ddof=1) * np.sqrt(len(sums)) / n)
        what = f"chance of {EDGES[one]:.0%} to {EDGES[one + 1]:.0%}"
        found.append(Found(what, float(said[inside].mean()), float(came[inside].mean()), error, n))
    return found


def main() -> None:
    """Simulate, print, and write the table if asked to."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    asked.add_argument("--worlds", type=int, default=200)
    asked.add_argument("--months", default="3,6,9")
    asked.add_argument("--write", type=Path)
    given = asked.parse_args()
    started = time.process_time()
    lines = [
        "| forecast from month | | said | came true | ± | cases |",
        "|---|---|---|---|---|---|",
    ]
    for month in (int(one) for one in given.months.split(",")):
        for one in simulate(given.worlds, month):
            lines.append(
                f"| {month} | {one.what} | {one.said:.3f} | {one.came:.3f} | {one.error:.3f} "
                f"| {one.n:,} |"
            )
    lines.append("")
    lines.append(
        f"{given.worlds} worlds of 16 villages and 5 years; ± is one standard error, between worlds."
    )
    print("\n".join(lines))
    print(f"{time.process_time() - started:.0f} s of processor time")
    if given.write:
        text = given.write.read_text(encoding="utf-8")
        before, after = text.index(BEGIN) + len(BEGIN), text.index(END)
        table = "\n".join(lines)
        given.write.write_text(f"{text[:before]}\n\n{table}\n\n{text[after:]}", encoding="utf-8")


if __name__ == "__main__":
    main()
