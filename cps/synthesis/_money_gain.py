"""From an estimated effect to what it is for all hosts together: income by host, jobs by head."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from cps.design.record import Design
from cps.errors import DesignError, Text
from cps.indicators.benefit._gains import shared_correlation, years_of
from cps.indicators.benefit.record import HostGain, Jobs
from cps.periods import PERIODS_PER_YEAR
from cps.result import Effect, Estimate
from cps.synthesis._money_record import Estimated


def host_gain(design: Design, effect: Effect, n_hosts: int) -> tuple[HostGain, tuple[str, ...]]:
    """Put the effects by event time beside the hosts' observed incomes.

    Only effects from the start on count, up to the first that is missing; where a method gives no
    error by event time, its overall effect stands in every period. Hosts without a whole year
    since their start are left out.

    Returns
    -------
    gain : HostGain
    hosts : tuple of str
        In the gain's order.

    Raises
    ------
    DesignError
        If the effect has no interval, is on a scale that is no money, or no host has a whole year.
    """
    _require_money(design, effect)
    rows = {
        unit: tuple(
            None if np.isnan(value) else float(value)
            for period, value in zip(design.periods, series, strict=True)
            if period >= cohort
        )
        for unit, cohort, series in zip(design.units, design.cohort, design.y_natural, strict=True)
        if cohort is not None
    }
    n_times = max(map(len, rows.values()))
    effects, errors, weights, correlation = _by_time(effect, list(rows.values()), n_times)
    gain = HostGain(
        effects=effects,
        errors=errors,
        weights=weights,
        correlation=correlation,
        income_yuan=tuple(rows.values()),
        is_log=design.form == "log",
        periods_per_year=PERIODS_PER_YEAR[design.frequency],
        n_estimated=len(rows),
        n_hosts=n_hosts,
    )
    whole = [n > 0 for n in years_of(gain)]
    if not any(whole):
        raise DesignError(
            Text("没有一个承办村启动后观测满一年", "no host was observed for a whole year"),
            where=f"{design.name} › {design.period_labels[-1]}",
            mend=Text("待台账满一年后再算", "wait until the ledgers cover a whole year"),
        )
    kept = tuple(row for row, is_whole in zip(rows.values(), whole, strict=True) if is_whole)
    names = tuple(name for name, is_whole in zip(rows, whole, strict=True) if is_whole)
    return HostGain(
        effects, errors, weights, correlation, kept, gain.is_log, gain.periods_per_year, len(kept),
        n_hosts,
    ), names  # fmt: skip


def _require_money(design: Design, effect: Effect) -> None:
    if design.measure != "yuan" or design.form == "rate":
        raise DesignError(
            Text("结果不是金额，无法折算为收入", "the outcome is no amount of money"),
            where=f"{design.name} › {design.outcome}",
            mend=Text("以元计的经营性收入为结果", "take operating income in yuan as the outcome"),
        )
    require_interval(effect)


def require_interval(effect: Effect) -> None:
    """Refuse an effect that has no interval: nothing of it could be carried on."""
    one = effect.overall
    if one.att is None or one.ci_low is None or one.ci_high is None:
        raise DesignError(
            Text("效应没有区间，其不确定性无从传递", "the effect has no interval to carry on"),
            where=f"{effect.initiative} › {effect.outcome}",
            mend=Text(
                "补充对照村或更早年份的台账", "add comparison units, or ledgers of earlier years"
            ),
        )


def _by_time(
    effect: Effect, rows: list[tuple[float | None, ...]], n_times: int
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], float]:
    """Give effects, errors and weights by period since the start, and their correlation."""
    overall, z = error_of(effect.overall, effect.level), _z(effect.level)
    found = {one.event_time: one for one in effect.by_event_time if one.event_time >= 0}
    chosen = []
    for time in range(n_times):
        one = found.get(time)
        if one is None or one.estimate.att is None or one.estimate.ci_low is None:
            break
        chosen.append(one)
    if not chosen:
        sizes = [float(sum(len(row) > time for row in rows)) for time in range(n_times)]
        att = effect.overall.att or 0.0
        weights = tuple(size / sum(sizes) for size in sizes)
        return (att,) * n_times, (overall,) * n_times, weights, 1.0
    sizes = [float(one.n_treated) for one in chosen]
    weights = tuple(size / sum(sizes) for size in sizes)
    errors = tuple(
        ((one.estimate.ci_high or 0.0) - (one.estimate.ci_low or 0.0)) / (2 * z) for one in chosen
    )
    effects = tuple(float(one.estimate.att or 0.0) for one in chosen)
    return effects, errors, weights, shared_correlation(errors, weights, overall)


def jobs_gain(design: Design, effect: Effect, n_hosts: int, fte: tuple[float, float]) -> Jobs:
    """Give the effect on jobs of all estimated hosts together, each over its own periods.

    The overall effect counts a host as often as it was observed. So cohorts' effects are added up
    by their hosts, where the method gives them with errors; else it is the overall effect times the
    hosts.

    Raises
    ------
    DesignError
        If the effect has no interval.
    """
    require_interval(effect)
    one = effect.overall if effect.natural is None else effect.natural
    n = design.n_treated
    persons, error = n * (one.att or 0.0), n * error_of(one, effect.level)
    if effect.natural is None and (added := _over_cohorts(design, effect)):
        persons, error = added
    return Jobs(persons, error, *fte, n, n_hosts)


def _over_cohorts(design: Design, effect: Effect) -> tuple[float, float] | None:
    """Add cohorts' effects up by their hosts; None unless they make up the overall effect."""
    found = {one.period: one.estimate for one in effect.by_cohort}
    sizes = {g: sum(cohort == g for cohort in design.cohort) for g in design.cohorts}
    if found.keys() != sizes.keys() or any(
        one.att is None or one.ci_low is None or one.ci_high is None for one in found.values()
    ):
        return None
    cells = np.array([n * sum(t >= g for t in design.periods) for g, n in sizes.items()], float)
    weights, hosts = cells / cells.sum(), np.array(list(sizes.values()), float)
    effects = np.array([found[g].att for g in sizes], float)
    overall = effect.overall.att or 0.0
    if abs(float((weights * effects).sum()) - overall) > 1e-6 * max(1.0, abs(overall)):
        return None
    errors = np.array([error_of(found[g], effect.level) for g in sizes])
    shared = shared_correlation(
        errors.tolist(), weights.tolist(), error_of(effect.overall, effect.level)
    )
    alone, together = ((hosts * errors) ** 2).sum(), (hosts * errors).sum() ** 2
    variance = float(shared * together + (1 - shared) * alone)
    return float((hosts * effects).sum()), float(np.sqrt(variance))


def error_of(one: Estimate, level: float) -> float:
    """Give the standard error of the normal distribution that has the estimate's interval."""
    if one.ci_low is None or one.ci_high is None:
        raise ValueError("no interval")
    return (one.ci_high - one.ci_low) / (2 * _z(level))


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


def estimated(effect: Effect, hosts: tuple[str, ...], n_hosts: int) -> Estimated:
    """Say what an effect with an interval shows, and of whom."""
    one = effect.overall
    if (one.ci_low or 0.0) <= 0 <= (one.ci_high or 0.0):
        shows = "unclear"
    elif one.p_value is not None and one.p_value > 1 - effect.level + 1e-12:
        shows = "mixed"
    else:
        shows = "up" if (one.att or 0.0) > 0 else "down"
    return Estimated(
        effect.outcome,
        effect.method_name,
        shows,  # type: ignore[arg-type]
        effect.is_reliable,
        hosts,
        n_hosts,
    )
