"""Editions: what one run published, whole under one name, and the pointers that readers follow."""

from __future__ import annotations

import datetime
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cps.errors import Text
from cps.provenance import sha256_file, sync_folder, sync_tree
from cps.runner.sealed import DamagedError, read_folder, read_sealed, seal_folder
from cps.runner.telling import damaged

LATEST = "latest"  # the newest edition, with pages of failure for initiatives that failed
COMPLETE = "complete"  # the newest in which nothing failed
RUNS = "runs"
SEAL = "manifest.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Edition:
    """A published folder and the body of its manifest."""

    folder: Path
    body: dict[str, Any]

    @property
    def key(self) -> str:
        """Give the key of everything that the edition's pages depend on."""
        return str(self.body["key"])

    @property
    def pieces(self) -> dict[str, dict[str, Any]]:
        """Give, by name of piece, its status, key, components and reasons."""
        return dict(self.body["pieces"])

    @property
    def is_complete(self) -> bool:
        """Say whether no initiative failed."""
        return bool(self.body["is_complete"])


def publish(folder: Path, out: Path, stamp: str, body: dict[str, Any]) -> Path:
    """Seal a finished folder, give it its name under ``out/runs``, and point readers at it.

    Readers see the edition before whole until the moment they see this one whole.

    Parameters
    ----------
    folder : Path
        On the same file system as ``out``.
    stamp : str
        Name of the edition; a number is added if it is taken.
    body : dict
        For ``manifest.json``; the sha256 of every file is added.
    """
    runs = out / RUNS
    runs.mkdir(exist_ok=True)
    name, extra = stamp, 1
    while (runs / name).exists():
        extra += 1
        name = f"{stamp}-{extra}"
    seal_folder(folder, SEAL, {**body, "schema": SCHEMA, "edition": name})
    sync_tree(folder)
    folder.rename(runs / name)
    sync_folder(runs)
    if body["is_complete"]:
        point(out, COMPLETE, name)
    point(out, LATEST, name)
    return runs / name


def point(out: Path, pointer: str, name: str) -> None:
    """Point ``out/pointer`` at an edition by one rename."""
    new = out / f".{pointer}.new"
    new.unlink(missing_ok=True)
    new.symlink_to(Path(RUNS) / name)
    new.replace(out / pointer)
    sync_folder(out)


def read_edition(folder: Path, *, is_checked: bool = False) -> Edition:
    """Read an edition's manifest; with ``is_checked`` every file against its sha256 as well.

    Raises
    ------
    DamagedError
        If it is missing or not whole.
    """
    resolved = folder.resolve()
    body = read_folder(resolved, SEAL) if is_checked else read_sealed(resolved / SEAL)
    if body.get("schema") != SCHEMA:
        raise DamagedError(f"{SEAL}: schema {body.get('schema')}, expected {SCHEMA}")
    return Edition(resolved, body)


def list_editions(out: Path) -> list[Edition]:
    """Give every readable edition of ``out``, oldest first."""
    found = []
    folders = sorted((out / RUNS).glob("*"), key=_order) if (out / RUNS).is_dir() else []
    for folder in folders:
        try:
            found.append(read_edition(folder))
        except DamagedError:
            continue
    return found


def last_good(editions: Sequence[Edition], name: str) -> tuple[str, str] | None:
    """Give the folder of an initiative's last finished run, and the edition that it is from."""
    for edition in reversed(editions):
        folder = edition.folder / RUNS / name
        if name not in edition.body["failures"] and _is_whole(edition, f"{RUNS}/{name}/"):
            return str(folder), edition.folder.name
    return None


def _is_whole(edition: Edition, below: str) -> bool:
    """Say whether a folder of an edition is there, and every file of it what was published."""
    files = {name: one for name, one in edition.body["files"].items() if name.startswith(below)}
    try:
        return bool(files) and all(
            sha256_file(edition.folder / name) == one for name, one in files.items()
        )
    except OSError:
        return False


def data_of(run_folder: Path) -> dict[str, Any]:
    """Say how far a saved run's data go, by which hash they are known, whether they are made up."""
    run = json.loads((run_folder / "run.json").read_text(encoding="utf-8"))["run"]
    manifest = run["manifest"]
    return {
        "as_of": manifest["as_of"],
        "sha256": manifest["data_sha256"],
        "is_synthetic": run["is_synthetic"],
    }


def next_stamp(out: Path) -> str:
    """Name the next edition by its time; never before the newest one, whatever the clock says."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    return max([now, *(one.folder.name.partition("-")[0] for one in list_editions(out))])


def mend_pointers(out: Path, warn: Callable[[Text], None] = lambda text: None) -> None:
    """Point readers at the newest editions, where a run died between two renames.

    From one whose manifest is damaged they are led to the one before it, and ``warn`` is told.
    """
    editions = list_editions(out)
    for pointer, able in (
        (COMPLETE, [one for one in editions if one.is_complete]),
        (LATEST, editions),
    ):
        now = _leads_to(out / pointer)
        if not able or now == able[-1].folder.name:
            continue
        if pointer == LATEST and now and (out / RUNS / now).is_dir():
            try:
                read_edition(out / RUNS / now)
            except DamagedError as error:
                warn(damaged(out / RUNS / now, error))
        point(out, pointer, able[-1].folder.name)


def keep_failed(folder: Path, out: Path, stamp: str) -> Path:
    """Keep the notebooks of a run that gave nothing to publish, as evidence of why."""
    target = out / "failed" / stamp
    target.parent.mkdir(exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)
    return target


def _leads_to(pointer: Path) -> str:
    try:
        return Path(os.readlink(pointer)).name
    except OSError:
        return ""


def _order(folder: Path) -> tuple[str, int]:
    stamp, _, extra = folder.name.partition("-")
    return stamp, int(extra) if extra.isdigit() else 1
