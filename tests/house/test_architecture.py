"""The house rules that no reviewer should have to remember: floors, blind spots, doors, weight."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cps

ROOT = Path(cps.__file__).parent

# Part -> floor. Imports go down only; parts on one floor do not see one another.
FLOORS: dict[str, int] = {
    "errors": 0,
    "units": 0,
    "periods": 0,
    "dropin": 0,
    "provenance": 0,
    "strict": 0,
    "parameters": 0,
    "ledger": 1,
    "locale": 1,
    "facts": 1,
    "panel": 2,
    "design": 3,
    "schemes": 4,
    "result": 4,
    "estimators": 5,
    "indicators": 5,
    "robustness": 6,
    "catalogue": 7,
    "synthesis": 7,
    "forecast": 7,
    "planning": 7,
    "runs": 8,
    "figures": 9,
    "tables": 9,
    "report": 10,
    "runner": 11,
    "demo": 11,
    "__init__": 12,
    "commands": 12,
    "__main__": 13,
}
GROUND = {
    "errors": 0,
    "units": 1,
    "periods": 1,
    "dropin": 1,
    "provenance": 1,
    "strict": 2,
    "parameters": 1,
}
BLIND: dict[str, set[str]] = {
    "estimators": {"locale", "ledger"},
    "indicators": {"locale", "ledger"},
    "robustness": {"locale", "ledger"},
    "synthesis": {"locale", "ledger"},
    "planning": {"locale", "ledger"},
    "figures": {"estimators"},
    "tables": {"estimators"},
    "report": {"estimators"},
}
# The reading code may not know of the truth; nobody stands on the demo but the command line.
NOBODY_BUT_MAIN = {"demo"}
# Outside library -> the places that may import it.
DOORS: dict[str, tuple[str, ...]] = {
    "python_calamine": ("ledger/containers/binary",),
    "fastexcel": (),
    "psycopg": ("ledger/sources",),
    "sqlite3": ("ledger/sources",),
    "openpyxl": (),
    "pandas": (),
    "statsmodels": ("estimators/", "forecast"),
    "scipy": ("estimators/", "robustness/"),
    "altair": ("figures/",),
    "vl_convert": ("figures/",),
    "zhplot": ("figures/",),
    "jinja2": ("report/",),
    "papermill": ("runner/",),
    "nbclient": ("runner/",),
    "jupyter_client": ("runner/",),
    "dask": ("runner/",),
    "distributed": ("runner/",),
    "xlsxwriter": ("demo/",),
}
HEAVY = (
    "altair",
    "vl_convert",
    "zhplot",
    "matplotlib",
    "scipy",
    "statsmodels",
    "pandas",
    "python_calamine",
    "psycopg",
    "jinja2",
    "papermill",
    "xlsxwriter",
    "nbformat",
)


@functools.cache
def _modules() -> tuple[tuple[str, str, ast.Module], ...]:
    places = {
        path.relative_to(ROOT).with_suffix("").as_posix(): path for path in ROOT.rglob("*.py")
    }
    return tuple(
        (place, place.split("/")[0], ast.parse(path.read_text(encoding="utf-8")))
        for place, path in sorted(places.items())
    )


@functools.cache
def _imports(tree: ast.Module) -> tuple[tuple[str, int], ...]:
    return tuple(_find_imports(tree))


def _find_imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((one.name, node.lineno) for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module == "cps":
                yield from ((f"cps.{one.name}", node.lineno) for one in node.names)
            else:
                yield node.module, node.lineno


def _broken_floors(place: str, part: str, tree: ast.Module) -> Iterator[str]:
    for name, line in _imports(tree):
        if not name.startswith("cps."):
            continue
        other = name.split(".")[1]
        if other == part:
            continue
        where = f"cps/{place}.py:{line} imports {name}"
        if other not in FLOORS:
            yield f"{where}: {other!r} has no floor; give it one in {Path(__file__).name}"
        elif FLOORS[other] > FLOORS[part]:
            yield (
                f"{where}: up from floor {FLOORS[part]} to {FLOORS[other]}; move what both need "
                f"down to floor {FLOORS[part] - 1} or below, or pass it in as an argument"
            )
        elif FLOORS[other] == FLOORS[part] and not (
            FLOORS[part] == 0 and GROUND[other] < GROUND[part]
        ):
            yield f"{where}: sideways on floor {FLOORS[part]}; let the floor above join the two"
        elif other in BLIND.get(part, set()):
            yield f"{where}: {part} must not know of {other}; pass plain values in"


def test_every_part_of_the_package_has_a_floor() -> None:
    parts = {part for _, part, _ in _modules()}
    assert parts <= set(FLOORS), f"give a floor to {sorted(parts - set(FLOORS))}"


def test_imports_go_down_only_and_blind_spots_hold() -> None:
    broken = [message for module in _modules() for message in _broken_floors(*module)]
    assert not broken, "\n".join(broken)


def test_nothing_but_the_command_line_stands_on_the_demo() -> None:
    broken = [
        f"cps/{place}.py:{line} imports {name}: the truth must stay unknown to what reads ledgers"
        for place, part, tree in _modules()
        if part not in ("demo", "commands")
        for name, line in _imports(tree)
        if name.split(".")[:2] == ["cps", "demo"]
    ]
    assert not broken, "\n".join(broken)


def test_each_outside_library_has_one_home() -> None:
    broken = [
        f"cps/{place}.py:{line} imports {name}: its home is {DOORS[name.split('.')[0]] or 'nowhere'}"
        for place, _, tree in _modules()
        for name, line in _imports(tree)
        if name.split(".")[0] in DOORS and not place.startswith(DOORS[name.split(".")[0]] or ("?",))
    ]
    assert not broken, "\n".join(broken)


def test_a_forbidden_import_is_found_and_the_message_says_how_to_mend_it() -> None:
    upwards = ast.parse("def f():\n    from cps.report.render import render_report\n")
    (message,) = _broken_floors("estimators/x", "estimators", upwards)
    assert "cps/estimators/x.py:2" in message
    assert "pass it in as an argument" in message
    blind = ast.parse("import cps.locale.words")
    assert "must not know" in next(iter(_broken_floors("estimators/x", "estimators", blind)))
    sideways = ast.parse("from cps import tables")
    assert "sideways" in next(iter(_broken_floors("figures/x", "figures", sideways)))


def _loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_import_cps_loads_no_heavy_library() -> None:
    loaded = _loaded_after("import cps")
    assert not loaded & {*HEAVY, "polars", "numpy"}


def test_the_verbs_up_to_the_panel_load_polars_and_nothing_heavier() -> None:
    loaded = _loaded_after(
        "import cps; cps.read_ledgers, cps.build_panel, cps.make_design, cps.estimate, "
        "cps.check_robustness, cps.plan, cps.save_run, cps.write_report"
    )
    assert "polars" in loaded
    assert not loaded & set(HEAVY)


def test_there_are_at_most_25_public_names_and_each_is_a_documented_verb() -> None:
    assert len(cps.__all__) <= 25
    assert sorted(cps.__all__) == sorted(cps._HOMES)
    for name in cps.__all__:
        assert getattr(cps, name).__doc__, f"cps.{name} has no docstring"


def test_no_module_is_longer_than_450_lines() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): count
        for path in ROOT.rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 450
    }
    assert not long, f"split by what the first sentence joins with 'and': {long}"


def test_every_module_begins_with_a_sentence() -> None:
    bare = [place for place, _, tree in _modules() if tree.body and not ast.get_docstring(tree)]
    assert not bare


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT.parent, capture_output=True, text=True, check=False
    ).stdout.split()
    banned = ("pypi" + ".org", "python" + "hosted", "npm" + "js.org", "/ro" + "ot/", "/wo" + "rk/")
    for name in tracked:
        path = ROOT.parent / name
        if path.suffix in (".xlsx", ".parquet", ".png") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found = [word for word in banned if word in text]
        assert not found, f"{name} names {found}"
