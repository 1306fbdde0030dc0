"""Errors outside the sample: their mean and spread, predicted from donors, as R ``scpi`` does it.

Cattaneo, Feng, Palomba & Titiunik (2025), Journal of Statistical Software 113(1),
doi:10.18637/jss.v113.i01.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def quantile_fit(design: Floats, y: Floats, tau: float) -> Floats:
    """Fit a quantile regression: coefficients, shape (k,), as a linear programme.

    Parameters
    ----------
    design : ndarray, shape (n, k)
    y : ndarray, shape (n,)
    tau : float
    """
    from scipy.optimize import linprog

    n, k = design.shape
    costs = np.concatenate([np.zeros(k), np.full(n, tau), np.full(n, 1 - tau)])
    equal = np.concatenate([design, np.eye(n), -np.eye(n)], axis=1)
    limits = [(None, None)] * k + [(0, None)] * (2 * n)
    found = linprog(costs, A_eq=equal, b_eq=y, bounds=limits, method="highs")
    return np.asarray(found.x[:k])


def out_of_sample(
    residuals: Floats, design: Floats, ahead: Floats, *, method: str, alpha: float
) -> tuple[Floats, Floats]:
    """Bound the errors of periods after the start.

    Parameters
    ----------
    residuals : ndarray, shape (n_pre,)
    design, ahead : ndarray, shapes (n_pre, k) and (n_ahead, k)
        What the errors' mean and spread are predicted from.
    method : {"gaussian", "ls", "qreg"}
        Sub-Gaussian bound, location and scale with empirical quantiles, or conditional quantiles.
    alpha : float
        Probability on each side.

    Returns
    -------
    low, high : ndarray, shape (n_ahead,)
    """
    if method == "qreg":
        if design.shape[1] == 1:
            ends = np.quantile(residuals, [alpha, 1 - alpha])
            return np.full(len(ahead), ends[0]), np.full(len(ahead), ends[1])
        return (
            ahead @ quantile_fit(design, residuals, alpha),
            ahead @ quantile_fit(design, residuals, 1 - alpha),
        )
    coefficients = np.linalg.lstsq(design, residuals, rcond=None)[0]
    mean, left = ahead @ coefficients, residuals - design @ coefficients
    with np.errstate(divide="ignore"):
        log_squares = np.maximum(np.log(left**2), -700.0)
    of_spread = np.linalg.lstsq(design, log_squares, rcond=None)[0]
    spread = np.exp(ahead @ of_spread / 2)
    quartiles = ahead @ (quantile_fit(design, left, 0.75) - quantile_fit(design, left, 0.25))
    spread = np.minimum(spread, np.abs(quartiles) / 1.34)
    if method == "gaussian":
        half = np.sqrt(-2 * np.log(alpha)) * spread
        return mean - half, mean + half
    scaled = left / np.exp(design @ of_spread / 2)
    ends = np.quantile(scaled, [alpha, 1 - alpha])
    return mean + spread * ends[0], mean + spread * ends[1]
