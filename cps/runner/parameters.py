"""Parameters of a notebook: refuse a misspelled name or a wrong type, before anything runs.

papermill only logs a parameter that the notebook does not know, and runs with the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from cps.errors import Text, UsageError, unknown_choice

# Names that a fresh kernel puts into the user's namespace.
_KERNEL_NAMES = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})


def check_parameters(
    namespace: Mapping[str, Any],
    *,
    initiative: type = str,
    panel: type = str,
    outcome: type = str,
    seed: type = int,
    out: type = str,
    runs: type | None = None,
) -> dict[str, str | int | float | bool | None]:
    """Give the notebook's parameters, or refuse them.

    Call it as the first line after the parameters cell, with ``globals()``: every public name
    that stands there by then is a parameter, and must be one that the notebook declares.

    Parameters
    ----------
    namespace : mapping
        ``globals()`` of the notebook.
    initiative, panel, outcome, seed, out : type
        The declared parameters and their types.
    runs : type or None
        Folder of the initiatives' runs, declared by the overview only.

    Raises
    ------
    UsageError
        For a name that is not declared (with the nearest one), or a value of another type.
    """
    declared = {
        "initiative": initiative,
        "panel": panel,
        "outcome": outcome,
        "seed": seed,
        "out": out,
    }
    if runs is not None:
        declared = {"runs": runs, **declared}
        del declared["initiative"]
    return check_values(_public(namespace), declared, where="notebook › parameters")


def check_values(
    values: Mapping[str, Any], declared: Mapping[str, type], *, where: str
) -> dict[str, str | int | float | bool | None]:
    """Hold ``values`` against the declared names and types.

    Raises
    ------
    UsageError
        For a name that is not declared, a name that is missing, or a value of another type.
    """
    for name in values:
        if name not in declared:
            raise unknown_choice(Text("参数", "parameter"), name, declared, where=where)
    for name, kind in declared.items():
        if name not in values:
            raise UsageError(
                Text(f"缺少参数“{name}”", f"parameter {name!r} is missing"),
                where=where,
                mend=Text(f"给出 {name}（{kind.__name__}）", f"give {name} ({kind.__name__})"),
            )
        value = values[name]
        # bool is an int to Python, not to a reader of the parameters.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UsageError(
                Text(
                    f"参数“{name}”应为 {kind.__name__}，现为 {type(value).__name__}：{value!r}",
                    f"parameter {name!r} must be {kind.__name__}, not "
                    f"{type(value).__name__}: {value!r}",
                ),
                where=where,
                mend=Text("改正参数的值", "correct the value given"),
            )
    return dict(values)


def _public(namespace: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_")
        and name not in _KERNEL_NAMES
        and not isinstance(value, ModuleType)
    }
