"""Set our estimates beside the truth of the demonstration, in both modes.

Usage: python benchmarks/demo_truth.py [--seeds 20231231,1,2] [--method headline]

Every world goes through ledger files, reader and panel; the truth comes from the file that none of
them reads. The truth is on the scale of the estimate: the gain of a typical host, the geometric
mean of what hosts had less the geometric mean of what they would have had, over all treated
village-years of the design, in 万元. Before-after is what a reader of the ledgers alone would say.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import cps
from cps.demo import MODES, load_truth, write_demo
from cps.design.record import Design
from cps.result import Effect

WAN = 10_000


class Line(NamedTuple):
    """One initiative of one world, 万元 a village and year."""

    name: str
    truth: float
    effect: Effect
    before_after: float

    @property
    def covers(self) -> bool:
        """Whether the interval holds the truth."""
        natural = self.effect.natural
        if natural is None or natural.ci_low is None or natural.ci_high is None:
            return False
        return natural.ci_low / WAN <= self.truth <= natural.ci_high / WAN


def true_gain(design: Design, truth: dict[str, Any]) -> tuple[float, float]:
    """Give the typical host's true gain and its growth from before to after, 万元."""
    gains: dict[tuple[str, int], int] = {}
    for outcomes in truth["effects"].values():
        for unit, by_year in outcomes["income_yuan"].items():
            for year, yuan in by_year.items():
                key = (unit, int(year))
                gains[key] = gains.get(key, 0) + yuan
    with_, without, before = [], [], []
    for row, (unit, cohort) in enumerate(zip(design.units, design.cohort, strict=True)):
        if cohort is None:
            continue
        for column, year in enumerate(design.periods):
            value = design.y_natural[row, column]
            if year >= cohort:
                with_.append(np.log(value))
                without.append(np.log(value - gains.get((unit, year), 0)))
            else:
                before.append(np.log(value))
    after = np.exp(np.mean(with_))
    return float(after - np.exp(np.mean(without))) / WAN, float(
        after - np.exp(np.mean(before))
    ) / WAN


def world(mode: str, seed: int) -> list[Line]:
    """Evaluate all initiatives of one world, and all hosts together."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "raw" / "demo"
        write_demo(folder, mode=mode, seed=seed)
        truth = load_truth(folder)
        panel = cps.build_panel(cps.read_ledgers(folder))
    declared = cps.load_initiatives()
    lines = []
    for one in (*declared, cps.pool_initiatives(declared)):
        others = declared if one.id != "all_initiatives" else ()
        design = cps.make_design(panel, one, others=others)
        gain, growth = true_gain(design, truth)
        lines.append(Line(one.id, gain, cps.estimate_all(design)[0], growth))
    return lines


def main() -> None:
    """Print a table of the first seed, and coverage over all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", default="20231231,1,2")
    given = parser.parse_args()
    seeds = [int(one) for one in given.seeds.split(",")]
    for mode in MODES:
        started = time.monotonic()
        worlds = {seed: world(mode, seed) for seed in seeds}
        print(f"\n{mode}, seed {seeds[0]}, 万元 a typical host and year")
        print(
            f"  {'initiative':18}{'truth':>8}{'estimate':>10}{'interval':>20}{'p':>7}  covers  before-after"
        )
        for line in worlds[seeds[0]]:
            natural, overall = line.effect.natural, line.effect.overall
            if natural is None or natural.att is None or natural.ci_low is None:
                print(f"  {line.name:18}{line.truth:8.1f}  no interval")
                continue
            ends = f"[{natural.ci_low / WAN:.1f}, {(natural.ci_high or 0) / WAN:.1f}]"
            print(
                f"  {line.name:18}{line.truth:8.1f}{natural.att / WAN:10.1f}{ends:>20}"
                f"{overall.p_value or 1:7.3f}  {'yes' if line.covers else 'NO':6}{line.before_after:13.1f}"
            )
        single = [
            line for lines in worlds.values() for line in lines if line.name != "all_initiatives"
        ]
        pooled = [
            line for lines in worlds.values() for line in lines if line.name == "all_initiatives"
        ]
        error = np.mean(
            [
                (one.effect.natural.att or 0) / WAN - one.truth
                for one in single
                if one.effect.natural
            ]
        )
        print(
            f"  {len(seeds)} seeds: {np.mean([one.covers for one in single]):.3f} of {len(single)} intervals "
            f"cover, mean error {error:+.1f}; pooled {np.mean([one.covers for one in pooled]):.3f} of "
            f"{len(pooled)}; {(time.monotonic() - started) / len(seeds):.1f} s a seed"
        )


if __name__ == "__main__":
    main()
