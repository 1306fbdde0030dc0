"""Run the checks that apply to an effect."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from cps.design.record import Design
from cps.dropin import load_modules, module_names
from cps.errors import DesignError, Text, UsageError, unknown_choice
from cps.result import Check, Effect

FOLDER = Path(__file__).parent
PACKAGE = "cps.robustness"
_NOT_CHECKS = ("registry",)


def list_checks(folder: Path | None = None) -> tuple[str, ...]:
    """List the checks of the package, and those that lie in ``folder``."""
    return tuple(sorted(_modules(folder)))


def check_robustness(
    design: Design,
    effect: Effect,
    *,
    seed: int = 0,
    names: Sequence[str] | None = None,
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
    folder : Path or None
        Folder with further check modules.

    Raises
    ------
    UsageError
        If a name is unknown, or the effect is another design's.
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
    return tuple(
        _run(modules[name], name, design, effect, seed)
        for name in (names if names is not None else modules)
    )


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


def _run(module: ModuleType, name: str, design: Design, effect: Effect, seed: int) -> Check:
    reason: Text | None = module.applies(design, effect)
    if reason is None:
        try:
            check: Check = module.run(design, effect, seed=seed)
            return check
        except DesignError as error:
            reason = error.what
    return Check(name, effect.method, None, None, None, module.NAME, reason)
