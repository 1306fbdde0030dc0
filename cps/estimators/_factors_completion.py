"""Matrix completion by nuclear-norm minimisation, with unpenalised unit and period effects.

Athey, Bayati, Doudchenko, Imbens & Khosravi (2021), JASA 116(536), 1716-1730,
doi:10.1080/01621459.2021.1891924. The penalty is chosen as in R ``MCPanel`` (``mcnnm_cv``): on
cells left out at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._factors import ROUGH
from cps.estimators._factors_batch import additive_fits, shrink

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_DECADES = 3
_PATIENCE = 5  # penalties that may bring nothing before the search ends


@dataclass(frozen=True, slots=True)
class Completion:
    """A completed panel.

    Parameters
    ----------
    fitted : ndarray, shape (n_units, n_periods)
        Additive effects and low-rank part, of every cell.
    penalty : float
        What is taken off each singular value.
    rank : int
        Singular values that are left.
    penalties, errors : tuple of float
        Penalties tried, and the mean square of their errors on cells left out; empty if none was
        left to choose.
    """

    fitted: Floats
    penalty: float
    rank: int
    penalties: tuple[float, ...] = ()
    errors: tuple[float, ...] = ()


def complete(
    y: Floats,
    mask: Bools,
    *,
    penalty: float | None = None,
    effects: str = "two_way",
    n_penalties: int = 20,
    n_folds: int = 5,
    share: float = 0.8,
    seed: int = 0,
    tolerance: float = 1e-7,
) -> Completion:
    """Fill in the cells of a panel that ``mask`` leaves out.

    Minimises half the squared error over cells of ``mask`` plus ``penalty`` times the nuclear norm
    of the low-rank part.

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods)
        Whatever stands outside ``mask`` is ignored.
    mask : ndarray of bool, shape (n_units, n_periods)
    penalty : float or None
        None chooses among ``n_penalties``, spread evenly in logarithms over three decades below the
        smallest that leaves no low-rank part.
    effects : {"two_way", "unit", "time", "none"}
    n_folds, share : int, float
        Folds, and share of the cells that each keeps; a penalty counts per cell that is kept.
    seed : int
        Of the folds.
    """
    y, mask = np.where(mask, y, 0.0)[None], mask[None]
    additive = additive_fits(y, mask, effects=effects, tolerance=1e-7)
    if penalty is not None:
        found = shrink(y, mask, np.array([penalty]), additive, effects=effects, tolerance=tolerance)
        return Completion(found.fitted[0], penalty, int(found.rank[0]))
    left = np.where(mask[0], y[0] - additive[0], 0.0)
    largest = float(np.linalg.svd(left, compute_uv=False)[0])
    if largest <= 1e-12 * float(np.abs(y).max()):
        return Completion(additive[0], 0.0, 0)
    penalties = largest * np.logspace(0, -_DECADES, n_penalties)
    tried = _try(y, mask, additive, penalties, effects, n_folds=n_folds, share=share, seed=seed)
    best = int(np.argmin(tried.errors))
    found = shrink(
        y,
        mask,
        penalties[best : best + 1],
        tried.starts[best],
        effects=effects,
        tolerance=tolerance,
    )
    return Completion(
        found.fitted[0],
        float(penalties[best]),
        int(found.rank[0]),
        tuple(float(one) for one in penalties[: len(tried.errors)]),
        tried.errors,
    )


def complete_all(
    y: Floats, mask: Bools, penalty: Floats, *, effects: str, tolerance: float
) -> Floats:
    """Fill in many panels of one shape, each with a penalty of its own.

    Parameters
    ----------
    y : ndarray, shape (n_panels, n_units, n_periods)
    mask : ndarray of bool, shape as y
    penalty : ndarray, shape (n_panels,)

    Returns
    -------
    ndarray, shape as y
        As :attr:`Completion.fitted`.
    """
    y = np.where(mask, y, 0.0)
    additive = additive_fits(y, mask, effects=effects, tolerance=1e-7)
    return shrink(y, mask, penalty, additive, effects=effects, tolerance=tolerance).fitted


@dataclass(frozen=True, slots=True)
class _Tried:
    """Errors penalty by penalty, and what the whole panel's fit at each starts from."""

    errors: tuple[float, ...]
    starts: list[Floats]


def _try(
    y: Floats,
    mask: Bools,
    additive: Floats,
    penalties: Floats,
    effects: str,
    *,
    n_folds: int,
    share: float,
    seed: int,
) -> _Tried:
    """Give the mean square of errors on cells left out, penalty by penalty, largest first.

    The whole panel goes along with its folds: its fit at one penalty is the start for the next.
    Ends where the last few penalties have brought nothing.
    """
    rng = np.random.default_rng(seed)
    kept = np.array([_fold(mask[0], share, rng) for _ in range(n_folds)])
    cells = np.concatenate([kept, mask])
    values = np.repeat(y, n_folds + 1, axis=0)
    scale = cells.sum(axis=(1, 2)) / mask.sum()
    out = mask & ~kept
    n_out = out.sum(axis=(1, 2))
    folds = additive_fits(values[:-1], kept, effects=effects, tolerance=ROUGH)
    fits = np.concatenate([folds, additive])
    errors: list[float] = []
    starts: list[Floats] = []
    for one in penalties:
        starts.append(fits[-1:])
        fits = shrink(values, cells, one * scale, fits, effects=effects, tolerance=ROUGH).fitted
        squares = np.where(out, y - fits[:-1], 0.0) ** 2
        errors.append(float((squares.sum(axis=(1, 2)) / n_out).mean()))
        if len(errors) - int(np.argmin(errors)) > _PATIENCE:
            break
    return _Tried(tuple(errors), starts)


def _fold(mask: Bools, share: float, rng: np.random.Generator) -> Bools:
    """Keep a share of the cells, at least one of each unit and each period."""
    kept = mask & (rng.random(mask.shape) < share)
    for row in np.flatnonzero(~kept.any(axis=1)):
        kept[row, rng.choice(np.flatnonzero(mask[row]))] = True
    for column in np.flatnonzero(~kept.any(axis=0) & mask.any(axis=0)):
        kept[rng.choice(np.flatnonzero(mask[:, column])), column] = True
    return np.asarray(kept)
