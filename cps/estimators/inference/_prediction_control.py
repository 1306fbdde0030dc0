"""A synthetic control with what its prediction intervals need: noise, local constraints, designs.

The steps and their constants are those of R and Python ``scpi`` for one treated series matched on
its outcome alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators.inference._conformal_proxies import simplex_weights_exact
from cps.estimators.inference._conformal_series import Series
from cps.estimators.inference._prediction_bounds import extremes

Floats = NDArray[np.float64]
_PRESENT = 1e-6  # a weight below is none
_RHO_MOST = 0.2


@dataclass(frozen=True, slots=True)
class Control:
    """A fitted synthetic control.

    Parameters
    ----------
    weights : ndarray, shape (n_donors,)
    constant : float
        0 where there is none.
    residuals : ndarray, shape (n_pre,)
    rho : float
        Weights below it may only grow.
    """

    weights: Floats
    constant: float
    residuals: Floats
    rho: float


def fit_control(series: Series, *, has_constant: bool) -> Control:
    """Find the weights on the pre-periods, and the size below which they count as none."""
    donors, treated = series.donors[:, : series.n_pre], series.treated[: series.n_pre]
    if has_constant:
        weights = simplex_weights_exact(
            donors - donors.mean(axis=1, keepdims=True), treated - treated.mean()
        )
        constant = float((treated - weights @ donors).mean())
    else:
        weights, constant = simplex_weights_exact(donors, treated), 0.0
    residuals = treated - weights @ donors - constant
    n_used = int((weights >= _PRESENT).sum()) + has_constant
    return Control(weights, constant, residuals, _rho(donors, residuals, n_used, has_constant))


def _rho(donors: Floats, residuals: Floats, n_used: int, has_constant: bool) -> float:
    n_donors, n_pre = donors.shape
    spread = donors.std(axis=1, ddof=1)
    noise = float(residuals.std())
    size = np.sqrt(np.log(n_donors + has_constant) * n_used * np.log(n_pre) / n_pre)
    second = min(noise * spread.max() / (spread**2).min() * size, _RHO_MOST)
    if second >= 1e-3:
        return float(second)
    first = min(noise / spread.min() * size, _RHO_MOST)
    larger = max(first, second)
    return float(larger if larger >= 0.05 else _RHO_MOST)


def is_kept(control: Control) -> NDArray[np.bool_]:
    """Tell which donors stand in for the rest where errors are predicted from donors."""
    kept = control.weights > control.rho
    if not kept.any():
        kept = control.weights == control.weights.max()
    return np.asarray(kept)


def error_designs(
    series: Series, control: Control, *, has_constant: bool, is_cointegrated: bool
) -> tuple[Floats, Floats, Floats]:
    """Give residuals with the designs that predict their errors, before and after the start.

    Returns
    -------
    residuals (n,), design (n, k), ahead (n_post, k)
        A constant alone where there are no ten periods to spare.
    """
    donors = series.donors[is_kept(control)]
    n_pre = series.n_pre
    residuals = control.residuals
    if is_cointegrated:
        changes = np.diff(donors, axis=1)
        inside, after = changes[:, : n_pre - 1], changes[:, n_pre - 1 :]
        residuals = residuals[1:]
    else:
        inside, after = donors[:, :n_pre], donors[:, n_pre:]
    ones = np.ones((len(residuals), 1))
    design = np.concatenate([ones, inside.T], axis=1)
    if len(residuals) - 10 <= design.shape[1]:
        return residuals, ones, np.ones((series.n_post, 1))
    return residuals, design, np.concatenate([np.ones((series.n_post, 1)), after.T], axis=1)


def in_sample(
    series: Series,
    control: Control,
    targets: Floats,
    *,
    has_constant: bool,
    is_cointegrated: bool,
    n_sims: int,
    seed: int,
) -> tuple[Floats, Floats]:
    """Simulate how far weights may be off: smallest and largest ``p'(β − x)``.

    Parameters
    ----------
    targets : ndarray, shape (n_targets, n_donors)
        Donors' outcomes to be predicted from.

    Returns
    -------
    low, high : ndarray, shape (n_sims, n_targets)
    """
    first = int(is_cointegrated)
    rows = series.donors[:, first : series.n_pre].T
    if has_constant:
        rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
        targets = np.concatenate([targets, np.ones((len(targets), 1))], axis=1)
    residuals, design, _ = error_designs(
        series, control, has_constant=has_constant, is_cointegrated=is_cointegrated
    )
    mean = design @ np.linalg.lstsq(design, residuals, rcond=None)[0]
    n = len(rows)
    used = int((control.weights >= _PRESENT).sum()) - 1 + has_constant
    variance = (residuals - mean) ** 2 * n / (n - min(used, n - 1))
    sigma = (rows.T * variance) @ rows / n**2
    sizes, vectors = np.linalg.eigh(sigma)
    root = (vectors * np.sqrt(np.maximum(sizes, 0))) @ vectors.T
    noise = np.random.default_rng(seed).standard_normal((n_sims, len(sigma))) @ root
    is_free = np.zeros(len(sigma), dtype=bool)
    is_free[len(control.weights) :] = True
    room = np.zeros(len(sigma))
    room[: len(control.weights)] = np.where(control.weights < control.rho, 0.0, control.weights)
    found = extremes(rows.T @ rows / n, noise, np.concatenate([targets, -targets]), room, is_free)
    n_targets = len(targets)
    # p'(β − x) = −p'δ: its smallest value is the negative of the largest p'δ.
    return -found[:, :n_targets], found[:, n_targets:]
