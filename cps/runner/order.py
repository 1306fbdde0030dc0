"""What a run was asked: everything that its results depend on besides code and input bytes."""

from __future__ import annotations

import dataclasses
import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Order:
    """One run's options, with its dates fixed when it starts.

    Parameters
    ----------
    data : str
        Ledger file or folder, absolute.
    initiatives, units, notebooks : str or None
        Folder of initiative files, crosswalk of names, folder with ``initiative.ipynb`` and
        ``overview.ipynb``; the shipped ones if None.
    only : tuple of str
        Initiative ids; all if empty.
    as_of : str or None
        ISO date; periods that end later are left out. None: nothing is left out.
    scheme : str or None
        File of another scheme, absolute: its ledgers and not those of villages are read then, and
        it is what is evaluated.
    today : str
        ISO date of the start; a ledger with later periods is refused. Not part of any key: what
        is accepted today is accepted later too.
    """

    data: str
    initiatives: str | None = None
    units: str | None = None
    notebooks: str | None = None
    only: tuple[str, ...] = ()
    outcome: str = "income_yuan"
    seed: int = 0
    languages: tuple[str, ...] = ("zh", "en")
    as_of: str | None = None
    scheme: str | None = None
    today: str = dataclasses.field(default_factory=lambda: datetime.date.today().isoformat())

    @property
    def parameters(self) -> dict[str, str | int]:
        """Give the notebooks' parameters that are no folders."""
        return {"outcome": self.outcome, "seed": self.seed}

    def as_json(self) -> dict[str, Any]:
        """Give plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Order:
        """Read back what :meth:`as_json` gave."""
        lists = {name: tuple(stored[name]) for name in ("only", "languages")}
        return cls(**{**stored, **lists})


def absolute(path: Path | str | None) -> str | None:
    """Give a path as it will still be right after a change of folder."""
    return None if path is None else str(Path(path).absolute())
