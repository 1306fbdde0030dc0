"""Two-by-two comparisons with covariates on a panel, many periods at once.

Sant'Anna & Zhao (2020), J. Econometrics 219(1), doi:10.1016/j.jeconom.2020.06.003; conventions of
R ``DRDID`` (``drdid_panel``, ``reg_did_panel``, ``std_ipw_did_panel``, ``drdid_imp_panel``).
"""

from __future__ import annotations

import numpy as np

from cps.estimators._drdid_parts import (
    Unfit,
    calibrated_scores,
    inverted,
    least_squares,
    require_overlap,
    scores,
    trimmed,
)
from cps.estimators._group_cells import Floats

METHODS = ("doubly_robust", "regression", "ipw", "improved")


def panel_effects(
    method: str, change: Floats, is_treated: Floats, x: Floats, weight: Floats, *, is_plain: bool
) -> tuple[Floats, Floats]:
    """Estimate the effect on the treated from changes of the outcome.

    Parameters
    ----------
    method : str
        One of ``METHODS``.
    change : ndarray, shape (n, m)
        Outcome less base period, for ``m`` pairs of periods that share everything else.
    is_treated : ndarray of 0 and 1, shape (n,)
    x : ndarray, shape (n, k)
        Covariates, the constant among them.
    weight : ndarray, shape (n,), positive
    is_plain : bool
        True where all weights are alike: one logit serves the check of overlap and the weights.

    Returns
    -------
    att : ndarray, shape (m,)
    influence : ndarray, shape (n, m)
        What each unit adds to the error of ``att``: the variance is its sum of squares.

    Raises
    ------
    Unfit
        If the covariates tell the treated from the rest, or can't be fitted.
    """
    if method != "regression":
        if is_plain:
            probability = scores(x, is_treated, weight)
            if float(probability.max()) >= 0.999:
                raise Unfit("overlap")
        else:
            require_overlap(x, is_treated)
            probability = scores(x, is_treated, weight)
    if method == "regression":
        return _regression(change, is_treated, x, weight)
    if method == "ipw":
        return _ipw(change, is_treated, x, weight, probability)
    if method == "improved":
        return _improved(change, is_treated, x, weight)
    return _doubly_robust(change, is_treated, x, weight, probability)


def _regression(
    change: Floats, is_treated: Floats, x: Floats, weight: Floats
) -> tuple[Floats, Floats]:
    of_control = weight * (1 - is_treated)
    beta, inverse = least_squares(x, change, of_control)
    residual = change - x @ beta
    of_treated = weight * is_treated
    size = of_treated.sum()
    att = of_treated @ residual / size
    influence = of_treated[:, None] * (change - of_treated @ change / size) / size
    predicted = x @ beta
    influence -= of_treated[:, None] * (predicted - of_treated @ predicted / size) / size
    lever = x @ (inverse @ (of_treated @ x)) / size
    influence -= (of_control * lever)[:, None] * residual
    return att, influence


def _ipw(
    change: Floats, is_treated: Floats, x: Floats, weight: Floats, probability: Floats
) -> tuple[Floats, Floats]:
    safe, keep = trimmed(probability, is_treated)
    of_treated = keep * weight * is_treated
    of_control = keep * weight * (1 - is_treated) * safe / (1 - safe)
    n_treated, n_control = _sizes(of_treated, of_control)
    gain, other = of_treated @ change / n_treated, of_control @ change / n_control
    influence = of_treated[:, None] * (change - gain) / n_treated
    influence -= of_control[:, None] * (change - other) / n_control
    influence -= _of_scores(of_control[:, None] * (change - other), is_treated, x, weight, safe) / (
        n_control
    )
    return gain - other, influence


def _doubly_robust(
    change: Floats, is_treated: Floats, x: Floats, weight: Floats, probability: Floats
) -> tuple[Floats, Floats]:
    safe, keep = trimmed(probability, is_treated)
    regressed = weight * (1 - is_treated)
    beta, inverse = least_squares(x, change, regressed)
    residual = change - x @ beta
    of_treated = keep * weight * is_treated
    of_control = keep * weight * (1 - is_treated) * safe / (1 - safe)
    n_treated, n_control = _sizes(of_treated, of_control)
    gain, other = of_treated @ residual / n_treated, of_control @ residual / n_control
    influence = of_treated[:, None] * (residual - gain) / n_treated
    kept = of_control[:, None] * (residual - other)
    influence -= kept / n_control
    influence -= _of_scores(kept, is_treated, x, weight, safe) / n_control
    mean = of_treated @ x / n_treated - of_control @ x / n_control
    influence -= (regressed * (x @ (inverse @ mean)))[:, None] * residual
    return gain - other, influence


def _improved(
    change: Floats, is_treated: Floats, x: Floats, weight: Floats
) -> tuple[Floats, Floats]:
    safe, keep = trimmed(calibrated_scores(x, is_treated, weight), is_treated)
    odds = safe / (1 - safe)
    beta, _ = least_squares(x, change, weight * (1 - is_treated) * odds)
    residual = change - x @ beta
    of_treated = keep * weight * is_treated
    of_control = keep * weight * (1 - is_treated) * odds
    n_treated, n_control = _sizes(of_treated, of_control)
    att = of_treated @ residual / n_treated - of_control @ residual / n_control
    # Scores and regression are fitted so that their errors do not matter: no further terms.
    signed = of_treated - of_control
    influence = (signed[:, None] * residual - of_treated[:, None] * att) / (weight @ is_treated)
    return att, influence


def _sizes(of_treated: Floats, of_control: Floats) -> tuple[float, float]:
    if not of_control.sum() > 0:
        raise Unfit("overlap")
    return float(of_treated.sum()), float(of_control.sum())


def _of_scores(
    kept: Floats, is_treated: Floats, x: Floats, weight: Floats, probability: Floats
) -> Floats:
    """Give what the estimation of the scores adds, shape (n, m), before division by the size."""
    curvature = weight * probability * (1 - probability)
    inverse = inverted((x * curvature[:, None]).T @ x, "singular")
    moved = x @ (inverse @ (x.T @ kept))
    return np.asarray((weight * (is_treated - probability))[:, None] * moved)
