"""A batch's folder appears whole under its name, or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cps.errors import LockedError
from cps.runner.publish import building, hold, keep_failed, publish


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_latest_points_at_what_was_published_last_and_older_ones_stay(tmp_path: Path) -> None:
    for text in ("one", "two"):
        with hold(tmp_path), building(tmp_path) as work:
            (work / "page").write_text(text)
            publish(work, tmp_path)
    assert (tmp_path / "latest" / "page").read_text() == "two"
    assert sorted(path.joinpath("page").read_text() for path in (tmp_path / "runs").iterdir()) == [
        "one",
        "two",
    ]
    assert _names(tmp_path) == {".lock", "latest", "runs"}


def test_a_fault_while_building_leaves_the_last_good_one_and_nothing_else(tmp_path: Path) -> None:
    with hold(tmp_path), building(tmp_path) as work:
        (work / "page").write_text("good")
        publish(work, tmp_path)
    with pytest.raises(ZeroDivisionError), hold(tmp_path), building(tmp_path) as work:
        (work / "page").write_text("half")
        raise ZeroDivisionError
    assert (tmp_path / "latest" / "page").read_text() == "good"
    assert _names(tmp_path) == {".lock", "latest", "runs"}
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_what_a_killed_batch_left_behind_is_cleared_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".building-20200101T000000Z").mkdir()
    with hold(tmp_path), building(tmp_path) as work:
        publish(work, tmp_path)
    assert not list(tmp_path.glob(".building-*"))


def test_notebooks_of_a_failed_batch_are_kept_apart(tmp_path: Path) -> None:
    with hold(tmp_path), building(tmp_path) as work:
        (work / "n.ipynb").write_text("{}")
        kept = keep_failed(work, tmp_path)
    assert (kept / "n.ipynb").exists()
    assert not (tmp_path / "latest").exists()


def test_a_second_process_on_one_folder_is_refused_in_words(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom cps.errors import LockedError\n"
        "from cps.runner.publish import hold\n"
        "try:\n    with hold(Path(sys.argv[1])): pass\n"
        "except LockedError as error:\n    print(error.message('en')); sys.exit(error.exit_code)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with hold(tmp_path):
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == LockedError.exit_code == 4
    assert "another run is writing this folder" in second.stdout
    assert "--out" in second.stdout
    third = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert third.returncode == 0
