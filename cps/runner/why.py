"""What made each piece of a run run: the difference between two editions, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cps.errors import RunError, Text, UsageError, nearest
from cps.runner.edition import COMPLETE, LATEST, Edition, list_editions, read_edition
from cps.runner.keys import what_changed
from cps.runner.sealed import DamagedError


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a piece was run, or that it was not; ``changes`` is empty for one that was kept."""

    name: str
    status: str
    changes: tuple[Text, ...]


def find_edition(out: Path, name: str) -> Edition:
    """Find an edition by folder, name, ``latest`` or ``complete``.

    Raises
    ------
    UsageError
        If there is none of that name.
    RunError
        If its manifest is damaged.
    """
    known = [one.folder.name for one in list_editions(out)]
    given = Path(name)
    for folder in (out / name, out / "runs" / name, given):
        if (folder / "manifest.json").exists():
            try:
                return read_edition(folder)
            except DamagedError as error:
                raise RunError(
                    Text(f"清单已损坏：{error}", f"the manifest is damaged: {error}"),
                    where=str(folder / "manifest.json"),
                    mend=Text("重新运行 cps run", "run cps run again"),
                ) from error
    near = nearest(name, known)
    raise UsageError(
        Text(f"没有名为“{name}”的运行", f"there is no run named {name!r}"),
        where=str(out),
        mend=Text(
            f"{f'是否想写“{near}”？' if near else ''}可选：{'、'.join(known) or '（尚无）'}",
            f"{f'did you mean {near!r}? ' if near else ''}choose one of: "
            f"{', '.join(known) or '(none yet)'}",
        ),
    )


def edition_before(out: Path, edition: Edition) -> Edition | None:
    """Give the edition that ``edition`` followed, or None."""
    earlier = None
    for one in list_editions(out):
        if one.folder == edition.folder:
            return earlier
        earlier = one
    return None


def reasons(edition: Edition, before: Edition | None) -> tuple[Reason, ...]:
    """Say for each piece of ``edition`` what is different from ``before``."""
    earlier: Mapping[str, Any] = before.pieces if before else {}
    return tuple(
        Reason(
            name,
            one["status"],
            what_changed(
                earlier.get(name, {}).get("components"),
                one["components"],
                inputs_before=before.body["inputs"] if before else {},
                inputs_after=edition.body["inputs"],
            ),
        )
        for name, one in edition.pieces.items()
    )


__all__ = ["COMPLETE", "LATEST", "Reason", "edition_before", "find_edition", "reasons"]
