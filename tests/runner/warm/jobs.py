"""What the tests run in forked tasks."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

_LEFT_OPEN: list[TextIO] = []


def answer(payload: bytes) -> int:
    """Give the payload as exit code."""
    return int(payload or b"0")


def fail(payload: bytes) -> int:
    """Raise."""
    raise ValueError(payload.decode())


def leave(payload: bytes) -> int:
    """Exit as a program does."""
    sys.exit(payload.decode() or None)


def report(payload: bytes) -> int:
    """Print what this process is made of, as JSON."""
    import resource

    print(
        json.dumps(
            {
                "cwd": os.getcwd(),
                "env": dict(os.environ),
                "files": sorted(map(int, os.listdir("/proc/self/fd"))),
                "session": os.getsid(0) == os.getpid(),
                "memory": resource.getrlimit(resource.RLIMIT_AS)[0],
                "threads": len(os.listdir("/proc/self/task")),
                "random": random.random(),
                "sigint": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
                "payload": len(payload),
                "umask": os.umask(0o22),
            }
        )
    )
    return 0


def spill(payload: bytes) -> int:
    """Sort more rows than polars may hold in memory; give 1 if it laid nothing aside."""
    import polars as pl

    rows = pl.LazyFrame({"a": pl.int_range(300_000, eager=True).shuffle(seed=1)})
    found = rows.sort("a").group_by("a").agg(pl.len()).collect(engine="streaming")
    place = Path(os.environ["POLARS_OOC_SPILL_DIR"]) / str(os.getpid())
    return int(found.height != 300_000 or not any(place.iterdir()))


def allocate(payload: bytes) -> int:
    """Ask for as many bytes as the payload says."""
    return len(bytearray(int(payload))) * 0


def write_unclosed(payload: bytes) -> int:
    """Leave a written file open, as a notebook does."""
    _LEFT_OPEN.append(open(payload.decode(), "w"))  # noqa: SIM115
    _LEFT_OPEN[0].write("kept")
    return 0


def sleep(payload: bytes) -> int:
    """Sleep; a signal ends it."""
    time.sleep(float(payload or b"60"))
    return 0


def daemons(payload: bytes) -> int:
    """Start a child, and a daemon in a session of its own; write their ids; sleep or end."""
    order = json.loads(payload)
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    code = (
        "import os, sys, time\n"
        "if os.fork(): os._exit(0)\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        f"open({order['file'] + '.d'!r}, 'w').write(str(os.getpid()))\n"
        f"os.rename({order['file'] + '.d'!r}, {order['file'] + '.daemon'!r})\n"
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "time.sleep(300)\n"
    )
    subprocess.run([sys.executable, "-S", "-c", code], check=True)
    while not Path(order["file"] + ".daemon").exists():
        time.sleep(0.01)
    ids = [os.getpid(), child.pid, int(Path(order["file"] + ".daemon").read_text())]
    Path(order["file"] + ".new").write_text(json.dumps(ids))
    os.rename(order["file"] + ".new", order["file"])
    time.sleep(order["sleep"])
    return 0


def breed(payload: bytes) -> int:
    """Leave a chain of processes, each of which forks the next and ends."""
    if os.fork() == 0:
        os.setsid()
        while True:
            if os.fork() == 0:
                time.sleep(0.005)
                continue
            os._exit(0)
    time.sleep(0.2)
    return 0


def papermill_twice(payload: bytes) -> int:
    """Run a notebook with papermill and a quick manager: once well, once with a dying kernel."""
    import papermill
    from nbclient.exceptions import DeadKernelError

    from cps.runner.warm.manager import QuickKernelManager

    for x in (5, 50):
        try:
            papermill.execute_notebook(
                "in.ipynb",
                f"out{x}.ipynb",
                {"x": x},
                kernel_name="cps",
                progress_bar=False,
                kernel_manager_class=QuickKernelManager,
            )
        except DeadKernelError:
            return x
    return 0
