"""Engine of this machine: papermill in processes of their own, a real kernel for each notebook."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cps.errors import RunError, StorageError, Text
from cps.runner.engine import NOTEBOOK, RUN, Ended, Piece
from cps.runner.judge import Verdict, judge, stopped_at
from cps.runner.kept import KeptWorker
from cps.runner.scratch import KERNEL, scratch_folder, task_environment, write_kernelspec
from cps.runs.origin import cps_version, library_versions

if TYPE_CHECKING:
    from cps.runner.warm.client import WarmProcess

Warn = Callable[[Text], None]
_WORKER = "cps.runner.worker:run_papermill"
_GRACE_SECONDS = 15  # between a cell's time-out, which keeps the notebook, and the hard one
_GUARD_SECONDS = 5
_RETRIES = 1  # after a process died under a piece; an error in a cell is never tried again


class Task(Protocol):
    """A process that was started for one job."""

    pid: int

    def wait(self, timeout: float | None) -> int | None:
        """Give the exit status, or None if ``timeout`` seconds passed."""
        ...

    def kill(self) -> None:
        """End it with everything that it started."""
        ...


@dataclass(slots=True)
class LocalEngine:
    """Runs pieces, and jobs of our own such as rendering, in processes of this machine.

    Parameters
    ----------
    scratch : Path
    environment : dict
        Of every process started.
    warm : future of WarmProcess or None
        Forks workers and kernels; each is started from nothing if None.
    kernel : str or None
        A kernelspec of the user's own.
    versions : dict of str to str
        Library versions that every run must have been made with.
    warn : callable
        Told if the warm process is lost.
    """

    scratch: Path
    environment: dict[str, str]
    warm: Future[WarmProcess | None]
    kernel: str | None
    versions: dict[str, str]
    warn: Warn = lambda text: None
    _tasks: dict[int, Task] = field(default_factory=dict)
    _free: list[KeptWorker] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_stopped: bool = False
    _is_lost: bool = False

    @property
    def slots(self) -> int:
        """Give how many pieces can run at a time: as many as there are cores."""
        return os.cpu_count() or 1

    def run(self, piece: Piece, target: Path) -> Ended:
        """Run one piece into the new folder ``target``; tried again if a process dies under it."""
        started = time.monotonic()
        attempts = 1
        verdict = self._once(piece, target)
        while verdict and verdict.kind == "crashed" and attempts <= _RETRIES:
            if self._is_stopped:
                break
            attempts += 1
            verdict = self._once(piece, target)
        return Ended(
            name=piece.name,
            message=verdict.message if verdict else None,
            kind=verdict.kind if verdict else None,
            seconds=time.monotonic() - started,
            attempts=attempts,
            cell=verdict.cell if verdict else None,
        )

    def call(self, function: str, payload: bytes, *, printed: Path, timeout: float) -> int | None:
        """Run ``module:function`` on ``payload`` in a process; its exit status, None if too slow.

        It is done again if the process is killed; what it does must bear that.
        """
        for _ in range(1 + _RETRIES):
            task = self._started(function, payload, printed, None)
            try:
                status = task.wait(timeout)
            finally:
                self._ended(task)
            if status is None or status >= 0:
                break
        return status

    def stop(self) -> None:
        """End everything that runs, at once."""
        with self._lock:
            self._is_stopped = True
            running = list(self._tasks.values())
        for task in running:
            task.kill()

    def _once(self, piece: Piece, target: Path) -> Verdict | None:
        _empty(target)
        printed = target / "printed.txt"
        folders = {name: str(path) for name, path in piece.folders.items()}
        order = {
            "notebook": str(piece.notebook),
            "output": str(target / NOTEBOOK),
            "parameters": {**piece.parameters, **folders, "out": str(target / RUN)},
            "kernel": self.kernel or KERNEL,
            "timeout_seconds": max(1, round(piece.timeout_seconds)),
        }
        task = self._hired(json.dumps(order).encode(), printed, piece.memory_bytes)
        try:
            status = task.wait(piece.timeout_seconds + _GRACE_SECONDS)
        finally:
            self._ended(task)
        if status in (None, 124):
            cell = stopped_at(target / NOTEBOOK)
            return Verdict("timeout", _too_slow(piece.timeout_seconds, cell), cell)
        found = judge(
            status, target / NOTEBOOK, target / RUN, printed=printed, versions=self.versions
        )
        if found is None:
            printed.unlink(missing_ok=True)
        return found

    def _ready(self) -> tuple[WarmProcess | None, dict[str, str]]:
        """Wait for the warm process, and give it with the environment of tasks."""
        warm = self.warm.result()
        if warm is None:
            return None, self.environment
        return warm, {**self.environment, "CPS_WARM": str(warm.address)}

    def _hired(self, order: bytes, printed: Path, memory: int | None) -> Task:
        """Give the order to a worker that is free, to a new one, or to an ordinary process."""
        warm, environment = self._ready()
        while warm is not None and not self._is_lost:
            with self._lock:
                if self._is_stopped:
                    break
                worker = next((one for one in self._free if one.memory == memory), None)
                is_new = worker is None
                try:
                    if worker is None:
                        worker = KeptWorker.fork(
                            warm, env=environment, cwd=self.scratch, memory=memory
                        )
                    else:
                        self._free.remove(worker)
                except RunError as error:
                    self._lose_warm(error)
                    break
                self._tasks[id(worker)] = worker
            if worker.begin(order, printed) or is_new:
                return worker
            self._ended(worker)  # killed while it was free
        return self._started(_WORKER, order, printed, memory)

    def _started(self, function: str, payload: bytes, printed: Path, memory: int | None) -> Task:
        warm, environment = self._ready()
        task: Task | None = None
        with self._lock:
            if self._is_stopped:
                raise InterruptedError("the engine was stopped")
            if warm is not None and not self._is_lost:
                try:
                    task = warm.fork(
                        function,
                        payload,
                        env=environment,
                        cwd=self.scratch,
                        memory_bytes=memory,
                        output=printed,
                        name=printed.parent.name,
                    )
                except RunError as error:
                    self._lose_warm(error)
            if task is None:
                task = _ColdTask(
                    function,
                    payload,
                    printed=printed,
                    environment=self.environment,
                    cwd=self.scratch,
                    memory=memory,
                )
            self._tasks[id(task)] = task
        return task

    def _lose_warm(self, error: RunError) -> None:
        """Go on without a warm process that was killed."""
        self._is_lost = True
        self.warn(
            Text(
                f"预热进程已不在，改用普通内核：{error.what.zh}",
                f"the warm process is gone; ordinary kernels are used: {error.what.en}",
            )
        )
        write_kernelspec(self.scratch, is_warm=False)

    def _ended(self, task: Task) -> None:
        if isinstance(task, KeptWorker) and task.is_as_new:
            with self._lock:
                self._free.append(task)
            return
        task.kill()
        with self._lock:
            self._tasks.pop(id(task), None)


@contextlib.contextmanager
def local_engine(
    *, is_cold: bool = False, kernel: str | None = None, warn: Warn = lambda text: None
) -> Iterator[LocalEngine]:
    """Yield an engine of this machine; what it needs is started on the side.

    Parameters
    ----------
    is_cold : bool
        Start each kernel from nothing, as everywhere where processes can't be forked.
    kernel : str or None
        Name of an installed kernelspec to use in place of this very Python.
    warn : callable
        Told if kernels can't be forked after all.

    Raises
    ------
    StorageError
        If there is no place for temporary files.
    """
    with scratch_folder() as scratch, ThreadPoolExecutor(max_workers=1) as starter:
        for name in ("rt", "ipython", "mpl", "cache", "config"):
            (scratch / name).mkdir(mode=0o700)
        warm = starter.submit(_warm_process, scratch, is_cold or kernel is not None, warn)
        engine = LocalEngine(
            scratch, task_environment(scratch, kernel=kernel), warm, kernel, versions(), warn
        )
        try:
            yield engine
        finally:
            engine.stop()
            process = warm.result()
            if process is not None:
                process.close()


def _warm_process(scratch: Path, is_cold: bool, warn: Warn) -> WarmProcess | None:
    """Start a warm process, and write the kernelspec for kernels with it or without."""
    from cps.runner.warm.client import WarmProcess, is_available

    warm = None
    if not is_cold and is_available():
        try:
            warm = WarmProcess.start(scratch)
        except RunError as error:
            warn(
                Text(
                    f"预热进程未能启动，改用普通内核：{error.what.zh}",
                    f"the warm process did not start; ordinary kernels are used: {error.what.en}",
                )
            )
    write_kernelspec(scratch, is_warm=warm is not None)
    return warm


def versions() -> dict[str, str]:
    """Give the library versions that every run must have been made with."""
    return {**library_versions(), "cps": cps_version()}


def demand_kernel(name: str) -> None:
    """Refuse a kernelspec that is not installed.

    Raises
    ------
    StorageError
        Lists those that are.
    """
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager()
    try:
        manager.get_kernel_spec(name)
    except NoSuchKernel as error:
        found = ", ".join(sorted(manager.find_kernel_specs())) or "-"
        raise StorageError(
            Text(f"没有名为“{name}”的内核", f"there is no kernel named {name!r}"),
            where="--kernel",
            mend=Text(
                f"已安装：{found}；安装：cps kernel install 或 python -m ipykernel install --user",
                f"installed: {found}; install one with: cps kernel install, or "
                "python -m ipykernel install --user",
            ),
        ) from error


def _empty(target: Path) -> None:
    import shutil

    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)


def _too_slow(seconds: float, cell: int | None) -> Text:
    zh = f"（停在第 {cell} 个代码单元格）" if cell else ""
    en = f" (it was in code cell {cell})" if cell else ""
    return Text(
        f"超过 {seconds:g} 秒未完成，已终止{zh}；--timeout 可放宽",
        f"not finished after {seconds:g} s and ended{en}; --timeout allows more",
    )


class _ColdTask:
    """A task in an ordinary process, in a session of its own."""

    def __init__(
        self,
        function: str,
        payload: bytes,
        *,
        printed: Path,
        environment: dict[str, str],
        cwd: Path,
        memory: int | None,
    ) -> None:
        words = [str(os.getpid()), str(memory or 0), function]
        # An interpreter and code of our own; what is given travels as data on standard input.
        with printed.open("wb") as output, printed.with_suffix(".order").open("w+b") as order:
            order.write(payload)
            order.seek(0)
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "cps.runner.child", *words],
                stdin=order,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=cwd,
                start_new_session=os.name == "posix",
            )
        printed.with_suffix(".order").unlink()
        self.pid = self._process.pid

    def wait(self, timeout: float | None) -> int | None:
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End the process and everything it started; kernels lead sessions of their own."""
        if sys.platform == "linux":
            # Its guard does it, orphans and all.
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GUARD_SECONDS)
                return
        import psutil

        try:
            started = psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            started = []
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()
        for one in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(started, timeout=10)
