"""The catalogue lists every drop-in, and the handbook describes each."""

from __future__ import annotations

from pathlib import Path

import pytest

from cps.__main__ import main
from cps.catalogue import catalogue
from cps.estimators.registry import list_estimators, list_inferences
from cps.robustness.registry import list_checks

HANDBOOK = Path(__file__).parents[2] / "docs" / "methods.md"


def test_every_estimator_inference_and_check_is_listed_with_its_names_in_two_languages() -> None:
    kinds = [entries for _, entries in catalogue()]
    assert [[one.id for one in entries] for entries in kinds] == [
        list(list_estimators()),
        list(list_inferences()),
        list(list_checks()),
    ]
    for entries in kinds:
        for one in entries:
            assert any("一" <= letter <= "鿿" for letter in one.name.zh), one.id
            assert one.name.en, one.id


def test_the_command_prints_options_and_assumptions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert "group_time_att" in said
    assert "control = never | not_yet" in said


def test_the_handbook_describes_every_one() -> None:
    text = HANDBOOK.read_text(encoding="utf-8")
    missing = [one.id for _, entries in catalogue() for one in entries if f"`{one.id}`" not in text]
    assert not missing, f"docs/methods.md says nothing of {missing}"
