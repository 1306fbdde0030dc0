"""Synthetic control with imperfect fit: simulations of Ferman & Pinto (2021) and Ferman (2021)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np

from cps.estimators._synth_gaps import Calendar, gaps_under
from cps.estimators._synth_weights import KINDS, exact_weights
from tests.validation.table import Ours, card

SET = "sim_ferman_pinto"
N_AFTER = 12
SEED = 1
_REPLICATIONS, _AT_ONCE = 800, 100
# Panel -> treated unit is the second from the top or bottom of: fixed effects, first loading.
PANELS = {"A": ("unit", -2), "B": ("unit", 1), "C": ("loading", -2), "D": ("loading", 1)}
_ESTIMATORS = {"sc": "sc", "demeaned": "difp", "did": "did"}


def ours(folder: Path) -> dict[str, Ours]:
    """Give what the card asks for: biases, and weights on the treated unit's own group."""
    found = {}
    for target in card(folder.parent, SET)["targets"]:
        name = target["id"]
        if match := re.fullmatch(r"ferman2021_([AB])_J(\d+)", name):
            found[name] = Ours(own_group(match[1], int(match[2])))
        elif match := re.fullmatch(r"([A-D])_(\d+)_demeaned_unbiased", name):
            errors = biases(folder, match[1], int(match[2]))
            found[name] = Ours([errors["demeaned"], errors["did"]])
        elif match := re.fullmatch(r"([A-D])_(\w+?)_bias_T(\d+)", name):
            found[name] = Ours(biases(folder, match[1], int(match[3]))[match[2]])
    return found


@cache
def biases(folder: Path, panel: str, n_before: int) -> dict[str, float]:
    """Average the errors of three estimators on the calibrated states; there is no effect."""
    with np.load(folder / "env.npz") as given:
        env = {name: given[name] for name in given.files}
    by, place = PANELS[panel]
    key = env["unit"] if by == "unit" else env["Lam"][:, 0]
    treated = int(np.argsort(key)[place])
    n_units, n_periods = len(key), n_before + N_AFTER
    calendar = Calendar(np.arange(n_periods), np.array([n_before]), 0)
    start = np.full(n_units, np.inf)
    start[treated] = n_before
    sums = dict.fromkeys(_ESTIMATORS, 0.0)
    rng = np.random.default_rng(SEED)
    for _ in range(_REPLICATIONS // _AT_ONCE):
        factors = _ar1(env["fac_ar"], n_periods, rng)
        factors -= factors.mean(axis=2, keepdims=True)
        y = env["Lam"] @ factors + env["unit"][:, None] + _ar1(env["res_ar"], n_periods, rng)
        if by == "loading":  # selection on a factor that breaks
            y[:, :, n_before:] += 2 * env["sd_factors"][0] * env["Lam"][:, :1]
        for name, kind in _ESTIMATORS.items():
            starts = np.broadcast_to(start, (_AT_ONCE, n_units))
            gaps = gaps_under(y, starts, calendar, KINDS[kind], exact_weights)
            sums[name] += float(gaps.mean(calendar.is_post).sum())
    return {name: one / _REPLICATIONS for name, one in sums.items()}


def own_group(panel: str, n_donors: int) -> float:
    """Average the weight on donors that share the treated unit's factor, Ferman (2021), table 1."""
    n_before = n_donors + 5 if panel == "A" else 2 * n_donors
    half, n = n_donors // 2, _REPLICATIONS if n_donors < 50 else 200
    persistence = np.array([[0.5, 0.0, np.sqrt(1 - 0.5**2)]] * 2)
    rng = np.random.default_rng(SEED)
    factors = _ar1(persistence, n_before + 1, rng, n)
    loading = np.zeros((n_donors + 1, 2))
    loading[: half + 1, 0] = loading[half + 1 :, 1] = 1.0
    y = loading @ factors + rng.normal(size=(n, n_donors + 1, n_before + 1))
    starts = np.full((n, n_donors + 1), np.inf)
    starts[:, 0] = n_before
    calendar = Calendar(np.arange(n_before + 1), np.array([n_before]), 0)
    gaps = gaps_under(y, starts, calendar, KINDS["sc"], exact_weights, keep_weights=True)
    return float(gaps.unit_weights[:, 0, 1 : half + 1].sum(axis=1).mean())


def _ar1(
    laws: np.ndarray, n_periods: int, rng: np.random.Generator, n: int = _AT_ONCE
) -> np.ndarray:
    """Draw stationary series, shape (n, len(laws), n_periods); a law is persistence, mean, sd."""
    rho, mean, spread = laws.T
    series = rng.normal(size=(n, len(laws), n_periods)) * spread[:, None]
    series[:, :, 0] /= np.sqrt(np.maximum(1 - rho**2, 1e-6))
    for t in range(1, n_periods):
        series[:, :, t] += rho * series[:, :, t - 1]
    return series + mean[:, None]
