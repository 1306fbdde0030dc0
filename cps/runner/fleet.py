"""A dask scheduler and its workers: reached in bounded time, listed, held against this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cps.errors import Text, UsageError
from cps.runner.remote import differences, identity

if TYPE_CHECKING:
    from distributed import Client

Say = Callable[[Text], None]

_LIST_SECONDS = 2.0  # how old the list of workers may be
_CHECK_SECONDS = 30.0  # for every worker to say what it is: the first to ask imports our code
_CLOSE_SECONDS = 5


class Fleet:
    """The workers of one scheduler, as this machine may use them.

    Parameters
    ----------
    address : str
        Of the scheduler, handed to dask as it is.
    say : callable
        Takes a line about each worker that is not used.
    timeout_seconds : float
        For reaching the scheduler, and for its first worker.

    Raises
    ------
    UsageError
        If dask is not installed, the scheduler can't be reached or has no worker, or a worker
        differs from this machine in code or library versions; each is named.
    """

    def __init__(self, address: str, *, say: Say, timeout_seconds: float) -> None:
        self.address = address
        self.identity = identity()
        self._say = say
        self._lock = threading.Lock()
        self._refused: set[str] = set()
        self._listed: dict[str, int] = {}
        self._listed_at = float("-inf")
        self._seen_at = time.monotonic()
        self.client = _connected(address, timeout_seconds)
        try:
            self._demand_workers(timeout_seconds)
        except BaseException:
            self.close()
            raise

    def threads(self) -> dict[str, int]:
        """Give how many pieces each worker runs at a time, by address."""
        with self._lock:
            now = time.monotonic()
            if now - self._listed_at > _LIST_SECONDS:
                self._listed, self._listed_at = dict(self.client.nthreads()), now
            if self._listed:
                self._seen_at = now
            return self._listed

    def seconds_without(self) -> float:
        """Give for how long there has been no worker at all; 0 while there is one."""
        if self.threads():
            return 0.0
        return time.monotonic() - self._seen_at

    def allowed(self) -> set[str] | None:
        """Give the workers that may be used; None if that is every one, those to come as well."""
        with self._lock:
            refused = set(self._refused)
        return set(self.threads()) - refused if refused else None

    def refuse(self, differing: dict[str, list[str]]) -> None:
        """Use these workers no more, and say so once."""
        with self._lock:
            new = {one: how for one, how in differing.items() if one not in self._refused}
            self._refused |= set(new)
        if new:
            said = _differs(new)
            self._say(Text(f"不使用：{said.zh}", f"not used: {said.en}"))

    def refusal(self) -> Text:
        """Say that no worker is left that may be used."""
        names = ", ".join(sorted(self._refused))
        return Text(
            f"集群 {self.address} 已没有与本机相同的工作进程（不使用：{names}）",
            f"cluster {self.address} has no worker left that is equal to this machine "
            f"(not used: {names})",
        )

    def differing(self, timeout_seconds: float = _CHECK_SECONDS) -> dict[str, list[str]]:
        """Ask every worker what it is; give what differs from this machine, by worker.

        Raises
        ------
        TimeoutError
            If one does not answer.
        """

        def ask() -> dict[str, str]:  # travels by value: the worker may have no cps
            try:
                from cps.runner.remote import identity
            except ImportError as error:
                return {"error": str(error)}
            return identity()

        told = within(timeout_seconds, lambda: self.client.get_versions(check=False))
        pythons = {
            name: ".".join(str(one["host"]["python"]).split(".")[:3])
            for name, one in {**told["workers"], "scheduler": told["scheduler"]}.items()
        }
        ours = self.identity["python"]
        # What travels by value can be read by the same minor version only.
        differing = {
            worker: differences({"python": ours}, {"python": python})
            for worker, python in pythons.items()
            if python.rsplit(".", 1)[0] != ours.rsplit(".", 1)[0]
        }
        same = [worker for worker in told["workers"] if worker not in differing]
        answers: dict[str, Any] = {}
        if same:
            answers = within(
                timeout_seconds, lambda: self.client.run(ask, workers=same, on_error="return")
            )
        for worker, answer in answers.items():
            if isinstance(answer, BaseException):
                differing[worker] = [f"{type(answer).__name__}: {answer}"]
            elif "error" in answer:
                differing[worker] = [answer["error"]]
            elif found := differences(self.identity, answer):
                differing[worker] = found
        return differing

    def close(self) -> None:
        """Leave the scheduler; it releases what was asked of it."""
        with contextlib.suppress(Exception):  # it may be gone already
            self.client.close(timeout=_CLOSE_SECONDS)

    def _demand_workers(self, timeout_seconds: float) -> None:
        try:
            self.client.wait_for_workers(1, timeout=timeout_seconds)
            differing = self.differing(max(timeout_seconds, _CHECK_SECONDS))
        except TimeoutError as error:
            raise UsageError(
                Text("集群没有工作进程应答", "no worker of the cluster answers"),
                where=f"--cluster {self.address}",
                mend=Text(
                    f"在各机器上启动：dask worker {self.address} --nthreads 1",
                    f"start them on each machine: dask worker {self.address} --nthreads 1",
                ),
            ) from error
        if differing:
            raise UsageError(
                _differs(differing),
                where=f"--cluster {self.address}",
                mend=Text(
                    "在这些工作节点上安装与本机相同的 cps 和库（constraints.txt），再重启它们",
                    "install the same cps and libraries there (constraints.txt), and start these "
                    "workers again",
                ),
            )


def _connected(address: str, timeout_seconds: float) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            Text("使用集群需要 dask.distributed", "a cluster needs dask.distributed"),
            where=f"--cluster {address}",
            mend=Text("安装：pip install 'cps[cluster]'", "install it: pip install 'cps[cluster]'"),
        ) from error
    # What goes wrong is said in words of ours; dask would print it once more, with tracebacks.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        within(timeout_seconds, lambda: asyncio.run(_greet(address, timeout_seconds)))
        return Client(address, timeout=timeout_seconds, set_as_default=False, name="cps")
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
        plain = str(error).splitlines()[0] if str(error) else type(error).__name__
        said = f"{timeout_seconds:.0f} 秒内没有应答" if isinstance(error, TimeoutError) else plain
        raise UsageError(
            Text(f"连不上集群的调度器：{said}", f"the scheduler can't be reached: {plain}"),
            where=f"--cluster {address}",
            mend=Text(
                "检查地址（如 tcp://主机:8786）、网络和防火墙；启动调度器：dask scheduler",
                "check the address (as tcp://host:8786), network and firewall; start a scheduler "
                "with: dask scheduler",
            ),
        ) from error


async def _greet(address: str, timeout_seconds: float) -> None:
    """Ask who listens there; dask's Client waits for ever for a server that accepts and is silent."""
    from distributed.core import rpc
    from distributed.security import Security

    given = Security().get_connection_args("client")
    async with rpc(address, timeout=timeout_seconds, connection_args=given) as scheduler:
        await scheduler.identity()


def within(seconds: float, function: Callable[[], Any]) -> Any:
    """Call what may wait for ever for a frozen worker; TimeoutError after ``seconds``."""
    found: list[Any] = []
    failed: list[BaseException] = []

    def call() -> None:
        try:
            found.append(function())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    return found[0]


def _differs(differing: dict[str, list[str]]) -> Text:
    named = "; ".join(f"{one}: {', '.join(how)}" for one, how in sorted(differing.items()))
    return Text(
        f"工作进程与本机不同（它的 ≠ 本机的）：{named}",
        f"workers differ from this machine (theirs ≠ ours): {named}",
    )
