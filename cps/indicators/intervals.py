"""Intervals of a statistic whose units are a sample of more units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from cps.errors import Text
from cps.indicators.record import FloatArray, Statistic

FEWEST = 10  # units below which a bootstrap only shuffles the few there are
LEAST_DEFINED = 0.99  # share of draws in which the statistic must exist

WHOLE = Text(
    "单位即全部总体，不是抽样，无抽样误差，不给区间",
    "the units are the whole population, not a sample: no sampling error, no interval",
)
NOT_OFFERED = Text("此指标不提供抽样区间", "no sampling interval is offered for this indicator")
PARTIAL = Text(
    "单位不是随机抽样，未报单位的影响不是抽样误差，不给区间",
    "the units that reported are no random sample: what the others would change is no sampling "
    "error, and no interval is given",
)


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval and how it came about; ``low`` and ``high`` are None where there is none."""

    low: float | None
    high: float | None
    how: Text


def interval_of_sample(
    values: FloatArray,
    statistic: Statistic,
    *,
    influence: Statistic | None = None,
    limits: tuple[float, float] = (-np.inf, np.inf),
    level: float,
    draws: int,
    seed: int,
) -> Interval:
    """Give the interval of a statistic of units drawn independently from many.

    With influence values the bootstrap is studentised (bootstrap-t), which Davidson (2009,
    doi:10.1016/j.jeconom.2008.11.004) found reliable for the Gini coefficient where tails are not
    too heavy; without them percentiles of the draws are taken (Efron & Tibshirani 1993, ch. 13).

    Parameters
    ----------
    values : ndarray, shape (n,)
        Complete.
    statistic : callable ``(…, n) -> (…)``
    influence : callable ``(…, n) -> (…, n)``, optional
    limits : tuple of float
        Least and greatest value that there can be; the interval ends there.
    level : float
    draws, seed : int

    Returns
    -------
    Interval
    """
    n = values.size
    if n < FEWEST:
        return Interval(
            None,
            None,
            Text(f"样本不足 {FEWEST} 个单位，不给区间", f"fewer than {FEWEST} units: no interval"),
        )
    rng = np.random.default_rng(seed)
    drawn = values[rng.integers(0, n, size=(draws, n))]
    found = statistic(drawn)
    point = float(statistic(values))
    tail = (1 - level) / 2
    if influence is None:
        kept = found[np.isfinite(found)]
        low, high = np.quantile(kept, [tail, 1 - tail]) if kept.size else (np.nan, np.nan)
        how = Text(
            f"按单位自助抽样 {draws} 次的百分位区间",
            f"percentiles of {draws} bootstrap draws of units",
        )
    else:
        error = _error(influence(values))
        errors = _error(influence(drawn))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = (found - point) / errors
        kept = ratios[np.isfinite(ratios)]
        above, below = np.quantile(kept, [1 - tail, tail]) if kept.size else (np.nan, np.nan)
        low, high = point - above * error, point - below * error
        how = Text(
            f"按单位学生化自助抽样 {draws} 次（影响函数标准误 {error:.3g}）",
            f"studentised bootstrap of units, {draws} draws (influence-function error {error:.3g})",
        )
    if kept.size < LEAST_DEFINED * draws or not np.isfinite([low, high]).all():
        return Interval(
            None,
            None,
            Text(
                f"{draws} 次抽样中仅 {kept.size} 次有定义，不给区间",
                f"defined in {kept.size} of {draws} draws only: no interval",
            ),
        )
    if low == high:
        return Interval(
            None,
            None,
            Text(
                "各次抽样结果相同，无法估计误差，不给区间",
                "every draw gives the same: its error can't be told, and no interval is given",
            ),
        )
    return Interval(max(float(low), limits[0]), min(float(high), limits[1]), how)


def interval_of_pairs(
    now: FloatArray,
    before: FloatArray,
    statistic: Callable[[FloatArray, FloatArray], FloatArray],
    *,
    level: float,
    draws: int,
    seed: int,
) -> Interval:
    """Give the interval of a comparison of two periods by drawing units with both their values.

    Parameters
    ----------
    now, before : ndarray, shape (n,)
        Complete, the same units.
    statistic : callable ``(…, n), (…, n) -> (…)``
    level : float
    draws, seed : int

    Returns
    -------
    Interval
        Percentiles of the draws.
    """
    both = np.stack([now, before], axis=-1)
    n = now.size

    def joint(places: FloatArray) -> FloatArray:
        chosen = both[places.astype(int)]
        return statistic(chosen[..., 0], chosen[..., 1])

    return interval_of_sample(np.arange(n, dtype=float), joint, level=level, draws=draws, seed=seed)


def interval_of_share(n_with: int, n: int, *, level: float) -> Interval:
    """Give Wilson's interval of a share of units drawn independently from many, in per cent.

    It keeps its level near 0 and 1, where a bootstrap has nothing to draw.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference.
    Journal of the American Statistical Association 22, 209–212.
    doi:10.1080/01621459.1927.10502953

    Examples
    --------
    >>> found = interval_of_share(81, 263, level=0.95)
    >>> round(found.low, 2), round(found.high, 2)
    (25.53, 36.62)
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = n_with / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(
        100 * max(float(centre - half), 0.0),
        100 * min(float(centre + half), 1.0),
        Text("比例的威尔逊区间", "Wilson's interval of a share"),
    )


def _error(influence: FloatArray) -> FloatArray:
    n = influence.shape[-1]
    return np.asarray(influence.std(axis=-1, ddof=1) / np.sqrt(n))


def ends_of(interval: Interval | None, *, scale: float = 1.0) -> tuple[float, float] | None:
    """Give an interval's two ends, or None where there is none."""
    if interval is None or interval.low is None or interval.high is None:
        return None
    return scale * interval.low, scale * interval.high
