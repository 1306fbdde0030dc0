"""One run at a time on one output folder, held by the operating system and never stale."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from cps.errors import LockedError, StorageError, Text

NAME = ".lock"
_PAUSE_SECONDS = 0.2


class Held:
    """A folder that is held; ``demand_place`` tells whether its name still leads to it."""

    def __init__(self, folder: Path, handle: TextIO) -> None:
        self.folder = folder
        self._handle = handle

    def demand_place(self) -> None:
        """Refuse to go on if the folder was renamed or replaced meanwhile.

        Raises
        ------
        StorageError
        """
        try:
            there = (self.folder / NAME).stat()
        except OSError:
            there = None
        own = os.fstat(self._handle.fileno())
        if there is None or (there.st_dev, there.st_ino) != (own.st_dev, own.st_ino):
            raise StorageError(
                Text(
                    "输出文件夹在运行期间被移走或替换，未发布",
                    "the output folder was moved or replaced during the run; nothing was published",
                ),
                where=str(self.folder),
                mend=Text("放回原处后重新运行", "put it back, then run again"),
            )


@contextlib.contextmanager
def hold(out: Path, *, wait_seconds: float = 0) -> Iterator[Held]:
    """Hold ``out`` against other runs for the time of the block; a killed run holds nothing.

    Parameters
    ----------
    out : Path
        Made if it is not there.
    wait_seconds : float
        How long to wait for another run.

    Raises
    ------
    LockedError
        If another process holds it; names its id, host and start.
    StorageError
        If the folder can't be written.
    """
    handle = _opened(out)
    with handle:
        deadline = time.monotonic() + wait_seconds
        while not _lock(handle.fileno()):
            if time.monotonic() >= deadline:
                raise _held_by_another(out, handle)
            time.sleep(_PAUSE_SECONDS)
        handle.seek(0)
        handle.truncate(0)
        json.dump(_own_name(), handle)
        handle.flush()
        yield Held(out, handle)


def holder(out: Path) -> dict[str, Any] | None:
    """Tell who holds ``out`` (pid, host, started), or None; takes nothing."""
    try:
        handle = (out / NAME).open("r+", encoding="utf-8")
    except OSError:
        return None
    with handle:
        if _lock(handle.fileno()):
            return None
        return _read_name(handle)


def _opened(out: Path) -> TextIO:
    try:
        out.mkdir(parents=True, exist_ok=True)
        return (out / NAME).open("a+", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            Text(f"无法写入：{error.strerror}", f"can't be written: {error.strerror}"),
            where=str(out),
            mend=Text("换一个可写的文件夹（--out）", "give a folder that can be written (--out)"),
        ) from error


def _held_by_another(out: Path, handle: TextIO) -> LockedError:
    name = _read_name(handle)
    who = f"pid {name.get('pid', '?')} @ {name.get('host', '?')}, {name.get('started', '?')}"
    return LockedError(
        Text("另一个进程正在写这个文件夹", "another run is writing this folder"),
        where=f"{out} ({who})",
        mend=Text(
            "等它结束，加 --wait 秒数等待，或用 --out 另选文件夹",
            "wait for it, give --wait SECONDS, or give another --out",
        ),
    )


def _own_name() -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": platform.node(), "started": now}


def _read_name(handle: TextIO) -> dict[str, Any]:
    handle.seek(0)
    try:
        name = json.loads(handle.read())
    except ValueError:
        return {}
    return name if isinstance(name, dict) else {}


def _lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        lock, flags = msvcrt.locking, msvcrt.LK_NBLCK  # type: ignore[attr-defined]
        try:
            lock(descriptor, flags, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
