"""Every call of a run that changes its output folder made to fail, one by one, and bits flipped."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from cps.runner.edition import read_edition
from cps.runner.sealed import DamagedError
from cps.runner.store import Store
from tests.faults._quick import Done, run_cps, tree_bytes
from tests.faults._shim import Shim

Thing = TypeVar("Thing")
KILLED = 0
_PARTIAL = 3  # an initiative failed: the edition is whole, and says so
ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "killed": KILLED}


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


def make_template(options: Sequence[str], folder: Path, *, first: Path | None = None) -> Template:
    """Run twice with other seeds, and take the second edition away again.

    Parameters
    ----------
    first : Path or None
        Output folder of a run of the same options that need not be run once more.
    """
    out = folder / "out"
    if first is None:
        done = run_cps(*options, "--seed", "0", out=out)
        assert done.exit_code == 0, done.stdout + done.stderr
    else:
        shutil.copytree(first, out, symlinks=True)
    good, name = tree_bytes(out / "latest"), (out / "latest").resolve().name
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
    if published is None or (
        done.exit_code != _PARTIAL and published not in (template.good, template.new)
    ):
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
    known |= {"index.html", ".editions.json"}  # the list of editions, here and in runs
    left = [path.name for path in out.iterdir() if path.name not in known]
    for folder, seal in ((".store", "piece.json"), ("runs", "manifest.json")):
        for path in (out / folder).iterdir():
            if path.name not in known and not (path / seal).exists():
                left.append(path.relative_to(out).as_posix())
    return left


def flip(path: Path, draw: np.random.Generator) -> None:
    """Flip one bit of a file."""
    content = bytearray(path.read_bytes())
    content[draw.integers(len(content))] ^= 1 << draw.integers(8)
    path.write_bytes(content)


def flip_kept(template: Template, folder: Path, trials: int, seed: int) -> tuple[int, int]:
    """Flip one bit of a kept result, ask the store for it; give wrong ones served, and found ones.

    What is served although a bit changed is wrong unless all that it says is as before.
    """
    out, draw = template.copy(folder / "out"), np.random.default_rng(seed)
    told: list[object] = []
    store = Store(out / ".store", told.append)
    kept = {entry.name: _told_by(entry) for entry in store.folder.iterdir()}
    wrong = found = 0
    for _ in range(trials):
        key = _one(sorted(kept), draw)
        flip(_one(sorted(_files(store.folder / key)), draw), draw)
        before = len(told)
        served = store.get(key)
        if served is None:
            found += len(told) > before
            shutil.copytree(template.out / ".store" / key, store.folder / key)
        else:
            wrong += _told_by(served) != kept[key]
            shutil.copytree(template.out / ".store" / key, store.folder / key, dirs_exist_ok=True)
    return wrong, found


def flip_anywhere(
    template: Template, folder: Path, trials: int, seed: int, *more: str
) -> Iterator[tuple[str, list[str]]]:
    """Flip one bit of the store or of the newest edition, run; give label and what was wrong."""
    draw = np.random.default_rng(seed)
    whole = folder / "whole"
    shutil.rmtree(whole, ignore_errors=True)
    shutil.copytree(template.out, whole, symlinks=True)
    published = run_cps(*template.options, *more, out=whole)
    assert published.exit_code == 0, published.stderr
    newest = published.latest.relative_to(whole.resolve())
    for number in range(trials):
        out = folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        is_kept = number % 2 == 0
        # What is kept is asked for if the edition is not there yet.
        shutil.copytree(template.out if is_kept else whole, out, symlinks=True)
        place = out / ".store" if is_kept else out / newest
        path = _one(sorted(_files(place)), draw)
        flip(path, draw)
        done = run_cps(*template.options, *more, out=out)
        wrong = _wrong_again(done, template)
        is_told = "damaged" in done.stdout
        if not is_told and not is_kept and done.latest == (out / newest).resolve():
            # It was found whole: then every value in it is as it was.
            wrong += [] if path.name == "manifest.json" else ["a damaged edition stays, unnoticed"]
        yield f"bit of {path.relative_to(out)}", wrong


def _one(things: Sequence[Thing], draw: np.random.Generator) -> Thing:
    return things[draw.integers(len(things))]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _told_by(entry: Path) -> dict[str, object]:
    return {
        path.relative_to(entry).as_posix(): json.loads(path.read_bytes())
        if path.name == "piece.json"
        else path.read_bytes()
        for path in _files(entry)
    }
