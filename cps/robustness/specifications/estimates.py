"""Every cell's estimate under every assignment; cells that share their arrays in one go."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError, Text
from cps.estimators.registry import Refit, refit
from cps.robustness.specifications.field import Field, can_batch, comparison_masks
from cps.robustness.specifications.grid import Declared, Method
from cps.robustness.specifications.windows import Why, kept_periods

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Made = TypeVar("Made")

_NEAR = 1e-6  # of the estimate: what differs more need not be looked at under other assignments
_ALIKE = 1e-9  # of an estimate's spread: closer ones are the same under other names


@dataclass(slots=True, eq=False)
class Cell:
    """One cell as far as it has come.

    Parameters
    ----------
    own : ndarray, shape (1 + n_assignments,), or None
        Estimates on the cell's own scale, the actual assignment's first; NaN where there is none.
    common : ndarray, same shape, or None
        On the headline's scale.
    """

    choices: dict[str, str]
    why: Why | None = None
    same_as: int | None = None
    own: Floats | None = None
    common: Floats | None = None
    scale: Scale | None = None
    form: str = ""
    n_comparison: int = 0
    n_periods: int = 0

    def choice(self, dimension: str, default: str) -> str:
        """Give what is chosen in a dimension, which this grid may not have."""
        return self.choices.get(dimension, default)


@dataclass(frozen=True, slots=True, eq=False)
class _Donors:
    """First periods under each assignment: NaN for units that take no part."""

    starts: Floats
    is_usable: Bools  # of the assignments


@dataclass(frozen=True, slots=True, eq=False)
class _Shaped:
    """The design in one form; ``units`` are those that it is defined for."""

    design: Design
    units: Bools

    @property
    def key(self) -> tuple[str, bool]:
        """What tells it from the others of one field."""
        return self.design.form, self.design.covariates is None


@dataclass(frozen=True, slots=True, eq=False)
class _Arrays:
    """What cells share that differ in nothing but whom they compare with."""

    method: Method
    window: Bools
    shaped: _Shaped


def estimate_cells(declared: Declared, field: Field) -> list[Cell]:
    """Estimate every declared cell; what can't be says why, what is there already says where."""
    cells = [Cell(choices) for choices in declared.cells]
    numbers, form = declared.grid.numbers, field.design.form
    windows = _once(
        lambda key: kept_periods(
            field.design,
            *key,
            years=numbers["years_before"],
            shock_years=declared.grid.shock_years,
        ),
        [(one.choice("before", "all"), one.choice("calendar", "all")) for one in cells],
    )
    donors = _once(
        lambda key: _donors(field, key, numbers),
        [(one.choice("donors", "all"), one.choice("ring", "out")) for one in cells],
    )
    shapes = _once(
        lambda key: _in_form(field, key),
        [(one.choice("form", form), one.choice("covariates", "with")) for one in cells],
    )
    together: dict[tuple[object, ...], list[tuple[int, _Donors]]] = {}
    arrays: dict[tuple[object, ...], _Arrays] = {}
    seen: dict[tuple[object, ...], int] = {}
    # The headline first: what is the same as it is counted with it.
    for number in [declared.headline, *range(len(cells))]:
        cell = cells[number]
        if number == declared.headline and seen:
            continue
        window = windows[cell.choice("before", "all"), cell.choice("calendar", "all")]
        group = donors[cell.choice("donors", "all"), cell.choice("ring", "out")]
        shaped = shapes[cell.choice("form", form), cell.choice("covariates", "with")]
        if isinstance(group, Why):
            cell.why = group
        elif isinstance(window, Why):
            cell.why = window
        elif isinstance(shaped, Why):
            cell.why = shaped
        else:
            method = declared.methods[cell.choices["method"], cell.choices["controls"]]
            key = (*_method_key(method, field), *shaped.key, window.tobytes())
            same = (*key, group.starts[0].tobytes())
            if seen.setdefault(same, number) != number:
                cell.same_as = seen[same]
                continue
            arrays[key] = _Arrays(method, window, shaped)
            together.setdefault(key, []).append((number, group))
    for key, members in together.items():
        _estimate_together(cells, members, arrays[key], field)
    _mark_equal(cells, declared.headline)
    return cells


def _once(
    make: Callable[..., Made], keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Made]:
    return {key: make(key) for key in dict.fromkeys(keys)}


