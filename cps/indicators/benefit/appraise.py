"""Appraise an initiative: jobs, unit costs, payback, NPV, IRR and BCR, with uncertainty carried on."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cps.errors import Text
from cps.indicators.benefit._flows import (
    Flows,
    Inputs,
    draw_inputs,
    make_flows,
    moments,
    outlays,
    product_moments,
    single,
)
from cps.indicators.benefit._gains import years_of
from cps.indicators.benefit._rates import rates_of_draws
from cps.indicators.benefit._require import require_capital, require_gain, require_sense
from cps.indicators.benefit.defaults import default_assumptions
from cps.indicators.benefit.finance import (
    discount_factors,
    internal_rates,
    modified_rate,
    payback_years,
    present_value,
)
from cps.indicators.benefit.jobs import find_jobs, unit_cost
from cps.indicators.benefit.ratios import RatioSet, affordable_share
from cps.indicators.benefit.record import (
    Appraisal,
    Assumptions,
    AtRate,
    Capital,
    Gain,
    HostGain,
    Jobs,
    Spread,
    Summary,
    YearGain,
)
from cps.indicators.benefit.tornado import tornado
from cps.units import YUAN_PER_WAN

Floats = NDArray[np.float64]
BASIS = Text(
    "净收益口径：经营性收入增量 × 净收益占比；名义值，单位：元；就业为人数，全时当量另列区间",
    "net surplus: gain in gross operating income times the margin; nominal, yuan; jobs are heads, "
    "full-time equivalents a range beside them",
)
IRR_DRAWS = 1_000  # of the draws: each may have several rates, and is solved for all of them
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
    gain: Gain | HostGain,
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
    gain : Gain or HostGain
        By year for all hosts together, or host by host from effects by event time.
    capital : Capital
        Outlays in year 0 of each host, its start; the first estimated year is year 1.
    assumptions : Assumptions or None
        ``default_assumptions()`` if None; they are printed with the result either way.
    jobs : Jobs or None
        Jobs are left out if None.
    prices_yuan : sequence of float
        Once-only worth of an extra 万元 a year, for ``Appraisal.worth``.
    n_draws : int
        Draws of the gain and of every assumption, independent of one another.

    Raises
    ------
    DesignError
        If outlays are missing, negative or after the horizon, the gain has no years, no error, or a
        covariance that is none, or it speaks of more hosts than there are.
    UsageError
        If horizon, rates, level or number of draws make no sense.
    """
    assume = assumptions or default_assumptions()
    require_sense(assume, level, n_draws)
    require_capital(capital, assume)
    require_gain(gain, assume)
    rng = np.random.default_rng(seed)
    inputs, middle = draw_inputs(gain, assume, n_draws, rng), single(gain, assume)
    flows = make_flows(inputs, capital, assume)
    central = make_flows(middle, capital, assume)
    by_kind = outlays(capital, n_years=assume.horizon_years + 1)
    public, private = (float(one.sum()) for one in by_kind[:2])
    total = public + private
    extra = _extra(gain, inputs, middle, assume.displacement, level)
    one_rate, n_none, n_many = rates_of_draws(flows.net[:IRR_DRAWS])
    n_rates = min(n_draws, IRR_DRAWS)
    simple = payback_years(flows.net)
    middle_rate = assume.rates[len(assume.rates) // 2]
    return Appraisal(
        total_yuan=total,
        public_yuan=public,
        extra_yuan=extra,
        by_year=_by_year(gain, inputs, middle, level),
        cost_per_wan=_cost_per_wan(total, extra, level),
        public_cost_per_wan=_cost_per_wan(public, extra, level) if public else None,
        at_rates=tuple(_at_rate(flows, one, level) for one in assume.rates),
        irr=internal_rates(central.net[0]),
        share_one_irr=len(one_rate) / n_rates,
        share_no_irr=n_none / n_rates,
        share_many_irr=n_many / n_rates,
        irr_of_draws=_summary(one_rate, level),
        modified_rate=_summary(
            modified_rate(flows.net, finance=middle_rate, reinvest=middle_rate), level
        ),
        payback_years=_summary(simple, level),
        share_never=float(np.isnan(simple).mean()),
        tornado=tornado(gain, capital, assume, rate=middle_rate, inputs=inputs, flows=flows),
        tornado_rate=middle_rate,
        tornado_middle_yuan=float(present_value(central.net, middle_rate)[0]),
        worth=_worth(inputs, total, prices_yuan),
        jobs=None
        if jobs is None
        else find_jobs(
            jobs,
            total_yuan=total,
            public_yuan=public or None,
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


def _extra(
    gain: Gain | HostGain, inputs: Inputs, middle: Inputs, displacement: Spread, level: float
) -> Summary:
    """Give the mean yearly gain net of displacement; exact where it is normal."""
    if isinstance(gain, HostGain):
        drawn = _summary(inputs.extra(), level)
        return Summary(float(middle.extra()[0]), drawn.lower, drawn.upper)
    covariance = np.array(gain.covariance, dtype=float)
    own = float(np.mean(gain.by_year_yuan)), float(np.sqrt(max(covariance.mean(), 0.0)))
    taken = moments(displacement)
    mean, error = product_moments(own, (1 - taken[0], taken[1]))
    half = NormalDist().inv_cdf((1 + level) / 2) * error
    return Summary(mean, mean - half, mean + half)


def _by_year(
    gain: Gain | HostGain, inputs: Inputs, middle: Inputs, level: float
) -> tuple[YearGain, ...]:
    found = []
    drawn, central = (one.gains.by_host(one.sharing) for one in (inputs, middle))
    hosts = years_of(gain) if isinstance(gain, HostGain) else ()
    for year in range(max(one.shape[1] for one in drawn)):
        total, estimate = np.zeros(len(inputs.margin)), 0.0
        for one, own in zip(drawn, central, strict=True):
            if year < one.shape[1]:
                total = total + one[:, year]
                estimate += float(own[0, year])
        spread = _summary(total, level)
        n_hosts = sum(year < n for n in hosts) if hosts else gain.n_estimated
        found.append(YearGain(year + 1, n_hosts, Summary(estimate, spread.lower, spread.upper)))
    return tuple(found)


def _cost_per_wan(outlay: float, extra: Summary, level: float) -> RatioSet | None:
    ends = [
        one / YUAN_PER_WAN for one in (extra.median, extra.lower, extra.upper) if one is not None
    ]
    return unit_cost(outlay, ends[0], (ends[1], ends[2]), level)


def _at_rate(flows: Flows, rate: float, level: float) -> AtRate:
    surplus, public, private, outside = (
        present_value(one, rate)
        for one in (flows.surplus, flows.public, flows.private, flows.outside)
    )
    inside = public + private - outside
    # What is left of an investor's money is the investor's.
    own = surplus - flows.outside_residual * discount_factors(flows.net.shape[1], rate)[-1]
    npv = surplus - public - private
    paid = payback_years(flows.net, rate)
    return AtRate(
        rate=rate,
        npv_yuan=_summary(npv, level),
        npv_mean_yuan=float(npv.mean()),
        share_positive=float((npv > 0).mean()),
        bcr=_summary(surplus / (public + private), level),
        bcr_inside=_summary(own / inside, level) if (inside > 0).all() else None,
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
    extra = inputs.extra() / YUAN_PER_WAN
    shares = affordable_share(total * inputs.overrun, extra, prices)
    return tuple((float(p), float(s)) for p, s in zip(prices, shares, strict=True))


def _notes(gain: Gain | HostGain, public: float) -> tuple[Text, ...]:
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
