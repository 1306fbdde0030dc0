"""An ordinary process for one job: ``python -m cps.runner.child module:function < payload``."""

from __future__ import annotations

import importlib
import signal
import sys


def main() -> int:
    """Run the function that the command line names on what standard input holds."""
    _end_with_parent()
    module, name = sys.argv[1].split(":")
    return int(getattr(importlib.import_module(module), name)(sys.stdin.buffer.read()))


def _end_with_parent() -> None:
    """Ask Linux to end this process when the one that started it dies, however it dies."""
    if sys.platform != "linux":
        return
    import ctypes

    set_death_signal = 1  # PR_SET_PDEATHSIG
    ctypes.CDLL(None, use_errno=True).prctl(set_death_signal, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
