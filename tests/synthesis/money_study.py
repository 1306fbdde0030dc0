"""How often the intervals of jobs and money hold what is true, on panels whose truth is known.

``python -m tests.synthesis.money_study 2000`` prints the table of ``docs/money.md``.

Incomes are AR(1) in logarithms as in the demonstration (persistence 0.7, yearly s.d. 0.20), jobs in
heads with noise of their own. Hosts gain, in turn, the same percentage, the same amount, something
between the two, or nothing.
What no ledger says (surplus share, persistence, …) is drawn for the truth from the same ranges that
the appraisal takes for granted, so that an interval should hold it at its level.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from cps.design.build import make_design
from cps.design.record import Initiative, TreatedUnit
from cps.errors import Text
from cps.estimators.battery import estimate_headline
from cps.indicators.benefit.defaults import default_assumptions
from cps.indicators.benefit.record import RatioSet, Spread, Summary
from cps.panel.record import PANEL_KEYS, Panel
from cps.synthesis.money import Worth, appraise_initiative

YEARS = tuple(range(2013, 2025))
STARTS = (2019, 2021, 2021)  # of the hosts, first units of the panel
N_UNITS = 33
COST_YUAN = 1_500_000  # a host
HEADS = (6.0, 12.0, 27.0)  # more in work, by host
WORLDS = ("between", "same percentage", "same amount", "nothing")
QUANTITIES = ("extra income", "NPV 6%", "BCR 6%", "cost per 万元", "net jobs", "cost per job")


@dataclass(frozen=True, slots=True)
class Truth:
    """What one panel was made with: yearly gain, jobs, and the flows that follow."""

    extra_yuan: float
    npv_yuan: float
    bcr: float
    jobs: float


def study(n: int, world: str, *, seed: int = 0, error_factor: float = 1.0) -> dict[str, float]:
    """Give the share of ``n`` panels in which each interval held the truth.

    ``error_factor`` scales the standard errors that the appraisal is given: a study that can't tell
    intervals that are too short from good ones would be none.
    """
    held = {name: 0 for name in QUANTITIES}
    for place in range(n):
        rng = np.random.default_rng([seed, WORLDS.index(world), place])
        panel, truth = _world(world, rng)
        found = _appraised(panel, error_factor)
        for name, is_held in _holds(found, truth):
            held[name] += is_held
    return {name: count / n for name, count in held.items()}


def _holds(found: Worth, truth: Truth) -> Iterator[tuple[str, bool]]:
    appraisal, jobs = found.appraisal, found.jobs
    assert appraisal is not None and jobs is not None, found.refusals
    (at,) = [one for one in appraisal.at_rates if one.rate == 0.06]
    total = COST_YUAN * len(STARTS)
    yield "extra income", _within(appraisal.extra_yuan, truth.extra_yuan)
    yield "NPV 6%", _within(at.npv_yuan, truth.npv_yuan)
    yield "BCR 6%", _within(at.bcr, truth.bcr)
    yield "cost per 万元", _priced(appraisal.cost_per_wan, total, truth.extra_yuan / 10_000)
    yield "net jobs", jobs.lower <= truth.jobs <= jobs.upper
    yield "cost per job", _priced(jobs.cost_per_job, total, truth.jobs)


def _within(found: Summary, value: float) -> bool:
    assert found.lower is not None and found.upper is not None
    return found.lower <= value <= found.upper


def _priced(found: RatioSet | None, cost: float, units: float) -> bool:
    """Tell whether the set holds the true cost; nothing gained costs infinity, in no bounded set."""
    assert found is not None
    return found.kind in ("outside", "everything") if units == 0 else found.holds(cost / units)


def _world(world: str, rng: np.random.Generator) -> tuple[Panel, Truth]:
    level = 13.3 + 0.6 * rng.standard_normal(N_UNITS)
    noise = np.empty((N_UNITS, len(YEARS)))
    noise[:, 0] = 0.2 / np.sqrt(1 - 0.7**2) * rng.standard_normal(N_UNITS)
    for t in range(1, len(YEARS)):
        noise[:, t] = 0.7 * noise[:, t - 1] + 0.2 * rng.standard_normal(N_UNITS)
    common = np.cumsum(0.05 + 0.03 * rng.standard_normal(len(YEARS)))
    income = np.exp(level[:, None] + common + noise)
    heads = 40 + 6 * rng.standard_normal((N_UNITS, 1)) + 4 * rng.standard_normal(noise.shape)
    sharing = {"same percentage": 1.0, "same amount": 0.0}.get(
        world, _drawn(default_assumptions().sharing, rng)
    )
    gains, jobs = [], []
    for unit, start in enumerate(STARTS):
        since = np.maximum(np.array(YEARS) - start + 1, 0)
        growth = np.minimum(since, 4) / 4
        gain = sharing * income[unit] * np.expm1(0.35 * growth) + (1 - sharing) * 180_000 * growth
        gain *= world != "nothing"
        more = 0.0 if world == "nothing" else HEADS[unit]
        income[unit] += gain
        heads[unit] += more * (since > 0)
        gains.append(gain[since > 0])
        jobs.append(more)
    return _panel(np.round(income), np.round(np.maximum(heads, 0))), _truth(gains, jobs, rng)


def _truth(gains: list[np.ndarray], jobs: list[float], rng: np.random.Generator) -> Truth:
    assume = default_assumptions()
    margin, kept, overrun, residual = (
        _drawn(one, rng)
        for one in (assume.margin, assume.persistence, assume.overrun, assume.residual)
    )
    gross = np.zeros(assume.horizon_years + 1)
    for gain in gains:
        for year in range(1, assume.horizon_years + 1):
            later = max(year - len(gain), 0)
            gross[year] += gain[min(year, len(gain)) - 1] * kept**later
    surplus, outlay = gross * margin, overrun * COST_YUAN * len(gains)
    surplus[-1] += residual * outlay
    present = float((surplus / 1.06 ** np.arange(len(surplus))).sum())
    extra = float(sum(gain.mean() for gain in gains))
    return Truth(extra, present - outlay, present / outlay, float(sum(jobs)))


def _drawn(spread: Spread, rng: np.random.Generator) -> float:
    if spread.low == spread.high:
        return spread.mode
    return float(rng.triangular(spread.low, spread.mode, spread.high))


def _panel(income: np.ndarray, heads: np.ndarray) -> Panel:
    n = len(YEARS)
    frame = pl.DataFrame(
        {
            "unit": [f"村{i:02d}" for i in range(N_UNITS) for _ in YEARS],
            "area": ["镇"] * (N_UNITS * n),
            "period": list(YEARS) * N_UNITS,
            "period_label": [str(year) for year in YEARS] * N_UNITS,
            "regime": ["2004"] * (N_UNITS * n),
            "is_synthetic": [True] * (N_UNITS * n),
            "income_yuan": income.astype(np.int64).ravel(),
            "jobs_persons": heads.astype(np.int64).ravel(),
        },
        schema={**PANEL_KEYS, "income_yuan": pl.Int64(), "jobs_persons": pl.Int64()},
    )
    return Panel(frame, "year", "village", (), (), True)


def initiative(**more: object) -> Initiative:
    """Give the initiative whose hosts the panel has."""
    return Initiative(
        id="case",
        name=Text("案例", "Case"),
        description=Text("说明", "Description"),
        format="bonsai",
        provenance="illustrative",
        stands_for=(),
        is_synthetic=True,
        unit_kind="village",
        frequency="year",
        outcomes=("income_yuan", "jobs_persons"),
        treated=tuple(
            TreatedUnit(
                f"村{i:02d}",
                datetime.date(start, 1, 1),
                {"county": COST_YUAN // 2, "village": COST_YUAN // 2},
            )
            for i, start in enumerate(STARTS)
        ),
        comparison_areas=(),
        exclusions=(),
        anticipation=0,
        assumptions=(),
        source_sha256="",
        **more,  # type: ignore[arg-type]
    )


def _appraised(panel: Panel, error_factor: float) -> Worth:
    subject = initiative()
    design = make_design(panel, subject)
    effect = estimate_headline(design)
    if error_factor != 1.0:
        shorter = [
            replace(one, estimate=_shorter(one.estimate, error_factor))
            for one in effect.by_event_time
        ]
        overall = _shorter(effect.overall, error_factor)
        effect = replace(effect, overall=overall, by_event_time=tuple(shorter))
    return appraise_initiative(panel, subject, design=design, effects=[effect], n_draws=1_000)


def _shorter(one, factor):  # type: ignore[no-untyped-def]
    if one.ci_low is None:
        return one
    low, high = (one.att + factor * (end - one.att) for end in (one.ci_low, one.ci_high))
    return replace(one, ci_low=low, ci_high=high)


if __name__ == "__main__":
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print("| hosts gained | " + " | ".join(QUANTITIES) + " |")
    print("|---" * (len(QUANTITIES) + 1) + "|")
    for one in WORLDS:
        shares = study(draws, one)
        print(
            f"| {one} | " + " | ".join(f"{shares[name]:.3f}" for name in QUANTITIES) + " |",
            flush=True,
        )
