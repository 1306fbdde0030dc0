"""Net jobs as head-counts and as a range of full-time equivalents, and what one costs."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

from cps.errors import Text, UsageError
from cps.indicators.benefit._flows import moments, product_moments
from cps.indicators.benefit.ratios import RatioSet, cost_set
from cps.indicators.benefit.record import Jobs, JobsFound, Spread


def fte_range(
    *, permanent_share: tuple[float, float], seasonal_months: tuple[float, float]
) -> tuple[float, float]:
    """Give the fewest and the most full-time equivalents that one head may stand for.

    Ledgers count heads; hours are hardly ever written down, so both ends are given and no middle.
    A permanent job counts 1, a seasonal one its months over 12.

    Parameters
    ----------
    permanent_share : (least, most)
        Of the heads, 0 to 1.
    seasonal_months : (least, most)
        Full months that a seasonal worker works in a year, 0 to 12.

    Raises
    ------
    UsageError
        If a range falls, or leaves 0–1 or 0–12.

    Examples
    --------
    >>> fte_range(permanent_share=(0.5, 0.5), seasonal_months=(3, 6))
    (0.625, 0.75)
    """
    for name, (least, most), limit in (
        ("permanent_share", permanent_share, 1.0),
        ("seasonal_months", seasonal_months, 12.0),
    ):
        if not 0 <= least <= most <= limit:
            raise UsageError(
                Text(
                    f"{name} 的范围 {least}–{most} 应在 0 与 {limit:g} 之间且由低到高",
                    f"{name} must rise within 0 and {limit:g}, not {least} to {most}",
                ),
                where=f"fte_range({name}=…)",
                mend=Text("核对用工台账", "check the ledger of jobs"),
            )
    low, high = (
        share + (1 - share) * months / 12
        for share, months in zip(permanent_share, seasonal_months, strict=True)
    )
    return low, high


def find_jobs(
    jobs: Jobs,
    *,
    total_yuan: float | None,
    public_yuan: float | None,
    displacement: Spread,
    level: float,
) -> JobsFound:
    """Give net jobs and their cost.

    Parameters
    ----------
    total_yuan, public_yuan : float or None
        Outlays as listed; None where there are none: a job then has no cost.
    """
    taken, taken_sd = moments(displacement)
    net, net_se = product_moments((jobs.persons, jobs.se_persons), (1 - taken, taken_sd))
    width = NormalDist().inv_cdf((1 + level) / 2) * net_se

    def cost(outlay: float | None, per_head: float) -> RatioSet | None:
        if outlay is None:
            return None
        ends = (net - width, net + width)
        return unit_cost(outlay, net * per_head, (ends[0] * per_head, ends[1] * per_head), level)

    return JobsFound(
        persons=net,
        lower=net - width,
        upper=net + width,
        fte_low=min(net * jobs.fte_low, net * jobs.fte_high),
        fte_high=max(net * jobs.fte_low, net * jobs.fte_high),
        cost_per_job=cost(total_yuan, 1.0),
        cost_per_fte_low=cost(total_yuan, jobs.fte_high),
        cost_per_fte_high=cost(total_yuan, jobs.fte_low),
        public_cost_per_job=cost(public_yuan, 1.0),
        total_yuan=total_yuan,
        public_yuan=public_yuan,
        n_estimated=jobs.n_estimated,
        n_hosts=jobs.n_hosts,
    )


def unit_cost(
    outlay: float, units: float, interval: tuple[float, float], level: float
) -> RatioSet | None:
    """Give what one unit costs, from an interval of the units; None for exactly no units."""
    if interval == (0.0, 0.0):
        return None
    found = cost_set(outlay, units, *interval, level=level)
    if units > 0:
        return found
    words = Text(
        f"估计的增量不为正，单位成本不能当作价格；{found.words.zh}",
        f"the estimated gain is not positive, and a cost per unit no price; {found.words.en}",
    )
    return replace(found, words=words)
