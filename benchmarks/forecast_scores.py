"""Back-test the forecast of yearly totals on the demonstration, beside its rivals.

Usage: python benchmarks/forecast_scores.py [--mode headline_true] [--seed 20231231]
           [--years 2020,2021,2022,2023,2024] [--at 1,2,3,4,5,6,7,8,9,10,11] [--area 示例街道]

About two minutes of one core at these settings; months are forecast as ``cps forecast`` tries them.
The world goes through ledger files, reader and panel. All methods see the same months, and are scored
on the same cases. CRPS in 万元 and in log points, both the smaller the better; coverage of central
intervals; width is the median of log(upper / lower) at 80%; PIT counts are flat if calibrated.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cps
from cps.demo import MODES, SEED, write_demo
from cps.forecast.back_test import METHODS, BackTest, Score, back_test
from cps.forecast.monthly import BACK_TEST_CHAIN
from cps.forecast.months import months_of


def main() -> None:
    """Write one world, forecast its years, print the scores."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    asked.add_argument("--mode", default=MODES[0], choices=MODES)
    asked.add_argument("--seed", type=int, default=SEED)
    asked.add_argument("--years", default="2020,2021,2022,2023,2024")
    asked.add_argument("--at", default="1,2,3,4,5,6,7,8,9,10,11")
    asked.add_argument("--area", default="示例街道")
    given = asked.parse_args()
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        ledgers = Path(folder) / "data" / "raw" / given.mode
        write_demo(ledgers, mode=given.mode, seed=given.seed)
        panel = cps.build_panel(cps.read_ledgers(ledgers), frequency="month")
    found = back_test(
        months_of(panel, area=given.area),
        years=[int(one) for one in given.years.split(",")],
        at_months=[int(one) for one in given.at.split(",")],
        chain=BACK_TEST_CHAIN,
    )
    _print(found)
    print(f"{time.process_time() - started:.0f} s of processor time")


def _print(found: BackTest) -> None:
    heads = [f"Brier {one // 10_000}万" for one in found.thresholds_yuan]
    heads += ["CRPS 万元", "CRPS log", "bias", "in 80%", "in 95%", "width"]
    print(f"{'month':>5} {'method':18} {'cases':>5}", *(f"{one:>10}" for one in heads))
    for one in found.scores:
        print(f"{one.month or 'all':>5} {one.method:18} {one.n_cases:>5}", *_figures(one))
    for name in METHODS:
        score = found.of(name)
        print(f"\n{name}: PIT {score.pit_counts}; said against happened, by range of probability")
        for part in score.reliability:
            if part.n:
                print(
                    f"  {part.lower:.2f}–{part.upper:.2f}  n={part.n:>5}  "
                    f"said {part.mean_probability:.3f}  happened {part.share_happened:.3f}"
                )
    print(f"\n{found.caution.en}")


def _figures(one: Score) -> list[str]:
    values = [*one.brier, one.crps_wan, one.crps_log, one.bias_log]
    values += [one.coverage_80, one.coverage_95, one.width_80]
    return [f"{value:>10.4f}" for value in values]


if __name__ == "__main__":
    main()
