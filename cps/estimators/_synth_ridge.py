"""Ridge augmentation of synthetic control weights, its penalty by leaving out periods.

Ben-Michael, Feller & Rothstein (2021), JASA 116(536), 1789-1803, doi:10.1080/01621459.2021.1929245,
with the conventions of R ``augsynth``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.estimators._simplex import MANY, simplex_even, simplex_qp

Floats = NDArray[np.float64]

_N_PENALTIES = 20
_SMALLEST_RATIO = 1e-8
_PERFECT = 1e-20  # of the largest square: an error of rounding
_FLAT = 1e-13  # of the largest eigenvalue: below it there is rounding only
_CHUNK = 4_000_000  # floats held at a time


def augmented(columns: Floats, target: Floats, weights: Floats, penalty: float | Floats) -> Floats:
    """Add to ``weights`` what ridge regression says of the imbalance that they leave.

    Parameters
    ----------
    columns : ndarray, shape (..., n_donors, m)
        What is balanced, donors' mean taken out; leading axes run over problems.
    target : ndarray, shape (..., m)
        Less the donors' mean.
    weights : ndarray, shape (..., n_donors)
    penalty : float or ndarray, shape (...)
        Zero is the limit of ever smaller ones: the least change that takes the imbalance out.

    Returns
    -------
    ndarray, shape (..., n_donors)
        Sums to one still; may be negative.
    """
    rest = target - (weights[..., None, :] @ columns)[..., 0, :]
    if columns.shape[-1] > columns.shape[-2]:
        # As many rows as there are donors are enough: a rotation leaves lengths as they are.
        rotation, upper = np.linalg.qr(np.swapaxes(columns, -1, -2))
        columns = np.swapaxes(upper, -1, -2)
        rest = (rest[..., None, :] @ rotation)[..., 0, :]
    slope = _ridge_solved(np.swapaxes(columns, -1, -2) @ columns, rest, np.asarray(penalty, float))
    return np.asarray(weights + (columns @ slope[..., None])[..., 0])


def _ridge_solved(gram: Floats, aim: Floats, penalty: Floats) -> Floats:
    if (penalty > 0).all():
        system = gram + penalty[..., None, None] * np.eye(gram.shape[-1])
        return np.asarray(np.linalg.solve(system, aim[..., None])[..., 0])
    values, vectors = np.linalg.eigh(gram)
    # Directions in which nobody differs can't be moved in.
    is_flat = values <= _FLAT * values.max(axis=-1, keepdims=True)
    inverse = np.where(is_flat, 0.0, 1 / np.where(is_flat, 1.0, values + penalty[..., None]))
    turned = (np.swapaxes(vectors, -1, -2) @ aim[..., None])[..., 0]
    return np.asarray((vectors @ (inverse * turned)[..., None])[..., 0])


def choose_penalty(columns: Floats, target: Floats, rule: str) -> tuple[float, Floats, Floats]:
    """Choose the penalty by predicting each row of what is balanced from the others.

    As R ``augsynth``: twenty-one penalties from the largest squared singular value down to 1e-8 of
    it; the last row is never left out; ``one_se`` takes the largest penalty whose error is within
    one standard error of the least.

    Returns
    -------
    penalty : float
    penalties, errors : ndarray, shape (21,)
    """
    n_donors, m = columns.shape
    # Donors that are all the same leave nothing to penalise: any penalty predicts alike, but none
    # may be zero, since it is divided by.
    top = float(np.linalg.norm(columns, 2)) ** 2 or 1.0
    penalties = top * _SMALLEST_RATIO ** (np.arange(_N_PENALTIES + 1) / _N_PENALTIES)
    errors = np.empty((m - 1, len(penalties)))
    if n_donors > max(MANY, m):
        for row in range(m - 1):
            errors[row] = _errors_without(columns, target, row, penalties)
        return _chosen(errors, penalties, target, top, rule)
    gram, linear = columns @ columns.T, columns @ target
    size = max(1, _CHUNK // n_donors**2)
    for low in range(0, m - 1, size):
        out = np.arange(low, min(low + size, m - 1))
        left = columns[:, out].T
        grams = gram - left[:, :, None] * left[:, None, :]
        linears = linear - left * target[out, None]
        weights = simplex_qp(grams, linears, np.ones(linears.shape, dtype=bool))
        rest = linears - (grams @ weights[:, :, None])[:, :, 0]
        values, vectors = np.linalg.eigh(grams)
        turned = (rest[:, None] @ vectors)[:, 0]
        aim = (left[:, None] @ vectors)[:, 0]
        scale = np.maximum(values, 0.0)[:, None] + penalties[None, :, None]
        moved = (aim[:, None] * turned[:, None] / scale).sum(axis=2)
        predicted = (weights * left).sum(axis=1)[:, None] + moved
        errors[out] = (target[out, None] - predicted) ** 2
    return _chosen(errors, penalties, target, top, rule)


def _errors_without(columns: Floats, target: Floats, out: int, penalties: Floats) -> Floats:
    """Predict one row from the others by products of rows, of which there are few: shape (21,)."""
    rest, wanted = np.delete(columns, out, axis=1), np.delete(target, out)
    weights = simplex_even(rest.T, wanted[None], np.ones((1, len(rest)), dtype=bool))[0]
    basis, lengths, turn = np.linalg.svd(rest, full_matrices=False)
    left = turn @ (wanted - weights @ rest) * lengths
    scale = lengths**2 + penalties[:, None]
    moved = ((columns[:, out] @ basis) * left / scale).sum(axis=1)
    return np.asarray((target[out] - weights @ columns[:, out] - moved) ** 2)


def _chosen(
    errors: Floats, penalties: Floats, target: Floats, top: float, rule: str
) -> tuple[float, Floats, Floats]:
    # Rows predicted but for rounding are predicted: which penalty rounds best means nothing.
    errors[errors <= _PERFECT * max(top, float((target**2).max()))] = 0.0
    mean = errors.mean(axis=0)
    best = int(mean.argmin())
    if rule == "min":
        return float(penalties[best]), penalties, mean
    bound = mean[best] + errors[:, best].std(ddof=1) / np.sqrt(len(errors))
    return float(penalties[mean <= bound].max()), penalties, mean
