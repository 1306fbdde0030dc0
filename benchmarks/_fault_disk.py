"""Every call of a run that changes its output folder made to fail, one by one, and bits flipped."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cps.runner.edition import read_edition
from cps.runner.sealed import DamagedError
from tests.faults._quick import Done, run_cps, tree_bytes
from tests.faults._shim import Shim

KILLED = 0
ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "killed": KILLED}


@dataclass
class Tally:
    """How many trials there were, and what was wrong in those that were not as they must be."""

    trials: int = 0
    violations: list[str] = field(default_factory=list)

    def add(self, label: str, wrong: Iterable[str]) -> None:
        """Note one trial."""
        self.trials += 1
        self.violations += [f"{label}: {one}" for one in wrong]


@dataclass(frozen=True)
class Template:
    """An output folder just before a second edition gets its name; all that it needs is kept.

    Parameters
    ----------
    out : Path
        ``latest`` leads to ``good``; the store holds what ``options`` ask for.
    options : list of str
        Of the run that publishes the second edition.
    good, new : dict of str to bytes
        Both editions.
    """

    out: Path
    options: list[str]
    good: dict[str, bytes]
    new: dict[str, bytes]

    def copy(self, target: Path) -> Path:
        """Copy the folder, links as links."""
        shutil.rmtree(target, ignore_errors=True)
        return Path(shutil.copytree(self.out, target, symlinks=True))


def make_template(options: Sequence[str], folder: Path) -> Template:
    """Run twice with other seeds, and take the second edition away again."""
    out = folder / "out"
    first = run_cps(*options, "--seed", "0", out=out)
    assert first.exit_code == 0, first.stdout + first.stderr
    good, name = tree_bytes(first.latest), first.latest.name
    second = run_cps(*options, "--seed", "1", out=out)
    assert second.exit_code == 0, second.stdout + second.stderr
    new = tree_bytes(second.latest)
    shutil.rmtree(second.latest)
    for pointer in ("latest", "complete"):
        (out / pointer).unlink()
        (out / pointer).symlink_to(Path("runs") / name)
    assert good != new
    return Template(out, [*options, "--seed", "1"], good, new)


def count_calls(template: Template, folder: Path, *more: str) -> int:
    """Give how many calls of an undisturbed run change its output folder."""
    out = template.copy(folder / "out")
    shim = Shim(folder / "page", out)
    done = run_cps(*template.options, *more, out=out, environment=shim.environment)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert tree_bytes(done.latest) == template.new
    return shim.count


def fail_calls(
    template: Template,
    folder: Path,
    numbers: Iterable[int],
    *more: str,
    errors: Iterable[str] = tuple(ERRORS),
    lasting: bool = False,
) -> Iterator[tuple[str, list[str]]]:
    """Make each call of ``numbers`` fail in a run of its own; give label and what was wrong.

    Parameters
    ----------
    lasting : bool
        All calls after it fail too: a disk that stays full.
    """
    for number in numbers:
        for name in errors:
            out = template.copy(folder / "out")
            shim = Shim(folder / "page", out)
            shim.fail(number, ERRORS[name], lasting=lasting)
            done = run_cps(*template.options, *more, out=out, environment=shim.environment)
            what, hit = shim.what, shim.hit
            shim.close()
            wrong = _wrong(done, template, is_killed=ERRORS[name] == KILLED)
            again = run_cps(*template.options, *more, out=out)
            wrong += _wrong_again(again, template)
            yield f"{name} at {number} ({what if hit else 'not reached'})", wrong


def _wrong(done: Done, template: Template, *, is_killed: bool) -> list[str]:
    """Say what is wrong with how a disturbed run ended, and with what it left published."""
    found = []
    published = _published(done.out)
    if published not in (template.good, template.new):
        found.append("what is published is neither the good edition nor the new one")
    if done.exit_code == 0 and published != template.new:
        found.append("it said that all is well, but published nothing new")
    if "Traceback" in done.stdout + done.stderr:
        found.append(f"a traceback: {done.stderr.strip().splitlines()[-1:]}")
    if done.exit_code not in (0, 2, 3) and not is_killed:
        found.append(f"exit {done.exit_code}: {done.stderr.strip()[-300:]}")
    if done.exit_code == 2 and not ("where" in done.stderr and "mend" in done.stderr):
        found.append(f"no words: {done.stderr.strip()[-300:]}")
    return found


def _wrong_again(done: Done, template: Template) -> list[str]:
    """Say what is wrong with the next run, that nothing was cleaned for."""
    if done.exit_code != 0:
        return [f"the next run ended with {done.exit_code}: {(done.stdout + done.stderr)[-400:]}"]
    found = []
    if _published(done.out) != template.new:
        found.append("the next run published other bytes")
    if list_left(done.out):
        found.append(f"left lying: {list_left(done.out)}")
    return found


def _published(out: Path) -> dict[str, bytes] | None:
    """Give the bytes of ``latest`` if it is a whole edition, else None."""
    try:
        read_edition(out / "latest", is_checked=True)
    except DamagedError:
        return None
    return tree_bytes(out / "latest")


def list_left(out: Path) -> list[str]:
    """Give what a run left in its output folder besides editions, store, lock and summary."""
    known = {".lock", ".store", "runs", "latest", "complete", "summary.json", "failed"}
    left = [path.name for path in out.iterdir() if path.name not in known]
    for path in (*(out / ".store").iterdir(), *(out / "runs").iterdir()):
        if not (
            path / ("piece.json" if path.parent.name == ".store" else "manifest.json")
        ).exists():
            left.append(path.relative_to(out).as_posix())
    return left
