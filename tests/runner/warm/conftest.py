"""A warm process for the tests of this folder, and what they fork from it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cps.runner.warm.client import WarmProcess, is_available
from cps.runner.warm.kernelspec import SHARE

collect_ignore = ["jobs.py"]

Shown = list[dict[str, Any]]


class Kernel:
    """A kernel and a client of it."""

    def __init__(self, name: str, folder: Path, env: dict[str, str]) -> None:
        # Imported here: whoever collects tests need not wait for them.
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(
            kernel_name=name, transport="ipc", connection_file=str(folder / f"{name}.json")
        )
        specs = KernelSpecManager()
        specs.kernel_dirs.insert(0, str(SHARE / "kernels"))
        self.manager.kernel_spec_manager = specs
        self.manager.start_kernel(cwd=str(folder), env=env)
        self.client: Any = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    @property
    def is_forked(self) -> bool:
        from cps.runner.warm.provisioner import ForkedKernel

        return isinstance(self.manager.provisioner.process, ForkedKernel)

    def run(self, code: str, **options: Any) -> Shown:
        """Give what a cell shows, and how its reply reads."""
        shown: Shown = []
        reply = self.client.execute_interactive(
            code, output_hook=lambda message: _keep(message, shown), timeout=60, **options
        )
        content = reply["content"]
        return [*shown, {name: content.get(name) for name in ("status", "ename", "payload")}]

    def text(self, code: str) -> str:
        """Give what a cell prints."""
        return "".join(one["text"] for one in self.run(code) if "text" in one)

    def died_with(self, code: str) -> int | None:
        """Run a cell that ends the kernel; give the exit code."""
        self.client.execute(code)
        process = self.manager.provisioner.process
        return process.wait(30)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def _keep(message: dict[str, Any], shown: Shown) -> None:
    kind, content = message["msg_type"], message["content"]
    if kind in ("status", "execute_input"):
        return
    if kind == "stream" and shown and shown[-1].get("name") == content["name"]:
        shown[-1]["text"] += content["text"]  # where a stream is cut is chance
        return
    shown.append({"type": kind, **content})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, saying so, where nothing can be forked."""
    if is_available():
        return
    for item in items:
        if "runner/warm" in item.path.as_posix():
            item.add_marker(pytest.mark.skip(reason="tasks can't be forked on this system"))


@pytest.fixture(scope="session")
def bare_warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmProcess]:
    """A warm process that imported nothing beforehand: what it forks is all the same."""
    scratch = tmp_path_factory.mktemp("bare")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        warm = WarmProcess.start(scratch, modules=("json",))
    yield warm
    warm.close()


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of a task that can import the jobs of this folder."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for kernels; short, for the sake of their sockets."""
    return tmp_path_factory.mktemp("k")


@pytest.fixture(scope="session")
def kernel_environment(folder: Path) -> dict[str, str]:
    """An environment in which two kernels can be compared."""
    single = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    python = {"PYTHONUTF8": "1", "PYTHONHASHSEED": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    # A kernel that sees pytest does not capture its descriptors.
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {**own, **single, **python, "IPYTHONDIR": str(folder / "ipython")}


@pytest.fixture(scope="session")
def warm(folder: Path, kernel_environment: dict[str, str]) -> Iterator[WarmProcess]:
    """A warm process with everything in it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in kernel_environment.items():
            patch.setenv(name, value)
        process = WarmProcess.start(folder / "w")
    yield process
    process.close()


@pytest.fixture(scope="session")
def open_kernel(
    warm: WarmProcess, folder: Path, kernel_environment: dict[str, str]
) -> Callable[..., Kernel]:
    """Start a kernel, forked or ordinary; the caller closes it."""

    def begin(name: str = "cps", **env: str) -> Kernel:
        return Kernel(name, folder, {**kernel_environment, "CPS_WARM": str(warm.address), **env})

    return begin


@pytest.fixture
def start(open_kernel: Callable[..., Kernel]) -> Iterator[Callable[..., Kernel]]:
    """Start kernels that end with the test."""
    with contextlib.ExitStack() as stack:

        def begin(name: str = "cps", **env: str) -> Kernel:
            kernel = open_kernel(name, **env)
            stack.callback(kernel.close)
            return kernel

        yield begin
