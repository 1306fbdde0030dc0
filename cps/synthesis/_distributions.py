"""Distribution functions that syntheses need: normal on arrays, chi-squared, Student's t, F."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NORMAL = NormalDist()
_STEP = 0.01
_END = 8.5
_GRID = np.arange(-_END, _END + _STEP / 2, _STEP)
_CDF = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in _GRID])
_MOST_STEPS = 500


def _hermite() -> Floats:
    """Cubic on each step of the grid: values and slopes (the density) are right at both ends."""
    density = np.exp(-(_GRID**2) / 2) / math.sqrt(2 * math.pi)
    low, high = _CDF[:-1], _CDF[1:]
    slope, next_slope = _STEP * density[:-1], _STEP * density[1:]
    rise = high - low
    return np.column_stack(
        [low, slope, 3 * rise - 2 * slope - next_slope, slope + next_slope - 2 * rise]
    )


_CUBIC = _hermite()


def normal_cdf(x: Floats) -> Floats:
    """Give the standard normal distribution function, right to 1e-10, for an array."""
    place = np.clip((np.asarray(x) + _END) / _STEP, 0.0, len(_GRID) - 1.000001)
    floor = place.astype(np.int64)
    t = place - floor
    a, b, c, d = _CUBIC[floor].T
    return np.asarray((a + t.T * (b + t.T * (c + t.T * d))).T)


def normal_quantile(probability: float) -> float:
    """Give the standard normal quantile."""
    return _NORMAL.inv_cdf(probability)


def p_value(statistic: float, alternative: str, freedom: float | None = None) -> float:
    """Give the p-value of a standard normal or Student's t statistic; as in multiplicity."""
    normal = math.erfc(abs(statistic) / math.sqrt(2))
    both = normal if freedom is None else t_tail(statistic, freedom)
    if alternative == "two_sided":
        return both
    is_with = (statistic > 0) == (alternative == "greater")
    return both / 2 if is_with else 1 - both / 2


def chi_squared_tail(x: float, freedom: float) -> float:
    """Give the probability that chi-squared exceeds ``x``."""
    return 1.0 if x <= 0 else _upper_gamma(freedom / 2, x / 2)


def chi_squared_quantile(probability: float, freedom: float) -> float:
    """Give the chi-squared quantile."""
    return _solve(lambda x: 1 - chi_squared_tail(x, freedom), probability, freedom)


def t_tail(x: float, freedom: float) -> float:
    """Give the probability that ``|t|`` exceeds ``|x|``."""
    return _beta(freedom / 2, 0.5, freedom / (freedom + x * x))


def t_quantile(probability: float, freedom: float) -> float:
    """Give the quantile of Student's t."""
    if probability < 0.5:
        return -t_quantile(1 - probability, freedom)
    return _solve(lambda x: 1 - t_tail(x, freedom) / 2, probability, 1.0)


def f_tail(x: float, freedom: float, error_freedom: float) -> float:
    """Give the probability that F exceeds ``x``."""
    if x <= 0:
        return 1.0
    return _beta(error_freedom / 2, freedom / 2, error_freedom / (error_freedom + freedom * x))


def _solve(cdf: Callable[[float], float], probability: float, start: float) -> float:
    low, high = 0.0, max(start, 1.0)
    while cdf(high) < probability:
        high *= 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if cdf(middle) < probability else (low, middle)
    return (low + high) / 2


def _upper_gamma(a: float, x: float) -> float:
    """Regularised upper incomplete gamma: series below a + 1, continued fraction above."""
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, _MOST_STEPS):
            term *= x / (a + n)
            total += term
            if term < total * 1e-17:
                break
        return 1 - scale * total
    b, d = x + 1 - a, 1 / (x + 1 - a)
    c, h = 1e300, 1 / (x + 1 - a)
    for n in range(1, _MOST_STEPS):
        b += 2
        d = 1 / (b - n * (n - a) * d)
        c = b - n * (n - a) / c
        h *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return scale * h


def _beta(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta, by its continued fraction (Lentz)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(b, a, 1 - x)
    scale = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    h = d
    for m in range(1, _MOST_STEPS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + term * d)
            c = 1 + term / c
            h *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return scale * h / a
