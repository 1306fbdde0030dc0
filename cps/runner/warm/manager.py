"""A kernel manager for runs: no ports, and no waiting for silence before the first cell."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.paths import jupyter_runtime_dir
from traitlets import default

from cps.runner.warm.client import is_available
from cps.runner.warm.folders import private_folder
from cps.runner.warm.wire import fits_address

_RECONNECT_MILLISECONDS = 5
_ATTEMPT_SECONDS = (0.1, 1.0)  # the first, doubled up to the last


class QuickKernelClient(AsyncKernelClient):
    """A client that knows a kernel to be ready by its answer.

    jupyter_client's own waits until the kernel has said nothing for 0.2 s.
    """

    def start_channels(self, *args: bool, **kwargs: bool) -> None:
        """Connect to the kernel's sockets, again every few milliseconds until they are there."""
        # By default a socket that comes too early is tried again after 100 ms.
        self.context.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MILLISECONDS)
        super().start_channels(*args, **kwargs)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel has answered, and has published that it did.

        Raises
        ------
        RuntimeError
            If the kernel dies before, or ``timeout`` seconds pass.
        """
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        attempt, longest = _ATTEMPT_SECONDS
        while True:
            sent = self.kernel_info()
            # What is published is ordered: after this, nothing older is still on its way. A first
            # attempt can miss it, if the kernel answered before it knew of this subscriber.
            if await self._hears_reply(sent, attempt) and await self._hears_idle(sent, attempt):
                return
            attempt = min(2 * attempt, longest)
            if not await self._is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kernel didn't respond in {timeout:.0f} seconds")

    async def _hears_reply(self, sent: str, seconds: float) -> bool:
        try:
            while True:
                message = await self.get_shell_msg(timeout=seconds)
                if message["parent_header"].get("msg_id") == sent:
                    self._handle_kernel_info_reply(message)
                    return True
        except Empty:
            return False

    async def _hears_idle(self, sent: str, seconds: float) -> bool:
        try:
            while True:
                message = await self.get_iopub_msg(timeout=seconds)
                if (
                    message["parent_header"].get("msg_id") == sent
                    and message["content"].get("execution_state") == "idle"
                ):
                    return True
        except Empty:
            return False

    async def _is_alive(self) -> bool:
        manager: Any = self.parent
        return manager is None or await manager.is_alive()


class QuickKernelManager(AsyncKernelManager):
    """A manager of kernels that are reached by sockets in the file system, where that can be.

    For papermill: ``execute_notebook(…, kernel_manager_class=QuickKernelManager)``.
    """

    @default("connection_file")
    def _place_of_sockets(self) -> str:
        # Without a name, the sockets would lie in whatever folder the process is in.
        for folder in (Path(jupyter_runtime_dir()), private_folder()):
            if folder is None:
                continue
            path = folder / f"kernel-{uuid.uuid4().hex[:12]}.json"
            with contextlib.suppress(OSError):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if fits_address(f"{path.with_suffix('')}-ipc-5") and os.access(folder, os.W_OK):
                    return str(path)
        return ""

    @default("transport")
    def _transport(self) -> str:
        return "ipc" if is_available() and self.connection_file else "tcp"

    @default("client_factory")
    def _client_factory(self) -> type[QuickKernelClient]:
        return QuickKernelClient
