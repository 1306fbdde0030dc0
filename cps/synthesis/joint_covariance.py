"""The joint covariance of initiatives' effects: what shared comparison units and hosts make of it.

Each effect alone knows its own error. That of several together comes from estimating all of them
on the same resampled outcomes, or from how much each unit moves each estimate. Placebos that every
effect drew for itself can't tell it: their draws have nothing to do with one another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.design.subset import subset_design
from cps.errors import DesignError, Text, UsageError, unknown_choice
from cps.estimators.registry import Refit
from cps.result import Effect
from cps.synthesis._joint_checks import (
    check_count,
    check_effects,
    check_refits,
    common_pool,
    fault,
    own_errors,
)

Floats = NDArray[np.float64]

DRAWS = 499
SCALES = ("effects", "source")
_CELLS = 1 << 22  # outcomes held at once


@dataclass(frozen=True, slots=True, eq=False)
class JointSource:
    """What says how effects vary together.

    Parameters
    ----------
    names : tuple of str, length n
        Initiatives.
    covariance : ndarray, shape (n, n)
        Of their estimates, on the scale of the effects.
    draws : ndarray, shape (n_draws, n), or None
        Joint estimates where no initiative has an effect; ``romano_wolf_resampled`` takes them.
        None where influence or weights were.
    kind : {"resampled", "influence", "fixed_weights"}
    design_hashes, methods : dict of str to str
        By name; empty where they aren't known.
    n_pool : int or None
        Comparison units that outcomes were drawn from.
    freedom : int or None
        Degrees of freedom of the covariance: comparison units less one; None where influence was
        given.
    n_shared : int
        Units that enter more than one estimate.
    """

    names: tuple[str, ...]
    covariance: Floats
    draws: Floats | None
    kind: str
    design_hashes: dict[str, str]
    methods: dict[str, str]
    n_pool: int | None
    freedom: int | None
    n_shared: int


@dataclass(frozen=True, slots=True)
class JointEstimates:
    """Effects of several initiatives with their joint covariance: what syntheses start from.

    Parameters
    ----------
    names : tuple of str, length n
    estimates : tuple of (float or None), length n
        Overall effects in ``measure``; None where an initiative has none.
    covariance, correlation : tuple of tuple of (float or None), shape (n, n)
        None in rows and columns of the absent.
    error_ratio : tuple of (float or None), length n
        Each effect's own standard error over that of the source; far from 1, one is wrong.
    kind, scale : str
        Where dependence and errors come from.
    freedom : int or None
        Of the covariance, for rank sets and Romano-Wolf.
    """

    names: tuple[str, ...]
    estimates: tuple[float | None, ...]
    covariance: tuple[tuple[float | None, ...], ...]
    correlation: tuple[tuple[float | None, ...], ...]
    error_ratio: tuple[float | None, ...]
    measure: str
    outcome: str
    kind: str
    scale: str
    freedom: int | None


def resample_effects(
    refits: Mapping[str, Refit], *, draws: int = DRAWS, seed: int = 0
) -> JointSource:
    """Estimate all initiatives on the same resampled outcomes of comparison units.

    In each draw every unit, hosts too, gets the whole series of a comparison unit drawn at random
    with replacement; a unit gets the same one in every design that it is part of. Each initiative
    is estimated with its own hosts, starts and comparison. The estimates' covariance over draws is
    theirs if no initiative had an effect and units are independent and alike but for their level.

    Parameters
    ----------
    refits : mapping of str to Refit
        Initiative -> its design and method (``cps.estimators.registry.refit``); on one panel.
    draws, seed : int

    Raises
    ------
    UsageError
        With fewer than two initiatives, or 99 draws.
    DesignError
        If designs hold covariates, weights or clusters, which can't be moved between units; if
        fewer than five units serve all of them as comparison; or if a method can't be fitted to
        resampled outcomes.
    """
    where = "resample_effects"
    check_refits(refits, draws, where)
    units = sorted({unit for one in refits.values() for unit in one.design.units})
    pool = common_pool(refits, where)
    rng = np.random.default_rng(seed)
    given = rng.integers(len(pool), size=(draws, len(units)))
    place = {unit: k for k, unit in enumerate(units)}
    columns = []
    for name, one in refits.items():
        own = given[:, [place[unit] for unit in one.design.units]]
        rows = np.array([one.design.units.index(unit) for unit in pool])
        columns.append(_estimates(one, rows[own]))
        if not np.isfinite(columns[-1]).all():
            raise DesignError(
                Text(
                    f"“{name}”的方法在部分重抽样结果上无法估计",
                    f"the method of {name!r} can't be fitted to some resampled outcomes",
                ),
                where=where,
                mend=Text("换用能估计的方法", "take a method that can"),
            )
    found = np.column_stack(columns)
    # Resampling has the variance of n comparison units with the divisor n.
    covariance = np.cov(found, rowvar=False) * len(pool) / (len(pool) - 1)
    return JointSource(
        names=tuple(refits),
        covariance=covariance,
        draws=found,
        kind="resampled",
        design_hashes={name: one.design.design_hash for name, one in refits.items()},
        methods={name: _method(one) for name, one in refits.items()},
        n_pool=len(pool),
        freedom=len(pool) - 1,
        n_shared=_count_shared([one.design.units for one in refits.values()]),
    )


def jackknife_influence(refit: Refit) -> dict[str, float]:
    """Give how far each unit moves an estimate, by leaving it out.

    The squares sum to the jackknife variance. Of use with several hosts in each cohort.

    Returns
    -------
    dict of str to float
        Unit -> influence, for :func:`influence_covariance`.

    Raises
    ------
    DesignError
        If a unit can't be left out, such as an only host.
    """
    design, whole = refit.design, refit.one(refit.design)
    takes_part = np.isfinite(design.starts) | design.is_donor
    n = int(takes_part.sum())
    found = {}
    for k in np.flatnonzero(takes_part):
        without = np.ones(len(design.units), dtype=bool)
        without[k] = False
        value = refit.one(subset_design(design, units=without))
        is_lost = np.isfinite(design.starts[k]) and (design.starts == design.starts[k]).sum() == 1
        if is_lost or not math.isfinite(value):
            raise DesignError(
                Text(
                    f"单位 {design.units[k]} 是同批启动的唯一承办单位或无法剔除，刀切法看不出它的误差",
                    f"unit {design.units[k]} is alone in its cohort or can't be left out: the "
                    "jackknife does not see its error",
                ),
                where=f"jackknife_influence › {design.name}",
                mend=Text("改用 resample_effects", "take resample_effects"),
            )
        found[design.units[k]] = (value - whole) * math.sqrt((n - 1) / n)
    return found


def influence_covariance(influence: Mapping[str, Mapping[str, float]]) -> JointSource:
    """Sum the products of units' influence on two estimates, over the units that they share.

    Parameters
    ----------
    influence : mapping of str to mapping of str to float
        Initiative -> unit -> influence on its estimate, scaled so that the squares sum to the
        estimate's variance.

    Raises
    ------
    UsageError
        With fewer than two initiatives, or an influence that is not finite.
    """
    where = "influence_covariance"
    check_count(len(influence), where)
    units = sorted({unit for one in influence.values() for unit in one})
    matrix = np.array([[one.get(unit, 0.0) for unit in units] for one in influence.values()])
    if not np.isfinite(matrix).all():
        raise UsageError(
            Text("有影响值不是有限的数", "an influence is not finite"),
            where=where,
            mend=Text("剔除未参与估计的单位", "leave out units that take no part"),
        )
    return JointSource(
        names=tuple(influence),
        covariance=matrix @ matrix.T,
        draws=None,
        kind="influence",
        design_hashes={},
        methods={},
        n_pool=None,
        freedom=None,
        n_shared=_count_shared([tuple(one) for one in influence.values()]),
    )


def join_estimates(
    effects: Mapping[str, Effect], source: JointSource, *, scale: str = "effects"
) -> JointEstimates:
    """Put effects together with their joint covariance.

    Parameters
    ----------
    effects : mapping of str to Effect
        Initiative -> its headline effect; all of one outcome and measure.
    source : JointSource
    scale : {"effects", "source"}
        Keep each effect's own standard error and take correlations alone from ``source``, or take
        its variances too (for effects whose inference gives no standard error).

    Raises
    ------
    UsageError
        If outcomes or measures differ, an effect has no standard error or one that few treated
        units make too small, or ``source`` is of other initiatives, designs or methods.
    """
    where = "join_estimates"
    if scale not in SCALES:
        raise unknown_choice(Text("尺度", "scale"), scale, SCALES, where=where)
    check_effects(effects, source.names, source.design_hashes, source.methods, where=where)
    order = [source.names.index(name) for name in effects]
    covariance = source.covariance[np.ix_(order, order)].astype(float)
    there = np.array([one.overall.att is not None for one in effects.values()])
    spread = np.sqrt(np.diag(covariance))
    if (spread[there] <= 0).any():
        raise fault(
            "有效应在来源中没有波动",
            "an effect does not vary in the source",
            where,
            Text("检查该项目的设计", "look at that initiative's design"),
        )
    correlation = covariance / np.outer(spread, spread)
    if scale == "effects":
        errors = own_errors(effects, where)
        covariance = correlation * np.outer(errors, errors)
    return JointEstimates(
        names=tuple(effects),
        estimates=tuple(one.overall.att for one in effects.values()),
        covariance=_rows(covariance, there),
        correlation=_rows(correlation, there),
        error_ratio=tuple(
            one.overall.se / float(by_source) if one.overall.se and is_there else None
            for one, by_source, is_there in zip(effects.values(), spread, there, strict=True)
        ),
        measure=next(iter(effects.values())).measure,
        outcome=next(iter(effects.values())).outcome,
        kind=source.kind,
        scale=scale,
        freedom=source.freedom,
    )


def _estimates(refit: Refit, rows: NDArray[np.int64]) -> Floats:
    """Estimates of resampled outcomes; ``rows``, shape (draws, n_units): whose series each gets."""
    y = refit.design.y
    step = max(1, _CELLS // y.size)
    parts = [refit.of(y[rows[start : start + step]]) for start in range(0, len(rows), step)]
    return np.concatenate(parts)


def _rows(matrix: Floats, there: NDArray[np.bool_]) -> tuple[tuple[float | None, ...], ...]:
    return tuple(
        tuple(float(one) if there[i] and there[j] else None for j, one in enumerate(row))
        for i, row in enumerate(matrix)
    )


def _method(refit: Refit) -> str:
    return refit.module.__name__.rsplit(".", 1)[-1]


def _count_shared(groups: list[tuple[str, ...]]) -> int:
    every = [unit for group in groups for unit in set(group)]
    return sum(every.count(unit) > 1 for unit in set(every))
