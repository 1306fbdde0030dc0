"""Failures: why an initiative has no run, kept where its run would lie."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from cps.errors import RunError, Text
from cps.provenance import write_json
from cps.runs.codec import encode
from cps.runs.store import SCHEMA

FailureKind = Literal["error", "timeout", "crashed", "incomplete", "memory", "refused"]
KINDS: tuple[str, ...] = get_args(FailureKind)
_LONGEST_TAIL = 2000
# What differs between two runs that fail alike: colours, process ids, addresses of objects.
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PASSING = (
    (re.compile(r"(?:[^\s\"'<>(]*/)?ipykernel_\d+/\d+\.py"), "notebook"),
    (re.compile(r"\b0x[0-9a-f]{6,}\b"), "0x…"),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an initiative has no run.

    Parameters
    ----------
    name : str
        Initiative id.
    message : Text
    kind : {"error", "timeout", "crashed", "incomplete", "memory", "refused"}
        A cell raised; time ran out; the kernel died; cells never ran or nothing was saved;
        memory ran out; the input was refused.
    cell : int or None
        The code cell that failed, counted from 1 as the notebook shows it.
    exception : str or None
        Class of the error that was raised.
    tail : str or None
        The end of what was printed.
    """

    name: str
    message: Text
    kind: FailureKind = "error"
    cell: int | None = None
    exception: str | None = None
    tail: str | None = None


def save_failure(
    name: str,
    message: Text,
    folder: Path | str,
    *,
    kind: FailureKind = "error",
    cell: int | None = None,
    exception: str | None = None,
    tail: str | None = None,
    roots: Sequence[Path | str] = (),
) -> Path:
    """Record in ``folder`` that the run called ``name`` failed, and why.

    Parameters
    ----------
    kind, cell, exception, tail
        As in :class:`Failure`.
    roots : sequence of path
        Folders of this one run: paths in the texts are given from there, so that the same
        failure reads the same wherever and whenever it happens.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of failure: {', '.join(KINDS)}")
    shown = Failure(
        name,
        Text(_lasting(message.zh, roots), _lasting(message.en, roots)),
        kind,
        cell,
        exception,
        None if tail is None else _lasting(tail, roots)[-_LONGEST_TAIL:],
    )
    path = Path(folder) / "failure.json"
    write_json(path, {"schema": SCHEMA, **encode(shown)})
    return path


def load_failures(folder: Path | str) -> dict[str, Text]:
    """Read why runs in the sub-folders of ``folder`` failed, by name."""
    return {one.name: one.message for one in load_failure_records(folder)}


def load_failure_records(folder: Path | str) -> tuple[Failure, ...]:
    """Read all that is known of the failures in the sub-folders of ``folder``, by folder."""
    return tuple(load_failure(path.parent) for path in sorted(Path(folder).glob("*/failure.json")))


def load_failure(folder: Path | str) -> Failure:
    """Read one failure back; a field that it lacks is unknown.

    Raises
    ------
    RunError
        If it is damaged.
    """
    path = Path(folder) / "failure.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        known = {key: stored[key] for key in ("cell", "exception", "tail") if key in stored}
        kind: FailureKind = stored["kind"] if stored.get("kind") in KINDS else "error"
        return Failure(stored["name"], Text(**stored["message"]), kind, **known)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            Text(f"失败记录已损坏：{error}", f"the record of a failure is damaged: {error}"),
            where=str(path),
            mend=Text("重新运行该项目", "run the initiative again"),
        ) from error


def _lasting(text: str, roots: Sequence[Path | str]) -> str:
    text = _ANSI.sub("", text)
    for root in sorted((str(one).rstrip("/\\") for one in roots), key=len, reverse=True):
        if root:
            text = text.replace(f"{root}/", "").replace(f"{root}\\", "").replace(root, ".")
    for pattern, instead in _PASSING:
        text = pattern.sub(instead, text)
    return text
