"""How often initiatives without an effect get a good grade, and how grades follow real effects.

Usage:
    python -m tests.synthesis.grade_study --mode spurious --draws 400 --workers 2 --out FILE.jsonl
    python -m tests.synthesis.grade_study --mode spurious --out FILE.jsonl --summary

Each draw is a new world of the demonstration (``cps.demo``); all of its initiatives are put through
what ``notebooks/initiative.ipynb`` does, from design to grade. A line is written as soon as a draw
is done, so that a study which was stopped goes on where it was. Lines hold what every rule read:
``--summary`` judges them anew by the rules as they are now, without estimating anything.

Rules were chosen on seeds from 10,000 on; the figure for the record is that of seeds 0 to 399.
``--quick`` stops an initiative as soon as its headline's own p-value, interval or
number of hosts rules out an A or B: a tenth of the time, and all that the share of good grades needs.
``--times 4`` makes the true effects four times as large, to see whether good grades can be had.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from cps.demo._world import World, draw_world
from cps.design.build import make_design
from cps.design.initiatives import load_initiatives
from cps.design.record import Design
from cps.estimators.battery import estimate_all, estimate_headline
from cps.panel.record import Panel
from cps.result import Effect
from cps.robustness.registry import check_robustness
from cps.robustness.specifications import trace_specifications
from cps.synthesis._grade_rules import LETTERS, Measured, load_rules, worst
from cps.synthesis.grade import Grade, grade_evidence

from ..demo.test_truth_recovered import log_truth, panel_of

GOOD = ("A", "B")
OPEN = "C/D"
MODES = ("spurious", "true")
# All that a grade reads.
CHECKS = (
    "honest_did",
    "leave_one_out",
    "placebo_in_space",
    "placebo_in_time",
    "pre_fit",
    "pretrend",
    *load_rules().threats,
)


def draw(
    mode: str, seed: int, times: int = 1, quick: bool = False, *, only: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Evaluate the initiatives of one world: what each rule read, the truth, before-after.

    ``quick`` goes no further than it takes to know that a letter is no A or B.
    """
    initiatives = load_initiatives()
    world = _strengthened(draw_world(initiatives, is_spurious=mode == "spurious", seed=seed), times)
    panel = panel_of(world)
    rows = []
    for one in initiatives:
        if only and one.id not in only:
            continue
        design = make_design(panel, one, others=initiatives)
        headline, grade = _graded(design, panel, quick=quick)
        overall, truth = headline.overall, log_truth(design, world)
        rows.append(
            {
                "mode": mode,
                "times": times,
                "seed": seed,
                "is_quick": quick,
                "initiative": one.id,
                "truth": truth,
                "att": overall.att,
                "low": overall.ci_low,
                "high": overall.ci_high,
                "p_value": overall.p_value,
                "before_after": before_after(design),
                "letter": grade.letter,
                "reading": grade.reading,
                "values": {rule.id: rule.value for rule in grade.rules},
            }
        )
    return rows


def _graded(design: Design, panel: Panel, *, quick: bool) -> tuple[Effect, Grade]:
    """Grade as the notebook does, sparing what can't change the letter (or, quick, make it good)."""
    if quick:
        headline = estimate_headline(design)
        grade = grade_evidence(design, (headline,), ())
        if _measured(grade) not in GOOD:
            return headline, grade
    effects = estimate_all(design)
    checks = check_robustness(design, effects[0], names=CHECKS)
    grade = grade_evidence(design, effects, checks)
    if grade.letter in GOOD:
        # Else the letter is settled: the curve's rules, half of the cost, never allow less than C.
        curve = trace_specifications(design, effects[0], panel=panel)
        grade = grade_evidence(design, effects, checks, specifications=curve)
    return effects[0], grade


def _measured(grade: Grade) -> str:
    """Give the best letter that the rules whose quantity is known leave open."""
    return worst({one.id: one.letter for one in grade.rules if one.value is not None})


def before_after(design: Design) -> float:
    """Give the growth of the hosts' outcome from before to after their starts, in log points."""
    after = np.asarray(design.periods)[None, :] >= design.starts[:, None]
    hosts = np.isfinite(design.starts)
    return float(
        np.mean(
            [
                design.y[i, after[i]].mean() - design.y[i, ~after[i]].mean()
                for i in np.flatnonzero(hosts)
            ]
        )
    )


def judge(row: dict[str, Any]) -> str:
    """Give the letter of a line by the rules as they are now; ``C/D`` where a quick draw left it open."""
    letter = worst(
        {rule.id: rule.allows(Measured(row["values"].get(rule.id))) for rule in load_rules().rules}
    )
    return OPEN if row["is_quick"] and letter not in GOOD else letter


