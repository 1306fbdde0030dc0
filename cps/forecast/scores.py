"""How good predictive draws were: calibration, sharpness, and proper scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cps.indicators.intervals import interval_of_share

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts of one range of probabilities: what was said and what happened.

    Parameters
    ----------
    lower, upper : float
        The range, upper end excluded but for 1.
    n : int
    mean_probability, share_happened : float or None
        None in an empty bin.
    low, high : float or None
        Wilson's 95% interval of ``share_happened``, as if cases were independent.
    """

    lower: float
    upper: float
    n: int
    mean_probability: float | None
    share_happened: float | None
    low: float | None = None
    high: float | None = None


def crps(draws: ArrayLike, truth: ArrayLike) -> Floats:
    r"""Give the continuous ranked probability score of predictive draws, the smaller the better.

    .. math:: \mathrm{CRPS} = E|X - y| - \tfrac12 E|X - X'|

    Parameters
    ----------
    draws : array_like, shape (n_draws, n_cases)
    truth : array_like, shape (n_cases,)

    Returns
    -------
    ndarray, shape (n_cases,), in the unit of ``truth``

    References
    ----------
    Gneiting, T. & Raftery, A. E. (2007). Strictly proper scoring rules, prediction, and estimation.
    Journal of the American Statistical Association 102, 359–378, doi:10.1198/016214506000001437.

    Examples
    --------
    >>> crps([[3.0]], [5.0]).tolist()
    [2.0]
    """
    ordered = np.sort(np.asarray(draws, dtype=float), axis=0)
    n = len(ordered)
    miss = np.abs(ordered - np.asarray(truth, dtype=float)).mean(axis=0)
    ranks = 2 * np.arange(1, n + 1) - n - 1
    return np.asarray(miss - (ranks[:, None] * ordered).sum(axis=0) / n**2)


def pit(draws: ArrayLike, truth: ArrayLike) -> Floats:
    """Give where the truth fell among the draws, 0 to 1: uniform if the forecasts are calibrated.

    Ties count half.

    References
    ----------
    Dawid, A. P. (1984). Statistical theory: the prequential approach. Journal of the Royal
    Statistical Society A 147, 278–292, doi:10.2307/2981683.
    """
    given, at = np.asarray(draws, dtype=float), np.asarray(truth, dtype=float)
    return np.asarray((given < at).mean(axis=0) + (given == at).mean(axis=0) / 2)


def brier(probabilities: ArrayLike, happened: ArrayLike) -> float | None:
    """Give the mean squared difference of probabilities and outcomes; None without cases.

    References
    ----------
    Brier, G. W. (1950). Verification of forecasts expressed in terms of probability. Monthly Weather
    Review 78, 1–3, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.

    Examples
    --------
    >>> round(brier([0.7, 0.9, 0.8, 0.4], [0, 1, 1, 1]), 4)
    0.225
    """
    said = np.asarray(probabilities, dtype=float)
    if said.size == 0:
        return None
    return float(((said - np.asarray(happened, dtype=float)) ** 2).mean())


def reliability(
    probabilities: ArrayLike,
    happened: ArrayLike,
    edges: tuple[float, ...] = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0),
) -> tuple[Bin, ...]:
    """Set what was said against what happened, by ranges of probability.

    References
    ----------
    Murphy, A. H. & Winkler, R. L. (1977). Reliability of subjective probability forecasts of
    precipitation and temperature. Applied Statistics 26, 41–47, doi:10.2307/2346866.
    """
    said = np.asarray(probabilities, dtype=float)
    came = np.asarray(happened, dtype=float)
    place = np.clip(np.searchsorted(edges, said, side="right") - 1, 0, len(edges) - 2)
    bins = []
    for one in range(len(edges) - 1):
        inside = place == one
        n = int(inside.sum())
        if not n:
            bins.append(Bin(edges[one], edges[one + 1], 0, None, None))
            continue
        ends = interval_of_share(int(came[inside].sum()), n, level=0.95)
        bins.append(
            Bin(
                edges[one],
                edges[one + 1],
                n,
                float(said[inside].mean()),
                float(came[inside].mean()),
                (ends.low or 0.0) / 100,
                (100.0 if ends.high is None else ends.high) / 100,
            )
        )
    return tuple(bins)


def uniformity(values: ArrayLike, n_bins: int = 10) -> tuple[int, ...]:
    """Count PIT values in bins of equal width: a ∪ says too narrow, a ∩ too wide."""
    given = np.asarray(values, dtype=float)
    counts, _ = np.histogram(given, bins=n_bins, range=(0.0, 1.0))
    return tuple(int(one) for one in counts)
