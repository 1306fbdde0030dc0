"""Effect and Check: one vocabulary for every method and every test of robustness."""

from __future__ import annotations

from dataclasses import dataclass, field

from cps.errors import Finding, Text


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its uncertainty; None where a method has no such thing.

    ``ci_low`` to ``ci_high`` holds for this number alone; ``band_low`` to ``band_high`` for all
    numbers of its family (event times, cells …) at once.
    """

    att: float | None
    se: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p_value: float | None = None
    band_low: float | None = None
    band_high: float | None = None


@dataclass(frozen=True, slots=True)
class GroupTimeEffect:
    """ATT(g, t): the effect on cohort ``cohort`` in period ``period`` (both ordinals)."""

    cohort: int
    period: int
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class EventTimeEffect:
    """The effect ``event_time`` periods after the start; negative times are pre-trends."""

    event_time: int
    estimate: Estimate
    n_treated: int


@dataclass(frozen=True, slots=True)
class PeriodEffect:
    """An effect by cohort or by calendar period; ``period`` is an ordinal."""

    period: int
    estimate: Estimate
    n_treated: int


@dataclass(frozen=True, slots=True)
class PathPoint:
    """Mean of the treated units as observed, and what the method says without treatment.

    On the scale of the design's ``y``; ``event`` paths are by event time, calendar paths by period.
    """

    period: int
    observed: float | None
    counterfactual: float | None


@dataclass(frozen=True, slots=True)
class Weight:
    """Weight of a donor unit (``unit``) or of a pre-period (``period``) for one cohort."""

    cohort: int
    unit: str | None
    period: int | None
    weight: float


@dataclass(frozen=True, slots=True)
class Effect:
    """What one method says of one initiative and outcome.

    Parameters
    ----------
    measure : str
        Unit of ``overall`` and of everything else here: ``yuan``, ``persons``, ``log_points`` …
    overall : Estimate
        The headline ATT of this method.
    natural : Estimate or None
        ``overall`` translated to the outcome's own unit (``natural_measure``) if ``measure`` is
        ``log_points``: geometric mean of the treated cells × (1 − exp(−att)), the gain of a typical
        treated unit and period; otherwise None.
    level : float
        Confidence level of every interval, e.g. 0.95.
    inference : str
        How ``overall`` got its error, interval and p-value: ``analytic`` (influence function),
        ``placebo``, or the name of a module in ``estimators/inference``.
    inference_name, assumes : Text or None
        Its name where it is a module's, and what it takes for granted.
    is_diagnosis : bool
        True if the method shows what a common practice does; never a headline.
    is_reliable : bool or None
        Whether this method with this inference held its level in the simulation study, at this
        number of treated units; None where the study has no such pair.
    p_value_floor : float or None
        Smallest p-value that the inference can give, e.g. 1 / (J + 1).
    aggregations : dict of str to Estimate
        ``simple``, ``dynamic``, ``group``, ``calendar`` overall effects where a method has them.
    paths : tuple of PathPoint
        By calendar period, over all treated units.
    placebos : tuple of float
        Placebo estimates on the scale of ``overall``.
    event_covariance : tuple of tuples of float
        Covariance of ``by_event_time``'s estimates, in its order; a base period has zeros.
    tables : dict of str to columnar table
        What is particular to a method: a decomposition, a dose curve, a regression.
    """

    initiative: str
    outcome: str
    measure: str
    natural_measure: str
    estimand: Text
    method: str  # the estimator module's name
    method_name: Text
    reference: str
    options: dict[str, str]
    overall: Estimate
    natural: Estimate | None
    level: float
    inference: str
    p_value_floor: float | None
    n_treated: int
    n_comparison: int
    n_pre: int
    n_post: int
    by_event_time: tuple[EventTimeEffect, ...] = ()
    by_cohort: tuple[PeriodEffect, ...] = ()
    by_calendar: tuple[PeriodEffect, ...] = ()
    group_time: tuple[GroupTimeEffect, ...] = ()
    aggregations: dict[str, Estimate] = field(default_factory=dict)
    paths: tuple[PathPoint, ...] = ()
    weights: tuple[Weight, ...] = ()
    placebos: tuple[float, ...] = ()
    findings: tuple[Finding, ...] = ()
    design_hash: str = ""
    assumes: Text | None = None
    inference_name: Text | None = None
    is_diagnosis: bool = False
    is_reliable: bool | None = None
    event_covariance: tuple[tuple[float, ...], ...] = ()
    tables: dict[str, dict[str, tuple[float | int | str | None, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """A test of robustness; ``verdict`` is None where the data can't say.

    ``explanation`` says what was found, numbers included, in both languages. ``table`` is columnar:
    column name -> equally long tuples of numbers or strings.
    """

    name: str
    method: str
    verdict: bool | None
    statistic: float | None
    threshold: float | None
    title: Text
    explanation: Text
    table: dict[str, tuple[float | int | str | None, ...]] = field(default_factory=dict)
