"""Counterfactuals that can be refitted on arrays alone: weights on donors, means, factors.

Each takes treated series (one for each hypothesis) and the donors' series over the same periods,
and gives the treated series' residuals with *all* periods used in the fit, as an inference under
the null asks for (Chernozhukov, Wüthrich & Zhu 2021, doi:10.1080/01621459.2021.1920957, section 2).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cps.estimators._simplex import simplex_qp

Floats = NDArray[np.float64]
# (treated series, shape (n, n_periods); donors, shape (n_donors, n_periods)) -> residuals (n, n_periods)
Proxy = Callable[[Floats, Floats], Floats]
_MANY = 10


def simplex_weights_exact(donors: Floats, treated: Floats) -> Floats:
    """Find the weights, none negative and of sum one, whose mean of donors is nearest a series.

    Solved to rounding: the simplex constraint becomes one more row of a non-negative least-squares
    problem, since for weights ``s·w`` with ``w`` on the simplex ``s²|Mw|² + c²(s − 1)²`` has its
    minimum at the same ``w`` as ``|Mw|²``, whatever ``c``.

    Parameters
    ----------
    donors : ndarray, shape (n_donors, n_periods)
    treated : ndarray, shape (n_periods,)

    Returns
    -------
    ndarray, shape (n_donors,)
    """
    from scipy.optimize import nnls

    gaps = (donors - treated).T
    scale = float(np.sqrt((gaps**2).mean()))
    if scale == 0:
        return np.full(len(donors), 1 / len(donors))
    matrix = np.concatenate([gaps / scale, np.ones((1, len(donors)))])
    target = np.zeros(len(matrix))
    target[-1] = 1.0
    found, _ = nnls(matrix, target, maxiter=50 * len(donors))
    return np.asarray(found / found.sum())


def synthetic_control(treated: Floats, donors: Floats) -> Floats:
    """Residuals of the synthetic control: weights on the simplex, no intercept."""
    if len(treated) < _MANY:
        weights = np.array([simplex_weights_exact(donors, one) for one in treated])
    else:
        # Donors are the same in each problem: side by side on shared products is faster.
        level = donors.mean(axis=0)
        centred = donors - level
        weights = simplex_qp(
            (centred @ centred.T)[None],
            (treated - level) @ centred.T,
            np.ones((len(treated), len(donors)), dtype=bool),
        )
    return np.asarray(treated - weights @ donors)


def augmented_control(penalty: float, *, has_intercept: bool) -> Proxy:
    """Give the ridge-augmented synthetic control at a penalty that stays, as R ``augsynth`` has it."""

    def residuals(treated: Floats, donors: Floats) -> Floats:
        if has_intercept:
            treated = treated - treated.mean(axis=1, keepdims=True)
            donors = donors - donors.mean(axis=1, keepdims=True)
        left = synthetic_control(treated, donors)
        columns = donors - donors.mean(axis=0)
        gram = columns @ columns.T + penalty * np.eye(len(columns))
        more = np.linalg.solve(gram, columns @ left.T).T
        return np.asarray(left - more @ columns)

    return residuals


def difference_in_differences(treated: Floats, donors: Floats) -> Floats:
    """Residuals of the donors' mean, shifted by the mean gap."""
    gap = treated - donors.mean(axis=0)
    return np.asarray(gap - gap.mean(axis=1, keepdims=True))


def demeaned_control(treated: Floats, donors: Floats) -> Floats:
    """Residuals of the synthetic control with an intercept."""
    return synthetic_control(
        treated - treated.mean(axis=1, keepdims=True),
        donors - donors.mean(axis=1, keepdims=True),
    )


def constrained_lasso(treated: Floats, donors: Floats) -> Floats:
    """Residuals of a regression on donors with intercept, weights' sizes adding to one at most."""
    centred = donors - donors.mean(axis=1, keepdims=True)
    # A weight of either sign is one on the donor or on its mirror image; the rest lies on zero.
    both = np.concatenate([centred, -centred, np.zeros((1, donors.shape[1]))])
    return synthetic_control(treated - treated.mean(axis=1, keepdims=True), both)


def factor_model(n_factors: int) -> Proxy:
    """Give a proxy with the donors' ``n_factors`` factors, two-way effects, loadings by regression."""

    def residuals(treated: Floats, donors: Floats) -> Floats:
        level = donors.mean(axis=0)
        both = donors - level - donors.mean(axis=1, keepdims=True) + level.mean()
        factors = np.linalg.svd(both, full_matrices=False)[2][:n_factors]
        basis = np.linalg.qr(np.vstack([np.ones(donors.shape[1]), factors]).T)[0]
        gap = treated - level
        return np.asarray(gap - (gap @ basis) @ basis.T)

    return residuals


def low_rank(penalty: float) -> Proxy:
    """Give a proxy that shrinks the singular values of all series by ``penalty``, two-way effects."""

    def residuals(treated: Floats, donors: Floats) -> Floats:
        found = np.empty_like(treated)
        for place, one in enumerate(treated):
            all_of_them = np.vstack([one, donors])
            rows = all_of_them.mean(axis=1, keepdims=True)
            both = all_of_them - rows - all_of_them.mean(axis=0) + all_of_them.mean()
            left, sizes, right = np.linalg.svd(both, full_matrices=False)
            kept = np.maximum(sizes - penalty, 0)
            found[place] = both[0] - (left[0] * kept) @ right
        return found

    return residuals
