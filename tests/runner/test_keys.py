"""What a piece's key depends on, and the words for what changed."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cps.design.initiatives import load_initiatives
from cps.runner.keys import (
    initiative_components,
    key_of,
    overview_components,
    panel_components,
    what_changed,
)

NAMES = ("one", "two")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A panel folder of made-up bytes, two initiatives and a notebook."""
    from tests.faults._quick import write_initiatives

    write_initiatives(tmp_path / "initiatives", NAMES)
    (tmp_path / "panel.parquet").write_bytes(b"rows")
    (tmp_path / "panel.json").write_text("{}")
    (tmp_path / "n.ipynb").write_text("{}")
    return tmp_path


def _components(place: Path, name: str = "one", seed: int = 0) -> dict[str, Any]:
    declared = load_initiatives(place / "initiatives")
    return initiative_components(
        next(one for one in declared if one.id == name),
        declared,
        panel=place,
        notebook=place / "n.ipynb",
        parameters={"outcome": "income_yuan", "seed": seed},
    )


def _edit(place: Path, name: str, old: str, new: str) -> None:
    path = place / "initiatives" / f"{name}.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _why(place: Path, before: dict[str, Any], **how: Any) -> list[str]:
    return [one.en for one in what_changed(before, _components(place), **how)]


def test_nothing_changed_gives_the_same_key_and_no_reason(place: Path) -> None:
    before = _components(place)
    assert key_of(_components(place)) == key_of(before)
    assert _why(place, before) == []


def test_a_changed_ledger_is_named_with_both_hashes(place: Path) -> None:
    before = _components(place)
    (place / "panel.parquet").write_bytes(b"other rows")
    assert key_of(_components(place)) != key_of(before)
    was = {"data/town.csv": "a" * 64, "data/same.csv": "c" * 64, "data/gone.csv": "e" * 64}
    now = {"data/town.csv": "b" * 64, "data/same.csv": "c" * 64, "data/new.csv": "d" * 64}
    assert _why(place, before, inputs_before=was, inputs_after=now) == [
        "data/gone.csv (removed)",
        "data/new.csv (added)",
        "data/town.csv (aaaaaaaa → bbbbbbbb)",
    ]


def test_prose_of_its_own_file_changes_it_and_no_other(place: Path) -> None:
    one, two = _components(place), _components(place, "two")
    _edit(place, "one", "What one is.", "What one was.")
    assert _why(place, one) == ["its own initiative file"]
    assert key_of(_components(place, "two")) == key_of(two)


def test_the_hosts_of_one_initiative_change_every_other(place: Path) -> None:
    two = _components(place, "two")
    _edit(place, "one", "示例村01", "示例村05")
    (reason,) = what_changed(two, _components(place, "two"))
    assert reason.en == "hosts or starts of other initiatives"
    assert reason.zh == "其他项目的承办村或起始期"
    was = {"initiatives/one.toml": "a", "initiatives/two.toml": "b"}
    (reason,) = what_changed(
        two,
        _components(place, "two"),
        inputs_before=was,
        inputs_after={**was, "initiatives/one.toml": "c", "initiatives/two.toml": "d"},
    )
    assert reason.en == "hosts or starts of other initiatives (one.toml)"
    assert reason.zh == "其他项目的承办村或起始期（one.toml）"


def test_another_as_of_date_is_named_with_both(place: Path) -> None:
    before = _components(place)
    (place / "panel.parquet").write_bytes(b"fewer rows")
    assert _why(place, before, as_of=(None, "2023-12-31")) == ["as-of date: - → 2023-12-31"]
    assert _why(place, before) == ["the panel"]


def test_another_seed_is_named_with_both_values(place: Path) -> None:
    before = _components(place)
    assert [one.en for one in what_changed(before, _components(place, seed=7))] == ["seed: 0 → 7"]


def test_a_changed_notebook_is_named(place: Path) -> None:
    before = _components(place)
    (place / "n.ipynb").write_text('{"cells": []}')
    assert _why(place, before) == ["the notebook"]


def test_a_changed_library_is_named_with_both_versions(place: Path) -> None:
    before = _components(place)
    has = before["libraries"]["polars"]
    old = {**before, "libraries": {**before["libraries"], "polars": "1.0.0"}}
    assert key_of(old) != key_of(before)
    assert _why(place, old) == [f"polars: 1.0.0 → {has}"]


def test_every_library_that_the_package_declares_counts_the_reader_of_workbooks_too(
    place: Path,
) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split("[<>=]", one)[0] for one in declared["dependencies"]}
    assert "python-calamine" in names
    for components in (_components(place), panel_components({}, None)):
        libraries = components["libraries"]
        assert {n: libraries[n] for n in names} == {n: importlib.metadata.version(n) for n in names}


def test_changed_code_is_named(place: Path) -> None:
    before = {**_components(place), "code": "0" * 64}
    assert _why(place, before) == ["the code of cps"]


def test_several_changes_are_all_named(place: Path) -> None:
    before = {**_components(place, seed=3), "code": "0" * 64}
    assert _why(place, before) == ["the code of cps", "seed: 3 → 0"]


def test_a_piece_that_was_not_there_before_says_so(place: Path) -> None:
    (reason,) = what_changed(None, _components(place))
    assert reason.en == "it was not in the run before"


def test_the_panel_depends_on_ledgers_and_dates_but_on_no_initiative() -> None:
    inputs = {"data/a.csv": "1", "initiatives/one.toml": "2", "units.toml": "3"}
    key = key_of(panel_components(inputs, None))
    assert key == key_of(panel_components({**inputs, "initiatives/one.toml": "9"}, None))
    assert key != key_of(panel_components({**inputs, "data/a.csv": "9"}, None))
    assert key != key_of(panel_components({**inputs, "units.toml": "9"}, None))
    assert key != key_of(panel_components(inputs, "2024-12-31"))


def test_the_overview_names_the_initiatives_whose_runs_changed(place: Path) -> None:
    def overview(pieces: dict[str, str]) -> dict[str, Any]:
        return overview_components(
            pieces,
            {},
            panel=place,
            notebook=place / "n.ipynb",
            facts=place / "facts",
            parameters={"seed": 0},
        )

    before = overview({"one": "a", "two": "b"})
    (reason,) = what_changed(before, overview({"one": "a", "two": "c"}))
    assert reason.en == "initiatives two"
    assert re.search("two", reason.zh)
    told = what_changed(before, overview({"one": "b", "new": "c"}))
    assert [one.en for one in told] == [
        "initiatives one",
        "initiatives added new",
        "initiatives left out two",
    ]
