"""Placebo inference of synthetic control by the ratio of prediction errors after and before.

Abadie, Diamond & Hainmueller (2010, 2015); the interval inverts the same test under effects that do
not change over time: Firpo & Possebom (2018), J. Causal Inference 6(2), doi:10.1515/jci-2016-0026.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._synth_gaps import Calendar, Gaps

_ROUNDING = 1e-10  # of the variance: a hundred-thousandth of the standard deviation

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Errors:
    """Mean squared prediction errors before and after, shape (n,)."""

    pre: Floats
    post: Floats

    @property
    def ratio(self) -> Floats:
        """After over before; infinity for a perfect fit before."""
        return np.divide(
            self.post, self.pre, out=np.full(len(self.pre), np.inf), where=self.pre > 0
        )


def prediction_errors(gaps: Gaps, calendar: Calendar, variance: float) -> Errors:
    """Average squared gaps over cohorts by their treated units and periods.

    A fit that is perfect but for rounding, beside the outcome's ``variance``, has a floor: such
    units are ranked by what comes after, not by their rounding errors.
    """
    before, after = (_squares(gaps, keep) for keep in (calendar.is_pre, calendar.is_post))
    return Errors(np.maximum(before, _ROUNDING * variance), after)


def _squares(gaps: Gaps, keep: Booleans) -> Floats:
    weight = gaps.sizes * keep.sum(axis=1)
    cells = ((gaps.gaps**2) * keep).sum(axis=2) * gaps.sizes
    return np.asarray(cells.sum(axis=1) / weight.sum(axis=1))


def rank_p_value(statistic: float, placebos: Floats) -> float:
    """Share of statistics at least as large, the treated one counted among them."""
    # Statistics that are the same but for rounding are ties.
    return float((1 + (placebos >= statistic * (1 - 1e-12)).sum()) / (1 + len(placebos)))


def inverted_interval(
    att: float, own: tuple[float, float], ratios: Floats, level: float
) -> tuple[float, float] | None:
    """Give all constant effects that the ratio test does not reject.

    Parameters
    ----------
    own : tuple of float
        The treated units' errors before and after.
    ratios : ndarray, shape (n_placebos,)

    Returns
    -------
    tuple of float, or None
        None where there are too few placebos for a bound, or where no constant effect is left.
    """
    before, after = own
    n_rejecting = int(np.floor((1 - level) * (1 + len(ratios)) + 1e-9))
    if n_rejecting < 1 or not np.isfinite(ratios).all() or before <= 0:
        return None
    bound = float(np.sort(ratios)[-n_rejecting])
    square = bound * before - (after - att**2)
    if square < 0:
        return None
    return att - float(np.sqrt(square)), att + float(np.sqrt(square))
