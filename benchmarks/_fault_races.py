"""Two runs started at once on one folder: one wins, the other says so and leaves nothing."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from cps.runner.edition import list_editions, read_edition
from tests.faults._quick import Running, start_cps, tree_bytes

_START_SECONDS = 1.0  # that one who waits needs to come to waiting; less, and it finds it done


def gate(flag: Path) -> str:
    """Give a notebook cell that waits until ``flag`` is there."""
    return (
        "import os, time\n"
        "until = time.monotonic() + 100\n"
        f"while not os.path.exists({str(flag)!r}) and time.monotonic() < until:\n"
        "    time.sleep(0.02)\n"
    )


def race(
    options: Sequence[str],
    expected: dict[str, bytes],
    folder: Path,
    flag: Path,
    trials: int,
    *,
    waits: bool = True,
) -> Iterator[tuple[str, list[str], float]]:
    """Start two runs at once, then a third that waits; give label, what was wrong, loser's seconds.

    Parameters
    ----------
    options : sequence of str
        Of runs whose notebooks wait for ``flag``: whoever wins is still there when the other comes.
    expected : dict of str to bytes
        The edition that one run alone publishes.
    """
    for number in range(trials):
        out = folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        flag.unlink(missing_ok=True)
        began = time.monotonic()
        both = [start_cps(*options, out=out) for _ in range(2)]
        third: Running | None = None
        try:
            loser = _first_to_end(both)
            seconds = time.monotonic() - began
            if waits:
                third = start_cps(*options, "--wait", "100", out=out)
                time.sleep(_START_SECONDS)
            flag.touch()
            winner = both[both[0] is loser]
            wrong = _wrong(loser, winner, third, expected)
        finally:
            flag.touch()
            for one in (*both, *filter(None, [third])):
                one.end()
        yield f"race {number + 1}", wrong, seconds


def _first_to_end(both: list[Running]) -> Running:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        for one in both:
            if one.process.poll() is not None:
                return one
        time.sleep(0.01)
    raise TimeoutError("neither run was refused")


def _wrong(
    loser: Running, winner: Running, third: Running | None, expected: dict[str, bytes]
) -> list[str]:
    found = []
    lost, won = loser.done(), winner.done()
    if lost.exit_code != 4:
        found.append(f"the loser ended with {lost.exit_code}: {lost.stderr[-300:]}")
    if f"pid {winner.pid} @ {os.uname().nodename}" not in lost.stderr:
        found.append(f"the loser does not name the winner: {lost.stderr[-300:]}")
    if "Traceback" in lost.stderr or "mend :" not in lost.stderr:
        found.append("the loser says it in no words")
    if won.exit_code != 0:
        found.append(f"the winner ended with {won.exit_code}: {won.stderr[-300:]}")
    if third is not None:
        waited = third.done()
        if waited.exit_code != 0 or "nothing changed" not in waited.stdout:
            found.append(f"who waited ended with {waited.exit_code}: {waited.stderr[-300:]}")
    if len(list_editions(won.out)) != 1:
        found.append(f"{len(list_editions(won.out))} editions")
    read_edition(won.latest, is_checked=True)
    if tree_bytes(won.latest) != expected:
        found.append("the output is not that of a single run")
    return found
