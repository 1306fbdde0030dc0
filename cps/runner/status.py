"""How the last run ended, who runs now, and whether the last success is too long ago."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cps.runner.lock import holder
from cps.runner.summary import NAME
from cps.runner.work import Work


@dataclass(frozen=True, slots=True)
class Status:
    """State of an output folder.

    Parameters
    ----------
    running : dict or None
        pid, host and start of a run that goes on.
    interrupted : dict or None
        State of a run that did not end, and is not running.
    last : dict or None
        Summary of the last run that ended.
    last_success : str or None
        When a run last ended with status 0; ISO 8601, UTC.
    age_seconds : float or None
        Since then; negative if the clock was set back.
    """

    running: dict[str, Any] | None
    interrupted: dict[str, Any] | None
    last: dict[str, Any] | None
    last_success: str | None
    age_seconds: float | None

    def is_overdue(self, most_seconds: float) -> bool:
        """Say whether the last success is older than allowed, unknown, or in the future."""
        return self.age_seconds is None or not 0 <= self.age_seconds <= most_seconds


def read_status(out: Path) -> Status:
    """Read the state of an output folder; takes no lock and writes nothing."""
    running = holder(out)
    last = _last(out)
    success, age = _success(last or {})
    left = Work(out).interrupted() if running is None else None
    return Status(running, left, last, success, age)


def _success(last: dict[str, Any]) -> tuple[str | None, float | None]:
    """Give when a run last succeeded and how long ago; what is no time counts as never."""
    try:
        success = str(last["last_success"])
        at = datetime.datetime.fromisoformat(success)
        return success, (datetime.datetime.now(datetime.UTC) - at).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None, None


def _last(out: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((out / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
