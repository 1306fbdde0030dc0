"""Kernels that die, hang, flood or are somebody else's: the unit fails by name, the others go on."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cps.commands.run import _memory
from cps.runner.edition import read_edition
from cps.runner.engine import Ended, Piece
from cps.runner.local import local_engine
from tests.faults._quick import (
    MARK,
    ROOT,
    Done,
    run_cps,
    start_cps,
    survivors,
    tree_bytes,
    write_cells,
    write_initiatives,
    write_ledgers,
    write_notebooks,
)
from tests.faults.conftest import Quick

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults-kernel")]

# Seed 0 does no harm, so that there is a good edition before the bad one.
_FATES = """
import ctypes, os, subprocess, sys
if seed:
    if initiative == "dies": os._exit(7)
    if initiative == "segfaults": ctypes.string_at(0)
    if initiative == "is_killed": os.kill(os.getpid(), 9)
    if initiative == "raises": raise ValueError("<script>alert(1)</script>")
    if initiative == "exits": sys.exit(0)
    if initiative == "quits": exit()
    if initiative == "asks": input("?")
    if initiative == "floods":
        for number in range(200_000): print(number)
    if initiative == "long_line": print("x" * 5_000_000)
    if initiative == "grows":
        held = []
        while True: held.append(bytearray(100_000_000))
    if initiative == "spawns":
        subprocess.Popen(["sleep", "300"])
        subprocess.Popen(["sleep", "301"], start_new_session=True)
        subprocess.Popen("setsid nohup sleep 302 >/dev/null 2>&1 &", shell=True)
