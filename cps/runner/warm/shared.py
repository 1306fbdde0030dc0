"""The warm process that a user's kernels share when no run brings one of its own."""

from __future__ import annotations

import os
import site
import sys
import time
from pathlib import Path

import cps
from cps.errors import RunError, Text
from cps.provenance import sha256_json
from cps.runner.warm.client import WarmProcess
from cps.runner.warm.folders import private_folder
from cps.runner.warm.preload import FOR_ANALYSTS
from cps.runner.warm.starting import check_address, start_server

IDLE_SECONDS = 600.0
_DAY_SECONDS = 86400.0
# Read when the interpreter or a library starts: a warm process that was started under other
# values can't stand in for a fresh one.
_SETTLED_BY = ("PYTHON", "LC_", "LANG", "LD_", "OPENBLAS_", "OMP_", "MKL_", "POLARS_", "_RJEM_")


def shared_warm() -> WarmProcess:
    """Give the way to the user's warm process, starting it if there is none.

    Its address names the code and the library versions it was started with: after a change another
    process is started, and the old one ends when its last task has.

    Raises
    ------
    RunError
        If it can't be started here.
    """
    folder = private_folder()
    if folder is None:
        raise RunError(
            Text("没有仅供本用户使用的临时文件夹", "there is no folder private to this user"),
            where=os.environ.get("XDG_RUNTIME_DIR", "XDG_RUNTIME_DIR, TMPDIR"),
            mend=Text(
                "设置 XDG_RUNTIME_DIR 为自己的文件夹（权限 0700）",
                "set XDG_RUNTIME_DIR to a folder of your own (mode 0700)",
            ),
        )
    address = folder / f"{_key()}.sock"
    check_address(address)
    warm = WarmProcess(address)
    if not warm.answers():
        _start(warm, folder)
    return warm


def _start(warm: WarmProcess, folder: Path) -> None:
    import fcntl

    with warm.address.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if warm.answers():  # another kernel's start was first
            return
        _sweep(folder, keep=warm.address.stem)
        start_server(
            warm.address,
            FOR_ANALYSTS,
            "--idle-seconds",
            str(IDLE_SECONDS),
            log=warm.address.with_suffix(".log"),
            lifeline=False,
        )


def _sweep(folder: Path, *, keep: str) -> None:
    """Remove what processes of other versions left, if none has been there for a day."""
    for path in folder.glob("*.lock"):
        is_old = path.stem != keep and time.time() - path.stat().st_mtime > _DAY_SECONDS
        if is_old and not WarmProcess(path.with_suffix(".sock")).answers():
            for suffix in (".sock", ".log", ".lock"):
                path.with_suffix(suffix).unlink(missing_ok=True)


def _key() -> str:
    """Give a name for everything that a kernel forked from the warm process would inherit."""
    root = Path(cps.__file__).parent
    code = sorted(
        (path.relative_to(root).as_posix(), found.st_size, found.st_mtime_ns)
        for path in root.rglob("*.py")
        if (found := path.stat())
    )
    folders = {*site.getsitepackages(), site.getusersitepackages()} & set(sys.path)
    libraries = sorted(
        name
        for folder in folders
        for name in os.listdir(folder)
        if name.endswith((".dist-info", ".egg-link", ".pth"))
    )
    settings = sorted(
        (name, value) for name, value in os.environ.items() if name.startswith(_SETTLED_BY)
    )
    here = [sys.executable, sys.prefix, sys.version, str(root)]
    return sha256_json([here, code, libraries, settings])[:16]
