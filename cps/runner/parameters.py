"""Parameters of a notebook: refuse a misspelled name or a wrong type, before anything runs.

papermill only logs a parameter that the notebook does not know, and runs with the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cps.parameters import check_values, public_values


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
    return check_values(public_values(namespace), declared, where="notebook › parameters")
