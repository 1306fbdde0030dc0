"""Time a grid of 1,000 specifications over the 15 initiatives, placebos included, on two cores.

Usage: python benchmarks/grid_speed.py [--cells 1000] [--workers 2]

A cell is one initiative × method × outcome form × window × comparison group, estimated with its
inference: placebo refits for the synthetic methods, permutation of the assignment for the others.
The grid is laid out before anything is estimated; a cell that the design refuses is counted apart.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np

import cps
from cps.demo import write_demo
from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError
from cps.panel.store import save_panel

METHODS: tuple[tuple[str, dict[str, str], str | None], ...] = (
    ("synthetic_did", {"weights": "sdid"}, None),
    ("synthetic_did", {"weights": "did"}, None),
    ("synthetic_control", {}, None),
    ("synthetic_control", {"intercept": "yes"}, None),
    ("group_time_att", {"control": "never", "base": "universal"}, "randomisation"),
    ("imputation", {}, "randomisation"),
)
FORMS = ("log", "level")
WINDOWS = ("all", "without the first year", "without the last year")
DONORS = ("all", "without the richest tenth")


class Cell(NamedTuple):
    """One specification."""

    initiative: str
    method: int
    form: str
    window: str
    donors: str


def grid() -> list[Cell]:
    """Lay out every specification; what varies slowest is the initiative."""
    names = [one.id for one in cps.load_initiatives()]
    return [
        Cell(name, method, form, window, donors)
        for name in names
        for form in FORMS
        for window in WINDOWS
        for donors in DONORS
        for method in range(len(METHODS))
    ]


def run_cells(folder: str, cells: list[Cell]) -> list[tuple[str, float | None]]:
    """Estimate cells one after the other; ``refused`` or the p-value of each."""
    panel = cps.load_panel(folder)
    declared = cps.load_initiatives()
    by_id = {one.id: one for one in declared}
    designs: dict[tuple[str, str, str, str], Design | None] = {}
    found: list[tuple[str, float | None]] = []
    for cell in cells:
        key = (cell.initiative, cell.form, cell.window, cell.donors)
        if key not in designs:
            try:
                whole = cps.make_design(
                    panel,
                    by_id[cell.initiative],
                    form=cell.form,  # type: ignore[arg-type]
                    others=declared,
                )
                designs[key] = _narrowed(whole, cell)
            except DesignError:
                designs[key] = None
        design = designs[key]
        method, options, inference = METHODS[cell.method]
        if design is None:
            found.append(("refused", None))
            continue
        try:
            effect = cps.estimate(design, method, options=options, inference=inference)
        except DesignError:
            found.append(("refused", None))
            continue
        found.append(("ok", effect.overall.p_value))
    return found


def _narrowed(design: Design, cell: Cell) -> Design:
    periods = np.ones(len(design.periods), dtype=bool)
    if cell.window == "without the first year":
        periods[0] = False
    elif cell.window == "without the last year":
        periods[-1] = False
    units = np.ones(len(design.units), dtype=bool)
    if cell.donors != "all":
        level = design.y_natural[:, 0]
        bound = np.quantile(level[design.is_donor], 0.9)
        units = ~design.is_donor | (level <= bound)
    return subset_design(design, units=units, periods=periods)


def main() -> None:
    """Run the grid and print its time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "raw" / "demo"
        write_demo(folder)
        panel = cps.build_panel(cps.read_ledgers(folder))
        saved = str(save_panel(panel, Path(scratch) / "panel"))
        saved = saved if Path(saved).is_dir() else str(Path(scratch) / "panel")
        every = grid()
        step = len(every) / given.cells
        cells = [every[int(i * step)] for i in range(given.cells)]
        parts = [cells[i :: 4 * given.workers] for i in range(4 * given.workers)]
        started = time.perf_counter()
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(given.workers, mp_context=context) as pool:
            found = [
                one for part in pool.map(run_cells, [saved] * len(parts), parts) for one in part
            ]
        seconds = time.perf_counter() - started
    refused = sum(status == "refused" for status, _ in found)
    with_p = sum(p_value is not None for _, p_value in found)
    print(
        f"{len(found)} cells in {seconds:.1f} s on {given.workers} processes: "
        f"{with_p} with a p-value, {refused} refused by their design"
    )


if __name__ == "__main__":
    main()
