"""Two-by-two comparisons of repeated cross-sections, or of panels with gaps.

Sant'Anna & Zhao (2020), doi:10.1016/j.jeconom.2020.06.003; conventions of R ``DRDID``
(``drdid_rc``, ``reg_did_rc``, ``std_ipw_did_rc``, ``drdid_imp_rc``).
"""

from __future__ import annotations

import numpy as np

from cps.estimators._drdid_parts import (
    Unfit,
    calibrated_scores,
    inverted,
    least_squares,
    scores,
    trimmed,
)
from cps.estimators._group_cells import Floats


def section_effect(
    method: str,
    y: Floats,
    *,
    is_after: Floats,
    is_treated: Floats,
    x: Floats,
    weight: Floats,
) -> tuple[float, Floats]:
    """Estimate the effect on the treated from separate samples before and after.

    Parameters
    ----------
    method : str
        As in :func:`cps.estimators._drdid_panel.panel_effects`.
    y, is_after, is_treated, weight : ndarray, shape (n,)
        One entry for each observation; 0 and 1 for the flags.
    x : ndarray, shape (n, k)
        Covariates as observed then, the constant among them.

    Returns
    -------
    att : float
    influence : ndarray, shape (n,)
        What each observation adds to the error of ``att``.

    Raises
    ------
    Unfit
        If the covariates tell the treated from the rest, or can't be fitted.
    """
    if method == "regression" or x.shape[1] == 1:
        # With nothing but a constant all methods are the same difference of four means.
        return _regression(y, is_after, is_treated, x, weight)
    if method == "ipw":
        return _ipw(y, is_after, is_treated, x, weight)
    return _doubly_robust(y, is_after, is_treated, x, weight, is_improved=method == "improved")


def _regression(
    y: Floats, is_after: Floats, is_treated: Floats, x: Floats, weight: Floats
) -> tuple[float, Floats]:
    everyone = weight * is_treated
    whole = everyone.sum()
    att = 0.0
    influence = np.zeros(len(y))
    predicted = np.zeros(len(y))
    for sign, side in ((1.0, is_after), (-1.0, 1 - is_after)):
        of_treated, of_control = everyone * side, weight * (1 - is_treated) * side
        gain = of_treated @ y / of_treated.sum()
        beta, inverse = least_squares(x, y[:, None], of_control)
        fitted = x @ beta[:, 0]
        lever = x @ (inverse @ (everyone @ x)) / whole
        att += sign * (gain - everyone @ fitted / whole)
        influence += sign * of_treated * (y - gain) / of_treated.sum()
        influence -= sign * of_control * (y - fitted) * lever
        predicted += sign * fitted
    influence -= everyone * (predicted - everyone @ predicted / whole) / whole
    return float(att), influence


def _ipw(
    y: Floats, is_after: Floats, is_treated: Floats, x: Floats, weight: Floats
) -> tuple[float, Floats]:
    safe, keep = trimmed(scores(x, is_treated, weight), is_treated)
    att = 0.0
    influence = np.zeros(len(y))
    moved = np.zeros(x.shape[1])
    for sign, side in ((1.0, is_after), (-1.0, 1 - is_after)):
        of_treated = keep * weight * is_treated * side
        of_control = keep * weight * (1 - is_treated) * side * safe / (1 - safe)
        n_treated, n_control = of_treated.sum(), _size(of_control)
        gain, other = of_treated @ y / n_treated, of_control @ y / n_control
        att += sign * (gain - other)
        influence += sign * of_treated * (y - gain) / n_treated
        influence -= sign * of_control * (y - other) / n_control
        moved += sign * (x.T @ (of_control * (y - other))) / n_control
    influence -= _of_scores(moved, is_treated, x, weight, safe)
    return float(att), influence


def _doubly_robust(
    y: Floats,
    is_after: Floats,
    is_treated: Floats,
    x: Floats,
    weight: Floats,
    *,
    is_improved: bool,
) -> tuple[float, Floats]:
    """Fit the locally efficient estimator, equation (3.4) of the paper."""
    fit = calibrated_scores if is_improved else scores
    safe, keep = trimmed(fit(x, is_treated, weight), is_treated)
    odds = safe / (1 - safe)
    everyone = keep * weight * is_treated
    whole = everyone.sum()
    att = 0.0
    influence = np.zeros(len(y))
    moved = np.zeros(x.shape[1])
    for sign, side in ((1.0, is_after), (-1.0, 1 - is_after)):
        regressed = weight * (1 - is_treated) * side * (odds if is_improved else 1.0)
        beta, inverse = least_squares(x, y[:, None], regressed)
        of_hosts = weight * is_treated * side
        own_beta, own_inverse = least_squares(x, y[:, None], of_hosts)
        fitted = x @ beta[:, 0]
        gap = x @ own_beta[:, 0] - fitted
        residual = y - fitted
        of_treated = everyone * side
        of_control = keep * weight * (1 - is_treated) * side * odds
        n_treated, n_control = of_treated.sum(), _size(of_control)
        gain, other = of_treated @ residual / n_treated, of_control @ residual / n_control
        over_all, over_side = everyone @ gap / whole, of_treated @ gap / n_treated
        att += sign * (gain - other + over_all - over_side)
        influence += sign * of_treated * (residual - gain) / n_treated
        influence -= sign * of_control * (residual - other) / n_control
        influence += sign * everyone * (gap - over_all) / whole
        influence -= sign * of_treated * (gap - over_side) / n_treated
        if is_improved:
            continue
        moved += sign * (x.T @ (of_control * (residual - other))) / n_control
        means = everyone @ x / whole - of_treated @ x / n_treated
        own_lever, lever = x @ (own_inverse @ means), x @ (inverse @ means)
        influence += sign * of_hosts * (y - x @ own_beta[:, 0]) * own_lever
        influence -= sign * regressed * residual * lever
        # The sign of the period belongs here, as the derivative has it; published versions of R
        # DRDID add both periods with one sign. Point estimates are the same.
        apart = x @ (inverse @ (of_treated @ x / n_treated - of_control @ x / n_control))
        influence -= sign * regressed * residual * apart
    if not is_improved:
        influence -= _of_scores(moved, is_treated, x, weight, safe)
    return float(att), influence


def _size(of_control: Floats) -> float:
    if not of_control.sum() > 0:
        raise Unfit("overlap")
    return float(of_control.sum())


def _of_scores(
    moved: Floats, is_treated: Floats, x: Floats, weight: Floats, probability: Floats
) -> Floats:
    curvature = weight * probability * (1 - probability)
    inverse = inverted((x * curvature[:, None]).T @ x, "singular")
    return np.asarray(weight * (is_treated - probability) * (x @ (inverse @ moved)))
