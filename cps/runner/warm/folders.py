"""The user's private folder for sockets and locks, on this machine and until it restarts."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path


def private_folder() -> Path | None:
    """Give a folder that only this user can enter; None if there can be none.

    It lies in ``XDG_RUNTIME_DIR``, or in the system's folder for temporary files, where somebody
    else may have made it first: one that is not ours, or that others can enter, is not used.
    """
    if not hasattr(os, "getuid"):
        return None
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    places = [Path(runtime) / "cps"] if runtime else []
    places.append(Path(tempfile.gettempdir()) / f"cps-{os.getuid()}")
    for place in places:
        with contextlib.suppress(OSError):
            place.mkdir(mode=0o700, exist_ok=True)
            if _is_private(place):
                return place
    return None


def _is_private(place: Path) -> bool:
    found = place.lstat()
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.getuid()
        and not stat.S_IMODE(found.st_mode) & 0o077
        and os.access(place, os.W_OK | os.X_OK)
    )
