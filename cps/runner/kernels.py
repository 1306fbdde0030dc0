"""A kernel manager that remembers how its kernel ended, which papermill does not."""

from __future__ import annotations

from cps.runner.warm.manager import QuickKernelManager

# What ended a kernel of this process by itself, in order.
deaths: list[int] = []


class ObservedKernelManager(QuickKernelManager):
    """As its parent, and it notes a kernel's exit status."""

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
