"""What is kept is whole or is made again; nothing damaged is ever served."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cps.errors import Text
from cps.runner.sealed import DamagedError, read_folder, read_sealed, seal_folder, write_sealed
from cps.runner.store import Store


def _filled(folder: Path) -> Path:
    (folder / "run").mkdir(parents=True)
    (folder / "run" / "run.json").write_text('{"att": 1.5}')
    (folder / "notebook.ipynb").write_text("{}")
    return folder


def test_what_was_put_is_given_back_and_copied_without_its_seal(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert store.get("k") is None
    entry = store.put("k", _filled(tmp_path / "work"), {"name": "bonsai"})
    assert store.get("k") == entry
    assert not (tmp_path / "work").exists()
    store.copy("k", tmp_path / "copy")
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {"run", "notebook.ipynb"}


@pytest.mark.parametrize("harm", ["changed", "missing", "foreign", "no seal", "other key"])
def test_a_damaged_entry_is_told_of_removed_and_made_anew(harm: str, tmp_path: Path) -> None:
    told: list[Text] = []
    store = Store(tmp_path / "store", told.append)
    entry = store.put("k" * 64, _filled(tmp_path / "work"), {})
    saved = entry / "run" / "run.json"
    if harm == "changed":
        saved.write_text('{"att": 1.6}')
    elif harm == "missing":
        saved.unlink()
    elif harm == "foreign":
        (entry / "other").write_text("")
    elif harm == "no seal":
        (entry / "piece.json").unlink()
    else:
        seal_folder(entry, "piece.json", {"key": "another"})
    assert store.get("k" * 64) is None
    assert not entry.exists()
    (text,) = told
    assert "damaged and is made anew" in text.en
    assert "损坏" in text.zh
    store.put("k" * 64, _filled(tmp_path / "again"), {})
    assert store.get("k" * 64) is not None


def test_a_piece_made_again_replaces_the_one_before(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.put("k", _filled(tmp_path / "one"), {})
    again = _filled(tmp_path / "two")
    (again / "notebook.ipynb").write_text('{"new": 1}')
    entry = store.put("k", again, {})
    assert (entry / "notebook.ipynb").read_text() == '{"new": 1}'
    assert store.get("k") == entry


def test_pruning_leaves_only_what_is_in_use(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for key in ("a", "b"):
        store.put(key, _filled(tmp_path / key), {})
    (tmp_path / "store" / "half-written").mkdir()
    store.prune({"b"})
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["b"]


def test_a_sealed_file_reads_back_as_written(tmp_path: Path) -> None:
    body = {"名": "盆景", "n": 1, "nested": {"x": [None, True, 0.1]}}
    write_sealed(tmp_path / "s.json", body)
    assert read_sealed(tmp_path / "s.json") == body


def test_any_bit_that_changes_in_a_sealed_file_is_noticed_or_changes_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.json"
    body = {"status": "running", "order": {"seed": 0, "data": "/台账"}}
    write_sealed(path, body)
    whole = path.read_bytes()
    rng = random.Random(1)
    for _ in range(300):
        spot, bit = rng.randrange(len(whole)), 1 << rng.randrange(8)
        path.write_bytes(whole[:spot] + bytes([whole[spot] ^ bit]) + whole[spot + 1 :])
        try:
            found = read_sealed(path)
        except DamagedError:
            continue
        assert found == body  # white space between two parts


def test_a_sealed_file_cut_anywhere_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    write_sealed(path, {"a": 1})
    whole = path.read_bytes()
    for length in range(len(whole) - 1):  # the last byte ends the line
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedError):
            read_sealed(path)


def test_a_sealed_folder_names_the_file_that_is_not_what_was_saved(tmp_path: Path) -> None:
    folder = _filled(tmp_path / "f")
    seal_folder(folder, "seal.json", {})
    assert set(read_folder(folder, "seal.json")["files"]) == {"notebook.ipynb", "run/run.json"}
    (folder / "run" / "run.json").write_text("{}")
    with pytest.raises(DamagedError, match=r"run/run\.json"):
        read_folder(folder, "seal.json")
