"""Fifteen notebooks beside serial papermill with cold kernels, and beside their own cells alone.

All three execute the same cells of ``notebooks/initiative.ipynb`` for the demonstration's fifteen
initiatives and save the same runs, which are compared before times are. CPU is that of the whole
process tree. ``--many N`` runs N small notebooks and looks at time and memory along the way.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from cps.demo import write_demo
from cps.runner.engine import RUN, Piece
from cps.runner.local import local_engine
from cps.runner.order import Order
from cps.runner.prepare import prepare
from cps.runner.snapshot import NOTEBOOKS, take_snapshot
from cps.runner.store import Store

SINGLE = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
NOTEBOOK = NOTEBOOKS / "initiative.ipynb"

# The same cells in one process whose libraries are loaded and which has run one of them before.
FLOOR = """
import io, json, os, resource, sys, time
from contextlib import redirect_stdout
sys.modules.setdefault("rfc3987_syntax", None)
from IPython.core.interactiveshell import InteractiveShell
notebook, panel, out, names = json.loads(sys.argv[1])
cells = ["".join(one["source"]) for one in json.load(open(notebook))["cells"]
         if one["cell_type"] == "code"]
def run(name):
    shell = InteractiveShell.instance()
    shell.reset()
    given = {"initiative": name, "panel": panel, "out": f"{out}/{name}"}
    shell.user_ns.update({**given, "outcome": "income_yuan", "seed": 0})
    for cell in cells[1:]:
        with redirect_stdout(io.StringIO()):
            assert shell.run_cell(cell).success
run(names[0])
cpu, wall = time.process_time(), time.perf_counter()
for name in names:
    run(name)
print(json.dumps([time.process_time() - cpu, time.perf_counter() - wall]))
"""


def main() -> None:
    """Print the table, or what N small notebooks take."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.many:
            many(Path(folder), given.many, given.workers)
        else:
            compare(Path(folder), given.workers)


def compare(folder: Path, workers: int) -> None:
    """Run the fifteen three ways, compare the runs, print CPU and wall time."""
    panel, names = _panel(folder)
    ours = _measured(lambda: _ours(folder / "ours", panel, names, workers))
    floor = _floor(folder / "floor", panel, names)
    cold = _measured(lambda: _cold(folder / "cold", panel, names))
    for name in names:
        texts = {
            (folder / where / name / rest / "run.json").read_bytes()
            for where, rest in (("ours", RUN), ("floor", ""), ("cold", ""))
        }
        assert len(texts) == 1, f"{name}: the three ways do not give the same run"
    print("15 initiatives, the same runs byte for byte   CPU s   wall s")
    for label, (cpu, wall) in (
        ("serial papermill, cold kernels", cold),
        ("cps engine, two at a time, its start counted", ours),
        ("floor: the cells alone in one warm process", floor),
    ):
        print(f"{label:45s} {cpu:6.1f}  {wall:6.1f}")
    print(f"less CPU than papermill: {cold[0] / ours[0]:.1f} times (target 12)")
    print(f"less wall time than papermill: {cold[1] / ours[1]:.1f} times (target 10)")
    print(f"CPU over the floor: {ours[0] / floor[0]:.2f} times (target 1.5)")
    print(f"wall time over the floor: {ours[1] / floor[1]:.2f} times (two at a time)")
    _unchanged(folder)


def many(folder: Path, count: int, workers: int) -> None:
    """Run ``count`` small notebooks; print the time a notebook and memory, quarter by quarter."""
    notebook = folder / "small.ipynb"
    notebook.write_text(json.dumps(_small()), encoding="utf-8")
    marks = {round(count * share) for share in (0.25, 0.5, 0.75, 1)}
    ended, lock, begun = [0], threading.Lock(), time.perf_counter()

    with local_engine() as engine:

        def one(number: int) -> None:
            target = folder / str(number)
            piece = Piece(str(number), "", notebook, {"number": number})
            found = engine.run(piece, target)
            # A run of ours is not what this notebook saves; that it ran to its end is.
            assert found.kind == "incomplete" and "saved no run" in str(found.message), found
            with lock:
                ended[0] += 1
                if ended[0] in marks:
                    _print_mark(ended[0], begun)

        with ThreadPoolExecutor(max_workers=workers) as pool:
            list(pool.map(one, range(count)))


def _panel(folder: Path) -> tuple[Path, list[str]]:
    data = folder / "data" / "raw" / "demo"
    write_demo(data)
    order = Order(data=str(data))
    snapshot = take_snapshot(order, folder / "inputs")
    inputs = prepare(order, snapshot, folder / "panel", Store(folder / "store"))
    return inputs.panel, list(inputs.chosen)


def _ours(out: Path, panel: Path, names: list[str], workers: int) -> None:
    with local_engine() as engine, ThreadPoolExecutor(max_workers=workers) as pool:

        def run(name: str) -> None:
            parameters = {"initiative": name, "outcome": "income_yuan", "seed": 0}
            ended = engine.run(Piece(name, "", NOTEBOOK, parameters, {"panel": panel}), out / name)
            assert ended.message is None, ended.message

        list(pool.map(run, names))


def _cold(out: Path, panel: Path, names: list[str]) -> None:
    out.mkdir()
    papermill = [sys.executable, "-m", "papermill", "-k", "python3", "--no-progress-bar"]
    for name in names:
        given = {"initiative": name, "panel": panel, "out": out / name}
        options = [word for key, value in given.items() for word in ("-r", key, str(value))]
        subprocess.run(
            [*papermill, str(NOTEBOOK), str(out / f"{name}.ipynb"), *options],
            check=True,
            capture_output=True,
            env={**os.environ, **SINGLE},
        )


def _floor(out: Path, panel: Path, names: list[str]) -> tuple[float, float]:
    order = json.dumps([str(NOTEBOOK), str(panel), str(out), names])
    done = subprocess.run(
        [sys.executable, "-c", FLOOR, order],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **SINGLE},
    )
    cpu, wall = json.loads(done.stdout.splitlines()[-1])
    return cpu, wall


def _measured(work: Callable[[], None]) -> tuple[float, float]:
    """Give the CPU seconds of this process and all its descendants, and the wall time."""
    before, begun = _cpu(), time.perf_counter()
    work()
    return _cpu() - before, time.perf_counter() - begun


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _unchanged(folder: Path) -> None:
    command = [sys.executable, "-m", "cps", "run", "--data", str(folder / "data" / "raw" / "demo")]
    command += ["--out", str(folder / "reports"), "--workers", "2"]
    for label in ("everything, ledgers to pages", "nothing changed"):
        cpu, wall = _measured(
            lambda: subprocess.run(command, check=True, capture_output=True) and None
        )
        print(f"cps run, {label}: {cpu:.2f} CPU s, {wall:.2f} s")


def _small() -> dict:
    cells = ["number = 0", "value = sum(range(number))\nvalue"]
    return {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"cell{place}",
                "metadata": {"tags": ["parameters"]} if not place else {},
                "outputs": [],
                "source": source,
            }
            for place, source in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _print_mark(count: int, begun: float) -> None:
    own = psutil.Process()
    tree = [own, *own.children(recursive=True)]
    spent, memory = time.perf_counter() - begun, 0
    for one in tree:
        try:
            memory += one.memory_full_info().pss
        except psutil.Error:
            continue
    print(
        f"{count:6d} notebooks: {1000 * spent / count:6.0f} ms each, runner "
        f"{own.memory_info().rss / 1e6:.0f} MB, whole tree {memory / 1e6:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