"""
_BAD = ("dies", "segfaults", "is_killed", "raises", "exits", "quits", "asks", "grows")
_GOOD = ("bonsai", "floods", "long_line", "spawns")


@dataclass(frozen=True)
class Fates:
    """A good edition, and the run after it in which eight of twelve initiatives failed."""

    before: Path
    pages_before: dict[str, bytes]
    done: Done
    left: list[int]


@pytest.fixture(scope="module")
def fates(tmp_path_factory: pytest.TempPathFactory) -> Fates:
    folder = tmp_path_factory.mktemp("fates")
    options = [
        *("--data", write_ledgers(folder)),
        *("--initiatives", write_initiatives(folder / "initiatives", [*_GOOD, *_BAD])),
        *("--notebooks", write_notebooks(folder / "notebooks", initiative=_FATES)),
        *("--workers", "2", "--memory", "3G", "--langs", "zh"),
    ]
    out = folder / "out"
    first = run_cps(*options, "--only", "bonsai,raises", out=out)
    assert first.exit_code == 0, first.stdout + first.stderr
    before, pages = first.latest, tree_bytes(first.latest)
    run = start_cps(*options, "--seed", "1", out=out)
    done = run.done()
    return Fates(before, pages, done, survivors(run.mark))


def _page(fates: Fates, name: str) -> str:
    return (fates.done.latest / "zh" / f"{name}.html").read_text(encoding="utf-8")


def _failed(fates: Fates, name: str, kind: str, said: str) -> None:
    """A failed unit is named with its cause, for machines and people, and is given no results."""
    told = fates.done.piece(name)
    assert (told["status"], told["kind"]) == ("failed", kind)
    assert said in told["reason"]["en"]
    assert said in fates.done.stdout
    assert not (fates.done.latest / "runs" / name / "run.json").exists()
    record = json.loads((fates.done.latest / "runs" / name / "failure.json").read_text())
    assert record["kind"] == kind
    assert fates.done.exit_code == 3


def test_f07_a_kernel_that_ends_itself_is_reported_as_dead_with_its_status(fates: Fates) -> None:
    _failed(fates, "dies", "crashed", "the kernel died (exit 7)")
    assert fates.done.piece("dies")["attempts"] == 2


def test_f07_what_papermill_calls_completed_is_kept_as_evidence_and_believed_by_nobody(
    fates: Fates,
) -> None:
    stored = json.loads((fates.done.latest / "notebooks" / "dies.ipynb").read_text())
    code = [one for one in stored["cells"] if one["cell_type"] == "code"]
    assert [one["metadata"]["papermill"]["status"] for one in code].count("failed") == 0
    assert code[-1]["execution_count"] is None
    record = json.loads((fates.done.latest / "runs" / "dies" / "failure.json").read_text())
    assert "os._exit(7)" in "".join(code[record["cell"] - 1]["source"])


def test_f07_a_failed_unit_has_a_page_of_its_failure_and_no_result(fates: Fates) -> None:
    for name in _BAD:
        assert "没有可用的结果" in _page(fates, name)
    assert "内核中途死亡（退出码 7）" in _page(fates, "dies")
    assert "此前没有完成过的结果" in _page(fates, "dies")
    assert not (fates.done.latest / "zh" / "dies.stale.html").exists()


def test_f07_the_other_units_of_the_run_are_published(fates: Fates) -> None:
    for name in _GOOD:
        assert fates.done.piece(name)["status"] == "run"
        assert (fates.done.latest / "zh" / f"{name}.html").exists()
        assert (fates.done.latest / "runs" / name / "run.json").exists()
    read_edition(fates.done.latest, is_checked=True)


def test_f08_a_segmentation_fault_is_named_as_signal_11(fates: Fates) -> None:
    _failed(fates, "segfaults", "crashed", "signal 11 SIGSEGV")


def test_f09_a_kernel_killed_from_outside_is_suspected_of_its_memory(fates: Fates) -> None:
    _failed(fates, "is_killed", "crashed", "signal 9 SIGKILL, perhaps out of memory")


def test_f09_a_kernel_that_grows_beyond_its_limit_fails_alone_and_is_not_tried_again(
    fates: Fates,
) -> None:
    _failed(fates, "grows", "memory", "ran out of memory (--memory raises the limit)")
    assert fates.done.piece("grows")["attempts"] == 1


def test_f09_all_kernels_together_are_held_below_the_memory_of_the_machine() -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    floor = 3 * 2**30
    for workers in (1, 2, 4, 16):
        limit = _memory(workers)
        assert limit is not None
        assert limit * workers <= max(total, floor * workers)


def test_f10_an_exception_is_told_with_its_cell_and_leaves_the_page_escaped(fates: Fates) -> None:
    _failed(fates, "raises", "error", "code cell 6 raised ValueError: <script>alert(1)</script>")
    index = (fates.done.latest / "zh" / "index.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in index
    for page in (fates.done.latest / "zh").iterdir():
        assert "<script>alert" not in page.read_text(encoding="utf-8")


def test_f10_the_edition_before_stays_whole_and_is_still_the_last_complete_one(
    fates: Fates,
) -> None:
    assert fates.done.latest != fates.before
    assert (fates.done.out / "complete").resolve() == fates.before
    assert tree_bytes(fates.before) == fates.pages_before
    read_edition(fates.before, is_checked=True)


def test_f10_the_last_good_page_lies_beside_the_failure_and_says_that_it_is_out_of_date(
    fates: Fates,
) -> None:
    assert "raises.stale.html" in _page(fates, "raises")
    assert fates.before.name in _page(fates, "raises")
    stale = _page(fates, "raises.stale")
    assert "本页已过期" in stale
    assert fates.before.name in stale
    assert "没有可用的结果" not in stale


@pytest.mark.parametrize("name", ["exits", "quits"])
def test_f11_a_cell_that_calls_exit_is_no_success(fates: Fates, name: str) -> None:
    cells = json.loads((ROOT / "notebooks" / "initiative.ipynb").read_text(encoding="utf-8"))[
        "cells"
    ]
    # papermill puts its parameters in a cell of their own, the fault stands in another.
    left = sum(one["cell_type"] == "code" for one in cells) + 2 - 6
    said = f"code cell 6 called exit; the {left} cells after it never ran"
    _failed(fates, name, "incomplete", said)


def test_f13_a_cell_that_asks_for_input_fails_at_once(fates: Fates) -> None:
    _failed(fates, "asks", "error", "StdinNotImplementedError")


@pytest.mark.parametrize("name", ["floods", "long_line"])
def test_f14_a_flood_of_output_is_cut_and_the_page_is_no_bigger(fates: Fates, name: str) -> None:
    latest = fates.done.latest
    notebook = latest / "notebooks" / f"{name}.ipynb"
    assert notebook.stat().st_size < 500_000
    assert "已截断" in notebook.read_text(encoding="utf-8")
    usual = (latest / "zh" / "bonsai.html").stat().st_size
    assert (latest / "zh" / f"{name}.html").stat().st_size < 1.2 * usual


def test_f15_what_a_notebook_started_ends_with_it_in_whatever_session(fates: Fates) -> None:
    assert fates.done.piece("spawns")["status"] == "run"
    assert fates.left == []


def test_f10_the_summary_names_every_unit_that_failed_and_no_other(fates: Fates) -> None:
    planned = fates.done.summary["initiatives"]
    assert {one["id"] for one in planned if one["status"] == "failed"} == set(_BAD)
    assert {one["id"] for one in planned if one["status"] == "run"} == set(_GOOD)


_HANGS = """
import time
if initiative == "sleeps": time.sleep(600)
if initiative == "loops":
    while True: pass
