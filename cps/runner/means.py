"""How a run is carried out: workers, limits, kernels, cluster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Means:
    """How a run is carried out; nothing of it changes a result.

    Parameters
    ----------
    workers : int
        Notebooks at a time.
    timeout_seconds : float
        For one notebook.
    memory_bytes : int or None
        Address space of one kernel.
    is_cold : bool
        Start each kernel from nothing.
    kernel : str or None
        An installed kernelspec in place of this very Python.
    cluster : str or None
        Address of a dask.distributed scheduler.
    """

    workers: int = 2
    timeout_seconds: float = 600
    memory_bytes: int | None = None
    is_cold: bool = False
    kernel: str | None = None
    cluster: str | None = None
