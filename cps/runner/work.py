"""The working folder of a run in progress: what it was asked, how far it is, what it copied."""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cps.errors import StorageError, Text
from cps.runner.order import Order
from cps.runner.sealed import DamagedError, read_sealed, write_sealed
from cps.runner.snapshot import Snapshot, open_snapshot, sources, take_snapshot
from cps.runner.telling import too_few_open_files

NAME = ".work"
_STATE = "state.json"
_HALF_MADE = re.compile(r"\.(?:latest|complete)\.new|\..+\.(?:json|html)\.[a-z0-9_]{8}")
_WRITTEN = ("runs", ".store")  # besides the folder itself
_SPARE_BYTES = 30_000_000
_SPARE_NAMES = 2_000  # files and folders that a run makes
_OPEN_FILES = 256
_EDITIONS = 4  # a new one, and what lies in the store and the working folder meanwhile


class Work:
    """One working folder below the output folder, so that finished parts move by renames."""

    def __init__(self, out: Path) -> None:
        self.folder = out / NAME
        self._out = out

    @property
    def inputs(self) -> Path:
        """Give the folder of the snapshot."""
        return self.folder / "inputs"

    @property
    def panel(self) -> Path:
        """Give the folder that notebooks read."""
        return self.folder / "panel"

    def target(self, name: str) -> Path:
        """Give the folder where a piece is run."""
        return self.folder / "pieces" / name

    @property
    def edition(self) -> Path:
        """Give the folder that becomes the edition."""
        return self.folder / "edition"

    def interrupted(self) -> dict[str, Any] | None:
        """Give the state of a run that did not end; None also for one of another version."""
        try:
            state = read_sealed(self.folder / _STATE)
            Order.from_json(state["order"])
        except (DamagedError, KeyError, TypeError):
            return None
        return state

    def begin(self, order: Order, *, is_resumed: bool) -> Snapshot:
        """Take the snapshot, or open the interrupted run's own; what else lies there goes.

        Raises
        ------
        StorageError
            If the disk has no room.
        LedgerError
            If an input can't be read.
        """
        snapshot = None
        if is_resumed:
            with contextlib.suppress(DamagedError):
                snapshot = open_snapshot(order, self.inputs)
        for left in self.folder.glob("*") if self.folder.is_dir() else ():
            # The state stays until it is replaced: what is refused now can be resumed later.
            if left.name != _STATE and (snapshot is None or left != self.inputs):
                _remove(left)
        self._sweep()
        self.folder.mkdir(exist_ok=True)
        _demand_descriptors()
        _demand_room(self._out, order)
        for name in _WRITTEN:
            _demand_writable(self._out / name)
        self.mark("running", order)
        return snapshot or take_snapshot(order, self.inputs)

    def mark(self, status: str, order: Order) -> None:
        """Note how the run stands; a dead one says "running" under a process that is gone."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        who = {"pid": os.getpid(), "host": platform.node(), "marked": now}
        write_sealed(self.folder / _STATE, {"status": status, "order": order.as_json(), **who})

    def clear(self) -> None:
        """Remove the folder: everything of it is published, kept or of no use."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def withdraw(self) -> None:
        """Remove what notebooks wrote under the old name of a folder that was renamed."""
        with contextlib.suppress(OSError):
            if {path.name for path in self._out.iterdir()} <= {NAME, ".store"}:
                shutil.rmtree(self._out)

    def _sweep(self) -> None:
        """Remove what a dead run left half-made beside pointers, summary and list of editions."""
        for left in (*self._out.glob(".*"), *(self._out / "runs").glob(".*")):
            if _HALF_MADE.fullmatch(left.name):
                _remove(left)


def room_needed(out: Path, order: Order | None = None) -> int:
    """Give the bytes that a run may need on the disk: by its inputs, and the newest edition."""
    inputs = [path for _, path in sources(order)] if order is not None else []
    edition = (out / "latest").rglob("*")
    return _SPARE_BYTES + 2 * _bytes_of(inputs) + _EDITIONS * _bytes_of(edition)


def _bytes_of(paths: Iterable[Path]) -> int:
    found = 0
    for path in paths:
        with contextlib.suppress(OSError):
            found += path.stat().st_size
    return found


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _demand_writable(folder: Path) -> None:
    """Make the folder, and a file in it for a moment; the system's refusal is raised as it is."""
    folder.mkdir(exist_ok=True)
    probe = folder / ".probe"
    probe.write_bytes(b"?")
    probe.unlink()


def _demand_descriptors() -> None:
    """Ask the system for as many open files as kernels and their sockets take."""
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _OPEN_FILES:
        return
    if hard != resource.RLIM_INFINITY and hard < _OPEN_FILES:
        raise too_few_open_files(hard, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, hard))


def _demand_room(out: Path, order: Order) -> None:
    free, needed = shutil.disk_usage(out).free, room_needed(out, order)
    if free < needed:
        raise StorageError(
            Text(
                f"磁盘空间不足：剩余 {free / 1e6:.1f} MB，至少需要 {needed / 1e6:.0f} MB",
                f"the disk is nearly full: {free / 1e6:.1f} MB free, at least "
                f"{needed / 1e6:.0f} MB are needed",
            ),
            where=str(out),
            mend=Text("释放空间，或用 --out 另选磁盘", "free some space, or give --out elsewhere"),
        )
    if not hasattr(os, "statvfs"):
        return
    names = os.statvfs(out)
    # Some file systems make names as they go, and say that they have none at all.
    if names.f_files and names.f_favail < _SPARE_NAMES:
        raise StorageError(
            Text(
                f"磁盘可建的文件数不足（inode）：剩余 {names.f_favail}，至少需要 {_SPARE_NAMES}",
                f"the disk has room for {names.f_favail} more files (inodes), at least "
                f"{_SPARE_NAMES} are needed",
            ),
            where=str(out),
            mend=Text(
                "删除不用的小文件，或用 --out 另选磁盘",
                "remove small files that are not needed, or give --out elsewhere",
            ),
        )
