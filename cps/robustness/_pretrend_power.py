"""What a test of trends before the start can see, and what it does to those who pass it.

Roth (2022), American Economic Review: Insights 4(3), 305-322, doi:10.1257/aeri.20210236; agrees with
R ``pretrends``. The pre-test is the usual one: no coefficient before the start is significant.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from cps.robustness._pretrend_box import box_mean, box_probability

Floats = NDArray[np.float64]
THRESHOLD = 1.96  # as R pretrends has it


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
    precision = np.linalg.inv(sigma)
    # log density at the trend less log density at none
    exponent = trend @ precision @ beta - 0.5 * trend @ precision @ trend
    return Power(power, (1 - power) / (1 - size), float(np.exp(exponent)))


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

    def excess(slope: float) -> float:
        return rejection_probability(times * slope, sigma, threshold=threshold) - target

    if excess(0.0) >= 0:
        return None
    high = float(np.sqrt(np.diag(sigma)).max()) / float(np.abs(times).max())
    while excess(high) < 0:
        high *= 2
    return float(brentq(excess, 0.0, high, xtol=1e-9 * high))


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

    none = np.zeros(len(sigma))

    def excess(bound: float) -> float:
        return rejection_probability(none, sigma, threshold=bound) - size

    one, all_ = (-NormalDist().inv_cdf(share / 2) for share in (size, size / len(sigma)))
    if len(sigma) == 1:
        return one
    return float(brentq(excess, one - 1e-3, all_ + 1e-3, xtol=1e-6))


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
