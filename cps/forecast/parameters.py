"""Parameters of the forecast's notebook: a misspelled name or a wrong type is refused at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cps.errors import Text, UsageError
from cps.parameters import check_values, public_values

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
    where = "notebook › parameters"
    given = check_values(public_values(namespace), _DECLARED, where=where)
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
