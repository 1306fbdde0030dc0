"""The warm process as its user sees it: start it, fork tasks, wait for them, close it."""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from cps.errors import RunError, Text
from cps.runner.warm.preload import PRELOAD
from cps.runner.warm.starting import check_address, failed, start_server
from cps.runner.warm.wire import Lines, peer_of, send_line, send_request

_REPLY_SECONDS = 60.0
_TURN_SECONDS = 5.0
_ENDING_SECONDS = 10.0


@functools.cache
def is_available() -> bool:
    """Tell whether tasks can be forked here: Linux, with control over orphaned processes."""
    if sys.platform != "linux" or not hasattr(os, "fork") or not hasattr(os, "pidfd_open"):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
        import cps.runner.warm.processes  # noqa: F401
    except (OSError, ImportError, AttributeError):
        return False
    return True


class Task:
    """One task, forked; its connection is its life line: closed or lost, the task's tree ends."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self.pid = 0
        self.name = name
        self._connection = connection
        self._lines = Lines()
        self._status: int | None = None
        self._lock = threading.Lock()
        while self.pid == 0:
            self._read()
            if self.pid == 0 and self._status is not None:
                raise ConnectionResetError("the connection ended before the task began")
        if self._status is None:  # of a short task, both may have come at once
            connection.settimeout(None)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until the task and all that it started have ended.

        Parameters
        ----------
        timeout : float or None
            Seconds; None waits for ever.

        Returns
        -------
        int or None
            Exit code, or the negative of the signal that ended it; None if it still runs.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            if self._status is not None:
                return self._status
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            # In turns: the end may be heard by another thread that waits too.
            if self._readable(_TURN_SECONDS if left is None else min(left, _TURN_SECONDS)):
                with self._lock:
                    if self._status is None and self._readable(0):
                        self._read()
            elif left is not None and left <= _TURN_SECONDS:
                return self._status

    def fileno(self) -> int:
        """Give the connection's descriptor: readable when the task has ended; -1 after that."""
        return self._connection.fileno()

    def kill(self) -> None:
        """Kill the task and everything it started, at once."""
        self._send({"kill": True})

    def interrupt(self) -> None:
        """Send SIGINT to the task itself."""
        self.signal(signal.SIGINT)

    def terminate(self) -> None:
        """Send SIGTERM to the task itself."""
        self.signal(signal.SIGTERM)

    def signal(self, signum: int, *, group: bool = False) -> None:
        """Send a signal to the task, or to its process group; nothing if it has ended."""
        self._send({"signal": int(signum), "group": group})

    def _send(self, message: Mapping[str, object]) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._status is None:
                send_line(self._connection, message)

    def _readable(self, timeout: float) -> bool:
        waiting = select.poll()
        try:
            waiting.register(self._connection, select.POLLIN)
        except ValueError:  # closed by another thread that saw the end
            return True
        return bool(waiting.poll(timeout * 1000))

    def _read(self) -> None:
        try:
            data = self._connection.recv(4096)
        except ConnectionError:
            data = b""
        for message in self._lines.feed(data):
            if "pid" in message:
                self.pid = int(message["pid"])
            if "status" in message:
                self._status = int(message["status"])
        if not data and self._status is None:
            # The warm process was killed; the task and all that it started end with it.
            self._status = -int(signal.SIGKILL)
        if self._status is not None:
            self._connection.close()


class WarmProcess:
    """A warm process, and the way to it; several threads may fork and wait at once.

    Parameters
    ----------
    address : Path
        Its socket.
    process : Popen or None
        Its guard, if this process started it.
    pid : int or None
        Its process id, if this process started it.
    """

    def __init__(
        self, address: Path, process: subprocess.Popen[bytes] | None = None, pid: int | None = None
    ) -> None:
        self.address = address
        self.pid = pid
        self._process = process

    @classmethod
    def start(cls, scratch: Path, *, modules: Sequence[str] = PRELOAD) -> WarmProcess:
        """Start a warm process that ends with this one.

        Parameters
        ----------
        scratch : Path
            Folder for its socket and log.
        modules : sequence of str
            What it imports beforehand.

        Raises
        ------
        RunError
            If it can't start here, or is not ready after 60 s.
        """
        if not is_available():
            raise failed(
                Text("本系统不支持预热进程", "no warm process on this system"), sys.platform
            )
        address = scratch.resolve() / "warm.sock"
        check_address(address)
        scratch.mkdir(parents=True, exist_ok=True)
        process, pid = start_server(
            address,
            modules,
            "--owner",
            str(os.getpid()),
            log=scratch / "warm.log",
            lifeline=True,
        )
        return cls(address, process, pid)

    def answers(self) -> bool:
        """Tell whether something of this user listens at the address."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.connect(str(self.address))
                return peer_of(connection)[1] == os.getuid()
            except OSError:
                return False

    def fork(
        self,
        function: str,
        payload: bytes,
        *,
        env: Mapping[str, str],
        cwd: Path,
        memory_bytes: int | None = None,
        output: int | Path,
        errors: int | None = None,
        name: str,
    ) -> Task:
        """Fork a task that runs ``function(payload)``.

        Parameters
        ----------
        function : str
            ``package.module:function``; its int is the exit status.
        payload : bytes
            Passed on as it is.
        env : mapping
            The whole environment of the task.
        cwd : Path
            Its working folder.
        memory_bytes : int or None
            Limit of its address space.
        output : int or Path
            Descriptor or file (appended to) for standard output, and for errors too.
        errors : int or None
            Descriptor for standard error, where it is another.
        name : str
            What process listings and messages call it.

        Raises
        ------
        RunError
            If the warm process can't be reached, or refuses.
        """
        order = {
            "function": function,
            "env": dict(env),
            "cwd": str(cwd),
            "memory_bytes": memory_bytes,
            "umask": _umask(),
            "name": name,
        }
        with _descriptor(output) as out:
            files = [out, out if errors is None else errors]
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(_REPLY_SECONDS)
                connection.connect(str(self.address))
                if peer_of(connection)[1] != os.getuid():
                    raise PermissionError("the process there is another user's")
                send_request(connection, order, payload, files)
                return Task(connection, name)
            except BaseException as error:
                connection.close()
                if isinstance(error, OSError | ValueError):
                    raise _unreachable(self.address, error) from error
                raise

    def close(self) -> None:
        """End all tasks and the process itself, if this process started it."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None and not process.stdin.closed:
            process.stdin.close()
        try:
            process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> WarmProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@contextlib.contextmanager
def _descriptor(output: int | Path) -> Iterator[int]:
    if isinstance(output, int):
        yield output
        return
    with output.open("ab") as handle:
        yield handle.fileno()


def _umask() -> int | None:
    # os.umask can only be read by setting it, for all threads.
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return None


def _unreachable(address: Path, error: Exception) -> RunError:
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return RunError(
        Text(f"无法由预热进程派生任务：{why}", f"the warm process forked no task: {why}"),
        where=str(address),
        mend=Text(
            "它可能已被终止：重新运行；若仍失败，改用普通方式启动内核",
            "it may have been killed: run again; if it fails again, start kernels the ordinary way",
        ),
    )
