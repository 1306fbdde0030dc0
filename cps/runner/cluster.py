"""Engine of other machines: pieces go to the workers of a dask cluster as bytes and come back so."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cps.errors import CpsError, Text
from cps.runner.bundle import pack_folder, unpack
from cps.runner.engine import Ended, Piece
from cps.runner.fleet import Fleet, Say, within
from cps.runner.remote import MOST_DEATHS

if TYPE_CHECKING:
    from distributed import Future

_MOST_TRIES = 12  # of sending one piece, for whatever reason it came back without an answer
_POLL_SECONDS = 1.0
_ANSWER_SECONDS = 10.0
_COPY_SECONDS = 5.0
_Answer = tuple[Ended, bytes | None]


class ClusterEngine:
    """Runs pieces on the workers of a dask scheduler; no file system need be shared.

    A worker does what this machine would: the piece's notebook in a real kernel, within the
    piece's own limits. dask runs again what a dead worker held, finished or not; only answers are
    used, and they are written here.

    Parameters
    ----------
    address : str
        Of the scheduler, as dask writes it: ``tcp://host:8786``, or ``tls://…`` with dask's own
        configuration.
    say : callable
        Takes each line of progress.
    timeout_seconds : float
        For reaching the scheduler, and for its first worker.
    patience_seconds : float
        How long the cluster may be without any worker before what waits is given up.

    Raises
    ------
    UsageError
        If dask is not installed, the scheduler can't be reached or has no worker, or a worker
        differs from this machine in code or library versions; each is named.
    """

    def __init__(
        self,
        address: str,
        *,
        say: Say = lambda text: None,
        timeout_seconds: float = 10.0,
        patience_seconds: float = 120.0,
    ) -> None:
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._stopping = threading.Event()
        self._pending: set[Future] = set()
        self._inputs: dict[Path, tuple[Any, Future]] = {}
        self._fleet = Fleet(address, say=say, timeout_seconds=timeout_seconds)
        n_workers, n_slots = len(self._fleet.threads()), self.slots
        say(
            Text(
                f"集群 {address}：{n_workers} 个工作进程，可同时运行 {n_slots} 个 notebook",
                f"cluster {address}: {n_workers} workers, {n_slots} notebooks at a time",
            )
        )

    @property
    def slots(self) -> int:
        """How many notebooks the cluster runs at a time, as it is now; at least 1."""
        return max(1, sum(self._fleet.threads().values()))

    def run(self, piece: Piece, target: Path) -> Ended:
        """Run one piece on some worker into the new folder ``target``; blocks until it ended.

        Raises
        ------
        InterruptedError
            If the engine was stopped.
        """
        started = time.monotonic()
        shutil.rmtree(target, ignore_errors=True)
        try:
            ended, packed = self._answered(piece)
            if packed is None:
                target.mkdir(parents=True)
            else:
                unpack(packed, target)
        except CpsError as error:
            said = Text(error.message("zh"), error.message("en"))
            ended = Ended(piece.name, said, "refused")
        return dataclasses.replace(ended, seconds=time.monotonic() - started)

    def stop(self) -> None:
        """Cancel what waits and what runs; workers end its kernels within a second or two."""
        self._stopping.set()
        with self._lock:
            pending, self._pending = list(self._pending), set()
        with contextlib.suppress(Exception):  # the scheduler may be gone: nothing left to cancel
            self._fleet.client.cancel(pending, force=True)
        self._fleet.close()

    def __enter__(self) -> ClusterEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _answered(self, piece: Piece) -> _Answer:
        """Send a piece until a worker answers, its workers died too often, or none is left."""
        from distributed import Variable

        starts = Variable(f"cps-starts-{uuid.uuid4().hex}", client=self._fleet.client)
        try:
            starts.set(0, timeout=_ANSWER_SECONDS)
            for _ in range(_MOST_TRIES):
                found = self._tried(piece, starts)
                if found is not None:
                    return found
            return _crashed(piece, _no_answer(_MOST_TRIES), _MOST_TRIES)
        except Exception as error:
            # Whatever dask raises when its connection ends under a call.
            if self._stopping.is_set():
                raise InterruptedError("the engine was stopped") from error
            if isinstance(error, OSError | TimeoutError) or self._fleet.client.status != "running":
                return _crashed(piece, _lost(self._fleet.address, error))
            raise
        finally:
            with contextlib.suppress(Exception):
                starts.delete()

    def _tried(self, piece: Piece, starts: Any) -> _Answer | None:
        """Send a piece once; None if it should be sent again."""
        allowed = self._fleet.allowed()
        if allowed is not None and not allowed:
            return Ended(piece.name, self._fleet.refusal(), "refused"), None
        future = self._sent(piece, str(starts.name), allowed)
        try:
            given_up = self._waited(future, allowed)
            if given_up is not None:
                return _crashed(piece, given_up)
            if future.status == "finished":
                return self._read(piece, future.result())
            if self._stopping.is_set():
                raise InterruptedError("the engine was stopped")
            if future.status == "error":
                return self._judged(piece, future.exception(), starts)
            if self._fleet.client.status != "running":
                return _crashed(piece, _lost(self._fleet.address, None))
            with self._sending:
                self._inputs.clear()  # cancelled, by a scheduler that began anew: it has nothing
            return None
        finally:
            with self._lock:
                self._pending.discard(future)
            with contextlib.suppress(Exception):
                future.cancel(force=True)

    def _sent(self, piece: Piece, starts: str, allowed: set[str] | None) -> Future:
        order = {
            "piece": {
                "name": piece.name,
                "key": piece.key,
                "parameters": piece.parameters,
                "timeout_seconds": piece.timeout_seconds,
                "memory_bytes": piece.memory_bytes,
            },
            "folders": list(piece.folders),
            "identity": self._fleet.identity,
            "starts": starts,
        }
        inputs = [self._input(folder) for folder in piece.folders.values()]
        with self._lock:
            if self._stopping.is_set():
                raise InterruptedError("the engine was stopped")
            future = self._fleet.client.submit(
                _executing(),
                json.dumps(order, ensure_ascii=False, allow_nan=False),
                piece.notebook.read_bytes(),
                *inputs,
                # One name for all: dask then hands them out as workers come free.
                key=f"cps-piece-{uuid.uuid4().hex}",
                workers=None if allowed is None else sorted(allowed),
                allow_other_workers=False,
                retries=0,
            )
            self._pending.add(future)
        return future

    def _input(self, folder: Path) -> Future:
        """Send a folder once, however many pieces read it."""
        with self._sending:
            state = _state(folder)
            if folder not in self._inputs or self._inputs[folder][0] != state:
                # A task, not scattered data: dask makes it again if all who hold it die.
                key = f"cps-input-{uuid.uuid4().hex}"
                client = self._fleet.client
                sent = client.submit(bytes, pack_folder(folder), key=key)
                # Else pieces crowd where the one copy is; without workers nothing can be copied.
                with contextlib.suppress(Exception):
                    within(_COPY_SECONDS, lambda: client.replicate([sent]))
                self._inputs[folder] = (state, sent)
            return self._inputs[folder][1]

    def _waited(self, future: Future, allowed: set[str] | None) -> Text | None:
        """Wait until a future ended, or none is left that may run it; words if that is the end."""
        is_done = threading.Event()
        future.add_done_callback(lambda _: is_done.set())
        while not self._stopping.is_set():
            if is_done.wait(_POLL_SECONDS) or future.done():
                return None
            if allowed is not None and not allowed & set(self._fleet.threads()):
                future.cancel(force=True)
                return None
            if self._fleet.seconds_without() > self._patience_seconds:
                return _no_worker(self._patience_seconds)
        raise InterruptedError("the engine was stopped")

    def _read(self, piece: Piece, answer: dict[str, Any]) -> _Answer | None:
        if "differs" in answer:
            self._fleet.refuse({answer["worker"]: answer["differs"]})
            return None
        ended = answer["ended"]
        if ended is None:
            return _crashed(piece, _died(MOST_DEATHS, answer["worker"]), MOST_DEATHS)
        message = Text(**ended["message"]) if ended["message"] else None
        return Ended(**{**ended, "message": message}), answer["folder"]

    def _judged(self, piece: Piece, error: BaseException, starts: Any) -> _Answer | None:
        from distributed import KilledWorker

        if isinstance(error, InterruptedError):
            return None  # its worker closed under it
        if isinstance(error, KilledWorker):
            # dask also blames a piece that only waited where a worker died; the count does not.
            deaths = int(starts.get(timeout=_ANSWER_SECONDS))
            if deaths < MOST_DEATHS:
                return None
            return _crashed(piece, _died(deaths, error.last_worker.address), deaths)
        # A worker that joined without our code can't even say so.
        differing = self._fleet.differing()
        if differing:
            self._fleet.refuse(differing)
            return None
        plain = f"{type(error).__name__}: {error}"
        return _crashed(piece, Text(f"工作进程出错：{plain}", f"the worker failed: {plain}"))


def _executing() -> Callable[..., dict[str, Any]]:
    def execute_piece(*given: Any) -> dict[str, Any]:
        from cps.runner.remote import execute

        return execute(*given)

    return execute_piece  # travels by value: the scheduler, which reads it too, needs no cps


def _state(folder: Path) -> list[tuple[str, int, int]]:
    found = ((path.as_posix(), path.lstat()) for path in sorted(folder.rglob("*")))
    return [(name, one.st_size, one.st_mtime_ns) for name, one in found]


def _crashed(piece: Piece, message: Text, attempts: int = 1) -> _Answer:
    return Ended(piece.name, message, "crashed", attempts=attempts), None


def _died(times: int, worker: str) -> Text:
    return Text(
        f"执行它的工作进程先后中断 {times} 次，不再重试（最后一个：{worker}）",
        f"the workers running it died {times} times; given up (the last: {worker})",
    )


def _no_answer(times: int) -> Text:
    return Text(
        f"发往集群 {times} 次都没有得到结果，不再重试",
        f"sent to the cluster {times} times without an answer; given up",
    )


def _lost(address: str, error: BaseException | None) -> Text:
    why = f" ({error})" if error is not None and str(error) else ""
    return Text(
        f"与调度器 {address} 的连接中断{why}；恢复后用 --resume 继续",
        f"the connection to the scheduler {address} was lost{why}; go on with --resume",
    )


def _no_worker(seconds: float) -> Text:
    return Text(
        f"集群 {seconds:.0f} 秒没有工作进程；恢复后用 --resume 继续",
        f"the cluster had no worker for {seconds:.0f} s; go on with --resume",
    )
