"""Fifteen tests at once: p-values that hold for the family, and shares of false discoveries.

Romano & Wolf (2005), JASA 100(469), doi:10.1198/016214504000000539, and (2016), Statistics &
Probability Letters 113, doi:10.1016/j.spl.2016.02.012; Holm (1979); Benjamini & Hochberg (1995),
doi:10.1111/j.2517-6161.1995.tb02031.x; Benjamini & Yekutieli (2001), doi:10.1214/aos/1013699998.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cps.errors import Text, UsageError, unknown_choice
from cps.synthesis._distributions import p_value
from cps.synthesis._family import Floats, check_level, draw_errors, family

METHODS = ("holm", "benjamini_hochberg", "benjamini_yekutieli", "bonferroni")
ALTERNATIVES = ("two_sided", "greater", "less")
DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class StepDown:
    """Romano–Wolf p-values of a family; None throughout where a member has no estimate.

    Parameters
    ----------
    p_value : tuple of (float or None), length n_declared
        Of each test alone.
    adjusted : tuple of (float or None)
        Smallest family-wise error rate at which the test rejects.
    is_rejected : tuple of (bool or None)
        At ``level``: ``adjusted`` ≤ 1 − level.
    low, high : tuple of (float or None)
        Intervals that hold for all members at once (single step, two-sided), in the estimates'
        unit; None where only statistics were given.
    critical_value : float
        Of the largest statistic of the whole family, at ``level``.
    p_value_floor : float
        1 / (draws + 1).
    n_tested : int
    """

    p_value: tuple[float | None, ...]
    adjusted: tuple[float | None, ...]
    is_rejected: tuple[bool | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    level: float
    alternative: str
    critical_value: float
    p_value_floor: float
    n_tested: int
    draws: int


def romano_wolf(
    estimates: Sequence[float | None] | ArrayLike,
    covariance: ArrayLike,
    *,
    level: float = 0.95,
    alternative: str = "two_sided",
    freedom: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> StepDown:
    """Test each estimate against zero, and keep the chance of any false rejection at 1 − level.

    The family is tested from the largest statistic down; each step compares with the largest of
    those left, drawn from normal errors with the estimates' joint covariance.

    Parameters
    ----------
    estimates : array_like, shape (n_declared,)
        None or NaN where an initiative has no estimate: it is not tested.
    covariance : array_like, shape (n_declared, n_declared) or (n_declared,)
    alternative : {"two_sided", "greater", "less"}
    freedom : float or None
        Degrees of freedom of the covariance, where few units tell it; None takes it as known.
    draws, seed : int

    Returns
    -------
    StepDown
        ``p_value`` from the normal distribution, or Student's t.

    Raises
    ------
    UsageError
        If a choice is unknown or estimates and covariance do not go together.

    References
    ----------
    Romano & Wolf (2005), doi:10.1198/016214504000000539; (2016), doi:10.1016/j.spl.2016.02.012.
    """
    where = "romano_wolf"
    _check_choices(level, alternative, where)
    known = family(estimates, covariance, least=1, where=where)
    null = draw_errors(known.covariance, draws, seed, freedom=freedom, where=where) / known.errors
    statistics = known.estimates / known.errors
    adjusted = _step_down(_turned(statistics, alternative), _turned(null, alternative))
    critical = float(np.quantile(_turned(null, alternative).max(axis=1), level))
    both = float(np.quantile(np.abs(null).max(axis=1), level))
    return StepDown(
        p_value=known.spread([p_value(one, alternative, freedom) for one in statistics]),
        adjusted=known.spread(adjusted),
        is_rejected=_rejected(known.spread(adjusted), level),
        low=known.spread(known.estimates - both * known.errors),
        high=known.spread(known.estimates + both * known.errors),
        level=level,
        alternative=alternative,
        critical_value=critical,
        p_value_floor=1 / (draws + 1),
        n_tested=known.n,
        draws=draws,
    )


def romano_wolf_resampled(
    statistics: Sequence[float | None] | ArrayLike,
    resampled: ArrayLike,
    *,
    level: float = 0.95,
    alternative: str = "two_sided",
) -> StepDown:
    """Step down through a family whose joint null distribution was resampled or permuted.

    Parameters
    ----------
    statistics : array_like, shape (n_declared,)
        Studentised, or all on one scale; None or NaN is not tested.
    resampled : array_like, shape (draws, n_declared)
        The same statistics under the null: permuted, or resampled less the estimate. Each row
        must come from one joint draw: rows drawn for each member apart know of no dependence.
    alternative : {"two_sided", "greater", "less"}

    Returns
    -------
    StepDown
        ``p_value`` and ``adjusted`` are (1 + count) / (draws + 1); ``low`` and ``high`` are None.

    Raises
    ------
    UsageError
        If shapes differ, a draw is not finite, or there are fewer than 19 draws.
    """
    where = "romano_wolf_resampled"
    _check_choices(level, alternative, where)
    given = np.array([np.nan if one is None else one for one in np.asarray(statistics, object)])
    observed, null = given.astype(float), np.asarray(resampled, dtype=float)
    is_there = ~np.isnan(observed)
    if null.ndim != 2 or null.shape[1] != len(observed) or len(null) < 19 or not is_there.any():
        raise UsageError(
            Text(
                f"{len(observed)} 个统计量与 {null.shape} 的重抽样矩阵不符，或重抽样不足 19 次",
                f"{len(observed)} statistics do not go with resamples of shape {null.shape}, or "
                "there are fewer than 19 of them",
            ),
            where=where,
            mend=Text(
                "每行一次联合重抽样，每列一个项目",
                "give one joint draw a row, one initiative a column",
            ),
        )
    null = null[:, is_there]
    if not np.isfinite(null).all():
        raise UsageError(
            Text("重抽样矩阵中有缺失", "a resampled statistic is missing"),
            where=where,
            mend=Text("整行剔除失败的抽样", "leave out the whole row of a draw that failed"),
        )
    turned, draws = _turned(observed[is_there], alternative), len(null)
    null = _turned(null, alternative)
    adjusted = _spread(_step_down(turned, null), is_there)
    alone = (1 + (null >= turned).sum(axis=0)) / (draws + 1)
    nothing = (None,) * len(observed)
    return StepDown(
        p_value=_spread(alone, is_there),
        adjusted=adjusted,
        is_rejected=_rejected(adjusted, level),
        low=nothing,
        high=nothing,
        level=level,
        alternative=alternative,
        critical_value=float(np.quantile(null.max(axis=1), level)),
        p_value_floor=1 / (draws + 1),
        n_tested=int(is_there.sum()),
        draws=draws,
    )


def adjust_p_values(
    p_values: Sequence[float | None] | ArrayLike, method: str = "holm"
) -> tuple[float | None, ...]:
    """Adjust p-values for being several.

    ``holm`` and ``bonferroni`` bound the chance of any false rejection whatever the dependence;
    ``benjamini_hochberg`` the expected share of false ones among the rejected, for independent or
    positively dependent tests; ``benjamini_yekutieli`` that share whatever the dependence.

    Parameters
    ----------
    p_values : array_like, shape (n,)
        None or NaN is not tested and stays None; the family is those that are there.
    method : {"holm", "benjamini_hochberg", "benjamini_yekutieli", "bonferroni"}

    Returns
    -------
    tuple of (float or None), length n

    Raises
    ------
    UsageError
        If the method is unknown or a p-value lies outside 0 to 1.

    Examples
    --------
    >>> adjust_p_values([0.01, 0.04, None, 0.03])
    (0.03, 0.06, None, 0.06)
    """
    if method not in METHODS:
        raise unknown_choice(
            Text("多重检验校正", "correction"), method, METHODS, where="adjust_p_values"
        )
    given = np.array([np.nan if one is None else one for one in np.asarray(p_values, object)])
    p = given.astype(float)
    is_there = ~np.isnan(p)
    found = p[is_there]
    if ((found < 0) | (found > 1)).any():
        raise UsageError(
            Text("p 值不在 0 与 1 之间", "a p-value is not between 0 and 1"),
            where="adjust_p_values",
            mend=Text("给出 p 值，而非统计量", "give p-values, not statistics"),
        )
    n = len(found)
    order = np.argsort(found, kind="stable")
    ranks = np.arange(1, n + 1)
    if method == "bonferroni":
        adjusted = n * found[order]
    elif method == "holm":
        adjusted = np.maximum.accumulate((n + 1 - ranks) * found[order])
    else:
        factor = (1 / ranks).sum() if method == "benjamini_yekutieli" else 1.0
        adjusted = np.minimum.accumulate((factor * n / ranks * found[order])[::-1])[::-1]
    back = np.empty(n)
    back[order] = np.minimum(adjusted, 1.0)
    return _spread(back, is_there)


def _check_choices(level: float, alternative: str, where: str) -> None:
    check_level(level, where=where)
    if alternative not in ALTERNATIVES:
        raise unknown_choice(
            Text("备择假设", "alternative"), alternative, ALTERNATIVES, where=where
        )


def _turned(statistics: Floats, alternative: str) -> Floats:
    if alternative == "two_sided":
        return np.abs(statistics)
    return statistics if alternative == "greater" else -statistics


def _step_down(statistics: Floats, null: Floats) -> Floats:
    """Adjusted p-values: each against the largest of those not larger than itself, monotone."""
    order = np.argsort(-statistics, kind="stable")
    largest_left = np.maximum.accumulate(null[:, order[::-1]], axis=1)[:, ::-1]
    counts = (largest_left >= statistics[order]).sum(axis=0)
    adjusted = np.empty(len(statistics))
    adjusted[order] = np.maximum.accumulate((1 + counts) / (len(null) + 1))
    return adjusted


def _spread(values: Floats, is_there: np.ndarray) -> tuple[float | None, ...]:
    found = iter(values.tolist())
    return tuple(next(found) if there else None for there in is_there)


def _rejected(adjusted: tuple[float | None, ...], level: float) -> tuple[bool | None, ...]:
    # 1 - 0.95 is a little more than 0.05: the comparison must not hang on that.
    return tuple(None if one is None else one <= 1 - level + 1e-12 for one in adjusted)
