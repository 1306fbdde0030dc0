"""Do values crowd just above a level? Counts beside it, and the mass in excess of a smooth fit."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cps.errors import DesignError, Text
from cps.indicators.record import FloatArray

WINDOW = 0.10
FEWEST_VALUES = 60  # below, a fitted density says more of its degree than of the values
ORDER = 2
REACH = 6  # bins fitted on each side beyond the one beside the level


@dataclass(frozen=True, slots=True)
class Beside:
    """Values within a narrow window around a level.

    Parameters
    ----------
    cells_below, cells_above : int
        Values in the window; a value on the level counts above.
    units_below, units_above : int
        Units that stand more often below, more often above: each counts once.
    p_value : float
        One-sided sign test that units stand above as often as below.
    """

    cells_below: int
    cells_above: int
    units_below: int
    units_above: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Excess:
    """Mass just above a level beyond what a smooth distribution would have there.

    Parameters
    ----------
    excess : float
        Values just above the level, less those expected there.
    excess_ratio : float or None
        ``excess ÷ expected``; None where nothing is expected.
    missing : float
        Values expected just below, less those there.
    observed, expected : float
        Just above.
    low, high : float or None
        Interval of ``excess`` by drawing units with all their values.
    centres, counts, fitted : tuple
        The histogram by distance from the level, as a share of it, and the fit.
    n_values, n_units : int
    """

    excess: float
    excess_ratio: float | None
    missing: float
    observed: float
    expected: float
    low: float | None
    high: float | None
    centres: tuple[float, ...]
    counts: tuple[float, ...]
    fitted: tuple[float, ...]
    n_values: int
    n_units: int


def count_beside(
    values: ArrayLike,
    level: float,
    *,
    cells: NDArray[np.bool_] | None = None,
    window: float = WINDOW,
) -> Beside:
    """Count values, and units, within ``window`` (a share of the level) on either side of it.

    Within a narrow window a smooth distribution puts a unit above as likely as below (Cattaneo,
    Jansson & Ma 2020, doi:10.1080/01621459.2019.1635480; Frandsen 2017,
    doi:10.1108/S0731-905320170000038012). Years of one unit are not independent, so each unit counts
    once, by the side on which it stands more often.

    Parameters
    ----------
    values : array_like, shape (n_units, n_periods)
        NaN is not reported.
    level : float
        Above 0.
    cells : ndarray of bool, shape (n_units, n_periods), optional
        Which of them to look at.
    """
    array = np.asarray(values, dtype=float)
    looked = np.ones(array.shape, dtype=bool) if cells is None else cells
    distance = array / level - 1
    with np.errstate(invalid="ignore"):
        above = looked & (distance >= 0) & (distance < window)
        below = looked & (distance < 0) & (distance >= -window)
    lead = above.sum(axis=1) - below.sum(axis=1)
    n_above, n_below = int((lead > 0).sum()), int((lead < 0).sum())
    n = n_above + n_below
    p_value = sum(comb(n, k) for k in range(n_above, n + 1)) / 2**n
    return Beside(int(below.sum()), int(above.sum()), n_below, n_above, p_value)


def excess_mass(
    values: ArrayLike,
    level: float,
    *,
    window: float = WINDOW,
    order: int = ORDER,
    reach: int = REACH,
    confidence: float = 0.95,
    draws: int = 499,
    seed: int = 0,
) -> Excess:
    """Estimate how many values stand just above a level beyond a smooth fit.

    Values are counted in bins ``window`` wide (in logs, counted from the level); a polynomial is
    fitted to the bins but for the one just above and the one just below, and what the first has
    beyond the fit is the excess, what the second lacks is missing (Chetty et al. 2011; Kleven 2016).
    The interval draws units with all their values, since years of one unit are not independent.

    Parameters
    ----------
    values : array_like, shape (n_units, n_periods)
        NaN is not reported; values that are not positive are outside the range.
    level : float
        Above 0.
    window : float
        Width of a bin as a share of the level.
    order : int
        Degree of the polynomial.
    reach : int
        Bins fitted on each side.
    confidence : float
    draws, seed : int

    Returns
    -------
    Excess

    Raises
    ------
    DesignError
        With fewer than 60 values in range, or fewer bins than the polynomial takes.

    References
    ----------
    Chetty, R., Friedman, J. N., Olsen, T. & Pistaferri, L. (2011). Quarterly Journal of Economics
    126(2), 749–804. doi:10.1093/qje/qjr013
    Kleven, H. J. (2016). Bunching. Annual Review of Economics 8, 435–464.
    doi:10.1146/annurev-economics-080315-015234
    """
    array = np.asarray(values, dtype=float)
    array = array[:, None] if array.ndim == 1 else array
    edges = np.arange(-reach - 1, reach + 2)
    by_unit = _histograms(array, level, np.log1p(window), edges)
    counts = by_unit.sum(axis=0)
    n_values = int(counts.sum())
    if n_values < FEWEST_VALUES or 2 * reach <= order + 1:
        raise DesignError(
            Text(
                f"门槛附近只有 {n_values} 个数，无法拟合平滑分布",
                f"{n_values} values are near the level: too few for a smooth fit",
            ),
            where=f"excess_mass(level={level:g})",
            mend=Text(
                f"至少要 {FEWEST_VALUES} 个；可合并多年，或只看两侧计数（count_beside）",
                f"it takes {FEWEST_VALUES}; pool years, or look at the counts alone (count_beside)",
            ),
        )
    fitter, design = _fitter(edges, order)
    fitted = design @ (fitter @ counts)
    below, above = reach, reach + 1
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(by_unit), np.full(len(by_unit), 1 / len(by_unit)), size=draws)
    drawn = weights @ by_unit
    expected = drawn @ (design[above] @ fitter)
    low, high = np.quantile(
        drawn[:, above] - expected, [(1 - confidence) / 2, (1 + confidence) / 2]
    )
    excess = float(counts[above] - fitted[above])
    centres = np.expm1((edges[:-1] + 0.5) * np.log1p(window))
    return Excess(
        excess=excess,
        excess_ratio=excess / float(fitted[above]) if fitted[above] > 0 else None,
        missing=float(fitted[below] - counts[below]),
        observed=float(counts[above]),
        expected=float(fitted[above]),
        low=float(low),
        high=float(high),
        centres=tuple(centres.tolist()),
        counts=tuple(counts.tolist()),
        fitted=tuple(fitted.tolist()),
        n_values=n_values,
        n_units=int((by_unit.sum(axis=1) > 0).sum()),
    )


def _histograms(
    array: FloatArray, level: float, width: float, edges: NDArray[np.int64]
) -> FloatArray:
    """Count each unit's values by bin, shape (n_units, n_bins)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        place = np.floor(np.log(array / level) / width)
    inside = np.isfinite(place) & (place >= edges[0]) & (place < edges[-1])
    rows, columns = np.nonzero(inside)
    counts = np.zeros((array.shape[0], edges.size - 1))
    np.add.at(counts, (rows, place[rows, columns].astype(int) - edges[0]), 1.0)
    return counts


def _fitter(edges: NDArray[np.int64], order: int) -> tuple[FloatArray, FloatArray]:
    """Give the least-squares map from counts to coefficients, blind to the two bins at the level."""
    places = (edges[:-1] + 0.5) / edges[-1]
    design = np.vander(places, order + 1)
    used = (edges[:-1] != 0) & (edges[:-1] != -1)
    fitter = np.zeros((order + 1, places.size))
    fitter[:, used] = np.linalg.pinv(design[used])
    return fitter, design
