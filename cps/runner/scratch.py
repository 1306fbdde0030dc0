"""A private folder for sockets and what libraries write on the side, and the environment of tasks."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cps.errors import StorageError, Text

KERNEL = "cps-run"  # the kernelspec that a run writes for itself
_SOCKET_BYTES = 60  # a Unix socket's address has 107 bytes; names below the folder take the rest
_PROBE_BYTES = 1_000_000
_PREFIX = "cps-"
_OWNER = ".owner"
_SINGLE = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new private folder with a short path; it is removed at the end.

    Raises
    ------
    StorageError
        If no place for temporary files can be written; names ``TMPDIR``.
    """
    folder = _made()
    _sweep(folder.parent)
    try:
        with _owned(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _owned(folder: Path) -> Iterator[None]:
    """Hold a lock in the folder, which ends with this process however that ends."""
    with (folder / f"{_OWNER}.new").open("wb") as handle:
        if _locked(handle.fileno()):
            (folder / f"{_OWNER}.new").rename(folder / _OWNER)
        yield


def _sweep(place: Path) -> None:
    """Remove the folders of processes that were killed."""
    for owner in place.glob(f"{_PREFIX}*/{_OWNER}"):
        with contextlib.suppress(OSError), owner.open("rb") as handle:
            if owner.stat().st_uid == os.getuid() and _locked(handle.fileno()):
                shutil.rmtree(owner.parent, ignore_errors=True)


def _locked(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _made() -> Path:
    tried = []
    given = os.environ.get("TMPDIR")
    for place in dict.fromkeys(filter(None, (given, "/tmp", "/var/tmp", "/dev/shm"))):  # noqa: S108
        if os.name == "posix" and len(os.fsencode(place)) > _SOCKET_BYTES:
            tried.append(f"{place} (path too long)")
            continue
        try:
            return _probed(Path(place))
        except OSError as error:
            tried.append(f"{place} ({error.strerror})")
    if os.name != "posix":
        return _probed(Path(tempfile.gettempdir()))
    raise StorageError(
        Text("没有可写的临时文件夹", "no folder for temporary files can be written"),
        where=", ".join(tried),
        mend=Text(
            "释放空间，或把 TMPDIR 设为路径较短、可写的文件夹",
            "free some space there, or set TMPDIR to a folder with a short path that can be written",
        ),
    )


def _probed(place: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    try:
        probe = folder / "probe"
        probe.write_bytes(bytes(_PROBE_BYTES))
        probe.unlink()
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def task_environment(scratch: Path, *, kernel: str | None = None) -> dict[str, str]:
    """Give the environment of workers and kernels.

    Parameters
    ----------
    scratch : Path
        Where Jupyter, IPython and others may write; nobody's home is touched.
    kernel : str or None
        A kernelspec of the user's own; their folders of kernelspecs stay visible then.
    """
    # Results must not depend on the number of cores, and kernels need UTF-8 under any locale.
    given = {
        **os.environ,
        **dict.fromkeys(_SINGLE, "1"),
        "PYTHONUTF8": "1",
        "PYTHONIOENCODING": "utf-8",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_NO_CONFIG": "1",
        "JUPYTER_RUNTIME_DIR": str(scratch / "rt"),
        "IPYTHONDIR": str(scratch / "ipython"),
        "MPLCONFIGDIR": str(scratch / "mpl"),
        "XDG_CACHE_HOME": str(scratch / "cache"),
        "TMPDIR": str(scratch),
    }
    given.pop("MPLBACKEND", None)  # a notebook sets its own
    if kernel is None:
        given["JUPYTER_DATA_DIR"] = str(scratch / "jupyter")
        given["JUPYTER_CONFIG_DIR"] = str(scratch / "config")
        given.pop("JUPYTER_PATH", None)
    return given


def write_kernelspec(scratch: Path, *, is_warm: bool) -> None:
    """Write the kernelspec of this run, which starts this very Python."""
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "cps",
        "language": "python",
        "metadata": {"debugger": False},
    }
    if is_warm:
        provisioner = {"provisioner_name": "cps-fork-provisioner"}
        spec["metadata"] = {"debugger": False, "kernel_provisioner": provisioner}
    folder = scratch / "jupyter" / "kernels" / KERNEL
    folder.mkdir(parents=True, exist_ok=True)
    # Kernels may be starting just now: they see one spec or the other, whole.
    new = folder / "kernel.json.new"
    new.write_text(json.dumps(spec), encoding="utf-8")
    new.replace(folder / "kernel.json")