if initiative == "swallows":
    while True:
        try: time.sleep(600)
        except BaseException: pass
"""


def test_f12_three_ways_to_hang_end_at_the_time_limit_by_name(quick: Quick, tmp_path: Path) -> None:
    names = ["flowers", "sleeps", "loops", "swallows"]
    write_initiatives(tmp_path / "initiatives", names)
    write_notebooks(tmp_path / "notebooks", initiative=_HANGS)
    inputs = Quick(quick.data, tmp_path / "initiatives", tmp_path / "notebooks")
    run = inputs.start("--timeout", "8", "--workers", "4", out=tmp_path / "out")
    done = run.done(timeout=100)
    assert done.exit_code == 3
    for name in names[1:]:
        told = done.piece(name)
        assert (told["status"], told["kind"], told["attempts"]) == ("failed", "timeout", 1)
        assert "not finished after 8 s and ended (it was in code cell 6)" in told["reason"]["en"]
    assert survivors(run.mark) == []


def test_f12_there_is_a_time_limit_without_asking_for_one(capsys: pytest.CaptureFixture) -> None:
    from cps.__main__ import main

    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "seconds for a notebook [600]" in " ".join(capsys.readouterr().out.split())


def test_f16_a_missing_kernel_is_refused_before_any_unit_with_what_is_installed(
    quick: Quick, tmp_path: Path
) -> None:
    # Nothing is installed but where the first looks: in folders of the test's own.
    place = tmp_path / "jupyter" / "kernels" / "elsewhere"
    place.mkdir(parents=True)
    spec = {"argv": [sys.executable], "display_name": "elsewhere", "language": "python"}
    (place / "kernel.json").write_text(json.dumps(spec))
    done = quick.run(
        *("--kernel", "nosuch"),
        out=tmp_path / "out",
        environment={"JUPYTER_PATH": str(tmp_path / "jupyter")},
    )
    assert done.exit_code == 2
    assert "there is no kernel named 'nosuch'" in done.stderr
    assert "elsewhere" in done.stderr
    assert "cps kernel install" in done.stderr
    assert done.summary["exit_code"] == 2
    assert done.summary["initiatives"] == []
    assert not (tmp_path / "out" / "latest").exists()


def test_f17_kernelspecs_of_the_users_own_never_replace_the_python_of_the_run(
    quick: Quick, undisturbed: Done, tmp_path: Path
) -> None:
    trap = tmp_path / "sprung"
    for name in ("python3", "cps-run", "cps"):
        place = tmp_path / "jupyter" / "kernels" / name
        place.mkdir(parents=True)
        spec = {"argv": ["touch", str(trap)], "display_name": name, "language": "python"}
        (place / "kernel.json").write_text(json.dumps(spec))
    done = quick.run(
        out=tmp_path / "out",
        environment={
            "JUPYTER_PREFER_ENV_PATH": "0",
            "JUPYTER_PATH": str(tmp_path / "jupyter"),
            "JUPYTER_DATA_DIR": str(tmp_path / "jupyter"),
        },
    )
    assert done.exit_code == 0, done.stdout + done.stderr
    assert not trap.exists()
    assert tree_bytes(done.latest) == tree_bytes(undisturbed.latest)


def _install_kernel(folder: Path, name: str, argv: list[str], **more: object) -> None:
    place = folder / "kernels" / name
    place.mkdir(parents=True)
    spec = {"argv": argv, "display_name": name, "language": "python", **more}
    (place / "kernel.json").write_text(json.dumps(spec))


def test_f17_a_kernel_with_other_libraries_is_refused_by_their_versions(
    quick: Quick, undisturbed: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old" / "polars-1.0.0.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: polars\nVersion: 1.0.0\n")
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    environment = {"PYTHONPATH": f"{old.parent}{os.pathsep}{ROOT}"}
    _install_kernel(tmp_path / "jupyter", "old", argv, env=environment)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    piece = Piece(
        name="bonsai",
        key="",
        notebook=quick.notebooks / "initiative.ipynb",
        parameters={"initiative": "bonsai", "outcome": "income_yuan", "seed": 0},
        folders={"panel": undisturbed.latest / "panel"},
    )
    with local_engine(kernel="old") as engine:
        ended = engine.run(piece, tmp_path / "target")
    assert ended.kind == "refused"
    assert ended.message is not None
    assert f"polars 1.0.0 ≠ {importlib.metadata.version('polars')}" in ended.message.en


def test_f18_many_kernels_at_once_all_end_well_and_never_more_than_asked_for(
    undisturbed: Done, tmp_path: Path
) -> None:
    ended = many_kernels(undisturbed.latest / "runs" / "bonsai", tmp_path, count=12, workers=8)
    assert [one.message for one in ended] == [None] * 12
    moments = sorted(
        (float(text), step)
        for path in (tmp_path / "moments").iterdir()
        for text, step in zip(path.read_text().split(), (1, -1), strict=True)
    )
    most = now = 0
    for _, step in moments:
        now += step
        most = max(most, now)
    assert 2 <= most <= 8


_SHY = """
import os, sys
if not os.path.exists({first!r}):
    open({first!r}, "w")
    sys.exit(1)
