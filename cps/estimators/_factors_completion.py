"""Matrix completion by nuclear-norm minimisation, with unpenalised unit and period effects.

Athey, Bayati, Doudchenko, Imbens & Khosravi (2021), JASA 116(536), 1716-1730,
doi:10.1080/01621459.2021.1891924. The penalty is chosen as in R ``MCPanel`` (``mcnnm_cv``): on
cells left out at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._factors import ROUGH, fit_factors, split_additive

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_STEPS = 5_000
_ROUGH_STEPS = 200
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
    y = np.where(mask, y, 0.0)
    additive = fit_factors(y, 0, observed=mask, effects=effects, tolerance=1e-7).fitted
    if penalty is not None:
        return _solve(y, mask, penalty, additive, effects=effects, tolerance=tolerance)
    largest = float(np.linalg.svd(np.where(mask, y - additive, 0.0), compute_uv=False)[0])
    if largest <= 1e-12 * float(np.abs(y).max()):
        return Completion(additive, 0.0, 0)
    penalties = largest * np.logspace(0, -_DECADES, n_penalties)
    errors = _left_out(y, mask, penalties, effects, n_folds=n_folds, share=share, seed=seed)
    best = int(np.argmin(errors))
    fit = additive
    for one in penalties[:best]:  # each a start for the next
        fit = _solve(y, mask, float(one), fit, effects=effects, tolerance=ROUGH).fitted
    found = _solve(y, mask, float(penalties[best]), fit, effects=effects, tolerance=tolerance)
    return Completion(
        found.fitted,
        found.penalty,
        found.rank,
        tuple(float(one) for one in penalties[: len(errors)]),
        tuple(float(one) for one in errors),
    )


def _left_out(
    y: Floats,
    mask: Bools,
    penalties: Floats,
    effects: str,
    *,
    n_folds: int,
    share: float,
    seed: int,
) -> Floats:
    """Give the mean square of errors on cells left out, penalty by penalty, largest first.

    Ends where the last few penalties have brought nothing.
    """
    rng = np.random.default_rng(seed)
    folds = [_fold(mask, share, rng) for _ in range(n_folds)]
    fits = [
        fit_factors(y, 0, observed=kept, effects=effects, tolerance=ROUGH).fitted for kept in folds
    ]
    errors: list[float] = []
    for one in penalties:
        square = 0.0
        for place, kept in enumerate(folds):
            scale = kept.sum() / mask.sum()
            fits[place] = _solve(
                y, kept, float(one * scale), fits[place], effects=effects, tolerance=ROUGH
            ).fitted
            square += float(((y - fits[place])[mask & ~kept] ** 2).mean()) / n_folds
        errors.append(square)
        if len(errors) - int(np.argmin(errors)) > _PATIENCE:
            break
    return np.array(errors)


def _fold(mask: Bools, share: float, rng: np.random.Generator) -> Bools:
    """Keep a share of the cells, at least one of each unit and each period."""
    kept = mask & (rng.random(mask.shape) < share)
    for row in np.flatnonzero(~kept.any(axis=1)):
        kept[row, rng.choice(np.flatnonzero(mask[row]))] = True
    for column in np.flatnonzero(~kept.any(axis=0) & mask.any(axis=0)):
        kept[rng.choice(np.flatnonzero(mask[:, column])), column] = True
    return np.asarray(kept)


def _solve(
    y: Floats, mask: Bools, penalty: float, start: Floats, *, effects: str, tolerance: float
) -> Completion:
    """Fill, take out effects, shrink, and again, with momentum that is dropped when it overshoots."""
    fit, ahead, speed, rank = start, start, 1.0, 0
    for _ in range(_STEPS if tolerance < ROUGH else _ROUGH_STEPS):
        new, rank = _shrunk(np.where(mask, y, ahead), penalty, effects)
        move = new - fit
        if float(np.linalg.norm(move)) <= tolerance * float(np.linalg.norm(new)):
            fit = new
            break
        if float(((ahead - new) * move).sum()) > 0:
            speed = 1.0
        faster = (1 + np.sqrt(1 + 4 * speed**2)) / 2
        ahead = new + (speed - 1) / faster * move
        fit, speed = new, faster
    return Completion(fit, penalty, rank)


def _shrunk(values: Floats, penalty: float, effects: str) -> tuple[Floats, int]:
    level, units, periods, rest = split_additive(values, effects)
    additive = level + units[:, None] + periods
    is_wide = rest.shape[0] <= rest.shape[1]
    squares, vectors = np.linalg.eigh(rest @ rest.T if is_wide else rest.T @ rest)
    sizes = np.sqrt(np.maximum(squares, 0))
    kept = sizes > penalty
    if not kept.any():
        return additive, 0
    part = vectors[:, kept]
    shrink = part * (1 - penalty / sizes[kept])
    low_rank = shrink @ (part.T @ rest) if is_wide else (rest @ part) @ shrink.T
    return np.asarray(additive + low_rank), int(kept.sum())
