"""Processes that die or are told to stop: nothing is half published, nothing is left running."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import cps
from benchmarks._fault_kills import Ground, kill_points
from cps.runner.edition import read_edition
from tests.faults._quick import (
    ROOT,
    Done,
    Running,
    await_path,
    run_cps,
    start_cps,
    survivors,
    survivors_after,
    tree_bytes,
    write_notebooks,
)
from tests.faults.conftest import Quick

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults-process")]
Take = Callable[[Running], Running]

# A kernel that has come to its middle, with children of its own in two sessions; it waits as long
# as a folder is there. The same notebook without that folder gives what the quick one gives.
_HOLD = "CPS_TEST_HOLD"
_WAITS = f"""
import os, pathlib, subprocess, time
hold = pathlib.Path(os.environ["{_HOLD}"])
subprocess.Popen(["sleep", "300"])
subprocess.Popen("setsid nohup sleep 302 >/dev/null 2>&1 &", shell=True)
if initiative == "flowers" and hold.exists():
    (hold / "reached").write_text(str(os.getpid()))
    while hold.exists(): time.sleep(0.05)
"""


@dataclass(frozen=True)
class Midway:
    """Runs on top of an edition of bonsai alone, that stop in the middle of the other one."""

    inputs: Quick
    first: Path
    out: Path
    started: Take

    @property
    def hold(self) -> Path:
        return self.out.parent / "hold"

    @property
    def reached(self) -> Path:
        return self.hold / "reached"

    def start(self, *arguments: str) -> Running:
        """Start one, and wait until its kernel is in the middle."""
        shutil.copytree(self.first, self.out, symlinks=True)
        self.hold.mkdir()
        run = self.started(
            self.inputs.start(*arguments, out=self.out, environment={_HOLD: str(self.hold)})
        )
        await_path(self.reached)
        return run

    def release(self) -> None:
        """Let this run, and those after it, go on."""
        self.reached.unlink(missing_ok=True)
        self.hold.rmdir()

    def resume(self) -> Done:
        return run_cps("--resume", out=self.out, environment={_HOLD: str(self.hold)})

    def again(self) -> Done:
        return self.inputs.run(out=self.out, environment={_HOLD: str(self.hold)})


@pytest.fixture(scope="module")
def first(quick: Quick, tmp_path_factory: pytest.TempPathFactory) -> tuple[Quick, Path]:
    """Inputs whose notebook can be held, and an output folder with an edition of bonsai alone."""
    folder = tmp_path_factory.mktemp("first")
    inputs = Quick(
        quick.data,
        quick.initiatives,
        write_notebooks(folder / "notebooks", initiative=_WAITS),
    )
    away = {_HOLD: str(folder / "nothing")}
    done = inputs.run("--only", "bonsai", out=folder / "out", environment=away)
    assert done.exit_code == 0, done.stdout + done.stderr
    return inputs, done.out


@pytest.fixture
def midway(first: tuple[Quick, Path], started: Take, tmp_path: Path) -> Midway:
    return Midway(*first, tmp_path / "out", started)


def _is_like(undisturbed: Done, done: Done) -> None:
    assert done.exit_code == 0, done.stdout + done.stderr
    assert tree_bytes(done.latest) == tree_bytes(undisturbed.latest)
    read_edition(done.latest, is_checked=True)


def test_f01_a_killed_runner_leaves_the_edition_before_and_no_process_and_resumes(
    midway: Midway, undisturbed: Done
) -> None:
    run = midway.start()
    before = tree_bytes(run.out / "latest")
    assert len(survivors(run.mark)) >= 5  # runner, guard, warm process, worker, kernel, sleeps
    os.kill(run.pid, signal.SIGKILL)
    assert run.done().exit_code == -signal.SIGKILL
    assert survivors_after(run.mark) == []
    assert tree_bytes(run.out / "latest") == before
    read_edition(run.out / "latest", is_checked=True)
    # Marked as running under a process that is gone, and known as dead by that, not by its age.
    state = json.loads((run.out / ".work" / "state.json").read_text(encoding="utf-8"))["body"]
    assert (state["status"], state["pid"]) == ("running", run.pid)
    told = json.loads(start_cps("--json", out=run.out, command="status").done().stdout)
    assert told["running"] is None
    assert told["interrupted"]["pid"] == run.pid
    midway.release()
    resumed = midway.resume()
    assert "resuming the run interrupted at" in resumed.stdout
    _is_like(undisturbed, resumed)
    assert not (run.out / ".work").exists()


def test_f01_a_killed_runner_of_ordinary_kernels_leaves_no_process_either(
    midway: Midway, undisturbed: Done
) -> None:
    run = midway.start("--cold")
    assert _named(run.mark, "sleep")
    os.kill(run.pid, signal.SIGKILL)
    run.done()
    assert survivors_after(run.mark) == []
    midway.release()
    _is_like(undisturbed, midway.resume())


def test_f01_f02_whoever_of_a_run_is_killed_whenever_all_is_whole_and_made_again(
    first: tuple[Quick, Path], undisturbed: Done, tmp_path: Path
) -> None:
    ground = Ground(
        options=[*first[0].options, "--workers", "2"],
        template=first[1],
        before=tree_bytes(first[1] / "latest"),
        after=tree_bytes(undisturbed.latest),
        seconds=6.0,
        environment={_HOLD: str(tmp_path / "nothing")},
    )
    kills = kill_points(2, 4, roles=["guard", "runner"], folder=tmp_path, ground=ground)
    assert [one.violations for one in kills] == [(), ()]
    assert any(one.is_hit for one in kills)


def _named(mark: str, name: str) -> list[int]:
    return [
        pid
        for pid in survivors(mark)
        if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == name
    ]


def test_f02_a_worker_killed_once_is_tried_again_and_nothing_is_lost(
    midway: Midway, undisturbed: Done
) -> None:
    run = midway.start()
    midway.release()
    (worker,) = _named(run.mark, "flowers")
    os.kill(worker, signal.SIGKILL)
    done = run.done()
    assert done.piece("flowers")["attempts"] == 2
    assert "a process died under flowers; it was tried 2 times" in done.stdout
    _is_like(undisturbed, done)


def test_f02_a_worker_killed_each_time_fails_its_unit_and_the_others_end_well(
    midway: Midway,
) -> None:
    run = midway.start()
    for _ in range(2):
        await_path(midway.reached)
        midway.reached.unlink()
        (worker,) = _named(run.mark, "flowers")
        os.kill(worker, signal.SIGKILL)
    done = run.done()
    assert done.exit_code == 3
    told = done.piece("flowers")
    assert (told["status"], told["kind"], told["attempts"]) == ("failed", "crashed", 2)
    assert "signal 9 SIGKILL" in told["reason"]["en"]
    assert done.piece("bonsai")["status"] in ("kept", "run")
    assert (done.latest / "zh" / "bonsai.html").exists()
    assert survivors_after(run.mark) == []


def test_f02_a_warm_process_killed_under_a_run_is_done_without(
    midway: Midway, undisturbed: Done
) -> None:
    run = midway.start()
    midway.release()
    (warm,) = _named(run.mark, "cps-warm")
    os.kill(warm, signal.SIGKILL)
    done = run.done()
    assert "ordinary kernels are used" in done.stdout
    assert survivors_after(run.mark) == []
    _is_like(undisturbed, done)


def _stops(run: Running, number: signal.Signals) -> None:
    """Send the signal; within the grace that schedulers give the run stops in order."""
    before = tree_bytes(run.out / "latest")
    os.kill(run.pid, number)
    done = run.done(timeout=10)
    assert done.exit_code == 128 + number
    assert survivors_after(run.mark) == []
    assert tree_bytes(run.out / "latest") == before
    summary = done.summary
    assert (summary["status"], summary["exit_code"]) == ("interrupted", 128 + number)
    assert {one["id"] for one in summary["initiatives"]} == {"bonsai", "flowers"}
    assert f"stopped by {number.name}" in done.stderr
    assert "--resume" in done.stderr
    assert "Traceback" not in done.stderr


def test_f03_a_run_that_is_terminated_stops_in_order_and_is_resumed(
    midway: Midway, undisturbed: Done
) -> None:
    _stops(midway.start(), signal.SIGTERM)
    midway.release()
    _is_like(undisturbed, midway.resume())


def test_f04_a_run_that_is_interrupted_stops_in_order_and_a_plain_run_finishes(
    midway: Midway, undisturbed: Done
) -> None:
    _stops(midway.start(), signal.SIGINT)
    midway.release()
    _is_like(undisturbed, midway.again())


def test_f05_a_run_whose_terminal_closes_stops_in_order_and_with_nohup_goes_on(
    midway: Midway, undisturbed: Done
) -> None:
    _stops(midway.start(), signal.SIGHUP)
    environment = {_HOLD: str(midway.hold)}
    midway.reached.unlink()
    run = midway.started(
        midway.inputs.start(out=midway.out, environment=environment, prefix=("nohup",))
    )
    await_path(midway.reached)
    os.kill(run.pid, signal.SIGHUP)
    midway.release()
    _is_like(undisturbed, run.done())


_FORK_AFTER_POLARS = """
import multiprocessing, sys
import polars as pl
def query():
    return pl.DataFrame({"a": [1, 2, 3]}).lazy().group_by("a").len().collect(engine="streaming")
