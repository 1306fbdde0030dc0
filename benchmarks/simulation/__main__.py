"""Run the study: python -m benchmarks.simulation [--quick] [--panels FOLDER] [--budget SECONDS]."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections import Counter
from pathlib import Path


def main() -> None:
    """Run, write the tables and the verdicts, and say how long it took."""
    # Before numpy loads: two processes with one thread each beat two that fight over both cores.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ.setdefault(name, "1")
    from benchmarks.simulation.designs import processes
    from benchmarks.simulation.judge import verdicts
    from benchmarks.simulation.runner import study, tasks
    from benchmarks.simulation.write import write_reliability, write_tables
    from cps.estimators import _reliability

    given = _arguments()
    began = time.monotonic()
    todo = [one for one in tasks(given.panels) if re.search(given.only, one.key)]
    tallies = study(
        todo,
        panels=given.panels,
        workers=given.workers,
        budget=60.0 if given.quick else given.budget,
        most=40 if given.quick else given.replications,
        resume=given.resume,
    )
    every = processes(given.panels)
    judged = verdicts(tallies, every)
    write_tables(given.out, tallies, every, judged)
    if not given.quick and (given.reliability or not given.only):
        write_reliability(given.reliability or _reliability.PATH, judged)
    faults = Counter(
        f"{task.pair.words} × {task.pair.inference}: {fault}"
        for task, tally in tallies.items()
        for fault in tally.faults
    )
    for fault, count in faults.most_common():
        print(f"fault in {count} cells: {fault}")
    offered = sum(one.is_offered for one in judged)
    print(
        f"{given.out}: {len(judged)} verdicts, {offered} offered, "
        f"{sum(one.tried for one in tallies.values())} replications, "
        f"{time.monotonic() - began:.0f} s"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute; writes no verdicts file")
    parser.add_argument("--out", type=Path, default=Path("docs/simulation.md"))
    parser.add_argument("--reliability", type=Path, help="where the verdicts go [the package]")
    parser.add_argument("--panels", type=Path, help="folder of public panels, for placebo laws")
    parser.add_argument("--budget", type=float, default=840.0, help="seconds [%(default)s]")
    parser.add_argument("--replications", type=int, default=500, help="at most [%(default)s]")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--resume", type=Path, help="folder to keep parts in, and to go on from")
    parser.add_argument("--only", default="", help="regular expression for the tasks; no verdicts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
