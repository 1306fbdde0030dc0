"""Fixed-length confidence intervals for an effect whose bias changes slope slowly.

Rambachan & Roth (2023), section 4, doi:10.1093/restud/rdad018: of all affine estimators, the one
whose interval is shortest when the slope of the bias may change by at most M a period.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_NORMAL = NormalDist()
_ROOT = math.sqrt(2)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_NEWTON_STEPS = 50


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
    tools = _tools(sigma.tobytes(), n_pre, np.asarray(l_vec, dtype=float).tobytes())
    path, to_weights, offset = tools.path, tools.to_weights, tools.offset

    def kinks_at(price: float) -> Floats:
        # Prices fall along the path.
        piece = min(max(int(np.searchsorted(-path.price, -price)), 1), len(path.price) - 1)
        high, low = path.price[piece - 1], path.price[piece]
        share = (high - price) / (high - low) if high > low else 0.0
        return np.asarray((1 - share) * path.kinks[piece - 1] + share * path.kinks[piece])

    def at(price: float) -> tuple[float, Floats]:
        kinks = kinks_at(price) if len(path.price) > 1 else path.kinks[0]
        weights = offset + to_weights @ kinks
        deviation = math.sqrt(float(weights @ sigma @ weights))
        bias = m * (tools.bias_after + float(np.abs(kinks).sum()))
        return folded_normal_quantile(bias / deviation, alpha) * deviation, weights

    price = _least(lambda one: at(one)[0], path.price)
    half_length, weights = at(price)
    return Affine(weights, half_length)


@dataclass(frozen=True, slots=True)
class _Tools:
    """What does not depend on how much the slope may change."""

    path: _Path
    to_weights: Floats
    offset: Floats
    bias_after: float


@lru_cache(maxsize=8)
def _tools(sigma: bytes, n_pre: int, l_vec: bytes) -> _Tools:
    """Remember them: one study is asked about many sizes."""
    to_weights, offset, bias_after = _from_kinks(n_pre, np.frombuffer(l_vec))
    noise = np.frombuffer(sigma).reshape(len(offset), -1)
    path = _lasso_path(to_weights.T @ noise @ to_weights, to_weights.T @ noise @ offset)
    return _Tools(path, to_weights, offset, bias_after)


def folded_normal_quantile(mean: float, alpha: float) -> float:
    """Give the quantile ``1 − alpha`` of ``|N(mean, 1)|``."""
    shift = abs(mean)
    low = _NORMAL.inv_cdf(1 - alpha)

    def excess(at: float) -> float:
        return 0.5 * (math.erfc(-(at - shift) / _ROOT) - math.erfc((at + shift) / _ROOT)) - (
            1 - alpha
        )

    if excess(shift + low) >= 0:  # so far from zero that one tail is all
        return shift + low
    # The chance is concave from here on: steps of Newton's stay on the side they come to.
    at = shift + low
    for _ in range(_NEWTON_STEPS):
        rise = (math.exp(-((at - shift) ** 2) / 2) + math.exp(-((at + shift) ** 2) / 2)) * _DENSITY
        step = -excess(at) / rise
        at += step
        if abs(step) <= 1e-13 * at:
            break
    return at


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
