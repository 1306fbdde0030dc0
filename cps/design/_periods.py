"""Read the periods of a frame exactly, in whatever usual coding they come, or refuse them."""

from __future__ import annotations

import math
import re
from typing import Literal

import polars as pl

from cps.errors import DesignError, Text
from cps.periods import PERIODS_PER_YEAR, Frequency

# How a period column is coded: as dates, as text, as whole numbers counted from anywhere, as
# YYYYMM or YYYYQ run together, or as a year with a fraction.
Coding = Literal["date", "text", "whole", "joined", "fraction"]

_YEARS = (1800, 2200)
_ROUNDING = 0.02  # of a month or quarter: 1990.083 is February
_CHINESE = {"一": 1, "二": 2, "三": 3, "四": 4}
_TEXT: dict[Frequency, re.Pattern[str]] = {
    "year": re.compile(r"(?P<year>\d{4})年?"),
    "quarter": re.compile(
        r"(?P<year>\d{4})(?:年?第?(?P<cn>[一二三四1-4])季度?|[-/. ]?[Qq](?P<part>[1-4]))"
    ),
    "month": re.compile(
        r"(?P<year>\d{4})(?:年(?P<cn>\d{1,2})月|[-/.](?P<part>\d{1,2})(?:[-/.]\d{1,2})?|(?P<run>\d{2})"
        r"|[-/. ]?[Mm](?P<m>\d{1,2}))"
    ),
}
_EXAMPLE = {
    "year": "2023",
    "quarter": "2023Q1, 20231, 1990.25",
    "month": "2023-05, 202305, 2023年5月",
}


def coding_of(series: pl.Series, frequency: Frequency, *, column: str) -> Coding:
    """Tell how a column of periods is coded.

    Raises
    ------
    DesignError
        If it holds neither numbers, dates nor text, or numbers that mean another frequency.
    """
    if series.dtype == pl.Date or isinstance(series.dtype, pl.Datetime):
        return "date"
    if series.dtype in (pl.String, pl.Categorical) or isinstance(series.dtype, pl.Enum):
        return "text"
    if not series.dtype.is_numeric():
        raise _unreadable(column, str(series.dtype), frequency)
    values = series.cast(pl.Float64).drop_nulls()
    values = values.filter(values.is_finite())
    if values.is_empty():
        return "whole"
    if (values != values.round(0)).any():
        if frequency == "year":
            bad = values.filter(values != values.round(0))[0]
            raise _unreadable(column, f"{bad:g}", frequency)
        return "fraction"
    low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
    if _is_joined(values, "month"):
        return _joined_or_refuse(frequency, "month", column, f"{low:.0f}")
    if _is_joined(values, "quarter"):
        return _joined_or_refuse(frequency, "quarter", column, f"{low:.0f}")
    base = {"month": 100, "quarter": 10, "year": 0}[frequency]
    if base and _YEARS[0] * base < low and high < (_YEARS[1] + 1) * base:
        return "joined"  # one that names no period is refused where it is read
    if base and high >= (_YEARS[1] + 1) * PERIODS_PER_YEAR[frequency]:
        # Serial days of a spreadsheet (44927), most likely: neighbours would not differ by one.
        raise _unreadable(column, f"{high:.0f}", frequency)
    if frequency != "year" and _YEARS[0] <= low and high <= _YEARS[1]:
        raise DesignError(
            Text(
                f"时期看起来是年份（{low:.0f} 至 {high:.0f}），而频率写的是 {frequency}",
                f"the periods look like years ({low:.0f} to {high:.0f}), and the frequency is "
                f"said to be {frequency}",
            ),
            where=f"column {column}",
            mend=Text(
                f"设 frequency=year，或给出{'季度' if frequency == 'quarter' else '月份'}"
                f"（如 {_EXAMPLE[frequency]}）",
                f"set frequency='year', or give the {frequency} ({_EXAMPLE[frequency]})",
            ),
        )
    return "whole"


def read_periods(
    series: pl.Series,
    coding: Coding,
    frequency: Frequency,
    *,
    column: str,
    last: float = math.inf,
) -> pl.Series:
    """Give the ordinals of a column of periods or first treated periods; null for none.

    Parameters
    ----------
    coding : str
        That of the *period* column: first treated periods are read in the same terms. Dates are
        dates whatever the coding.
    last : float
        Last period in that coding: numbers beyond it that name no period (9999) mean never.

    Raises
    ------
    DesignError
        If a value names no period of ``frequency``.
    """
    if series.dtype == pl.Date or isinstance(series.dtype, pl.Datetime):
        if coding in ("whole", "fraction") and frequency != "year":
            raise _mixed(column)
        per_year = PERIODS_PER_YEAR[frequency]
        dates = series.cast(pl.Date)
        month = dates.dt.month().cast(pl.Int64)
        return dates.dt.year().cast(pl.Int64) * per_year + (month - 1) * per_year // 12
    if series.dtype in (pl.String, pl.Categorical) or isinstance(series.dtype, pl.Enum):
        if coding != "text" and not (coding == "date"):
            raise _mixed(column)
        return _from_text(series.cast(pl.String), frequency, column)
    if not series.dtype.is_numeric():
        raise _unreadable(column, str(series.dtype), frequency)
    values = series.cast(pl.Float64)
    values = pl.select(pl.when(values.is_finite()).then(values)).to_series()
    return _from_numbers(values, coding, frequency, column, last)


