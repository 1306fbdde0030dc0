"""Kill a process of a run at a random moment, and see what is left, published and made again.

python -m benchmarks._fault_kills [TRIALS] [SEED]
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cps.runner.edition import read_edition
from cps.runner.sealed import DamagedError
from tests.faults import _quick
from tests.faults._quick import NAMES, Done, Running

# Who is killed, and the names that such a process goes by; the runner is known by its id.
ROLES: dict[str, tuple[str, ...]] = {
    "runner": (),
    "warm process": ("cps-warm",),
    "guard": ("cps-warm-guard",),
    "worker": (*NAMES, "overview", "pages"),
    "kernel": ("cps-kernel",),
}
_LEFT_SECONDS = 5.0
_OURS = {".lock", ".store", "complete", "index.html", "latest", "runs", "summary.json"}


@dataclass(frozen=True, slots=True)
class Kill:
    """One trial.

    Parameters
    ----------
    role : str
        Who was killed.
    seconds : float
        After the start of the run.
    is_hit : bool
        False if the run had ended before.
    exit_code : int
        Of the run that was disturbed; negative for a signal.
    violations : tuple of str
        What should not have been; empty if all was well.
    """

    role: str
    seconds: float
    is_hit: bool
    exit_code: int
    violations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """What every trial starts from: inputs, an output folder with an edition of seed 1, and truth.

    Parameters
    ----------
    options : list of str
    template : Path
        Copied for each trial.
    before, after : dict of str to bytes
        The edition that is there, and what an undisturbed run of seed 0 publishes.
    seconds : float
        That the undisturbed run took.
    environment : dict of str to str
        Added to that of every run.
    """

    options: list[str]
    template: Path
    before: dict[str, bytes]
    after: dict[str, bytes]
    seconds: float
    environment: dict[str, str] = field(default_factory=dict)


def kill_points(
    n: int,
    seed: int,
    *,
    signum: int = signal.SIGKILL,
    roles: Sequence[str] = tuple(ROLES),
    folder: Path | None = None,
    ground: Ground | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Kill]:
    """Kill a process of a run ``n`` times, each at a random moment of a run of its own.

    After each: the newest edition is whole, and either the one before or the new one, byte for
    byte; of the run no process is left after 5 s; ``--resume`` and a plain run both end well, and
    give the bytes of a run that was never disturbed.

    Parameters
    ----------
    n : int
    seed : int
        Of moments and choices.
    signum : int
        Sent to the runner; others are always killed.
    roles : sequence of str
        Taken in turn.
    folder : Path or None
        For inputs and outputs; one that is removed if None.
    ground : Ground or None
        Made here if None.
    say : callable
        Takes a line a trial.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="kills-") as made:
            return kill_points(
                n, seed, signum=signum, roles=roles, folder=Path(made), ground=ground, say=say
            )
    rng = random.Random(seed)  # noqa: S311
    ground = ground or _prepared(folder)
    kills: list[Kill] = []
    longest = ground.seconds
    for number in range(n):
        role = roles[number % len(roles)]
        moment = rng.uniform(0.0, longest)
        is_resumed = number // len(roles) % 2 == 0
        kill = _trial(
            ground,
            folder / "out",
            rng,
            role=role,
            signum=signum,
            moment=moment,
            is_resumed=is_resumed,
        )
        kills.append(kill)
        if not kill.is_hit:  # the machine is quicker now than it was
            longest = max(0.9 * longest, 1.0)
        said = "; ".join(kill.violations) or "ok"
        say(f"{number + 1}/{n} {role} at {kill.seconds:.2f} s (exit {kill.exit_code}): {said}")
    return kills


def _prepared(folder: Path) -> Ground:
    options = [
        *("--data", str(_quick.write_ledgers(folder))),
        *("--initiatives", str(_quick.write_initiatives(folder / "initiatives"))),
        *("--notebooks", str(_quick.write_notebooks(folder / "notebooks"))),
        *("--langs", "zh", "--workers", "2"),
    ]
    template, truth = folder / "template", folder / "truth"
    before = _well(_quick.run_cps(*options, "--seed", "1", out=template))
    begun = time.monotonic()
    after = _well(_quick.run_cps(*options, out=truth))
    seconds = time.monotonic() - begun
    return Ground(
        options,
        template,
        _quick.tree_bytes(before.latest),
        _quick.tree_bytes(after.latest),
        seconds,
    )


def _well(done: Done) -> Done:
    if done.exit_code != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return done


