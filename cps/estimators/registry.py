"""Choose an estimator by name, see that the design can bear it, and fit it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from cps.design.record import Design
from cps.dropin import load_module, module_names
from cps.errors import DesignError, Text, UsageError, unknown_choice
from cps.result import Effect

FOLDER = Path(__file__).parent
PACKAGE = "cps.estimators"
_KIND = Text("估计方法", "estimator")
_NOT_METHODS = ("registry", "battery")


def list_estimators(folder: Path | None = None) -> tuple[str, ...]:
    """List the estimators of the package, and those that lie in ``folder``."""
    names = [name for name in module_names(FOLDER) if name not in _NOT_METHODS]
    return tuple(sorted({*names, *(module_names(folder) if folder else ())}))


def estimate(
    design: Design,
    method: str = "synthetic_did",
    *,
    level: float = 0.95,
    seed: int = 0,
    options: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Effect:
    """Estimate the effect of one design with one method.

    Parameters
    ----------
    design : Design
    method : str
        ``synthetic_did``, ``group_time_att``, or a module in ``folder``.
    level : float
        Confidence level, between 0 and 1.
    seed : int
        Of placebo draws; methods with analytic errors do not use it.
    options : mapping of str to str
        The method's own choices, e.g. ``{"control": "not_yet"}``.
    folder : Path or None
        Folder with further estimator modules.

    Raises
    ------
    UsageError
        If there is no such method or option; lists what there is.
    DesignError
        If the design can't bear the method; says what is missing.
    """
    if not 0 < level < 1:
        raise UsageError(
            Text(f"置信水平 {level} 不在 0 与 1 之间", f"the level {level} is not between 0 and 1"),
            where="estimate(level=…)",
            mend=Text("例如 0.95", "give 0.95, say"),
        )
    module, chosen = _ready(design, method, options or {}, folder)
    effect: Effect = module.fit(design, level=level, seed=seed, options=chosen)
    return effect


def point_estimate(
    design: Design,
    method: str,
    *,
    options: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> float | None:
    """Give a method's estimate alone, as checks need it many times over.

    Raises
    ------
    UsageError, DesignError
        As :func:`estimate`.
    """
    module, chosen = _ready(design, method, options or {}, folder)
    if hasattr(module, "point"):
        return float(module.point(design, options=chosen))
    effect: Effect = module.fit(design, level=0.95, seed=0, options=chosen)
    return effect.overall.att


def _ready(
    design: Design, method: str, options: Mapping[str, str], folder: Path | None
) -> tuple[ModuleType, dict[str, str]]:
    module = _module(method, folder)
    chosen = _chosen_options(module, method, options)
    rejected = [one for one in module.needs(design, chosen) if one.severity == "reject"]
    if rejected:
        first = rejected[0]
        raise DesignError(first.what, where=first.where, mend=first.mend, findings=rejected)
    return module, chosen


def _module(method: str, folder: Path | None) -> ModuleType:
    if method in _NOT_METHODS or method not in list_estimators(folder):
        raise unknown_choice(_KIND, method, list_estimators(folder), where="estimate(method=…)")
    if folder and method in module_names(folder):
        spec = importlib.util.spec_from_file_location(method, folder / f"{method}.py")
        if spec is None or spec.loader is None:
            raise ImportError(method)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    return load_module(PACKAGE, FOLDER, method, kind=_KIND)


def _chosen_options(module: ModuleType, method: str, given: Mapping[str, str]) -> dict[str, str]:
    offered: dict[str, tuple[str, ...]] = module.OPTIONS
    for name, value in given.items():
        if name not in offered:
            raise unknown_choice(Text("选项", "option"), name, offered, where=method)
        if value not in offered[name]:
            raise unknown_choice(
                Text(f"{name} 的取值", f"value of {name}"), value, offered[name], where=method
            )
    return {name: given.get(name, choices[0]) for name, choices in offered.items()}
