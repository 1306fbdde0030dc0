"""The command line: messages in the language asked for, statuses that tell what happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from cps.__main__ import main


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_language_of_messages_can_be_given_before_or_after_the_command(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "--data", str(tmp_path / "没有"), "--out", str(tmp_path / "out")]
    lang = ["--lang", "zh"]
    status = main([*lang, *command] if place == "before" else [*command, *lang])
    assert status == 5
    assert "找不到台账" in capsys.readouterr().err


def test_a_misspelled_mode_of_the_demonstration_is_misuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path / "d"), "--mode", "tru", "--lang", "en"]) == 2
    assert "headline_true" in capsys.readouterr().err
    assert not (tmp_path / "d").exists()


def test_an_unknown_language_of_pages_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["run", "--data", str(tmp_path), "--langs", "fr", "--lang", "en"])
    assert status == 2
    assert "choose one of: en, zh" in capsys.readouterr().err


def test_rendering_what_was_never_saved_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", str(tmp_path / "nothing"), "--lang", "en"]) == 3
    assert "there is no saved run" in capsys.readouterr().err


def test_the_demonstration_is_written_where_it_is_told_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data" / "raw" / "demo"
    assert main(["demo", "--out", str(folder), "--seed", "5", "--lang", "en"]) == 0
    assert "21 synthetic ledger files" in capsys.readouterr().out
    assert (tmp_path / "data" / "truth" / "demo.json").exists()
