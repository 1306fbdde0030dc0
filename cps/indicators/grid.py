"""From an array or a panel to the grid that indicators are asked of."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from cps.errors import Text, UsageError, unknown_choice
from cps.indicators.levels import STOCKS, yearly_values
from cps.indicators.record import Basis, FloatArray, Grid
from cps.panel.record import PANEL_KEYS, Panel
from cps.periods import Frequency, label


def grid_of_array(
    values: ArrayLike,
    *,
    periods: Sequence[int] | None = None,
    units: Sequence[str] | None = None,
    areas: Sequence[str | None] | None = None,
    regimes: Sequence[str | None] | None = None,
    measure: str = "yuan",
    frequency: Frequency = "year",
    basis: Basis | None = None,
    is_sample: bool = False,
    is_stock: bool = False,
    components: Mapping[str, ArrayLike] | None = None,
) -> Grid:
    """Make a grid of an array of units × periods.

    Parameters
    ----------
    values : array_like, shape (n_units, n_periods) or (n_units,)
        NaN is not reported.
    periods : sequence of int, optional
        Ordinals; 0, 1, … without them.
    units, areas, regimes : sequences, optional
    measure : str
    frequency : {"month", "quarter", "year"}
    basis : Basis, optional
        Gross and nominal, without subsidies, for 元; none for other measures.
    is_sample : bool
        True if the units were drawn from more units than these.
    is_stock : bool
        True for what stands at a date, False for what sums over periods.
    components : mapping of str to array_like, shape (n_units, n_periods), optional

    Returns
    -------
    Grid

    Raises
    ------
    UsageError
        If shapes don't fit, periods don't follow one another, units repeat, or a value is infinite.
    """
    array = _floats(values, "values")
    n_units, n_periods = array.shape
    ordinals = tuple(range(n_periods)) if periods is None else tuple(int(one) for one in periods)
    names = tuple(str(one) for one in (units if units is not None else range(1, n_units + 1)))
    places = tuple(areas) if areas is not None else (None,) * n_units
    systems = tuple(regimes) if regimes is not None else (None,) * n_periods
    for name, length, expected in (
        ("periods", len(ordinals), n_periods),
        ("units", len(names), n_units),
        ("areas", len(places), n_units),
        ("regimes", len(systems), n_periods),
    ):
        if length != expected:
            raise _misfit(name, f"{length}", f"{expected}")
    if any(later != earlier + 1 for earlier, later in itertools.pairwise(ordinals)):
        raise _misfit("periods", str(ordinals), "consecutive ordinals")
    if len(set(names)) != n_units:
        raise _misfit("units", "repeated names", "one name a unit")
    parts = {name: _floats(part, name) for name, part in (components or {}).items()}
    for name, part in parts.items():
        if part.shape != array.shape:
            raise _misfit(name, str(part.shape), str(array.shape))
    return Grid(
        units=names,
        periods=ordinals,
        values=array,
        measure=measure,
        frequency=frequency,
        areas=places,
        regimes=systems,
        basis=basis or (Basis() if measure == "yuan" else Basis(income=None, prices=None)),
        is_sample=is_sample,
        is_stock=is_stock,
        components=parts,
    )


def grid_of_panel(
    panel: Panel,
    outcome: str,
    *,
    area: str | None = None,
    by: Literal["year", "own"] = "year",
    basis: Basis | None = None,
    is_sample: bool = False,
) -> Grid:
    """Make a grid of one outcome of a panel.

    Parameters
    ----------
    panel : Panel
    outcome : str
        Column such as ``income_yuan``.
    area : str, optional
        Only the units of this area.
    by : {"year", "own"}
        Years (a year counts only if all its periods are there; stocks are read at its end), or the
        panel's own periods.
    basis : Basis, optional
    is_sample : bool

    Returns
    -------
    Grid
        Its other outcomes come along as components at the same frequency.

    Raises
    ------
    UsageError
        If the panel has no such outcome or area; names the nearest.
    """
    outcomes = [name for name in panel.frame.columns if name not in PANEL_KEYS]
    if outcome not in outcomes:
        raise unknown_choice(
            Text("指标列", "outcome"), outcome, outcomes, where="grid_of_panel(outcome=…)"
        )
    known = panel.frame["area"].drop_nulls().unique().to_list()
    if area is not None and area not in known:
        raise unknown_choice(Text("地区", "area"), area, known, where="grid_of_panel(area=…)")
    tables = {name: _long(panel, name, by) for name in outcomes}
    if area is not None:
        inside = (
            tables[outcome]
            .group_by("unit")
            .agg(pl.col("area").last())
            .filter(pl.col("area") == area)
        )
        tables = {
            name: table.join(inside.select("unit"), on="unit", how="semi")
            for name, table in tables.items()
        }
    main = tables[outcome]
    units = tuple(main["unit"].unique().sort())
    periods = tuple(range(int(str(main["period"].min())), int(str(main["period"].max())) + 1))
    places = dict(main.group_by("unit").agg(pl.col("area").last()).iter_rows())
    systems = dict(
        main.group_by("period")
        .agg(pl.col("regime").drop_nulls().unique().sort().str.join("+"))
        .iter_rows()
    )
    return grid_of_array(
        _spread(main, units, periods),
        periods=periods,
        units=units,
        areas=[places[unit] for unit in units],
        regimes=[systems.get(period) or None for period in periods],
        measure=panel.outcomes[outcome].measure
        if outcome in panel.outcomes
        else outcome.rsplit("_", 1)[-1],
        frequency="year" if by == "year" else panel.frequency,
        basis=basis,
        is_sample=is_sample,
        is_stock=outcome in STOCKS,
        components={
            name: _spread(table, units, periods)
            for name, table in tables.items()
            if name != outcome
        },
    )


def add_components(grid: Grid, amounts: pl.DataFrame) -> Grid:
    """Add parts and companions of an outcome (income by kind, subsidies, members) to a grid.

    Parameters
    ----------
    grid : Grid
    amounts : polars.DataFrame
        ``unit, period, item, value``: one row a unit, period and item; ``period`` an ordinal of the
        grid's frequency, ``item`` a name with its unit (``subsidy_income_yuan``,
        ``members_persons``). Units and periods that the grid lacks are left aside; what has no row
        is not reported, never zero.

    Returns
    -------
    Grid

    Raises
    ------
    UsageError
        If a column lacks, or a unit, period and item has two rows.
    """
    columns = ("unit", "period", "item", "value")
    lacking = [name for name in columns if name not in amounts.columns]
    if lacking:
        raise _misfit("amounts", f"no {', '.join(lacking)}", ", ".join(columns))
    inside = amounts.filter(
        pl.col("unit").is_in(list(grid.units)), pl.col("period").is_in(list(grid.periods))
    )
    if inside.select(columns[:3]).is_duplicated().any():
        raise _misfit("amounts", "repeated rows", "one row a unit, period and item")
    parts = {
        str(item): _spread(part, grid.units, grid.periods)
        for (item,), part in inside.sort("item").group_by("item", maintain_order=True)
    }
    return replace(grid, components={**grid.components, **parts})


def deflate(grid: Grid, price_index: Mapping[int, float], *, base: int) -> Grid:
    """Bring money to the prices of one period.

    Parameters
    ----------
    price_index : mapping of period to float
        On any base; only ratios count.
    base : int
        Period whose prices the result is in.

    Returns
    -------
    Grid
        Real; a period without index is not reported any more.

    Raises
    ------
    UsageError
        If the outcome is no money, is real already, or the index lacks ``base`` or isn't positive.
    """
    if grid.measure != "yuan" or grid.basis.prices == "real":
        raise UsageError(
            Text("只有名义金额才能折算不变价", "only nominal money can be brought to fixed prices"),
            where="deflate(grid=…)",
            mend=Text("传入以元计的名义值", "pass a nominal outcome in 元"),
        )
    if base not in price_index or any(not value > 0 for value in price_index.values()):
        raise UsageError(
            Text("价格指数缺基期，或含非正值", "the price index lacks its base or isn't positive"),
            where=f"deflate(base={base})",
            mend=Text("补上该期指数", "add the index of that period"),
        )
    factors = np.array([price_index[base] / price_index.get(p, np.nan) for p in grid.periods])
    return replace(
        grid,
        values=grid.values * factors,
        basis=replace(grid.basis, prices="real", price_base=label(base, grid.frequency)),
        components={
            name: part * factors if name.endswith("_yuan") else part
            for name, part in grid.components.items()
        },
    )


def _long(panel: Panel, outcome: str, by: str) -> pl.DataFrame:
    if by == "year" and panel.frequency != "year":
        return yearly_values(panel, outcome).rename({"year": "period"})
    return panel.frame.select("unit", "area", "period", "regime", value=pl.col(outcome))


def _spread(table: pl.DataFrame, units: Sequence[str], periods: Sequence[int]) -> FloatArray:
    array = np.full((len(units), len(periods)), np.nan)
    row = {unit: place for place, unit in enumerate(units)}
    reported = table.filter(pl.col("value").is_not_null())
    rows = np.array([row[unit] for unit in reported["unit"]], dtype=int)
    columns = reported["period"].to_numpy().astype(int) - periods[0]
    array[rows, columns] = reported["value"].cast(pl.Float64).to_numpy()
    return array


def _floats(values: ArrayLike, name: str) -> FloatArray:
    array = np.array(values, dtype=float)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.size == 0 or np.isinf(array).any():
        raise _misfit(name, f"shape {array.shape}", "finite units × periods, NaN for gaps")
    return array


def _misfit(name: str, got: str, expected: str) -> UsageError:
    return UsageError(
        Text(f"{name} 不符：{got}", f"{name} does not fit: {got}"),
        where=f"grid_of_array({name}=…)",
        mend=Text(f"应为 {expected}", f"expected {expected}"),
    )
