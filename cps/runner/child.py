"""An ordinary process for one job: ``python -m cps.runner.child OWNER MEMORY module:function``.

The payload comes on standard input. On Linux a guard stands above the job: it ends when its owner
does, and ends all that the job started, whatever session that moved to.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from typing import NoReturn


def main() -> int:
    """Run the function that the command line names; ``MEMORY`` is in bytes, 0 for no limit."""
    owner, memory, function = sys.argv[1:]
    if sys.platform == "linux":
        _stand_guard(int(owner))
        _limit(int(memory))
    module, name = function.split(":")
    return int(getattr(importlib.import_module(module), name)(sys.stdin.buffer.read()))


def _stand_guard(owner: int) -> None:
    """Fork; return in the child that does the job, wait for it in the parent."""
    import select

    from cps.runner.warm import processes

    guard = os.getpid()
    processes.adopt_orphans()
    wake = processes.listen_to_signals(signal.SIGCHLD, signal.SIGTERM)
    processes.die_with_parent(owner, signal.SIGTERM)
    job = os.fork()
    if job == 0:
        signal.set_wakeup_fd(-1)
        os.close(wake)
        for signum in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        processes.die_with_parent(guard, signal.SIGKILL)
        return
    processes.set_name("cps-job-guard")
    waiting = select.poll()
    waiting.register(wake, select.POLLIN)
    status = None
    while status is None:
        waiting.poll()
        with contextlib.suppress(BlockingIOError):
            if signal.SIGTERM in os.read(wake, 4096):
                break
        status = processes.reap().get(job)
    processes.end_descendants()
    _end_as(status)


def _end_as(status: int | None) -> NoReturn:
    """End with the job's exit status, or by the signal that ended it."""
    import resource

    code = -signal.SIGTERM if status is None else os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _limit(memory: int) -> None:
    import resource

    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


if __name__ == "__main__":
    sys.exit(main())