def summary(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Say what the lines of one mode show."""
    seeds = sorted({row["seed"] for row in rows})
    letters = {(row["seed"], row["initiative"]): judge(row) for row in rows}
    names = list(dict.fromkeys(row["initiative"] for row in rows))
    yield (
        f"{rows[0]['mode']}, effects x{rows[0]['times']}: {len(seeds)} draws, seeds {seeds[0]} to "
        f"{seeds[-1]}, rules {load_rules().sha256[:12]}"
    )
    yield (
        f"{'initiative':18}{'hosts':>6}{'truth':>8}{'p<=.05':>8}{'A':>7}{'B':>7}{'C':>7}{'D':>7}{'C/D':>7}"
        f"{'A or B':>9}{'covers':>8}{'praised':>9}"
    )
    for name in names:
        mine = [row for row in rows if row["initiative"] == name]
        share = {
            letter: np.mean([letters[row["seed"], name] == letter for row in mine])
            for letter in (*LETTERS, OPEN)
        }
        yield (
            f"{name:18}{mine[0]['values']['hosts']:6.0f}"
            f"{np.mean([row['truth'] for row in mine]):8.3f}"
            f"{np.mean([(row['p_value'] or 1) <= 0.05 for row in mine]):8.3f}"
            + "".join(f"{share[letter]:7.3f}" for letter in (*LETTERS, OPEN))
            + f"{share['A'] + share['B']:9.3f}{np.mean([_covers(row) for row in mine]):8.3f}"
            f"{np.mean([row['before_after'] > 0 for row in mine]):9.3f}"
        )
    none = [row for row in rows if row["truth"] == 0]
    if none:
        yield from _false_praise(none, letters)
    covers = [_covers(row) for row in rows]
    # Draws are independent, initiatives within one are not.
    by_seed = [np.mean([_covers(row) for row in rows if row["seed"] == seed]) for seed in seeds]
    error = np.std(by_seed, ddof=1) / math.sqrt(len(seeds)) if len(seeds) > 1 else float("nan")
    yield f"headline intervals that hold the truth: {np.mean(covers):.4f} (± {error:.4f})"


def _false_praise(none: list[dict[str, Any]], letters: dict[tuple[int, str], str]) -> Iterator[str]:
    names = list(dict.fromkeys(row["initiative"] for row in none))
    seeds = sorted({row["seed"] for row in none})
    good = {key: letter in GOOD for key, letter in letters.items()}
    shares = {name: float(np.mean([good[seed, name] for seed in seeds])) for name in names}
    most = max(shares, key=lambda name: shares[name])
    family = float(np.mean([any(good[seed, name] for name in names) for seed in seeds]))
    alone = float(np.mean([[good[seed, name] for name in names] for seed in seeds]))
    error = math.sqrt(max(family * (1 - family), 1e-12) / len(seeds))
    yield f"of {len(names)} initiatives without an effect, A or B in {alone:.4f} of all grades"
    yield f"  the most of any one: {shares[most]:.4f} ({most}); to be at most 0.05"
    yield f"  draws in which any of them gets A or B: {family:.4f} (± {error:.4f})"
    yield f"  before-after praises {np.mean([row['before_after'] > 0 for row in none]):.4f} of them"


def _covers(row: dict[str, Any]) -> bool:
    low, high = row["low"], row["high"]
    return low is not None and high is not None and low <= row["truth"] <= high


def _strengthened(world: World, times: int) -> World:
    if times == 1:
        return world
    more = (times - 1) * sum(world.effect_yuan.values(), np.zeros_like(world.income_yuan))
    return World(
        world.villages,
        world.income_yuan + more,
        {name: times * one for name, one in world.effect_yuan.items()},
        world.jobs_persons,
        world.jobs_effect,
        world.idiosyncratic,
    )


def _done(path: Path) -> list[dict[str, Any]]:
    """Read the lines written so far; one that a killed study left half written is dropped."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return [row for one in rows for row in one]


def main() -> None:
    """Draw what has not been drawn yet, then say what all draws show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mode", choices=MODES, default="spurious")
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--times", type=int, default=1, help="how many times the true effects")
    parser.add_argument("--quick", action="store_true", help="tell good grades from others only")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, one a draw")
    parser.add_argument("--summary", action="store_true", help="only judge what is there")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.draws)
    known = {row["seed"] for row in _done(given.out)}
    missing = [] if given.summary else [seed for seed in seeds if seed not in known]
    started = time.monotonic()
    if missing:
        context = multiprocessing.get_context("spawn")
        with (
            ProcessPoolExecutor(given.workers, mp_context=context) as pool,
            given.out.open("a", encoding="utf-8") as out,
        ):
            jobs = [
                pool.submit(draw, given.mode, seed, given.times, given.quick) for seed in missing
            ]
            for n, job in enumerate(as_completed(jobs), 1):
                out.write(json.dumps(job.result()) + "\n")
                out.flush()
                if n % 20 == 0:
                    spent = time.monotonic() - started
                    print(f"{n} of {len(missing)} draws, {spent:.0f} s", file=sys.stderr)
    rows = _done(given.out)
    rows = rows if given.summary else [row for row in rows if row["seed"] in seeds]
    print("\n".join(summary(sorted(rows, key=lambda row: row["seed"]))))


if __name__ == "__main__":
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ.setdefault(name, "1")  # of the workers; one draw is one core's work
    main()
