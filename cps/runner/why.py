"""What made each piece of a run run: the difference between two editions, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cps.errors import RunError, Text, UsageError, nearest
from cps.runner.edition import Edition, list_editions, read_edition
from cps.runner.keys import Components, what_changed
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
    known = [one.folder.name for one in list_editions(out)]
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


def changes(
    before: Edition | None,
    name: str,
    components: Components,
    *,
    inputs: Mapping[str, str],
    as_of: str | None,
) -> tuple[Text, ...]:
    """Say what a piece has that is different from the edition before; empty if nothing has."""
    earlier = before.pieces.get(name, {}) if before else {}
    return what_changed(
        earlier.get("components"),
        components,
        inputs_before=before.body["inputs"] if before else {},
        inputs_after=inputs,
        as_of=(before.body["order"]["as_of"] if before else None, as_of),
    )


def reasons(edition: Edition, before: Edition | None) -> tuple[Reason, ...]:
    """Say for each piece of ``edition``, and for its pages, what is different from ``before``."""
    body = edition.body
    pieces = [
        Reason(
            name,
            one["status"],
            changes(
                before,
                name,
                one["components"],
                inputs=body["inputs"],
                as_of=body["order"]["as_of"],
            ),
        )
        for name, one in edition.pieces.items()
    ]
    told = _changed_languages(before, edition)
    return (*pieces, Reason("pages", "run", told)) if told else tuple(pieces)


def _changed_languages(before: Edition | None, edition: Edition) -> tuple[Text, ...]:
    if before is None:
        return ()
    old, new = (", ".join(one.body["order"]["languages"]) for one in (before, edition))
    if old == new:
        return ()
    return (Text(f"语言: {old} → {new}", f"languages: {old} → {new}"),)
