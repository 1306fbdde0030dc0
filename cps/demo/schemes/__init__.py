"""Synthetic ledgers of the source's other schemes, each scheme a module, its truth kept apart."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from cps.demo import require_own
from cps.demo.schemes._record import Drawn
from cps.dropin import load_module, module_names
from cps.errors import Text, unknown_choice
from cps.provenance import sha256_file, write_json

FOLDER = Path(__file__).parent
PACKAGE = "cps.demo.schemes"
MODES: tuple[str, ...] = ("headline_true", "headline_spurious")
SEED = 20231231
_ATTEMPTS = 20
_KIND = Text("有示例台账的政策", "scheme with a synthetic ledger")


def list_scheme_ledgers() -> tuple[str, ...]:
    """List the schemes that have a synthetic ledger."""
    return tuple(module_names(FOLDER))


def draw_scheme(scheme: str, *, mode: str = "headline_true", seed: int = SEED) -> Drawn:
    """Draw one world of a scheme: outcomes with and without it, and the ledgers that record it.

    In ``headline_spurious`` the scheme changes nothing: what treated units gain on average in the
    other mode falls on all units alike, and the ledger's own headline figure moves as much. A draw
    that misses a published figure is drawn again.

    Raises
    ------
    UsageError
        If there is no such scheme or mode.
    """
    if mode not in MODES:
        raise unknown_choice(Text("模式", "mode"), mode, MODES, where="draw_scheme(mode=…)")
    module = load_module(PACKAGE, FOLDER, scheme, kind=_KIND)
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([seed, attempt, *scheme.encode()])
        drawn: Drawn = module.draw(rng, is_spurious=mode == MODES[1])
        if all(one.is_met for one in drawn.targets):
            return drawn
    raise RuntimeError(f"{scheme}, seed {seed}: no draw meets the published figures")


def write_scheme(
    scheme: str, folder: Path | str, *, mode: str = "headline_true", seed: int = SEED
) -> tuple[Path, ...]:
    """Write a scheme's synthetic ledgers with their sidecars, and, well apart, their truth.

    Parameters
    ----------
    scheme : str
        One of ``list_scheme_ledgers()``.
    folder : path
        Folder of all schemes' ledgers; the files go to ``folder/scheme``, which must be new, empty
        or of earlier demonstration ledgers. The truth goes to ``../../truth/<folder>/<scheme>.json``
        seen from ``folder``, where no reading code looks.
    mode : {"headline_true", "headline_spurious"}
    seed : int
        The same seed gives the same bytes.

    Raises
    ------
    UsageError
        If the scheme or mode is unknown, or the folder holds anything else.
    """
    from cps.demo.schemes._write import write_ledger

    drawn = draw_scheme(scheme, mode=mode, seed=seed)
    target = Path(folder).resolve() / scheme
    require_own(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{scheme}."))
    try:
        paths = [write_ledger(work, one, seed=seed) for one in drawn.ledgers]
        files = {path.name: sha256_file(path) for path in sorted(paths)}
        if target.exists():
            shutil.rmtree(target)
        work.chmod(0o755)
        work.rename(target)
        head = {"synthetic": True, "scheme": scheme, "mode": mode, "seed": seed}
        write_json(scheme_truth_path(folder, scheme), {**head, **drawn.truth(), "files": files})
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return tuple(target / name for name in files)


def scheme_truth_path(folder: Path | str, scheme: str) -> Path:
    """Give where the truth of a scheme's ledgers in ``folder`` is kept."""
    root = Path(folder).resolve()
    return root.parent.parent / "truth" / root.name / f"{scheme}.json"
