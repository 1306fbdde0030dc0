"""Parameters of the forecast's notebook: a misspelled name or a wrong type is refused at once."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from cps.errors import Text, UsageError, unknown_choice

# Names that a fresh kernel puts into the user's namespace.
_KERNEL_NAMES = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})
_DECLARED: dict[str, type] = {
    "data": str,
    "initiatives": str,
    "as_of": str,
    "area": str,
    "thresholds_wan": list,
    "past_years": int,
    "seed": int,
    "out": str,
}


def check_parameters(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Give the notebook's parameters, or refuse them.

    Call it as the first line after the parameters cell, with ``globals()``.

    Raises
    ------
    UsageError
        For a name that is not declared (with the nearest one), or a value of another type.
    """
    given = {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_")
        and name not in _KERNEL_NAMES
        and not isinstance(value, ModuleType)
    }
    where = "notebook › parameters"
    for name in given:
        if name not in _DECLARED:
            raise unknown_choice(Text("参数", "parameter"), name, _DECLARED, where=where)
    for name, kind in _DECLARED.items():
        value = given.get(name)
        # bool is an int to Python, not to a reader of the parameters.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UsageError(
                Text(
                    f"参数“{name}”应为 {kind.__name__}，现为 {value!r}",
                    f"parameter {name!r} must be {kind.__name__}, not {value!r}",
                ),
                where=where,
                mend=Text("改正参数的值", "correct the value given"),
            )
    return {
        **{name: given[name] for name in _DECLARED if name != "thresholds_wan"},
        "thresholds_wan": ",".join(f"{one:g}" for one in _amounts(given["thresholds_wan"], where)),
    }


def _amounts(values: list[Any], where: str) -> list[float]:
    if not values or not all(type(one) in (int, float) and one > 0 for one in values):
        raise UsageError(
            Text(f"{values!r} 不是以万元计的阈值", f"{values!r} is no list of thresholds in 万元"),
            where=f"{where} › thresholds_wan",
            mend=Text("写成如 [50, 100]", "write it as [50, 100]"),
        )
    return values
