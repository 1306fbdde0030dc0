"""The Jupyter kernel provisioner that forks a kernel instead of starting one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from cps.errors import CpsError, Text, UsageError
from cps.runner.warm.client import Task, WarmProcess, is_available
from cps.runner.warm.shared import shared_warm

# Address of a run's own warm process.
ADDRESS_VARIABLE = "CPS_WARM"
_LAUNCHER = ["-m", "ipykernel_launcher"]
_KNOWN = frozenset({"env", "cwd", "stdin", "stdout", "stderr", "independent", "kernel_id"})
_KILL_SECONDS = 10.0


class ForkProvisioner(LocalProvisioner):
    """Fork kernels from a warm process; start them the ordinary way where that is not possible.

    With the variable ``CPS_WARM`` in the kernel's environment, the warm process is the one at that
    address; otherwise it is the user's own, started on demand.
    """

    process: Any

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork the kernel that ``cmd`` names, or start it the ordinary way and say why."""
        try:
            _refuse_what_a_fork_cannot_honour(cmd, kwargs)
            task = await self._fork(cmd, kwargs)
        except CpsError as error:
            self.log.warning("kernel started the ordinary way, not forked: %s", error)
            return await super().launch_kernel(cmd, **kwargs)
        self.process = ForkedKernel(task)
        self.pid = self.pgid = task.pid
        self.cwd = kwargs.get("cwd") or Path.cwd()
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait until the kernel and everything it started have ended."""
        if not isinstance(self.process, ForkedKernel):
            return await super().wait()
        status = await self.process.ended()
        self.process = None
        return status

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group; SIGKILL goes to all that it started."""
        if isinstance(self.process, ForkedKernel):
            self.process.send_signal(signum)
        else:
            await super().send_signal(signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel and everything it started."""
        if not isinstance(self.process, ForkedKernel):
            await super().kill(restart)
            return
        self.process.kill()
        # The manager polls ten times a second; by then nothing is left to wait for.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.process.ended(), _KILL_SECONDS)

    async def terminate(self, restart: bool = False) -> None:
        """Ask the kernel's process group to end."""
        await self.send_signal(signal.SIGTERM)

    async def _fork(self, cmd: list[str], kwargs: Mapping[str, Any]) -> Task:
        env = dict(kwargs.get("env") or os.environ)
        if not kwargs.get("independent"):
            env["JPY_PARENT_PID"] = str(os.getpid())
        address = env.get(ADDRESS_VARIABLE)
        if address:
            warm = WarmProcess(Path(address))
        else:
            # It may have to be started first; the server that asks must go on meanwhile.
            warm = await asyncio.get_running_loop().run_in_executor(None, shared_warm)
        with _streams(kwargs) as (output, errors):
            return warm.fork(
                "cps.runner.warm.kernel:run_kernel",
                json.dumps(cmd[3:]).encode(),
                env=env,
                cwd=Path(kwargs.get("cwd") or Path.cwd()),
                memory_bytes=_own_memory_limit(),
                output=output,
                errors=errors,
                name="cps-kernel",
            )


class ForkedKernel:
    """A forked kernel with the face of a ``subprocess.Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, task: Task) -> None:
        self._task = task
        self.pid = task.pid

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        """Give the exit code if the kernel has ended."""
        return self._task.wait(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit code; raises TimeoutExpired as subprocess does."""
        status = self._task.wait(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
        return status

    async def ended(self) -> int:
        """Wait for the exit code without holding the event loop."""
        while (status := self.poll()) is None:
            # A descriptor of its own: several may wait at once.
            descriptor = os.dup(self._task.fileno())
            readable = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.add_reader(descriptor, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(descriptor)
                os.close(descriptor)
        return status

    def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group."""
        if signum == signal.SIGKILL:
            self._task.kill()
        else:
            self._task.signal(signum, group=True)

    def kill(self) -> None:
        """Kill the kernel and everything it started."""
        self._task.kill()

    def terminate(self) -> None:
        """Send SIGTERM to the kernel's process group."""
        self.send_signal(signal.SIGTERM)


def _refuse_what_a_fork_cannot_honour(cmd: list[str], kwargs: Mapping[str, Any]) -> None:
    reason = None
    if not is_available():
        reason = Text("本系统不支持派生内核", "kernels can't be forked on this system")
    elif cmd[1:3] != _LAUNCHER or not _is_this_interpreter(cmd[0]):
        reason = Text(
            "内核命令不是本环境的 ipykernel", "the command is not this environment's ipykernel"
        )
    elif kwargs.get("independent"):
        reason = Text("要求内核独立存活", "the kernel is to outlive its client")
    elif unknown := [name for name, value in kwargs.items() if name not in _KNOWN and value]:
        reason = Text(f"启动选项 {unknown}", f"options of the start: {unknown}")
    elif subprocess.PIPE in [kwargs.get(name) for name in ("stdin", "stdout", "stderr")]:
        reason = Text("要求以管道连接", "a pipe is asked for")
    if reason is not None:
        raise UsageError(
            reason,
            where=" ".join(cmd[:3]),
            mend=Text("无需处理", "nothing needs mending"),
        )


def _is_this_interpreter(command: str) -> bool:
    return os.path.abspath(command) == os.path.abspath(sys.executable)


@contextlib.contextmanager
def _streams(kwargs: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Give the descriptors for output and errors, as subprocess would have them."""
    nothing = os.open(os.devnull, os.O_WRONLY)

    def resolve(given: Any, own: int) -> int:
        if given is None:
            return own if _is_open(own) else nothing
        if given == subprocess.DEVNULL:
            return nothing
        return given if isinstance(given, int) else int(given.fileno())

    try:
        output = resolve(kwargs.get("stdout"), 1)
        errors = kwargs.get("stderr")
        yield output, output if errors == subprocess.STDOUT else resolve(errors, 2)
    finally:
        os.close(nothing)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _own_memory_limit() -> int | None:
    """Give the limit of address space that a child of this process would inherit."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
