"""A worker is kept for the next notebook as long as nothing of the last one can be left in it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cps.runner.engine import NOTEBOOK, Ended, Piece
from cps.runner.local import LocalEngine, local_engine
from cps.runner.warm.client import is_available

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("kernels"),
    pytest.mark.skipif(not is_available(), reason="workers can't be forked on this system"),
]

_WHO = "import os\nprint(os.environ['JPY_PARENT_PID'], os.getpid(), 'kept' in globals())\nkept = 1"


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    with local_engine() as engine:
        yield engine


class Ground:
    """A place for pieces, each with cells of its own."""

    def __init__(self, engine: LocalEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder

    def run(self, name: str, *cells: str, memory: int | None = None, seconds: float = 60) -> Ended:
        notebook = self.folder / f"{name}.ipynb"
        code = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
        stored = [
            {**code, "id": f"cell{place}", "source": source}
            for place, source in enumerate((_WHO, *cells))
        ]
        notebook.write_text(
            json.dumps({"cells": stored, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}),
            encoding="utf-8",
        )
        piece = Piece(name, "", notebook, {}, memory_bytes=memory, timeout_seconds=seconds)
        return self.engine.run(piece, self.folder / name)

    def who(self, name: str) -> tuple[int, int, bool]:
        """Give the worker's id, the kernel's, and whether it saw what another kernel had."""
        stored = json.loads((self.folder / name / NOTEBOOK).read_text(encoding="utf-8"))
        texts = [
            "".join(shown["text"])
            for cell in stored["cells"]
            for shown in cell.get("outputs", ())
            if shown["output_type"] == "stream"
        ]
        worker, kernel, saw = texts[0].split()
        return int(worker), int(kernel), saw == "True"


@pytest.fixture
def ground(engine: LocalEngine, tmp_path: Path) -> Ground:
    return Ground(engine, tmp_path)


def test_notebooks_that_end_well_share_a_worker_and_no_kernel(ground: Ground) -> None:
    ended = [ground.run(name) for name in ("one", "two", "three")]
    assert [one.kind for one in ended] == ["incomplete"] * 3  # all ran; none saves a run
    workers, kernels, saw = zip(*map(ground.who, ("one", "two", "three")), strict=True)
    assert len(set(workers)) == 1
    assert len(set(kernels)) == 3
    assert not any(saw)
    assert not any(Path(f"/proc/{kernel}").exists() for kernel in kernels)


@pytest.mark.parametrize(
    ("cell", "kind", "said"),
    [
        ("1 / 0", "error", "ZeroDivisionError"),
        ("exit()", "incomplete", "called exit"),
        ("import time\ntime.sleep(60)", "timeout", "2 s"),
    ],
    ids=["an error", "an exit", "a time-out"],
)
def test_after_any_other_end_the_next_notebook_has_another(
    cell: str, kind: str, said: str, ground: Ground
) -> None:
    ended = ground.run("bad", cell, seconds=2 if kind == "timeout" else 60)
    assert (ended.kind, ended.attempts) == (kind, 1)
    assert said in str(ended.message)
    assert ground.run("good").kind == "incomplete"
    assert ground.who("bad")[0] != ground.who("good")[0]
    assert not Path(f"/proc/{ground.who('bad')[0]}").exists()


def test_a_kernel_that_dies_is_named_by_its_own_death_each_time(ground: Ground) -> None:
    ground.run("before")
    for number in (signal.SIGKILL, signal.SIGABRT):
        ended = ground.run(number.name, f"os.kill(os.getpid(), {int(number)})")
        assert (ended.kind, ended.attempts) == ("crashed", 2)
        assert f"signal {int(number)} {number.name}" in str(ended.message)


def test_a_worker_killed_while_it_is_free_costs_nobody_an_attempt(ground: Ground) -> None:
    ground.run("before")
    os.kill(ground.who("before")[0], signal.SIGKILL)
    assert ground.run("after").attempts == 1
    assert ground.who("before")[0] != ground.who("after")[0]


def test_a_limit_of_memory_is_that_of_the_piece(ground: Ground) -> None:
    limit = "import resource\nprint(resource.getrlimit(resource.RLIMIT_AS)[0])"
    found = []
    for name, memory in (("a", 3 << 30), ("b", None), ("c", 3 << 30), ("d", 2 << 30)):
        assert ground.run(name, limit, memory=memory).kind == "incomplete"
        text = (ground.folder / name / NOTEBOOK).read_text(encoding="utf-8")
        assert (str(memory) in text) == (memory is not None)
        found.append(ground.who(name)[0])
    a, b, c, d = found
    assert a == c
    assert len({a, b, d}) == 3


def test_what_is_printed_past_the_notebook_stays_with_its_piece(ground: Ground) -> None:
    ground.run("loud", "os.write(2, b'straight ')\nos.abort()")
    ground.run("silent", "1 / 0")
    assert "signal 6" not in (ground.folder / "silent" / "printed.txt").read_text(encoding="utf-8")
    assert "ZeroDivision" in (ground.folder / "silent" / "printed.txt").read_text(encoding="utf-8")
    assert "kernel died" in (ground.folder / "loud" / "printed.txt").read_text(encoding="utf-8")
