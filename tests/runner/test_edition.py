"""An edition appears whole under its name, or not at all; readers follow one pointer."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from cps.errors import LockedError, StorageError
from cps.runner.edition import (
    keep_failed,
    list_editions,
    mend_pointers,
    next_stamp,
    point,
    publish,
    read_edition,
)
from cps.runner.lock import hold, holder
from cps.runner.sealed import DamagedError


def _edition(out: Path, stamp: str, text: str = "page", *, is_complete: bool = True) -> Path:
    work = out / ".work" / "edition"
    (work / "zh").mkdir(parents=True)
    (work / "zh" / "index.html").write_text(text)
    body = {"key": text, "pieces": {}, "is_complete": is_complete}
    return publish(work, out, stamp, body)


def _leads_to(pointer: Path) -> str:
    return Path(os.readlink(pointer)).name


def test_latest_points_at_what_was_published_last_and_older_ones_stay(tmp_path: Path) -> None:
    first, second = _edition(tmp_path, "20260101T000000Z"), _edition(tmp_path, "20260201T000000Z")
    assert (tmp_path / "latest").resolve() == second
    assert [one.folder for one in list_editions(tmp_path)] == [first, second]
    for folder in (first, second):
        assert read_edition(folder, is_checked=True).folder == folder


def test_an_edition_with_failures_is_the_latest_but_not_the_last_complete_one(
    tmp_path: Path,
) -> None:
    good = _edition(tmp_path, "20260101T000000Z")
    bad = _edition(tmp_path, "20260201T000000Z", is_complete=False)
    assert (tmp_path / "latest").resolve() == bad
    assert (tmp_path / "complete").resolve() == good


def test_two_editions_of_one_second_have_names_of_their_own_in_order(tmp_path: Path) -> None:
    stamp = "20260101T000000Z"
    names = [_edition(tmp_path, stamp).name for _ in range(11)]
    assert len(set(names)) == 11
    assert [one.folder.name for one in list_editions(tmp_path)] == names
    assert _leads_to(tmp_path / "latest") == names[-1]


def test_pointers_are_moved_on_where_a_run_died_between_two_renames(tmp_path: Path) -> None:
    old = _edition(tmp_path, "20260101T000000Z")
    new = _edition(tmp_path, "20260201T000000Z")
    point(tmp_path, "latest", old.name)
    point(tmp_path, "complete", old.name)
    mend_pointers(tmp_path)
    assert (tmp_path / "latest").resolve() == (tmp_path / "complete").resolve() == new


def test_a_pointer_never_leads_to_an_edition_that_is_not_sealed(tmp_path: Path) -> None:
    good = _edition(tmp_path, "20260101T000000Z")
    half = tmp_path / "runs" / "20260301T000000Z"
    half.mkdir()
    (half / "index.html").write_text("half")
    mend_pointers(tmp_path)
    assert (tmp_path / "latest").resolve() == good
    with pytest.raises(DamagedError):
        read_edition(half)


@pytest.mark.parametrize("harm", ["changed", "missing", "foreign", "manifest"])
def test_a_file_that_is_not_what_was_published_is_noticed(harm: str, tmp_path: Path) -> None:
    folder = _edition(tmp_path, "20260101T000000Z")
    page = folder / "zh" / "index.html"
    if harm == "changed":
        page.write_text("Page")
    elif harm == "missing":
        page.unlink()
    elif harm == "foreign":
        (folder / "zh" / "other.html").write_text("x")
    else:
        manifest = folder / "manifest.json"
        manifest.write_bytes(manifest.read_bytes().replace(b'"page"', b'"pane"'))
    with pytest.raises(DamagedError):
        read_edition(folder, is_checked=True)


def test_the_next_edition_is_named_after_the_newest_even_if_the_clock_was_set_back(
    tmp_path: Path,
) -> None:
    _edition(tmp_path, "29990101T000000Z")
    stamp = next_stamp(tmp_path)
    assert stamp == "29990101T000000Z"
    later = _edition(tmp_path, stamp)
    assert list_editions(tmp_path)[-1].folder == later


def test_notebooks_of_a_run_that_gave_nothing_are_kept_apart(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "n.ipynb").write_text("{}")
    kept = keep_failed(tmp_path / "evidence", tmp_path, "20260101T000000Z")
    assert (kept / "n.ipynb").exists()
    assert not (tmp_path / "latest").exists()


_HOLD = (
    "import sys\nfrom pathlib import Path\nfrom cps.errors import LockedError\n"
    "from cps.runner.lock import hold\n"
    "try:\n    with hold(Path(sys.argv[1])): pass\n"
    "except LockedError as error:\n    print(error.message('en')); sys.exit(error.exit_code)\n"
)


def test_a_second_process_on_one_folder_is_refused_in_words_with_who_holds_it(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", _HOLD, str(tmp_path)]
    assert holder(tmp_path) is None
    with hold(tmp_path):
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == LockedError.exit_code == 4
    assert "another run is writing this folder" in second.stdout
    assert f"pid {os.getpid()} @" in second.stdout
    assert "--wait" in second.stdout
    third = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert third.returncode == 0


def test_a_folder_that_was_replaced_under_a_run_is_not_published_into(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with hold(out) as held:
        held.demand_place()
        out.rename(tmp_path / "elsewhere")
        out.mkdir()
        with pytest.raises(StorageError, match="moved or replaced"):
            held.demand_place()


_LOOK = """
import os, sys
from pathlib import Path
import psutil
from cps.runner.lock import holder
if os.getuid() == 0:
    os.setuid(65534)
found = holder(Path(sys.argv[1]))
print(found and found["pid"])
"""


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_who_may_only_read_the_folder_sees_the_run_that_holds_it() -> None:
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        out.chmod(0o755)
        look = [sys.executable, "-c", _LOOK, str(out)]
        with hold(out):
            (out / ".lock").chmod(0o444)
            assert subprocess.check_output(look, text=True).strip() == str(os.getpid())
        assert subprocess.check_output(look, text=True).strip() == "None"
