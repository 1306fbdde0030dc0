"""Logit, calibrated odds and weighted least squares for two-by-two comparisons with covariates."""

from __future__ import annotations

import numpy as np

from cps.estimators._group_cells import Floats

# The conventions of R's DRDID: scores above this are no basis for a comparison unit's weight,
# and none may come so near to one that its odds are no number.
TRIM = 0.995
_ALMOST_ONE = 1 - 1e-6
OVERLAP = 0.999
_ROUNDS = 100
_EPSILON = float(np.finfo(float).eps)


class Unfit(ValueError):
    """A comparison that can't be made; ``args[0]`` is ``overlap``, ``controls`` or ``singular``."""


def least_squares(x: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Fit weighted least squares.

    Parameters
    ----------
    x : ndarray, shape (n, k)
    y : ndarray, shape (n, m)
    weight : ndarray, shape (n,)

    Returns
    -------
    coefficients : ndarray, shape (k, m)
    inverse : ndarray, shape (k, k)
        Of ``x' W x``.

    Raises
    ------
    Unfit
        If ``x' W x`` is singular in double precision.
    """
    weighted = x * weight[:, None]
    inverse = inverted(weighted.T @ x, "controls")
    # By QR of the scaled rows: the normal equations would lose half of the digits.
    root = np.sqrt(weight)[:, None]
    used = np.flatnonzero(weight > 0)
    basis, triangle = np.linalg.qr(x[used] * root[used])
    coefficients = np.linalg.solve(triangle, basis.T @ (y[used] * root[used]))
    return np.asarray(coefficients, dtype=np.float64), inverse


def inverted(matrix: Floats, reason: str) -> Floats:
    """Invert a symmetric matrix, or say that it is singular in double precision."""
    size = np.abs(matrix).sum(axis=0).max()
    if not 0 < size < np.inf:
        raise Unfit(reason)
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        raise Unfit(reason) from None
    # The reciprocal condition, as R's rcond estimates it.
    if not 1.0 / (size * np.abs(inverse).sum(axis=0).max()) >= _EPSILON:
        raise Unfit(reason)
    return np.asarray((inverse + inverse.T) / 2)


def scores(x: Floats, is_treated: Floats, weight: Floats) -> Floats:
    """Fit a logit by maximum likelihood and give its probabilities, shape (n,).

    Raises
    ------
    Unfit
        If it has no maximum or the covariates are collinear.
    """
    fitted = np.where(is_treated > 0, np.log(3.0), -np.log(3.0))  # as R's glm begins
    probability = 1.0 / (1.0 + np.exp(-fitted))
    deviance = np.inf
    for _ in range(_ROUNDS):
        curvature = probability * (1 - probability)
        if not (curvature > 0).all():
            raise Unfit("overlap")
        weighted = x * (weight * curvature)[:, None]
        gram = weighted.T @ x
        # Once scores approach 0 and 1 the matrix says no more of the covariates, but of overlap.
        inverse = inverted(gram, "overlap" if np.isfinite(deviance) else "singular")
        if np.isfinite(deviance):
            fitted = fitted + x @ (inverse @ (x.T @ (weight * (is_treated - probability))))
        else:
            working = fitted + (is_treated - probability) / curvature
            fitted = x @ (inverse @ (weighted.T @ working))
        probability = 1.0 / (1.0 + np.exp(-np.clip(fitted, -700, 700)))
        new = 2.0 * float(weight @ np.logaddexp(0.0, np.where(is_treated > 0, -fitted, fitted)))
        if abs(deviance - new) <= 1e-13 * (abs(new) + 0.1):
            return probability
        deviance = new
    return probability


def calibrated_scores(x: Floats, is_treated: Floats, weight: Floats) -> Floats:
    """Give probabilities whose odds balance the covariates exactly, shape (n,).

    Inverse probability tilting: Graham, Pinto & Egel (2012), doi:10.1093/restud/rdr047, as in the
    improved estimator of Sant'Anna & Zhao (2020).

    Raises
    ------
    Unfit
        If no odds balance them.
    """
    wanted = x.T @ (weight * is_treated)
    rest = weight * (1 - is_treated)
    start = scores(x, is_treated, weight)
    start = np.clip(start, 1e-10, 1 - 1e-10)
    found, *_ = np.linalg.lstsq(x, np.log(start / (1 - start)), rcond=None)
    gamma = np.asarray(found, dtype=np.float64)
    value = -np.inf
    for _ in range(_ROUNDS):
        odds = np.exp(x @ gamma)
        gradient = wanted - x.T @ (rest * odds)
        inverse = inverted((x * (rest * odds)[:, None]).T @ x, "overlap")
        step = inverse @ gradient
        value = _tilt(x, gamma, wanted, rest)
        for _ in range(60):
            if _tilt(x, gamma + step, wanted, rest) >= value - 1e-12 * abs(value):
                break
            step = step / 2
        gamma = gamma + step
        if np.abs(step).max() <= 1e-13 * (1 + np.abs(gamma).max()):
            break
    else:
        off = np.abs(wanted - x.T @ (rest * np.exp(x @ gamma)))
        if off.max() > 1e-6 * np.abs(wanted).max():
            raise Unfit("overlap")
    odds = np.exp(x @ gamma)
    return np.asarray(odds / (1 + odds))


def _tilt(x: Floats, gamma: Floats, wanted: Floats, rest: Floats) -> float:
    with np.errstate(over="ignore"):
        value = float(wanted @ gamma - rest @ np.exp(x @ gamma))
    return value if np.isfinite(value) else -np.inf


def require_overlap(x: Floats, is_treated: Floats) -> None:
    """Refuse where a plain logit tells the treated from the rest (R ``did``: 0.999 and above)."""
    if float(scores(x, is_treated, np.ones(len(x))).max()) >= OVERLAP:
        raise Unfit("overlap")


def trimmed(probability: Floats, is_treated: Floats) -> tuple[Floats, Floats]:
    """Give the probabilities below one, and 1 for units kept, both of shape (n,)."""
    probability = np.minimum(probability, _ALMOST_ONE)
    keep = np.where(is_treated > 0, True, probability < TRIM)
    return probability, keep.astype(float)
