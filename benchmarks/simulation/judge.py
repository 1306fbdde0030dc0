"""From tallies to verdicts: which pairs held their level, by number of treated units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.simulation.cells import TOO_SLOW, Summary, Tally, Task, summarise
from benchmarks.simulation.designs import Process
from benchmarks.simulation.pairs import Pair
from cps.estimators._reliability import bucket

LOW, HIGH, SIZE = 0.93, 0.97, 0.06
ENOUGH = {"zero": 200, "true": 80}
_SEEN = 50  # with fewer replications a share says nothing, not even that it is bad
_BUCKETS = ("1", "2-4", "5+")


@dataclass(frozen=True)
class Verdict:
    """What the judged cells of one pair and one class of treated numbers say together."""

    pair: Pair
    inference: str
    treated: str
    coverage: float | None
    size: float | None
    replications: int
    cells: int
    reason: str  # empty: offered

    @property
    def is_offered(self) -> bool:
        """Tell whether the pair is offered."""
        return not self.reason


def monte_carlo_error(n: int, share: float = 0.95) -> float:
    """Give the standard error of a share found in ``n`` replications."""
    return math.sqrt(share * (1 - share) / max(n, 1))


def verdicts(tallies: Mapping[Task, Tally], processes: Mapping[str, Process]) -> list[Verdict]:
    """Judge every pair that gave a number in a judged cell, class by class."""
    pairs = list(dict.fromkeys(task.pair for task in tallies))
    found = []
    for pair in pairs:
        for treated in _BUCKETS:
            cells = {
                task: tally
                for task, tally in tallies.items()
                if task.pair == pair
                and bucket(task.treated) == treated
                and processes[task.process].is_judged
                and (tally.errors or TOO_SLOW in tally.refusals)
            }
            if any(tally.errors for tally in cells.values()):
                found.append(_verdict(pair, treated, cells))
    return found


def _verdict(pair: Pair, treated: str, cells: Mapping[Task, Tally]) -> Verdict:
    rows = {task: summarise(tally) for task, tally in cells.items()}
    coverages = [
        (one.coverage, len(cells[task].covers), task)
        for task, one in rows.items()
        if one.coverage is not None and len(cells[task].covers) >= _SEEN
    ]
    sizes = [
        (one.rejection, len(cells[task].rejects), task)
        for task, one in rows.items()
        if one.rejection is not None
        and task.outcome == "zero"
        and len(cells[task].rejects) >= _SEEN
    ]
    fewest = min(one.replications for one in rows.values())
    worst = max(coverages, key=lambda one: abs(one[0] - 0.95), default=None)
    largest = max(sizes, key=lambda one: one[0], default=None)
    return Verdict(
        pair,
        next(tally.inference for tally in cells.values() if tally.inference),
        treated,
        None if worst is None else worst[0],
        None if largest is None else largest[0],
        fewest,
        len(cells),
        _reason(cells, rows, coverages, sizes),
    )


def _reason(
    cells: Mapping[Task, Tally],
    rows: Mapping[Task, Summary],
    coverages: list[tuple[float, int, Task]],
    sizes: list[tuple[float, int, Task]],
) -> str:
    """Say why a pair is not offered; nothing if it is."""
    if any(TOO_SLOW in tally.refusals for tally in cells.values()):
        return TOO_SLOW
    faults = [fault for tally in cells.values() for fault in tally.faults]
    if faults:
        return f"fails: {faults[0]}"
    if not any(tally.covers or tally.rejects for tally in cells.values()):
        return "gives no interval and no p-value"
    floors = [tally.floor for tally in cells.values() if tally.floor is not None]
    if not any(tally.covers for tally in cells.values()) and floors and min(floors) > 0.05:
        return f"gives no interval, and no p-value below {min(floors):.3f}"
    over = [one for one in sizes if one[0] > SIZE + 2 * monte_carlo_error(one[1])]
    if over:
        rate, _, task = max(over, key=lambda one: one[0])
        return f"rejects a true null {rate:.3f} of the time at 5% ({_place(task)})"
    low = [one for one in coverages if one[0] < LOW - 2 * monte_carlo_error(one[1])]
    if low:
        rate, _, task = min(low, key=lambda one: one[0])
        return f"covers {rate:.3f} instead of .95 ({_place(task)})"
    high = [one for one in coverages if one[0] > HIGH + 2 * monte_carlo_error(one[1])]
    if high:
        rate, _, task = max(high, key=lambda one: one[0])
        return f"cautious: covers {rate:.3f} instead of .95 ({_place(task)})"
    few = [task for task, one in rows.items() if one.replications < ENOUGH[task.outcome]]
    if few:
        task = min(few, key=lambda one: rows[one].replications)
        return f"too few replications to tell: {rows[task].replications} ({_place(task)})"
    return ""


def _place(task: Task) -> str:
    return f"{task.process}, {task.treated} treated, {task.outcome} effect"
