"""Appraise an initiative: jobs, unit costs, payback, NPV, IRR and BCR, with uncertainty carried on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cps.errors import DesignError, Text, UsageError
from cps.indicators.benefit._flows import (
    Flows,
    Inputs,
    draw_inputs,
    make_flows,
    moments,
    outlays,
    product_moments,
    rates_of_draws,
    single,
)
from cps.indicators.benefit.finance import (
    internal_rates,
    payback_years,
    present_value,
)
from cps.indicators.benefit.jobs import find_jobs, unit_cost
from cps.indicators.benefit.ratios import affordable_share
from cps.indicators.benefit.record import (
    Appraisal,
    Assumptions,
    AtRate,
    Capital,
    Gain,
    Jobs,
    Summary,
)
from cps.indicators.benefit.tornado import tornado
from cps.units import YUAN_PER_WAN

Floats = NDArray[np.float64]
BASIS = Text(
    "净收益口径：经营性收入增量 × 净收益占比；名义值，单位：元；就业为人数，全时当量另列区间",
    "net surplus: gain in gross operating income times the margin; nominal, yuan; jobs are heads, "
    "full-time equivalents a range beside them",
)
PRICES_YUAN: tuple[float, ...] = (10_000, 20_000, 50_000, 100_000)


def constant_gain(
    yearly_yuan: float, se_yuan: float, *, n_years: int, n_estimated: int, n_hosts: int
) -> Gain:
    """Make a gain of which only the average is known: the same each year, in error together.

    Parameters
    ----------
    yearly_yuan, se_yuan : float
        Effect of all hosts together and its standard error: of an effect per host, times the hosts
        estimated.
    n_years : int
        Years that it was estimated over.
    """
    return Gain(
        (yearly_yuan,) * n_years,
        ((se_yuan**2,) * n_years,) * n_years,
        n_estimated,
        n_hosts,
    )


def appraise(
    gain: Gain,
    capital: Capital,
    *,
    assumptions: Assumptions | None = None,
    jobs: Jobs | None = None,
    prices_yuan: Sequence[float] = PRICES_YUAN,
    level: float = 0.95,
    n_draws: int = 10_000,
    seed: int = 0,
) -> Appraisal:
    """Say what an initiative's gain and jobs cost and whether it pays, and how sure that is.

    Parameters
    ----------
    assumptions : Assumptions or None
        ``Assumptions()`` if None; they are printed with the result either way.
    jobs : Jobs or None
        Jobs are left out if None.
    prices_yuan : sequence of float
        Once-only worth of an extra 万元 a year, for ``Appraisal.worth``.
    n_draws : int
        Draws of gain, persistence, margin, overrun and displacement, independent of one another.

    Raises
    ------
    DesignError
        If outlays are missing, negative or after the horizon, the gain has no years, no error, or a
        covariance that is none, or it speaks of more hosts than there are.
    UsageError
        If horizon, rates, level or number of draws make no sense.
    """
    assume = assumptions or Assumptions()
    _require_sense(assume, level, n_draws)
    _require_capital(capital, assume)
    _require_gain(gain, assume)
    rng = np.random.default_rng(seed)
    inputs = draw_inputs(gain, assume, n_draws, rng)
    flows = make_flows(inputs, capital, assume)
    central = make_flows(single(gain, assume), capital, assume)
    n_years = assume.horizon_years + 1
    public = float(outlays(capital, is_public=True, n_years=n_years).sum())
    total = public + float(outlays(capital, is_public=False, n_years=n_years).sum())
    over = moments(assume.overrun)
    total_m, public_m = ((over[0] * one, over[1] * one) for one in (total, public))
    taken = moments(assume.displacement)
    extra = product_moments(_mean_gain(gain), (1 - taken[0], taken[1]))
    extra_wan = (extra[0] / YUAN_PER_WAN, extra[1] / YUAN_PER_WAN)
    one_rate, n_none, n_many = rates_of_draws(flows.net)
    simple = payback_years(flows.net)
    first = assume.rates[0]
    return Appraisal(
        total_yuan=total,
        public_yuan=public,
        cost_per_wan=unit_cost(total_m, extra_wan, level),
        public_cost_per_wan=unit_cost(public_m, extra_wan, level) if public else None,
        at_rates=tuple(_at_rate(flows, one, level) for one in assume.rates),
        irr=internal_rates(central.net[0]),
        share_one_irr=len(one_rate) / n_draws,
        share_no_irr=n_none / n_draws,
        share_many_irr=n_many / n_draws,
        irr_of_draws=_summary(one_rate, level),
        payback_years=_summary(simple, level),
        share_never=float(np.isnan(simple).mean()),
        tornado=tornado(gain, capital, assume, rate=first, inputs=inputs, flows=flows),
        tornado_rate=first,
        worth=_worth(inputs, total, prices_yuan),
        jobs=None
        if jobs is None
        else find_jobs(
            jobs,
            total_yuan=total_m,
            public_yuan=public_m if public else None,
            displacement=assume.displacement,
            level=level,
        ),
        n_estimated=gain.n_estimated,
        n_hosts=gain.n_hosts,
        basis=BASIS,
        assumptions=assume.words(),
        notes=_notes(gain, public),
        level=level,
        n_draws=n_draws,
        seed=seed,
    )


def _mean_gain(gain: Gain) -> tuple[float, float]:
    covariance = np.array(gain.covariance, dtype=float)
    return float(np.mean(gain.by_year_yuan)), float(np.sqrt(max(covariance.mean(), 0.0)))


def _at_rate(flows: Flows, rate: float, level: float) -> AtRate:
    surplus, public, private = (
        present_value(one, rate) for one in (flows.surplus, flows.public, flows.private)
    )
    npv = surplus - public - private
    paid = payback_years(flows.net, rate)
    return AtRate(
        rate=rate,
        npv_yuan=_summary(npv, level),
        npv_mean_yuan=float(npv.mean()),
        share_positive=float((npv > 0).mean()),
        bcr=_summary(surplus / (public + private), level),
        bcr_public=_summary((surplus - private) / public, level) if (public > 0).all() else None,
        payback_years=_summary(paid, level),
        share_never=float(np.isnan(paid).mean()),
    )


def _summary(values: ArrayLike, level: float) -> Summary:
    """Summarise draws; NaN is never, and stands above every number."""
    given = np.asarray(values, dtype=float)
    if given.size == 0:
        return Summary(None, None, None)
    ordered = np.sort(np.where(np.isnan(given), np.inf, given))
    shares = (0.5, (1 - level) / 2, (1 + level) / 2)
    found = np.quantile(ordered, shares, method="inverted_cdf")
    median, lower, upper = (float(one) if np.isfinite(one) else None for one in found)
    return Summary(median, lower, upper)


def _worth(
    inputs: Inputs, total: float, prices: Sequence[float]
) -> tuple[tuple[float, float], ...]:
    extra = inputs.gain_by_year.mean(axis=1) * (1 - inputs.displacement) / YUAN_PER_WAN
    shares = affordable_share(total * inputs.overrun, extra, prices)
    return tuple((float(p), float(s)) for p, s in zip(prices, shares, strict=True))


def _notes(gain: Gain, public: float) -> tuple[Text, ...]:
    found = []
    if gain.n_estimated < gain.n_hosts:
        found.append(
            Text(
                f"效应只覆盖 {gain.n_hosts} 个承办村中的 {gain.n_estimated} 个，投资应取同一范围",
                f"the gain speaks of {gain.n_estimated} of {gain.n_hosts} hosts: outlays must be "
                "those of the same hosts",
            )
        )
    if public == 0:
        found.append(
            Text("没有财政资金，不计算财政口径", "no public money: nothing to say of it apart")
        )
    found.append(
        Text(
            "参数互相独立地抽取；实际若相关，区间会更宽或更窄",
            "inputs are drawn independently; if they go together, intervals are wider or narrower",
        )
    )
    return tuple(found)


def _require_sense(assume: Assumptions, level: float, n_draws: int) -> None:
    trouble = None
    if not 1 <= assume.horizon_years <= 30:
        trouble = Text(
            f"计算期 {assume.horizon_years} 年应为 1–30 年（更长须用递减折现率）",
            f"a horizon of {assume.horizon_years} years: 1 to 30, for beyond that rates decline",
        )
    elif not assume.rates or not all(0 <= one < 1 for one in assume.rates):
        trouble = Text(
            f"折现率 {assume.rates} 应在 0 与 1 之间", f"rates {assume.rates} must lie in 0 to 1"
        )
    elif assume.overrun.low <= 0:
        trouble = Text("超支系数应大于零", "the factor on outlays must be positive")
    elif not 0 <= assume.persistence.low <= assume.persistence.high <= 1.5:
        trouble = Text("保留比例应在 0 与 1.5 之间", "persistence must lie in 0 to 1.5")
    elif assume.margin.high > 1 or assume.displacement.high > 1:
        trouble = Text("比例不应大于 1", "a margin or displacement can't exceed 1")
    elif not 0 < level < 1 or n_draws < 100:
        trouble = Text(
            "置信水平应在 0 与 1 之间，抽样不少于 100 次",
            "the level must lie between 0 and 1, and 100 draws are the fewest",
        )
    if trouble:
        raise UsageError(
            trouble, where="appraise(assumptions=…)", mend=Text("修改假设", "mend the assumption")
        )


def _require_capital(capital: Capital, assume: Assumptions) -> None:
    amounts = [one for row in capital.by_source_yuan.values() for one in row]
    if not amounts or not np.isfinite(amounts).all() or min(amounts) < 0 or sum(amounts) <= 0:
        raise DesignError(
            Text("没有投资额，或有负数", "outlays are missing, or one is negative"),
            where="appraise › capital",
            mend=Text(
                "在项目文件中按资金来源填写投资（元）", "give cost_yuan by source in the initiative"
            ),
        )
    longest = max(len(row) for row in capital.by_source_yuan.values())
    if longest > assume.horizon_years + 1:
        raise DesignError(
            Text(
                f"投资排到第 {longest - 1} 年，超出计算期 {assume.horizon_years} 年",
                f"outlays go on to year {longest - 1}, past the horizon of {assume.horizon_years}",
            ),
            where="appraise › capital",
            mend=Text("延长计算期", "lengthen the horizon"),
        )


def _require_gain(gain: Gain, assume: Assumptions) -> None:
    n = len(gain.by_year_yuan)
    covariance = np.array(gain.covariance, dtype=float)
    trouble = None
    if n == 0 or not np.isfinite(gain.by_year_yuan).all():
        trouble = Text("没有估计出的年度效应", "there is no estimated yearly gain")
    elif n > assume.horizon_years:
        trouble = Text(
            f"效应有 {n} 年，超出计算期", f"{n} years of gain do not fit into the horizon"
        )
    elif covariance.shape != (n, n) or not np.isfinite(covariance).all():
        trouble = Text(
            f"协方差应为 {n}×{n}；没有标准误的估计不能评价",
            f"the covariance must be {n}×{n}: an estimate without error can't be appraised",
        )
    elif not np.allclose(covariance, covariance.T) or (
        np.linalg.eigvalsh(covariance).min() < -1e-9 * max(float(np.trace(covariance)), 1.0)
    ):
        trouble = Text("协方差不是半正定对称矩阵", "the covariance is no covariance")
    elif not 0 < gain.n_estimated <= gain.n_hosts:
        trouble = Text(
            f"覆盖 {gain.n_estimated}/{gain.n_hosts} 个村不成立",
            f"a coverage of {gain.n_estimated} of {gain.n_hosts} hosts can't be",
        )
    if trouble:
        raise DesignError(
            trouble,
            where="appraise › gain",
            mend=Text("先完成效应估计", "estimate the effect first"),
        )
