"""Internal rates of return of many draws at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.indicators.benefit.finance import internal_rates

Floats = NDArray[np.float64]
_STEPS = 60  # of halving: to the last digit of a rate
_REAL, _MAYBE = 1e-9, 1e-3  # of a root's size: its imaginary part if it is real, or may be
_SMALLEST = 1e-9  # of the largest flow, for the first and last


def rates_of_draws(net: Floats) -> tuple[Floats, int, int]:
    """Give the internal rates of draws that have exactly one; count those with none and several.

    Parameters
    ----------
    net : ndarray, shape (n_draws, n_years)
    """
    signs = np.sign(net)
    changes = np.zeros(len(net), dtype=int)
    last = signs[:, 0].copy()
    for year in range(1, net.shape[1]):
        now = signs[:, year]
        changes += (now * last) < 0
        last = np.where(now == 0, last, now)
    one = changes == 1
    found = [_bisect(net[one], last[one])] if one.any() else []
    none, several = int((changes == 0).sum()), 0
    rows = net[changes > 1]
    counts, rates = _by_roots(rows) if len(rows) else (np.zeros(0, dtype=int), np.zeros(0))
    found.append(rates[counts == 1])
    none += int((counts == 0).sum())
    several += int((counts > 1).sum())
    for row in rows[counts < 0]:
        slow = internal_rates(row).rates
        if len(slow) == 1:
            found.append(np.array(slow))
        elif slow:
            several += 1
        else:
            none += 1
    return np.concatenate(found), none, several


def _bisect(net: Floats, last: Floats) -> Floats:
    """Solve flows with one change of sign for log(1 + rate); they have exactly one rate.

    The value is positive for rates below the root where outlays come first, negative where they
    come last; ``last`` is the sign of the last flow.
    """
    low, high = np.full(len(net), -10.0), np.full(len(net), 10.0)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        above = _value(net, np.exp(-middle)) * last > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(np.expm1((low + high) / 2))


def _by_roots(net: Floats) -> tuple[NDArray[np.int_], Floats]:
    """Count the rates of each row and give one; −1 where rounding leaves the count open.

    The polynomials in 1 / (1 + rate) are solved as eigenvalues, all rows together.
    """
    n_years = net.shape[1]
    size = np.abs(net).max(axis=1)
    is_plain = np.minimum(np.abs(net[:, 0]), np.abs(net[:, -1])) > _SMALLEST * size
    counts, rates = np.full(len(net), -1), np.full(len(net), np.nan)
    plain = net[is_plain]
    if not len(plain):
        return counts, rates
    companion = np.zeros((len(plain), n_years - 1, n_years - 1))
    companion[:, 1:, :-1] = np.eye(n_years - 2)
    companion[:, :, -1] = -plain[:, :-1] / plain[:, -1:]
    roots = np.linalg.eigvals(companion)
    apart = np.abs(roots.imag) / np.abs(roots)
    ahead = roots.real > 0
    is_root = ahead & (apart <= _REAL)
    is_open = (ahead & ~is_root & (apart <= _MAYBE)).any(axis=1)
    number = is_root.sum(axis=1)
    x = np.where(is_root, roots.real, 0.0).max(axis=1)
    is_one = (number == 1) & ~is_open
    x[is_one] = _polished(plain[is_one], x[is_one])
    counts[is_plain] = np.where(is_open, -1, number)
    with np.errstate(divide="ignore"):
        rates[is_plain] = 1 / x - 1
    return counts, rates


def _polished(net: Floats, x: Floats) -> Floats:
    """Take Newton's last steps on the polynomial itself."""
    slope = net[:, 1:] * np.arange(1, net.shape[1])
    for _ in range(4):
        x = x - _value(net, x) / _value(slope, x)
    return x


def _value(net: Floats, x: Floats) -> Floats:
    """Give the sum of flows times x to the power of their year, row by row."""
    value = net[:, -1].copy()
    for year in range(net.shape[1] - 2, -1, -1):
        value *= x
        value += net[:, year]
    return value
