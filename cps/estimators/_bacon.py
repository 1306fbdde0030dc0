"""What a two-way fixed-effects coefficient is an average of: every pair of timing groups.

Goodman-Bacon (2021), Journal of Econometrics 225(2), 254-277, doi:10.1016/j.jeconom.2021.03.014;
with controls, his section 5. The parts add up to the coefficient exactly. Arrays in, arrays out: a
unit treated from the first period on may enter (a design leaves it out, this does not).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._regression_collapsed import demeaned

Floats = NDArray[np.float64]

EARLIER, LATER, NEVER, ALWAYS, BETWEEN = (
    "earlier_vs_later",
    "later_vs_earlier",
    "treated_vs_untreated",
    "later_vs_always",
    "between_groups",
)
FORBIDDEN = (LATER, ALWAYS)


@dataclass(frozen=True, slots=True)
class Bacon:
    """The comparisons behind one coefficient.

    Parameters
    ----------
    treated, untreated : ndarray, shape (n,)
        First treated periods of the two groups: minus infinity always, infinity never.
    kind : tuple of str, length n
    estimate, weight : ndarray, shape (n,)
        Weights add up to one, less ``within_weight``.
    within : float or None
        With controls, the part that comes from differences of the controls within groups.
    within_weight : float
    """

    treated: Floats
    untreated: Floats
    kind: tuple[str, ...]
    estimate: Floats
    weight: Floats
    within: float | None = None
    within_weight: float = 0.0

    @property
    def total(self) -> float:
        """The coefficient that the parts add up to."""
        return float(self.weight @ self.estimate) + (self.within or 0.0) * self.within_weight

    def by_kind(self) -> dict[str, tuple[float, float]]:
        """Give the weight and the average estimate of each kind."""
        kinds = np.array(self.kind)
        found = {}
        for kind in dict.fromkeys(self.kind):
            weight = self.weight[kinds == kind]
            if weight.sum() > 0:
                mean = float(weight @ self.estimate[kinds == kind] / weight.sum())
                found[kind] = (float(weight.sum()), mean)
        return found


def decompose(y: Floats, start: Floats, periods: Floats, weight: Floats | None = None) -> Bacon:
    """Decompose the static coefficient of a balanced panel.

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods)
    start : ndarray, shape (n_units,)
        First treated period; infinity (or any after the last) never, minus infinity (or any up to
        the first) always.
    periods : ndarray, shape (n_periods,), ascending
    weight : ndarray, shape (n_units,), or None
        Constant over time.

    Raises
    ------
    ValueError
        If the panel has gaps, or treatment does not vary within periods.
    """
    groups, size, mean, share = _groups(y, start, periods, weight)
    rows: list[tuple[float, float, str, float, float]] = []
    for a, early in enumerate(groups):
        for b in range(a + 1, len(groups)):
            late, pair = groups[b], size[a] * size[b]
            gap = mean[a] - mean[b]
            if np.isfinite(early):
                # The earlier group's start, while the later one is untreated.
                before, after = periods < early, (periods >= early) & (periods < late)
                kind = EARLIER if np.isfinite(late) else NEVER
                part = pair * (share[a] - share[b]) * (1 - share[a])
                rows.append((early, late, kind, gap[after].mean() - gap[before].mean(), part))
            if np.isfinite(late):
                # The later group's start, while the earlier one is treated already.
                before, after = (periods >= early) & (periods < late), periods >= late
                kind = LATER if np.isfinite(early) else ALWAYS
                part = pair * share[b] * (share[a] - share[b])
                rows.append((late, early, kind, gap[before].mean() - gap[after].mean(), part))
    if not rows or sum(row[4] for row in rows) <= 0:
        raise ValueError("treatment does not vary within periods")
    parts = np.array([row[4] for row in rows])
    return Bacon(
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]),
        tuple(row[2] for row in rows),
        np.array([row[3] for row in rows]),
        parts / parts.sum(),
    )


def decompose_with_controls(
    y: Floats,
    start: Floats,
    periods: Floats,
    covariates: Floats,
    weight: Floats | None = None,
) -> Bacon:
    """Decompose the coefficient of a regression with time-varying controls.

    What the controls leave of treatment varies within timing groups too; that part is ``within``.
    Between groups there is one comparison for each pair.

    Parameters
    ----------
    covariates : ndarray, shape (n_covariates, n_units, n_periods)

    Raises
    ------
    ValueError
        As :func:`decompose`.
    """
    groups, size, mean, _ = _groups(y, start, periods, weight)
    unit_weight = np.ones(len(y)) if weight is None else weight
    left = _residual_treatment(start, periods, covariates, unit_weight)
    place = np.searchsorted(groups, _bounded(start, periods))
    means = np.array([_mean(left[place == k], unit_weight[place == k]) for k in range(len(groups))])
    inside = left - means[place]
    within_square = float((unit_weight[:, None] * inside**2).sum())
    between_square = float((size[:, None] * means**2).sum())
    whole = within_square + between_square
    rows: list[tuple[float, float, float, float]] = []
    for a in range(len(groups)):
        for b in range(a + 1, len(groups)):
            gap = means[a] - means[b]
            square = float(gap @ gap)
            if square > 1e-18 * whole:
                estimate = float(gap @ (mean[a] - mean[b])) / square
                part = size[a] * size[b] * square / size.sum() / whole
                rows.append((groups[a], groups[b], estimate, part))
    table = np.array(rows).reshape(-1, 4)
    within = float((unit_weight[:, None] * inside * y).sum()) / within_square
    return Bacon(
        table[:, 0],
        table[:, 1],
        (BETWEEN,) * len(table),
        table[:, 2],
        table[:, 3],
        within,
        within_square / whole,
    )


def _residual_treatment(
    start: Floats, periods: Floats, covariates: Floats, weight: Floats
) -> Floats:
    treated = demeaned((periods[None] >= start[:, None]).astype(float), weight)
    x = demeaned(covariates, weight).reshape(len(covariates), -1)
    scale = np.sqrt((x**2).sum(axis=1))
    x = x[scale > 0] / scale[scale > 0, None]
    root = np.sqrt(np.repeat(weight, len(periods)))
    slopes = np.linalg.lstsq((x * root).T, treated.ravel() * root, rcond=1e-10)[0]
    return np.asarray((treated.ravel() - slopes @ x).reshape(treated.shape))


def _bounded(start: Floats, periods: Floats) -> Floats:
    never = np.where(start > periods[-1], np.inf, start)
    return np.where(never <= periods[0], -np.inf, never)


def _mean(y: Floats, weight: Floats) -> Floats:
    return np.asarray(weight @ y / weight.sum())


def _groups(
    y: Floats, start: Floats, periods: Floats, weight: Floats | None
) -> tuple[Floats, Floats, Floats, Floats]:
    """Give timing groups, their sizes, mean series and shares of periods treated."""
    if np.isnan(y).any():
        raise ValueError("the panel has gaps")
    unit_weight = np.ones(len(y)) if weight is None else weight
    bounded = _bounded(start, periods)
    groups = np.unique(bounded)
    members = [bounded == group for group in groups]
    return (
        groups,
        np.array([unit_weight[one].sum() for one in members]),
        np.array([_mean(y[one], unit_weight[one]) for one in members]),
        np.array([(periods >= group).mean() for group in groups]),
    )
