"""The keeper of one task: forks it, waits with it, leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from typing import Any, NoReturn

from cps.runner.warm import processes
from cps.runner.warm.task import run_task
from cps.runner.warm.wire import Lines, Request, peer_of, receive_request, send_line

_PATIENCE_SECONDS = 60  # for a request that has begun


def keep(connection: socket.socket, warm: int) -> NoReturn:
    """Serve one connection to its end: the task's, the client's or the warm process's.

    Runs in a process of its own, forked from ``warm``. It adopts every descendant of the task, so
    a daemon that left the task's session ends with it too.
    """
    status = 1
    try:
        os.setsid()
        # SIGTERM, not SIGKILL: a keeper that lost the warm process still has a tree to end.
        wake = _listen_to_signals()
        processes.die_with_parent(warm, signal.SIGTERM)
        processes.adopt_orphans()
        connection.settimeout(_PATIENCE_SECONDS)
        request = receive_request(connection)
        if request is not None:
            processes.set_name(f"keep:{request.order['name']}")
            _Keeper(connection, request, wake).serve()
        status = 0
    finally:
        processes.end_descendants()
        os._exit(status)


class _Keeper:
    def __init__(self, connection: socket.socket, request: Request, wake: int) -> None:
        self._connection = connection
        self._wake = wake
        self._lines = Lines()
        self._status: int | None = None
        self._ending = False
        self._reason: str | None = None
        self._task = self._fork(request)

    def serve(self) -> None:
        """Wait for the first end, then end the rest and report."""
        with contextlib.suppress(OSError):  # a client that is gone is seen by the wait below
            send_line(self._connection, {"pid": self._task})
        client, _ = peer_of(self._connection)
        waiting = select.poll()
        waiting.register(self._connection, select.POLLIN | select.POLLRDHUP)
        waiting.register(self._wake, select.POLLIN)
        # The connection's end says that a client is gone, unless a process that the client forked
        # still holds it open; the client's own end says it always.
        watched = _watch(client)
        if watched is not None:
            waiting.register(watched, select.POLLIN)
        while self._status is None and not self._ending:
            for descriptor, _ in waiting.poll():
                if descriptor == self._wake:
                    self._take_signals()
                elif descriptor == watched:
                    self._ending = True
                else:
                    self._take_commands()
        ended = processes.end_descendants()
        if self._status is None:
            self._status = ended.get(self._task)
        with contextlib.suppress(OSError):
            code = os.waitstatus_to_exitcode(self._status or 0)
            send_line(self._connection, {"status": code})
        self._connection.close()

    def _fork(self, request: Request) -> int:
        keeper = os.getpid()
        pid = os.fork()
        if pid == 0:
            run_task(request, keeper)
        for descriptor in request.files:
            os.close(descriptor)
        request.payload = b""
        return pid

    def _take_signals(self) -> None:
        if signal.SIGTERM in os.read(self._wake, 4096):
            self._ending = True
        statuses = processes.reap()
        if self._task in statuses:
            self._status = statuses[self._task]

    def _take_commands(self) -> None:
        try:
            data = self._connection.recv(4096)
        except OSError:
            data = b""
        if not data:
            self._ending = True
        for command in self._lines.feed(data):
            self._obey(command)

    def _obey(self, command: dict[str, Any]) -> None:
        if "kill" in command:
            self._ending = True
        elif self._status is None:  # not reaped: the id is still this task's
            send = os.killpg if command.get("group") else os.kill
            with contextlib.suppress(ProcessLookupError):
                send(self._task, command["signal"])


def _watch(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _listen_to_signals() -> int:
    """Send SIGCHLD and SIGTERM into a pipe, so that one poll waits for everything."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for signum in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(signum, lambda *_: None)
    for signum in (signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return read
