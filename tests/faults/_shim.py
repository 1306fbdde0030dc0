"""Calls that fail and clocks that jump, in a run and all its children: see ``shim.c``."""

from __future__ import annotations

import functools
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
_FIELDS = ("count", "at", "error", "lasting", "hit", "offset")
_NUMBER = struct.Struct("q")
_PAGE_BYTES = 4096


def compiler() -> str | None:
    """Give the C compiler, or None."""
    return shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")


@functools.cache
def library() -> Path:
    """Compile the shim once a process."""
    target = Path(tempfile.mkdtemp(prefix="shim-")) / "shim.so"
    found = compiler()
    assert found, "no C compiler"
    command = [found, "-O1", "-shared", "-fPIC", "-o", str(target), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return target


class Shim:
    """The control page of one run, and the environment that puts the run under it.

    Parameters
    ----------
    page : Path
        File for the control page; it must not lie in ``folder``.
    folder : Path or None
        Calls that change something below it are counted.
    """

    def __init__(self, page: Path, folder: Path | None = None) -> None:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_bytes(bytes(_PAGE_BYTES))
        self._file = page.open("r+b")
        self._page = mmap.mmap(self._file.fileno(), _PAGE_BYTES)
        self.environment = {"LD_PRELOAD": str(library()), "CPS_SHIM": str(page)}
        if folder is not None:
            self.environment["CPS_SHIM_FOLDER"] = os.path.abspath(folder)

    def fail(self, at: int, error: int, *, lasting: bool = False) -> None:
        """Make the call number ``at`` fail with ``error``, or die there if that is 0."""
        self._set("error", error)
        self._set("lasting", int(lasting))
        self._set("at", at)

    def set_clock(self, seconds_ahead: int) -> None:
        """Put the wall clock of all processes ahead of the real one, from now on."""
        self._set("offset", seconds_ahead)

    @property
    def count(self) -> int:
        """Give how many calls there were."""
        return self._get("count")

    @property
    def hit(self) -> int:
        """Give how many of them failed."""
        return self._get("hit")

    @property
    def what(self) -> str:
        """Give the first call that failed."""
        start = len(_FIELDS) * _NUMBER.size
        return self._page[start : start + 200].split(b"\0")[0].decode(errors="replace")

    def close(self) -> None:
        """Let go of the page."""
        self._page.close()
        self._file.close()

    def _get(self, name: str) -> int:
        return int(_NUMBER.unpack_from(self._page, _FIELDS.index(name) * _NUMBER.size)[0])

    def _set(self, name: str, value: int) -> None:
        _NUMBER.pack_into(self._page, _FIELDS.index(name) * _NUMBER.size, value)
