"""Take out of an outcome what covariates explain, before synthetic difference-in-differences.

``projected``: Kranz (2022), "Synthetic Difference-in-Differences with Time-Varying Covariates", as
Stata ``sdid`` does it. ``optimized``: Arkhangelsky et al. (2021),
doi:10.1257/aer.20190159, footnote 4: coefficients found together with the weights, as in R
``synthdid``, on standardised covariates as in Stata ``sdid``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

_STEPS = 10_000


def projected(y: Floats, x: Floats, never: Booleans) -> Floats:
    """Subtract ``xβ``, β from never-treated units with unit and period effects, as Stata does.

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods)
    x : ndarray, shape (n_covariates, n_units, n_periods)
    never : ndarray of bool, shape (n_units,)

    Returns
    -------
    ndarray, shape (n_units, n_periods)
        Covariates that unit and period effects span change nothing.
    """
    columns = np.concatenate([x, y[None]])[:, never]
    within = columns - columns.mean(axis=2, keepdims=True)
    within = within - within.mean(axis=1, keepdims=True)
    flat = within.reshape(len(within), -1).T
    free = np.abs(flat[:, :-1]).max(axis=0) > 1e-9 * np.abs(columns[:-1]).max(axis=(1, 2))
    scale = flat[:, :-1][:, free].std(axis=0)
    beta = np.zeros(len(x))
    beta[free] = np.linalg.lstsq(flat[:, :-1][:, free] / scale, flat[:, -1], rcond=None)[0] / scale
    return np.asarray(y - np.tensordot(beta, x, axes=1))


def optimized(
    controls: Floats,
    treated: Floats,
    x_controls: Floats,
    x_treated: Floats,
    *,
    pre: Booleans,
    post: Booleans,
    noise: float,
    zeta: float,
) -> tuple[Floats, Floats, Floats]:
    """Find coefficients (k,), unit weights and pre-period weights of one cohort together.

    One Frank–Wolfe step for either set of weights, one gradient step of length 1/t for the
    coefficients, until the sum of both losses falls by less than ``(1e-5 noise)²``.

    Parameters
    ----------
    controls, x_controls : ndarray, shapes (n_controls, n_periods), (k, n_controls, n_periods)
    treated, x_treated : ndarray, shapes (n_periods,), (k, n_periods)
        Means of the cohort.
    """
    y, x = _collapsed(controls, treated, pre, post), _collapsed(x_controls, x_treated, pre, post)
    n0, t0 = y.shape[0] - 1, y.shape[1] - 1
    small, large = n0 * (1e-6 * noise) ** 2, t0 * zeta**2
    lam, omega, beta = np.full(t0, 1 / t0), np.full(n0, 1 / n0), np.zeros(len(x))
    least, before = (1e-5 * noise) ** 2, np.inf
    # What weights are fitted on has its means taken out; that is linear, so it is done once.
    rows_y, rows_x = _centred(y[:n0], 0), _centred(x[:, :n0], 1)
    columns_y, columns_x = _centred(y[:, :t0].T, 0), np.swapaxes(_centred(x[:, :, :t0], 2), 1, 2)
    flat_rows, flat_columns = rows_x.reshape(len(x), -1), columns_x.reshape(len(x), -1)
    for step in range(_STEPS + 1):
        across = rows_y - (beta @ flat_rows).reshape(rows_y.shape)
        along = columns_y - (beta @ flat_columns).reshape(columns_y.shape)
        lam = _step(across[:, :t0], across[:, t0], lam, small)
        omega = _step(along[:, :n0], along[:, n0], omega, large)
        error_lam = across[:, :t0] @ lam - across[:, t0]
        error_omega = along[:, :n0] @ omega - along[:, n0]
        value = (
            (large / t0) * omega @ omega
            + (small / n0) * lam @ lam
            + error_omega @ error_omega / t0
            + error_lam @ error_lam / n0
        )
        if step > 1 and before - value <= least:
            break
        before = value if step else np.inf
        slope = np.array(
            [
                error_lam @ (one[:n0, :t0] @ lam - one[:n0, t0]) / n0
                + error_omega @ (one[:n0, :t0].T @ omega - one[n0, :t0]) / t0
                for one in x
            ]
        )
        beta = beta + slope / (step + 1)
    return beta, omega, lam


def _collapsed(controls: Floats, treated: Floats, pre: Booleans, post: Booleans) -> Floats:
    every = np.concatenate([controls, treated[..., None, :]], axis=-2)
    return np.concatenate([every[..., pre], every[..., post].mean(axis=-1, keepdims=True)], axis=-1)


def _centred(array: Floats, axis: int) -> Floats:
    return np.asarray(array - array.mean(axis=axis, keepdims=True))


def _step(matrix: Floats, target: Floats, x: Floats, eta: float) -> Floats:
    fitted = matrix @ x
    half = (fitted - target) @ matrix + eta * x
    best = int(half.argmin())
    towards = -x
    towards[best] += 1.0
    change = matrix[:, best] - fitted
    size = float(change @ change + eta * towards @ towards)
    length = min(1.0, max(0.0, -float(half @ towards) / size)) if size > 0 else 0.0
    return np.asarray(x + length * towards)
