"""Share the tasks among processes, within a budget of time."""

from __future__ import annotations

import itertools
import json
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

from benchmarks.simulation.cells import TOO_SLOW, Tally, Task, run
from benchmarks.simulation.designs import processes
from benchmarks.simulation.pairs import OWN, Pair, every_pair

PROBES = 5
PROBE_SECONDS = 0.4
STRESSED = (OWN, "randomisation")  # inferences shown on designs that are not judged
_BATCH_SECONDS = 1.5


def tasks(panels: Path | None) -> list[Task]:
    """List every pair on every cell of the judged processes, the chief ones on the others."""
    cells = [
        (one.name, treated, outcome)
        for one in processes(panels).values()
        for treated in one.treated
        for outcome in one.outcomes
    ]
    judged = {one.name for one in processes(panels).values() if one.is_judged}
    return [
        Task(*cell, pair)
        for pair in every_pair()
        for cell in cells
        if cell[0] in judged or pair.inference in STRESSED
    ]


def study(
    todo: list[Task],
    *,
    panels: Path | None,
    workers: int,
    budget: float,
    most: int,
    resume: Path | None,
    say: Callable[[str], None] = print,
) -> dict[Task, Tally]:
    """Run every task up to ``most`` replications, or as many as ``budget`` seconds allow.

    A few replications of each come first and tell what it costs. Cheap tasks then get all of
    theirs; what is left is divided evenly by time among the others. Replication ``r`` of a task
    is the same whoever runs it and whenever.
    """
    deadline = time.monotonic() + budget
    digests = {pair: pair.digest() for pair in {task.pair for task in todo}}
    tallies = _resumed(todo, digests, resume)
    log = (resume / "parts.jsonl").open("a", encoding="utf-8") if resume else None
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:

            def work(parts: Iterator[tuple[Task, range, float]], until: float) -> None:
                for task, first, tally in _each(pool, parts, panels, workers, until):
                    tallies[task].add(tally)
                    if TOO_SLOW in tally.refusals:
                        slow.add(task.pair)
                    if log:
                        line = [task.key, digests[task.pair], first, tally.as_dict()]
                        log.write(json.dumps(line) + "\n")
                        log.flush()

            slow = {task.pair for task in todo if TOO_SLOW in tallies[task].refusals}
            fresh = [task for task in todo if not tallies[task].tried]
            work(_probes(fresh, tallies, slow), deadline)
            say(f"{len(todo)} tasks looked at, {deadline - time.monotonic():.0f} s left")
            open_tasks = [t for t in todo if _is_open(tallies[t], _most(t, most))]
            share = _time_each(
                [(tallies[t], _most(t, most)) for t in open_tasks],
                max(0.0, workers * (deadline - time.monotonic())),
            )
            say(f"{len(open_tasks)} to go on with, up to {share:.1f} s each")
            work(_parts(open_tasks, tallies, most, share), deadline)
    finally:
        if log:
            log.close()
    return tallies


def _is_open(tally: Tally, most: int) -> bool:
    return bool(tally.errors) and tally.tried < most and TOO_SLOW not in tally.refusals


def _time_each(tallies: list[tuple[Tally, int]], seconds: float) -> float:
    """Find the time per task that uses ``seconds`` up, cheap tasks needing less than their share."""
    costs = sorted(one.seconds_each * (most - one.tried) for one, most in tallies)
    left = seconds
    for place, cost in enumerate(costs):
        share = left / (len(costs) - place)
        if cost > share:
            return share
        left -= cost
    return costs[-1] if costs else 0.0


def _parts(
    open_tasks: list[Task], tallies: dict[Task, Tally], most: int, share: float
) -> Iterator[tuple[Task, range, float]]:
    """Cut the tasks into batches: those that can be finished first, the others going together."""
    whole: list[tuple[float, Task, list[range]]] = []
    cut: list[tuple[Task, list[range]]] = []
    for task in open_tasks:
        each = max(tallies[task].seconds_each, 1e-4)
        done, wanted = tallies[task].tried, _most(task, most)
        last = min(wanted, done + int(share / each))
        step = max(1, int(_BATCH_SECONDS / each))
        parts = [range(i, min(i + step, last)) for i in range(done, last, step)]
        if last == wanted:
            whole.append((each * (last - done), task, parts))
        else:
            cut.append((task, parts))
    for _, task, parts in sorted(whole, key=lambda one: one[0]):
        yield from ((task, part, math.inf) for part in parts)
    longest = max((len(parts) for _, parts in cut), default=0)
    for turn in range(longest):
        for task, parts in cut:
            # Spread each task's batches evenly over the turns.
            first, after = (len(parts) * t // longest for t in (turn, turn + 1))
            yield from ((task, part, math.inf) for part in parts[first:after])


def _each(
    pool: ProcessPoolExecutor,
    parts: Iterator[tuple[Task, range, float]],
    panels: Path | None,
    workers: int,
    until: float,
) -> Iterator[tuple[Task, int, Tally]]:
    """Keep the workers busy until the parts or the time run out."""
    waiting: dict[Future[Tally], tuple[Task, int]] = {}
    is_over = False
    while True:
        while not is_over and len(waiting) < 2 * workers:
            part = next(parts, None)
            if part is None or time.monotonic() > until:
                is_over = True
                break
            task, reps, seconds = part
            waiting[pool.submit(_run, task, reps, seconds, panels)] = (task, reps[0])
        if not waiting:
            return
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for one in done:
            yield *waiting.pop(one), one.result()


def _run(task: Task, reps: range, seconds: float, panels: Path | None) -> Tally:
    return run(task, processes(panels)[task.process], reps, seconds=seconds)


def _one_thread() -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ.setdefault(name, "1")


def _probes(
    fresh: list[Task], tallies: dict[Task, Tally], slow: set[Pair]
) -> Iterator[tuple[Task, range, float]]:
    """Look at each task; a pair that was too slow somewhere is not tried elsewhere."""
    by_pair = itertools.groupby(fresh, key=lambda task: task.pair)
    # Cell by cell, so that a pair's first cell is done before its second is asked for.
    for turn in itertools.zip_longest(*(list(cells) for _, cells in by_pair)):
        for task in turn:
            if task is not None and task.pair in slow:
                tallies[task].add(Tally(tried=1, refusals={TOO_SLOW: 1}))
            elif task is not None:
                yield task, range(PROBES), PROBE_SECONDS


def _most(task: Task, most: int) -> int:
    """Give the replications of a task: with an effect, fewer tell coverage and power."""
    return most if task.outcome == "zero" else most * 2 // 5


def _resumed(todo: list[Task], digests: dict[Pair, str], resume: Path | None) -> dict[Task, Tally]:
    tallies = {task: Tally() for task in todo}
    if resume is None:
        return tallies
    resume.mkdir(parents=True, exist_ok=True)
    path = resume / "parts.jsonl"
    if path.exists():
        by_key = {task.key: task for task in todo}
        lines = [json.loads(one) for one in path.read_text(encoding="utf-8").splitlines()]
        for key, digest, first, values in sorted(lines, key=lambda line: (line[0], line[2])):
            task = by_key.get(key)
            # A run that was cut off may have left holes: only what is in sequence counts.
            if task and digests[task.pair] == digest and tallies[task].tried == first:
                tallies[task].add(Tally(**values))
    return tallies
