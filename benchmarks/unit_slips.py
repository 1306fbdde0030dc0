"""How many slips of unit are found, and how often a sound ledger is suspected.

    python benchmarks/unit_slips.py [trials of each kind] [seed]

Sound ledgers are the demonstration's, of several seeds: monthly operating income of villages with
strong seasons, one total without parts, so that no identity can help. A slip is put in one cell,
one village's year, one month of every village, one village from a date on, or the whole file. It
counts as found if a finding on units names a place that was changed.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl

from cps.demo import write_demo
from cps.ledger.read import inspect_ledgers, read_ledgers

FACTORS = {"x100": 100.0, "x10000": 1e4, "/10000": 1e-4}
KINDS = ("cell", "month", "from a date on", "whole file")
CODES = ("W-LEDGER-UNIT-SLIP", "W-LEDGER-UNIT-LEVEL", "W-LEDGER-UNIT-FILE")


def sound(seed: int) -> list[pl.DataFrame]:
    """Give the income series of a demonstration: one frame a town, village by month."""
    with tempfile.TemporaryDirectory() as folder:
        write_demo(Path(folder), seed=seed)
        rows = read_ledgers(Path(folder)).rows
    monthly = rows.filter((pl.col("frequency") == "month") & (pl.col("measure") == "yuan"))
    income = monthly.group_by("area", "unit", "period_start", maintain_order=True).agg(
        pl.col("value").cast(pl.Float64).sum()
    )
    return [one for one in income.partition_by("area") if one["unit"].n_unique() >= 4]


def found(frame: pl.DataFrame, folder: Path) -> list[tuple[str, str, int | None]]:
    """Check a ledger; give the findings on units: code, place said, line."""
    path = folder / "ledger.csv"
    frame.select(
        pl.col("unit").alias("village"),
        pl.col("period_start").dt.strftime("%Y-%m").alias("month"),
        pl.lit("经营性收入").alias("item"),
        pl.col("value").round(2).alias("value"),
        pl.lit("元").alias("unit"),
    ).write_csv(path)
    result = inspect_ledgers(path)
    return [(one.code, one.where, one.line) for one in result.findings if one.code in CODES]


def slipped(
    frame: pl.DataFrame, kind: str, factor: float, draw: np.random.Generator
) -> tuple[pl.DataFrame, set[int]]:
    """Put one slip in; give the ledger and the lines that it changed."""
    units = frame["unit"].unique(maintain_order=True).to_list()
    months = frame["period_start"].unique().sort().to_list()
    unit = units[draw.integers(len(units))]
    month = months[draw.integers(len(months))]
    if kind == "cell":
        mask = (pl.col("unit") == unit) & (pl.col("period_start") == month)
    elif kind == "month":
        mask = pl.col("period_start") == month
    elif kind == "from a date on":
        start = months[draw.integers(6, len(months) - 6)]
        mask = (pl.col("unit") == unit) & (pl.col("period_start") >= start)
    else:
        mask = pl.lit(True)
    mask &= pl.col("value") > 0
    lines = set((frame.with_row_index("at").filter(mask)["at"] + 2).to_list())
    value = pl.when(mask).then(pl.col("value") * factor).otherwise(pl.col("value"))
    return frame.with_columns(value.alias("value")), lines


def main() -> None:
    """Measure both, print a table."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    draw = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 7)
    towns = [town for seed in (1, 2, 3, 4) for town in sound(seed)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alarms, years = 0, 0.0
        for town in towns:
            alarms += len(found(town, folder))
            years += town.height / 12
        print(
            f"sound: {alarms} alarms in {years:,.0f} village-years ({100 * alarms / years:.2f} per 100)"
        )
        total: Counter[str] = Counter()
        for kind in KINDS:
            for label, factor in FACTORS.items():
                hits = tried = 0
                while tried < trials:
                    town = towns[draw.integers(len(towns))]
                    ledger, lines = slipped(town, kind, factor, draw)
                    if not lines:
                        continue
                    tried += 1
                    hits += any(line in lines for _, _, line in found(ledger, folder))
                total["hits"] += hits
                total["tried"] += tried
                print(f"{kind:16} {label:7} {hits} of {tried}", flush=True)
        print(
            f"all: {total['hits']} of {total['tried']} ({100 * total['hits'] / total['tried']:.1f}%)"
        )


if __name__ == "__main__":
    main()
