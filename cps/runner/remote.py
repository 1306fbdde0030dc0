"""What a worker of a cluster does with one piece: bytes in, a real kernel, bytes out."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import platform
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cps.errors import CpsError, Text
from cps.runner.bundle import pack_folder, unpack
from cps.runner.engine import Ended, Piece

if TYPE_CHECKING:
    from cps.runner.local import LocalEngine

MOST_DEATHS = 3  # workers that may die under one piece before it is given up
_POLL_SECONDS = 0.5
_ANSWER_SECONDS = 30.0  # for the scheduler to say how often a piece was started

# An engine for each thread of a worker, kept warm for the worker's life. One that several threads
# shared could not end one piece alone.
_THREAD = threading.local()


def identity() -> dict[str, str]:
    """Give what must be equal on both sides for a result to be the same."""
    from cps.runner.local import versions
    from cps.runs import code_sha256

    return {
        "code": code_sha256(),
        "python": sys.version.split()[0],
        "machine": f"{platform.system()} {platform.machine()}",
        **versions(),
    }


def differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Name what differs between two identities: ``name theirs ≠ ours``."""
    return [
        f"{name} {_short(theirs.get(name, '-'))} ≠ {_short(ours.get(name, '-'))}"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    ]


def _short(value: str) -> str:
    return f"{value[:12]}…" if len(value) == 64 else value


def execute(order: str, notebook: bytes, *folders: bytes) -> dict[str, Any]:
    """Run one piece on this worker.

    It may be run again after a worker's death, even if it had finished: nothing but its answer
    leaves the worker.

    Parameters
    ----------
    order : str
        JSON: ``piece`` (a Piece's plain fields), ``folders`` (parameter names, in the order of
        ``folders``), ``identity`` and ``starts`` (name of the count of starts).
    notebook : bytes
    folders : bytes
        Packed input folders.

    Returns
    -------
    dict
        ``worker``; and ``differs``, or ``ended`` (an Ended's plain fields) with ``folder`` (the
        packed target folder, or None).
    """
    from distributed import get_worker

    given = json.loads(order)
    worker = get_worker()
    differing = differences(given["identity"], identity())
    if differing:
        return {"worker": worker.address, "differs": differing}
    with _counted(given["starts"]) as attempt:
        if attempt > MOST_DEATHS:
            return {"worker": worker.address, "ended": None, "folder": None}
        try:
            ended, packed = _run(given, notebook, folders)
        except CpsError as error:
            said = Text(error.message("zh"), error.message("en"))
            ended, packed = Ended(given["piece"]["name"], said, "refused"), None
        attempts = max(attempt, ended.attempts)
        plain = dataclasses.asdict(dataclasses.replace(ended, attempts=attempts))
        return {"worker": worker.address, "ended": plain, "folder": packed}


@contextlib.contextmanager
def _counted(name: str) -> Iterator[int]:
    """Count starts that no end followed, in the scheduler: a death leaves the count as it is."""
    from distributed import Variable, get_client

    count = Variable(name, client=get_client())
    starts = int(count.get(timeout=_ANSWER_SECONDS))
    count.set(starts + 1, timeout=_ANSWER_SECONDS)
    try:
        yield starts + 1
    finally:
        with contextlib.suppress(OSError, TimeoutError):
            count.set(starts, timeout=_ANSWER_SECONDS)


def _run(given: dict[str, Any], notebook: bytes, folders: tuple[bytes, ...]) -> tuple[Ended, bytes]:
    engine = _engine()
    place = Path(tempfile.mkdtemp(prefix="piece-", dir=engine.scratch))
    ended: Ended | None = None
    try:
        (place / "in").mkdir()
        (place / "in.ipynb").write_bytes(notebook)
        named = {
            name: unpack(packed, place / "in" / str(number))
            for number, (name, packed) in enumerate(zip(given["folders"], folders, strict=True))
        }
        piece = Piece(**given["piece"], notebook=place / "in.ipynb", folders=named)
        with _ended_if_unwanted(engine):
            ended = engine.run(piece, place / "out")
        return ended, pack_folder(place / "out")
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if ended is None or ended.kind == "crashed":
            _drop_engine()  # whatever died may have taken the warm process with it


@contextlib.contextmanager
def _ended_if_unwanted(engine: LocalEngine) -> Iterator[None]:
    """End what the engine runs once nobody waits for it: cancelled, or the caller is gone.

    Raises
    ------
    InterruptedError
        If it was ended; the answer would be no answer.
    """
    from distributed import Status, get_worker

    worker = get_worker()
    key = worker.get_current_task()
    is_over, is_unwanted = threading.Event(), threading.Event()

    def watch() -> None:
        while not is_over.wait(_POLL_SECONDS):
            task = worker.state.tasks.get(key)
            is_open = worker.status in (Status.running, Status.paused, Status.closing_gracefully)
            if task is None or task.state in ("cancelled", "resumed") or not is_open:
                is_unwanted.set()
                engine.stop()
                return

    watcher = threading.Thread(target=watch, name="cps-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()
    if is_unwanted.is_set():
        raise InterruptedError("nobody waits for this piece any more")


def _engine() -> LocalEngine:
    from cps.runner.local import local_engine

    if getattr(_THREAD, "engine", None) is None:
        stack = contextlib.ExitStack()
        _THREAD.engine = stack.enter_context(local_engine())
        _THREAD.stack = stack
        atexit.register(stack.close)
    engine: LocalEngine = _THREAD.engine
    return engine


def _drop_engine() -> None:
    stack: contextlib.ExitStack = _THREAD.stack
    _THREAD.engine = None
    atexit.unregister(stack.close)
    stack.close()
