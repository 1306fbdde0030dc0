"""What a run reports to machines: one JSON file, whatever the outcome."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from cps.errors import CpsError
from cps.provenance import write_json
from cps.runs import encode

NAME = "summary.json"


def write_summary(out: Path, body: dict[str, Any]) -> None:
    """Write ``out/summary.json``; a folder that can't be written keeps the one before."""
    with contextlib.suppress(OSError):
        write_json(out / NAME, encode(body))


def of_error(error: CpsError) -> dict[str, Any]:
    """Give an error's three parts as plain values."""
    return {
        "class": type(error).__name__,
        "what": encode(error.what),
        "where": error.where,
        "mend": encode(error.mend),
    }
