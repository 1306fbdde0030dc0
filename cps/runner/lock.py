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
_PAUSE_SECONDS = 0.1
_NAME_SECONDS = 1.0
_GLANCE_SECONDS = 0.3


class Held:
    """A folder that is held; ``demand_place`` tells whether its name still leads to it."""

    def __init__(self, folder: Path, handle: TextIO) -> None:
        self.folder = folder
        self._handle = handle

    def is_in_place(self) -> bool:
        """Say whether the folder's name still leads to what is held."""
        try:
            there = (self.folder / NAME).stat()
        except OSError:
            return False
        own = os.fstat(self._handle.fileno())
        return (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)

    def demand_place(self) -> None:
        """Refuse to go on if the folder was renamed or replaced meanwhile.

        Raises
        ------
        StorageError
        """
        if not self.is_in_place():
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
        # Who only looks (cps status) holds it for a moment: that is no run.
        deadline = time.monotonic() + max(wait_seconds, _GLANCE_SECONDS)
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
    handle = _opened_to_look(out / NAME)
    if handle is None:
        return None
    with handle:
        if _lock(handle.fileno()):
            return None
        return _await_name(handle)


def _opened_to_look(path: Path) -> TextIO | None:
    """Open for writing as some network file systems demand; who may only read can look as well."""
    for mode in ("r+", "r"):
        with contextlib.suppress(OSError):
            return path.open(mode, encoding="utf-8")
    return None


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
    name = _await_name(handle)
    who = f"pid {name.get('pid', '?')} @ {name.get('host', '?')}, {name.get('started', '?')}"
    return LockedError(
        Text("另一次运行正在使用该输出文件夹", "another run is writing this folder"),
        where=f"{out} ({who})",
        mend=Text(
            "等它结束，加 --wait 秒数等待，或用 --out 另选文件夹",
            "wait for it, give --wait SECONDS, or give another --out",
        ),
    )


def _own_name() -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": platform.node(), "started": now}


def _await_name(handle: TextIO) -> dict[str, Any]:
    """Read who holds the lock; a holder of a moment ago may not have written its name yet."""
    deadline = time.monotonic() + _NAME_SECONDS
    while True:
        name = _read_name(handle)
        is_there = bool(name) and not _is_gone(name)
        if is_there or time.monotonic() >= deadline:
            return name
        time.sleep(_PAUSE_SECONDS / 5)


def _is_gone(name: dict[str, Any]) -> bool:
    """Say whether the name is that of an earlier holder, a process of this machine that ended."""
    if name.get("host") != platform.node():
        return False
    import psutil

    return not psutil.pid_exists(int(name.get("pid", 0)))


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
    except BlockingIOError:
        return False
    return True
