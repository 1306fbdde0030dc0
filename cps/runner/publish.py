"""A batch's folder: built aside under a lock, and published by one rename."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from cps.errors import LockedError, RunError, Text

LATEST = "latest"


@contextlib.contextmanager
def hold(out: Path) -> Iterator[None]:
    """Hold ``out`` against other batches for the time of the block.

    Raises
    ------
    LockedError
        If another process holds it.
    RunError
        If the folder can't be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle = (out / ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise RunError(
            Text(f"无法写入：{error.strerror}", f"can't be written: {error.strerror}"),
            where=str(out),
            mend=Text("换一个可写的文件夹（--out）", "give a folder that can be written (--out)"),
        ) from error
    with handle:
        if not _lock(handle.fileno()):
            handle.seek(0)
            raise LockedError(
                Text("另一个进程正在写这个文件夹", "another run is writing this folder"),
                where=f"{out} (pid {handle.read().strip() or '?'})",
                mend=Text("等它结束，或用 --out 另选文件夹", "wait for it, or give another --out"),
            )
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


@contextlib.contextmanager
def building(out: Path) -> Iterator[Path]:
    """Yield a new folder to build in; remove it if the block does not publish it."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    for left in out.glob(".building-*"):  # of a batch that was killed; the lock says none is alive
        shutil.rmtree(left, ignore_errors=True)
    folder = out / f".building-{stamp}"
    folder.mkdir()
    try:
        yield folder
    finally:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, out: Path) -> Path:
    """Give a finished folder its name under ``out/runs`` and point ``out/latest`` at it.

    Readers see the previous batch whole until the moment they see this one whole.
    """
    stamp = folder.name.removeprefix(".building-")
    runs = out / "runs"
    runs.mkdir(exist_ok=True)
    target = runs / stamp
    extra = 1
    while target.exists():
        extra += 1
        target = runs / f"{stamp}-{extra}"
    folder.rename(target)
    pointer = out / f".{LATEST}.new"
    pointer.unlink(missing_ok=True)
    pointer.symlink_to(Path("runs") / target.name)
    pointer.replace(out / LATEST)
    return target


def keep_failed(folder: Path, out: Path) -> Path:
    """Keep the notebooks of a batch that gave nothing to publish, as evidence of why."""
    target = out / "failed" / folder.name.removeprefix(".building-")
    target.parent.mkdir(exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)
    return target


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
