"""Reading and checking large ledgers, beside the plain readers that check nothing.

    python benchmarks/ledger_speed.py [csv] [sheet] [rows]

Each case runs in a process of its own: seconds (wall) and peak memory of the process and its
children. ``csv``: 200 MB; ``sheet``: 1,048,576 rows of xlsx; ``rows``: 10 million rows of CSV.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

ITEMS = ("农业收入", "旅游收入", "电商收入", "务工收入", "其他收入")
SIZES = {"csv": 4_650_000, "rows": 10_000_000, "sheet": 1_048_568}
PEERS = {
    "csv": "import polars as pl; print(pl.read_csv({path!r}).height)",
    "rows": "import polars as pl; print(pl.read_csv({path!r}).height)",
    "sheet": "import fastexcel; print(fastexcel.read_excel({path!r}).load_sheet(0).to_polars().height)",
}
OURS = (
    "from pathlib import Path; from cps.ledger.read import inspect_ledgers; "
    "x = inspect_ledgers(Path({path!r})); print(x.entries.height, len(x.findings))"
)
_WATCHED = """
import json, resource, subprocess, sys, time
began = time.monotonic()
done = subprocess.run([sys.executable, "-c", sys.argv[1]], capture_output=True, text=True)
seconds = time.monotonic() - began
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print(json.dumps([seconds, peak, done.stdout.strip(), done.stderr[-300:]]))
"""


def ledger(n_rows: int) -> pl.DataFrame:
    """Make a sound long ledger: villages by 24 months by eight items, totals equal to parts."""
    draw = np.random.default_rng(1)
    n_cells = n_rows // 8
    n_villages = -(-n_cells // 24)
    level = np.repeat(np.exp(draw.normal(9.5, 0.6, n_villages)), 24)[:n_cells]
    parts = np.round(level[:, None] * np.exp(draw.normal(0, 0.2, (n_cells, 5)))).astype(np.int64)
    total = parts.sum(axis=1, keepdims=True)
    people = np.repeat(draw.integers(500, 3000, n_villages), 24)[:n_cells]
    values = np.hstack([parts, total, (people // 2)[:, None], people[:, None]]).ravel()
    digits = "零一二三四五六七八九"
    names = ["村" + "".join(digits[int(one)] for one in f"{i:06}") for i in range(n_villages)]
    months = [f"{2023 + m // 12}-{m % 12 + 1:02}" for m in range(24)]
    unit = np.repeat(np.arange(n_villages), 24)[:n_cells]
    month = np.tile(np.arange(24), n_villages)[:n_cells]
    return pl.DataFrame(
        {
            "village": pl.Series(names).gather(np.repeat(unit, 8)),
            "month": pl.Series(months).gather(np.repeat(month, 8)),
            "item": pl.Series([*ITEMS, "总收入", "就业人数", "总人口"]).gather(
                np.tile(np.arange(8), n_cells)
            ),
            "value": values,
            "unit": pl.Series(["元"] * 6 + ["人"] * 2).gather(np.tile(np.arange(8), n_cells)),
        }
    )


def write(frame: pl.DataFrame, case: str, folder: Path) -> Path:
    """Write the case's file."""
    if case == "sheet":
        import xlsxwriter

        path = folder / "ledger.xlsx"
        book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
        sheet = book.add_worksheet("台账")
        sheet.write_row(0, 0, frame.columns)
        for r, row in enumerate(frame.iter_rows(), start=1):
            sheet.write_row(r, 0, row)
        book.close()
        return path
    path = folder / "ledger.csv"
    frame.write_csv(path)
    return path


def watched(code: str) -> tuple[float, int, str]:
    """Run code in a process; give its seconds, the largest process's megabytes, its output."""
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, code], capture_output=True, text=True, check=True
    )
    seconds, peak, said, wrong = json.loads(done.stdout)
    return seconds, peak, said or wrong


def main() -> None:
    """Measure the cases named on the command line, or all."""
    for case in sys.argv[1:] or list(SIZES):
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            path = write(ledger(SIZES[case]), case, Path(folder))
            made = time.monotonic() - began
            size = path.stat().st_size / 1e6
            print(f"{case}: {SIZES[case]:,} rows, {size:.0f} MB (written in {made:.0f} s)")
            ours = watched(OURS.format(path=str(path)))
            peer = watched(PEERS[case].format(path=str(path)))
            again = watched(PEERS[case].format(path=str(path)))
            plain = min(peer[0], again[0])
            print(f"  cps, read and checked  {ours[0]:6.2f} s  {ours[1]:6,} MB  -> {ours[2]}")
            print(f"  plain reader           {plain:6.2f} s  {peer[1]:6,} MB  -> {peer[2]}")
            print(f"  ratio {ours[0] / plain:.2f}", flush=True)


if __name__ == "__main__":
    main()
