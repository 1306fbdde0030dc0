"""Convergence: the spread of logs over time, and catching up with base-year error taken out."""

from __future__ import annotations

import numpy as np

from cps.errors import DesignError, Text
from cps.indicators.convergence import beta_convergence, sigma_convergence
from cps.indicators.distribution import sd_log_of
from cps.indicators.intervals import ends_of, interval_of_pairs
from cps.indicators.record import Ask, Found, Grid, Indicator
from cps.periods import PERIODS_PER_YEAR


def _sigma(grid: Grid, ask: Ask) -> Found:
    now, before = grid.at(ask.period), grid.at(_base(ask))
    found = sigma_convergence(now, before)
    if found is None:
        return Found(None, 0, notes=(_TOO_FEW,))
    interval = None
    if grid.is_sample:
        with np.errstate(invalid="ignore"):
            both = (now > 0) & (before > 0)
        interval = interval_of_pairs(
            now[both],
            before[both],
            lambda later, earlier: sd_log_of(later) - sd_log_of(earlier),
            level=ask.level,
            draws=ask.draws,
            seed=ask.seed,
        )
    return Found(
        found.change,
        found.n,
        parts={"sd_log": found.sd_now, "base_sd_log": found.sd_base},
        ci=ends_of(interval),
        interval=interval.how if interval else None,
    )


def _beta(grid: Grid, ask: Ask) -> Found:
    base = _base(ask)
    instrument = _instrument(grid, ask)
    try:
        found = beta_convergence(
            grid.at(ask.period),
            grid.at(base),
            years=(ask.period - base) / PERIODS_PER_YEAR[grid.frequency],
            instrument=None if instrument is None else grid.at(instrument),
            reliability=ask.reliability if instrument is None else None,
            level=ask.level,
        )
    except DesignError as error:
        return Found(None, 0, notes=(error.what,))
    notes = [found.explanation]
    earlier = None if instrument is None else _rho_with(grid, ask, instrument - 1)
    rho, se = found.rho, found.rho_se
    if earlier is not None and rho is not None and se is not None and abs(earlier - rho) > 2 * se:
        notes.append(
            Text(
                f"再早一年作工具变量得 ρ = {earlier:.3f}，与 {rho:.3f} 相差较大：各年误差可能相关，"
                "校正或不充分",
                f"with the year before that as instrument ρ is {earlier:.3f}, far from {rho:.3f}: errors "
                "may be tied from year to year, and the correction short",
            )
        )
    bounds = found.bounds or (None, None)
    years = found.years
    ci = None
    if found.rho_low is not None and found.rho_high is not None:
        ci = ((found.rho_low - 1) / years, (found.rho_high - 1) / years)
    return Found(
        found.beta_per_year,
        found.n,
        parts={
            "rho": found.rho,
            "speed_per_year": found.speed_per_year,
            "half_life_years": found.half_life_years,
            "uncorrected_beta_per_year": (found.naive_rho - 1) / years,
            "rho_lower_bound": bounds[0],
            "rho_upper_bound": bounds[1],
            "reliability": found.reliability,
            "first_stage_f": found.first_stage_f,
            "rho_earlier_instrument": earlier,
            "instrument_period": None if instrument is None else float(instrument),
        },
        ci=ci,
        interval=_PROCESS if ci else Text("未估计，无区间", "not estimated: no interval"),
        notes=tuple(notes),
        periods=(base, ask.period),
    )


def _rho_with(grid: Grid, ask: Ask, instrument: int) -> float | None:
    """Give ρ with another instrument; None if the grid lacks it or it is weak."""
    if instrument not in grid.periods:
        return None
    base = _base(ask)
    try:
        return beta_convergence(
            grid.at(ask.period),
            grid.at(base),
            years=(ask.period - base) / PERIODS_PER_YEAR[grid.frequency],
            instrument=grid.at(instrument),
        ).rho
    except DesignError:
        return None


def _instrument(grid: Grid, ask: Ask) -> int | None:
    """Give the period asked for, else the year before the base year unless a reliability was given."""
    if ask.instrument is not None or ask.reliability is not None:
        return ask.instrument
    before = _base(ask) - PERIODS_PER_YEAR[grid.frequency]
    return before if before in grid.periods else None


def _base(ask: Ask) -> int:
    return ask.base if ask.base is not None else ask.period


_TOO_FEW = Text(
    "两期都有正值的单位不足 2 个", "fewer than two units have positive values in both periods"
)
_PROCESS = Text(
    "稳健标准误的正态区间，说的是差距变动的过程，不是单位的抽样",
    "normal interval with a robust error; it speaks of the process, not of a draw of units",
)

INDICATORS = (
    Indicator(
        name="sigma_convergence",
        title=Text("σ 收敛", "σ-convergence"),
        formula=Text(
            "报告期对数标准差 − 基期对数标准差（同一批单位），小于 0 为收敛",
            "sd of logs now − sd of logs in the base period (same units); below 0 is convergence",
        ),
        unit="index",
        needs=("base",),
        reference="Barro & Sala-i-Martin (1992), doi:10.1086/261816",
        compute=_sigma,
    ),
    Indicator(
        name="beta_convergence",
        title=Text("β 收敛（已校正基年误差）", "β-convergence, base-year error taken out"),
        formula=Text(
            "年均对数增长对基年对数水平的斜率 β = (ρ − 1)/年数，小于 0 为收敛；"
            "ρ = cov(y_T, z)/cov(y₀, z)，z 为另一年的值，或 ρ = 未校正 ρ ÷ 可靠性比率",
            "slope of yearly log growth on the base year's log value, β = (ρ − 1)/years, below 0 is "
            "convergence; ρ = cov(y_T, z)/cov(y₀, z) with z another year's value, or plain ρ ÷ "
            "reliability",
        ),
        unit="per_year",
        needs=("base",),
        reference="Quah (1993), doi:10.2307/3440905; Temple (1998)",
        compute=_beta,
    ),
)