def _from_numbers(
    values: pl.Series, coding: Coding, frequency: Frequency, column: str, last: float
) -> pl.Series:
    if coding in ("date", "text"):
        if values.drop_nulls().is_empty() or (values.drop_nulls() == 0).all():
            return values.cast(pl.Int64)
        if frequency != "year":
            raise _mixed(column)
        coding = "whole"
    per_year = PERIODS_PER_YEAR[frequency]
    never = values.is_null() | (values == 0)
    if coding == "fraction":
        scaled = values * per_year
        good = (scaled - scaled.round(0)).abs() < _ROUNDING
        ordinals = scaled.round(0)
    elif coding == "joined":
        base = 100 if frequency == "month" else 10
        part = values % base
        good = (values == values.round(0)) & (part >= 1) & (part <= per_year)
        ordinals = (values // base) * per_year + part - 1
    else:
        good = values == values.round(0)
        ordinals = values
    beyond = values > last
    torn = ~(good | never | beyond).fill_null(True)
    if torn.any():
        raise _unreadable(column, f"{values.filter(torn)[0]:g}", frequency)
    kept = pl.when(never).then(values).when(good).then(ordinals)
    return pl.select(kept.otherwise(None)).to_series().cast(pl.Int64)


def _from_text(series: pl.Series, frequency: Frequency, column: str) -> pl.Series:
    found: dict[str, int] = {}
    per_year = PERIODS_PER_YEAR[frequency]
    for text in series.drop_nulls().unique().sort().to_list():
        match = _TEXT[frequency].fullmatch(text.strip())
        if match is None:
            raise _unreadable(column, text, frequency)
        parts = [value for key, value in match.groupdict().items() if key != "year" and value]
        part = (_CHINESE.get(parts[0]) or int(parts[0])) if parts else 1
        if not 1 <= part <= per_year:
            raise _unreadable(column, text, frequency)
        found[text] = int(match["year"]) * per_year + part - 1
    return pl.Series(
        series.name,
        [None if one is None else found[one] for one in series.to_list()],
        dtype=pl.Int64,
    )


def _is_joined(values: pl.Series, frequency: Frequency) -> bool:
    base = 100 if frequency == "month" else 10
    part = values % base
    years = values // base
    return bool(
        ((part >= 1) & (part <= PERIODS_PER_YEAR[frequency])).all()
        and ((years >= _YEARS[0]) & (years <= _YEARS[1])).all()
    )


def _joined_or_refuse(frequency: Frequency, meant: Frequency, column: str, example: str) -> Coding:
    if frequency == meant:
        return "joined"
    word = {"month": ("年月", "a year and month"), "quarter": ("年和季度", "a year and quarter")}
    raise DesignError(
        Text(
            f"时期看起来是{word[meant][0]}连写（{example}），而频率写的是 {frequency}",
            f"the periods look like {word[meant][1]} run together ({example}), and the frequency "
            f"is said to be {frequency}",
        ),
        where=f"column {column}",
        mend=Text(f"设 frequency={meant}", f"set frequency={meant!r}"),
    )


def _unreadable(column: str, value: str, frequency: Frequency) -> DesignError:
    word = {"year": ("年", "year"), "quarter": ("季度", "quarter"), "month": ("月", "month")}
    return DesignError(
        Text(
            f"时期必须是整数、日期或所定频率的写法：“{value}”不是{word[frequency][0]}",
            "periods must be whole numbers, dates or text of the frequency: "
            f"{value} is no {word[frequency][1]}",
        ),
        where=f"column {column}",
        mend=Text(
            f"写作 {_EXAMPLE[frequency]}，或用日期列；若频率不对，改 frequency",
            f"write {_EXAMPLE[frequency]}, or give dates; or set another frequency",
        ),
    )


def _mixed(column: str) -> DesignError:
    return DesignError(
        Text(
            "首次处理时期与时期列的写法不同，无法对应",
            "first treated periods are not written as the periods are, and can't be matched",
        ),
        where=f"column {column}",
        mend=Text("两列使用同一种写法", "write both columns in the same way"),
    )
