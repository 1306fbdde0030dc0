"""The records of a comparison: the initiative as data, and the design that is estimated."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cps.errors import Finding, Text
from cps.periods import Frequency

Form = Literal["level", "log", "rate"]


@dataclass(frozen=True, slots=True)
class TreatedUnit:
    """A host of the initiative: when it started there, and what it cost by source of money."""

    unit: str
    start: datetime.date
    cost_yuan: dict[str, int] = field(default_factory=dict)  # source of money -> 元


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A unit or a whole area kept out of the comparison, and why.

    ``reason`` is one of ``spillover, contaminated, giant, overlap, missing, not_in_panel,
    always_treated, not_listed, other``; ``explanation`` says it in words.
    """

    unit: str | None
    area: str | None
    reason: str
    explanation: Text


@dataclass(frozen=True, slots=True)
class Assumption:
    """Something the evaluation takes for granted, how well it is founded, how much hangs on it."""

    text: Text
    quality: Literal["good", "fair", "poor"]
    impact: Literal["high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Initiative:
    """One initiative, as its TOML file declares it."""

    id: str
    name: Text
    description: Text
    format: str  # kind of format, a key of the vocabulary
    provenance: Literal["published", "illustrative"]
    stands_for: tuple[str, ...]  # fact ids
    is_synthetic: bool
    unit_kind: str
    frequency: Frequency
    outcomes: tuple[str, ...]
    treated: tuple[TreatedUnit, ...]
    comparison_areas: tuple[str, ...]  # empty: every area of the panel
    exclusions: tuple[Exclusion, ...]
    anticipation: int  # periods before the start in which an effect is allowed for
    assumptions: tuple[Assumption, ...]
    source_sha256: str
    # Names of outcomes that are no words of the vocabulary, by column.
    outcome_names: dict[str, Text] = field(default_factory=dict)
    # What it states for its appraisal, by key of ``indicators/benefit/assumptions.toml``, and whence.
    appraisal: dict[str, tuple[float, ...]] = field(default_factory=dict)
    appraisal_source: Text | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """A unit that is kept out of every comparison, with its series where that is complete.

    Checks of spill-over and of contaminated controls look at these; of estimators only two-way
    fixed effects, which can put always-treated units back.

    Parameters
    ----------
    unit, reason : str
        ``reason`` as in :class:`Exclusion`.
    y : ndarray of float, shape (n_periods,)
        On the scale of the design's ``y``.
    covariates : ndarray of float, shape (n_covariates, n_periods), or None
        As ``weights``, shape (n_periods,), and ``cluster``: None where the design has none, or
        where they are not complete.
    """

    unit: str
    reason: str
    y: NDArray[np.float64]
    covariates: NDArray[np.float64] | None = None
    weights: NDArray[np.float64] | None = None
    cluster: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Who is treated when, who may be compared, who is left out and why; frozen and hashed.

    Parameters
    ----------
    name : str
        Initiative id, or the name given to ``design_from_frame``.
    outcome, measure : str
        Column, and unit of measure of ``y_natural``: ``yuan``, ``persons``, or any text.
    form : {"level", "log", "rate"}
        Scale of ``y``: as measured, natural logarithm, or outcome over ``denominator``.
    units : tuple of str, length n_units
    periods : tuple of int, length n_periods
        Ordinals, ascending; ``period_labels`` are their labels.
    y, y_natural : ndarray of float, shape (n_units, n_periods)
        The outcome on the estimation scale and as measured; read-only. Complete, unless
        ``is_balanced`` is False: then NaN where a unit was not observed.
    cohort : tuple of (int or None), length n_units
        First treated period as an ordinal; None for never treated.
    is_donor : ndarray of bool, shape (n_units,)
        True for never-treated units that may serve as comparison.
    exclusions : tuple of Exclusion
        Everyone left out of the arrays, and why.
    anticipation : int, periods
    minimum_detectable_effect : float or None
        On the scale of ``y``, at 5% size and 80% power; None if it can't be computed.
    design_hash : str
        sha256 over everything here; taken before any estimate.
    covariates : ndarray of float, shape (n_covariates, n_units, n_periods), or None
        Read-only; ``covariate_names`` names the first axis. A fixed one repeats over periods.
    weights : ndarray of float, shape (n_units, n_periods), or None
        Sampling weights, positive; None where every unit counts alike.
    cluster : tuple of str, length n_units, or None
        Group within which errors may be related; None where each unit is its own.
    dose : ndarray of float, shape (n_units, n_periods), or None
        Intensity of treatment (number of formats, money spent); 0 where untreated.
    denominator : ndarray of float, shape (n_units, n_periods), or None
        What the outcome is a rate of (population, households).
    other_cohorts : dict of str to tuple of (int or None), each of length n_units
        First treated period by *other* initiatives of units kept in, for a joint model. Empty
        unless the design was asked to be joint; then ``is_donor`` is False for their hosts.
    exposure : ndarray of float, shape (n_units,), or None
        How far a unit is exposed to treated ones (nearness, shared visitors); zero or more, fixed.
    left_out : tuple of LeftOut
    regimes : tuple of (str or None), length n_periods, or empty
        Accounting regime of each period.
    thresholds : tuple of float
        Levels of ``y_natural`` at which something is promised or reported (50万, 100万).
    """

    name: str
    outcome: str
    measure: str
    form: Form
    unit_kind: str
    frequency: Frequency
    units: tuple[str, ...]
    periods: tuple[int, ...]
    period_labels: tuple[str, ...]
    y: NDArray[np.float64]
    y_natural: NDArray[np.float64]
    cohort: tuple[int | None, ...]
    is_donor: NDArray[np.bool_]
    exclusions: tuple[Exclusion, ...]
    anticipation: int
    minimum_detectable_effect: float | None
    is_synthetic: bool
    findings: tuple[Finding, ...]
    design_hash: str
    covariates: NDArray[np.float64] | None = None
    covariate_names: tuple[str, ...] = ()
    weights: NDArray[np.float64] | None = None
    cluster: tuple[str, ...] | None = None
    dose: NDArray[np.float64] | None = None
    denominator: NDArray[np.float64] | None = None
    other_cohorts: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    exposure: NDArray[np.float64] | None = None
    left_out: tuple[LeftOut, ...] = ()
    regimes: tuple[str | None, ...] = ()
    thresholds: tuple[float, ...] = ()

    @property
    def is_balanced(self) -> bool:
        """True if every unit was observed in every period."""
        return not bool(np.isnan(self.y).any())

    @property
    def starts(self) -> NDArray[np.float64]:
        """First treated period of each unit, shape (n_units,); infinity for never."""
        return starts_of(self.cohort)

    @property
    def n_treated(self) -> int:
        """Number of units with a cohort."""
        return sum(cohort is not None for cohort in self.cohort)

    @property
    def n_donors(self) -> int:
        """Number of never-treated units that may serve as comparison."""
        return int(self.is_donor.sum())

    @property
    def cohorts(self) -> tuple[int, ...]:
        """The first treated periods that occur, ascending."""
        return tuple(sorted({cohort for cohort in self.cohort if cohort is not None}))


def starts_of(cohort: Sequence[int | None]) -> NDArray[np.float64]:
    """Give first treated periods as an array, infinity for never (None)."""
    return np.array([np.inf if one is None else one for one in cohort], dtype=float)
