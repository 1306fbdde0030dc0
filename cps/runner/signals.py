"""Signals that ask a run to stop: it stops in order, and says with its status by which."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import FrameType
from typing import TypeVar

T = TypeVar("T")
_HEED_SECONDS = 0.2


class Stopped(BaseException):
    """A signal asked the run to stop; no error of anybody's.

    Parameters
    ----------
    signal_number : int
    """

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(signal.Signals(signal_number).name)

    @property
    def exit_code(self) -> int:
        """Give the status that shells give for this signal."""
        return 128 + self.signal_number


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise :class:`Stopped` in the main thread at the first signal; later ones are passed over.

    A signal that the caller had told us to pass over (``nohup``) stays so.
    """
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    before = {one: signal.getsignal(one) for one in numbers}

    def stop(number: int, frame: FrameType | None) -> None:
        for one in numbers:
            signal.signal(one, signal.SIG_IGN)
        raise Stopped(number)

    for one in numbers:
        if before[one] is not signal.SIG_IGN:
            signal.signal(one, stop)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler if handler is not None else signal.SIG_DFL)


def as_they_end(futures: Iterable[Future[T]]) -> Iterator[Future[T]]:
    """Give futures as they end, heeding signals while none does.

    polars has signals restart what they interrupt: a wait without end in the main thread would
    never notice that a handler is due.
    """
    left = set(futures)
    while left:
        ended, left = wait(left, timeout=_HEED_SECONDS, return_when=FIRST_COMPLETED)
        yield from ended