if __name__ == "__main__":
    query()
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        pool.apply(query)
"""


def test_f06_a_fork_after_a_query_can_hang_and_a_new_process_does_not(tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(_FORK_AFTER_POLARS)
    hung = subprocess.Popen(
        [sys.executable, str(script), "fork"], start_new_session=True, stderr=subprocess.DEVNULL
    )
    subprocess.run([sys.executable, str(script), "spawn"], check=True, timeout=60)
    try:
        # By now the other has done it, or hangs for ever: that is why nothing here does the like.
        assert hung.poll() is None
    finally:
        os.killpg(hung.pid, signal.SIGKILL)
        hung.wait()


def test_f06_nothing_in_the_package_forks_but_processes_that_never_query() -> None:
    package = Path(cps.__file__).parent
    found = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_fork = isinstance(node, ast.Attribute) and node.attr in ("fork", "forkpty")
            is_of_os = is_fork and isinstance(node.value, ast.Name) and node.value.id == "os"
            names = [alias.name for alias in getattr(node, "names", []) if hasattr(alias, "name")]
            module = getattr(node, "module", None) or ""
            if is_of_os or "ProcessPoolExecutor" in names:
                found.add(path.relative_to(package).as_posix())
            if "multiprocessing" in [module.partition(".")[0], *names]:
                found.add(path.relative_to(package).as_posix())
    assert found == {
        "runner/child.py",  # before it imports anything but Python's own
        "runner/warm/serve.py",
        "runner/warm/server.py",
    }


def test_f06_the_warm_process_has_no_thread_and_has_run_no_query_when_it_forks() -> None:
    code = (
        "from cps.runner.warm.preload import PRELOAD, check_threads, preload, prepare_interpreter\n"
        "prepare_interpreter(); preload(PRELOAD); check_threads('all')\n"
        "import polars as pl\n"
        "pl.DataFrame({'a': [1, 2, 3]}).lazy().group_by('a').len().collect()\n"
        "from cps.runner.warm.preload import PreloadError\n"
        "try: check_threads('a query')\n"
        "except PreloadError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.startswith("a query started a thread")
