"""Disks that are full, slow to forgive or wrong: nothing is half published, no wrong value served."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks._fault_disk import (
    Template,
    count_calls,
    fail_calls,
    flip_anywhere,
    flip_kept,
    list_left,
    make_template,
)
from cps.errors import StorageError
from cps.runner.edition import read_edition
from cps.runner.lock import hold
from cps.runner.status import read_status
from tests.faults._quick import Done, tree_bytes
from tests.faults._shim import compiler

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults-disk")]
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
# Root may write everywhere unless it gives that up.
UNPRIVILEGED = (
    ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--") if IS_ROOT else ()
)
needs_mount = pytest.mark.skipif(
    not IS_ROOT or shutil.which("mount") is None, reason="only root can mount a small disk"
)
needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C compiler")


@pytest.fixture(scope="module")
def template(quick, undisturbed: Done, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A good edition, and a store from which the next can be published without a kernel."""
    folder = tmp_path_factory.mktemp("template")
    return make_template([*quick.options, "--workers", "2"], folder, first=undisturbed.out)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a small disk, as ``size=1m,nr_inodes=20``; it goes with the test."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("mounting is not allowed here")
        mounted.append(place)
        # What the command prints does not go to the disk.
        (tmp_path / "said").mkdir(exist_ok=True)
        (place / "said").symlink_to(tmp_path / "said")
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=False)


def _publish(template: Template, out: Path, **how) -> Done:
    from tests.faults._quick import run_cps

    return run_cps(*template.options, "--cold", out=out, **how)


def _refused(done: Done, *words: str) -> None:
    assert done.exit_code == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "where:" in done.stderr
    assert "mend :" in done.stderr
    for word in words:
        assert word in done.stderr


def _is_good(out: Path, template: Template) -> bool:
    read_edition(out / "latest", is_checked=True)
    return tree_bytes(out / "latest") == template.good


@needs_mount
def test_f19_a_disk_without_room_is_refused_before_anything_is_read(template, disk) -> None:
    out = template.copy(disk("size=12m") / "out")
    done = _publish(template, out)
    _refused(done, "nearly full", "MB free", "MB are needed", str(out))
    assert done.summary["exit_code"] == 2
    assert _is_good(out, template)


@needs_mount
def test_f19_a_disk_that_fills_up_during_a_run_leaves_the_good_edition(
    template, disk, spoilt, tmp_path
) -> None:
    place = disk("size=60m")
    out, ballast = template.copy(place / "out"), place / "ballast"
    inputs = spoilt(
        f"import os\n"
        f"if initiative == 'flowers' and not os.path.exists({str(tmp_path / 'freed')!r}):\n"
        f"    ballast = open({str(ballast)!r}, 'wb', buffering=0)\n"
        f"    try:\n"
        f"        while ballast.write(bytes(1 << 16)): pass\n"
        f"    except OSError: pass\n"
        f"    try:\n"
        f"        while ballast.write(bytes(1)): pass\n"
        f"    except OSError: pass\n"
    )
    done = inputs.run(out=out)
    _refused(done, "the disk is full", "MB free", "may need", str(out))
    assert _is_good(out, template)
    ballast.unlink()
    (tmp_path / "freed").touch()
    again = inputs.run(out=out)
    assert again.exit_code == 0, again.stdout + again.stderr
    assert tree_bytes(again.latest) == template.good
    assert not list_left(out)


def test_f19_files_that_may_not_grow_leave_the_good_edition(template, tmp_path) -> None:
    out = template.copy(tmp_path / "out")
    done = _publish(template, out, prefix=("prlimit", "--fsize=30000"))
    _refused(done, "File too large")
    assert _is_good(out, template)
    assert tree_bytes(_publish(template, out).latest) == template.new


@needs_mount
def test_f20_a_read_only_disk_is_refused_at_once(template, disk) -> None:
    place = disk("size=12m")
    out = template.copy(place / "out")
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    _refused(_publish(template, out), "Read-only file system", str(out))
    assert _is_good(out, template)


@pytest.mark.parametrize("name", ["", "runs", ".store"])
def test_f20_a_folder_without_permission_is_refused_before_anything_is_read(
    template, tmp_path, name
) -> None:
    out = template.copy(tmp_path / "out")
    (out / ".lock").unlink()
    (out / name).chmod(0o555)
    try:
        _refused(_publish(template, out, prefix=UNPRIVILEGED), "ermission denied", str(out / name))
    finally:
        (out / name).chmod(0o755)
    assert not (out / ".work" / "inputs").exists()
    assert _is_good(out, template)


def test_f21_an_output_folder_that_is_not_there_is_made_and_a_file_in_its_place_named(
    tmp_path,
) -> None:
    with hold(tmp_path / "one" / "two" / "三") as held:
        assert held.folder.is_dir()
    (tmp_path / "file").write_text("a file")
    with pytest.raises(StorageError, match="can't be written"), hold(tmp_path / "file"):
        pass


