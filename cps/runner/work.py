"""The working folder of a run in progress: what it was asked, how far it is, what it copied."""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from cps.errors import StorageError, Text
from cps.runner.order import Order
from cps.runner.sealed import DamagedError, read_sealed, write_sealed
from cps.runner.snapshot import Snapshot, open_snapshot, take_snapshot

NAME = ".work"
_STATE = "state.json"
_SPARE_BYTES = 30_000_000


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
        """Give the state of a run that did not end, or None."""
        try:
            return read_sealed(self.folder / _STATE)
        except DamagedError:
            return None

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
            if snapshot is None or left != self.inputs:
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        self.folder.mkdir(exist_ok=True)
        _demand_room(self._out)
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


def _demand_room(out: Path) -> None:
    free = shutil.disk_usage(out).free
    if free < _SPARE_BYTES:
        raise StorageError(
            Text(
                f"磁盘空间不足：剩余 {free / 1e6:.1f} MB，至少需要 {_SPARE_BYTES / 1e6:.0f} MB",
                f"the disk is nearly full: {free / 1e6:.1f} MB free, at least "
                f"{_SPARE_BYTES / 1e6:.0f} MB are needed",
            ),
            where=str(out),
            mend=Text("释放空间，或用 --out 另选磁盘", "free some space, or give --out elsewhere"),
        )
