"""The records of an indicator: what it is given, what it is, what it found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cps.errors import Text
from cps.periods import Frequency

FloatArray = NDArray[np.float64]
Column = tuple[float | int | str | None, ...]
Statistic = Callable[[FloatArray], FloatArray]
Need = Literal["base", "groups", "components", "yuan", "yearly", "within_year", "flow"]
BRACKETS_WAN: tuple[int, ...] = (5, 10, 20, 50, 100, 200)


@dataclass(frozen=True, slots=True)
class Basis:
    """What a figure counts: without it two figures can't be compared.

    Parameters
    ----------
    income : {"gross", "net"} or None
        Gross is Zhejiang's 经营性收入, net is 经营收益; None where the outcome is no income.
    prices : {"nominal", "real"} or None
        None where the outcome is no money.
    price_base : str or None
        Label of the period whose prices a real figure is in; None for nominal ones.
    subsidies : bool
        Whether 补助收入 is counted in.
    """

    income: Literal["gross", "net"] | None = "gross"
    prices: Literal["nominal", "real"] | None = "nominal"
    price_base: str | None = None
    subsidies: bool = False

    def words(self, regime: str | None = None) -> Text:
        """Say the basis in one phrase, with the accounting system where it is known."""
        zh: list[str] = []
        en: list[str] = []
        if self.income:
            zh.append({"gross": "总额口径", "net": "净额口径"}[self.income])
            en.append(self.income)
            zh.append("含补助收入" if self.subsidies else "不含补助收入")
            en.append("with subsidies" if self.subsidies else "without subsidies")
        if self.prices == "nominal":
            zh.append("名义值")
            en.append("nominal")
        elif self.prices == "real":
            year = "年" if str(self.price_base).isdigit() else ""
            zh.append(f"不变价（{self.price_base}{year}价格）")
            en.append(f"in prices of {self.price_base}")
        else:
            zh.append("非金额指标")
            en.append("no amount of money")
        if regime and self.prices:
            zh.append(f"{regime}年会计制度" if regime.isdigit() else f"会计制度 {regime}")
            en.append(f"accounting system {regime}")
        return Text("、".join(zh), ", ".join(en))


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """One outcome of units × periods, gaps as NaN, with the basis it stands on.

    Parameters
    ----------
    units : tuple of str, length n_units
    periods : tuple of int, length n_periods
        Ordinals (``cps.periods``), each one after the last.
    values : ndarray, shape (n_units, n_periods)
        In ``measure``; NaN is not reported, never zero.
    measure : str
        ``yuan``, ``persons`` …
    frequency : {"month", "quarter", "year"}
    areas : tuple of str or None, length n_units
    regimes : tuple of str or None, length n_periods
        Accounting system of each period; ``a+b`` where units differ.
    basis : Basis
    is_sample : bool
        True if the units were drawn from more units than these. Only then has an index of inequality
        an interval.
    is_stock : bool
        True for what stands at a date (jobs), False for what comes in over a period (income).
    components : dict of str to ndarray, shape (n_units, n_periods)
        Parts and companions of the outcome, in 元 or persons.
    """

    units: tuple[str, ...]
    periods: tuple[int, ...]
    values: FloatArray
    measure: str
    frequency: Frequency
    areas: tuple[str | None, ...]
    regimes: tuple[str | None, ...]
    basis: Basis
    is_sample: bool = False
    is_stock: bool = False
    components: Mapping[str, FloatArray] = field(default_factory=dict)

    def at(self, period: int) -> FloatArray:
        """Give the values of one period, shape (n_units,); all NaN if the grid lacks the period."""
        if period not in self.periods:
            return np.full(len(self.units), np.nan)
        return self.values[:, self.periods.index(period)]

    def regime(self, *periods: int) -> str | None:
        """Give the accounting systems of some periods, joined by ``+`` where they differ."""
        found = [self.regimes[self.periods.index(one)] for one in periods if one in self.periods]
        parts = {part for one in found if one for part in one.split("+")}
        return "+".join(sorted(parts)) or None


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of an indicator besides the grid.

    Parameters
    ----------
    period : int
        The date, an ordinal.
    base : int or None
        The earlier period to compare with.
    groups : tuple of str or None
        Group of each unit, for parts within and between; None takes the areas.
    instrument : int or None
        Period whose value stands in for the base year's in convergence.
    reliability : float or None
        Share of the base year's variance that is not error, in (0, 1].
    level : float
    draws, seed : int
        Of the bootstrap.
    """

    period: int
    base: int | None = None
    groups: tuple[str | None, ...] | None = None
    instrument: int | None = None
    reliability: float | None = None
    level: float = 0.95
    draws: int = 1999
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What an indicator's own code gives back; the rest of a reading is filled in around it.

    Parameters
    ----------
    value : float or None
    n_reported : int
        Units that the value is made of.
    parts : dict of str to float or None
        Named numbers that belong to the value: its parts, its companions.
    table : dict of str to columnar table
    ci : tuple of float or None
    interval : Text or None
        How the interval came about, or why there is none.
    notes : tuple of Text
        What a reader must know, among it why a value is absent.
    formula : Text or None
        The formula with its numbers, where it is to be printed with the word.
    periods : tuple of int
        Periods that the value is made of, where not those asked for.
    """

    value: float | None
    n_reported: int
    parts: dict[str, float | None] = field(default_factory=dict)
    table: dict[str, Column] = field(default_factory=dict)
    ci: tuple[float, float] | None = None
    interval: Text | None = None
    notes: tuple[Text, ...] = ()
    formula: Text | None = None
    periods: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator: its name, formula and unit, what it needs, and how it is computed.

    At least one of ``statistic`` and ``compute`` is given; ``compute`` goes first.

    Parameters
    ----------
    name : str
    title, formula : Text
    unit : str
        ``measure`` (the grid's own), ``percent``, ``points`` (百分点), ``index``, ``ratio``,
        ``per_year``, ``times`` (倍), ``units`` or ``yuan``.
    needs : tuple of str
        ``base``: an earlier period; ``groups``: areas or groups; ``components``: the arrays named in
        ``components``; ``yuan``: an outcome in 元; ``yearly``: years, since the promised levels are
        those of a year's income; ``within_year``: months or quarters; ``flow``: an outcome that sums over periods.
    components : tuple of str
    reference : str
    statistic : callable or None
        ``(…, n) -> (…)``: the indicator of complete values on the last axis, NaN where undefined.
        Such an indicator can be bootstrapped and asked of a counterfactual distribution.
    influence : callable or None
        ``(…, n) -> (…, n)``: the influence value of each unit, for the interval.
    limits : tuple of float
        Least and greatest value that there can be; an interval ends there.
    undefined : Text or None
        When ``statistic`` is not defined.
    whole : bool
        True if the value is absent unless every unit reported.
    compute : callable or None
        ``(grid, ask) -> Found``.
    """

    name: str
    title: Text
    formula: Text
    unit: str
    needs: tuple[Need, ...] = ()
    components: tuple[str, ...] = ()
    reference: str = ""
    statistic: Statistic | None = None
    influence: Callable[[FloatArray], FloatArray] | None = None
    limits: tuple[float, float] = (-np.inf, np.inf)
    undefined: Text | None = None
    whole: bool = False
    compute: Callable[[Grid, Ask], Found] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One indicator of one grid at one date, with all that may be printed beside it.

    Parameters
    ----------
    indicator : str
    title, formula : Text
    value : float or None
        None where it can't be had; ``notes`` say why.
    unit : str
        ``yuan``, ``persons`` …, or ``percent``, ``points`` (百分点), ``index``, ``ratio``, ``per_year``,
        ``times`` (倍), ``units``.
    period, base : int and int or None
    period_label, base_label : str and str or None
        As ``cps.periods.label`` gives them.
    n_reported, n_units : int
        Coverage n/N.
    basis : Text
    ci_low, ci_high : float or None
    level : float or None
        Confidence level of the interval; None without one.
    interval : Text
        How the interval came about, or why there is none.
    parts, table, notes
        See ``Found``.
    """

    indicator: str
    title: Text
    formula: Text
    value: float | None
    unit: str
    period: int
    base: int | None
    period_label: str
    base_label: str | None
    n_reported: int
    n_units: int
    basis: Text
    ci_low: float | None
    ci_high: float | None
    level: float | None
    interval: Text
    parts: dict[str, float | None]
    table: dict[str, Column]
    notes: tuple[Text, ...]
    reference: str
