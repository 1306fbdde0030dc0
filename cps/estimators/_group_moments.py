"""ATT(g, t) without covariates from counts, means and Gram matrices by cohort.

Every influence function here is linear in a unit's outcomes and one, with coefficients that its
cohort shares. So all covariances follow exactly from one pass over the data, and no array of
units × cells is ever built. Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cps.estimators._group_aggregate import Sums
from cps.estimators._group_cells import Cells, Cohorts, Floats, Ints
from cps.estimators._group_draws import CellDraws, root_of

_CHUNK = 1 << 19  # numbers in a block of rows: about 4 MB


@dataclass(frozen=True, slots=True)
class Moments:
    """What is known of each cohort; the last is never treated.

    Parameters
    ----------
    total : ndarray, shape (n_cohorts + 1,)
        Sum of weights; the number of units without weights.
    mean : ndarray, shape (n_cohorts + 1, n_periods)
        Weighted mean of the outcome less the unit's own mean over periods.
    second : ndarray, shape (n_cohorts + 1, n_periods + 1, n_periods + 1), or None
        Sum over units of ``z z'`` where ``z`` is the weight times (outcome less cohort mean, one).
    sizes : ndarray of int, shape (n_cohorts + 1,)
        Number of units.
    scale : float
        Size of the outcomes, to tell an error of zero from rounding.
    """

    total: Floats
    mean: Floats
    second: Floats | None
    sizes: Ints
    scale: float


def cohort_moments(
    y: Floats, cohorts: Cohorts, weights: Floats | None, *, with_second: bool = True
) -> Moments:
    """Compute counts, means and second moments by cohort.

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods); complete
    weights : ndarray, shape (n_units,), or None
    """
    n_periods = y.shape[1]
    n_cohorts = len(cohorts.bounds) - 1
    total = np.zeros(n_cohorts)
    mean = np.zeros((n_cohorts, n_periods))
    second = np.zeros((n_cohorts, n_periods + 1, n_periods + 1)) if with_second else None
    size = 0.0
    step = max(_CHUNK // n_periods, 64)
    for place in range(n_cohorts):
        rows = cohorts.rows(place)
        if not len(rows):
            continue
        centre = np.zeros(n_periods)
        sums = np.zeros(n_periods)
        raw = np.zeros((n_periods + 1, n_periods + 1))
        for first in range(0, len(rows), step):
            block = _take(y, rows[first : first + step])
            own = block.mean(axis=1, keepdims=True)
            size += float(np.abs(own).sum())
            block -= own
            weight = None if weights is None else weights[rows[first : first + step]]
            if first == 0:
                # Near the mean, so that nothing cancels when the mean is put right below.
                centre = block.mean(axis=0)
            block -= centre
            if weight is None:
                sums += block.sum(axis=0)
                total[place] += len(block)
            else:
                sums += weight @ block
                total[place] += weight.sum()
            if second is not None:
                _add_second(raw, block, weight)
        off = sums / total[place]
        mean[place] = centre + off
        if second is not None:
            second[place] = _recentred(raw, off)
    spread = float(np.sqrt((mean**2).mean())) if mean.size else 0.0
    if second is not None and len(y):
        trace = sum(float(np.trace(one[:-1, :-1])) for one in second)
        spread += np.sqrt(trace / (len(y) * n_periods))
    return Moments(total, mean, second, cohorts.sizes, size / max(len(y), 1) + spread)


def _take(y: Floats, rows: Ints) -> Floats:
    if len(rows) > 1 and rows[-1] - rows[0] == len(rows) - 1:
        return np.array(y[rows[0] : rows[-1] + 1])
    return np.asarray(y[rows])


def _add_second(raw: Floats, block: Floats, weight: Floats | None) -> None:
    if weight is None:
        raw[:-1, :-1] += block.T @ block
        raw[:-1, -1] += block.sum(axis=0)
        raw[-1, -1] += len(block)
        return
    block *= weight[:, None]
    raw[:-1, :-1] += block.T @ block
    raw[:-1, -1] += weight @ block
    raw[-1, -1] += weight @ weight


def _recentred(raw: Floats, off: Floats) -> Floats:
    """Move ``raw`` from deviations around a centre to deviations around the mean."""
    gram, with_one, one = raw[:-1, :-1], raw[:-1, -1], raw[-1, -1]
    cross = np.outer(with_one, off)
    moved = np.empty_like(raw)
    moved[:-1, :-1] = gram - cross - cross.T + one * np.outer(off, off)
    moved[:-1, -1] = moved[-1, :-1] = with_one - one * off
    moved[-1, -1] = one
    return moved


def control_totals(cells: Cells, total: Floats) -> Floats:
    """Give the sum of weights of each cell's comparison units, shape (n_cells,)."""
    tail = np.r_[np.cumsum(total[::-1])[::-1], 0.0]
    own = np.where(cells.cohort >= cells.rank, total[cells.cohort], 0.0)
    # Sums of the same weights in another order may differ by rounding: nobody is nobody.
    rest = tail[cells.rank] - own
    return np.where(rest > 1e-9 * tail[0], rest, 0.0)


