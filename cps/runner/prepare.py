"""Freeze what a batch of runs reads: one panel and the initiatives, in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cps.design.initiatives import FOLDER as INITIATIVES
from cps.design.initiatives import load_initiatives
from cps.design.record import Initiative
from cps.errors import Text, unknown_choice
from cps.ledger.read import read_ledgers
from cps.panel.build import build_panel
from cps.panel.record import Panel
from cps.panel.store import save_panel
from cps.provenance import atomic_path

CORRECTIONS = Path(__file__).parents[2] / "data" / "corrections"


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What all runs of a batch share."""

    panel: Panel
    initiatives: tuple[Initiative, ...]  # all that are declared: others' hosts are no comparison
    chosen: tuple[str, ...]  # ids to run


def read_inputs(
    data: Path,
    *,
    initiatives: Path | None = None,
    only: Sequence[str] = (),
    units: Path | None = None,
) -> Inputs:
    """Read the ledgers and initiatives that a batch evaluates, before anything is written.

    Parameters
    ----------
    data : Path
        Ledger file, or folder of them.
    initiatives : Path or None
        Folder of initiative files; the shipped ones if None.
    only : sequence of str
        Ids to run; all if empty.
    units : Path or None
        Crosswalk of unit names; the shipped one if None.

    Raises
    ------
    UsageError
        If ``only`` names an initiative that is not declared; gives the nearest.
    LedgerError, PanelError, InitiativeError
        If the input can't be read without guessing.
    """
    declared = load_initiatives(initiatives)
    ids = [one.id for one in declared]
    for name in only:
        if name not in ids:
            raise unknown_choice(
                Text("共富项目", "initiative"), name, ids, where=str(initiatives or INITIATIVES)
            )
    corrections = CORRECTIONS if CORRECTIONS.is_dir() else None
    panel = build_panel(read_ledgers(data, corrections=corrections), units=units)
    return Inputs(panel, declared, tuple(only) or tuple(ids))


def save_inputs(inputs: Inputs, folder: Path, *, initiatives: Path | None = None) -> Path:
    """Write the panel, and copies of the initiative files, as the notebooks read them."""
    save_panel(inputs.panel, folder)
    for path in sorted((initiatives or INITIATIVES).glob("*.toml")):
        with atomic_path(folder / "initiatives" / path.name) as temporary:
            temporary.write_bytes(path.read_bytes())
    return folder
