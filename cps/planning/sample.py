"""A sample plan for the next initiative: hosts, comparison units and years, and what each detects."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cps.design.record import Initiative
from cps.design.subset import subset_design
from cps.errors import DesignError, Finding, Text
from cps.panel.record import Panel
from cps.planning.power import plan
from cps.planning.record import Plan
from cps.planning.untreated import untreated_part

HOSTS = (1, 2, 4, 8, 15)
_YEARS_BEFORE = (2, 3, 4, 5)
_COMPARISON = (5, 10, 20, 40)
_N_SUBSETS = 9
_N_DRAWS, _FEW_DRAWS = 200, 100  # assignments a window; fewer for each of several subsets


@dataclass(frozen=True, slots=True)
class Detectable:
    """What a plan that differs in one respect detects.

    Parameters
    ----------
    number : int
        Comparison units, or periods before the start.
    minimum_detectable : float or None
        On the plan's scale; of subsets the median. None where no size is found with the power.
    lowest, highest : float or None
        Over subsets of comparison units; equal where there is one.
    """

    number: int
    minimum_detectable: float | None
    lowest: float | None
    highest: float | None


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """A plan, and how it changes with comparison units and with years before the start.

    Parameters
    ----------
    plan : Plan
        By hosts and years after the start, all comparison units taken.
    method_name : Text
        Of the estimator that the plan is for.
    hosts, years_after : int
        What ``by_comparison`` and ``by_years_before`` are for.
    """

    plan: Plan
    method_name: Text
    hosts: int
    years_after: int
    by_comparison: tuple[Detectable, ...]
    by_years_before: tuple[Detectable, ...]


def try_sample_plan(
    panel: Panel | None,
    *,
    until_year: int,
    others: Sequence[Initiative] = (),
    seed: int = 0,
) -> tuple[SamplePlan | None, tuple[Finding, ...]]:
    """Plan on the years up to ``until_year``, or say in a finding why that can't be done.

    Parameters
    ----------
    panel : Panel or None
        By year; None where there is none.
    """
    where = "plan_sample"
    try:
        if panel is None:
            raise DesignError(
                Text("没有完整的年份", "there is no whole year"),
                where=where,
                mend=Text("补报往年各月", "have the months of past years reported"),
            )
        frame = panel.frame.filter(pl.col("period") <= until_year)
        known = dataclasses.replace(panel, frame=frame)
        return plan_sample(known, others=others, seed=seed), ()
    except DesignError as fault:
        return None, (Finding("W-PLAN-NONE", "warn", fault.what, fault.where, fault.mend),)


def plan_sample(
    panel: Panel,
    *,
    outcome: str = "income_yuan",
    others: Sequence[Initiative] = (),
    areas: Sequence[str] = (),
    n_treated: Sequence[int] = HOSTS,
    hosts: int = 4,
    years_after: int = 3,
    years_before: int = 3,
    power: float = 0.80,
    seed: int = 0,
) -> SamplePlan:
    """Say what effect the next initiative could show, by hosts, comparison units and years.

    Every cell is a simulation on the panel's untreated units (:func:`cps.planning.power.plan`).
    Comparison units are drawn at random, several times for each number, since which ones they are
    matters too.

    Parameters
    ----------
    panel : Panel
        By year.
    others : sequence of Initiative
        Their hosts are left out.
    areas : sequence of str
        Areas that comparison units will come from; all if empty.
    hosts, years_after : int
        The initiative for which comparison units and years before are varied.

    Raises
    ------
    UsageError
        If a name is unknown or a number makes no sense.
    DesignError
        If too few untreated units or periods are there.
    """
    part = untreated_part(panel, outcome=outcome, form=None, others=others, areas=areas)
    n_units = len(part.units)
    room = len(part.periods) - years_before
    after = tuple(range(1, max(2, min(3, room) + 1)))
    years_after = min(years_after, after[-1])
    possible = [one for one in sorted(set(n_treated)) if one + 2 <= n_units]
    hosts = max((one for one in possible if one <= hosts), default=1)
    whole = plan(
        part,
        n_treated=possible or [1],
        periods_before=years_before,
        periods_after=after,
        power=power,
        seed=seed,
    )

    def detects(rows: np.ndarray | None, before: int) -> float | None:
        is_whole = rows is None or bool(rows.all())
        design = part if rows is None or is_whole else subset_design(part, units=rows)
        try:
            found = plan(
                design,
                n_treated=[hosts],
                periods_before=before,
                periods_after=[years_after],
                power=power,
                n_draws=_N_DRAWS if is_whole else _FEW_DRAWS,
                seed=seed,
            )
        except DesignError:
            return None
        return found.cells[0].minimum_detectable

    by_comparison = []
    for number in (*(one for one in _COMPARISON if one + hosts < n_units), n_units - hosts):
        values = [detects(rows, years_before) for rows in _subsets(n_units, number + hosts, seed)]
        by_comparison.append(_summary(number, values))
    by_years = [
        _summary(before, [detects(None, before)])
        for before in _YEARS_BEFORE
        if before + years_after <= len(part.periods)
    ]
    name = importlib.import_module(f"cps.estimators.{whole.method}").NAME
    return SamplePlan(whole, name, hosts, years_after, tuple(by_comparison), tuple(by_years))


def _subsets(n_units: int, size: int, seed: int) -> list[np.ndarray]:
    """Draw subsets of units; one where all are taken."""
    if size >= n_units:
        return [np.ones(n_units, dtype=bool)]
    rng = np.random.default_rng([seed, size])
    subsets = []
    for _ in range(_N_SUBSETS):
        rows = np.zeros(n_units, dtype=bool)
        rows[rng.choice(n_units, size, replace=False)] = True
        subsets.append(rows)
    return subsets


def _summary(number: int, values: Sequence[float | None]) -> Detectable:
    """Take the median; what no size was found for counts as larger than every other."""
    ordered = sorted(np.inf if one is None else one for one in values)
    ends = (ordered[len(ordered) // 2], ordered[0], ordered[-1])
    middle, low, high = (None if np.isinf(one) else float(one) for one in ends)
    return Detectable(number, middle, low, high)
