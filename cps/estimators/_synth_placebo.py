"""Placebo inference of synthetic control by the ratio of prediction errors after and before.

Abadie, Diamond & Hainmueller (2010, 2015); the interval inverts the same test under effects that do
not change over time: Firpo & Possebom (2018), J. Causal Inference 6(2), doi:10.1515/jci-2016-0026.

Inverted, the ratio test turns a placebo's error after the start into a bound, blown up as many times
as that placebo was followed more closely before it. Where a placebo is followed almost perfectly,
with as many donors as periods, its fit is no measure of noise, and bounds explode: :func:`blown_up`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._synth_gaps import Calendar, Gaps

# A placebo followed this many times more closely than the treated, both beside their own movement, has
# been followed by chance and not for being quieter; in the published studies it is two to five times.
MOST_BLOWN_UP = 10.0
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
    place = governing(ratios, level)
    if place is None or not np.isfinite(ratios).all() or before <= 0:
        return None
    square = float(ratios[place]) * before - (after - att**2)
    if square < 0:
        return None
    return att - float(np.sqrt(square)), att + float(np.sqrt(square))


def governing(ratios: Floats, level: float) -> int | None:
    """Give the place of the placebo whose ratio bounds the interval; None if there are too few."""
    n_rejecting = int(np.floor((1 - level) * (1 + len(ratios)) + 1e-9))
    return int(np.argsort(ratios, kind="stable")[-n_rejecting]) if n_rejecting >= 1 else None


def movement(y: Floats, starts: Floats, calendar: Calendar, variance: float) -> Floats:
    """Give the variance over the periods before of what is treated: shape (n,).

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods)
    starts : ndarray, shape (n, n_units)
    variance : float
        Of the outcome; what moves less than its rounding counts as moving by that.
    """
    total, count = np.zeros(len(starts)), np.zeros(len(starts))
    for g, pre in zip(calendar.cohorts, calendar.is_pre, strict=True):
        members = (starts == g).astype(float)
        size = members.sum(axis=1)
        path = members @ y[:, pre] / np.maximum(size, 1)[:, None]
        total += size * pre.sum() * path.var(axis=1)
        count += size * pre.sum()
    return np.maximum(total / count, _ROUNDING * variance)


def blown_up(pre: tuple[float, float], moves: tuple[float, float]) -> float:
    """Give how many times more closely a placebo was followed before than the treated.

    The lesser of two ratios of root mean squared errors: as they are, and beside each one's own
    movement, so that a large unit's larger errors blow up nothing. Above ``MOST_BLOWN_UP`` a bound
    that rests on this placebo says nothing.

    Parameters
    ----------
    pre, moves : tuple of float
        Of the treated, and of the placebo: squared errors and variances.
    """
    plain = pre[0] / pre[1]
    return float(np.sqrt(min(plain, plain * moves[1] / moves[0])))
