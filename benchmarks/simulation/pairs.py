"""Which methods are studied, with which options and inferences."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from cps.dropin import load_module
from cps.errors import Text
from cps.estimators import registry
from cps.estimators._options import Number, Offered, settle
from cps.estimators._reliability import UNSTUDIED

# Beside each method's defaults; only with the method's own inference unless in CROSSED.
VARIANTS: dict[str, tuple[dict[str, str], ...]] = {
    "group_time_att": ({"control": "not_yet"},),
    "imputation": ({"leave_out": "yes"},),
    "interactive_fixed_effects": ({"estimator": "em"},),
    "interrupted_time_series": ({"change": "level"}, {"controls": "none"}),
    "structural_time_series": ({"controls": "none"}, {"variances": "maximum_likelihood"}),
    "synthetic_did": (
        {"weights": "sc"},
        {"weights": "did"},
        {"weights": "difp"},
        {"errors": "jackknife"},
        {"errors": "bootstrap"},
    ),
    "two_way_fixed_effects": ({"errors": "robust"}, {"errors": "iid"}),
}
CROSSED = (
    ("group_time_att", (("control", "not_yet"),)),
    ("synthetic_did", (("weights", "sc"),)),
    ("synthetic_did", (("weights", "did"),)),
)
# (99 + 1) × 5% and (19 + 1) × 5% are whole: tests by rank keep their level with so few draws, and
# lose a little power. The fewer are for methods that solve a problem for every draw.
DRAWS, FEW_DRAWS = 99, 19
SOLVED = (
    "interactive_fixed_effects",
    "joint_effects",
    "matrix_completion",
    "stacked",
    "structural_time_series",
    "synthetic_control",
    "synthetic_did",
)
OWN = "own"


@dataclass(frozen=True)
class Pair:
    """A method with options other than its defaults, and an inference (``own``: the method's)."""

    method: str
    options: tuple[tuple[str, str], ...]
    inference: str

    @property
    def words(self) -> str:
        """Give the pair's name in a table."""
        chosen = ", ".join(f"{name}={value}" for name, value in self.options)
        return f"{self.method}{f' ({chosen})' if chosen else ''}"

    def given(self) -> tuple[dict[str, str | float], dict[str, str | float]]:
        """Give the options to estimate with: fewer draws, and no errors that are thrown away."""
        module = registry._module(self.method, None)
        options: dict[str, str | float] = dict(self.options)
        options |= _fewer(module.OPTIONS, DRAWS)
        if self.inference == OWN:
            return options, {}
        if "none" in _words(module.OPTIONS, "errors"):
            options["errors"] = "none"
        offered = _inference(self.inference).OPTIONS
        ways = _fewer(offered, FEW_DRAWS if self.method in SOLVED else DRAWS)
        if "none" in _words(offered, "events"):
            ways["events"] = "none"
        return options, ways

    def digest(self) -> str:
        """Give a hash of the code that makes the pair's numbers: parts of older code are stale."""
        files = _closure(registry.FOLDER / f"{self.method}.py")
        if self.inference != OWN:
            files |= _closure(registry.INFERENCE_FOLDER / f"{self.inference}.py")
        files.add(Path(__file__).parent / "designs.py")
        together = hashlib.sha256()
        for path in sorted(files):
            together.update(path.read_bytes())
        return together.hexdigest()[:16]

    def settled(self) -> dict[str, str]:
        """Give every option that the study can speak of, by name."""
        module = registry._module(self.method, None)
        complete = settle(module.OPTIONS, dict(self.options), where=self.method)
        dropped = UNSTUDIED if self.inference == OWN else UNSTUDIED | {"errors"}
        return {name: value for name, value in complete.items() if name not in dropped}


def every_pair() -> list[Pair]:
    """List the pairs of everything that is installed."""
    pairs = []
    for method in registry.list_estimators():
        offered = registry._module(method, None).OPTIONS
        variants = [
            one
            for one in VARIANTS.get(method, ())
            if all(value in _words(offered, name) for name, value in one.items())
        ]
        for options in ({}, *variants):
            key = tuple(sorted(options.items()))
            inferences = [OWN]
            if not key or (method, key) in CROSSED:
                inferences += registry.list_inferences()
            pairs += [Pair(method, key, one) for one in inferences]
    return pairs


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """List the modules of the estimators that a module imports, anywhere in it."""
    return tuple(_found(ast.parse(path.read_text(encoding="utf-8"))))


def _found(tree: ast.Module) -> Iterator[Path]:
    root = registry.FOLDER.parent.parent
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in (node.module, *(f"{node.module}.{one.name}" for one in node.names)):
                path = root / (name.replace(".", "/") + ".py")
                if name.startswith(registry.PACKAGE) and path.exists():
                    yield path


def _closure(path: Path) -> set[Path]:
    found, todo = set(), [path]
    while todo:
        one = todo.pop()
        if one not in found and one.name != "registry.py":
            found.add(one)
            todo += _imports(one)
    return found


def _inference(name: str) -> ModuleType:
    return load_module(
        registry.INFERENCE_PACKAGE,
        registry.INFERENCE_FOLDER,
        name,
        kind=Text("推断方法", "way of inference"),
    )


def _fewer(offered: Offered, n: int) -> dict[str, str | float]:
    draws = offered.get("draws")
    return {"draws": max(n, draws.low)} if isinstance(draws, Number) else {}


def _words(offered: Offered, name: str) -> tuple[str, ...]:
    one = offered.get(name, ())
    return one if isinstance(one, tuple) else ()
