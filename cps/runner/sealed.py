"""JSON files that prove themselves whole, and folders that are checked against such a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cps.provenance import folder_digests, sha256_json, write_json


class DamagedError(Exception):
    """What was stored is not what is there; it is made anew, never trusted."""


def write_sealed(path: Path, body: dict[str, Any]) -> None:
    """Write ``body`` with its own sha256, atomically."""
    write_json(path, {"sha256": sha256_json(body), "body": body})


def read_sealed(path: Path) -> dict[str, Any]:
    """Read what :func:`write_sealed` wrote.

    Raises
    ------
    DamagedError
        If it is missing, cut short, foreign, or any bit of it changed.
    """
    try:
        stored = json.loads(path.read_bytes())
        body, digest = stored["body"], stored["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(f"{path.name}: {error}") from error
    if not isinstance(body, dict) or sha256_json(body) != digest:
        raise DamagedError(f"{path.name}: not what was saved")
    return body


def seal_folder(folder: Path, name: str, body: dict[str, Any]) -> None:
    """Write ``folder/name`` last, with the sha256 of every other file of the folder."""
    write_sealed(folder / name, {**body, "files": folder_digests(folder, without={name})})


def read_folder(folder: Path, name: str) -> dict[str, Any]:
    """Check a sealed folder file by file; give the body of its seal.

    Raises
    ------
    DamagedError
        If a file is missing, changed or foreign; names it.
    """
    body = read_sealed(folder / name)
    try:
        found = folder_digests(folder, without={name})
    except OSError as error:
        raise DamagedError(f"{folder.name}: {error}") from error
    wrong = sorted(set(found.items()) ^ set(body["files"].items()))
    if wrong:
        raise DamagedError(f"{wrong[0][0]}: not the file that was saved")
    return body
