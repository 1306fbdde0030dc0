"""A forked task is a process of its own: its environment, its files, its end."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cps.errors import RunError
from cps.runner.warm.client import Task, WarmProcess

Fork = Callable[..., Task]


@pytest.fixture
def fork(bare_warm: WarmProcess, environment: dict[str, str], tmp_path: Path) -> Iterator[Fork]:
    """Fork a job; whatever is left of it ends with the test."""
    tasks = []

    def start(job: str, payload: bytes = b"", **options: object) -> Task:
        given = {"env": environment, "cwd": tmp_path, "output": tmp_path / "out", "name": job}
        task = bare_warm.fork(f"jobs:{job}", payload, **{**given, **options})
        tasks.append(task)
        return task

    yield start
    for task in tasks:
        task.kill()


def said(tmp_path: Path) -> dict:
    return json.loads((tmp_path / "out").read_text())


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def gone(pids: list[int], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(is_alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def read_ids(path: Path) -> list[int]:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, "the job wrote no ids"
        time.sleep(0.01)
    return json.loads(path.read_text())


def test_what_the_function_returns_is_the_exit_status(fork: Fork) -> None:
    assert [fork("answer", code).wait(20) for code in (b"", b"0", b"7")] == [0, 0, 7]


def test_an_uncaught_exception_prints_and_gives_1(fork: Fork, tmp_path: Path) -> None:
    assert fork("fail", "村".encode()).wait(20) == 1
    printed = (tmp_path / "out").read_text()
    assert printed.startswith("Traceback")
    assert printed.endswith("ValueError: 村\n")


def test_an_exit_with_a_message_prints_it_and_gives_1(fork: Fork, tmp_path: Path) -> None:
    assert fork("leave", b"enough").wait(20) == 1
    assert (tmp_path / "out").read_text() == "enough\n"
    assert fork("leave").wait(20) == 0


def test_a_missing_function_or_folder_ends_with_1_and_says_so(fork: Fork, tmp_path: Path) -> None:
    assert fork("no_such_job").wait(20) == 1
    assert fork("answer", cwd=tmp_path / "nowhere").wait(20) == 1
    printed = (tmp_path / "out").read_text()
    assert "no_such_job" in printed
    assert "nowhere" in printed


def test_a_task_has_the_environment_folder_and_session_that_were_asked_for(
    fork: Fork, environment: dict[str, str], tmp_path: Path
) -> None:
    env = {**environment, "VILLAGE": "河西村"}
    assert fork("report", b"x" * 3_000_000, env=env).wait(20) == 0
    found = said(tmp_path)
    assert found["env"] == env
    assert found["cwd"] == str(tmp_path)
    assert found["session"]
    assert found["sigint"]
    assert found["threads"] == 1
    assert found["payload"] == 3_000_000


def test_a_task_inherits_no_file_but_its_standard_ones(fork: Fork, tmp_path: Path) -> None:
    sleeper = fork("sleep")  # its connection is open in the warm process
    assert fork("report").wait(20) == 0
    assert said(tmp_path)["files"] == [0, 1, 2, 3]  # 3 is the listing itself
    sleeper.kill()
    assert sleeper.wait(20) == -signal.SIGKILL


def test_two_tasks_draw_different_random_numbers(fork: Fork, tmp_path: Path) -> None:
    outs = [tmp_path / "a", tmp_path / "b"]
    assert [fork("report", output=out).wait(20) for out in outs] == [0, 0]
    first, second = (json.loads(out.read_text())["random"] for out in outs)
    assert first != second


def test_memory_is_limited_for_the_task_that_asks(fork: Fork, tmp_path: Path) -> None:
    limit = 1 << 30
    assert fork("allocate", str(2 * limit).encode(), memory_bytes=limit).wait(20) == 1
    assert "MemoryError" in (tmp_path / "out").read_text()
    assert fork("allocate", b"1000000", memory_bytes=limit).wait(20) == 0


def test_a_file_left_open_reaches_the_disk(fork: Fork, tmp_path: Path) -> None:
    assert fork("write_unclosed", str(tmp_path / "left").encode()).wait(20) == 0
    assert (tmp_path / "left").read_text() == "kept"


def test_signals_reach_the_task_and_waiting_has_a_limit(fork: Fork) -> None:
    interrupted, terminated, killed = fork("sleep"), fork("sleep"), fork("sleep")
    assert interrupted.wait(0.05) is None
    interrupted.interrupt()
    terminated.terminate()
    killed.kill()
    statuses = [interrupted.wait(20), terminated.wait(20), killed.wait(20)]
    assert statuses == [-signal.SIGINT, -signal.SIGTERM, -signal.SIGKILL]
    killed.kill()  # of an ended task: nothing
    assert killed.wait(0) == -signal.SIGKILL


def test_many_threads_fork_and_wait_at_once(fork: Fork) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda n: fork("answer", str(n).encode()).wait(30), range(40)))
    assert codes == list(range(40))


def test_a_client_that_stops_half_way_or_talks_nonsense_holds_nobody_up(
    fork: Fork, bare_warm: WarmProcess
) -> None:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as slow,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wrong,
    ):
        slow.connect(str(bare_warm.address))
        slow.send(b"cps1\0\0")
        wrong.connect(str(bare_warm.address))
        wrong.send(b"GET / HTTP/1.1\r\n\r\n")
        assert fork("answer", b"4").wait(20) == 4
        wrong.settimeout(20)
        assert wrong.recv(1) == b""


def test_a_task_that_has_ended_before_its_client_listens_gives_its_status() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b'{"pid": 5}\n{"status": 3}\n')
        task = Task(ours, "short")
        assert (task.pid, task.wait(20), task.wait(0)) == (5, 3, 3)


def test_a_task_that_ends_leaves_no_daemon_behind(fork: Fork, tmp_path: Path) -> None:
    order = {"file": str(tmp_path / "ids"), "sleep": 0}
    assert fork("daemons", json.dumps(order).encode()).wait(20) == 0
    # wait() gives the status only when nothing is left: no patience needed.
    assert gone(read_ids(tmp_path / "ids"), seconds=0)


def test_processes_that_fork_on_and_on_end_with_the_task(fork: Fork) -> None:
    task = fork("breed")
    assert task.wait(20) == 0
    assert gone([task.pid], seconds=0)


@pytest.mark.parametrize("victim", ["task", "kill"])
def test_killing_a_task_ends_its_daemons(fork: Fork, tmp_path: Path, victim: str) -> None:
    order = {"file": str(tmp_path / "ids"), "sleep": 300}
    task = fork("daemons", json.dumps(order).encode())
    ids = read_ids(tmp_path / "ids")
    assert ids[0] == task.pid
    if victim == "task":
        os.kill(task.pid, signal.SIGKILL)
    else:
        task.kill()
    assert task.wait(20) == -signal.SIGKILL
    assert gone(ids, seconds=0)


# A client that starts a warm process, forks the job with daemons, and waits.
CLIENT = """
import json, os, sys
from pathlib import Path
from cps.runner.warm.client import WarmProcess
scratch = Path(sys.argv[1])
warm = WarmProcess.start(scratch, modules=())
guard = int(Path(f"/proc/{warm.pid}/stat").read_text().rpartition(")")[2].split()[1])
order = json.dumps({"file": str(scratch / "ids"), "sleep": 300}).encode()
task = warm.fork("jobs:daemons", order, env=dict(os.environ), cwd=scratch, output=1, name="d")
(scratch / "pids.new").write_text(json.dumps([os.getpid(), warm.pid, guard]))
os.rename(scratch / "pids.new", scratch / "pids")
print("status", task.wait(), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("victim", [0, 1, 2], ids=["client", "warm process", "guard"])
def test_nothing_survives_the_sudden_death_of(
    victim: int, environment: dict[str, str], tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(tmp_path)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as client:
        others = read_ids(tmp_path / "ids")
        pids = read_ids(tmp_path / "pids")
        os.kill(pids[victim], signal.SIGKILL)
        ended = [*pids[1:], *others]
        assert gone(ended), f"alive: {[pid for pid in ended if is_alive(pid)]}"
        assert client.stdin is not None
        assert client.stdout is not None
        if victim:
            # The client hears of it, and goes on.
            assert client.stdout.readline() == b"status -9\n"
        client.stdin.close()


def test_an_address_too_long_is_refused_in_words(tmp_path: Path) -> None:
    long = tmp_path / ("长" * 40)
    with pytest.raises(RunError, match="too long for a socket") as refused:
        WarmProcess.start(long, modules=())
    assert "TMPDIR" in refused.value.mend.zh


def test_a_module_that_starts_a_thread_or_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "restless.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RunError, match="restless started a thread"):
        WarmProcess.start(tmp_path, modules=("json", "restless"))
    with pytest.raises(RunError, match="No module named 'nowhere_at_all'"):
        WarmProcess.start(tmp_path, modules=("nowhere_at_all",))


def test_a_warm_process_that_is_gone_is_reported_as_such(
    environment: dict[str, str], tmp_path: Path
) -> None:
    warm = WarmProcess.start(tmp_path, modules=())
    task = warm.fork(
        "jobs:sleep", b"", env=environment, cwd=tmp_path, output=tmp_path / "out", name="s"
    )
    warm.close()
    assert task.wait(20) == -signal.SIGKILL
    assert not warm.address.exists()
    with pytest.raises(RunError, match="forked no task"):
        warm.fork("jobs:answer", b"", env={}, cwd=tmp_path, output=1, name="a")
