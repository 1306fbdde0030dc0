"""A panel's monthly incomes as an array of villages, years and months, gaps left open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from cps.errors import DesignError, Text, UsageError, unknown_choice
from cps.panel.record import Panel

Floats = NDArray[np.float64]
MONTHS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Months:
    """Monthly income of villages over consecutive calendar years.

    Parameters
    ----------
    units : tuple of str
    years : tuple of int
        Consecutive, first to last.
    income_yuan : ndarray, shape (n_units, n_years, 12), 元
        Gross operating income of the month; NaN where it was not reported, which is not zero.
        Read-only.
    is_synthetic : bool
    """

    units: tuple[str, ...]
    years: tuple[int, ...]
    income_yuan: Floats
    is_synthetic: bool = False

    def __post_init__(self) -> None:
        given = np.array(self.income_yuan, dtype=float)
        if given.shape != (len(self.units), len(self.years), MONTHS):
            raise _malformed(
                Text(
                    f"数组形状为 {given.shape}，应为（村数 {len(self.units)}，年数 {len(self.years)}，12）",
                    f"the array has shape {given.shape}, not ({len(self.units)} villages, "
                    f"{len(self.years)} years, 12)",
                )
            )
        if any(later - year != 1 for year, later in zip(self.years, self.years[1:], strict=False)):
            raise _malformed(Text("年份不连续", "the years are not consecutive"))
        if len(set(self.units)) != len(self.units):
            raise _malformed(Text("村名有重复", "a village stands twice"))
        if np.isinf(given).any():
            raise _malformed(Text("有无穷大的数值", "a value is infinite"))
        given.flags.writeable = False
        object.__setattr__(self, "income_yuan", given)

    def totals_yuan(self) -> Floats:
        """Give yearly totals, shape (n_units, n_years); NaN unless all 12 months were reported."""
        return np.asarray(self.income_yuan.sum(axis=2))

    def seen_until(self, year: int, month: int) -> Months:
        """Give what was known at the end of a month: later months become unreported.

        Raises
        ------
        UsageError
            If there is no such year or month.
        """
        if year not in self.years:
            raise unknown_choice(
                Text("年份", "year"), str(year), map(str, self.years), where="forecast › year"
            )
        if not 1 <= month <= MONTHS:
            raise UsageError(
                Text(f"没有第 {month} 月", f"there is no month {month}"),
                where="forecast › month",
                mend=Text("取 1 至 12", "take 1 to 12"),
            )
        last = self.years.index(year)
        kept = np.array(self.income_yuan[:, : last + 1])
        kept[:, last, month:] = np.nan
        return Months(self.units, self.years[: last + 1], kept, self.is_synthetic)


def months_of(panel: Panel, *, outcome: str = "income_yuan", area: str | None = None) -> Months:
    """Bring a monthly panel's income into an array.

    Villages without any month (an area that reports by quarter) stay in, all unreported: the
    forecast then refuses them by name.

    Parameters
    ----------
    area : str or None
        Only the villages of this area; all if None.

    Raises
    ------
    UsageError
        If the panel has no such outcome or area.
    DesignError
        If the panel isn't monthly.
    """
    if panel.frequency != "month":
        raise DesignError(
            Text(
                f"面板频率为 {panel.frequency}，按月预警需要月度面板",
                f"the panel is by {panel.frequency}; a forecast from the months so far needs months",
            ),
            where="months_of(panel)",
            mend=Text("用月报台账重建面板", "build the panel from monthly ledgers"),
        )
    frame = panel.frame
    if outcome not in frame.columns:
        raise unknown_choice(
            Text("指标", "outcome"), outcome, frame.columns, where="months_of(outcome=…)"
        )
    if area is not None:
        areas = frame["area"].drop_nulls().unique().to_list()
        if area not in areas:
            raise unknown_choice(Text("地区", "area"), area, areas, where="months_of(area=…)")
        of_area = frame.filter(pl.col("area") == area)["unit"].unique()
        frame = frame.filter(pl.col("unit").is_in(of_area.implode()))
    return from_rows(
        frame["unit"].to_list(),
        frame["period"].to_numpy(),
        frame[outcome].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
        is_synthetic=panel.is_synthetic,
    )


def from_rows(
    units: list[str], periods: ArrayLike, income_yuan: ArrayLike, *, is_synthetic: bool = False
) -> Months:
    """Make the array from rows: a village, a month (``12 * year + month - 1``) and its 元.

    Raises
    ------
    DesignError
        If there are no rows, or a village has a month twice.
    """
    at = np.asarray(periods, dtype=np.int64)
    value = np.asarray(income_yuan, dtype=float)
    if at.size == 0:
        raise _malformed(Text("没有数据行", "there are no rows"))
    names = tuple(dict.fromkeys(units))
    place = {name: i for i, name in enumerate(names)}
    row = np.array([place[name] for name in units])
    first, last = int(at.min()) // MONTHS, int(at.max()) // MONTHS
    if len({*zip(row.tolist(), at.tolist(), strict=True)}) != at.size:
        raise _malformed(Text("同一村同一月有两行", "a village has two rows for one month"))
    cube = np.full((len(names), (last - first + 1) * MONTHS), np.nan)
    cube[row, at - first * MONTHS] = value
    return Months(
        names,
        tuple(range(first, last + 1)),
        cube.reshape(len(names), -1, MONTHS),
        is_synthetic,
    )


def _malformed(what: Text) -> DesignError:
    return DesignError(
        what,
        where="forecast › months",
        mend=Text("核对台账的月份与村名", "check the ledger's months and village names"),
    )