def _method_key(method: Method, field: Field) -> tuple[object, ...]:
    """Tell methods apart; without later starts nobody is not yet treated."""
    options = dict(method.options)
    if len(field.design.cohorts) == 1 and "control" in options:
        options["control"] = "never"
    return method.estimator, *sorted(options.items())


def _donors(field: Field, key: tuple[str, str], numbers: dict[str, int]) -> _Donors | Why:
    name, ring = key
    mask = comparison_masks(
        field, name, with_ring=ring == "in", alike_within=numbers["alike_within"]
    )
    starts = np.where(field.is_host | mask, field.starts, np.nan)
    n = np.isposinf(starts).sum(axis=1)
    fewest = numbers["fewest_comparison"]
    if name.endswith("_area") or name.endswith("_areas"):
        hosts = [one for one, host in zip(field.area, field.is_host[0], strict=True) if host]
        if None in hosts:
            return _NO_AREAS
    if n[0] < fewest:
        return _too_few(name, int(n[0]), fewest)
    return _Donors(starts, n >= fewest)


_NO_AREAS = Why(
    Text("不知道承办单位属于哪个镇街", "it is not known which area the hosts lie in"),
    Text("给出带有 area 一列的面板", "give the panel, with its column area"),
)


def _too_few(name: str, n: int, fewest: int) -> Why:
    who = {
        "all": Text("对照单位", "comparison units"),
        "own_area": Text("本镇街的对照单位", "comparison units in the hosts' own area"),
        "other_areas": Text("外镇街的对照单位", "comparison units in other areas"),
        "alike": Text("水平相近的对照单位", "comparison units alike in level"),
    }[name]
    return Why(
        Text(f"{who.zh}只有 {n} 个，少于 {fewest} 个", f"{who.en}: {n}, where {fewest} are needed"),
        Text("补充未承办项目的单位的台账", "add ledgers of units that host no initiative"),
    )


def _in_form(field: Field, key: tuple[str, str]) -> _Shaped | Why:
    form, covariates = key
    design, everyone = field.design, np.ones(len(field.design.units), dtype=bool)
    if covariates == "without":
        design = dataclasses.replace(design, covariates=None, covariate_names=())
    if form == design.form:
        return _Shaped(design, everyone)
    if form == "level":
        return _Shaped(dataclasses.replace(design, form="level", y=design.y_natural), everyone)
    units = np.asarray(~(design.y_natural <= 0).any(axis=1))
    hosts = field.is_host[0]
    if (hosts & ~units).any():
        names = [one for one, bad in zip(design.units, hosts & ~units, strict=True) if bad]
        return Why(
            Text(
                f"承办单位有为零的数值，不能取对数（{'、'.join(names)}）",
                f"hosts with a value of zero have no logarithm ({', '.join(names)})",
            ),
            Text("按水平值比较", "compare levels"),
        )
    cut = subset_design(design, units=units)
    return _Shaped(dataclasses.replace(cut, form="log", y=np.log(cut.y_natural)), units)


def _estimate_together(
    cells: list[Cell],
    members: list[tuple[int, _Donors]],
    arrays: _Arrays,
    field: Field,
) -> None:
    """Estimate the cells that differ in nothing but whom they compare with."""
    method, window, shaped = arrays.method, arrays.window, arrays.shaped
    design = subset_design(shaped.design, periods=window)
    try:
        again = refit(design, method.estimator, options=method.options)
    except DesignError as error:
        for number, _ in members:
            cells[number].why = Why(error.what, error.mend)
        return
    # A host without a value in this form takes its whole assignment along.
    lost = (field.is_host & ~shaped.units).any(axis=1)
    usable = [group.is_usable & ~lost for _, group in members]
    rows = np.vstack(
        [
            group.starts[good][:, shaped.units]
            for (_, group), good in zip(members, usable, strict=True)
        ]
    )
    found = _under(again, rows)
    scale = _scale(field, design, window, shaped)
    last = np.cumsum([int(good.sum()) for good in usable])
    for (number, group), good, high in zip(members, usable, last, strict=True):
        cell = cells[number]
        cell.own = np.full(len(good), np.nan)
        cell.own[good] = found[high - int(good.sum()) : high]
        cell.form, cell.n_periods = design.form, len(design.periods)
        cell.n_comparison = int(np.isposinf(group.starts[0][shaped.units]).sum())
        cell.scale, cell.common = scale, scale.common(cell.own)
        cell.why = _why_no_estimate(cell)


