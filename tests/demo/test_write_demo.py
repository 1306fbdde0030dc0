"""Demonstration ledgers: the same bytes from a seed, marked synthetic, the truth kept apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from cps.demo import MODES, load_truth, truth_path, write_demo
from cps.errors import RunError, UsageError
from cps.provenance import sha256_file


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first = write_demo(tmp_path / "a" / "raw" / "demo", seed=7)
    again = write_demo(tmp_path / "b" / "raw" / "demo", seed=7)
    other = write_demo(tmp_path / "c" / "raw" / "demo", seed=8)
    hashes = [{path.name: sha256_file(path) for path in files} for files in (first, again, other)]
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_every_ledger_says_synthetic_in_its_name_and_the_csv_ones_are_gb18030(
    tmp_path: Path,
) -> None:
    files = write_demo(tmp_path / "raw" / "demo")
    assert all(path.name.startswith("合成_") for path in files)
    wide = [path for path in files if path.suffix == ".csv"]
    assert len(wide) == 16
    for path in wide:
        with pytest.raises(UnicodeDecodeError):
            path.read_bytes().decode("utf-8")
        assert "示例数据（合成）" in path.read_bytes().decode("gb18030").splitlines()[0]


def test_the_truth_lies_outside_the_folder_that_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "raw" / "demo"
    write_demo(folder, mode=MODES[1])
    assert truth_path(folder) == tmp_path / "data" / "truth" / "demo.json"
    truth = load_truth(folder)
    assert truth["mode"] == "headline_spurious"
    assert truth["synthetic"] is True
    assert all(
        value == 0
        for outcomes in truth["effects"].values()
        for by_unit in outcomes.values()
        for by_year in by_unit.values()
        for value in by_year.values()
    )


def test_a_folder_with_foreign_files_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "demo"
    folder.mkdir(parents=True)
    (folder / "真台账.csv").write_text("x")
    with pytest.raises(UsageError, match=r"真台账\.csv"):
        write_demo(folder)
    assert [path.name for path in folder.iterdir()] == ["真台账.csv"]


def test_writing_again_replaces_the_ledgers(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "demo"
    first = write_demo(folder, seed=1)
    second = write_demo(folder, seed=2)
    assert [path.name for path in first] == [path.name for path in second]


def test_a_misspelled_mode_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="headline_true"):
        write_demo(tmp_path / "raw" / "demo", mode="headline_tru")


def test_ledgers_without_truth_say_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cps demo"):
        load_truth(tmp_path / "raw" / "own")
