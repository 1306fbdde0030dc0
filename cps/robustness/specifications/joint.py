"""Inference on all specifications at once: their statistics among those of other assignments.

Simonsohn, Simmons & Nelson (2020), Nature Human Behaviour 4, 1208-1214,
doi:10.1038/s41562-020-0912-z. Every row of the arrays here is an assignment of the starts, the
actual one first; every column, a specification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TIE = 1e-9  # closer statistics count as equal, which is against a small p-value


@dataclass(frozen=True, slots=True)
class Joint:
    """Statistics of the actual assignment, each with the share of assignments as extreme."""

    median: float
    share: float
    combined: float
    p_median: float
    p_share: float
    p_combined: float
    p_joint: float


def joint_test(own: Floats, common: Floats) -> Joint | None:
    """Rank what all specifications say together; None without other assignments.

    Each statistic treats all assignments alike, the spread that it standardises by included, so that
    under no effect and exchangeable units the rank of the actual one is any with the same chance.

    Parameters
    ----------
    own, common : ndarray, shape (1 + n_assignments, n_cells)
        Estimates on each cell's own scale, and on the common one; NaN where an assignment does not
        bear a cell. Infinities are larger than any number.
    """
    if len(own) < 2:
        return None
    median, share, combined = statistics(own, common)
    ranks = np.column_stack(
        [shares_as_large(np.abs(one)) for one in (median, np.abs(share), combined)]
    )
    smallest = ranks.min(axis=1)
    return Joint(
        float(median[0]),
        float(share[0]),
        float(combined[0]),
        float(ranks[0, 0]),
        float(ranks[0, 1]),
        float(ranks[0, 2]),
        float((smallest <= smallest[0] + 1e-12).mean()),
    )


def statistics(own: Floats, common: Floats) -> tuple[Floats, Floats, Floats]:
    """Give each assignment's median, share of the more frequent sign, and sum of scaled estimates.

    NaN for an assignment that bears no cell.
    """
    known = ~np.isnan(common)
    n = known.sum(axis=1)
    some = n > 0
    median = np.full(len(own), np.nan)
    median[some] = np.nanmedian(common[some], axis=1)
    up, down = ((common > 0) & known).sum(axis=1), ((common < 0) & known).sum(axis=1)
    share = np.divide(np.maximum(up, down), n, out=np.full(len(own), np.nan), where=some)
    spread = np.sqrt(np.nanmean(own**2, axis=0))
    scaled = np.nan_to_num(own / np.where(spread > 0, spread, 1.0))
    combined = np.divide(scaled.sum(axis=1), np.sqrt(n), out=np.full(len(own), np.nan), where=some)
    return median, share, combined


def shares_as_large(sizes: Floats) -> Floats:
    """Give for each assignment the share of all, itself included, that are at least as large.

    One that bears nothing counts as larger than any.
    """
    filled = np.where(np.isnan(sizes), np.inf, sizes)
    ordered = np.sort(filled)
    finite = np.isfinite(filled)
    bound = np.where(finite, filled - _TIE * np.abs(np.where(finite, filled, 0.0)), np.inf)
    return np.asarray((len(ordered) - np.searchsorted(ordered, bound, side="left")) / len(ordered))


def own_p_values(own: Floats) -> Floats:
    """Give each cell's p-value: the share of assignments with an estimate as large, (n_cells,)."""
    known = ~np.isnan(own)
    as_large = np.abs(own) >= np.abs(own[0]) * (1 - _TIE)
    return np.asarray((as_large & known).sum(axis=0) / known.sum(axis=0))
