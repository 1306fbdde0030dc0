"""A kernel manager that talks over local sockets and remembers how its kernel ended."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.paths import jupyter_runtime_dir
from traitlets import Unicode, default

# What ended a kernel of this process by itself, in order; papermill keeps no record of it.
deaths: list[int] = []


class ObservedKernelManager(AsyncKernelManager):
    """As its parent, over Unix sockets where there are any, and it notes a kernel's exit status."""

    transport = Unicode("ipc" if os.name == "posix" else "tcp").tag(config=True)

    @default("ip")
    def _ip_default(self) -> str:
        if self.transport != "ipc":
            return "127.0.0.1"
        # Its own default is one name for all kernels of a folder: two at once would meet there.
        return str(Path(jupyter_runtime_dir()) / f"k{uuid.uuid4().hex[:12]}")

    async def is_alive(self) -> bool:  # type: ignore[override]
        """Say whether the kernel runs; notes the exit status once it does not."""
        if not self.owns_kernel:
            return True
        if not self.has_kernel or self.provisioner is None:
            return False
        status = await self.provisioner.poll()
        if status is None:
            return True
        deaths.append(status)
        return False
