"""What the initiatives changed in each host, all hosts seen together, as joint draws.

A single host's gap to what would have been is as uncertain as its own yearly ups and downs; the
mean over hosts is not, but it says nothing of who gained. In between: effects on log outcomes are
``τ_i = α + β x_i + ω u_i`` with ``x_i`` how far the host stood above the comparison units before
it started, and each host's own gap counts by how well it is known (random-effects
meta-regression). An effect of so many 元 is a smaller one in logs where the village is richer, so
that without ``β`` the gap between villages would be told wrong.

A host is treated from its first initiative on: what several do in one host is taken once, together.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cps.errors import DesignError, Text

REFERENCE = (
    "DerSimonian & Laird (1986), Controlled Clinical Trials 7(3), doi:10.1016/0197-2456(86)90046-2; "
    "Berkey et al. (1995), Statistics in Medicine 14(4), doi:10.1002/sim.4780140406"
)
FEWEST_HOSTS = 5
FEWEST_DONORS = 10
DRAWS = 4000
_NODES = 24
_COLUMNS = 2  # constant and standing

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class HostGaps:
    """Each host's own gap in one period, with the joint error of all gaps.

    Parameters
    ----------
    units : tuple of str, length n
        Hosts at work in the period that have periods before their start.
    gaps : ndarray, shape (n,), log points
        Change since before the start, less the change of comparison units that stood as high.
    covariance : ndarray, shape (n, n)
        Of the gaps: each host's own noise, and that of the comparison units, which all share.
    standing : ndarray, shape (n,), log points
        Level before the start over the comparison units' mean.
    unseen : tuple of str, length m
        Hosts at work without a gap of their own: no complete period before the start.
    unseen_standing : ndarray, shape (m,)
        Their standing in the first period reported.
    n_donors : int
    """

    units: tuple[str, ...]
    gaps: Floats
    covariance: Floats
    standing: Floats
    unseen: tuple[str, ...]
    unseen_standing: Floats
    n_donors: int


@dataclass(frozen=True, slots=True, eq=False)
class HostEffects:
    """Effects of all hosts in one period as joint draws.

    Parameters
    ----------
    units : tuple of str, length n + m
        Those with a gap of their own first.
    effects : ndarray, shape (n + m,), log points
        Posterior means.
    draws : ndarray, shape (n_draws, n + m)
    mean, slope : float
        ``α`` at the hosts' mean standing, and ``β``.
    slope_error, spread : float
        Standard error of ``β``; ``ω``, each averaged over what is not known of ``ω``.
    """

    units: tuple[str, ...]
    effects: Floats
    draws: Floats
    mean: float
    slope: float
    slope_error: float
    spread: float


def host_gaps(
    values: Floats,
    *,
    units: Sequence[str],
    periods: Sequence[int],
    starts: Mapping[str, int],
    donors: Sequence[str],
    period: int,
    anticipation: int = 0,
) -> HostGaps:
    """Measure how far each host stands from where units that never hosted have got to.

    Parameters
    ----------
    values : ndarray, shape (n_units, n_periods)
        Amounts; NaN or not positive counts as not reported.
    starts : mapping of str to int
        Host -> first period of its first initiative.
    donors : sequence of str
        Units that never hosted; those with a gap up to ``period`` are left aside.
    period : int
    anticipation : int
        Periods before the start that are left aside too.

    Raises
    ------
    DesignError
        With fewer than 5 hosts at work or 10 comparison units.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.where(values > 0, np.log(values), np.nan)
    row = {unit: place for place, unit in enumerate(units)}
    at = list(periods).index(period)
    chosen = [row[one] for one in donors if np.isfinite(logs[row[one], : at + 1]).all()]
    at_work = [unit for unit in units if starts.get(unit, period + 1) <= period]
    seen = []
    for unit in at_work:
        n_pre = sum(one < starts[unit] - anticipation for one in periods)
        if n_pre and np.isfinite(logs[row[unit], [*range(n_pre), at]]).all():
            seen.append((unit, n_pre))
    _require_enough(len(seen), len(chosen), period)
    gaps, standing = np.empty(len(seen)), np.empty(len(seen))
    residuals = np.empty((len(chosen), len(seen)))
    weights = np.empty((len(seen), len(chosen)))
    for n_pre in {n for _, n in seen}:  # hosts that started together share a regression
        before = logs[:, :n_pre].mean(axis=1)
        change = logs[:, at] - before
        level = before[chosen].mean()
        regressors = np.column_stack([np.ones(len(chosen)), before[chosen] - level])
        fitter = np.linalg.pinv(regressors)
        left = change[chosen] - regressors @ (fitter @ change[chosen])
        for place, (unit, own) in enumerate(seen):
            if own == n_pre:
                standing[place] = before[row[unit]] - level
                weights[place] = fitter[0] + standing[place] * fitter[1]
                residuals[:, place] = left
                gaps[place] = change[row[unit]] - (weights[place] * change[chosen]).sum()
    noise = np.einsum("jk,jl->kl", residuals, residuals) / (len(chosen) - _COLUMNS)
    shared = np.einsum("kj,lj->kl", weights, weights)
    known = {unit for unit, _ in seen}
    unseen = tuple(unit for unit in at_work if unit not in known)
    return HostGaps(
        units=tuple(unit for unit, _ in seen),
        gaps=gaps,
        covariance=np.diag(np.diag(noise)) + shared * noise,
        standing=standing,
        unseen=unseen,
        unseen_standing=np.array([_first_standing(logs, row[one], chosen) for one in unseen]),
        n_donors=len(chosen),
    )


