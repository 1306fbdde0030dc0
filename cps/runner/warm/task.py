"""What a forked child does: become a process of its own, run one function, end."""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from cps.runner.warm import processes
from cps.runner.warm.wire import Request

# What Python itself sets to other than its default at the start of a process.
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)


def run_task(request: Request, warm: int) -> NoReturn:
    """Run the request's function as a program of its own would run, and end the process."""
    order = request.order
    status = 1
    try:
        os.setsid()
        _reset_signals()
        processes.die_with_parent(warm, signal.SIGKILL)
        # A daemon that leaves this task's session becomes its child again, and ends with it.
        processes.adopt_orphans()
        processes.set_name(order["name"])
        _place_files(request.files)
        _enter(order)
        _reseed()
        gc.enable()
        status = _call(order["function"], request.payload)
    except BaseException:
        _print_exception()
    finally:
        _finish(status)


def _call(name: str, payload: bytes) -> int:
    module, _, function = name.partition(":")
    try:
        run: Callable[[bytes], int | None] = getattr(importlib.import_module(module), function)
        return int(run(payload) or 0)
    except SystemExit as ended:
        return _exit_code(ended)
    except KeyboardInterrupt:
        _print_exception()
        with contextlib.suppress(Exception):
            _flush()
        # As Python itself ends on Ctrl-C, so that the parent sees the signal.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        return 130
    except BaseException:
        _print_exception()
        return 1


def _exit_code(ended: SystemExit) -> int:
    if ended.code is None:
        return 0
    if isinstance(ended.code, int):
        return ended.code & 0xFF
    print(ended.code, file=sys.stderr)
    return 1


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(signum, signal.SIG_IGN if signum in _IGNORED else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _place_files(files: list[int]) -> None:
    output, errors = files[0], files[-1]
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, place in ((nothing, 0), (output, 1), (errors, 2)):
        os.dup2(source, place, inheritable=True)
    # Another task's connection kept open here would hide that task's end from its client.
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):  # the listing's own
                os.close(int(name))


def _enter(order: Mapping[str, Any]) -> None:
    _set_environment(order["env"])
    if order.get("umask") is not None:
        os.umask(order["umask"])
    os.chdir(order["cwd"])
    if order.get("memory_bytes"):
        import resource

        limit = int(order["memory_bytes"])
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _set_environment(env: Mapping[str, str]) -> None:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(env)
    # What was read from the environment once, when it was another one:
    time.tzset()
    tempfile.tempdir = None
    folders, gone = _folders(env), _folders(before)
    if folders != gone:
        sys.path[:] = folders + [entry for entry in sys.path if entry not in gone]
    polars = sys.modules.get("polars")
    if polars is not None and _of_polars(env) != _of_polars(before):
        polars.Config.load("{}")  # sets nothing, and reads all settings again


def _of_polars(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith("POLARS_")}


def _folders(env: Mapping[str, str]) -> list[str]:
    given = env.get("PYTHONPATH", "").split(os.pathsep)
    return [os.path.abspath(entry) for entry in given if entry]


def _reseed() -> None:
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def _print_exception() -> None:
    with contextlib.suppress(Exception):
        kind, error, trace = sys.exc_info()
        # The first frame is this module's.
        inner = trace.tb_next if trace is not None else None
        # A kernel has replaced sys.stderr by a stream that ends with it.
        traceback.print_exception(kind, error, inner, file=sys.__stderr__)


def _finish(status: int) -> NoReturn:
    """End as the interpreter does, without taking apart what the warm process built."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        _flush()
    except BaseException:
        _print_exception()
    finally:
        os._exit(status)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):
            if stream is not None:
                stream.flush()
    # An open file that nobody closed still reaches the disk, as when the interpreter ends.
    for thing in gc.get_objects():
        if isinstance(thing, io.TextIOWrapper | io.BufferedWriter):
            with contextlib.suppress(Exception):
                thing.flush()
