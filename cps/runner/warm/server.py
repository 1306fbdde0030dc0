"""The warm process: imports, then does nothing but fork a keeper for each connection."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cps.runner.warm import processes
from cps.runner.warm.keeper import keep
from cps.runner.warm.preload import PreloadError, check_threads, preload, prepare_interpreter
from cps.runner.warm.wire import peer_of

_GRACE_SECONDS = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Import, report on standard output that all is ready, serve until the owner is gone."""
    parser = argparse.ArgumentParser(prog="python -m cps.runner.warm.server")
    parser.add_argument("--address", required=True, type=Path)
    parser.add_argument("--modules", default="")
    parser.add_argument("--owner", type=int, help="process to end with; idle time decides if none")
    parser.add_argument("--idle-seconds", type=float, help="end after so long without a task")
    options = parser.parse_args(arguments)
    # The folder that `python -m` put first is nobody's place to import from.
    sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
    try:
        prepare_interpreter()
        preload([name for name in options.modules.split(",") if name])
        listener = _listen(options.address)
    except (PreloadError, OSError) as error:
        _report({"failed": str(error)})
        return 1
    processes.set_name("cps-warm")
    processes.adopt_orphans()
    bound = options.address.stat().st_ino
    server = _Server(listener, options.owner, options.idle_seconds)
    gc.collect()
    gc.freeze()
    gc.disable()
    check_threads("the warm process")
    _report({"ready": os.getpid()})
    try:
        server.serve()
    finally:
        _unlink(options.address, bound)
        server.end()
    return 0


class _Server:
    def __init__(
        self, listener: socket.socket, owner: int | None, idle_seconds: float | None
    ) -> None:
        self._listener = listener
        self._keepers: set[int] = set()
        self._stopping = False
        self._idle_seconds = idle_seconds
        self._idle_since = time.monotonic()
        self._wake, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for signum in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(signum, lambda *_: None)
        # Ctrl-C is the owner's to judge; it closes the life line when it means it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._waiting = select.poll()
        self._waiting.register(listener, select.POLLIN)
        self._waiting.register(self._wake, select.POLLIN)
        self._lifelines = self._watch_owner(owner)

    def serve(self) -> None:
        while not self._stopping:
            ready = self._waiting.poll(self._timeout())
            if not ready and self._is_idle():
                return
            for descriptor, _ in ready:
                if descriptor == self._wake:
                    self._take_signals()
                elif descriptor in self._lifelines:
                    self._stopping = True
                else:
                    self._accept()

    def end(self) -> None:
        """End every task in good order; what does not end is killed."""
        self._listener.close()
        for pid in self._keepers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        waiting = select.poll()
        waiting.register(self._wake, select.POLLIN)
        self._keepers -= processes.reap().keys()
        while self._keepers and (left := deadline - time.monotonic()) > 0:
            waiting.poll(left * 1000)
            self._take_signals()
        processes.end_descendants()

    def _watch_owner(self, owner: int | None) -> set[int]:
        if owner is None:
            return set()
        # Standard input is the life line; the owner's own end counts even if a process that it
        # forked holds the other end of the line.
        lines = {0}
        with contextlib.suppress(OSError):
            lines.add(os.pidfd_open(owner))
        for line in lines:
            self._waiting.register(line, select.POLLIN | select.POLLHUP)
        return lines

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        warm = os.getpid()
        with connection:
            if peer_of(connection)[1] != os.getuid():
                return
            pid = os.fork()
            if pid == 0:
                self._listener.close()
                for descriptor in (self._wake, self._wake_write, *(self._lifelines - {0})):
                    os.close(descriptor)
                keep(connection, warm)
            self._keepers.add(pid)

    def _take_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if signal.SIGTERM in os.read(self._wake, 4096):
                self._stopping = True
        ended = processes.reap().keys() & self._keepers
        self._keepers -= ended
        # What a keeper that was killed leaves becomes a child of this process.
        processes.end_descendants(spare=self._keepers)
        if ended and not self._keepers:
            self._idle_since = time.monotonic()

    def _timeout(self) -> float | None:
        if self._idle_seconds is None or self._keepers:
            return None
        return max(0.0, self._idle_since + self._idle_seconds - time.monotonic()) * 1000

    def _is_idle(self) -> bool:
        timeout = self._timeout()
        return timeout is not None and timeout <= 0


def _listen(address: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    address.unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        listener.bind(str(address))
    finally:
        os.umask(mask)
    listener.listen(128)
    listener.setblocking(False)
    return listener


def _unlink(address: Path, bound: int) -> None:
    # A cleaner of temporary files may have removed it, and a successor have taken the address.
    with contextlib.suppress(FileNotFoundError):
        if address.stat().st_ino == bound:
            address.unlink()


def _report(message: dict[str, object]) -> None:
    """Say one line to whoever started this process; from then on output goes with the errors."""
    sys.stdout.flush()
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(message).encode() + b"\n")
    os.dup2(2, 1)


if __name__ == "__main__":
    sys.exit(main())
