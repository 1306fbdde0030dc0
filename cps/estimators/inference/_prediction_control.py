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
_SHORTEST = 0.5  # the least that the weights' length is bounded by


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
    longest : float or None
        Length (root of the sum of squares) that the weights may have; None where it is free.
    degrees : float
        Degrees of freedom that the fit takes.
    """

    weights: Floats
    constant: float
    residuals: Floats
    rho: float
    longest: float | None
    degrees: float


def fit_control(series: Series, *, has_constant: bool, is_short: bool = False) -> Control:
    """Find the weights on the pre-periods, and the size below which they count as none.

    ``is_short`` bounds the weights' length too (scpi's ``L1-L2``), by a rule of thumb for ridge
    regression.
    """
    donors, treated = series.donors[:, : series.n_pre], series.treated[: series.n_pre]
    inside, target = donors, treated
    if has_constant:
        inside, target = donors - donors.mean(axis=1, keepdims=True), treated - treated.mean()
    weights = simplex_weights_exact(inside, target)
    longest = None
    degrees = float((weights >= _PRESENT).sum() - 1 + has_constant)
    if is_short:
        longest, penalty = _ridge_rule(donors, treated, has_constant)
        weights = _shortened(inside, target, weights, longest)
        squares = np.linalg.svd(donors.T, compute_uv=False) ** 2
        degrees = float((squares / (squares + penalty)).sum()) + has_constant
    constant = float((treated - weights @ donors).mean()) if has_constant else 0.0
    residuals = treated - weights @ donors - constant
    n_used = int((weights >= _PRESENT).sum()) + has_constant
    rho = _rho(donors, residuals, n_used, has_constant)
    return Control(weights, constant, residuals, rho, longest, degrees)


def _ridge_rule(donors: Floats, treated: Floats, has_constant: bool) -> tuple[float, float]:
    """Give the length and the penalty that ``scpi`` takes from a regression without constraint.

    With few periods for the donors, those that a lasso keeps take part.
    """
    columns = np.vstack([donors, np.ones((int(has_constant), donors.shape[1]))]).T
    n = len(treated)
    if n <= columns.shape[1] + 10:
        size = np.abs(_lasso(donors, treated, has_constant))
        most = max(n - 10, 2)
        used = size > 1e-8
        if used.sum() >= most:
            used = np.argsort(np.argsort(-size, kind="stable")) < most
        columns = np.concatenate([donors[used].T, np.ones((n, int(has_constant)))], axis=1)
    found = np.linalg.lstsq(columns, treated, rcond=None)[0]
    spread = float(((treated - columns @ found) ** 2).sum()) / max(n - columns.shape[1], 1)
    squares = float(found @ found)
    penalty = spread * columns.shape[1] / squares
    return max(float(np.sqrt(squares)) / (1 + penalty), _SHORTEST), penalty


def _lasso(donors: Floats, treated: Floats, has_constant: bool) -> Floats:
    """Weights of either sign whose sizes add to one at most: a simplex on mirrored donors."""
    if has_constant:
        donors = donors - donors.mean(axis=1, keepdims=True)
        treated = treated - treated.mean()
    both = np.concatenate([donors, -donors, np.zeros((1, donors.shape[1]))])
    found = simplex_weights_exact(both, treated)
    return np.asarray(found[: len(donors)] - found[len(donors) : -1])


def _shortened(donors: Floats, treated: Floats, weights: Floats, longest: float) -> Floats:
    """Shrink weights to the length allowed: the least penalty on their squares that does it."""
    if float(np.linalg.norm(weights)) <= longest:
        return weights

    def penalised(log_penalty: float) -> Floats:
        more = np.exp(log_penalty / 2) * np.eye(len(donors))
        return simplex_weights_exact(
            np.concatenate([donors, more], axis=1),
            np.concatenate([treated, np.zeros(len(donors))]),
        )

    scale = float(np.log((donors**2).sum()))
    low, high = scale - 60.0, scale + 40.0
    for _ in range(70):
        middle = (low + high) / 2
        is_long = float(np.linalg.norm(penalised(middle))) > longest
        low, high = (middle, high) if is_long else (low, middle)
    return penalised(high)


def _local_length(control: Control) -> float:
    """Give the length that weights may have around those found, as ``scpi`` relaxes it."""
    longest = control.longest or 1.0
    squares = float(control.weights @ control.weights)
    near = min(2 * np.sqrt(squares) * control.rho, _RHO_MOST)
    # The reference compares the sum of squares with the length; so does this.
    relaxed = squares + control.rho if squares - longest > -near else longest
    return max(float(relaxed), float(np.sqrt(squares)))


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
    series: Series, control: Control, *, is_cointegrated: bool
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
    residuals, design, _ = error_designs(series, control, is_cointegrated=is_cointegrated)
    mean = design @ np.linalg.lstsq(design, residuals, rcond=None)[0]
    n = len(rows)
    variance = (residuals - mean) ** 2 * n / (n - min(control.degrees, n - 1))
    sigma = (rows.T * variance) @ rows / n**2
    sizes, vectors = np.linalg.eigh(sigma)
    root = (vectors * np.sqrt(np.maximum(sizes, 0))) @ vectors.T
    noise = np.random.default_rng(seed).standard_normal((n_sims, len(sigma))) @ root
    is_free = np.zeros(len(sigma), dtype=bool)
    is_free[len(control.weights) :] = True
    room = np.zeros(len(sigma))
    room[: len(control.weights)] = np.where(control.weights < control.rho, 0.0, control.weights)
    ball = None
    if control.longest is not None:
        beta = np.zeros(len(sigma))
        beta[: len(control.weights)] = control.weights
        ball = beta, _local_length(control)
    both = np.concatenate([targets, -targets])
    found = extremes(rows.T @ rows / n, noise, both, room, is_free, ball=ball)
    n_targets = len(targets)
    # p'(β − x) = −p'δ: its smallest value is the negative of the largest p'δ.
    return -found[:, :n_targets], found[:, n_targets:]
