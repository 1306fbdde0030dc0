"""Growth: 同比, 环比, cumulative 同比, since the base period and a mean yearly rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from cps.errors import Text
from cps.indicators.growth import Word, growth, mean_rate_pct
from cps.indicators.intervals import ends_of, interval_of_pairs
from cps.indicators.record import Ask, FloatArray, Found, Grid, Indicator
from cps.periods import PERIODS_PER_YEAR

_SEASONAL = Text(
    "环比未作季节调整，季节性收入的涨落会混入其中",
    "not seasonally adjusted: what comes and goes with the season is in it",
)


_NOT_POSITIVE = Text("有一端不为正，无年均增速", "an end is not positive: there is no mean rate")


def _against(grid: Grid, ask: Ask, *, word: Word) -> Found:
    per_year = PERIODS_PER_YEAR[grid.frequency]
    back = {"year_on_year": per_year, "on_previous": 1}
    before = ask.period - back[word] if word in back else ask.base
    if before is None or before not in grid.periods:
        return _lacks_base()
    found = _pair(grid, ask, (grid.at(ask.period), grid.at(before)), word, (before, ask.period))
    if word == "on_previous" and per_year > 1:
        return replace(found, notes=(*found.notes, _SEASONAL))
    return found


def _cumulative(grid: Grid, ask: Ask) -> Found:
    """Compare the sum from the year's first period on with the same stretch a year before."""
    per_year = PERIODS_PER_YEAR[grid.frequency]
    first = ask.period - ask.period % per_year
    stretch = range(first, ask.period + 1)
    earlier = [period - per_year for period in stretch]
    if not set(stretch) | set(earlier) <= set(grid.periods):
        return _lacks_base()
    now = np.sum([grid.at(period) for period in stretch], axis=0)
    before = np.sum([grid.at(period) for period in earlier], axis=0)
    return _pair(grid, ask, (now, before), "year_on_year", (*earlier, *stretch))


def _yearly(grid: Grid, ask: Ask) -> Found:
    base = ask.base if ask.base is not None else ask.period
    now, before = grid.at(ask.period), grid.at(base)
    found = _pair(grid, ask, (now, before), "since_base", (base, ask.period))
    both = np.isfinite(now) & np.isfinite(before)
    rate = mean_rate_pct(
        float(now[both].sum()),
        float(before[both].sum()),
        1 if not both.any() else ask.period - base,
    )
    years = (ask.period - base) / PERIODS_PER_YEAR[grid.frequency]
    if found.value is None or rate is None:
        return Found(
            None, found.n_reported, parts=found.parts, notes=found.notes or (_NOT_POSITIVE,)
        )
    per_year = ((1 + rate / 100) ** PERIODS_PER_YEAR[grid.frequency] - 1) * 100
    return Found(
        per_year,
        found.n_reported,
        parts={**found.parts, "years": years},
        notes=found.notes,
        formula=_mean_formula(found.parts, years, per_year),
    )


def _mean_formula(ends: Mapping[str, float | None], years: float, rate: float) -> Text:
    now, before = ends["total"] or 0.0, ends["base_total"] or 0.0
    numbers = f"(({now:,.10g} ÷ {before:,.10g})^(1/{years:g}) − 1) × 100% = {rate:+,.1f}%"
    verb = Text("增长", "up") if rate >= 0 else Text("下降", "down")
    size = f"{abs(rate):,.1f}%"
    return Text(
        f"年均{verb.zh} {size}：（（报告期 ÷ 基期）^(1/年数) − 1）× 100% = {numbers}",
        f"{verb.en} {size} a year on average: ((this period ÷ base period)^(1/years) − 1) × 100% = "
        f"{numbers}",
    )


def _pair(
    grid: Grid,
    ask: Ask,
    ends: tuple[FloatArray, FloatArray],
    word: Word,
    periods: tuple[int, ...],
) -> Found:
    """Grow the total; where some did not report, only over the units that did in both periods."""
    now, before = ends
    both = np.isfinite(now) & np.isfinite(before)
    n = int(both.sum())
    if n == 0:
        return Found(
            None,
            0,
            notes=(Text("没有单位两期都报", "no unit reported in both periods"),),
            periods=periods,
        )
    told = growth(float(now[both].sum()), float(before[both].sum()), word=word)
    notes = () if told.value is not None else (told.phrase,)
    if n < now.size:
        notes = (
            *notes,
            Text(
                f"可比口径：只计两期都报的 {n} 个单位，共 {now.size} 个",
                f"like for like: only the {n} of {now.size} units that reported in both periods",
            ),
        )
    phrase = told.phrase
    interval = None
    if grid.is_sample and told.value is not None:
        interval = interval_of_pairs(
            now[both],
            before[both],
            partial(_rate, scale=1.0 if word == "times" else 100.0),
            level=ask.level,
            draws=ask.draws,
            seed=ask.seed,
        )
    return Found(
        told.value,
        n,
        parts={"total": told.now, "base_total": told.before},
        formula=Text(f"{phrase.zh}：{told.formula.zh}", f"{phrase.en}: {told.formula.en}"),
        notes=notes,
        periods=periods,
        ci=ends_of(interval),
        interval=interval.how if interval else None,
    )


def _rate(now: FloatArray, before: FloatArray, *, scale: float) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        base = before.sum(axis=-1)
        return np.where(base > 0, scale * (now.sum(axis=-1) / base - 1), np.nan)


def _lacks_base() -> Found:
    return Found(None, 0, notes=(Text("数据中没有对比期", "the data lack the period to compare"),))


INDICATORS = (
    Indicator(
        name="growth_year_on_year",
        title=Text("同比增速", "Growth year on year"),
        formula=Text(
            "（本期 ÷ 上年同期 − 1）× 100%", "(this period ÷ same period a year before − 1) × 100%"
        ),
        unit="percent",
        compute=partial(_against, word="year_on_year"),
    ),
    Indicator(
        name="growth_on_previous",
        title=Text("环比增速", "Growth on the previous period"),
        formula=Text("（本期 ÷ 上期 − 1）× 100%", "(this period ÷ previous period − 1) × 100%"),
        unit="percent",
        needs=("within_year",),
        compute=partial(_against, word="on_previous"),
    ),
    Indicator(
        name="growth_cumulative",
        title=Text("累计同比增速", "Cumulative growth year on year"),
        formula=Text(
            "（年初至本期累计 ÷ 上年同期累计 − 1）× 100%",
            "(year to date ÷ same stretch a year before − 1) × 100%",
        ),
        unit="percent",
        needs=("flow", "within_year"),
        compute=_cumulative,
    ),
    Indicator(
        name="growth_since_base",
        title=Text("比基期增速", "Growth since the base period"),
        formula=Text("（报告期 ÷ 基期 − 1）× 100%", "(this period ÷ base period − 1) × 100%"),
        unit="percent",
        needs=("base",),
        compute=partial(_against, word="since_base"),
    ),
    Indicator(
        name="growth_times",
        title=Text("比基期增长倍数", "Growth since the base period, times over"),
        formula=Text("增长 X 倍 = +X×100%", "growing X 倍 is +X×100%"),
        unit="times",
        needs=("base",),
        compute=partial(_against, word="times"),
    ),
    Indicator(
        name="growth_per_year",
        title=Text("年均增速", "Mean yearly growth"),
        formula=Text(
            "（（报告期 ÷ 基期）^(1/年数) − 1）× 100%", "((now ÷ base)^(1/years) − 1) × 100%"
        ),
        unit="percent",
        needs=("base",),
        compute=_yearly,
    ),
)
