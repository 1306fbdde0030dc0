"""Fixed-length confidence intervals for an effect whose bias changes slope slowly.

Rambachan & Roth (2023), section 4, doi:10.1093/restud/rdad018: of all affine estimators, the one
whose interval is shortest when the slope of the bias may change by at most M a period.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Affine:
    """An affine estimator: weights over all coefficients, and its interval's half length."""

    weights: Floats
    half_length: float


@dataclass(frozen=True, slots=True)
class _Path:
    """Weights that trade variance for bias, linear between knots of the price of bias.

    ``kinks`` (n_knots, n_pre − 1) holds what the estimator takes of each change of slope before
    the start; knots run from a price at which they are all zero down to zero.
    """

    price: Floats
    kinks: Floats


def shortest_affine(sigma: Floats, n_pre: int, l_vec: Floats, m: float, alpha: float) -> Affine:
    """Find the affine estimator with the shortest interval of level ``1 − alpha``.

    The estimator ignores any linear trend. Least variance at a given worst bias is a lasso, whose
    path is piecewise linear; along it the half length has one minimum.
    """
    to_weights, offset, bias_after = _from_kinks(n_pre, l_vec)
    quadratic = to_weights.T @ sigma @ to_weights
    linear = to_weights.T @ sigma @ offset
    path = _lasso_path(quadratic, linear)

    def at(price: float) -> tuple[float, Floats]:
        kinks = np.array([np.interp(-price, -path.price, one) for one in path.kinks.T])
        weights = offset + to_weights @ kinks
        deviation = float(np.sqrt(weights @ sigma @ weights))
        bias = m * (bias_after + float(np.abs(kinks).sum()))
        return folded_normal_quantile(bias / deviation, alpha) * deviation, weights

    price = _least(lambda one: at(one)[0], path.price)
    half_length, weights = at(price)
    return Affine(weights, half_length)


def folded_normal_quantile(mean: float, alpha: float) -> float:
    """Give the quantile ``1 − alpha`` of ``|N(mean, 1)|``."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    shift = abs(mean)

    def excess(at: float) -> float:
        return float(ndtr(at - shift) - ndtr(-at - shift) - (1 - alpha))

    low, high = _NORMAL.inv_cdf(1 - alpha), _NORMAL.inv_cdf(1 - alpha / 2)
    if excess(shift + low) >= 0:  # so far from zero that one tail is all
        return shift + low
    return float(brentq(excess, shift + low, shift + high + 1e-12, xtol=1e-12))


def _from_kinks(n_pre: int, l_vec: Floats) -> tuple[Floats, Floats, float]:
    """Write weights as ``offset + matrix @ kinks``, and give the bias that no kink can avoid.

    A kink is what the estimator takes of a change of slope at one of the periods before the base;
    what it takes of one at the base, and after, is fixed by ``l_vec``.
    """
    n_post = len(l_vec)
    at_base = float(np.arange(1, n_post + 1) @ l_vec)
    # Weight on period j = second difference of the kinks; the last kink is at the base period.
    second = np.zeros((n_pre, n_pre))
    for j in range(n_pre):
        second[j, j] += 1.0
        if j >= 1:
            second[j, j - 1] -= 2.0
        if j >= 2:
            second[j, j - 2] += 1.0
    to_weights = np.zeros((n_pre + n_post, n_pre - 1))
    to_weights[:n_pre] = second[:, :-1]
    offset = np.concatenate([second[:, -1] * at_base, l_vec])
    after = [abs(float(np.arange(1, s + 1) @ l_vec[n_post - s :])) for s in range(1, n_post)]
    return to_weights, offset, abs(at_base) + sum(after)


def _lasso_path(quadratic: Floats, linear: Floats) -> _Path:
    """Follow argmin ½ x'Qx + q'x + price · |x|₁ from the price at which x = 0 down to none."""
    n = len(linear)
    x = np.zeros(n)
    if n == 0:
        return _Path(np.zeros(1), np.zeros((1, 0)))
    price = float(np.abs(linear).max())
    prices, points = [price], [x.copy()]
    sign = np.zeros(n)
    first = int(np.abs(linear).argmax())
    sign[first] = -np.sign(linear[first])
    for _ in range(50 * n):
        if price <= 0:
            break
        active = np.flatnonzero(sign)
        slope = np.zeros(n)  # of x as the price falls
        slope[active] = np.linalg.solve(quadratic[np.ix_(active, active)], sign[active])
        gradient, turn = quadratic @ x + linear, quadratic @ slope
        step, event, new_sign = price, -1, 0.0
        for j in range(n):
            if sign[j]:
                if slope[j] * sign[j] < 0 and -x[j] / slope[j] < step and abs(x[j]) > 0:
                    step, event, new_sign = -x[j] / slope[j], j, 0.0
                continue
            for side in (1.0, -1.0):  # |gradient + step · turn| reaches price − step
                rate = 1 + side * turn[j]
                gap = price - side * gradient[j]
                if rate > 1e-14 and 1e-12 * price < gap / rate < step:
                    step, event, new_sign = gap / rate, j, -side
        x = x + step * slope
        price -= step
        if event >= 0:
            sign[event] = new_sign
            if new_sign == 0.0:
                x[event] = 0.0
        else:
            price = 0.0
        prices.append(price)
        points.append(x.copy())
    return _Path(np.array(prices), np.array(points))


def _least(length: Callable[[float], float], knots: Floats) -> float:
    """Give the price, on any piece between knots, at which ``length`` is least."""
    from scipy.optimize import minimize_scalar

    values = [length(float(one)) for one in knots]
    best = int(np.argmin(values))
    found, least = float(knots[best]), values[best]
    for piece in (best - 1, best):
        if 0 <= piece < len(knots) - 1 and knots[piece] > knots[piece + 1]:
            bounds = (float(knots[piece + 1]), float(knots[piece]))
            one = minimize_scalar(
                length, bounds=bounds, method="bounded", options={"xatol": 1e-10 * bounds[1]}
            )
            if one.fun < least:
                found, least = float(one.x), float(one.fun)
    return found
