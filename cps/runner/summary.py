"""What a run reports to machines: one JSON file, whatever the outcome."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from cps.errors import CpsError
from cps.provenance import write_json
from cps.runs import encode

NAME = "summary.json"


def write_summary(out: Path, body: dict[str, Any]) -> None:
    """Write ``out/summary.json``; a folder that can't be written keeps the one before.

    When a run last ended with status 0 is carried from one summary to the next.
    """
    success = body["finished"] if body["exit_code"] == 0 else _last_success(out)
    with contextlib.suppress(OSError):
        write_json(out / NAME, encode({**body, "last_success": success}))


def write_refusal(path: Path, error: CpsError) -> None:
    """Write the summary of a run that never began."""
    body = {"status": "failed", "exit_code": error.exit_code, "error": of_error(error)}
    write_json(path, body)


def _last_success(out: Path) -> str | None:
    try:
        found = json.loads((out / NAME).read_text(encoding="utf-8"))["last_success"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def of_error(error: CpsError) -> dict[str, Any]:
    """Give an error's three parts as plain values."""
    return {
        "class": type(error).__name__,
        "what": encode(error.what),
        "where": error.where,
        "mend": encode(error.mend),
    }
