"""Run the checks that apply to an effect."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from types import ModuleType
from typing import Any

from cps.design.record import Design
from cps.dropin import load_modules, module_names
from cps.errors import DesignError, Text, UsageError, unknown_choice
from cps.estimators._options import settle
from cps.result import Check, Effect

FOLDER = Path(__file__).parent
PACKAGE = "cps.robustness"
_NOT_CHECKS = ("registry",)
Cell = float | int | str | None
Options = Mapping[str, Mapping[str, str | float]]


def list_checks(folder: Path | None = None) -> tuple[str, ...]:
    """List the checks of the package, and those that lie in ``folder``."""
    return tuple(sorted(_modules(folder)))


def check_robustness(
    design: Design,
    effect: Effect,
    *,
    seed: int = 0,
    names: Sequence[str] | None = None,
    options: Options | None = None,
    folder: Path | None = None,
) -> tuple[Check, ...]:
    """Run every check that applies, or those named.

    A check that the data can't bear has no verdict (None), and says why.

    Parameters
    ----------
    design : Design
    effect : Effect
        Of this design: its method and options are what is checked.
    names : sequence of str or None
        Checks to run; all if None.
    options : mapping or None
        Options by check, such as ``{"honest_did": {"mbar": "0.5,1,2", "target": "first"}}``; a
        check offers what its module's ``OPTIONS`` holds.
    folder : Path or None
        Folder with further check modules.

    Raises
    ------
    UsageError
        If a check, an option or a value is unknown, or the effect is another design's.
    """
    if effect.design_hash != design.design_hash:
        raise UsageError(
            Text("该效应不是由这个设计估计的", "the effect was not estimated from this design"),
            where=f"check_robustness({design.name}, {effect.initiative})",
            mend=Text("用同一个设计重新估计", "estimate it from this design"),
        )
    modules = _modules(folder)
    for name in names or ():
        if name not in modules:
            raise unknown_choice(Text("检验", "check"), name, modules, where="check_robustness")
    chosen = list(names if names is not None else modules)
    given = options or {}
    for name in given:
        if name not in chosen:
            kind = Text("检验", "check") if name not in modules else _NOT_RUN
            raise unknown_choice(kind, name, chosen, where="check_robustness › options")
    settled = {
        name: settle(
            getattr(modules[name], "OPTIONS", {}),
            given.get(name, {}),
            where=f"check_robustness › {name}",
        )
        for name in chosen
    }
    return tuple(
        _run(modules[name], name, design, effect, seed=seed, options=settled[name])
        for name in chosen
    )


_NOT_RUN = Text("所选检验", "check among those chosen")


def _modules(folder: Path | None) -> dict[str, ModuleType]:
    own = load_modules(PACKAGE, FOLDER)
    found = {name: module for name, module in own.items() if name not in _NOT_CHECKS}
    for name in module_names(folder) if folder else []:
        spec = importlib.util.spec_from_file_location(name, Path(folder or "") / f"{name}.py")
        if spec is None or spec.loader is None:
            raise ImportError(name)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found[name] = module
    return dict(sorted(found.items()))


def _run(
    module: ModuleType,
    name: str,
    design: Design,
    effect: Effect,
    *,
    seed: int,
    options: dict[str, str],
) -> Check:
    reason: Text | None = module.applies(design, effect)
    if reason is None:
        # A check without options need not know of them.
        more: dict[str, Any] = {"options": options} if hasattr(module, "OPTIONS") else {}
        try:
            return _plain(module.run(design, effect, seed=seed, **more))
        except DesignError as error:
            reason = error.what
    return Check(name, effect.method, None, None, None, module.NAME, reason)


def _plain(check: Check) -> Check:
    """Make every value Python's own, None where it is no number, and one type a column."""
    return dataclasses.replace(
        check,
        verdict=None if check.verdict is None else bool(check.verdict),
        statistic=_number(check.statistic),
        threshold=_number(check.threshold),
        table={str(name): _column(values) for name, values in check.table.items()},
    )


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _column(values: Sequence[Any]) -> tuple[Cell, ...]:
    known = [one for one in values if one is not None]
    if not all(isinstance(one, Real) for one in known):
        return tuple(None if one is None else str(one) for one in values)
    if all(isinstance(one, Integral) for one in known):
        return tuple(None if one is None else int(one) for one in values)
    return tuple(_number(one) for one in values)