def _under(again: Refit, rows: Floats) -> Floats:
    """Estimate under assignments that may leave units out."""
    design = again.design
    if can_batch(design) and hasattr(again.module, "points"):
        return again.under(rows)
    found = np.full(len(rows), np.nan)
    # Slow methods give the estimate alone: a placebo each would take longer than all the rest.
    for place, row in enumerate(rows if hasattr(again.module, "points") else rows[:1]):
        there = ~np.isnan(row)
        cohort = [int(one) if np.isfinite(one) else None for one in row]
        found[place] = again.one(subset_design(design, units=there, cohort=cohort))
    return found


def _why_no_estimate(cell: Cell) -> Why | None:
    if cell.own is None or cell.common is None or np.isfinite(cell.common[0]):
        return None
    if np.isnan(cell.own[0]):
        return Why(
            Text("没有可比较的单元格", "nothing can be compared"),
            Text("补充对照单位或时期", "add comparison units or periods"),
        )
    return Why(
        Text(
            "按水平值推算，没有项目时的数额不为正，不能换算为比例",
            "in levels the amount without the initiative would not be positive: there is no "
            "proportional effect",
        ),
        Text("按对数比较", "compare logarithms"),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """From a cell's form of the outcome to the headline's, assignment by assignment.

    From amounts to log points by the mean of the treated cells, ``log(m / (m − att))``; from log
    points to amounts by their geometric mean, ``g (1 − exp(−att))``.

    Parameters
    ----------
    mean : ndarray, shape (1 + n_assignments,), or None
        Mean of the treated cells, of logarithms or amounts; None where the two forms are one.
    to_log : bool
    """

    mean: Floats | None = None
    to_log: bool = False

    def common(self, own: Floats, rows: slice = slice(None)) -> Floats:
        """Translate estimates of some assignments; infinity where amounts have no proportion."""
        if self.mean is None:
            return own
        mean = self.mean[rows]
        if not self.to_log:
            return np.asarray(np.exp(mean) * -np.expm1(-own))
        without = mean - own
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.log(mean / np.where(without > 0, without, np.nan))
        return np.where(without <= 0, np.inf, ratio)


def _scale(field: Field, design: Design, window: Bools, shaped: _Shaped) -> Scale:
    if design.form == field.design.form:
        return Scale()
    values = np.full((len(field.design.units), int(window.sum())), np.nan)
    values[shaped.units] = design.y
    mean = _treated_means(field.starts, np.asarray(design.periods), values)
    return Scale(mean, design.form == "level")


def _treated_means(starts: Floats, periods: NDArray[np.int64], values: Floats) -> Floats:
    """Average over treated cells under each assignment."""
    total, count = np.zeros(len(starts)), np.zeros(len(starts))
    has, filled = ~np.isnan(values), np.nan_to_num(values)
    for start in np.unique(starts[np.isfinite(starts)]):
        member, after = (starts == start).astype(float), periods >= start
        total += member @ filled[:, after].sum(axis=1)
        count += member @ has[:, after].sum(axis=1).astype(float)
    return np.divide(total, count, out=np.full(len(starts), np.nan), where=count > 0)


def _mark_equal(cells: list[Cell], headline: int) -> None:
    """Count cells once that give one estimate under every assignment: one method by two names."""
    order = [headline, *(number for number in range(len(cells)) if number != headline)]
    kept: dict[tuple[object, ...], list[int]] = {}
    for number in order:
        cell = cells[number]
        if cell.own is None or cell.why is not None:
            continue
        key = (cell.form, cell.n_comparison, cell.n_periods)
        for other in kept.setdefault(key, []):
            if _is_equal(cell.own, cells[other].own):
                cell.same_as = other
                break
        else:
            kept[key].append(number)
    for cell in cells:  # what was the same as one of these
        while cell.same_as is not None and cells[cell.same_as].same_as is not None:
            cell.same_as = cells[cell.same_as].same_as
        if cell.same_as is not None:
            cell.why = cells[cell.same_as].why


def _is_equal(own: Floats, other: Floats | None) -> bool:
    if other is None or len(own) < 2 or abs(own[0] - other[0]) > _NEAR * abs(own[0]):
        return False
    if not np.array_equal(np.isnan(own), np.isnan(other)):
        return False
    scale = np.nanmax(np.abs(own), initial=0.0)
    return bool(np.nanmax(np.abs(own - other), initial=0.0) <= _ALIKE * scale)
