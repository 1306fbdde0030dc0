"""The only opener of raw files: each is read to sheets of text in a limited process of its own."""

from __future__ import annotations

import contextlib
import json
import marshal
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cps.errors import Text
from cps.ledger.containers.record import Remark, cell_name

if TYPE_CHECKING:
    import polars as pl

__all__ = ["SUFFIXES", "Opened", "Opener", "Sheet", "cell_name"]

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".et")
_MEMORY = 3 << 30  # bytes of address space for an ordinary file
_MEMORY_A_BYTE = 24  # more for a large one
_SECONDS, _SECONDS_A_MEGABYTE = 20.0, 0.5


@dataclass(slots=True)
class Sheet:
    """One sheet as text, from A1 on; an empty cell is an empty string.

    ``marks`` says of a cell what its text does not: ``error``, ``boolean``, ``date``, ``percent``,
    ``uncached``, ``struck``, ``scaled``, ``formula``; ``lines`` the line of each row of a text
    file whose rows span lines; ``ragged`` the rows of a large sheet whose width is not the first's.
    """

    name: str
    is_text: bool
    is_hidden: bool
    merged: list[tuple[int, int, int, int]]
    marks: dict[tuple[int, int], str]
    hidden_rows: frozenset[int]
    hidden_columns: frozenset[int]
    lines: list[int] | None
    ragged: list[tuple[int, int]] = field(default_factory=list)
    rows: list[list[str]] | None = None
    wide: pl.DataFrame | None = None
    headers: dict[tuple[int, int], Any] = field(default_factory=dict)  # read once for all layouts

    @property
    def grid(self) -> list[list[str]]:
        """Give every row as a list of text."""
        if self.rows is None:
            self.rows = [] if self.wide is None else [list(row) for row in self.wide.iter_rows()]
        return self.rows

    @property
    def n_rows(self) -> int:
        """Count the rows."""
        return len(self.rows or ()) if self.wide is None else self.wide.height

    def head(self, n: int) -> list[list[str]]:
        """Give the first rows."""
        if self.rows is None and self.wide is not None:
            return [list(row) for row in self.wide.head(n).iter_rows()]
        return (self.rows or [])[:n]

    def frame(self, first_row: int, width: int) -> pl.DataFrame:
        """Give the rows from ``first_row`` on as columns ``c0 …`` of text."""
        import polars as pl

        if self.wide is not None:
            extra = [pl.lit("").alias(f"c{c}") for c in range(self.wide.width, width)]
            return self.wide.slice(first_row).with_columns(extra)
        rows = self.grid[first_row:]
        return pl.DataFrame(
            {
                f"c{c}": pl.Series(
                    [row[c] if c < len(row) else "" for row in rows], dtype=pl.String
                )
                for c in range(max(width, max(map(len, rows), default=0)))
            }
        )

    def line(self, row: int) -> int:
        """Give the line or row number, from 1, as a person would look for it."""
        return self.lines[row] if self.lines is not None else row + 1


@dataclass(frozen=True, slots=True)
class Opened:
    """What a file holds; no sheets if it was refused, and ``remarks`` then says why."""

    sheets: tuple[Sheet, ...]
    remarks: tuple[Remark, ...]
    sha256: str
    kind: str
    size: int


class Opener:
    """Opens files one after another; use it as a context.

    One process reads many files; it is limited in memory and replaced when a file kills it or
    takes longer than its size allows.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._limit = 0
        self._folder = tempfile.TemporaryDirectory(prefix="cps-")
        self._n = 0

    def __enter__(self) -> Opener:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
        self._folder.cleanup()

    def open(self, path: Path) -> Opened:
        """Read a file's sheets, whatever it holds and whatever it is called."""
        size = path.stat().st_size if path.is_file() else 0
        seconds = _SECONDS + size / 1e6 * _SECONDS_A_MEGABYTE
        is_fresh = self._ready(max(_MEMORY, size * _MEMORY_A_BYTE))
        began = time.monotonic()
        answer = self._ask(path, seconds)
        if answer is not None and answer.get("spent"):
            # What an earlier file left behind may have cost this one its memory.
            self._stop()
            if not is_fresh:
                self._ready(max(_MEMORY, size * _MEMORY_A_BYTE))
                answer = self._ask(path, seconds)
        if answer is None:
            is_late = time.monotonic() - began >= seconds
            self._stop()
            return Opened((), (_died(is_late, seconds),), "", "", size)
        remarks = [answer["refused"]] if "refused" in answer else answer["remarks"]
        return Opened(
            tuple(_sheet(one) for one in answer.get("sheets", ())),
            tuple(map(Remark.unpacked, remarks)),
            answer["sha256"],
            answer.get("kind", ""),
            answer["size"],
        )

    def _ready(self, limit: int) -> bool:
        """Have a process with at least this much memory; tell whether it is a new one."""
        if self._child is not None and self._limit >= limit:
            return False
        self._stop()
        self._start(limit)
        return True

    def _start(self, limit: int) -> None:
        environment = {**os.environ, "PYTHONUTF8": "1", "POLARS_MAX_THREADS": "2"}
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "cps.ledger.containers.child", str(limit)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self._limit = limit

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def _ask(self, path: Path, seconds: float) -> dict[str, Any] | None:
        self._n += 1
        folder = os.path.join(self._folder.name, str(self._n))
        os.mkdir(folder)
        request = {"path": os.fsencode(path.absolute()).hex(), "folder": folder}
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise ValueError("no reader")
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
        except OSError:
            return None
        until = time.monotonic() + seconds
        length = b"".join(self._pieces(8, until))
        if len(length) < 8:
            return None
        size = int.from_bytes(length, "little")
        answer = b"".join(self._pieces(size, until))
        return dict(marshal.loads(answer)) if len(answer) == size else None  # noqa: S302 - ours

    def _pieces(self, size: int, until: float) -> Iterator[bytes]:
        """Give up to ``size`` bytes of the answer; fewer if the process ends or time is up."""
        child = self._child
        if child is None or child.stdout is None:
            return
        descriptor = child.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while size > 0:
                if not selector.select(max(until - time.monotonic(), 0)):
                    return
                piece = os.read(descriptor, min(size, 1 << 20))
                if not piece:
                    return
                size -= len(piece)
                yield piece


def _sheet(packed: dict[str, Any]) -> Sheet:
    wide = None
    if "frame" in packed:
        import polars as pl

        wide = pl.read_ipc(packed["frame"])
    return Sheet(
        name=packed["name"],
        is_text=packed["is_text"],
        is_hidden=packed["is_hidden"],
        merged=packed["merged"],
        marks=packed["marks"],
        hidden_rows=frozenset(packed["hidden_rows"]),
        hidden_columns=frozenset(packed["hidden_columns"]),
        lines=packed["lines"],
        ragged=packed.get("ragged", []),
        rows=packed.get("grid"),
        wide=wide,
    )


def _died(is_late: bool, seconds: float) -> Remark:
    what = (
        Text(f"读取超过 {seconds:.0f} 秒，已停止", f"reading took over {seconds:.0f} s: stopped")
        if is_late
        else Text(
            "读取时出错退出，文件已损坏或过大", "reading it crashed: it is damaged or too large"
        )
    )
    return Remark(
        "E-FILE-DAMAGED",
        "reject",
        what,
        Text(
            "用 Excel 或 WPS 打开，只保留台账，另存为 .xlsx",
            "open it in a spreadsheet program, keep only the ledger, save it as .xlsx",
        ),
    )
