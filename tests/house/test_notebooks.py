"""Notebooks are thin: verbs in order, parameters in one cell, no outputs in store."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def _code(path: Path) -> list[dict]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_the_two_notebooks_are_there() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {"initiative", "overview"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    for cell in _code(path):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_logic_of_its_own(path: Path) -> None:
    for cell in _code(path):
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            assert not isinstance(
                node, ast.FunctionDef | ast.ClassDef | ast.For | ast.While | ast.Lambda | ast.If
            ), ast.unparse(node)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_code_cell_is_the_parameters_cell_and_the_second_checks_them(path: Path) -> None:
    first, second = _code(path)[:2]
    assert first["metadata"]["tags"] == ["parameters"]
    assert "check_parameters(globals()" in "".join(second["source"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_path_stands_outside_the_parameters_cell(path: Path) -> None:
    for cell in _code(path)[1:]:
        assert "../" not in "".join(cell["source"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_last_cell_saves_the_run(path: Path) -> None:
    assert "cps.save_run(run, out" in "".join(_code(path)[-1]["source"])