os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def shy(undisturbed: Done, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, list[int]]:
    """A kernel of the user's own that fails to start once, and whose notebook starts daemons."""
    folder = tmp_path_factory.mktemp("shy")
    mark = f"shy-{os.getpid()}"  # another worker of the tests may run this fixture as well
    code = _SHY.format(first=str(folder / "first"))
    argv = [sys.executable, "-c", code, "-f", "{connection_file}"]
    _install_kernel(folder / "jupyter", "shy", argv)
    spawn = (
        'import shutil, subprocess\nsubprocess.Popen(["sleep", "303"], start_new_session=True)\n'
        'subprocess.Popen("setsid nohup sleep 304 >/dev/null 2>&1 &", shell=True)'
    )
    saved = undisturbed.latest / "runs" / "bonsai"
    copy = f"shutil.copytree({str(saved)!r}, out)"
    notebook = write_cells(folder / "n.ipynb", ['out = ""', spawn, copy])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
        patch.setenv(MARK, mark)
        with local_engine(kernel="shy") as engine:
            ended = engine.run(Piece("shy", "", notebook), folder / "target")
            return ended, survivors(mark)


def test_f18_a_kernel_that_does_not_start_is_started_once_more(
    shy: tuple[Ended, list[int]],
) -> None:
    assert shy[0].message is None
    assert shy[0].attempts == 2


def test_f15_daemons_of_an_ordinary_kernel_end_with_their_notebook_too(
    shy: tuple[Ended, list[int]],
) -> None:
    assert shy[0].message is None
    assert shy[1] == []


def many_kernels(saved: Path, folder: Path, *, count: int, workers: int) -> list[Ended]:
    """Run ``count`` small notebooks, ``workers`` at a time; each notes when it began and ended.

    Parameters
    ----------
    saved : Path
        A saved run, that each notebook copies in place of making one.
    folder : Path
    """
    import concurrent.futures

    moments = folder / "moments"
    moments.mkdir()
    notebook = folder / "many.ipynb"
    cells = [
        "import shutil, time\nbegun = time.monotonic()",
        # Long enough for another to begin meanwhile, however busy the machine is.
        f"shutil.copytree({str(saved)!r}, out)\ntime.sleep(0.5)",
        f"print(begun, time.monotonic(), file=open(f'{moments}/{{name}}', 'w'))",
    ]
    write_cells(notebook, ['out, name = "", ""', *cells])
    with local_engine() as engine, concurrent.futures.ThreadPoolExecutor(workers) as pool:
        names = [f"n{number}" for number in range(count)]
        pieces = [Piece(name, name, notebook, {"name": name}) for name in names]
        return list(pool.map(lambda one: engine.run(one, folder / "targets" / one.name), pieces))
