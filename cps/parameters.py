"""Values of named parameters held against what was declared: names, nearest names and types."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from cps.errors import Text, UsageError, unknown_choice

# Names that a fresh kernel puts into the user's namespace.
_KERNEL_NAMES = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})


def public_values(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a notebook's parameters cell has put into its namespace."""
    return {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_")
        and name not in _KERNEL_NAMES
        and not isinstance(value, ModuleType)
    }


def check_values(
    values: Mapping[str, Any], declared: Mapping[str, type], *, where: str
) -> dict[str, Any]:
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
