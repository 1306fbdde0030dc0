"""ATT(g, t) from explicit influence functions: covariates, gaps, changing weights, clusters.

Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001, with the two-by-two estimators of
Sant'Anna & Zhao (2020). Influence functions are summed within clusters as they are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cps.estimators._drdid_panel import panel_effects
from cps.estimators._drdid_parts import Unfit
from cps.estimators._drdid_sections import section_effect
from cps.estimators._group_aggregate import Sums
from cps.estimators._group_cells import Cells, Cohorts, Floats, Ints
from cps.estimators._group_draws import largest_of_root, root_of

_AT_ONCE = 1 << 22  # numbers of an influence function held while its cells are made


@dataclass(frozen=True, slots=True)
class Panel:
    """Arrays of a design, as the two-by-two comparisons need them.

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods); NaN where there is a gap
    covariates : ndarray, shape (n_covariates, n_units, n_periods), or None
    weights : ndarray, shape (n_units, n_periods), or None
    cluster : ndarray of int, shape (n_units,), or None
        Number of each unit's cluster, from zero.
    """

    y: Floats
    covariates: Floats | None
    weights: Floats | None
    cluster: Ints | None
    is_complete: bool
    is_fixed: bool = field(default=True)

    @property
    def n_rows(self) -> int:
        """Number of what errs on its own: clusters, or units."""
        return len(self.y) if self.cluster is None else int(self.cluster.max()) + 1

    def unit_weights(self) -> Floats:
        """Give one weight a unit: the first period's, or with gaps the mean of those observed."""
        if self.weights is None:
            return np.ones(len(self.y))
        if self.is_complete:
            return np.array(self.weights[:, 0])
        seen = ~np.isnan(self.y)
        return np.asarray(
            np.where(seen, self.weights, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        )


def is_constant(array: Floats | None) -> bool:
    """Tell whether the last axis (periods) changes nothing; NaN are not looked at."""
    return array is None or bool((array == array[..., :1]).all())


@dataclass(frozen=True, slots=True)
class Fitted:
    """ATT by cell, NaN where ``failed`` says why, and the influence functions.

    ``influence`` has shape (n_rows, n_cells), rows being units or clusters: the variance of an
    effect is the sum of squares of its column. None where only effects were asked for.
    """

    att: Floats
    failed: dict[int, str]
    influence: Floats | None


def fit_cells(
    panel: Panel, cohorts: Cohorts, cells: Cells, method: str, *, with_influence: bool = True
) -> Fitted:
    """Estimate every cell.

    Parameters
    ----------
    method : str
        One of ``doubly_robust``, ``regression``, ``ipw``, ``improved``.
    """
    att = np.zeros(len(cells.time))
    failed: dict[int, str] = {}
    influence = np.zeros((panel.n_rows, len(att)), order="F") if with_influence else None
    for places, rows, effects, added in _groups(panel, cohorts, cells, method):
        if isinstance(effects, str) or not np.isfinite(effects).all():
            reason = effects if isinstance(effects, str) else "singular"
            att[places] = np.nan
            failed |= dict.fromkeys(places.tolist(), reason)
            continue
        att[places] = effects
        if influence is not None:
            influence[:, places] = _by_row(panel, rows, added)
    return Fitted(att, failed, influence)


def _by_row(panel: Panel, rows: Ints, added: Floats) -> Floats:
    """Sum what observations add by unit or cluster, shape (n_rows, n_cells of the group)."""
    if panel.cluster is None and panel.is_complete:
        found = np.zeros((panel.n_rows, added.shape[1]))
        found[rows] = added
        return found
    row = rows if panel.cluster is None else panel.cluster[rows]
    return np.array(
        [np.bincount(row, added[:, one], panel.n_rows) for one in range(added.shape[1])]
    ).T


_Group = tuple[Ints, Ints, "Floats | str", Floats]


def _groups(panel: Panel, cohorts: Cohorts, cells: Cells, method: str) -> Iterator[_Group]:
    groups = _panel_groups if panel.is_complete else _section_groups
    return groups(panel, cohorts, cells, method)


def _panel_groups(panel: Panel, cohorts: Cohorts, cells: Cells, method: str) -> Iterator[_Group]:
    """Fit cells that share cohort, comparison units, covariates and weights together."""
    earlier = np.minimum(cells.time, cells.base)
    key = np.stack([cells.cohort, cells.rank, np.where(panel.is_fixed, 0, earlier)])
    used = np.flatnonzero(~cells.is_base)
    if not len(used):
        return
    _, label = np.unique(key[:, used], axis=1, return_inverse=True)
    label = label.ravel()
    for one in range(int(label.max()) + 1):
        places = used[label == one]
        first = places[0]
        treated, compared = _sides(cohorts, int(cells.cohort[first]), int(cells.rank[first]))
        rows = np.concatenate([treated, compared])
        is_treated = np.repeat([1.0, 0.0], [len(treated), len(compared)])
        at = int(earlier[first])
        x = _covariates(panel, rows, at)
        weight = np.ones(len(rows)) if panel.weights is None else panel.weights[rows, at]
        step = max(_AT_ONCE // len(rows), 1)
        for begin in range(0, len(places), step):
            some = places[begin : begin + step]
            change = (
                panel.y[np.ix_(rows, cells.time[some])] - (panel.y[np.ix_(rows, cells.base[some])])
            )
            try:
                effects, added = panel_effects(
                    method, change, is_treated, x, weight, is_plain=panel.weights is None
                )
            except Unfit as unfit:
                yield some, rows, str(unfit.args[0]), change
                continue
            yield some, rows, effects, added


def _section_groups(panel: Panel, cohorts: Cohorts, cells: Cells, method: str) -> Iterator[_Group]:
    """Fit each cell from whoever was observed, before and after."""
    seen = ~np.isnan(panel.y)
    codes = cohorts.codes()
    observed = [np.flatnonzero(seen[:, time]) for time in range(panel.y.shape[1])]
    for place in np.flatnonzero(~cells.is_base):
        cohort, rank = int(cells.cohort[place]), int(cells.rank[place])
        parts = []
        for time in (int(cells.base[place]), int(cells.time[place])):
            rows = observed[time]
            parts.append(rows[(codes[rows] == cohort) | (codes[rows] >= rank)])
        rows = np.concatenate(parts)
        one = np.array([place])
        is_after = np.repeat([0.0, 1.0], [len(part) for part in parts])
        is_treated = (codes[rows] == cohort).astype(float)
        if any(
            not (is_treated[is_after == side] == flag).any() for side in (0, 1) for flag in (0, 1)
        ):
            yield one, rows, "unobserved", is_after
            continue
        times = (int(cells.base[place]), int(cells.time[place]))
        x = np.concatenate(
            [_covariates(panel, part, time) for part, time in zip(parts, times, strict=True)]
        )
        y = np.concatenate([panel.y[part, time] for part, time in zip(parts, times, strict=True)])
        weight = np.ones(len(rows))
        if panel.weights is not None:
            weight = np.concatenate(
                [panel.weights[part, time] for part, time in zip(parts, times, strict=True)]
            )
        try:
            effect, added = section_effect(
                method, y, is_after=is_after, is_treated=is_treated, x=x, weight=weight
            )
        except Unfit as unfit:
            yield one, rows, str(unfit.args[0]), is_after
            continue
        yield one, rows, np.array([effect]), added[:, None]


def _sides(cohorts: Cohorts, cohort: int, rank: int) -> tuple[Ints, Ints]:
    compared = cohorts.order[cohorts.bounds[rank] :]
    if cohort >= rank:
        own = slice(
            cohorts.bounds[cohort] - cohorts.bounds[rank],
            cohorts.bounds[cohort + 1] - cohorts.bounds[rank],
        )
        compared = np.delete(compared, own)
    return cohorts.rows(cohort), compared


def _covariates(panel: Panel, rows: Ints, time: int) -> Floats:
    ones = np.ones((len(rows), 1))
    if panel.covariates is None:
        return ones
    return np.hstack([ones, panel.covariates[:, rows, time].T])


class RowErrors:
    """Covariances and draws from influence functions by unit or cluster.

    Parameters
    ----------
    influence : ndarray, shape (n_rows, n_cells)
    by_cohort : ndarray, shape (n_rows, n_cohorts)
        Sum of unit weights of each cohort's members: what the shares hang on.
    """

    def __init__(self, influence: Floats, by_cohort: Floats) -> None:
        self.influence = influence
        self.by_cohort = by_cohort

    def variances(self) -> Floats:
        """Give the variance of each cell's ATT(g, t), shape (n_cells,)."""
        return np.asarray(np.einsum("ij,ij->j", self.influence, self.influence))

    def covariances(self, sums: Sequence[Sums]) -> list[Floats]:
        """Give the covariance of each kind of sums; as ``CohortErrors.covariances``."""
        found = []
        for one in sums:
            each = self.by_cohort @ one.of_totals.T
            for place in range(len(one.labels)):
                some = np.flatnonzero(one.place == place)
                each[:, place] += self.influence[:, some] @ one.weight[some]
            found.append(np.asarray(each.T @ each))
        return found

    def largest(self, errors: Floats, n_draws: int, rng: np.random.Generator) -> Floats:
        """Draw the largest error of all cells in standard errors, shape (n_draws,)."""
        seen = np.flatnonzero(np.isfinite(errors))
        if not len(seen):
            return np.zeros(n_draws)
        scaled = self.influence[:, seen] / errors[seen]
        root = root_of(scaled.T @ scaled) if len(seen) <= len(scaled) else scaled.T
        return largest_of_root(root, n_draws, rng)


class StreamErrors:
    """As ``RowErrors``, for panels too large to hold the influence functions.

    They are made a second time, cohort by cohort, and only their averages are kept; so there are
    no joint draws of the cells. ``covariances`` comes before ``variances``.

    Parameters
    ----------
    cells : Cells
        Those that can be fitted.
    by_cohort : ndarray, shape (n_rows, n_cohorts)
    """

    def __init__(
        self, panel: Panel, cohorts: Cohorts, cells: Cells, method: str, by_cohort: Floats
    ) -> None:
        self.panel = panel
        self.cohorts = cohorts
        self.cells = cells
        self.method = method
        self.by_cohort = by_cohort
        self.squares = np.zeros(len(cells.time))

    def variances(self) -> Floats:
        """Give the variance of each cell's ATT(g, t), shape (n_cells,)."""
        return self.squares

    def covariances(self, sums: Sequence[Sums]) -> list[Floats]:
        """Give the covariance of each kind of sums; as ``CohortErrors.covariances``."""
        each = [self.by_cohort @ one.of_totals.T for one in sums]
        for places, rows, _, added in _groups(self.panel, self.cohorts, self.cells, self.method):
            block = _by_row(self.panel, rows, added)
            self.squares[places] = np.einsum("ij,ij->j", block, block)
            for one, total in zip(sums, each, strict=True):
                for column, cell in enumerate(places.tolist()):
                    if one.place[cell] >= 0:
                        total[:, one.place[cell]] += block[:, column] * one.weight[cell]
        return [np.asarray(one.T @ one) for one in each]

    def largest(self, errors: Floats, n_draws: int, rng: np.random.Generator) -> Floats:
        """Give none: the joint law of all cells is not known."""
        return np.zeros(0)


def membership(cohorts: Cohorts, weight: Floats, cluster: Ints | None) -> Floats:
    """Sum unit weights by row (unit or cluster) and treated cohort, shape (n_rows, n_cohorts)."""
    codes = cohorts.codes()
    rows = np.arange(len(codes)) if cluster is None else cluster
    n_cohorts = len(cohorts.starts)
    treated: NDArray[np.bool_] = codes < n_cohorts
    n_rows = int(rows.max()) + 1
    flat = np.bincount(
        rows[treated] * n_cohorts + codes[treated], weight[treated], n_rows * n_cohorts
    )
    return np.asarray(flat.reshape(n_rows, n_cohorts), dtype=np.float64)
