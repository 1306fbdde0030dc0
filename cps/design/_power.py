"""The smallest effect that a comparison is likely to find, before any estimate is made.

The noise is taken from outcomes without treatment alone. With three or more comparison units it is
the spread of their own changes from before a start to after it (Bloom 1995,
doi:10.1177/0193841X9501900504); with fewer, the periods before treatment of all units are described
by unit and period effects with errors that fade geometrically, and the variance of the estimate
that imputes what would have been (Borusyak, Jaravel & Spiess 2024, doi:10.1093/restud/rdae007)
follows from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Text

SIZE, POWER = 0.05, 0.80
FEW_DONORS = 3
_PERSISTENCES = np.linspace(0.0, 0.99, 100)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest effect found, on the scale of the outcomes given, and where its noise is from.

    ``reason`` says why ``effect`` is None; ``persistence`` is that of the errors where ``source``
    is ``untreated``, and ``n`` the number of units (clusters) the noise is known from.
    """

    effect: float | None
    source: Literal["donors", "untreated", "cells", "none"]
    n: int = 0
    persistence: float | None = None
    reason: Text | None = None


def detectable_effect(
    y: Floats,
    starts: Floats,
    is_donor: Bools,
    periods: NDArray[np.int64],
    *,
    anticipation: int = 0,
    weights: Floats | None = None,
    cluster: NDArray[np.int64] | None = None,
) -> Detectable:
    """Compute the smallest true effect that a 5% test finds in 80% of samples.

    No outcome of a treated unit after its start enters. The multiple of the standard error is that
    of Student's distribution, with one degree of freedom less than there are comparison units (or
    clusters): the noise itself is estimated from them.

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods)
        NaN where a unit was not observed.
    starts : ndarray, shape (n_units,)
        First treated period, infinity for never.
    is_donor : ndarray of bool, shape (n_units,)
    periods : ndarray of int, shape (n_periods,)
    weights : ndarray, shape (n_units,), or None
        Mean sampling weight of each unit.
    cluster : ndarray of int, shape (n_units,), or None
        Group within which errors may be related.
    """
    seen = ~np.isnan(y)
    post = seen & (periods[None, :] >= starts[:, None])
    if not post.any():
        return Detectable(
            None, "none", reason=Text("启动后没有观测", "nothing is observed after a start")
        )
    if (seen.sum(axis=1) <= 1).all():
        if cluster is not None:
            return Detectable(None, "none", reason=_CROSS_SECTION_CLUSTERS)
        return _from_cells(y, starts, periods, anticipation)
    found = _from_donors(
        y,
        starts,
        is_donor,
        periods,
        anticipation=anticipation,
        post=post,
        weights=weights,
        cluster=cluster,
    )
    if found is not None:
        return found
    if cluster is not None:
        return Detectable(None, "none", reason=_FEW_CLUSTERS)
    return _from_untreated(y, starts, periods, anticipation)


def natural_detectable(design: Design) -> float | None:
    """Translate a design's minimum detectable effect into the outcome's own unit.

    For logarithms: the rise that it means for a treated unit of typical (geometric mean) level
    before its start; for a rate: times the treated units' mean denominator before the start.
    """
    effect = design.minimum_detectable_effect
    if effect is None:
        return None
    starts = design.starts
    before = np.asarray(design.periods)[None, :] < starts[:, None] - design.anticipation
    before &= np.isfinite(starts)[:, None] & ~np.isnan(design.y)
    if design.form == "log":
        return float(np.exp(design.y[before].mean()) * np.expm1(effect)) if before.any() else None
    if design.form == "rate" and design.denominator is not None:
        return float(design.denominator[before].mean() * effect) if before.any() else None
    return effect


