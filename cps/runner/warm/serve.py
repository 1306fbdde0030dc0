"""What the warm process does: import, then fork a task for each connection and watch over it."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cps.runner.warm import processes
from cps.runner.warm.preload import PreloadError, check_threads, preload, prepare_interpreter
from cps.runner.warm.spill import remove_spill
from cps.runner.warm.task import run_task
from cps.runner.warm.wire import Lines, Request, Requests, peer_of, receive, send_line

_ENDING_SECONDS = 8.0
_STRAY_SECONDS = 2.0  # that a report waits for what a task left to end


def serve(
    address: Path, modules: Sequence[str], *, owner: int | None, idle_seconds: float | None
) -> int:
    """Import ``modules``, say on standard output that all is ready, fork until told to end.

    Parameters
    ----------
    owner : int or None
        Process that holds the other end of standard input; all ends with it.
    idle_seconds : float or None
        Time without a task after which all ends.
    """
    try:
        prepare_interpreter()
        preload(modules)
        listener, bound = _listen(address)
    except (PreloadError, OSError) as error:
        _report({"failed": str(error)})
        return 1
    processes.set_name("cps-warm")
    processes.adopt_orphans()
    warm = _Warm(listener, owner, idle_seconds)
    gc.disable()
    gc.freeze()  # with its garbage: what is taken out of it leaves holes for children to fill
    check_threads("the warm process")
    _report({"ready": os.getpid()})
    try:
        warm.serve()
    finally:
        _unlink(address, bound)
        warm.end()
    return 0


class _Link:
    """One connection, and the task that was forked for it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.client, self.user = peer_of(connection)
        self.requests = Requests()
        self.lines = Lines()
        self.task: int | None = None
        self.status: int | None = None  # of the reaped task, as waitpid gives it
        self.reaped = 0.0
        self.env: dict[str, str] = {}
        # The connection's end says that a client is gone, unless a process that the client forked
        # still holds it open; the client's own end says it always.
        self.client_end: int | None = None
        with contextlib.suppress(OSError):
            self.client_end = os.pidfd_open(self.client)

    @property
    def runs(self) -> bool:
        return self.task is not None and self.status is None


