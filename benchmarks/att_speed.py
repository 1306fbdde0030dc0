"""Group-time effects beside the fastest public peers: answers first, then times and memory.

Usage: python benchmarks/att_speed.py [--sizes 40x10,1000x84] [--peers PYTHON] [--methods csdid,…]
       [--limit SECONDS] [--out FOLDER]

A size is units x periods. Every run estimates all ATT(g, t) with never-treated comparison, the four
aggregations, standard errors and uniform bands from 1,000 draws, without covariates, on the same
Parquet file, in a process of its own with one thread; the least of some repetitions counts. PYTHON
is an interpreter with the packages of ``peers.txt``. Where a peer's effects differ from ours, no
ratio is given. A peer that needs more than the limit (300 s) is said to. Design and estimation are
timed apart for ours; a peer's time begins with its data frame in memory.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

SIZES = "40x10,1000x10,20000x10,200000x10,40x84,1000x84,20000x84,200000x84"
PEERS = ("diff_diff", "csdid", "moderndid", "differences")
DRAWS = 1000
_SAME = 1e-8
_SAME_ERROR = 0.25  # bootstrapped standard errors against analytic ones
_MEGABYTE = 1 << 20


def main() -> None:
    """Compare at every size, print a table, write JSON and markdown if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--peers", default="")
    parser.add_argument("--methods", default=",".join(PEERS))
    parser.add_argument("--limit", type=float, default=300.0)
    parser.add_argument("--out", default="")
    parser.add_argument("--child", nargs=3, metavar=("NAME", "DATA", "REPEATS"))
    given = parser.parse_args()
    if given.child:
        print("RESULT " + json.dumps(_child(*given.child)))
        return
    peers = given.methods.split(",") if given.peers else []
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        _panel(60, 10).write_parquet(Path(folder) / "warm.parquet")
        for size in given.sizes.split(","):
            n_units, n_periods = (int(one) for one in size.split("x"))
            data = Path(folder) / f"{size}.parquet"
            _panel(n_units, n_periods).write_parquet(data)
            ours = _run(sys.executable, "cps", data, given.limit)
            rows.append({"size": size, "method": "cps", **ours})
            _show(rows[-1], ours)
            for name in peers:
                rows.append({"size": size, "method": name})
                rows[-1] |= _judged(_run(given.peers, name, data, given.limit), ours)
                _show(rows[-1], ours)
    if given.out:
        out = Path(given.out)
        out.mkdir(parents=True, exist_ok=True)
        plain = [{key: one for key, one in row.items() if key != "events"} for row in rows]
        (out / "att_speed.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
        (out / "att_speed.md").write_text(_markdown(rows), encoding="utf-8")


def _panel(n_units: int, n_periods: int) -> Any:
    """Make staggered data: cohorts at every period if there are units enough, 40% never treated."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    n_cohorts = min(n_periods - 2, max(n_units // 8, 2))
    starts = np.unique(np.linspace(3, n_periods, n_cohorts).round().astype(int))
    cohort = np.where(rng.random(n_units) < 0.4, 0, rng.choice(starts, n_units))
    cohort[: len(starts)] = starts
    cohort[len(starts) : len(starts) + 3] = 0
    period = np.arange(1, n_periods + 1)
    after = (cohort[:, None] > 0) & (period >= cohort[:, None])
    y = (
        rng.normal(0, 2, (n_units, 1))
        + 0.05 * period
        + 0.3 * rng.normal(size=(n_units, n_periods)).cumsum(axis=1)
        + np.where(after, 0.5 + 0.1 * (period - cohort[:, None]), 0.0)
    )
    return pl.DataFrame(
        {
            "unit": np.repeat(np.arange(n_units), n_periods),
            "period": np.tile(period, n_units),
            "y": y.ravel(),
            "g": np.repeat(cohort, n_periods),
        }
    )


def _run(python: str, name: str, data: Path, limit: float) -> dict[str, Any]:
    cells = data.stat().st_size // 8
    repeats = 7 if cells < 100_000 else 3 if cells < 2_000_000 else 1
    environment = os.environ | {
        one: "1"
        for one in (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "NUMBA_NUM_THREADS",
            "POLARS_MAX_THREADS",
        )
    }
    command = [python, __file__, "--child", name, str(data), str(repeats)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return {"trouble": f"more than {limit:.0f} s"}
    found = re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)
    if found is None:
        said = done.stderr.strip().splitlines()
        return {"trouble": said[-1][:120] if said else f"ended with {done.returncode}"}
    result: dict[str, Any] = json.loads(found.group(1))
    return result


def _judged(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Compare answers; only alike ones have their times compared."""
    if "trouble" in theirs or "trouble" in ours:
        return theirs
    gap = abs(theirs["att"] - ours["att"])
    shared = set(theirs["events"]) & set(ours["events"])
    gap = max([gap, *(abs(theirs["events"][one] - ours["events"][one]) for one in shared)])
    off = abs(theirs["se"] / ours["se"] - 1)
    theirs |= {"largest_gap": gap, "events_compared": len(shared), "se_ratio_less_one": off}
    if gap > _SAME or off > _SAME_ERROR:
        return theirs | {
            "trouble": f"another answer: effects differ by {gap:.1g}, errors {off:.0%}"
        }
    return theirs | {
        "times_ours": theirs["seconds"] / ours["seconds"],
        "times_ours_with_design": theirs["seconds"] / (ours["seconds"] + ours["design_seconds"]),
    }


def _child(name: str, data: str, repeats: str) -> dict[str, Any]:
    """Time one method on one file, after a warm-up on a small panel."""
    warnings.simplefilter("ignore")
    if name == "cps":
        return _ours(data, int(repeats))
    import pandas as pd

    fit = {
        "csdid": _csdid,
        "diff_diff": _diff_diff,
        "moderndid": _moderndid,
        "differences": _differences,
    }[name]
    frame = pd.read_parquet(data)
    few = pd.read_parquet(Path(data).with_name("warm.parquet"))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        with contextlib.suppress(Exception):
            fit(few)
        return _timed(lambda: fit(frame), int(repeats), frame.shape[0])


def _timed(call: Any, repeats: int, n_cells: int) -> dict[str, Any]:
    seconds, before = [], _resting()
    for _ in range(repeats):
        begin = time.perf_counter()
        answer = call()
        seconds.append(time.perf_counter() - begin)
    att, se, events = answer
    return {
        "seconds": min(seconds),
        "repeats": repeats,
        # What was freed before is used again unseen; the whole process is given beside it.
        "peak_mb": max(_peak() - before, 0) / _MEGABYTE,
        "process_mb": _peak() / _MEGABYTE,
        "data_mb": 8 * n_cells / _MEGABYTE,
        "att": float(att),
        "se": float(se),
        "events": {str(int(one)): float(value) for one, value in events},
    }


def _resting() -> int:
    """Forget the peak of memory so far, where the system can; give what is in use."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(field: str) -> int:
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(rf"{field}:\s+(\d+) kB", text)
    return 1024 * int(found.group(1)) if found else 0


def _ours(data: str, repeats: int) -> dict[str, Any]:
    import polars as pl

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import cps

    def design_of(frame: Any) -> Any:
        return cps.design_from_frame(
            frame, unit="unit", period="period", outcome="y", cohort="g", name="speed"
        )

    frame = pl.read_parquet(data)
    few = pl.read_parquet(Path(data).with_name("warm.parquet"))
    cps.estimate(design_of(few), "group_time_att")
    before = _resting()
    begin = time.perf_counter()
    design = design_of(frame)
    design_seconds = time.perf_counter() - begin
    design_mb = (_peak() - before) / _MEGABYTE
    n_cells = frame.height
    del frame

    def call() -> Any:
        effect = cps.estimate(design, "group_time_att", options={"draws": DRAWS})
        events = [(one.event_time, one.estimate.att) for one in effect.by_event_time]
        return effect.overall.att, effect.overall.se, events

    result = _timed(call, repeats, n_cells)
    return result | {"design_seconds": design_seconds, "design_peak_mb": design_mb}


def _csdid(frame: Any) -> Any:
    from csdid.att_gt import ATTgt

    fitted = ATTgt(
        yname="y",
        tname="period",
        idname="unit",
        gname="g",
        data=frame,
        control_group="nevertreated",
        xformla="y~1",
        cband=True,
        biters=DRAWS,
    )
    fitted.fit(est_method="reg", bstrap=True)
    found = {}
    for kind in ("simple", "dynamic", "group", "calendar"):
        fitted.aggte(kind)
        found[kind] = dict(fitted.atte)
    simple, dynamic = found["simple"], found["dynamic"]
    events = zip(dynamic["egt"], dynamic["att_egt"], strict=True)
    return _first(simple["overall_att"]), _first(simple["overall_se"]), list(events)


def _first(value: Any) -> float:
    import numpy as np

    return float(np.ravel(value)[0])


def _diff_diff(frame: Any) -> Any:
    from diff_diff import CallawaySantAnna

    fitted = CallawaySantAnna(n_bootstrap=DRAWS, seed=1, estimation_method="reg").fit(
        frame, outcome="y", unit="unit", time="period", first_treat="g", aggregate="all"
    )
    events = [(one, value["effect"]) for one, value in fitted.event_study_effects.items()]
    return fitted.overall_att, fitted.overall_se, events


def _moderndid(frame: Any) -> Any:
    import moderndid

    fitted = moderndid.att_gt(
        frame,
        yname="y",
        tname="period",
        idname="unit",
        gname="g",
        est_method="reg",
        boot=True,
        cband=True,
        biters=DRAWS,
        random_state=1,
    )
    found = {
        kind: moderndid.aggte(fitted, type=kind, boot=True, cband=True, biters=DRAWS)
        for kind in ("simple", "dynamic", "group", "calendar")
    }
    simple, dynamic = found["simple"], found["dynamic"]
    events = zip(dynamic.event_times, dynamic.att_by_event, strict=True)
    return simple.overall_att, simple.overall_se, list(events)


def _differences(frame: Any) -> Any:
    from differences import ATTgt

    named = frame.rename(columns={"unit": "entity", "period": "time", "g": "cohort"})
    named["cohort"] = named["cohort"].where(named["cohort"] > 0)
    fitted = ATTgt(data=named.set_index(["entity", "time"]), cohort_column="cohort")
    fitted.fit("y", boot_iterations=DRAWS, random_state=1, progress_bar=False)
    found = {
        kind: fitted.aggregate(kind, boot_iterations=DRAWS)
        for kind in ("simple", "event", "cohort", "time")
    }
    att, se = found["simple"].iloc[0].tolist()[:2]
    return att, se, list(found["event"].iloc[:, 0].items())


def _show(row: dict[str, Any], ours: dict[str, Any]) -> None:
    if "seconds" not in row:
        print(f"{row['size']:>10}  {row['method']:<12} {row['trouble']}", flush=True)
        return
    line = f"{row['size']:>10}  {row['method']:<12} {row['seconds']:9.4f} s"
    line += f"  {row['peak_mb']:8.1f} MB more ({row['data_mb']:.1f} of data)"
    if row["method"] == "cps":
        line += f"  (design {row['design_seconds']:.3f} s, {row['design_peak_mb']:.0f} MB)"
    elif "trouble" in row:
        line += f"  {row['trouble']}"
    elif "times_ours" in row:
        line += f"  {row['times_ours']:.1f} times ours; effects within {row['largest_gap']:.0e}"
    print(line, flush=True)


def _markdown(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| units x periods | method | seconds | MB more in the call | MB in all | times ours | "
        "with our design | largest gap |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if "seconds" not in row:
            lines.append(f"| {row['size']} | {row['method']} | {row['trouble']} | | | | | |")
            continue
        ratios = [
            f"{row[key]:.1f}" if key in row else ""
            for key in ("times_ours", "times_ours_with_design")
        ]
        gap = f"{row['largest_gap']:.0e}" if "largest_gap" in row else ""
        lines.append(
            f"| {row['size']} | {row['method']} | {row['seconds']:.4f} | {row['peak_mb']:.1f} | "
            f"{row['process_mb']:.0f} | "
            f"{ratios[0]} | {ratios[1]} | {gap} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