def cell_effects(cells: Cells, moments: Moments) -> tuple[Floats, Floats, Floats]:
    """Compute ATT(g, t), and the mean change of the treated and of the comparison, by cell."""
    total, mean = moments.total, moments.mean
    sums = np.cumsum((total[:, None] * mean)[::-1], axis=0)[::-1]
    n_control = control_totals(cells, total)
    own = np.where(cells.cohort >= cells.rank, total[cells.cohort], 0.0)
    change = mean[cells.cohort, cells.time] - mean[cells.cohort, cells.base]
    pooled = sums[cells.rank, cells.time] - sums[cells.rank, cells.base] - own * change
    with np.errstate(divide="ignore", invalid="ignore"):
        other = np.where(cells.is_base, 0.0, pooled / n_control)
    return change - other, change, other


class CohortErrors:
    """Covariances and draws of ATT(g, t) and of what is averaged from them.

    Parameters
    ----------
    cells : Cells
        Each with a comparison unit.
    moments : Moments
        With second moments.
    """

    def __init__(self, cells: Cells, moments: Moments) -> None:
        self.cells = cells
        self.second = np.zeros((0, 0, 0)) if moments.second is None else moments.second
        self.total = moments.total
        self.sizes = moments.sizes
        self.mean = moments.mean
        self.n_control = control_totals(cells, moments.total)
        _, self.change, self.other = cell_effects(cells, moments)
        self.is_used = ~cells.is_base

    def variances(self) -> Floats:
        """Give the variance of each cell's ATT(g, t), shape (n_cells,)."""
        cells, mean = self.cells, self.mean
        n_periods = mean.shape[1]
        # Second moments of the weight times (outcome, one), by cohort and pooled from a rank on.
        plain = self.second.copy()
        shift = mean[:, :, None] * self.second[:, None, -1, :-1]
        plain[:, :-1, :-1] += shift + shift.transpose(0, 2, 1)
        plain[:, :-1, :-1] += (
            mean[:, :, None] * mean[:, None, :] * self.second[:, -1, -1][:, None, None]
        )
        plain[:, :-1, -1] += mean * self.second[:, -1, -1][:, None]
        plain[:, -1, :-1] = plain[:, :-1, -1]
        pooled = np.cumsum(plain[::-1], axis=0)[::-1]

        def of(table: Floats, place: Ints, middle: Floats) -> Floats:
            t, b = cells.time, cells.base
            square = table[place, t, t] - 2 * table[place, t, b] + table[place, b, b]
            linear = table[place, t, n_periods] - table[place, b, n_periods]
            return square - 2 * middle * linear + middle**2 * table[place, n_periods, n_periods]

        treated = of(self.second, cells.cohort, np.zeros(len(cells.cohort)))
        rest = of(pooled, cells.rank, self.other)
        rest = rest - np.where(cells.cohort >= cells.rank, of(plain, cells.cohort, self.other), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = treated / self.total[cells.cohort] ** 2 + rest / self.n_control**2
        return np.where(self.is_used, np.maximum(variance, 0.0), 0.0)

    def covariances(self, sums: Sequence[Sums]) -> list[Floats]:
        """Give the covariance of each kind of sums, shapes (n_sums, n_sums)."""
        ends = np.cumsum([0, *(len(one.labels) for one in sums)])
        found = [np.zeros((len(one.labels), len(one.labels))) for one in sums]
        for place, coefficients in self._coefficients(sums, ends):
            half = coefficients @ self.second[place]
            for kind, (first, last) in enumerate(itertools.pairwise(ends.tolist())):
                found[kind] += half[first:last] @ coefficients[first:last].T
        return found

    def _coefficients(self, sums: Sequence[Sums], ends: Ints) -> Iterator[tuple[int, Floats]]:
        """Yield, by cohort, the coefficients of each sum on (outcome less cohort mean, one)."""
        cells, last = self.cells, len(self.mean[0])
        n_cohorts = len(self.mean)
        row = np.concatenate([one.place + end for one, end in zip(sums, ends, strict=False)])
        enters = np.concatenate([(one.place >= 0) & self.is_used for one in sums])
        cell = np.tile(np.arange(len(cells.time)), len(sums))[enters]
        row, weight = row[enters], np.concatenate([one.weight for one in sums])[enters]
        of_totals = np.vstack([one.of_totals for one in sums])
        of_treated = weight / self.total[cells.cohort[cell]]
        of_control = -weight / self.n_control[cell]

        def add(to: Floats, some: Ints, factor: Floats, *, middle: bool) -> None:
            here, rows = cell[some], row[some]
            np.add.at(to, (rows, cells.time[here]), factor)
            np.add.at(to, (rows, cells.base[here]), -factor)
            if middle:
                np.add.at(to, (rows, last), -factor * self.other[here])

        by_rank, rank_bounds = _grouped(cells.rank[cell], n_cohorts)
        by_cohort, cohort_bounds = _grouped(cells.cohort[cell], n_cohorts)
        pooled = np.zeros((len(of_totals), last + 1))
        for place in range(n_cohorts):
            new = by_rank[rank_bounds[place] : rank_bounds[place + 1]]
            add(pooled, new, of_control[new], middle=True)
            if self.total[place] == 0:
                continue
            own = by_cohort[cohort_bounds[place] : cohort_bounds[place + 1]]
            coefficients = pooled.copy()
            inside = own[cells.rank[cell[own]] <= place]
            add(coefficients, inside, -of_control[inside], middle=True)
            # The pooled mean is not the cohort's own: what lies between them is constant in it.
            coefficients[:, -1] += coefficients[:, :-1] @ self.mean[place]
            if place < n_cohorts - 1:
                add(coefficients, own, of_treated[own], middle=False)
                coefficients[:, -1] += of_totals[:, place]
            yield place, coefficients

    def largest(self, errors: Floats, n_draws: int, rng: np.random.Generator) -> Floats:
        """Draw the largest error of all cells in standard errors, shape (n_draws,).

        Parameters
        ----------
        errors : ndarray, shape (n_cells,)
            Standard errors; a cell without one (NaN) is left out.
        """
        seen = np.flatnonzero(np.isfinite(errors) & self.is_used)
        if not len(seen):
            return np.zeros(n_draws)
        return self._draws(seen, errors).largest(n_draws, rng)

    def _draws(self, seen: Ints, errors: Floats) -> CellDraws:
        return CellDraws(
            self.cells.keep(np.isin(np.arange(len(errors)), seen)),
            errors=errors[seen],
            other=self.other[seen],
            n_control=self.n_control[seen],
            total=self.total,
            mean=self.mean,
            roots=[
                root_of(one, int(size))
                for one, size in zip(self.second, self.sizes.tolist(), strict=True)
            ],
        )


def _grouped(label: Ints, n_labels: int) -> tuple[Ints, Ints]:
    """Give places in order of ``label``, and where each label begins and ends among them."""
    order = np.argsort(label, kind="stable")
    return order, np.searchsorted(label[order], np.arange(n_labels + 1))
