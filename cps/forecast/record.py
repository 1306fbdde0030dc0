"""The records of a forecast: each village's outlook for the year, and the list of warnings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cps.errors import Finding, Text

Basis = Literal["own", "pooled"]
Risk = Literal["fall_below", "not_reach"]


@dataclass(frozen=True, slots=True)
class Chance:
    """How likely a village's yearly total lies strictly above a threshold.

    Parameters
    ----------
    threshold_yuan : int
    probability : float
        Share of the predictive draws above it. 1.0 or 0.0 is certain only where ``is_settled``.
    simulation_se : float
        Error of ``probability`` from having drawn so many futures, and no other.
    is_settled : bool
        The answer is known, for all 12 months were reported.
    passed_last_year : bool or None
        None where last year's total isn't known.
    """

    threshold_yuan: int
    probability: float
    simulation_se: float
    is_settled: bool
    passed_last_year: bool | None


@dataclass(frozen=True, slots=True)
class VillageOutlook:
    """What is known of one village's year, and what is expected of its total, in 元.

    Parameters
    ----------
    basis : {"own", "pooled"}
        ``own``: the season is learned from the village's own earlier months (12 or more) and the
        pool's; ``pooled``: it is the pool's, for the village has too few of its own.
    to_date_yuan : float
        Sum of the months reported; gaps are left out of it, not counted as zero.
    same_months_last_year_yuan : float or None
        The same months a year before; None unless all of them were reported.
    last_year_yuan : float or None
        None unless all 12 months were reported.
    n_reported, n_gaps : int
        Months of the year reported, and months up to the forecast's that were not.
    median_yuan, lower_yuan, upper_yuan : float
        Of the predictive distribution; the interval has the outlook's ``level``.
    """

    unit: str
    basis: Basis
    to_date_yuan: float
    same_months_last_year_yuan: float | None
    last_year_yuan: float | None
    n_reported: int
    n_gaps: int
    median_yuan: float
    lower_yuan: float
    upper_yuan: float
    chances: tuple[Chance, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """A year's outlook from its months so far.

    Parameters
    ----------
    month : int
        The last month taken into account, 1 to 12.
    level : float
        Of the intervals, e.g. 0.80.
    n_units, n_foreseen : int
        Coverage: villages given, and villages with an outlook.
    expected_above : tuple of (threshold, mean, lower, upper)
        How many of the villages foreseen will lie above each threshold (元); their draws share the
        year's growth and shocks.
    findings : tuple of Finding
        Villages refused, villages pooled, gaps, negative and zero months.
    """

    year: int
    month: int
    level: float
    thresholds_yuan: tuple[int, ...]
    n_units: int
    n_foreseen: int
    n_draws: int
    villages: tuple[VillageOutlook, ...]
    expected_above: tuple[tuple[int, float, int, int], ...]
    basis: Text
    assumes: Text
    findings: tuple[Finding, ...]
    seed: int
    is_synthetic: bool


@dataclass(frozen=True, slots=True)
class EarlyWarning:
    """One village and threshold that someone should look at.

    Parameters
    ----------
    risk : {"fall_below", "not_reach"}
        ``fall_below``: passed the threshold last year and may not this year; ``not_reach``: its
        next threshold, not passed last year (or last year isn't known), is unlikely this year.
    probability : float
        Of passing the threshold this year.
    needed_yuan : float
        What the months still to come must bring together for the total to reach the threshold; 0 if
        it is there.
    reasons : tuple of Text
    """

    unit: str
    risk: Risk
    threshold_yuan: int
    probability: float
    needed_yuan: float
    reasons: tuple[Text, ...]
