"""The command line: messages in the language asked for, statuses that tell what happened."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cps.__main__ import main
from tests.faults._quick import ROOT, run_cps, start_cps


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


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--as-of", "2025-13-01"), "is no date"),
        (("--memory", "much"), "is no size"),
        (("--timeout", "0"), "must be above 0"),
        (("--workers", "0"), "must be above 0"),
        (("--resume", "--seed", "3"), "--resume"),
        (("--resume",), "nothing to resume"),
    ],
)
def test_an_option_that_makes_no_sense_is_misuse_and_nothing_is_begun(
    wrong: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["run", *wrong, "--out", str(out), "--lang", "en"]) == 2
    assert said in capsys.readouterr().err
    assert not (out / "latest").exists()
    assert not (out / ".work").exists()


def test_asking_why_of_a_run_that_is_not_there_lists_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["why", "20260101T000000Z", "--out", str(tmp_path), "--lang", "en"]) == 2
    assert "choose one of: (none yet)" in capsys.readouterr().err


def test_an_installation_that_can_run_is_found_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--out", str(tmp_path), "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert "kernels installed" in said
    assert "✗" not in said


def test_an_installation_with_a_library_that_is_too_old_is_refused_by_name(tmp_path: Path) -> None:
    old = tmp_path / "old" / "polars-1.0.0.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: polars\nVersion: 1.0.0\n")
    environment = {"PYTHONPATH": os.pathsep.join([str(old.parent), str(ROOT)])}
    out = tmp_path / "out"
    doctor = start_cps(out=out, command="doctor", environment=environment).done()
    assert doctor.exit_code == 2
    assert "✗ polars is 1.0.0, must be" in doctor.stdout
    done = run_cps("--data", tmp_path, out=out, environment=environment)
    assert done.exit_code == 2
    assert "polars is 1.0.0" in done.stderr
    assert not (out / "latest").exists()


def test_a_package_that_is_not_installed_is_named_and_is_no_fault_of_ours(tmp_path: Path) -> None:
    # The base Python behind the environment: no cps, and none of its libraries.
    base = Path(sys.base_prefix) / "bin" / "python3"
    if sys.prefix == sys.base_prefix or not base.exists():
        pytest.skip("needs a virtual environment, with a Python behind it that has no cps")
    done = subprocess.run(
        [base, "-m", "cps", "run", "--out", tmp_path / "out", "--lang", "en"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "cps is not installed" in done.stderr
    assert not (tmp_path / "out").exists()
