"""Every estimator, way of inference and check, as its module declares it."""

from __future__ import annotations

from dataclasses import dataclass

from cps.dropin import load_modules
from cps.errors import Text
from cps.estimators._options import Free, Number
from cps.estimators.registry import (
    FOLDER,
    INFERENCE_FOLDER,
    INFERENCE_PACKAGE,
    PACKAGE,
    list_estimators,
)
from cps.robustness.registry import FOLDER as CHECK_FOLDER
from cps.robustness.registry import PACKAGE as CHECK_PACKAGE
from cps.robustness.registry import list_checks


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of a drop-in folder; ``bears`` names what a design may hold for it."""

    id: str
    name: Text
    options: str = ""
    bears: tuple[str, ...] = ()
    assumes: Text | None = None
    reference: str = ""


def catalogue() -> list[tuple[Text, list[Entry]]]:
    """List what there is, by kind, in alphabetical order."""
    methods = load_modules(PACKAGE, FOLDER)
    ways = load_modules(INFERENCE_PACKAGE, INFERENCE_FOLDER)
    checks = load_modules(CHECK_PACKAGE, CHECK_FOLDER)
    return [
        (
            Text("估计方法 estimate(design, method)", "Estimators: estimate(design, method)"),
            [
                Entry(
                    name,
                    methods[name].NAME,
                    _options(methods[name].OPTIONS),
                    tuple(sorted(getattr(methods[name], "SUPPORTS", ()))),
                    reference=methods[name].REFERENCE,
                )
                for name in list_estimators()
            ],
        ),
        (
            Text("推断方法 estimate(…, inference)", "Inference: estimate(…, inference)"),
            [
                Entry(
                    name,
                    way.NAME,
                    _options(way.OPTIONS),
                    assumes=way.ASSUMES,
                    reference=way.REFERENCE,
                )
                for name, way in ways.items()
            ],
        ),
        (
            Text("稳健性检验 check_robustness", "Checks: check_robustness"),
            [
                Entry(name, checks[name].NAME, _options(getattr(checks[name], "OPTIONS", {})))
                for name in list_checks()
            ],
        ),
    ]


def _options(offered: dict[str, tuple[str, ...] | Number | Free]) -> str:
    return "; ".join(f"{name} = {_choices(choice)}" for name, choice in offered.items())


def _choices(choice: tuple[str, ...] | Number | Free) -> str:
    if isinstance(choice, tuple):
        return " | ".join(choice)
    if isinstance(choice, Free):
        return choice.hint or "…"
    ends = f"{choice.low:g}…{choice.high:g}"
    return " | ".join((ends, *choice.words))
