"""The warm process and its guard: ``python -m cps.runner.warm.server``."""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cps.runner.warm import processes

_ENDING_SECONDS = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the warm process under a guard; ends when the owner does, or after idle time.

    The guard is a small process that adopts what a killed warm process leaves, and ends it.
    """
    parser = argparse.ArgumentParser(prog="python -m cps.runner.warm.server")
    parser.add_argument("--address", required=True, type=Path)
    parser.add_argument("--modules", default="")
    parser.add_argument("--owner", type=int, help="process to end with; idle time decides if none")
    parser.add_argument("--idle-seconds", type=float, help="end after so long without a task")
    options = parser.parse_args(arguments)
    # The folder that `python -m` put first is nobody's place to import from.
    if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]
    processes.adopt_orphans()
    guard = os.getpid()
    wake = processes.listen_to_signals(signal.SIGCHLD, signal.SIGTERM)
    pid = os.fork()
    if pid == 0:
        # Until it listens, while it imports, it ends at once when told to.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        processes.die_with_parent(guard, signal.SIGTERM)
        _serve(options)
    _guard(pid, wake, options)
    return 0


def _serve(options: argparse.Namespace) -> NoReturn:
    from cps.runner.warm.serve import serve

    status = 1
    try:
        status = serve(
            options.address,
            [name for name in options.modules.split(",") if name],
            owner=options.owner,
            idle_seconds=options.idle_seconds,
        )
    except Exception:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def _guard(warm: int, wake: int, options: argparse.Namespace) -> None:
    """Wait for the warm process; then end what it left."""
    os.dup2(2, 1)  # only the warm process says that it is ready
    processes.set_name("cps-warm-guard")
    waiting = select.poll()
    waiting.register(wake, select.POLLIN)
    if options.owner is not None:
        waiting.register(0, select.POLLIN)
    deadline: float | None = None
    while warm not in processes.reap():
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        for descriptor, _ in waiting.poll(None if left is None else left * 1000):
            if descriptor == 0:
                # The owner is gone. The warm process sees it too, unless it is stuck or not ready.
                waiting.unregister(0)
                os.kill(warm, signal.SIGTERM)
                deadline = time.monotonic() + _ENDING_SECONDS
            elif signal.SIGTERM in os.read(wake, 4096):
                os.kill(warm, signal.SIGTERM)
        if deadline is not None and time.monotonic() >= deadline:
            os.kill(warm, signal.SIGKILL)
            deadline = None
    processes.end_descendants()


if __name__ == "__main__":
    sys.exit(main())
