"""What each piece of a run depends on, its key, and what changed between two such lists."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cps.design.record import Initiative
from cps.errors import Text
from cps.provenance import folder_digests, sha256_file, sha256_json
from cps.runner.doctor import declared_versions
from cps.runner.local import versions
from cps.runs import code_sha256, encode

Components = dict[str, Any]

_INITIATIVES = "initiatives/"
_NOT_READ = (_INITIATIVES, "notebooks/")  # by the panel
# Words about an initiative that no other initiative's result can depend on.
_PROSE = ("name", "description", "assumptions", "stands_for", "source_sha256", "provenance")


def made_with() -> Components:
    """Give what every piece depends on: our code, the libraries, the Python."""
    libraries = {**declared_versions(), **versions()}
    return {"code": code_sha256(), "libraries": libraries, "python": sys.version.split()[0]}


def panel_components(inputs: Mapping[str, str], as_of: str | None) -> Components:
    """Give what the panel depends on; initiatives and notebooks are no part of it."""
    return {**made_with(), "inputs": _read(inputs), "as_of": as_of}


def initiative_components(
    one: Initiative,
    declared: tuple[Initiative, ...],
    *,
    panel: Path,
    notebook: Path,
    parameters: Mapping[str, Any],
) -> Components:
    """Give what one initiative's run depends on.

    Of the other initiatives that is who hosts them and when, not how they are described.
    """
    others = [
        {key: value for key, value in encode(other).items() if key not in _PROSE}
        for other in declared
        if other.id != one.id
    ]
    return {
        **made_with(),
        "panel": _panel_digest(panel),
        "initiative": one.source_sha256,
        "others": sha256_json(others),
        "notebook": sha256_file(notebook),
        "parameters": {**parameters, "initiative": one.id},
    }


def overview_components(
    pieces: Mapping[str, str],
    failures: Mapping[str, Text],
    *,
    panel: Path,
    notebook: Path,
    facts: Path,
    parameters: Mapping[str, Any],
) -> Components:
    """Give what the overview depends on: every run, every failure, panel, initiatives, facts."""
    return {
        **made_with(),
        "panel": _panel_digest(panel),
        "initiatives": folder_digests(panel / "initiatives"),
        "facts": folder_digests(facts) if facts.is_dir() else {},
        "pieces": dict(pieces),
        "failures": {name: encode(text) for name, text in failures.items()},
        "notebook": sha256_file(notebook),
        "parameters": dict(parameters),
    }


def key_of(components: Components) -> str:
    """Give the key of what depends on ``components``."""
    return sha256_json(components)


def page_key(piece: str, languages: Sequence[str]) -> str:
    """Give the key of the pages that are rendered from the piece of key ``piece``."""
    return key_of({"page": piece, "languages": list(languages), **made_with()})


def what_changed(
    before: Components | None,
    after: Components,
    *,
    inputs_before: Mapping[str, str] | None = None,
    inputs_after: Mapping[str, str] | None = None,
    as_of: tuple[str | None, str | None] = (None, None),
) -> tuple[Text, ...]:
    """Say in words why a piece had to be run, each reason once; empty if nothing changed.

    Parameters
    ----------
    before, after : dict
        Components of the piece in the run before (None: there was none) and in this one.
    inputs_before, inputs_after : mapping of label to sha256
        To name the files behind a changed panel, and behind changed hosts of other initiatives.
    as_of : tuple of (before, after)
        Dates up to which data were taken.
    """
    if before is None:
        return (Text("上一版中没有此项", "it was not in the run before"),)
    had, has = inputs_before or {}, inputs_after or {}
    reasons: list[Text] = []
    for name in sorted(set(before) | set(after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if name == "panel":
            reasons += _changed_panel(had, has, as_of)
        elif name == "others":
            own = f"{_INITIATIVES}{after['parameters']['initiative']}.toml"
            reasons.append(_changed_others(had, has, own))
        elif name == "pieces":
            reasons += _changed_pieces(old or {}, new or {})
        elif isinstance(old, dict) and isinstance(new, dict):
            reasons += _changed_values(name, old, new)
        else:
            reasons.append(_WORDS.get(name, Text(name, name)))
    return tuple(reasons)


_WORDS = {
    "code": Text("cps 的代码", "the code of cps"),
    "initiative": Text("该项目的文件", "its own initiative file"),
    "notebook": Text("notebook", "the notebook"),
    "python": Text("Python 版本", "the version of Python"),
}


def _changed_panel(
    old: Mapping[str, str], new: Mapping[str, str], as_of: tuple[str | None, str | None]
) -> list[Text]:
    found = _changed_files(_read(old), _read(new))
    if as_of[0] != as_of[1]:
        dates = " → ".join(one or "-" for one in as_of)
        found.append(Text(f"数据截止日: {dates}", f"as-of date: {dates}"))
    return found or [Text("面板", "the panel")]


def _changed_others(old: Mapping[str, str], new: Mapping[str, str], own: str) -> Text:
    """Name the files of other initiatives that changed; which of them moved a host, nobody kept."""
    labels = sorted(
        label.removeprefix(_INITIATIVES)
        for label in {*old, *new}
        if label.startswith(_INITIATIVES) and label != own and old.get(label) != new.get(label)
    )
    return Text(
        "其他项目的承办村或起始期" + (f"（{'、'.join(labels)}）" if labels else ""),
        "hosts or starts of other initiatives" + (f" ({', '.join(labels)})" if labels else ""),
    )


def _changed_pieces(old: Mapping[str, str], new: Mapping[str, str]) -> list[Text]:
    found = []
    for names, zh, en in (
        (old.keys() & new.keys(), "项目", "initiatives"),
        (new.keys() - old.keys(), "新增项目", "initiatives added"),
        (old.keys() - new.keys(), "不再评估的项目", "initiatives left out"),
    ):
        changed = sorted(name for name in names if old.get(name) != new.get(name))
        if changed:
            found.append(Text(f"{zh} {'、'.join(changed)}", f"{en} {', '.join(changed)}"))
    return found


def _read(inputs: Mapping[str, str]) -> dict[str, str]:
    """Give those inputs that the panel is made from."""
    return {label: one for label, one in inputs.items() if not label.startswith(_NOT_READ)}


def _changed_files(old: Mapping[str, str], new: Mapping[str, str]) -> list[Text]:
    found = []
    for label in sorted({*old, *new}):
        if old.get(label) == new.get(label):
            continue
        how = (
            Text("新增", "added")
            if label not in old
            else Text("已删除", "removed")
            if label not in new
            else Text(
                f"{old[label][:8]} → {new[label][:8]}", f"{old[label][:8]} → {new[label][:8]}"
            )
        )
        found.append(Text(f"{label}（{how.zh}）", f"{label} ({how.en})"))
    return found


def _changed_values(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Text]:
    if name == "failures":
        return [Text("未完成的项目", "which initiatives failed")]
    found = []
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            change = f"{key}: {_short(old.get(key))} → {_short(new.get(key))}"
            found.append(Text(change, change))
    return found


def _short(value: Any) -> str:
    text = "-" if value is None else str(value)
    return f"{text[:8]}…" if len(text) == 64 else text


def _panel_digest(panel: Path) -> str:
    return sha256_json(
        {name: sha256_file(panel / name) for name in ("panel.parquet", "panel.json")}
    )
