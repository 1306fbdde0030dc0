"""What came of a run: its pieces and why they ran, warnings, times; for manifest and summary."""

from __future__ import annotations

import datetime
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cps.errors import Text
from cps.runner.edition import Edition
from cps.runner.engine import Ended
from cps.runner.keys import Components, key_of, made_with
from cps.runner.order import Order
from cps.runner.why import changes
from cps.runs import encode

Say = Callable[[Text], None]
Progress = Callable[[int, int], None]
_TOLD = ("status", "kind", "reason", "why", "seconds", "attempts")


def now() -> str:
    """Give the time as ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@dataclass(slots=True)
class Record:
    """Grows while a run goes on.

    Parameters
    ----------
    say : callable
        Takes each line.
    progress : callable
        Takes how many of how many initiatives have ended.
    status : str
        ``published``, ``unchanged``, ``failed``, ``rejected`` or ``interrupted``.
    """

    say: Say
    progress: Progress
    status: str = "published"
    error: dict[str, Any] | None = None
    pieces: dict[str, dict[str, Any]] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    warnings: list[Text] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    is_begun: bool = False
    as_of: str | None = None
    started: str = field(default_factory=now)
    _before: Edition | None = None
    _begun: float = field(default_factory=time.monotonic)
    _lap: float = field(default_factory=time.monotonic)

    def begin(
        self, inputs: Mapping[str, str], before: Edition | None, *, as_of: str | None
    ) -> None:
        """Note what goes in, and the edition that this one follows."""
        self.inputs, self._before, self.is_begun = dict(inputs), before, True
        self.as_of = as_of

    def plan(self, name: str, components: Components, *, is_kept: bool) -> None:
        """Note that a piece is to be run, and why, or is taken from an earlier run."""
        reasons = changes(self._before, name, components, inputs=self.inputs, as_of=self.as_of)
        self.pieces[name] = {
            "status": "kept" if is_kept else "run",
            "key": key_of(components),
            "components": components,
            "why": [encode(one) for one in reasons],
        }

    def ended(self, name: str, ended: Ended) -> None:
        """Note how a piece that was run ended."""
        noted = self.pieces[name]
        noted |= {"seconds": round(ended.seconds, 2), "attempts": ended.attempts}
        if ended.message is not None:
            reason = encode(ended.message)
            noted |= {"status": "failed", "kind": ended.kind, "reason": reason}

    def warn(self, text: Text) -> None:
        """Say something that a reader of the results should know, and keep it."""
        self.warnings.append(text)
        self.say(Text(f"提示：{text.zh}", f"note: {text.en}"))

    def lap(self, name: str) -> None:
        """Note the wall time since the last lap."""
        at = time.monotonic()
        self.seconds[name] = round(at - self._lap, 3)
        self._lap = at

    def named(self, status: str) -> tuple[str, ...]:
        """Give the initiatives of a status."""
        return tuple(
            name
            for name, one in self.pieces.items()
            if one["status"] == status and name != "overview"
        )

    def manifest(
        self,
        order: Order,
        *,
        key: str,
        panel: str,
        failures: Mapping[str, Text],
        data: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Give what an edition keeps of how it was made."""
        return {
            "key": key,
            "order": order.as_json(),
            "inputs": self.inputs,
            "panel": panel,
            "data": dict(data),
            **made_with(),
            "pieces": self.pieces,
            "failures": {name: encode(text) for name, text in failures.items()},
            "is_complete": not failures,
            **self._circumstances(),
        }

    def summary(self, order: Order, *, exit_code: int, edition: str | None) -> dict[str, Any]:
        """Give what is reported to machines, whatever the outcome."""
        return {
            "status": "partial" if exit_code == 3 and self.status == "published" else self.status,
            "exit_code": exit_code,
            "edition": edition,
            "as_of": order.as_of,
            "initiatives": [
                {"id": name, **{key: one.get(key) for key in _TOLD}}
                for name, one in self.pieces.items()
                if name != "overview"
            ],
            "error": self.error,
            **self._circumstances(),
        }

    def _circumstances(self) -> dict[str, Any]:
        # By the steady clock: the wall clock may have been set meanwhile.
        total = time.monotonic() - self._begun
        finished = datetime.datetime.fromisoformat(self.started) + datetime.timedelta(0, total)
        return {
            "warnings": [encode(one) for one in self.warnings],
            "seconds": {**self.seconds, "total": round(total, 3)},
            "started": self.started,
            "finished": finished.isoformat(timespec="seconds"),
            "host": platform.node(),
        }
