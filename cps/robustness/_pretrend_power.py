"""What a test of trends before the start can see, and what it does to those who pass it.

Roth (2022), American Economic Review: Insights 4(3), 305-322, doi:10.1257/aeri.20210236; agrees with
R ``pretrends``. The pre-test is the usual one: no coefficient before the start is significant.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.robustness._pretrend_box import box_mean, box_probability

Floats = NDArray[np.float64]
THRESHOLD = 1.96  # as R pretrends has it
_SECANTS = 12


@dataclass(frozen=True, slots=True)
class Power:
    """The pre-test set against one trend.

    Parameters
    ----------
    power : float
        Probability that some coefficient before the start is significant, if the trend is true.
    bayes_factor : float
        Probability of passing if the trend is true, over that if trends are parallel.
    likelihood_ratio : float
        Density of the coefficients found before the start under the trend, over that under none.
    """

    power: float
    bayes_factor: float
    likelihood_ratio: float


def rejection_probability(trend: Floats, sigma: Floats, *, threshold: float = THRESHOLD) -> float:
    """Give the probability that a coefficient before the start is significant.

    Parameters
    ----------
    trend : ndarray, shape (n_pre,)
        True coefficients before the start.
    sigma : ndarray, shape (n_pre, n_pre)
    """
    bound = threshold * np.sqrt(np.diag(sigma))
    return 1 - box_probability(trend, sigma, -bound, bound)


def power_against(
    beta: Floats, sigma: Floats, trend: Floats, *, threshold: float = THRESHOLD
) -> Power:
    """Set the pre-test against one trend; all arguments are of the periods before the start."""
    power = rejection_probability(trend, sigma, threshold=threshold)
    size = rejection_probability(np.zeros_like(trend), sigma, threshold=threshold)
    return Power(power, (1 - power) / (1 - size), likelihood_ratio(beta, sigma, trend))


def likelihood_ratio(beta: Floats, sigma: Floats, trend: Floats) -> float:
    """Give the density of the coefficients found under the trend, over that under none."""
    precision = np.linalg.inv(sigma)
    # log density at the trend less log density at none
    exponent = trend @ precision @ beta - 0.5 * trend @ precision @ trend
    return float(np.exp(exponent))


def slope_for_power(
    times: Floats, sigma: Floats, target: float, *, threshold: float = THRESHOLD
) -> float | None:
    """Find the slope of a linear trend that the pre-test rejects with probability ``target``.

    Parameters
    ----------
    times : ndarray, shape (n_pre,)
        Periods from the base period, negative.
    sigma : ndarray, shape (n_pre, n_pre)

    Returns
    -------
    float or None
        A size, in outcome per period; None if the test rejects that often under no trend at all.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    def rejected(slope: float) -> float:
        return rejection_probability(times * slope, sigma, threshold=threshold)

    deviation = np.sqrt(np.diag(sigma))
    # No more than the sum of what each rejects: mostly the question is settled by that.
    if 2 * len(times) * ndtr(-threshold) >= target and rejected(0.0) >= target:
        return None
    # The coefficient that a trend moves most is most of the power.
    rate = float((np.abs(times) / deviation).max())
    scale = float(deviation.max()) / float(np.abs(times).max())
    start = max(threshold + float(ndtri(target)), 0.1) / rate
    found = _secant(
        lambda slope: float(ndtri(rejected(slope))),
        float(ndtri(target)),
        start,
        rate,
        xtol=1e-9 * scale,
    )
    if found is not None and found > 0:
        return found
    high = scale
    while rejected(high) < target:
        high *= 2
    return float(brentq(lambda slope: rejected(slope) - target, 0.0, high, xtol=1e-9 * high))


def mean_after_pretest(
    trend: Floats, sigma: Floats, n_pre: int, *, threshold: float = THRESHOLD
) -> Floats:
    """Give what the coefficients average among studies that pass the pre-test, under a trend.

    Parameters
    ----------
    trend : ndarray, shape (n_pre + n_post,)
        True coefficients: the trend before and after the start.
    sigma : ndarray, shape (n_pre + n_post, n_pre + n_post)

    Returns
    -------
    ndarray, shape (n_pre + n_post,)
    """
    before = sigma[:n_pre, :n_pre]
    bound = threshold * np.sqrt(np.diag(before))
    passed = box_mean(trend[:n_pre], before, -bound, bound)
    carried = sigma[n_pre:, :n_pre] @ np.linalg.solve(before, passed - trend[:n_pre])
    return np.concatenate([passed, trend[n_pre:] + carried])


def joint_threshold(sigma: Floats, size: float) -> float:
    """Find the bound, in standard errors, that all coefficients keep together with 1 − ``size``."""
    from scipy.optimize import brentq
    from scipy.special import ndtri

    none = np.zeros(len(sigma))

    def rejected(bound: float) -> float:
        return rejection_probability(none, sigma, threshold=bound)

    def quantile(chance: float) -> float:  # of one coefficient, rejected as often
        return -float(ndtri(chance / 2))

    one, all_ = quantile(size), quantile(size / len(sigma))
    if len(sigma) == 1:
        return one
    found = _secant(lambda bound: quantile(rejected(bound)), one, (one + all_) / 2, 1.0, xtol=1e-6)
    if found is not None and one - 1e-3 <= found <= all_ + 1e-3:
        return found
    return float(brentq(lambda bound: rejected(bound) - size, one - 1e-3, all_ + 1e-3, xtol=1e-6))


def _secant(
    curve: Callable[[float], float], wanted: float, start: float, rate: float, *, xtol: float
) -> float | None:
    """Find where a nearly straight curve is as wanted; None if it bends too much for that.

    Parameters
    ----------
    rate : float
        What the curve is thought to rise by.
    """
    at, value, last = start, curve(start), math.inf
    for number in range(_SECANTS):
        step = (wanted - value) / rate if rate else math.inf
        if not math.isfinite(step) or abs(step) > 2 * last:
            return None
        # Errors shrink ever faster: the one left is below this step's share of the last.
        is_near = number >= 2 and abs(step) <= 0.1 * last and step**2 <= xtol * last
        if is_near or abs(step) <= xtol:
            return at + step
        before, at, last = value, at + step, abs(step)
        value = curve(at)
        rate = (value - before) / step
    return None


def joint_p_value(beta: Floats, sigma: Floats, freedom: int | None) -> float | None:
    """Give the p-value of the Wald test that all coefficients are zero.

    Chi-squared; Hotelling's F where ``sigma`` is a sample covariance with ``freedom`` degrees of
    freedom, None if those are too few.
    """
    from scipy.special import chdtrc, fdtrc

    n = len(beta)
    wald = float(beta @ np.linalg.solve(sigma, beta))
    if freedom is None:
        return float(chdtrc(n, wald))
    left = freedom - n + 1
    return float(fdtrc(n, left, wald * left / (freedom * n))) if left >= 1 else None
