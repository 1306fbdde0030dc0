"""The state that an interrupted run leaves, read by whatever version comes next."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cps.runner.order import Order
from cps.runner.sealed import read_sealed, write_sealed
from cps.runner.work import Work
from tests.faults._quick import run_cps, start_cps


def test_a_run_interrupted_under_another_version_is_not_resumed_and_no_fault(
    tmp_path: Path,
) -> None:
    work = Work(tmp_path)
    work.folder.mkdir()
    work.mark("interrupted", Order(data="ledgers"))
    state = work.folder / "state.json"
    assert work.interrupted() is not None
    body = read_sealed(state)
    write_sealed(state, {**body, "order": {**body["order"], "an_option_to_come": 1}})
    assert work.interrupted() is None


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")
def test_a_run_stopped_while_it_waits_for_another_is_to_be_run_again_and_not_resumed(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with (out / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        run = start_cps("--data", tmp_path / "ledgers", "--wait", "60", out=out)
        try:
            _await_open(run.process, out / ".lock")
            os.kill(run.pid, signal.SIGINT)
            done = run.done()
        finally:
            run.end()
    assert done.exit_code == 130
    assert "stopped by SIGINT before anything was begun" in done.stderr
    assert "--resume" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not (out / "summary.json").exists()


def _await_open(process: subprocess.Popen[str], path: Path) -> None:
    while path not in _open_files(process.pid):
        assert process.poll() is None, f"it ended and never opened {path}"
        time.sleep(0.02)


def _open_files(pid: int) -> set[Path]:
    found = set()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(one.readlink())
    return found


def test_a_summary_that_cannot_be_written_where_it_was_wanted_is_told(tmp_path: Path) -> None:
    wanted = tmp_path / "no such folder" / "summary.json"
    done = run_cps("--data", tmp_path / "none.csv", "--summary", wanted, out=tmp_path / "out")
    assert done.exit_code == 5
    assert f"the summary can't be written to {wanted}: No such file" in done.stderr