def student_quantile(probability: float, df: float) -> float:
    """Give the quantile of Student's distribution, at least the median.

    Exact for one and two degrees of freedom; else Hill (1970), doi:10.1145/355598.355600, good to
    six digits.
    """
    tail = 2 * (1 - probability)
    if tail >= 1:
        return 0.0
    if df == 1:
        return 1 / math.tan(tail * math.pi / 2)
    if df == 2:
        return math.sqrt(2 / (tail * (2 - tail)) - 2)
    a = 1 / (df - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * df
    x = d * tail
    squared = x ** (2 / df)
    if squared > 0.05 + a:
        x = NormalDist().inv_cdf(tail / 2)
        squared = x * x
        if df < 5:
            c += 0.3 * (df - 4.5) * (x + 0.6)
        c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
        squared = (
            ((((0.4 * squared + 6.3) * squared + 36) * squared + 94.5) / c - squared - 3) / b + 1
        ) * x
        squared = math.expm1(a * squared**2)
    else:
        squared = (
            (1 / (((df + 6) / (df * squared) - 0.089 * d - 0.822) * (df + 2) * 3) + 0.5 / (df + 4))
            * squared
            - 1
        ) * (df + 1) / (df + 2) + 1 / squared
    return math.sqrt(df * squared)


def multiple(df: float) -> float:
    """Give the distance of a true effect from zero, in standard errors, that is found at POWER."""
    return student_quantile(1 - SIZE / 2, df) + student_quantile(POWER, df)


def imputation_weights(untreated: Floats, target: Floats) -> tuple[Floats, Bools]:
    """Give the weights that unit and period effects, fitted where untreated, put on each cell.

    Parameters
    ----------
    untreated : ndarray, shape (n_units, n_periods)
        Weight of each cell in the fit, 0 outside it.
    target : ndarray, shape (n_units, n_periods)
        Weights of the treated cells whose effects are averaged.

    Returns
    -------
    weights : ndarray, shape (n_units, n_periods)
        The estimate is their product with the outcomes; they sum to zero by unit and by period.
    is_identified : ndarray of bool, shape (n_units, n_periods)
        Target cells that unit and period effects reach; the rest is left out, the other target
        weights are scaled up.
    """
    row = untreated.sum(axis=1)
    reached = (target != 0) & (row > 0)[:, None] & (untreated.sum(axis=0) > 0)[None, :]
    reached &= _same_component(untreated)
    scale = np.where(reached, target, 0.0)
    if not reached.any():
        return np.zeros_like(target), reached
    scale *= target.sum() / scale.sum()
    per_row = np.divide(1.0, row, out=np.zeros_like(row), where=row > 0)
    normal = np.diag(untreated.sum(axis=0)) - untreated.T @ (untreated * per_row[:, None])
    of_rows = scale.sum(axis=1)
    of_periods = np.linalg.pinv(normal, rcond=1e-10) @ (
        scale.sum(axis=0) - untreated.T @ (of_rows * per_row)
    )
    of_units = (of_rows - untreated @ of_periods) * per_row
    return scale - untreated * (of_units[:, None] + of_periods[None, :]), reached


def _same_component(untreated: Floats) -> Bools:
    """Tell which cells join a unit and a period that untreated cells connect."""
    n_units, n_periods = untreated.shape
    unit_of, period_of = np.arange(n_units), np.arange(n_units, n_units + n_periods)
    present = untreated > 0
    while True:
        far = np.iinfo(np.int64).max
        period_new = np.minimum(
            period_of, np.where(present, unit_of[:, None], far).min(axis=0, initial=far)
        )
        unit_new = np.minimum(
            unit_of, np.where(present, period_new[None, :], far).min(axis=1, initial=far)
        )
        if (unit_new == unit_of).all() and (period_new == period_of).all():
            return np.asarray(unit_of[:, None] == period_of[None, :])
        unit_of, period_of = unit_new, period_new


def _from_donors(
    y: Floats,
    starts: Floats,
    is_donor: Bools,
    periods: NDArray[np.int64],
    *,
    anticipation: int,
    post: Bools,
    weights: Floats | None,
    cluster: NDArray[np.int64] | None,
) -> Detectable | None:
    donors = y[is_donor]
    if len(donors) < FEW_DONORS:
        return None
    treated = np.isfinite(starts) & post.any(axis=1)
    share = post[treated].sum(axis=1) * (1.0 if weights is None else weights[treated])
    share = share / share.sum()
    donor_weights = np.ones(len(donors)) if weights is None else weights[is_donor]
    groups = None if cluster is None else cluster[is_donor]
    between, within = np.zeros(len(share)), np.zeros(len(share))
    n_fewest = len(donors) if groups is None else len(np.unique(groups))
    for start in np.unique(starts[treated]):
        change = _change(donors, periods, start, anticipation)
        known = np.isfinite(change)
        if known.sum() < FEW_DONORS:
            return None
        here = starts[treated] == start
        if groups is None:
            within[here] = change[known].var(ddof=1)
        else:
            parts = _variance_components(change[known], groups[known])
            if parts is None:
                return None
            between[here], within[here] = parts
            n_fewest = min(n_fewest, len(np.unique(groups[known])))
        n_fewest = min(n_fewest, int(known.sum()))
    of_donors = -donor_weights / donor_weights.sum()
    variance = share**2 @ within + (of_donors**2).sum() * (share @ within)
    if cluster is not None:
        # What a cluster shares cancels as far as it holds treated and comparison units alike.
        loads = np.zeros(int(cluster.max()) + 1)
        np.add.at(loads, cluster[treated], share)
        np.add.at(loads, cluster[is_donor], of_donors)
        variance += (loads**2).sum() * (share @ between)
    return Detectable(float(multiple(n_fewest - 1) * np.sqrt(variance)), "donors", n_fewest)


def _change(donors: Floats, periods: NDArray[np.int64], start: float, anticipation: int) -> Floats:
    """Give each unit's post-period mean less its pre-period mean; NaN where a side is unseen."""
    # Slices, not masks: a mask would copy the panel for every start.
    after = donors[:, np.searchsorted(periods, start) :]
    before = donors[:, : np.searchsorted(periods, start - anticipation)]
    return _mean_seen(after) - _mean_seen(before)


def _mean_seen(side: Floats) -> Floats:
    sums = side.sum(axis=1)
    if side.shape[1] and not np.isnan(sums).any():
        return np.asarray(sums / side.shape[1])
    n = (~np.isnan(side)).sum(axis=1)
    total = np.nansum(side, axis=1)
    return np.divide(total, n, out=np.full(len(side), np.nan), where=n > 0)


def _variance_components(change: Floats, groups: NDArray[np.int64]) -> tuple[float, float] | None:
    """Split a variance into between and within groups, by analysis of variance."""
    names, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    n, k = len(change), len(names)
    if k < FEW_DONORS:
        return None
    if k == n:
        return 0.0, float(change.var(ddof=1))
    means = np.bincount(place, change) / sizes
    within = float(((change - means[place]) ** 2).sum() / (n - k))
    between_squares = float((sizes * (means - change.mean()) ** 2).sum() / (k - 1))
    typical = (n - (sizes**2).sum() / n) / (k - 1)
    return max(0.0, (between_squares - within) / typical), within


def _from_untreated(
    y: Floats, starts: Floats, periods: NDArray[np.int64], anticipation: int
) -> Detectable:
    seen = ~np.isnan(y)
    untreated = seen & (periods[None, :] < starts[:, None] - anticipation)
    target = seen & (periods[None, :] >= starts[:, None])
    weights, reached = imputation_weights(
        untreated.astype(float), target / max(int(target.sum()), 1)
    )
    if not reached.any():
        return Detectable(None, "none", reason=_NOTHING_REACHED)
    # A period with a single untreated unit is fitted exactly: it tells nothing of the noise.
    known = untreated & (untreated.sum(axis=0) > 1)[None, :]
    n_units = int((known.sum(axis=1) > 1).sum())
    spare = int(known.sum()) - int(known.any(axis=1).sum()) - int(known.any(axis=0).sum())
    if n_units < 2 or spare + 1 < FEW_DONORS:
        return Detectable(None, "none", reason=_TOO_LITTLE)
    variance, persistence = _persistent_noise(_residuals(y, known), known, spare + 1)
    lags = np.abs(periods[:, None] - periods[None, :])
    covariance = variance * persistence**lags
    spread = math.sqrt(max(0.0, float(np.einsum("it,ts,is->", weights, covariance, weights))))
    # Related errors say as much as fewer unrelated ones would.
    alike = spare * (1 - persistence) / (1 + persistence)
    df = max(min(n_units - 1, spare), int(alike), 1)
    return Detectable(multiple(df) * spread, "untreated", n_units, persistence)


def _residuals(y: Floats, untreated: Bools) -> Floats:
    mask = untreated.astype(float)
    values = np.where(untreated, y, 0.0)
    row = mask.sum(axis=1)
    per_row = np.divide(1.0, row, out=np.zeros_like(row), where=row > 0)
    normal = np.diag(mask.sum(axis=0)) - mask.T @ (mask * per_row[:, None])
    of_periods = np.linalg.pinv(normal, rcond=1e-10) @ (
        values.sum(axis=0) - mask.T @ (values.sum(axis=1) * per_row)
    )
    of_units = (values.sum(axis=1) - mask @ of_periods) * per_row
    return mask * (values - of_units[:, None] - of_periods[None, :])


def _persistent_noise(residual: Floats, untreated: Bools, spare: int) -> tuple[float, float]:
    """Match the variance and first autocovariance of residuals, demeaning allowed for."""
    mask = untreated.astype(float)
    pairs = mask[:, 1:] * mask[:, :-1]
    own, next_ = (residual**2).sum(), (residual[:, 1:] * residual[:, :-1] * pairs).sum()
    patterns, counts = np.unique(untreated, axis=0, return_counts=True)
    n_periods = mask.shape[1]
    lags = np.abs(np.arange(n_periods)[:, None] - np.arange(n_periods)[None, :])
    centre = []
    for pattern in patterns.astype(float):
        n = pattern.sum()
        centre.append(np.diag(pattern) - np.outer(pattern, pattern) / max(n, 1.0))
    expected = []
    for persistence in _PERSISTENCES:
        correlation = persistence**lags
        zero = one = 0.0
        for project, count in zip(centre, counts, strict=True):
            left = project @ correlation @ project
            zero += count * np.trace(left)
            one += count * np.trace(left, offset=1)
        expected.append((zero, one))
    table = np.array(expected)
    ratio = next_ / own if own > 0 else 0.0
    best = int(np.argmin(np.abs(table[:, 1] / np.maximum(table[:, 0], 1e-300) - ratio)))
    # Period effects take what they take: scaled as their degrees of freedom would have it.
    plain = float(mask.sum() - untreated.any(axis=1).sum())
    return float(own / table[best, 0] * plain / spare), float(_PERSISTENCES[best])


def _from_cells(
    y: Floats, starts: Floats, periods: NDArray[np.int64], anticipation: int
) -> Detectable:
    """Repeated cross-sections: rows are grouped by start, and their errors unrelated."""
    names, group = np.unique(starts, return_inverse=True)
    rows, columns = np.nonzero(~np.isnan(y))
    values = y[rows, columns]
    flat = group[rows] * len(periods) + columns
    shape = (len(names), len(periods))
    n = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).astype(float)
    untreated = periods[None, :] < names[:, None] - anticipation
    target = np.where(periods[None, :] >= names[:, None], n, 0.0)
    weights, reached = imputation_weights(np.where(untreated, n, 0.0), target / target.sum())
    if not reached.any():
        return Detectable(None, "none", reason=_NOTHING_REACHED)
    used = untreated.ravel()[flat]
    total = np.bincount(flat[used], values[used], minlength=n.size)
    mean = np.divide(total, n.ravel(), out=np.zeros(n.size), where=n.ravel() > 0)
    spare = int(used.sum()) - len(np.unique(flat[used]))
    if spare < FEW_DONORS:
        return Detectable(None, "none", reason=_TOO_LITTLE)
    variance = float(((values[used] - mean[flat[used]]) ** 2).sum() / spare)
    spread = math.sqrt(variance * float((weights[n > 0] ** 2 / n[n > 0]).sum()))
    return Detectable(multiple(spare) * spread, "cells", int(used.sum()))


_NOTHING_REACHED = Text(
    "启动以后没有任何一期还有未处理的单位可比",
    "no period after a start has an untreated unit to compare with",
)
_TOO_LITTLE = Text(
    "未处理的观测太少，无法估计波动", "too few untreated observations to know the noise from"
)
_FEW_CLUSTERS = Text(
    f"对照方的聚类不足 {FEW_DONORS} 个，聚类之间的波动无从估计",
    f"the comparison units lie in fewer than {FEW_DONORS} clusters: how clusters vary is unknown",
)
_CROSS_SECTION_CLUSTERS = Text(
    "重复截面且分聚类，没有可靠的办法估计波动",
    "for clustered repeated cross-sections no noise level is computed",
)
