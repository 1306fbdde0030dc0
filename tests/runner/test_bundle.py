"""Folders as bytes: the same bytes from the same files, and nothing that climbs out of its folder."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cps.errors import RunError
from cps.runner import bundle
from cps.runner.bundle import pack_folder, unpack

FILES = {
    "run.json": b"{}",
    "村 台账/数据.parquet": bytes(range(256)) * 40,
    "a/b/c": b"",
    "a-b": b"sorted by name, not by folder",
}


def _folder(place: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return place


def _content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _zip(entries: list[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return _sealed(packed.getvalue())


def _sealed(content: bytes) -> bytes:
    return hashlib.sha256(content).digest() + content


def test_what_was_packed_is_unpacked_with_empty_folders_and_chinese_names(tmp_path: Path) -> None:
    source = _folder(tmp_path / "来源", FILES)
    (source / "empty").mkdir()
    target = unpack(pack_folder(source), tmp_path / "there yet not" / "目标")
    assert _content(target) == FILES
    assert (target / "empty").is_dir()
    assert {path.name for path in target.parent.iterdir()} == {"目标"}


@given(st.dictionaries(st.from_regex(r"[a-z一-龥]{1,6}", fullmatch=True), st.binary(max_size=300)))
def test_any_files_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    place = tmp_path_factory.mktemp("any")
    source = _folder(place / "source", files)
    source.mkdir(exist_ok=True)
    assert _content(unpack(pack_folder(source), place / "target")) == files


def test_equal_folders_give_equal_bytes_whatever_their_times_modes_and_order(
    tmp_path: Path,
) -> None:
    first = _folder(tmp_path / "first", FILES)
    second = _folder(tmp_path / "second", dict(reversed(FILES.items())))
    for path in second.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    (second / "run.json").chmod(0o600)
    assert pack_folder(first) == pack_folder(second)
    (second / "a/b/c").write_bytes(b"x")
    assert pack_folder(first) != pack_folder(second)


def test_unpacked_files_are_plain_and_run_no_one(tmp_path: Path) -> None:
    source = _folder(tmp_path / "source", {"tool": b"#!/bin/sh\n"})
    (source / "tool").chmod(0o4755)
    target = unpack(pack_folder(source), tmp_path / "target")
    assert not stat.S_IMODE((target / "tool").stat().st_mode) & 0o7111


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "a/../../out",
        "/etc/out",
        "a//b",
        "./a",
        "..",
        "a/..",
        "C:out",
        "c:/out",
        r"..\out",
        r"a\b",
        "a\nb",
    ],
)
def test_a_name_that_climbs_out_is_refused_and_nothing_is_written(
    name: str, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    packed = _zip([("good", b"1"), (name, b"2")])
    with pytest.raises(RunError, match="can't be used"):
        unpack(packed, place / "target")
    assert list(place.iterdir()) == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_in_a_bundle_are_refused(kind: int, tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (kind | 0o777) << 16
    with pytest.raises(RunError, match="'link'"):
        unpack(_zip([(entry, b"/etc/passwd")]), tmp_path / "target")
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_not_packed(tmp_path: Path) -> None:
    source = _folder(tmp_path / "source", FILES)
    (source / "a" / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(RunError) as caught:
        pack_folder(source)
    assert str(source / "a" / "elsewhere") in caught.value.message("zh")


@pytest.mark.skipif(os.name != "posix", reason="such names can be made on POSIX only")
@pytest.mark.parametrize("name", [b"back\\slash", b"\xff\xfe", b"line\nbreak"])
def test_a_name_that_could_not_be_unpacked_elsewhere_is_not_packed(
    name: bytes, tmp_path: Path
) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    with pytest.raises(RunError, match="every system"):
        pack_folder(tmp_path)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = _zip([("a", b"1"), ("a", b"2")])
    with pytest.raises(RunError, match="twice"):
        unpack(twice, tmp_path / "target")
    with pytest.raises(RunError):  # a file that is also a folder
        unpack(_zip([("a", b"1"), ("a/b", b"2")]), tmp_path / "target")
    assert list(tmp_path.iterdir()) == []


def test_absurd_sizes_are_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _folder(tmp_path / "source", {"zeros": bytes(1_000_000), "more": b"x"})
    packed = pack_folder(source)
    assert len(packed) < 10_000
    monkeypatch.setattr(bundle, "MAX_BYTES", 1_000_000)
    with pytest.raises(RunError, match="1000001 bytes"):
        unpack(packed, tmp_path / "target")
    monkeypatch.setattr(bundle, "MAX_BYTES", 2_000_000)
    monkeypatch.setattr(bundle, "MAX_FILES", 1)
    with pytest.raises(RunError, match="2 files"):
        unpack(packed, tmp_path / "target")
    assert {path.name for path in tmp_path.iterdir()} == {"source"}


def test_a_size_that_is_understated_does_not_let_more_through(tmp_path: Path) -> None:
    packed = bytearray(_zip([("zeros", bytes(5_000))])[32:])
    directory = packed.rindex(b"PK\x01\x02")
    struct.pack_into("<I", packed, directory + 24, 10)  # the directory's word for the size
    with pytest.raises(RunError, match="damaged"):
        unpack(_sealed(bytes(packed)), tmp_path / "target")
    assert list(tmp_path.iterdir()) == []


def test_damaged_bytes_never_pass_for_a_folder(tmp_path: Path) -> None:
    source = _folder(tmp_path / "source", FILES)
    packed = pack_folder(source)
    for place in range(0, len(packed), 3):
        damaged = bytearray(packed)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(RunError):
            unpack(bytes(damaged), tmp_path / "target")
    for cut in (0, 1, len(packed) // 2, len(packed) - 1):
        with pytest.raises(RunError):
            unpack(packed[:cut], tmp_path / "cut")
    assert {path.name for path in tmp_path.iterdir()} == {"source"}


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    source = _folder(tmp_path / "source", FILES)
    taken = _folder(tmp_path / "taken", {"mine": b"1"})
    with pytest.raises(RunError, match="not empty"):
        unpack(pack_folder(source), taken)
    assert _content(taken) == {"mine": b"1"}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        pack_folder(tmp_path / "没有")
    assert "没有" in caught.value.message("zh")
    assert "处理" in caught.value.message("zh")
