"""Files that polars laid aside for a task and, in a forked process, does not remove itself."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

# Where polars lays them if nothing else is set: in a folder named by the process id.
_DEFAULT = Path("/var/tmp")  # noqa: S108 - polars' choice, not ours


def remove_spill(env: Mapping[str, str], pid: int) -> None:
    """Remove what an ended task's queries spilled: the thread that would do it stayed behind."""
    given = env.get("POLARS_OOC_SPILL_DIR")
    places = [Path(given)] if given else list(_DEFAULT.glob("polars-*/spill"))
    for place in places:
        folder = place / str(pid)
        with contextlib.suppress(OSError):
            if not folder.is_symlink() and folder.stat().st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)
