"""Synthetic difference-in-differences and synthetic control with all placebo refits, beside peers.

    python benchmarks/synthetic_speed.py [--peers PATH/TO/python] [--only NAME ...]

One treated unit of 40, 84 periods, treatment after 60: one estimate, and the same for each of the
39 donors as if it had been treated. Peers run in another interpreter, one thread each, one after
another; each is given the panel as it wants it before its clock starts. Answers are compared before
times: a peer whose estimate or placebo deviation differs from ours has no ratio. Peers that can't
enumerate donors draw 39 placebos; of those the estimate alone is compared. ``sdid`` is ours with the
estimate's weights by R's stopping rule, ``exact`` with weights to the last digit; both are set beside
the same peers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import cps

N_UNITS, N_PERIODS, N_BEFORE = 40, 84, 60
REPEATS = 9
OURS: dict[str, tuple[str, dict[str, str]]] = {
    "sdid": ("synthetic_did", {}),
    "exact": ("synthetic_did", {"solver": "exact"}),
    "control": ("synthetic_control", {}),
}
THREADS = {
    name: "1"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
}
# Frank-Wolfe steps stop where they hardly matter: peers that stop elsewhere differ in the third digit.
TOLERANCE = {"sdid": 0.02, "control": 0.005}

PEERS = r"""
import json, sys, time, warnings
import numpy as np, pandas as pd
warnings.filterwarnings("ignore")
y = np.load(sys.argv[1]); before = int(sys.argv[2]); wanted = sys.argv[3:]
n, t = y.shape
donors, both = y[1:], np.vstack([y[1:], y[:1]])
frame = pd.DataFrame({"unit": np.repeat([f"u{i:02d}" for i in range(n)], t),
                      "time": np.tile(np.arange(t), n), "y": y.ravel()})
frame["treated"] = ((frame.unit == "u00") & (frame.time >= before)).astype(int)
frame["ever"] = (frame.unit == "u00").astype(int)

def placebo_panels():
    for i in range(len(donors)):
        yield np.vstack([np.delete(donors, i, axis=0), donors[i:i + 1]])

def mad_sdid():
    from mad_sdid.core import synthdid_estimate as fit
    noise = np.diff(donors[:, :before], axis=1).std(ddof=1)
    def run():
        att = fit(both, n - 1, before).estimate
        return att, [fit(p, n - 2, before, noise_level_val=noise).estimate for p in placebo_panels()]
    return run

def synthdid_py():
    from synthdid import synthdid_estimate as fit
    noise = np.diff(donors[:, :before], axis=1).std(ddof=1)
    def run():
        att = float(fit(both, n - 1, before))
        return att, [float(fit(p, n - 2, before, noise_level=noise)) for p in placebo_panels()]
    return run

def diff_diff_sdid():
    from diff_diff import SyntheticDiD
    def run():
        one = SyntheticDiD(variance_method="placebo", n_bootstrap=n - 1, seed=1).fit(
            frame, outcome="y", treatment="ever", unit="unit", time="time",
            post_periods=list(range(before, t)))
        return float(one.att), None
    return run

def synthdid_py_control():
    from synthdid import sc_estimate as fit
    def run():
        att = float(fit(both, n - 1, before))
        return att, [float(fit(p, n - 2, before)) for p in placebo_panels()]
    return run

def diff_diff_control():
    from diff_diff import SyntheticControl
    def run():
        one = SyntheticControl(v_method="custom", custom_v=np.ones(before), standardize="none").fit(
            frame, outcome="y", treatment="treated", unit="unit", time="time")
        one.in_space_placebo()
        return float(one.att), None
    return run

def pysyncon_control():
    from pysyncon import Synth
    names = [f"u{i:02d}" for i in range(n)]
    wide = pd.DataFrame(y.T, columns=names)
    def fit(target, pool):
        one = Synth()
        z0, z1 = wide.loc[:before - 1, pool], wide.loc[:before - 1, target]
        w, _ = one.w_optimize(np.eye(before), z0.to_numpy(), z1.to_numpy())
        return float((wide.loc[before:, target] - wide.loc[before:, pool] @ w).mean())
    def run():
        return fit(names[0], names[1:]), [
            fit(a, [b for b in names[1:] if b != a]) for a in names[1:]]
    return run

def augsynth_py_control():
    import polars as pl
    from augsynth_py.synth.classical import Synth
    def fit(target, rows):
        one = Synth(fixedeff=False).fit(rows, unit="unit", time="time", outcome="y",
                                        treated=target, treatment_time=before)
        for name in ("att_", "att", "average_att"):
            if hasattr(one, name):
                found = getattr(one, name)
                found = found() if callable(found) else found
                return float(np.mean(found.to_numpy() if hasattr(found, "to_numpy") else found))
        raise AttributeError("no att")
    whole = pl.from_pandas(frame[["unit", "time", "y"]])
    rest = whole.filter(pl.col("unit") != "u00")
    names = [f"u{i:02d}" for i in range(1, n)]
    def run():
        return fit("u00", whole), [fit(name, rest) for name in names]
    return run

