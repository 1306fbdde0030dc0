"""The statistic of a randomisation test under every assignment, as a function of the effect tested."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError
from cps.estimators._options import Number
from cps.estimators._ranks import (
    TIE,
    accept_half_width,
    accept_interval,
    counted_p,
    outermost,
)
from cps.estimators.inference._assign import Assignments
from cps.estimators.registry import Refit

Floats = NDArray[np.float64]
_LINEAR = 1e-6
_PROBED = 10
_HALVINGS = 8  # of a search that estimates everything anew at each step


class Scores(Protocol):
    """What a test by rank needs to know of its statistic."""

    placebos: Floats
    n_failed: int

    def p_value(self) -> float: ...
    def floor(self) -> float: ...
    def interval(self, level: float) -> tuple[float | None, float | None]: ...
    def spread(self) -> float | None: ...


def choose(statistic: str, att: float, refit: Refit, others: Assignments, *, moves: bool) -> Scores:
    """Compute the statistic under all assignments.

    Parameters
    ----------
    att : float
        The estimate as the method's own fit gives it.
    moves : bool
        True if the treated units take part in the other assignments, so that their estimates move
        with the effect tested.
    """
    table = Table(refit.design, refit, others, moves)
    return _Studentised(table) if statistic == "t" else _Plain(table, att)


class Table:
    """Estimates under all assignments, the actual one first, at any effect tested."""

    def __init__(self, design: Design, refit: Refit, others: Assignments, moves: bool) -> None:
        self.design, self.refit, self.others, self.moves = design, refit, others, moves
        start = design.starts
        self.treated = np.asarray(design.periods)[None, :] >= start[:, None]
        self.actual = start[start_pool(design)][None]

    def y(self, effect: float) -> Floats:
        """Give the outcomes without a constant effect."""
        return np.where(self.treated, self.design.y - effect, self.design.y)

    def estimates(self, effect: float, rows: slice = slice(None)) -> Floats:
        """Give the actual estimate and the others', shape (1 + n,); NaN where there is none."""
        y = self.y(effect)
        actual = self.refit.under(self.actual, units=start_pool(self.design), y=y)
        starts = self.others.starts[rows]
        return np.concatenate([actual, self.refit.under(starts, units=self.others.units, y=y)])

    def with_errors(self, effect: float) -> tuple[Floats, Floats]:
        """Give estimates and standard errors of the method's own, each of shape (1 + n,)."""
        y = self.y(effect)
        pairs = [self._fit(y, self.actual[0], start_pool(self.design))]
        pairs += [self._fit(y, row, self.others.units) for row in self.others.starts]
        found = np.array(pairs)
        return found[:, 0], found[:, 1]

    def _fit(self, y: Floats, starts: Floats, units: NDArray[np.bool_]) -> tuple[float, float]:
        found = fit_under(self.design, self.refit, y, starts, units)
        if found is None or found.overall.att is None or found.overall.se is None:
            return np.nan, np.nan
        return found.overall.att, found.overall.se


def fit_under(
    design: Design, refit: Refit, y: Floats, starts: Floats, units: NDArray[np.bool_]
) -> Any:
    """Give the method's whole effect under another assignment; None where there is none."""
    moved = dataclasses.replace(design, y=y, y_natural=y)
    cohort: list[int | None] = [None] * len(design.units)
    for unit, start in zip(np.flatnonzero(units), starts, strict=True):
        cohort[unit] = int(start) if np.isfinite(start) else None
    other = subset_design(moved, units=units, cohort=cohort)
    try:
        return refit.module.fit(other, level=0.95, seed=0, options=_without_draws(refit))
    except DesignError:
        return None


def _without_draws(refit: Refit) -> dict[str, str]:
    """Spare a method that offers it the drawing of bands that nobody looks at here."""
    offered = refit.module.OPTIONS.get("draws")
    is_spared = isinstance(offered, Number) and offered.low <= 0
    return {**refit.options, "draws": "0"} if is_spared else dict(refit.options)


def start_pool(design: Design) -> NDArray[np.bool_]:
    """Tell which units are treated or may be compared."""
    return np.isfinite(design.starts) | design.is_donor


