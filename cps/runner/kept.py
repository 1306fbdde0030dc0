"""A worker that is kept from one notebook to the next; what it runs it forks anew each time."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cps.runner.worker import TAKEN

if TYPE_CHECKING:
    from cps.runner.warm.client import Task, WarmProcess

_MOST = 100  # notebooks; whatever libraries pile up goes with the worker
_BEGIN_SECONDS = 30.0
_FUNCTION = "cps.runner.worker:serve_orders"


class KeptWorker:
    """One forked process that executes notebooks one after another, a kernel for each.

    It is as good as new only after a notebook that ended well: after any other it is killed.

    Parameters
    ----------
    task : Task
        The process.
    connection : socket
        Orders go there and exit statuses come back.
    memory : int or None
        Its limit of address space, and its kernels'.
    """

    def __init__(self, task: Task, connection: socket.socket, memory: int | None) -> None:
        self.pid = task.pid
        self.memory = memory
        self._task = task
        self._connection = connection
        self._n_begun = 0
        self._status: int | None = None

    @classmethod
    def fork(
        cls, warm: WarmProcess, *, env: Mapping[str, str], cwd: Path, memory: int | None
    ) -> KeptWorker:
        """Fork one that waits for its first notebook.

        Raises
        ------
        RunError
            If the warm process can't be reached, or refuses.
        """
        ours, its = socket.socketpair()
        try:
            with its:
                task = warm.fork(
                    _FUNCTION,
                    b"",
                    env=env,
                    cwd=cwd,
                    memory_bytes=memory,
                    output=its.fileno(),
                    name="cps-worker",
                )
        except BaseException:
            ours.close()
            raise
        return cls(task, ours, memory)

    @property
    def is_as_new(self) -> bool:
        """Whether it may be given another notebook."""
        done_well = self._n_begun == 0 or self._status == 0
        return done_well and self._n_begun < _MOST and self._task.wait(0) is None

    def begin(self, order: bytes, printed: Path) -> bool:
        """Have it execute one notebook; False if it does not take it, having been killed.

        What it and the kernel print is appended to ``printed``.
        """
        self._n_begun += 1
        self._status = None
        head = {"printed": str(printed), "name": printed.parent.name, "bytes": len(order)}
        with contextlib.suppress(OSError):
            self._connection.sendall(json.dumps(head).encode() + b"\n" + order)
            if self._is_heard(_BEGIN_SECONDS):
                return self._connection.recv(1) == TAKEN
        return False

    def wait(self, timeout: float | None = None) -> int | None:
        """Give the notebook's exit status, or None if ``timeout`` seconds passed.

        Of a worker that ended, whichever way, it is that of the process.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._status is None and self._is_heard(timeout):
            said = b""
            with contextlib.suppress(ConnectionError):
                said = self._connection.recv(1)
            if said:
                self._status = said[0]
            else:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                self._status = self._task.wait(left)
        return self._status

    def _is_heard(self, timeout: float | None) -> bool:
        waiting = select.poll()
        waiting.register(self._connection, select.POLLIN)
        return bool(waiting.poll(None if timeout is None else timeout * 1000))

    def kill(self) -> None:
        """End it and its kernel at once."""
        self._task.kill()