def _trial(
    ground: Ground,
    out: Path,
    rng: random.Random,
    *,
    role: str,
    signum: int,
    moment: float,
    is_resumed: bool,
) -> Kill:
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(ground.template, out, symlinks=True)
    run = _quick.start_cps(*ground.options, out=out, environment=ground.environment)
    begun = time.monotonic()
    try:
        is_hit = _killed(run, role, signum, begun + moment, rng)
        seconds = time.monotonic() - begun
        done = run.done(timeout=300)
        left = _quick.survivors_after(run.mark, _LEFT_SECONDS)
    finally:
        run.end()
    violations = [f"{len(left)} processes are left: {left}"] if left else []
    violations += _wrong_end(done, role if is_hit else "", signum)
    violations += _wrong_edition(ground, out)
    ways = [["--resume"], ground.options] if is_resumed else [ground.options, ["--resume"]]
    for words in ways:
        is_left = (out / ".work" / "state.json").exists()
        again = _quick.run_cps(*words, out=out, environment=ground.environment)
        if words == ["--resume"] and not is_left:
            if again.exit_code != 2:
                violations.append(f"exit {again.exit_code} though there is nothing to resume")
            continue
        violations += _wrong_again(ground, again, words[0])
    return Kill(role, seconds, is_hit, done.exit_code, tuple(violations))


def _killed(run: Running, role: str, signum: int, at: float, rng: random.Random) -> bool:
    """Wait for the moment, and until there is such a process; False if the run ends before."""
    while run.process.poll() is None:
        if time.monotonic() >= at:
            pids = [run.pid] if role == "runner" else list(_named(run.mark, ROLES[role]))
            if pids:
                try:
                    os.kill(rng.choice(pids), signum if role == "runner" else signal.SIGKILL)
                except ProcessLookupError:
                    continue
                return True
        time.sleep(0.005)
    return False


def _named(mark: str, names: Sequence[str]) -> Iterator[int]:
    for pid in _quick.survivors(mark):
        try:
            name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
        except OSError:
            continue
        if name in names:
            yield pid


def _wrong_end(done: Done, role: str, signum: int) -> Iterator[str]:
    """Say how a run ended otherwise than it should after this kill."""
    if role == "runner":
        # A run that had published all but its exit is past being stopped.
        allowed = {-signum, 128 + signum} if signum != signal.SIGKILL else {-signum}
        if done.exit_code not in {*allowed, 0}:
            yield f"exit {done.exit_code} after signal {signum}: {done.stderr[-300:]}"
        return
    if done.exit_code == 0:
        return
    if done.exit_code not in (2, 3):
        yield f"exit {done.exit_code}: {done.stderr[-300:]}"
    summary = done.summary
    is_named = summary["error"] or any(
        one["status"] == "failed" and one["reason"] for one in summary["initiatives"]
    )
    if summary["exit_code"] != done.exit_code or not is_named:
        yield f"the summary does not say why: {summary}"


def _wrong_edition(ground: Ground, out: Path) -> Iterator[str]:
    for pointer in ("latest", "complete"):
        try:
            edition = read_edition(out / pointer, is_checked=True)
        except DamagedError as error:
            yield f"{pointer} is not whole: {error}"
            continue
        if edition.is_complete and _quick.tree_bytes(edition.folder) not in (
            ground.before,
            ground.after,
        ):
            yield f"{pointer} is neither the edition before nor the new one"


def _wrong_again(ground: Ground, again: Done, how: str) -> Iterator[str]:
    if again.exit_code != 0:
        yield f"{how}: exit {again.exit_code}: {(again.stdout + again.stderr)[-500:]}"
        return
    if _quick.tree_bytes(again.latest) != ground.after:
        yield f"{how}: not the bytes of an undisturbed run"
    try:
        read_edition(again.latest, is_checked=True)
    except DamagedError as error:
        yield f"{how}: {error}"
    foreign = {path.name for path in again.out.iterdir()} - _OURS
    if foreign:
        yield f"{how}: left behind {sorted(foreign)}"


def main(arguments: Sequence[str]) -> int:
    """Run the trials, print each; 1 if anything was violated."""
    n, seed = [*map(int, arguments), *(200, 0)[len(arguments) :]]
    kills = kill_points(n, seed, say=lambda text: print(text, flush=True))
    wrong = [one for one in kills if one.violations]
    print(f"{len(kills)} kills, {sum(one.is_hit for one in kills)} hit, {len(wrong)} violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
