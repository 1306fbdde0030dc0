"""What a claim may measure: each metric's keys, scopes and kinds of unit, as one table."""

from __future__ import annotations

from dataclasses import dataclass

_OWN = ("own",)  # the outcome's own kind of unit: money for income, persons for jobs
_VILLAGES = ("target_area", "hosts", "all", "area", "village", "initiative")
_GROUPS = ("target_area", "hosts", "all", "area", "initiative")
_PROJECTS = ("hosts", "initiative")


@dataclass(frozen=True, slots=True)
class Metric:
    """One way to measure.

    Parameters
    ----------
    needs, may : tuple of str
        Keys that a claim must have, and may have, beside those that every claim has.
    scopes : tuple of str
        Kinds of scope; empty where the scope is a firm or something that isn't in the data.
    units : tuple of str
        Kinds of unit; ``own`` is the outcome's. Empty allows any.
    """

    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    scopes: tuple[str, ...] = _GROUPS
    units: tuple[str, ...] = _OWN


METRICS: dict[str, Metric] = {
    "total": Metric(("year",), ("outcome",), _VILLAGES),
    "mean": Metric(("year",), ("outcome",)),
    "median": Metric(("year",), ("outcome",)),
    "minimum": Metric(("year",), ("outcome",)),
    "nth_highest": Metric(("year", "rank"), ("outcome",)),
    "growth": Metric(("year",), ("base_year", "outcome"), _VILLAGES, ("rate", "times")),
    "mean_rise": Metric(("year",), ("base_year", "outcome"), _VILLAGES),
    "mean_yearly_gain": Metric(("base_year", "year"), ("outcome",), _VILLAGES),
    "share_above": Metric(("threshold_yuan", "year"), ("threshold_includes",), units=("rate",)),
    "count_above": Metric(("threshold_yuan", "year"), ("threshold_includes",), units=("count",)),
    "share_above_change": Metric(
        ("threshold_yuan", "base_year", "year"), ("threshold_includes",), units=("points",)
    ),
    "gini": Metric(("year",), ("outcome",), units=("plain",)),
    "p90_p10": Metric(("year",), ("outcome",), units=("times", "plain")),
    "palma": Metric(("year",), ("outcome",), units=("times", "plain")),
    "local_jobs_total": Metric((), ("year",), _VILLAGES, ("persons",)),
    "effect": Metric((), ("outcome",), _PROJECTS, ("own", "rate")),
    "cost_per_job": Metric(("year",), (), _PROJECTS, ("money",)),
    "filing": Metric(("filing_metric", "filing_period"), (), (), ()),
    "not_measurable": Metric(("needs",), (), (), ()),
}
OUTCOMES = {"income_yuan": "money", "jobs_persons": "persons"}
SCOPES_WITHOUT_NAME = ("target_area", "hosts", "all")
SCOPES_WITH_NAME = ("area", "village", "initiative")


def unit_kinds(metric: str, outcome: str) -> tuple[str, ...]:
    """Give the kinds of unit that a metric of an outcome may be stated in."""
    return tuple(OUTCOMES[outcome] if one == "own" else one for one in METRICS[metric].units)


def scopes_of(metric: str) -> list[str]:
    """List the scopes that a metric takes, as they are written."""
    kinds = METRICS[metric].scopes
    return [one if one in SCOPES_WITHOUT_NAME else f"{one}:…" for one in kinds]
