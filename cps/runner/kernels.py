"""A kernel manager that remembers how its kernel ended, which papermill does not."""

from __future__ import annotations

from typing import Any

from cps.runner.warm.manager import QuickKernelManager

_managers: list[QuickKernelManager] = []
# What ended a kernel of this process by itself, in order.
deaths: list[int] = []


class ObservedKernelManager(QuickKernelManager):
    """As its parent, and it notes a kernel's exit status."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        _managers.append(self)

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


def forget() -> bool:
    """Forget the kernels so far; False if one of them still runs."""
    is_over = not any(manager.has_kernel for manager in _managers)
    _managers.clear()
    deaths.clear()
    return is_over
