"""What each piece of a run depends on, its key, and what changed between two such lists."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cps.design.record import Initiative
from cps.errors import Text
from cps.provenance import folder_digests, sha256_file, sha256_json
from cps.runner.local import versions
from cps.runs import code_sha256, encode

Components = dict[str, Any]

_NOT_READ = ("initiatives/", "notebooks/")
# Words about an initiative that no other initiative's result can depend on.
_PROSE = ("name", "description", "assumptions", "stands_for", "source_sha256", "provenance")


def made_with() -> Components:
    """Give what every piece depends on: our code, the libraries, the Python."""
    return {"code": code_sha256(), "libraries": versions(), "python": sys.version.split()[0]}


def panel_components(inputs: Mapping[str, str], as_of: str | None) -> Components:
    """Give what the panel depends on; initiatives and notebooks are no part of it."""
    read = {name: one for name, one in inputs.items() if not name.startswith(_NOT_READ)}
    return {**made_with(), "inputs": read, "as_of": as_of}


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


def what_changed(
    before: Components | None,
    after: Components,
    *,
    inputs_before: Mapping[str, str] | None = None,
    inputs_after: Mapping[str, str] | None = None,
) -> tuple[Text, ...]:
    """Say in words why a piece had to be run, each reason once; empty if nothing changed.

    Parameters
    ----------
    before, after : dict
        Components of the piece in the run before (None: there was none) and in this one.
    inputs_before, inputs_after : mapping of label to sha256
        To name the ledgers behind a changed panel.
    """
    if before is None:
        return (Text("上一版中没有它", "it was not in the run before"),)
    reasons: list[Text] = []
    for name in sorted(set(before) | set(after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if name == "panel":
            reasons += _changed_files(inputs_before or {}, inputs_after or {})
        elif name == "pieces":
            had, has = old or {}, new or {}
            changed = sorted(k for k in {*had, *has} if had.get(k) != has.get(k))
            reasons.append(Text(f"项目 {'、'.join(changed)}", f"initiatives {', '.join(changed)}"))
        elif isinstance(old, dict) and isinstance(new, dict):
            reasons += _changed_values(name, old, new)
        else:
            reasons.append(_WORDS.get(name, Text(name, name)))
    return tuple(reasons)


_WORDS = {
    "code": Text("cps 的代码", "the code of cps"),
    "initiative": Text("该项目的文件", "its own initiative file"),
    "others": Text("其他项目的承办村或起始期", "hosts or starts of other initiatives"),
    "notebook": Text("notebook", "the notebook"),
    "python": Text("Python 版本", "the version of Python"),
    "as_of": Text("数据截止日", "the as-of date"),
}


def _changed_files(old: Mapping[str, str], new: Mapping[str, str]) -> list[Text]:
    found = []
    for label in sorted({*old, *new}):
        if old.get(label) == new.get(label) or label.startswith(_NOT_READ):
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
    return found or [Text("面板", "the panel")]


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