class _Warm:
    def __init__(
        self, listener: socket.socket, owner: int | None, idle_seconds: float | None
    ) -> None:
        self._listener = listener
        self._links: dict[int, _Link] = {}  # by descriptor, of the connection and the client's end
        self._left_alone: set[int] = set()  # strays of another user
        self._stopping = False
        self._idle_seconds = idle_seconds
        self._idle_since = time.monotonic()
        self._wake = processes.listen_to_signals(signal.SIGCHLD, signal.SIGTERM)
        self._waiting = select.poll()
        self._waiting.register(listener, select.POLLIN)
        self._waiting.register(self._wake, select.POLLIN)
        self._lifelines = self._watch_owner(owner)

    def serve(self) -> None:
        while not self._stopping:
            ready = self._waiting.poll(self._timeout())
            for descriptor, _ in ready:
                self._handle(descriptor)
            self._settle()
            if not ready and self._is_idle():
                return

    def end(self) -> None:
        """Kill every task, and wait until all that they started has ended."""
        self._listener.close()
        for link in self._all():
            if link.runs and link.task is not None:
                processes.kill_tree(link.task)
        deadline = time.monotonic() + _ENDING_SECONDS
        waiting = select.poll()
        waiting.register(self._wake, select.POLLIN)
        self._take_signals()
        self._settle()
        while self._links and (left := deadline - time.monotonic()) > 0:
            waiting.poll(min(left, _STRAY_SECONDS) * 1000)
            self._take_signals()
            self._settle()

    def _handle(self, descriptor: int) -> None:
        if descriptor == self._wake:
            self._take_signals()
        elif descriptor in self._lifelines:
            self._stopping = True
        elif descriptor == self._listener.fileno():
            self._accept()
        elif (link := self._links.get(descriptor)) is not None:
            if descriptor == link.client_end:
                self._lose(link)
            else:
                self._hear(link)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        link = _Link(connection)
        self._links[connection.fileno()] = link
        self._waiting.register(connection, select.POLLIN | select.POLLRDHUP)
        if link.client_end is not None:
            self._links[link.client_end] = link
            self._waiting.register(link.client_end, select.POLLIN)
        if link.user != os.getuid():
            self._drop(link)

    def _hear(self, link: _Link) -> None:
        try:
            data, files = receive(link.connection)
        except BlockingIOError:
            return
        except OSError:
            data, files = b"", []
        if not data:
            self._lose(link)
        elif link.task is not None:
            for command in link.lines.feed(data):
                self._obey(link, command)
        else:
            try:
                request = link.requests.feed(data, files)
            except ValueError:
                self._drop(link)
                return
            if request is not None:
                self._fork(link, request)

    def _obey(self, link: _Link, command: Mapping[str, object]) -> None:
        if not link.runs or link.task is None:
            return
        if "kill" in command:
            processes.kill_tree(link.task)
        elif isinstance(signum := command.get("signal"), int):
            # Not reaped yet: the id is still this task's.
            send = os.killpg if command.get("group") else os.kill
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(link.task, signum)

    def _fork(self, link: _Link, request: Request) -> None:
        warm = os.getpid()
        pid = os.fork()
        if pid == 0:
            run_task(request, warm)
        link.task = pid
        link.env = request.order["env"]
        for descriptor in request.files:
            os.close(descriptor)
        with contextlib.suppress(OSError):  # a client that is gone is heard of by other ways
            send_line(link.connection, {"pid": pid})

    def _lose(self, link: _Link) -> None:
        """End the task of a client that is gone."""
        if link.task is None:
            self._drop(link)
            return
        if link.runs:
            processes.kill_tree(link.task)
        # Nothing to listen to any more, but a task still to be reaped.
        self._forget(link.connection.fileno())
        self._forget(link.client_end)
        self._links[-link.task] = link

    def _drop(self, link: _Link) -> None:
        for descriptor in (link.connection.fileno(), link.client_end):
            self._forget(descriptor)
        if link.task is not None:
            self._links.pop(-link.task, None)
        link.requests.close()
        link.connection.close()
        if link.client_end is not None:
            os.close(link.client_end)
            link.client_end = None

    def _forget(self, descriptor: int | None) -> None:
        if descriptor is not None and self._links.pop(descriptor, None) is not None:
            self._waiting.unregister(descriptor)

    def _take_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if signal.SIGTERM in os.read(self._wake, 4096):
                self._stopping = True
        statuses = processes.reap()
        for link in self._all():
            if link.runs and link.task in statuses:
                link.status = statuses[link.task]
                link.reaped = time.monotonic()

    def _settle(self) -> None:
        """Kill what ended tasks left, and report the tasks of which nothing is left."""
        ended = [link for link in self._all() if link.status is not None]
        if not ended:
            return
        # A living task adopts its own orphans, so a stray here is an ended task's.
        known = {link.task for link in self._all() if link.runs} | self._left_alone
        strays = [pid for pid in processes.children_of(os.getpid()) if pid not in known]
        for pid in strays:
            if not processes.kill_tree(pid):
                self._left_alone.add(pid)
        for link in ended:
            if not strays or time.monotonic() - link.reaped > _STRAY_SECONDS:
                if link.task is not None:
                    remove_spill(link.env, link.task)
                with contextlib.suppress(OSError):
                    code = os.waitstatus_to_exitcode(link.status or 0)
                    send_line(link.connection, {"status": code})
                self._drop(link)
                self._idle_since = time.monotonic()

    def _all(self) -> set[_Link]:
        return set(self._links.values())

    def _timeout(self) -> float | None:
        if any(link.status is not None for link in self._links.values()):
            return _STRAY_SECONDS * 1000  # a report waits
        if self._idle_seconds is None or self._links:
            return None
        return max(0.0, self._idle_since + self._idle_seconds - time.monotonic()) * 1000

    def _is_idle(self) -> bool:
        if self._idle_seconds is None or self._links:
            return False
        return time.monotonic() - self._idle_since >= self._idle_seconds

    def _watch_owner(self, owner: int | None) -> set[int]:
        if owner is None:
            return set()
        lines = {0}  # standard input ends with its last holder
        with contextlib.suppress(OSError):
            lines.add(os.pidfd_open(owner))
        for line in lines:
            self._waiting.register(line, select.POLLIN)
        return lines


def _listen(address: Path) -> tuple[socket.socket, int]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    address.unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        listener.bind(str(address))
    finally:
        os.umask(mask)
    listener.listen(128)
    listener.setblocking(False)
    return listener, address.stat().st_ino


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
