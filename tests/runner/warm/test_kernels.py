"""A forked kernel lives and dies as Jupyter expects, under whichever client."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.ioloop import AsyncIOLoopKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.multikernelmanager import AsyncMultiKernelManager

from cps.errors import RunError, StorageError
from cps.runner.warm.client import WarmProcess
from cps.runner.warm.kernelspec import SHARE, install_kernelspec
from cps.runner.warm.manager import QuickKernelManager
from cps.runner.warm.wire import peer_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kernels")]
Start = Callable[..., Any]


def died_with(kernel: Any, code: str) -> int | None:
    """Run a cell that ends the kernel; give the exit code."""
    kernel.client.execute(code)
    return kernel.manager.provisioner.process.wait(30)


def reply_to(kernel: Any, sent: str) -> dict[str, Any]:
    """Give the reply to a message; on a busy machine, earlier ones may still be on their way."""
    while True:
        reply = kernel.client.get_shell_msg(timeout=60)
        if reply["parent_header"]["msg_id"] == sent:
            return reply["content"]


def await_text(kernel: Any, text: str) -> None:
    """Wait until a cell has printed ``text``."""
    printed = ""
    while text not in printed:
        printed += kernel.client.get_iopub_msg(timeout=60)["content"].get("text", "")


def test_a_running_cell_is_interrupted_and_the_kernel_goes_on(start: Start) -> None:
    kernel = start()
    sent = kernel.client.execute("print('begun', flush=True)\nimport time\ntime.sleep(300)")
    await_text(kernel, "begun")
    kernel.manager.interrupt_kernel()
    assert reply_to(kernel, sent)["ename"] == "KeyboardInterrupt"
    assert kernel.text("print(1 + 1)") == "2\n"


def test_an_interrupt_reaches_what_the_cell_has_started(start: Start) -> None:
    kernel = start()
    sent = kernel.client.execute(
        "import subprocess, sys\n"
        # A signal between one line and a long wait would be seen only after the wait; the cell
        # itself must have come to waiting before the child says that it has begun.
        "code = 'import time\\ntime.sleep(0.5)\\nprint(\"begun\", flush=True)\\nwhile True: time.sleep(0.1)'\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', code])\n"
        # The child may end before the kernel's own interrupt is raised: either way it was reached.
        "try:\n    child.wait()\nexcept KeyboardInterrupt:\n    pass\nprint(child.wait(20))"
    )
    await_text(kernel, "begun")
    kernel.manager.interrupt_kernel()
    await_text(kernel, str(-signal.SIGINT))
    assert reply_to(kernel, sent)["status"] == "ok"


def test_a_kernel_restarts_empty_and_under_another_id(start: Start) -> None:
    kernel = start()
    kernel.run("kept = 1")
    first = kernel.manager.provisioner.pid
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.is_forked
    assert kernel.manager.provisioner.pid != first
    assert kernel.text("print('kept' in globals())") == "False\n"


def test_a_question_is_answered_by_the_client(start: Start) -> None:
    kernel = start()
    sent = kernel.client.execute("name = input('which village? ')", allow_stdin=True)
    asked = kernel.client.get_stdin_msg(timeout=60)
    assert asked["content"]["prompt"] == "which village? "
    kernel.client.input("河西村")
    assert reply_to(kernel, sent)["status"] == "ok"
    assert kernel.text("print(name)") == "河西村\n"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import os\nos._exit(7)", 7),
        ("import ctypes\nctypes.string_at(0)", -signal.SIGSEGV),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_a_kernel_that_dies_is_noticed_with_its_exit_code(
    start: Start, code: str, status: int
) -> None:
    kernel = start()
    assert kernel.manager.is_alive()
    assert died_with(kernel, code) == status
    assert not kernel.manager.is_alive()


def test_a_kernel_asked_to_end_does_so_itself_and_leaves_nothing(start: Start) -> None:
    kernel = start()
    text = kernel.text(
        "import atexit, subprocess\n"
        "atexit.register(open('ended', 'w').write, 'well')\n"
        "print(subprocess.Popen(['sleep', '300'], start_new_session=True).pid)"
    )
    process = kernel.manager.provisioner.process
    kernel.manager.shutdown_kernel()
    assert process.poll() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(text), 0)


def test_settings_of_polars_and_random_numbers_are_the_kernels_own(start: Start) -> None:
    drawn = set()
    for threads in ("1", "3"):
        kernel = start(POLARS_MAX_THREADS=threads)
        text = kernel.text(
            "import json, numpy, polars\n"
            "rows = polars.DataFrame({'a': [1, 2]}).lazy().select(polars.col('a').sum()).collect()\n"
            "print(json.dumps([polars.thread_pool_size(), numpy.random.random(), rows.item()]))"
        )
        found = json.loads(text)
        assert (str(found[0]), found[2]) == (threads, 3)
        drawn.add(found[1])
        kernel.close()
    assert len(drawn) == 2


def test_what_polars_laid_aside_is_gone_when_the_task_is(
    warm: WarmProcess, kernel_environment: dict[str, str], tmp_path: Path
) -> None:
    env = {
        **kernel_environment,
        "PYTHONPATH": str(Path(__file__).parent),
        "POLARS_OOC_SPILL_DIR": str(tmp_path),
        "POLARS_OOC_MEMORY_BUDGET_MB": "1",
        "POLARS_OOC_SPILL_MIN_BYTES": "1000",
    }
    task = warm.fork("jobs:spill", b"", env=env, cwd=tmp_path, output=2, name="spill")
    assert task.wait(60) == 0
    assert list(tmp_path.iterdir()) == []


def test_no_history_and_no_home_are_needed(start: Start, folder: Path, tmp_path: Path) -> None:
    kernel = start(HOME="/proc", IPYTHONDIR="/proc/ipython", XDG_RUNTIME_DIR=str(tmp_path))
    text = kernel.text(
        "print(get_ipython().ipython_dir)\nprint(get_ipython().history_manager.hist_file)"
    )
    assert text.splitlines() == [str(tmp_path / "cps" / "ipython"), ":memory:"]
    assert not list(folder.rglob("history.sqlite"))
    assert not list(tmp_path.rglob("history.sqlite"))


def test_a_warm_process_out_of_reach_means_an_ordinary_kernel_and_a_line_in_the_log(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        kernel = start(CPS_WARM=str(tmp_path / "nobody.sock"))
    assert not kernel.is_forked
    assert kernel.text("print(1 + 1)") == "2\n"
    assert "started the ordinary way" in caplog.text
    assert str(tmp_path / "nobody.sock") in caplog.text
    died = died_with(kernel, "import os\nos._exit(9)")
    assert died == 9


def test_a_dead_kernel_is_restarted_by_the_server_of_jupyterlab(
    warm: WarmProcess, folder: Path, kernel_environment: dict[str, str]
) -> None:
    async def lives() -> list[int]:
        specs = KernelSpecManager()
        specs.kernel_dirs.insert(0, str(SHARE / "kernels"))
        many = AsyncMultiKernelManager(
            kernel_manager_class="jupyter_client.ioloop.AsyncIOLoopKernelManager",
            kernel_spec_manager=specs,
            connection_dir=str(folder),
        )
        env = {**kernel_environment, "CPS_WARM": str(warm.address)}
        ids = [
            await many.start_kernel(kernel_name="cps", env=env, cwd=str(folder)) for _ in range(3)
        ]
        pids = [many.get_kernel(one).provisioner.pid for one in ids]
        manager: AsyncIOLoopKernelManager = many.get_kernel(ids[0])
        restarted = asyncio.Event()
        manager.add_restart_callback(restarted.set, "restart")
        os.kill(pids[0], signal.SIGKILL)
        await asyncio.wait_for(restarted.wait(), 30)
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=60)
        client.stop_channels()
        pids.append(manager.provisioner.pid)
        await many.shutdown_all(now=True)
        return pids

    pids = asyncio.run(lives())
    assert len(set(pids)) == 4
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_papermill_runs_a_notebook_with_it_and_fails_when_the_kernel_dies(
    warm: WarmProcess, folder: Path, kernel_environment: dict[str, str], tmp_path: Path
) -> None:
    import nbformat

    cells = ["x = 1", "print(x + 1)", "import os\nif x > 10:\n    os._exit(1)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata["kernelspec"] = {"name": "cps", "language": "python"}
    nbformat.write(notebook, tmp_path / "in.ipynb")
    env = {
        **kernel_environment,
        "CPS_WARM": str(warm.address),
        "JUPYTER_PATH": str(SHARE),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYTHONPATH": str(Path(__file__).parent),
    }
    task = warm.fork("jobs:papermill_twice", b"", env=env, cwd=tmp_path, output=2, name="papermill")
    assert task.wait(90) == 50
    for x in (5, 50):
        out = nbformat.read(tmp_path / f"out{x}.ipynb", 4)
        assert out.cells[2].outputs[0]["text"] == f"{x + 1}\n"
    assert list((folder / "runtime").iterdir()) == []  # neither sockets nor keys are left


def test_a_quick_manager_misses_nothing_and_reports_a_kernel_that_dies_at_once(
    warm: WarmProcess, kernel_environment: dict[str, str], tmp_path: Path
) -> None:
    env = {**kernel_environment, "CPS_WARM": str(warm.address)}

    async def talk() -> tuple[str, list[str]]:
        specs = KernelSpecManager()
        specs.kernel_dirs.insert(0, str(SHARE / "kernels"))
        manager = QuickKernelManager(kernel_name="cps", kernel_spec_manager=specs)
        await manager.start_kernel(env=env, cwd=str(tmp_path))
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=60)
        heard: list[str] = []
        await client.execute_interactive(
            "print('first')",
            output_hook=lambda message: heard.append(message["content"].get("text", "")),
            timeout=30,
        )
        os.kill(manager.provisioner.pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="died before"):
            await client.wait_for_ready(timeout=60)
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
        return manager.transport, heard

    transport, heard = asyncio.run(talk())
    assert transport == "ipc"
    assert "".join(heard) == "first\n"


@pytest.fixture
def own_runtime(
    tmp_path: Path, kernel_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A user without a warm process; the one that is started ends with the test."""
    for name, value in {**kernel_environment, "XDG_RUNTIME_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    yield tmp_path / "cps"
    for address in (tmp_path / "cps").glob("*.sock"):
        os.kill(listener_of(address), signal.SIGTERM)


def listener_of(address: Path) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(address))
        return peer_of(connection)[0]