class _Plain:
    """The estimate itself."""

    def __init__(self, table: Table, att: float) -> None:
        self.table = table
        found = table.estimates(0.0)
        # A method may be solved more roughly where it is estimated many times over.
        self.estimate = float(found[0]) if table.moves else att
        self.placebos = found[1:]
        self.n_failed = int(np.isnan(self.placebos).sum())
        self.large = np.where(np.isnan(self.placebos), np.inf, self.placebos)
        self.slopes = np.zeros(len(self.large))
        self.is_linear = True
        if table.moves:
            self._probe()

    def _probe(self) -> None:
        scale = float(np.nanstd(self.table.design.y)) or 1.0
        moved = self.table.estimates(scale)[1:]
        slopes = (self.placebos - moved) / scale
        self.slopes = np.where(np.isnan(slopes), 0.0, slopes)
        few = slice(0, _PROBED)
        third = self.table.estimates(-2 * scale, few)
        line = np.concatenate(
            [[self.estimate + 2 * scale], self.placebos[few] + 2 * scale * slopes[few]]
        )
        off = np.abs(third - line)
        self.is_linear = bool(np.all((off <= _LINEAR * scale) | np.isnan(off)))

    def p_value(self) -> float:
        return counted_p(self.estimate, self.large)

    def floor(self) -> float:
        return _floor(np.concatenate([[self.estimate], self.placebos]))

    def spread(self) -> float | None:
        return _spread(self.placebos - self.estimate * self.slopes)

    def interval(self, level: float) -> tuple[float | None, float | None]:
        if not self.table.moves:
            half = accept_half_width(self.large, level)
            return _ends(self.estimate - half, self.estimate + half)
        low, high = accept_interval(self.estimate, self.large, self.slopes, level)
        if self.is_linear:
            return _ends(low, high)
        return self._searched(level, low, high)

    def _searched(self, level: float, low: float, high: float) -> tuple[float | None, float | None]:
        """Search the ends by estimating everything anew; starts from the local line's ends."""

        def is_rejected(effect: float) -> bool:
            found = self.table.estimates(effect)
            others = np.where(np.isnan(found[1:]), np.inf, found[1:])
            return counted_p(float(found[0]), others) <= (1 - level) * (1 + TIE)

        ends: list[float | None] = []
        for guess in (low, high):
            reach = guess - self.estimate
            if not np.isfinite(reach) or reach == 0:
                ends.append(None)
                continue
            near, far = 0.0, 1.5
            while not is_rejected(self.estimate + far * reach) and far < 50:
                near, far = far, far * 2
            for _ in range(_HALVINGS):
                middle = (near + far) / 2
                inside = not is_rejected(self.estimate + middle * reach)
                near, far = (middle, far) if inside else (near, middle)
            # The outer end of what is left unsearched: no effect that may stand is left out.
            ends.append(self.estimate + far * reach if far < 50 else None)
        return ends[0], ends[1]


class _Studentised:
    """The estimate over its own standard error; both follow the effect tested."""

    def __init__(self, table: Table) -> None:
        self.table = table
        att, se = table.with_errors(0.0)
        self.att, self.se = att, se
        self.placebos = att[1:]
        self.n_failed = int(np.isnan(att[1:]).sum())
        if table.moves:
            step = float(np.nanstd(table.design.y)) or 1.0
            one, two = table.with_errors(step), table.with_errors(-step)
            self.slope = (att - one[0]) / step
            # The squared error is a parabola in the effect: three points say which.
            self.low1 = (two[1] ** 2 - one[1] ** 2) / (2 * step)
            self.low2 = (one[1] ** 2 + two[1] ** 2 - 2 * se**2) / (2 * step**2)
        else:
            self.slope = np.concatenate([[1.0], np.zeros(len(att) - 1)])
            self.low1 = self.low2 = np.zeros(len(att))

    def _sizes(self, effect: float) -> Floats:
        low = np.sqrt(np.maximum(self.se**2 - effect * self.low1 + effect**2 * self.low2, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            size = np.abs(self.att - effect * self.slope) / low
        return np.where(np.isnan(size), np.inf, size)

    def _p(self, effect: float) -> float:
        sizes = self._sizes(effect)
        return counted_p(float(sizes[0]), sizes[1:])

    def _p_along(self, centre: float, side: float, steps: float) -> float:
        return self._p(centre + side * steps)

    def p_value(self) -> float:
        return self._p(0.0)

    def floor(self) -> float:
        return _floor(self._sizes(0.0))

    def spread(self) -> float | None:
        return _spread(self.placebos - self.att[0] * self.slope[1:])

    def interval(self, level: float) -> tuple[float | None, float | None]:
        centre, step = float(self.att[0]), float(self.se[0])
        if not np.isfinite(centre) or not step > 0:
            return None, None
        ends = [
            centre + side * outermost(partial(self._p_along, centre, side), 1 - level)
            for side in (-step, step)
        ]
        return _ends(ends[0], ends[1])


def _ends(low: float, high: float) -> tuple[float | None, float | None]:
    return (low if np.isfinite(low) else None), (high if np.isfinite(high) else None)


def _floor(sizes: Floats) -> float:
    """Give the smallest p-value of any assignment: that of the largest, with its ties."""
    size = np.abs(sizes)
    finite = size[np.isfinite(size)]
    n_top = int((finite >= finite.max() * (1 - TIE)).sum()) if len(finite) else 0
    return (n_top + len(size) - len(finite)) / len(size)


def _spread(placebos: Floats) -> float | None:
    kept = placebos[np.isfinite(placebos)]
    if len(kept) < 2 or kept.std() == 0:
        return None
    # About zero, which a placebo's effect is: their own mean would take a part of the error away.
    return float(np.sqrt((kept**2).mean()))
