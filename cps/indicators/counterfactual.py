"""The distribution as it would have been without the initiatives, with intervals by simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cps.errors import DesignError, Text
from cps.indicators.effects import Scale, check_effects, misuse, require_effects
from cps.indicators.record import Ask, Column, FloatArray, Grid, Indicator
from cps.indicators.registry import indicator, missing_needs

INDICES: tuple[str, ...] = (
    "total",
    "mean",
    "median",
    "gini",
    "gini_small_sample",
    "theil_t",
    "theil_l",
    "p90_p10",
    "palma",
    "poorest_fifth_mean",
    "sd_log",
    *(f"share_above_{wan}" for wan in (5, 10, 20, 50, 100, 200)),
    *(f"shortfall{power}_{wan}" for wan in (50, 100) for power in (1, 2)),
)
ROUNDING = 1e-12  # relative difference that is one of the order of sums, not of worlds
LEAST_DEFINED = 0.99  # share of draws in which an index must exist for its interval


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """One index as observed and as it would have been without the initiatives.

    Parameters
    ----------
    indicator : str
    title, formula : Text
    unit : str
    observed : float or None
        What it is: a count of what happened, without error.
    without : float or None
        At the effects' central values, or the median of the draws.
    without_low, without_high : float or None
    difference : float or None
        ``observed − without``: what the initiatives changed.
    difference_low, difference_high : float or None
    probability_higher : float or None
        Share of draws in which the index is higher with the initiatives than without (equal counts
        half).
    n_draws, n_defined : int
        Draws, and those in which the index exists.
    notes : tuple of Text
    """

    indicator: str
    title: Text
    formula: Text
    unit: str
    observed: float | None
    without: float | None
    without_low: float | None
    without_high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    probability_higher: float | None
    n_draws: int
    n_defined: int
    notes: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """All indices of the distribution without the initiatives at one date.

    Parameters
    ----------
    rows : tuple of Counterfactual
    by_initiative : dict of str to columnar table
        ``initiative, indicator, without, difference, difference_low, difference_high``: each
        initiative alone taken away, the others left. The rows do not add up to the whole: indices
        are not linear. Empty without initiatives.
    period, n_reported, n_units, n_treated : int
        ``n_treated`` units have an effect taken away.
    basis : Text
    level : float
    interval : Text
    notes : tuple of Text
        What it takes for granted.
    """

    rows: tuple[Counterfactual, ...]
    by_initiative: dict[str, Column]
    period: int
    n_reported: int
    n_units: int
    n_treated: int
    basis: Text
    level: float
    interval: Text
    notes: tuple[Text, ...]


def distribution_without(
    grid: Grid,
    *,
    period: int,
    membership: ArrayLike,
    effects: ArrayLike,
    draws: ArrayLike,
    scale: Scale,
    initiatives: Sequence[str] = (),
    indices: Sequence[str] = INDICES,
    level: float = 0.95,
    centre_of: Literal["effects", "draws"] = "effects",
) -> Distribution:
    """Take each unit's effect away and ask what the distribution would have been.

    A unit's effect is ``membership @ effects``: with one column an initiative, the sum over the
    initiatives that it hosts at the date; with one column a treated unit (``membership`` then has a
    single 1 in each), its own. Effects in 元 are subtracted; in log points the value is divided by
    ``exp`` of them. Observed indices carry no error; all uncertainty is that of the effects, drawn
    jointly, and intervals are percentiles of the draws.

    Parameters
    ----------
    grid : Grid
    period : int
    membership : array_like, shape (n_units, k)
        1 where the unit has the initiative (or a share of it), 0 elsewhere.
    effects : array_like, shape (k,)
        Central values, per unit and period at the date.
    draws : array_like, shape (n_draws, k)
        From their joint distribution (``draw_effects``, a bootstrap, a posterior).
    scale : {"yuan", "log_points"}
    initiatives : sequence of str, length k, optional
        Names: each is then also taken away alone.
    indices : sequence of str
        Indicators of a single cross-section.
    level : float
    centre_of : {"effects", "draws"}
        What ``without`` is: the index at the effects' central values, or the median of the index
        over the draws. Where each unit has an effect of its own, central values lack the effects'
        spread, and an index of inequality at them is not in the middle of what it could be.

    Returns
    -------
    Distribution

    Raises
    ------
    UsageError
        If shapes don't fit, an index is unknown or needs more than one cross-section, or the scale
        is 元 for an outcome that is not.
    DesignError
        If an effect that a unit has is missing (not identified), naming the units; or nobody reported.

    References
    ----------
    DiNardo, J., Fortin, N. & Lemieux, T. (1996). Labor market institutions and the distribution of
    wages. Econometrica 64(5), 1001–1044. doi:10.2307/2171954 (the question; here with estimated
    effects in place of reweighting)
    Krinsky, I. & Robb, A. L. (1986). On approximating the statistical properties of elasticities.
    Review of Economics and Statistics 68(4), 715–719. doi:10.2307/1924536 (intervals by simulation)
    """
    chosen = [_cross_sectional(name, grid, period) for name in indices]
    shares, centre, drawn = check_effects(
        grid, membership, effects, draws, n_names=len(initiatives), scale=scale
    )
    column = grid.at(period)
    reported = np.isfinite(column)
    if not reported.any():
        raise DesignError(
            Text(f"{period} 期没有单位填报", f"no unit reported in period {period}"),
            where="distribution_without(period=…)",
            mend=Text("换一个有数据的时期", "choose a period with data"),
        )
    require_effects(grid, shares, centre, drawn)
    values, has = column[reported], shares[reported]
    is_absent = ~np.isfinite(centre) | ~np.isfinite(drawn).all(axis=0)
    centre, drawn = np.where(is_absent, 0.0, centre), np.where(is_absent, 0.0, drawn)
    point = _without(values, has @ centre, scale)
    # No product of matrices, whose sums depend on the number of threads.
    worlds = _without(values, np.einsum("dk,uk->du", drawn, has), scale)
    is_whole = bool(reported.all())
    by_median = centre_of == "draws"
    rows = tuple(
        _compare(one, values, point, worlds, level=level, is_whole=is_whole, by_median=by_median)
        for one in chosen
    )
    table = (
        _one_by_one(chosen, values, has, centre, drawn, scale=scale, names=initiatives, level=level)
        if initiatives
        else {}
    )
    return Distribution(
        rows=rows,
        by_initiative=table,
        period=period,
        n_reported=int(reported.sum()),
        n_units=len(grid.units),
        n_treated=int((has != 0).any(axis=1).sum()),
        basis=grid.basis.words(grid.regime(period)),
        level=level,
        interval=Text(
            f"按效应的联合分布模拟 {len(drawn)} 次的百分位区间",
            f"percentiles of {len(drawn)} joint draws of the effects",
        ),
        notes=(*_granted(has, worlds, scale), *((_SAMPLED,) if grid.is_sample else ())),
    )


def _without(values: FloatArray, effect: FloatArray, scale: Scale) -> FloatArray:
    return values - effect if scale == "yuan" else values * np.exp(-effect)


def _compare(
    one: Indicator,
    values: FloatArray,
    point: FloatArray,
    worlds: FloatArray,
    *,
    level: float,
    is_whole: bool,
    by_median: bool = False,
) -> Counterfactual:
    notes: tuple[Text, ...] = ()
    observed, without, found = _three(one, values, point, worlds)
    if one.whole and not is_whole:
        observed, without, found = None, None, np.full(len(worlds), np.nan)
        notes = (
            Text("有单位未报，部分之和不是总数", "some did not report: part of a sum is no sum"),
        )
    defined = found[np.isfinite(found)]
    low = high = gap_low = gap_high = chance = None
    if observed is not None and defined.size >= LEAST_DEFINED * found.size:
        tails = [(1 - level) / 2, (1 + level) / 2]
        low, high = (float(one) for one in np.quantile(defined, tails))
        without = float(np.median(defined)) if by_median else without
        gaps = observed - defined
        gaps[np.abs(gaps) <= ROUNDING * abs(observed)] = 0.0
        gap_low, gap_high = (float(one) for one in np.quantile(gaps, tails))
        chance = float((gaps > 0).mean() + 0.5 * (gaps == 0).mean())
    elif not notes:
        reason = one.undefined or Text("无定义", "not defined")
        notes = (
            Text(
                f"{found.size} 次模拟中仅 {defined.size} 次有定义，不给区间：{reason.zh}；可改用对数效应",
                f"defined in {defined.size} of {found.size} draws only, no interval: {reason.en}; "
                "effects in logs would not reach below zero",
            ),
        )
    return Counterfactual(
        indicator=one.name,
        title=one.title,
        formula=one.formula,
        unit=one.unit,
        observed=observed,
        without=without,
        without_low=low,
        without_high=high,
        difference=None if observed is None or without is None else observed - without,
        difference_low=gap_low,
        difference_high=gap_high,
        probability_higher=chance,
        n_draws=int(found.size),
        n_defined=int(defined.size),
        notes=notes,
    )


def _three(
    one: Indicator, values: FloatArray, point: FloatArray, worlds: FloatArray
) -> tuple[float | None, float | None, FloatArray]:
    statistic = one.statistic
    if statistic is None:
        raise TypeError(one.name)
    ends = [float(statistic(column)) for column in (values, point)]
    observed, without = (value if np.isfinite(value) else None for value in ends)
    return observed, without, statistic(worlds)


def _one_by_one(
    chosen: Sequence[Indicator],
    values: FloatArray,
    has: FloatArray,
    centre: FloatArray,
    drawn: FloatArray,
    *,
    scale: Scale,
    names: Sequence[str],
    level: float,
) -> dict[str, Column]:
    rows: list[tuple[str, str, float | None, float | None, float | None, float | None]] = []
    for place, name in enumerate(names):
        own = has[:, place]
        point = _without(values, own * centre[place], scale)
        worlds = _without(values, drawn[:, place, None] * own, scale)
        for one in chosen:
            found = _compare(one, values, point, worlds, level=level, is_whole=True)
            rows.append(
                (
                    name,
                    one.name,
                    found.without,
                    found.difference,
                    found.difference_low,
                    found.difference_high,
                )
            )
    heads = (
        "initiative",
        "indicator",
        "without",
        "difference",
        "difference_low",
        "difference_high",
    )
    return {head: tuple(row[place] for row in rows) for place, head in enumerate(heads)}


def _granted(has: FloatArray, worlds: FloatArray, scale: Scale) -> tuple[Text, ...]:
    notes = [
        Text(
            "假定未承办单位不受影响（无外溢），同一单位多项举措的效应相加",
            "it takes for granted that units without an initiative are untouched by it, and that the "
            "effects of several in one unit add up",
        )
    ]
    if ((has != 0).sum(axis=0) > 1).any():
        notes.append(
            Text(
                "同一举措的各承办单位取同一效应；单位间效应的差异未计入，差距指标的变动可能偏小或偏大",
                "the units of one initiative all have its mean effect: how effects differ between them "
                "is not in it, and the change of a gap may be over- or understated",
            )
        )
    negative = float((worlds < 0).any(axis=1).mean()) if scale == "yuan" else 0.0
    if negative > 0:
        notes.append(
            Text(
                f"{negative:.1%} 的模拟中有单位收入为负",
                f"in {negative:.1%} of draws some unit's income is below zero",
            )
        )
    return tuple(notes)


_SAMPLED = Text(
    "单位为抽样，区间只含效应的误差，不含抽样误差",
    "the units are a sample: intervals hold the error of the effects, not that of the draw of units",
)


def _cross_sectional(name: str, grid: Grid, period: int) -> Indicator:
    one = indicator(name)
    lacking = missing_needs(one, grid, Ask(period=period))
    if one.statistic is None or lacking is not None:
        raise misuse(
            Text(
                f"“{one.title.zh}”不能用于反事实分布",
                f"{one.title.en} can't be asked of a counterfactual distribution",
            ),
            lacking or Text("只用单一时点的指标", "use indicators of a single date"),
        )
    return one