def test_kernels_without_a_run_share_one_process_even_if_they_start_at_once(
    own_runtime: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cps.runner.warm import shared

    # Whoever edits the package while this test runs would change it.
    monkeypatch.setattr(shared, "_key", lambda: "key")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: shared.shared_warm(), range(2))
    assert first.address == second.address
    assert own_runtime.stat().st_mode & 0o777 == 0o700
    assert len(list(own_runtime.glob("*.sock"))) == 1
    kernel = start(CPS_WARM="", XDG_RUNTIME_DIR=str(own_runtime.parent))
    assert kernel.is_forked
    parent = kernel.text("import os\nprint(os.getppid())")
    assert int(parent) == listener_of(first.address)


def test_another_setting_of_the_interpreter_means_another_process(
    own_runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cps.runner.warm import shared

    key = shared._key()
    monkeypatch.setenv("UNRELATED", "1")
    assert shared._key() == key
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert shared._key() != key


def test_a_runtime_folder_that_others_can_enter_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cps.runner.warm.folders import private_folder
    from cps.runner.warm.shared import shared_warm

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no such folder"))
    (tmp_path / "cps").mkdir(mode=0o755)
    assert private_folder() is None
    with pytest.raises(RunError, match="private to this user"):
        shared_warm()
    (tmp_path / "cps").rmdir()
    (tmp_path / "cps").symlink_to(tmp_path)
    assert private_folder() is None


def test_a_process_without_tasks_ends_after_its_idle_time(tmp_path: Path) -> None:
    from cps.runner.warm.starting import server_command, server_environment

    address = tmp_path / "idle.sock"
    command = server_command(address, (), "--idle-seconds", "1.0")
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=server_environment(os.environ),
    ) as guard:
        assert guard.stdout is not None
        assert b"ready" in guard.stdout.readline()
        warm = WarmProcess(address)
        task = warm.fork("time:sleep", b"", env={}, cwd=tmp_path, output=2, name="t")
        assert task.wait(20) == 1  # sleep takes no bytes
        assert guard.wait(30) == 0
    assert not address.exists()


def test_the_kernelspec_is_installed_where_jupyter_looks(tmp_path: Path) -> None:
    folder = install_kernelspec(tmp_path)
    assert folder == tmp_path / "share" / "jupyter" / "kernels" / "cps"
    specs = KernelSpecManager(kernel_dirs=[str(folder.parent)], ensure_native_kernel=False)
    spec = specs.get_kernel_spec("cps")
    assert spec.argv[1:3] == ["-m", "ipykernel_launcher"]
    assert spec.metadata["kernel_provisioner"]["provisioner_name"] == "cps-fork-provisioner"
    with pytest.raises(StorageError, match="can't be written"):
        install_kernelspec(Path("/proc"))