def mlsynth_control():
    from mlsynth import VanillaSC
    def run():
        one = VanillaSC({"df": frame, "outcome": "y", "treat": "treated", "unitid": "unit",
                         "time": "time", "backend": "outcome-only", "inference": "placebo",
                         "display_graphs": False}).fit()
        return float(one.effects.att), None
    return run

every = {"sdid": [mad_sdid, synthdid_py, diff_diff_sdid],
         "control": [synthdid_py_control, diff_diff_control, pysyncon_control,
                     augsynth_py_control, mlsynth_control]}
for what, makers in every.items():
    for maker in makers:
        if wanted and maker.__name__ not in wanted:
            continue
        try:
            run = maker()
            began = time.perf_counter()
            att, placebos = run()
            seconds = time.perf_counter() - began
            if seconds < 5:
                began = time.perf_counter()
                run()
                seconds = min(seconds, time.perf_counter() - began)
            spread = None if placebos is None else float(np.std(placebos))
            print(json.dumps([what, maker.__name__, att, spread, seconds]), flush=True)
        except Exception as error:
            print(json.dumps([what, maker.__name__, None, repr(error)[:200], None]), flush=True)
"""


def panel(seed: int = 0) -> np.ndarray:
    """Make units on three factors; the first gains half a unit after the start."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(3, N_PERIODS)).cumsum(axis=1) / 3
    loadings = rng.dirichlet(np.ones(3), N_UNITS) * 3
    y = 10 + loadings @ factors + rng.normal(0, 0.3, (N_UNITS, N_PERIODS))
    y[0, N_BEFORE:] += 0.5
    return np.asarray(y)


def ours(y: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """Give estimate, placebo deviation and seconds (median of REPEATS) of either method."""
    frame = pl.DataFrame(
        {
            "unit": [f"u{i:02d}" for i in range(N_UNITS) for _ in range(N_PERIODS)],
            "time": np.tile(np.arange(N_PERIODS), N_UNITS),
            "y": y.ravel(),
            "start": pl.Series(
                [N_BEFORE if i == 0 else None for i in range(N_UNITS) for _ in range(N_PERIODS)],
                dtype=pl.Int64,
            ),
        }
    )
    design = cps.design_from_frame(frame, unit="unit", period="time", outcome="y", cohort="start")
    found = {}
    for what, (method, options) in OURS.items():
        effect = cps.estimate(design, method, options=options)
        assert len(effect.placebos) == N_UNITS - 1
        seconds = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            cps.estimate(design, method, options=options)
            seconds.append(time.perf_counter() - began)
        spread = float(np.std(effect.placebos))
        found[what] = (float(effect.overall.att or 0.0), spread, statistics.median(seconds))
    return found


def peers(y: np.ndarray, python: str, only: list[str]) -> list[list[Any]]:
    """Run the peers one after another in their own interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "panel.npy"
        np.save(path, y)
        done = subprocess.run(
            [python, "-c", PEERS, str(path), str(N_BEFORE), *only],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **THREADS},
        )
    rows = [line for line in done.stdout.splitlines() if line.startswith("[")]
    return [json.loads(line) for line in rows]


def main() -> int:
    """Print the table; fail if an answer differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", help="python with benchmarks/peers.txt installed")
    parser.add_argument("--only", nargs="*", default=[], help="peers to run")
    given = parser.parse_args()
    if any(os.environ.get(name) != "1" for name in THREADS):
        return subprocess.call([sys.executable, *sys.argv], env={**os.environ, **THREADS})
    y = panel()
    mine = ours(y)
    for what, (att, spread, seconds) in mine.items():
        print(f"{what:8} {'cps':20} att {att:+.5f}  placebo sd {spread:.5f}  {seconds:9.4f} s")
    wrong, ratios = 0, {what: [] for what in mine}
    for what, name, att, spread, seconds in (
        peers(y, given.peers, given.only) if given.peers else []
    ):
        if seconds is None:
            print(f"{what:8} {name:20} could not run: {spread}")
            continue
        known, deviation, _ = mine[what]
        far = max(abs(att - known), 0.0 if spread is None else abs(spread - deviation))
        agrees = far <= TOLERANCE[what]
        wrong += not agrees
        beside = [what, "exact"] if what == "sdid" else [what]
        if agrees:
            for one in beside:
                ratios[one].append((seconds / mine[one][2], name))
        times = " and ".join(f"{seconds / mine[one][2]:.0f}" for one in beside)
        shown = f"{times} times" if agrees else f"differs by {far:.4f}"
        sd = "placebos drawn     " if spread is None else f"placebo sd {spread:.5f} "
        print(f"{what:8} {name:20} att {att:+.5f}  {sd} {seconds:9.4f} s  {shown}")
    for what, found in ratios.items():
        if found:
            ratio, name = min(found)
            print(f"{what}: {ratio:.0f} times faster than the fastest peer that agrees, {name}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
