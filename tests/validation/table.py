"""Our numbers beside the published ones, target by target: what ``make validation`` writes.

Usage: python -m tests.validation.table [FOLDER [OUT.md]]

A module in ``sets/`` serves one set of FOLDER (or a part of it): ``SET`` names it, ``ours(folder)``
gives an :class:`Ours` for each target id of its ``card.json``, ``OUT_OF_SCOPE`` says of the others
why they are not ours to reach, and ``references(folder)``, where present, compares long tables of
a reference implementation. Published values and tolerances are read from the cards, never typed.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tests.validation.conftest import FOLDER

SETS = Path(__file__).parent / "sets"
_SHOWN = 4


@dataclass(frozen=True)
class Ours:
    """What we get for one target; shapes as in the card."""

    value: Any
    se: Any = None
    ci: Any = None
    p: Any = None


@dataclass(frozen=True)
class Reference:
    """A long table of a reference implementation, compared number by number."""

    what: str
    n: int
    largest_difference: float
    tolerance: float

    @property
    def is_met(self) -> bool:
        """Tell whether every number lies within the tolerance."""
        return self.n > 0 and self.largest_difference <= self.tolerance


@dataclass(frozen=True)
class Row:
    """One published number, or one vector of them, beside ours."""

    set: str
    target: str
    part: str  # value, se, ci or p
    source: str
    published: Any
    ours: Any
    difference: float
    tolerance: float | None  # None: shown, not judged

    @property
    def is_met(self) -> bool:
        """Tell whether the number lies within its tolerance; NaN does not."""
        return self.tolerance is None or self.difference <= self.tolerance


def modules() -> list[ModuleType]:
    """Give the modules of ``sets/``, by name."""
    names = sorted(path.stem for path in SETS.glob("*.py") if not path.stem.startswith("_"))
    return [importlib.import_module(f"tests.validation.sets.{name}") for name in names]


def card(folder: Path, name: str) -> dict[str, Any]:
    """Read the card of a set."""
    found: dict[str, Any] = json.loads((folder / name / "card.json").read_text(encoding="utf-8"))
    return found


def rows_of(module: ModuleType, folder: Path) -> list[Row]:
    """Compare everything that a module gives with its card."""
    targets = {one["id"]: one for one in card(folder, module.SET)["targets"]}
    rows: list[Row] = []
    for name, one in module.ours(folder / module.SET).items():
        target = targets[name]
        for part in ("value", "se", "ci", "p"):
            published, ours = target[part], getattr(one, part)
            if published is None or ours is None:
                continue
            tolerance = target["tolerance" if part == "value" else f"tolerance_{part}"]
            rows.append(
                Row(
                    module.SET,
                    name,
                    part,
                    target["source"],
                    published,
                    ours,
                    _difference(published, ours),
                    tolerance,
                )
            )
    return rows


def references_of(module: ModuleType, folder: Path) -> list[Reference]:
    """Give the long comparisons of a module, none if it has none."""
    if not hasattr(module, "references"):
        return []
    return list(module.references(folder / module.SET))


def uncovered(folder: Path) -> list[str]:
    """List the targets that no module reaches or declares out of scope."""
    served: dict[str, set[str]] = {}
    for module in modules():
        reached = {row.target for row in rows_of(module, folder)}
        served.setdefault(module.SET, set()).update(reached, getattr(module, "OUT_OF_SCOPE", {}))
    return [
        f"{path.parent.name} › {one['id']}"
        for path in sorted(folder.glob("*/card.json"))
        for one in json.loads(path.read_text(encoding="utf-8"))["targets"]
        if one["id"] not in served.get(path.parent.name, set())
    ]


def _difference(published: Any, ours: Any) -> float:
    theirs, mine = np.asarray(published, float).ravel(), np.asarray(ours, float).ravel()
    if theirs.shape != mine.shape:
        return math.nan
    return float(np.max(np.abs(theirs - mine)))


def _cell(value: Any) -> str:
    numbers = np.asarray(value, float).ravel()
    text = ", ".join(f"{one:.7g}" for one in numbers[:_SHOWN])
    return text + (f", … ({len(numbers)})" if len(numbers) > _SHOWN else "")


def write(folder: Path, out: Path) -> int:
    """Write the table; give the number of targets that are off or served by nobody."""
    lines = [
        "# Validation",
        "",
        "Our numbers beside published ones, on data that nobody here made; written by "
        "`make validation`. The difference is the largest of a vector. Rows without a tolerance "
        "are shown, not judged: the published number is random, or its digits are unknown.",
        "",
        "| set | target | in the source | published | ours | difference | tolerance | met |",
        "|---|---|---|---|---|---|---|---|",
    ]
    off = 0
    outside: list[str] = []
    compared: list[str] = []
    for module in modules():
        for row in rows_of(module, folder):
            off += not row.is_met
            met = "—" if row.tolerance is None else ("yes" if row.is_met else "**no**")
            part = "" if row.part == "value" else f" {row.part}"
            tolerance = "" if row.tolerance is None else f"{row.tolerance:.1g}"
            source = row.source.replace("|", "/")
            lines.append(
                f"| {row.set} | {row.target}{part} | {source} | {_cell(row.published)} | "
                f"{_cell(row.ours)} | {row.difference:.1e} | {tolerance} | {met} |"
            )
        for one in references_of(module, folder):
            off += not one.is_met
            met = "yes" if one.is_met else "**no**"
            compared.append(
                f"| {module.SET} | {one.what} | {one.n} | {one.largest_difference:.1e} | "
                f"{one.tolerance:.0e} | {met} |"
            )
        for name, why in getattr(module, "OUT_OF_SCOPE", {}).items():
            outside.append(f"- {module.SET} › {name}: {why}")
    lines += [
        "",
        "## Tables of reference implementations",
        "",
        "| set | what | numbers | largest difference | tolerance | met |",
        "|---|---|---|---|---|---|",
        *compared,
    ]
    if outside:
        lines += ["", "## Not ours to reach", "", *outside]
    missing = uncovered(folder)
    if missing:
        lines += ["", "## Served by nobody", "", *(f"- {one}" for one in missing)]
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{out}: {off} off, {len(missing)} served by nobody")
    return off + len(missing)


if __name__ == "__main__":
    given = [Path(one) for one in sys.argv[1:]]
    source = given[0] if given else FOLDER
    if not source.is_dir():
        sys.exit(f"the data sets with published results are not at {source}: name their folder")
    sys.exit(bool(write(source, given[1] if given[1:] else Path("docs/validation.md"))))