@needs_compiler
def test_f22_a_call_that_fails_or_a_crash_there_leaves_a_whole_edition_and_the_next_run_mends_it(
    template, tmp_path
) -> None:
    n_calls = count_calls(template, tmp_path, "--cold")
    assert n_calls > 150
    chosen = {"ENOSPC": n_calls // 3, "EIO": n_calls // 2, "killed": 4 * n_calls // 5}
    for error, number in chosen.items():
        for label, wrong in fail_calls(template, tmp_path, [number], "--cold", errors=[error]):
            assert not wrong, (label, wrong)
            assert "not reached" not in label


def test_f23_no_flipped_bit_of_a_kept_result_is_ever_served(template, tmp_path) -> None:
    wrong, found = flip_kept(template, tmp_path, trials=300, seed=23)
    assert wrong == 0
    assert found > 290


def test_f23_a_flipped_bit_is_told_and_what_it_spoilt_is_made_anew(template, tmp_path) -> None:
    panel = next((template.out / ".store").glob("*/panel.parquet"))
    out = template.copy(tmp_path / "out")
    content = bytearray(panel.read_bytes())
    content[len(content) // 2] ^= 4
    (out / panel.relative_to(template.out)).write_bytes(content)
    done = _publish(template, out)
    assert done.exit_code == 0
    assert "a kept result is damaged and is made anew" in done.stdout
    assert "panel.parquet" in done.stdout
    assert tree_bytes(done.latest) == template.new
    for label, mistakes in flip_anywhere(template, tmp_path / "more", 2, 6, "--cold"):
        assert not mistakes, (label, mistakes)


def test_f24_a_file_that_is_cut_short_empty_or_foreign_is_made_anew(
    quick, undisturbed, tmp_path
) -> None:
    out = Path(shutil.copytree(undisturbed.out, tmp_path / "out", symlinks=True))
    shutil.rmtree((out / "latest").resolve())
    contents = (b"PAR1PAR1", b"", "一个文本文件".encode())
    designs = sorted((out / ".store").glob("*/run/design.parquet"))
    for path, content in zip(designs, contents, strict=True):
        path.write_bytes(content)
    panel = next((out / ".store").glob("*/panel.parquet"))
    panel.write_bytes(panel.read_bytes()[: panel.stat().st_size // 2])
    done = quick.run(out=out)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert done.stdout.count("a kept result is damaged and is made anew") == 4
    assert tree_bytes(done.latest) == tree_bytes(undisturbed.latest)


@pytest.mark.parametrize("name", ["zh/index.html", "manifest.json"])
def test_f25_a_damaged_published_file_is_told_and_the_edition_made_anew(
    quick, undisturbed, tmp_path, name
) -> None:
    out = Path(shutil.copytree(undisturbed.out, tmp_path / "out", symlinks=True))
    page = out / "latest" / name
    content = bytearray(page.read_bytes())
    content[len(content) // 2] ^= 1
    page.write_bytes(content)
    (out / "summary.json").write_bytes(b'{"last_success": "no time", "exit_code": 0}')
    assert read_status(out).is_overdue(1e9)
    done = quick.run("--cold", out=out)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "is damaged and made anew" in done.stdout
    assert done.latest.name != undisturbed.latest.name
    read_edition(done.latest, is_checked=True)
    assert tree_bytes(done.latest) == tree_bytes(undisturbed.latest)


def test_f26_what_a_dead_run_left_is_removed_and_never_published(template, tmp_path) -> None:
    out = template.copy(tmp_path / "out")
    scratch = Path(tempfile.mkdtemp(prefix="dead", dir="/tmp"))
    left = [
        ".summary.json.x7k2_abc",
        ".index.html.x7k2_abc",
        "runs/..editions.json.x7k2_abc",
        ".latest.new",
        ".work/panel/panel.parquet.tmp-4711",
        ".work/edition/zh/index.html.tmp-4711",
        ".store/index.tmp-4711",
        ".store/0123/run.json",
        "runs/.probe",
    ]
    for name in left:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("half")
    (scratch / "cps-dead" / "rt").mkdir(parents=True)
    (scratch / "cps-dead" / ".owner").touch()
    (scratch / "cps-other").mkdir()
    done = _publish(template, out, environment={"TMPDIR": str(scratch)})
    assert done.exit_code == 0, done.stdout + done.stderr
    assert not [name for name in left if (out / name).exists()]
    assert not list_left(out)
    assert [path.name for path in scratch.iterdir()] == ["cps-other"]
    shutil.rmtree(scratch)
    assert not [name for name in read_edition(done.latest).body["files"] if "tmp-" in name]
    assert tree_bytes(done.latest) == template.new


@needs_mount
def test_f27_a_disk_without_inodes_is_refused_by_that_name(template, disk) -> None:
    out = template.copy(disk("size=60m,nr_inodes=600") / "out")
    _refused(_publish(template, out), "inodes", "are needed")
    assert _is_good(out, template)


@pytest.mark.parametrize("most", [12, 64])
def test_f27_too_few_open_files_are_refused_by_that_name(template, tmp_path, most) -> None:
    out = template.copy(tmp_path / "out")
    _refused(
        _publish(template, out, prefix=("prlimit", f"--nofile={most}")), "open files", "ulimit"
    )
    assert _is_good(out, template)


def test_f27_a_limit_of_open_files_that_can_be_raised_is_raised(template, tmp_path) -> None:
    out = template.copy(tmp_path / "out")
    done = _publish(template, out, prefix=("prlimit", "--nofile=40:4096"))
    assert done.exit_code == 0, done.stdout + done.stderr
    assert tree_bytes(done.latest) == template.new
