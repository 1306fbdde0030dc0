"""A province of ledgers, villages and initiatives, for runs of any size; and what a run weighs.

    python benchmarks/_fault_scale.py VILLAGES MONTHS [FOLDER] [option of cps run …]
    python benchmarks/_fault_scale.py wrong ROWS

Writes ledgers of eight items a village and month, the crosswalk of units and three initiatives,
runs ``cps run`` on them, and prints wall time, the peak memory of the whole process tree and the
largest page; or checks a ledger of that many rows, sound and then wrong in every row, and prints how
much memory each takes.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil

PARTS = ("农业收入", "旅游收入", "电商收入", "务工收入", "其他收入")
ITEMS = ("经营性收入", *PARTS, "总收入", "家门口就业人数")
_FIRST_YEAR = 2018
_AREA_VILLAGES = 25  # villages of a town


@dataclass(frozen=True, slots=True)
class Province:
    """Folders and files that ``cps run`` is given."""

    data: Path
    initiatives: Path
    units: Path

    @property
    def options(self) -> list[str]:
        """Give them as options of ``cps run``."""
        given = {"data": self.data, "initiatives": self.initiatives, "units": self.units}
        return [part for name, path in given.items() for part in (f"--{name}", str(path))]


def write_province(folder: Path, *, n_villages: int, n_months: int, seed: int = 1) -> Province:
    """Write ledgers of ``n_villages`` × ``n_months`` × 8 items, one file a year, and what fits.

    Three initiatives: one in a handful of villages, one in a twentieth of them, one in a tenth;
    the first lifts incomes by a fifth, the others by a tenth.
    """
    names = [f"测试村{_digits(n)}" for n in range(n_villages)]
    towns = [f"测试镇{_digits(n)}" for n in range(-(-n_villages // _AREA_VILLAGES))]
    hosts = _hosts(n_villages)
    values = _values(n_villages, n_months, hosts, seed)
    data = folder / "ledgers"
    data.mkdir(parents=True)
    for year in range(-(-n_months // 12)):
        months = range(12 * year, min(12 * (year + 1), n_months))
        _frame(names, months, values).write_csv(data / f"合成_全省_{_FIRST_YEAR + year}.csv")
    units = folder / "units.toml"
    units.write_text(
        "\n".join(
            f'[[area]]\nname = "{town}"\nunits = {_quoted(names, at)}\n'
            for at, town in enumerate(towns)
        ),
        encoding="utf-8",
    )
    initiatives = folder / "initiatives"
    initiatives.mkdir()
    for name, (first, count, _) in hosts.items():
        treated = names[first : first + count]
        text = _initiative(name, treated, towns, n_months)
        (initiatives / f"{name}.toml").write_text(text, encoding="utf-8")
    return Province(data, initiatives, units)


def run_watched(command: list[str], **options: object) -> tuple[int, float, int, str]:
    """Run a command; give its status, seconds, peak bytes of its whole tree, and what it said.

    Memory that processes share counts once (proportional set size).
    """
    began = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, **options)  # type: ignore[call-overload]
        peaks = [0]
        watch = threading.Thread(target=_watch, args=(process.pid, peaks), daemon=True)
        watch.start()
        status = process.wait()
        watch.join()
        seconds = time.monotonic() - began
        said.seek(0)
        return status, seconds, peaks[0], said.read()


def write_ledger(path: Path, what: str, *, n_rows: int) -> Path:
    """Write a long ledger that is wrong in every row: in ``unit``, or in its ``encoding``.

    Of any other word it is sound, to be compared with.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    number = np.arange(n_rows)
    names = pl.Series([f"测试村{_digits(n)}" for n in range(-(-n_rows // 84))])
    stamps = pl.Series([f"{_FIRST_YEAR + m // 12}-{m % 12 + 1:02}" for m in range(84)])
    frame = pl.DataFrame(
        {
            "village": names.gather(number // 84),
            "month": stamps.gather(number % 84),
            "item": pl.repeat("经营性收入", n_rows, eager=True),
            "value": pl.Series(number % 9000 + 1000).cast(pl.String),
            "unit": pl.repeat("公斤" if what == "unit" else "元", n_rows, eager=True),
        }
    )
    if what == "encoding":
        # What is left of Chinese once a program that knows only one byte a character saved it.
        frame = frame.with_columns(
            pl.lit("????").alias("village"), ("1O" + pl.col("value")).alias("value")
        )
    frame.write_csv(path)
    return path


def every_row_wrong(folder: Path, what: str, *, n_rows: int) -> dict[str, int]:
    """Check such a ledger in a process of its own.

    Returns
    -------
    dict
        ``kept``: findings kept; ``total``: what they stand for; ``kinds``; ``grown_bytes``: how
        much the process and the largest of its children grew beyond an idle one.
    """
    path = write_ledger(folder / "ledger.csv", what, n_rows=n_rows)
    done = subprocess.run(
        [sys.executable, "-c", _CHECKED, str(path)], capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout))


_CHECKED = """
import collections, json, pathlib, resource, sys
from cps.errors import CpsError
from cps.ledger.read import inspect_ledgers
peak = lambda who: resource.getrusage(who).ru_maxrss * 1024
idle = peak(resource.RUSAGE_SELF)
try:
    findings = inspect_ledgers(pathlib.Path(sys.argv[1])).findings
except CpsError as error:
    findings = error.findings
kinds = collections.Counter(one.code for one in findings)
totals = collections.Counter()
for one in findings:
    totals[one.code] += one.count
print(json.dumps({
    "kept": max(kinds.values()) if kinds else 0,
    "kinds": 1,
    "total": max(totals.values()) if totals else 0,
    "grown_bytes": peak(resource.RUSAGE_SELF) - idle + peak(resource.RUSAGE_CHILDREN),
}))
"""


def surroundings(*, few: bool = False) -> list[dict[str, Any]]:
    """Give environments that no result may depend on, with ``cold`` apart; all, or a few of them.

    Of the few, each value stands beside another value of every other variable at least once.
    """
    values = {
        "POLARS_MAX_THREADS": ("1", "2"),
        "OMP_NUM_THREADS": ("1", "2"),
        "PYTHONHASHSEED": ("0", "1"),
        "LC_ALL": ("C", "C.UTF-8"),
        "TZ": ("UTC", "Asia/Shanghai"),
        "cold": ("", "1"),
    }
    whole = [dict(zip(values, one, strict=True)) for one in itertools.product(*values.values())]
    return [whole[n] for n in _FEW] if few else whole


_FEW = (0b000000, 0b101010, 0b010111)


def _watch(pid: int, peaks: list[int]) -> None:
    while True:
        try:
            root = psutil.Process(pid)
            if root.status() == psutil.STATUS_ZOMBIE:
                return
            total = sum(_weight(one.pid) for one in (root, *root.children(recursive=True)))
        except psutil.NoSuchProcess:
            return
        peaks[0] = max(peaks[0], total)
        time.sleep(0.1)


def _weight(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:  # ended meanwhile
        return 0
    return 0


def _hosts(n_villages: int) -> dict[str, tuple[int, int, float]]:
    """Give initiative -> first host, number of hosts, effect."""
    few, some, many = 5, max(6, n_villages // 20), max(6, n_villages // 10)
    return {
        "garden": (0, few, 0.2),
        "market": (few, some, 0.1),
        "tours": (few + some, many, 0.1),
    }


def _values(
    n_villages: int, n_months: int, hosts: dict[str, tuple[int, int, float]], seed: int
) -> np.ndarray:
    """Give villages × months × items, in 元 and 人; the total is the sum of its parts."""
    draw = np.random.default_rng(seed)
    level = np.exp(draw.normal(10.5, 0.6, (n_villages, 1)))
    trend = np.exp(0.004 * np.arange(n_months))[None, :]
    noise = np.exp(draw.normal(0, 0.15, (n_villages, n_months)))
    income = level * trend * noise
    start = n_months * 2 // 3
    for first, count, effect in hosts.values():
        income[first : first + count, start:] *= 1 + effect
    parts = np.round(income[:, :, None] * draw.dirichlet((4, 3, 2, 5, 2), (n_villages, n_months)))
    jobs = np.round(draw.gamma(4, 5, (n_villages, 1)) + draw.poisson(8, (n_villages, n_months)))
    return np.concatenate(
        [np.round(income)[:, :, None], parts, parts.sum(axis=2, keepdims=True), jobs[:, :, None]],
        axis=2,
    ).astype(np.int64)


def _frame(names: list[str], months: range, values: np.ndarray) -> pl.DataFrame:
    n_villages, n_months, n_items = len(names), len(months), len(ITEMS)
    stamps = [f"{_FIRST_YEAR + m // 12}-{m % 12 + 1:02}" for m in months]
    unit = np.repeat(np.arange(n_villages), n_months * n_items)
    month = np.tile(np.repeat(np.arange(n_months), n_items), n_villages)
    item = np.tile(np.arange(n_items), n_villages * n_months)
    return pl.DataFrame(
        {
            "village": pl.Series(names).gather(unit),
            "month": pl.Series(stamps).gather(month),
            "item": pl.Series(ITEMS).gather(item),
            "value": values[:, months.start : months.stop, :].ravel(),
            "unit": pl.Series(["元"] * 7 + ["人"]).gather(item),
        }
    )


def _initiative(name: str, hosts: list[str], towns: list[str], n_months: int) -> str:
    start = n_months * 2 // 3
    began = f"{_FIRST_YEAR + start // 12}-{start % 12 + 1:02}"
    cost = "\n".join(f"{one} = 100_000" for one in _PAYERS)
    treated = "\n".join(
        f'[[treated]]\nunit = "{host}"\nstart = "{began}"\n[treated.cost_yuan]\n{cost}\n'
        for host in hosts
    )
    return f"""id = "{name}"
name = {{ zh = "{name}（合成）", en = "{name} (synthetic)" }}
provenance = "illustrative"
stands_for = []
is_synthetic = true
format = "{name}"
unit_kind = "village"
frequency = "year"
outcomes = ["income_yuan", "jobs_persons"]
anticipation = 0
comparison_areas = [{", ".join(f'"{one}"' for one in towns)}]

[description]
zh = "规模试验用的合成项目。"
en = "A synthetic initiative for runs at scale."

{treated}
[[assumptions]]
quality = "fair"
impact = "high"
[assumptions.text]
zh = "若无本项目，两组村的收入会同步增长"
en = "Without the initiative both groups' incomes would have moved in parallel"
"""


_PAYERS = ("province", "city", "county", "town", "village", "social")


def _digits(n: int) -> str:
    return "".join("零一二三四五六七八九"[int(one)] for one in f"{n:05}")


def _quoted(names: list[str], at: int) -> str:
    own = names[at * _AREA_VILLAGES : (at + 1) * _AREA_VILLAGES]
    return "[" + ", ".join(f'"{one}"' for one in own) + "]"


def _compare(n_rows: int) -> None:
    for what in ("sound", "unit", "encoding"):
        with tempfile.TemporaryDirectory() as folder:
            found = every_row_wrong(Path(folder), what, n_rows=n_rows)
        grown = found["grown_bytes"] / 1e9
        print(
            f"{n_rows:,} rows, {what}: {found['kept']} of {found['total']:,} kept, {grown:.2f} GB"
        )


def main() -> None:
    """Run one size and print what it weighed."""
    if sys.argv[1] == "wrong":
        _compare(int(sys.argv[2]))
        return
    n_villages, n_months = int(sys.argv[1]), int(sys.argv[2])
    rest = sys.argv[3:]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(rest.pop(0)) if rest and not rest[0].startswith("-") else Path(temporary)
        province = write_province(folder / "in", n_villages=n_villages, n_months=n_months)
        out = folder / "out"
        command = [sys.executable, "-m", "cps", "run", *province.options, "--out", str(out)]
        status, seconds, peak, said = run_watched([*command, "--lang", "en", *rest])
        pages = [path.stat().st_size for path in (out / "latest").glob("??/*.html")]
        print(said)
        print(f"{n_villages:,} villages × {n_months} months × {len(ITEMS)} items: status {status}")
        print(f"{seconds:.1f} s, peak {peak / 1e9:.2f} GB, pages up to {max(pages, default=0):,} B")


if __name__ == "__main__":
    main()
