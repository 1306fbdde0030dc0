"""The list of editions that lies above them, kept in step with what is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cps.provenance import sha256_file, sha256_json
from cps.runner.edition import RUNS, Edition, list_editions
from cps.runner.sealed import DamagedError, read_sealed, write_sealed

if TYPE_CHECKING:
    from cps.report.editions import ListedEdition

_SEAL = ".editions.json"
_FILES = ("index.html", f"{RUNS}/index.html")


def refresh_listing(out: Path) -> None:
    """Write the list of editions again if it is not that of what is there.

    It is written in every language that an edition of the folder has pages in, so that none goes
    on naming an older edition as the newest.
    """
    editions = list_editions(out)
    languages = list(dict.fromkeys(name for one in editions for name in _languages(one)))
    state = sha256_json([[one.folder.name, one.key] for one in editions])
    if not editions or _is_current(out, state):
        return
    from cps.report.editions import write_editions

    write_editions([_listed(one) for one in editions], out, languages=languages)
    write_sealed(out / RUNS / _SEAL, {"state": state, "files": _digests(out)})


def _listed(edition: Edition) -> ListedEdition:
    from cps.report.editions import ListedEdition

    data = edition.body["data"]
    return ListedEdition(
        folder=edition.folder.name,
        as_of=data["as_of"],
        data_sha256=data["sha256"],
        cps_version=edition.body["libraries"]["cps"],
        n_initiatives=len(edition.pieces) - 1,
        n_failures=len(edition.body["failures"]),
        is_complete=edition.is_complete,
        is_synthetic=data["is_synthetic"],
        languages=_languages(edition),
    )


def _languages(edition: Edition) -> tuple[str, ...]:
    return tuple(edition.body["order"]["languages"])


def _is_current(out: Path, state: str) -> bool:
    try:
        sealed = read_sealed(out / RUNS / _SEAL)
        return bool(sealed["state"] == state and sealed["files"] == _digests(out))
    except (DamagedError, KeyError, OSError):
        return False


def _digests(out: Path) -> dict[str, str]:
    return {name: sha256_file(out / name) for name in _FILES}
