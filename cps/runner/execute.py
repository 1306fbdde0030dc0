"""Execute one notebook through papermill in a process of its own, and judge the outcome.

papermill's own record can't be trusted for success (after a kernel's death it says that every
cell is complete), so success is: the process ended well, every code cell ran, none shows an
error, and the run that the last cell saves is there.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cps.errors import Text


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one notebook run ended; ``message`` is None if it ended well."""

    name: str
    message: Text | None
    seconds: float


def execute_notebook(
    notebook: Path,
    output: Path,
    *,
    name: str,
    parameters: Mapping[str, str | int],
    timeout_seconds: float,
) -> Outcome:
    """Run ``notebook`` with ``parameters``; keep the executed copy at ``output``, failed or not.

    Parameters
    ----------
    name : str
        What the run is called in messages.
    parameters : mapping
        ``out`` names the folder where the notebook saves its run.
    timeout_seconds : float
        After this, the notebook's whole process group is ended.
    """
    started = time.monotonic()
    order = json.dumps(
        {"notebook": str(notebook), "output": str(output), "parameters": dict(parameters)}
    )
    # A fixed command of our own: the interpreter and a module; names travel as data on stdin.
    process = subprocess.Popen(
        [sys.executable, "-m", "cps.runner.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(),
        start_new_session=os.name == "posix",
    )
    try:
        printed, _ = process.communicate(order.encode(), timeout=timeout_seconds)
        message = _judge(process.returncode, printed, output, Path(str(parameters["out"])))
    except subprocess.TimeoutExpired:
        message = Text(
            f"超过 {timeout_seconds:.0f} 秒未完成，已终止",
            f"not finished after {timeout_seconds:.0f} s; ended",
        )
    finally:
        _end(process)
    return Outcome(name=name, message=message, seconds=time.monotonic() - started)


def _environment() -> dict[str, str]:
    # Results must not depend on the number of cores, and kernels need UTF-8 under any locale.
    single = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    return {**os.environ, **single, "PYTHONUTF8": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything it started; kernels lead sessions of their own."""
    import psutil

    try:
        started = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        started = []
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
    for one in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(started, timeout=10)


def _judge(status: int, printed: bytes, output: Path, run_folder: Path) -> Text | None:
    if not output.exists():
        tail = printed.decode(errors="replace").strip().splitlines()[-1:]
        return Text(
            f"notebook 未能启动（退出码 {status}）：{''.join(tail)}",
            f"the notebook did not start (exit {status}): {''.join(tail)}",
        )
    cells = json.loads(output.read_text(encoding="utf-8"))["cells"]
    error = _first_error(cells)
    if error is not None:
        return error
    n_unrun = sum(
        cell["cell_type"] == "code" and cell.get("execution_count") is None for cell in cells
    )
    if status != 0 or n_unrun:
        return Text(
            f"内核中途停止：{n_unrun} 个单元格未执行（退出码 {status}）",
            f"the kernel stopped: {n_unrun} cells never ran (exit {status})",
        )
    if not (run_folder / "run.json").exists():
        return Text("notebook 执行完毕但没有保存结果", "the notebook ran but saved no run")
    return None


def _first_error(cells: list[dict]) -> Text | None:
    for cell in cells:
        for shown in cell.get("outputs", ()):
            if shown.get("output_type") != "error":
                continue
            lines = shown.get("traceback", [])
            plain = f"{shown.get('ename')}: {shown.get('evalue')}"
            # Our own errors show themselves as two messages, zh and en, and no traceback.
            if len(lines) == 2 and "\x1b" not in "".join(lines):
                return Text(lines[0], lines[1])
            return Text(plain, plain)
    return None
