"""What an engine is asked and what it answers: one notebook with its inputs, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from cps.errors import Text

Value = str | int | float | bool | None
Kind = Literal["error", "timeout", "crashed", "memory", "incomplete", "refused"]

NOTEBOOK = "notebook.ipynb"  # the executed copy, in a piece's target folder
RUN = "run"  # what the notebook saved, in a piece's target folder


@dataclass(frozen=True, slots=True)
class Piece:
    """One notebook run, with all that it depends on.

    Parameters
    ----------
    name : str
        Initiative id, ``overview``, or what any other notebook's run is called.
    key : str
        sha256 over everything that the result depends on.
    notebook : Path
    parameters : dict
        The notebook's parameters but for its folders.
    folders : dict of str to Path
        Notebook parameter -> folder that it reads; never written to.
    timeout_seconds : float
        For the whole notebook.
    memory_bytes : int or None
        Address space of the kernel; no limit if None.
    """

    name: str
    key: str
    notebook: Path
    parameters: dict[str, Value] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    timeout_seconds: float = 600
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How one piece ended; ``message`` and ``kind`` are None if it ended well.

    Parameters
    ----------
    kind : {"error", "timeout", "crashed", "memory", "incomplete", "refused"} or None
        ``error``: a cell raised; ``crashed``: a process died; ``memory``: it ran out of memory;
        ``incomplete``: cells never ran, or nothing was saved; ``refused``: an error of ours that
        the user can mend.
    cell : int or None
        Number of the code cell, counted from 1, where it ended.
    attempts : int
        More than one after a process died under it.
    """

    name: str
    message: Text | None = None
    kind: Kind | None = None
    seconds: float = 0.0
    attempts: int = 1
    cell: int | None = None


class Engine(Protocol):
    """Runs pieces; several threads ask at once."""

    @property
    def slots(self) -> int:
        """Give how many pieces it can run at a time."""
        ...

    def run(self, piece: Piece, target: Path) -> Ended:
        """Run a piece into the new folder ``target``: ``notebook.ipynb`` and ``run/``."""
        ...

    def stop(self) -> None:
        """End what runs; calls of ``run`` then return soon."""
        ...