def draw_host_effects(found: HostGaps, *, draws: int = DRAWS, seed: int = 0) -> HostEffects:
    r"""Draw the hosts' effects jointly, each gap weighed by how well it is known.

    .. math:: g \mid \tau \sim N(\tau, V), \qquad \tau_i = \alpha + \beta x_i + \omega u_i

    ``α``, ``β`` and ``ω`` have flat priors and are integrated out. ``V`` is estimated from the
    comparison units: draws are Student's with their degrees of freedom. A host without a gap of its
    own gets a draw from the distribution of the others' effects.

    Parameters
    ----------
    draws, seed : int

    References
    ----------
    DerSimonian & Laird (1986), doi:10.1016/0197-2456(86)90046-2; Berkey et al. (1995),
    doi:10.1002/sim.4780140406; flat priors: Gelman (2006), doi:10.1214/06-BA117A.
    """
    n, m = len(found.units), len(found.unseen)
    middle = found.standing.mean()
    own = np.column_stack([np.ones(n), found.standing - middle])
    unseen = np.column_stack([np.ones(m), found.unseen_standing - middle])
    turned = _Turned.of(found, own)
    nodes = _spread_nodes(turned)
    weight = np.array([one.weight for one in nodes])
    rng = np.random.default_rng(seed)
    parts = []
    for node, count in zip(nodes, _systematic(weight, draws), strict=True):
        line = node.line + _times(rng.standard_normal((count, _COLUMNS)), node.line_root)
        off = (turned.gaps - _times(line, turned.own)) * node.pull
        off += rng.standard_normal((count, n)) * node.left
        fresh = _times(line, unseen) + node.spread * rng.standard_normal((count, m))
        parts.append(np.hstack([_times(line, own) + _times(off, turned.vectors), fresh]))
    centre = [
        np.concatenate(
            [
                own @ one.line
                + turned.vectors @ ((turned.gaps - turned.own @ one.line) * one.pull),
                unseen @ one.line,
            ]
        )
        for one in nodes
    ]
    effects = (weight[:, None] * np.array(centre)).sum(axis=0)
    freedom = found.n_donors - _COLUMNS
    stretch = np.sqrt(freedom / rng.chisquare(freedom, draws))[:, None]
    lines = np.array([one.line for one in nodes])
    mean, slope = (weight[:, None] * lines).sum(axis=0)
    variance = np.array([float((one.line_root[1] ** 2).sum()) for one in nodes])
    return HostEffects(
        units=(*found.units, *found.unseen),
        effects=effects,
        draws=effects + (np.vstack(parts) - effects) * stretch,
        mean=float(mean),
        slope=float(slope),
        slope_error=float(np.sqrt((weight * (variance + (lines[:, 1] - slope) ** 2)).sum())),
        spread=float((weight * np.array([one.spread for one in nodes])).sum()),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Turned:
    """Gaps and regressors along the axes on which the gaps' errors are independent."""

    values: Floats
    vectors: Floats
    gaps: Floats
    own: Floats

    @classmethod
    def of(cls, found: HostGaps, own: Floats) -> _Turned:
        values, vectors = np.linalg.eigh(found.covariance)
        return cls(np.clip(values, 0, None), vectors, vectors.T @ found.gaps, vectors.T @ own)


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """The posterior at one ``ω``: its weight, the line, and on each axis how far off it gaps count.

    ``pull`` is the share of a gap's distance from the line that is taken as real, ``left`` the
    standard deviation that remains.
    """

    spread: float
    weight: float
    line: Floats
    line_root: Floats
    pull: Floats
    left: Floats


def _spread_nodes(turned: _Turned) -> list[_Node]:
    nodes, widths = _gauss_legendre()
    u = (nodes + 1) / 2
    spreads = float(np.sqrt(np.median(turned.values))) / 2 * u / (1 - u)
    made, logs = [], []
    for spread, width, place in zip(spreads, widths, u, strict=True):
        weights = 1 / (turned.values + spread**2)
        precision = turned.own.T @ (weights[:, None] * turned.own)
        variance = np.linalg.inv(precision)
        line = variance @ (turned.own.T @ (weights * turned.gaps))
        off = turned.gaps - turned.own @ line
        fit = np.linalg.slogdet(precision)[1] - np.log(weights).sum() + (weights * off**2).sum()
        logs.append(float(-fit / 2 + np.log(width) - 2 * np.log1p(-place)))
        pull = spread**2 * weights
        made.append((float(spread), line, np.linalg.cholesky(variance), pull))
    weight = np.exp(np.array(logs) - max(logs))
    weight /= weight.sum()
    return [
        _Node(spread, float(share), line, root, pull, np.sqrt(pull * turned.values))
        for (spread, line, root, pull), share in zip(made, weight, strict=True)
    ]


def _times(left: NDArray[Any], right: NDArray[Any]) -> Floats:
    """Give ``left @ right.T``, the same at any number of threads."""
    return np.asarray(np.einsum("ij,kj->ik", left, right))


@functools.cache
def _gauss_legendre() -> tuple[Floats, Floats]:
    nodes, widths = np.polynomial.legendre.leggauss(_NODES)
    return np.asarray(nodes), np.asarray(widths)


def _systematic(weight: Floats, draws: int) -> list[int]:
    """Give each node its share of the draws, to within one."""
    ends = np.rint(np.cumsum(weight) * draws).astype(int)
    return [int(one) for one in np.diff(ends, prepend=0)]


def _first_standing(logs: Floats, place: int, donors: Sequence[int]) -> float:
    both = np.isfinite(logs[place])
    first = int(np.argmax(both))
    return float(logs[place, first] - logs[donors, first].mean()) if both.any() else 0.0


def _require_enough(n_hosts: int, n_donors: int, period: int) -> None:
    if n_hosts >= FEWEST_HOSTS and n_donors >= FEWEST_DONORS:
        return
    raise DesignError(
        Text(
            f"{period} 期可估计的承办单位 {n_hosts} 个、对照单位 {n_donors} 个，不足以估计各单位的效应",
            f"{n_hosts} hosts with periods before their start and {n_donors} comparison units in "
            f"period {period}: too few to estimate each host's effect",
        ),
        where="host_gaps",
        mend=Text(
            f"至少要 {FEWEST_HOSTS} 个承办单位和 {FEWEST_DONORS} 个全程有数的对照单位",
            f"it takes {FEWEST_HOSTS} hosts and {FEWEST_DONORS} comparison units without gaps",
        ),
    )
