"""Start the program of a warm process, and hear from it that it is ready."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cps.errors import RunError, Text
from cps.runner.warm.wire import PATH_BYTES, fits_address

START_SECONDS = 60.0


def start_server(
    address: Path, modules: Sequence[str], *options: str, log: Path, lifeline: bool
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a warm process in a session of its own and wait until it is ready.

    Parameters
    ----------
    options : str
        Further arguments of ``cps.runner.warm.server``.
    log : Path
        Where its errors go.
    lifeline : bool
        Whether its standard input is a pipe whose end it takes for its owner's.

    Returns
    -------
    Popen, int
        The guard, and the process id of the warm process.

    Raises
    ------
    RunError
        If the address is too long, or the process ends, refuses, or says nothing for 60 s.
    """
    check_address(address)
    with log.open("ab") as errors:
        # A fixed command of our own: the interpreter and a module.
        process = subprocess.Popen(  # noqa: S603
            server_command(address, modules, *options),
            stdin=subprocess.PIPE if lifeline else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=address.parent,
            env=server_environment(os.environ),
            start_new_session=True,
        )
    try:
        return process, _await_ready(process, log)
    except BaseException:
        process.kill()  # its warm process ends with it
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        raise


def server_command(address: Path, modules: Sequence[str], *options: str) -> list[str]:
    """Give the command that starts a warm process."""
    return [
        sys.executable,
        "-m",
        "cps.runner.warm.server",
        "--address",
        str(address),
        "--modules",
        ",".join(modules),
        *options,
    ]


def server_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of a warm process: UTF-8, and one order of sets in all its children."""
    return {"PYTHONHASHSEED": "0", **env, "PYTHONUTF8": "1"}


def _await_ready(process: subprocess.Popen[bytes], log: Path) -> int:
    """Wait until a warm process says that it is ready; give its id."""
    assert process.stdout is not None  # noqa: S101
    said = _read_line(process.stdout.fileno(), START_SECONDS)
    if said is None:
        raise failed(
            Text(
                f"预热进程 {START_SECONDS:.0f} 秒内未就绪",
                f"the warm process is not ready after {START_SECONDS:.0f} s",
            ),
            str(log),
        )
    message = json.loads(said) if said else {"failed": _tail(log)}
    if "ready" in message:
        process.stdout.close()
        return int(message["ready"])
    why = str(message["failed"])
    raise failed(
        Text(f"预热进程未能启动：{why}", f"the warm process did not start: {why}"), str(log)
    )


def check_address(address: Path) -> None:
    """Refuse an address that is too long for a socket.

    Raises
    ------
    RunError
        If the path has more bytes than the system takes.
    """
    if fits_address(address):
        return
    n_bytes = len(os.fsencode(address))
    raise RunError(
        Text(
            f"路径太长，不能作套接字地址（{n_bytes} 字节，最多 {PATH_BYTES} 字节）",
            f"the path is too long for a socket ({n_bytes} bytes, at most {PATH_BYTES})",
        ),
        where=str(address),
        mend=Text(
            "换一个路径较短的临时文件夹（TMPDIR）",
            "use a scratch folder with a shorter path (TMPDIR)",
        ),
    )


def _read_line(descriptor: int, seconds: float) -> bytes | None:
    """Read to the first line end; what was read if the other side closed; None after a time-out."""
    deadline = time.monotonic() + seconds
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    said = b""
    while not said.endswith(b"\n"):
        if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return None
        part = os.read(descriptor, 4096)
        if not part:
            return b""
        said += part
    return said


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "?"
    return "?"


def failed(what: Text, where: str) -> RunError:
    """Make the error for a warm process that can't be had."""
    return RunError(
        what,
        where=where,
        mend=Text(
            "改用普通方式启动内核（较慢，结果相同），并按上述原因处理",
            "start kernels the ordinary way (slower, same results), and mend the cause named above",
        ),
    )
