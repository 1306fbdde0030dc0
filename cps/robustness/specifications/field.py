"""The units that specifications draw on, in an order that names have no part in, and other assignments."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import Text
from cps.estimators.inference._assign import permutations
from cps.robustness._units import can_take_in, mean_seen, take_in

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_MOST_CELLS = 300_000  # units × periods × draws that a grid may take at its full number of draws


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Units compared and those that may be put back, with every assignment of the starts.

    Parameters
    ----------
    design : Design
        Hosts and comparison units, then those put back (``is_ring``), in canonical order.
    is_ring : ndarray of bool, shape (n_units,)
    area : tuple of (str or None), length n_units
    starts : ndarray, shape (1 + n_assignments, n_units)
        The actual assignment first; infinity for never.
    is_all : bool
        True if these are all assignments there are.
    no_assignments : Text or None
        Why there are no others.
    """

    design: Design
    is_ring: Bools
    area: tuple[str | None, ...]
    starts: Floats
    is_all: bool
    no_assignments: Text | None

    @property
    def is_host(self) -> Bools:
        """Units that each assignment gives a start, shape (1 + n_assignments, n_units)."""
        return np.isfinite(self.starts)


def lay_out(
    design: Design,
    areas: Mapping[str, str | None],
    *,
    draws: int,
    fewest_draws: int,
    seed: int,
) -> Field:
    """Gather the units, put them into canonical order, and deal out the starts.

    Starts are dealt to all units compared, hosts among them, as Fisher's exact test has it (to whole
    clusters where those start together): all assignments where they are no more than ``draws``, else
    drawn at random. With the order taken
    from the data, neither names nor the order of rows decide what is drawn.
    """
    pool = np.isfinite(design.starts) | design.is_donor
    design = subset_design(design, units=pool)
    ring = [one for one in design.left_out if one.reason == "spillover"]
    ring = ring if can_take_in(design) else []
    n_pool = len(design.units)
    order = np.append(_canonical(design), np.arange(n_pool, n_pool + len(ring)))
    wide = reordered(take_in(design, ring), order)
    is_ring = np.arange(len(wide.units)) >= n_pool
    actual = wide.starts
    reason = _why_none(design)
    others, is_all = np.zeros((0, n_pool)), False
    if reason is None:
        most = max(fewest_draws, min(draws, _MOST_CELLS // max(design.y.size, 1)))
        most = most if can_batch(design) else fewest_draws
        place = _places(wide)[:n_pool]
        values = np.array([actual[:n_pool][place == one][0] for one in range(place.max() + 1)])
        rng = np.random.default_rng(seed)
        others, is_all = permutations(values, most, rng, without=values)
        others = others[:, place]
    starts = np.full((1 + len(others), len(actual)), np.inf)
    starts[0] = actual
    starts[1:, :n_pool] = others
    if reason is None and not len(others):
        reason = Text("没有别的指派可比", "there is no other assignment to compare with")
    return Field(
        wide, is_ring, tuple(areas.get(unit) for unit in wide.units), starts, is_all, reason
    )


def can_batch(design: Design) -> bool:
    """Tell whether many assignments cost little more than one."""
    return design.is_balanced and design.covariates is None and design.weights is None


def _why_none(design: Design) -> Text | None:
    if design.other_cohorts:
        return Text(
            "有单位同时承办别的项目，启动时期不能互换",
            "some units host other initiatives too: starts can't be exchanged",
        )
    if design.cluster is not None and not _starts_by_cluster(design):
        return Text(
            "同一聚类内既有承办也有对照，逐单位重排启动时期不反映聚类内的相关",
            "clusters hold both hosts and comparison units: dealing starts out unit by unit would "
            "not show how errors are related within them",
        )
    return None


def _starts_by_cluster(design: Design) -> bool:
    starts: dict[str, set[int | None]] = {}
    for group, cohort in zip(design.cluster or (), design.cohort, strict=True):
        starts.setdefault(group, set()).add(cohort)
    return all(len(one) == 1 for one in starts.values())


def _places(design: Design) -> NDArray[np.int64]:
    """Number what starts are dealt out to: units, or clusters in the order of their first unit."""
    if design.cluster is None:
        return np.arange(len(design.units))
    number = {group: place for place, group in enumerate(dict.fromkeys(design.cluster))}
    return np.array([number[group] for group in design.cluster])


def _canonical(design: Design) -> NDArray[np.int64]:
    """Order units by how far they are from each period's mean, the first period first.

    Neither a unit's name or place nor the sign of the outcome changes that order.
    """
    seen = np.nan_to_num(design.y)
    distance = np.abs(seen - np.sort(seen, axis=0).mean(axis=0))
    return np.lexsort(distance.T[::-1])


def reordered(design: Design, order: NDArray[np.int64]) -> Design:
    """Put the units of a design into another order."""

    def along(array: Floats | None) -> Floats | None:
        return None if array is None else array[order]

    def each(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(values[place] for place in order)

    return dataclasses.replace(
        design,
        units=each(design.units),
        cohort=each(design.cohort),
        y=design.y[order],
        y_natural=design.y_natural[order],
        is_donor=design.is_donor[order],
        covariates=None if design.covariates is None else design.covariates[:, order],
        weights=along(design.weights),
        dose=along(design.dose),
        denominator=along(design.denominator),
        exposure=along(design.exposure),
        cluster=None if design.cluster is None else each(design.cluster),
        other_cohorts={name: each(starts) for name, starts in design.other_cohorts.items()},
    )


def comparison_masks(field: Field, donors: str, *, with_ring: bool, alike_within: float) -> Bools:
    """Tell whom each assignment's hosts may be compared with, shape (1 + n_assignments, n_units).

    Hosts of the assignment itself may be among them: they are taken out by their starts.
    """
    n, n_units = field.starts.shape
    mask = np.ones((n, n_units), dtype=bool)
    if donors in ("own_area", "other_areas"):
        mask = _by_area(field, own=donors == "own_area")
    elif donors == "alike":
        mask = _by_level(field, alike_within)
    return mask if with_ring else mask & ~field.is_ring


def _by_area(field: Field, *, own: bool) -> Bools:
    names = sorted({one for one in field.area if one is not None})
    member = np.array([[one == name for name in names] for one in field.area], dtype=bool)
    member = member.reshape(len(field.area), len(names))
    hosts_there = (field.is_host.astype(np.int64) @ member.astype(np.int64)) > 0
    inside = (hosts_there.astype(np.int64) @ member.T.astype(np.int64)) > 0
    return inside if own else ~inside & member.any(axis=1)


def _by_level(field: Field, within: float) -> Bools:
    """Keep units whose mean before the first start lies within a factor of the hosts'."""
    design = field.design
    before = np.asarray(design.periods) < min(design.cohorts) - design.anticipation
    seen = design.y[:, before] if design.form == "log" else design.y_natural[:, before]
    level = mean_seen(seen)
    if design.form != "log":
        level = np.log(level, out=np.full(len(level), np.nan), where=level > 0)
    has, logs = np.isfinite(level), np.nan_to_num(level)
    is_host: Bools = field.is_host
    of_hosts = (is_host * logs).sum(axis=1) / np.maximum(is_host.sum(axis=1), 1)
    bears = has & ~np.asarray((is_host & ~has).any(axis=1))[:, None]
    near = np.abs(logs - of_hosts[:, None]) <= np.log(within) + 1e-12
    return np.asarray(near & bears)
