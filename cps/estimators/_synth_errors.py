"""Standard errors of synthetic difference-in-differences: placebo, jackknife, bootstrap.

Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), doi:10.1257/aer.20190159, algorithms 2 to 4,
with the conventions of R ``synthdid``: penalties stay as they are for the full sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from cps.errors import Text
from cps.estimators._scale import normal_estimate, rank_estimate
from cps.estimators._synth_gaps import Gaps
from cps.result import Estimate

Floats = NDArray[np.float64]

DRAWS = 200

ASSUMES: dict[str, Text] = {
    "placebo": Text(
        "承办单位的波动与对照单位相近；把启动时间随机换给对照单位，得到的效应反映没有干预时的波动",
        "the treated units' noise is like the comparison units': effects found when comparison "
        "units stand in for them show what chance gives",
    ),
    "jackknife": Text(
        "承办单位较多且彼此独立；逐一去掉单位，权重不重新估计",
        "many treated units, independent of one another; units are left out in turn, weights kept",
    ),
    "jackknife_refit": Text(
        "承办单位较多且彼此独立；逐一去掉单位，权重重新估计",
        "many treated units, independent of one another; units are left out in turn, weights found "
        "anew",
    ),
    "bootstrap": Text(
        "承办单位较多，各单位独立地来自同一总体；按单位有放回重抽，权重重新估计",
        "many treated units, all drawn independently from one population; units are drawn again "
        "with replacement, weights found anew",
    ),
}


@dataclass(frozen=True, slots=True)
class Spread:
    """Estimates under other assignments or samples, and how they make an interval."""

    way: str  # placebo, jackknife, jackknife_refit, bootstrap, none
    gaps: Gaps
    is_drawn: bool
    n_units: int | None = None  # comparison units that placebos come from

    def estimates(
        self, actual: Gaps, keeps: NDArray[np.bool_], level: float
    ) -> tuple[Estimate, ...]:
        """Give the mean over each set of cells with the error, interval and p-value for it."""
        values = actual.means(keeps)[0]
        draws = self.gaps.means(keeps)
        return tuple(self._one(float(att), draws[:, i], level) for i, att in enumerate(values))

    def _one(self, att: float, draws: Floats, level: float) -> Estimate:
        if self.way == "placebo":
            return rank_estimate(att, draws, level, n_units=self.n_units)
        draws = draws[np.isfinite(draws)]
        if len(draws) < 2:
            return Estimate(att)
        return normal_estimate(att, self._error(draws), level)

    def _error(self, draws: Floats) -> float:
        if self.way == "bootstrap":
            return float(draws.std())
        return float(np.sqrt((len(draws) - 1) * draws.var()))


def placebo_starts(
    starts: Floats, n_donors: int, seed: int, *, draws: int = DRAWS
) -> tuple[Floats, bool]:
    """Give the treated units' starts to comparison units; were they drawn, or is that all?

    Parameters
    ----------
    starts : ndarray, shape (n_treated,)
        In ascending order of start.
    draws : int
        Most assignments; all there are if they are no more.

    Returns
    -------
    ndarray, shape (n_draws, n_donors)
        No rows where fewer than two comparison units would remain.
    """
    k = len(starts)
    if n_donors - k < 2:
        return np.zeros((0, n_donors)), False
    drawn = not (len(np.unique(starts)) == 1 and comb(n_donors, k) <= draws)
    if drawn:
        rng = np.random.default_rng(seed)
        places = np.array([rng.permutation(n_donors)[:k] for _ in range(draws)])
    else:
        places = np.array(list(combinations(range(n_donors), k)))
    given = np.full((len(places), n_donors), np.inf)
    np.put_along_axis(given, places, np.broadcast_to(starts, places.shape), axis=1)
    return given, drawn


def bootstrap_rows(starts: Floats, seed: int, *, draws: int = DRAWS) -> NDArray[np.int64]:
    """Draw units with replacement, treated and comparison units both among them."""
    rng = np.random.default_rng(seed)
    rows: list[NDArray[np.int64]] = []
    while len(rows) < draws:
        drawn = np.sort(rng.integers(0, len(starts), len(starts)))
        here = np.isfinite(starts[drawn])
        # Two to compare with, since weights of one say nothing.
        if here.any() and (~here).sum() > 1:
            rows.append(drawn)
    return np.array(rows)
