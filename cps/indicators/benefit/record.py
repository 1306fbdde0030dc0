"""The records of an appraisal: what is known, what is assumed, what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cps.errors import Text, UsageError
from cps.indicators.benefit.finance import InternalRates
from cps.indicators.benefit.ratios import RatioSet

# As initiatives name the sources of money; the village's own and society's are not public money.
PUBLIC_SOURCES: frozenset[str] = frozenset({"province", "city", "county", "town"})
OUTSIDE_SOURCES: frozenset[str] = frozenset({"social"})


@dataclass(frozen=True, slots=True)
class Spread:
    """What an assumption may turn out to be: triangular between ``low`` and ``high``.

    Raises
    ------
    UsageError
        Unless low ≤ mode ≤ high.
    """

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.mode <= self.high:
            raise UsageError(
                Text(
                    f"假设（{self.low}，{self.mode}，{self.high}）应由低到高",
                    f"an assumption must rise: ({self.low}, {self.mode}, {self.high})",
                ),
                where="Spread(low, mode, high)",
                mend=Text("按“低、最可能、高”填写", "give low, most likely, high"),
            )


@dataclass(frozen=True, slots=True)
class Gain:
    """The estimated effect on gross operating income, of all hosts together, 元 a year.

    Parameters
    ----------
    by_year_yuan : tuple of float
        In each year since the start that was estimated; the first stands in year 1 of the flows.
    covariance : tuple of tuples of float, 元²
        Of ``by_year_yuan``; see ``constant_gain`` where only an average is known.
    n_estimated, n_hosts : int
        Coverage: hosts that the estimate speaks of, and hosts there are.
    """

    by_year_yuan: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    n_estimated: int
    n_hosts: int


@dataclass(frozen=True, slots=True)
class Jobs:
    """The estimated effect on jobs, of all hosts together.

    Parameters
    ----------
    persons, se_persons : float
        Effect on the head-count and its standard error.
    fte_low, fte_high : float
        Full-time equivalents per head, at least and at most: ``fte_range`` gives them.
    n_estimated, n_hosts : int
    """

    persons: float
    se_persons: float
    fte_low: float
    fte_high: float
    n_estimated: int
    n_hosts: int


@dataclass(frozen=True, slots=True)
class Capital:
    """What was put in, by source of money and year, 元.

    Parameters
    ----------
    by_source_yuan : mapping of source to tuple of float
        Outlays, positive, year 0 first.
    public_sources : frozenset of str
        Sources that are public money; the others are private or the collective's own.
    outside_sources : frozenset of str
        Sources whose returns are the investors' own, and not in the collective's income.
    """

    by_source_yuan: Mapping[str, tuple[float, ...]]
    public_sources: frozenset[str] = PUBLIC_SOURCES
    outside_sources: frozenset[str] = OUTSIDE_SOURCES


@dataclass(frozen=True, slots=True)
class HostGain:
    """The estimated effect on gross operating income, host by host, from effects by event time.

    Parameters
    ----------
    effects : tuple of float, length n_times
        By period since the start, 0 first: log points, or 元 a host and period if not ``is_log``.
    errors : tuple of float, length n_times
        Standard errors of a normal distribution whose intervals are the estimates' own.
    weights : tuple of float, length n_times
        Of each time in the mean effect; they add up to 1.
    correlation : float, 0 to 1
        Of any two of ``effects``; ``shared_correlation`` finds it from the error of their mean.
    income_yuan : tuple of tuples of (float or None)
        Observed income of each estimated host in each of these periods; None where unobserved.
    periods_per_year : int
    n_estimated, n_hosts : int
        Hosts that the estimate speaks of, and hosts there are.
    """

    effects: tuple[float, ...]
    errors: tuple[float, ...]
    weights: tuple[float, ...]
    correlation: float
    income_yuan: tuple[tuple[float | None, ...], ...]
    is_log: bool
    periods_per_year: int
    n_estimated: int
    n_hosts: int


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What no ledger says and the appraisal rests on; every one is printed with the result.

    As they stand here they assume nothing: all gain is surplus, and stays. ``default_assumptions``
    gives the package's own, with their sources.

    Parameters
    ----------
    horizon_years : int
        Last year of the flows; nothing but the residual value is counted there beyond it.
    persistence : Spread
        Share of the gain that is kept from one year to the next after the last estimated year.
    margin : Spread
        Net surplus per 元 of gross income.
    overrun : Spread
        Factor on outlays; ``Spread(1, 1, 1)`` for final accounts.
    displacement : Spread
        Share of the gain, and of the jobs, that was taken from elsewhere.
    residual : Spread
        Value at the end of the horizon, as a share of outlays.
    running_yuan : Spread
        Running cost a year beyond what ``margin`` holds, all hosts together.
    sharing : Spread
        How a gain known in logarithms spreads over hosts: 0 the same amount each, 1 in proportion
        to income. No matter to a ``Gain``, or where there is one host.
    rates : tuple of float
        Discount rates.
    """

    horizon_years: int = 10
    persistence: Spread = Spread(1.0, 1.0, 1.0)
    margin: Spread = Spread(1.0, 1.0, 1.0)
    overrun: Spread = Spread(1.0, 1.0, 1.0)
    displacement: Spread = Spread(0.0, 0.0, 0.0)
    residual: Spread = Spread(0.0, 0.0, 0.0)
    running_yuan: Spread = Spread(0.0, 0.0, 0.0)
    sharing: Spread = Spread(1.0, 1.0, 1.0)
    rates: tuple[float, ...] = (0.035, 0.06, 0.08)

    def words(self) -> tuple[Text, ...]:
        """Say each assumption with its numbers."""

        def told(one: Spread) -> str:
            if one.low == one.high:
                return f"{one.mode:g}"
            return f"{one.low:g}–{one.mode:g}–{one.high:g}"

        rates = "、".join(f"{100 * one:g}%" for one in self.rates)
        return (
            Text(
                f"计算期 {self.horizon_years} 年；折现率 {rates}，第 0 年不折现",
                f"{self.horizon_years} years; discount rates {rates.replace('、', ', ')}, "
                "year 0 undiscounted",
            ),
            Text(
                f"估计期之后效应逐年保留比例 {told(self.persistence)}（低–最可能–高，下同）",
                f"share of the gain kept each year after those estimated: {told(self.persistence)} "
                "(low, most likely, high, here and below)",
            ),
            Text(
                f"净收益占总收入比例 {told(self.margin)}",
                f"net surplus per yuan of gross income: {told(self.margin)}",
            ),
            Text(f"投资超支系数 {told(self.overrun)}", f"factor on outlays: {told(self.overrun)}"),
            Text(
                f"从他处转移的比例 {told(self.displacement)}",
                f"share taken from elsewhere: {told(self.displacement)}",
            ),
            Text(
                f"期末残值占投资比例 {told(self.residual)}",
                f"residual value as a share of outlays: {told(self.residual)}",
            ),
            Text(
                f"另需年运行费 {told(self.running_yuan)} 元",
                f"running cost a year beyond that: {told(self.running_yuan)} yuan",
            ),
            Text(
                f"增收在承办村之间的分布 {told(self.sharing)}",
                f"how the gain spreads over hosts: {told(self.sharing)}",
            ),
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """A simulated quantity: its median and central interval; None where a draw has no such value.

    Parameters
    ----------
    median, lower, upper : float or None
        None means never or infinite at that point of the distribution.
    """

    median: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class YearGain:
    """The gain in one year since the start, 元, of the hosts observed in it, all together.

    Parameters
    ----------
    year : int
        1 for the year of the start.
    n_hosts : int
    gain_yuan : Summary
        Its estimate (as ``median``) and interval, before displacement.
    """

    year: int
    n_hosts: int
    gain_yuan: Summary


@dataclass(frozen=True, slots=True)
class AtRate:
    """The appraisal at one discount rate, on net surplus.

    Parameters
    ----------
    npv_yuan : Summary
    npv_mean_yuan : float
    share_positive : float
        Share of draws whose NPV is above zero.
    bcr : Summary
        Present net surplus over present outlays of all money.
    bcr_inside : Summary or None
        Present net surplus over present outlays of public and the collective's own money: what is
        not an outside investor's, its residual value left out too. None without such money.
    bcr_public : Summary or None
        Present net surplus less private outlays, over public outlays; None without public money.
    payback_years : Summary
        Discounted; None where it isn't paid back within the horizon.
    share_never : float
        Share of draws that aren't.
    """

    rate: float
    npv_yuan: Summary
    npv_mean_yuan: float
    share_positive: float
    bcr: Summary
    bcr_inside: Summary | None
    bcr_public: Summary | None
    payback_years: Summary
    share_never: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the tornado: an input at its 10th and 90th percentile, all else at its median.

    Parameters
    ----------
    low, high : float
        Of the input, in its own unit; the gain's are 元 a year, all hosts together, where its mean
        effect is at its 10th and 90th percentile.
    npv_at_low_yuan, npv_at_high_yuan : float
    switching_value : float or None
        Value of the input at which the NPV is zero; None if no admissible value does that.
    rank_correlation : float or None
        With the NPV over the draws (Spearman); None for an input that is fixed.
    """

    input: str
    name: Text
    low: float
    high: float
    npv_at_low_yuan: float
    npv_at_high_yuan: float
    switching_value: float | None
    rank_correlation: float | None


@dataclass(frozen=True, slots=True)
class JobsFound:
    """Net jobs as a head-count and as a range of full-time equivalents.

    Parameters
    ----------
    persons, lower, upper : float
        Head-count net of displacement, with its interval.
    fte_low, fte_high : float
        Of the head-count's estimate, by the least and the most hours thought possible.
    cost_per_job, cost_per_fte_low, cost_per_fte_high : RatioSet
        元 of all money per net job; an FTE costs most where hours are fewest. None for no jobs.
    public_cost_per_job : RatioSet or None
    total_yuan, public_yuan : float or None
        The outlays counted, as listed.
    """

    persons: float
    lower: float
    upper: float
    fte_low: float
    fte_high: float
    cost_per_job: RatioSet | None
    cost_per_fte_low: RatioSet | None
    cost_per_fte_high: RatioSet | None
    public_cost_per_job: RatioSet | None
    total_yuan: float | None
    public_yuan: float | None
    n_estimated: int
    n_hosts: int


@dataclass(frozen=True, slots=True)
class Appraisal:
    """Jobs and money of one initiative.

    Parameters
    ----------
    total_yuan, public_yuan : float
        Outlays before any overrun, undiscounted.
    extra_yuan : Summary
        Yearly gain in gross income of all hosts together, each over its own estimated years, net of
        displacement: its estimate (as ``median``) and interval.
    by_year : tuple of YearGain
        By year since the start.
    cost_per_wan, public_cost_per_wan : RatioSet
        元 put in, as listed, per extra 万元 of yearly gross income.
    irr : InternalRates
        Of the flows with every input at its median.
    share_one_irr, share_no_irr, share_many_irr : float
        Of the first 1,000 draws.
    modified_rate : Summary
        Modified internal rate, financed and reinvested at ``tornado_rate``.
    irr_of_draws : Summary
        Of those that have exactly one; read it with the shares.
    payback_years, share_never
        Simple payback.
    tornado_rate, tornado_middle_yuan : float
        Discount rate of the tornado, and its NPV with every input at its median.
    worth : tuple of (price, share)
        Share of draws in which the gain is worth its cost, where an extra 万元 a year is taken to be
        worth ``price`` 元.
    level : float
    n_draws : int
    """

    total_yuan: float
    public_yuan: float
    extra_yuan: Summary
    by_year: tuple[YearGain, ...]
    cost_per_wan: RatioSet | None
    public_cost_per_wan: RatioSet | None
    at_rates: tuple[AtRate, ...]
    irr: InternalRates
    share_one_irr: float
    share_no_irr: float
    share_many_irr: float
    irr_of_draws: Summary
    modified_rate: Summary
    payback_years: Summary
    share_never: float
    tornado: tuple[Bar, ...]
    tornado_rate: float
    tornado_middle_yuan: float
    worth: tuple[tuple[float, float], ...]
    jobs: JobsFound | None
    n_estimated: int
    n_hosts: int
    basis: Text
    assumptions: tuple[Text, ...]
    notes: tuple[Text, ...] = field(default=())
    level: float = 0.95
    n_draws: int = 0
    seed: int = 0
