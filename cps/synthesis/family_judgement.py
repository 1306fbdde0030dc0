"""Estimates with their joint covariance judged as one family; knows no initiative by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import CpsError, Text, UsageError
from cps.result import Effect
from cps.synthesis._moderators import Moderator
from cps.synthesis.heterogeneity import Heterogeneity, measure_heterogeneity
from cps.synthesis.joint_covariance import JointEstimates, JointSource, join_estimates
from cps.synthesis.linear_forms import fixed_weight_covariance
from cps.synthesis.multiplicity import StepDown, adjust_p_values, romano_wolf
from cps.synthesis.pooling import Pooled, pool_effects
from cps.synthesis.rank_sets import RankSets, among_best, among_worst, rank_sets
from cps.synthesis.trait_findings import TraitFinding, compare_by_traits

Floats = NDArray[np.float64]
T = TypeVar("T")

DRAWS = 9_999
FOREMOST = 3  # how many count as the best, and as the last


@dataclass(frozen=True, slots=True)
class Refusal:
    """A part of the judgement that can't be given, and why."""

    part: str
    what: Text
    mend: Text


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Estimates of all that were declared, with their joint covariance.

    Parameters
    ----------
    names : tuple of str, length n
    estimates : tuple of (float or None), length n
        None where there is none to put together.
    covariance : ndarray, shape (n, n)
        NaN in rows and columns of the absent.
    joint : JointEstimates
        Of those that are there.
    source : JointSource
    doubts : Text or None
        Why the effects' own errors were not taken, where the source's are.
    """

    names: tuple[str, ...]
    estimates: tuple[float | None, ...]
    covariance: Floats
    joint: JointEstimates
    source: JointSource
    doubts: Text | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a family of estimates says; None where a part is refused.

    Parameters
    ----------
    pooled : Pooled or None
    spread : Heterogeneity or None
    tests : StepDown or None
        Romano–Wolf, two-sided, Student's t with the covariance's freedom.
    discoveries : tuple of (float or None)
        Benjamini–Hochberg of the same p-values; None throughout without ``tests``.
    ranks, ranks_alone : RankSets or None
        Sets that hold for all at once, and each for itself.
    may_lead : dict of int to tuple of bool
        Number of the best -> who may be among them, all named with the level's probability.
    may_trail : dict of int to tuple of bool
        Number of the last, likewise.
    traits : tuple of TraitFinding
    refusals : tuple of Refusal
    """

    pooled: Pooled | None
    spread: Heterogeneity | None
    tests: StepDown | None
    discoveries: tuple[float | None, ...]
    ranks: RankSets | None
    ranks_alone: RankSets | None
    may_lead: dict[int, tuple[bool, ...]]
    may_trail: dict[int, tuple[bool, ...]]
    traits: tuple[TraitFinding, ...]
    refusals: tuple[Refusal, ...]


def join_headlines(
    names: Sequence[str], designs: Mapping[str, Design], effects: Mapping[str, Effect]
) -> Joined:
    """Put headline effects together with the covariance that shared units give them.

    Each keeps its own standard error, and correlations come from the weights. Where an error is
    absent, or few treated units make it too small, all errors come from the weights.

    Parameters
    ----------
    names : sequence of str
        All that were declared.
    designs, effects : mappings by name
        Of those that can be put together.

    Raises
    ------
    UsageError, DesignError
        As :func:`fixed_weight_covariance` and :func:`join_estimates`.
    """
    source = fixed_weight_covariance(designs, effects)
    doubts: Text | None = None
    try:
        joint = join_estimates(effects, source)
    except UsageError as error:
        joint = join_estimates(effects, source, scale="source")
        doubts = error.what
    n = len(names)
    estimates: list[float | None] = [None] * n
    covariance = np.full((n, n), np.nan)
    place = [names.index(one) for one in joint.names]
    for k, one in zip(place, joint.estimates, strict=True):
        estimates[k] = one
    covariance[np.ix_(place, place)] = np.array(joint.covariance, dtype=float)
    return Joined(tuple(names), tuple(estimates), covariance, joint, source, doubts)


def judge_family(
    joined: Joined,
    traits: Mapping[str, Moderator] | None = None,
    *,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Judgement:
    """Pool, test, rank and compare a family; a part that can't be had is refused, not left out.

    Parameters
    ----------
    joined : Joined
    traits : mapping of str to sequence, or None
        As :func:`compare_by_traits`; not asked if None.
    level : float
    draws, seed : int
        Of the joint errors behind Romano–Wolf and rank sets.
    """
    y, v, freedom = joined.estimates, joined.covariance, joined.joint.freedom
    n = len(y)
    refusals: list[Refusal] = []
    pooled = _attempt(refusals, "pooled", lambda: pool_effects(y, v, level=level))
    spread = _attempt(refusals, "spread", lambda: measure_heterogeneity(y, v, level=level))
    tests = _attempt(
        refusals,
        "tests",
        lambda: romano_wolf(y, v, level=level, freedom=freedom, draws=draws, seed=seed),
    )
    ranked = _attempt(
        refusals,
        "ranks",
        lambda: _ranked(y, v, freedom, level=level, draws=draws, seed=seed),
    )
    found = compare_by_traits(y, v, traits, level=level) if traits and spread is not None else ()
    return Judgement(
        pooled=pooled,
        spread=spread,
        tests=tests,
        discoveries=(
            (None,) * n
            if tests is None
            else adjust_p_values(tests.p_value, method="benjamini_hochberg")
        ),
        ranks=None if ranked is None else ranked.together,
        ranks_alone=None if ranked is None else ranked.alone,
        may_lead={} if ranked is None else ranked.may_lead,
        may_trail={} if ranked is None else ranked.may_trail,
        traits=found,
        refusals=tuple(refusals),
    )


@dataclass(frozen=True, slots=True)
class _Ranked:
    together: RankSets
    alone: RankSets
    may_lead: dict[int, tuple[bool, ...]]
    may_trail: dict[int, tuple[bool, ...]]


def _ranked(
    y: tuple[float | None, ...],
    v: Floats,
    freedom: int | None,
    *,
    level: float,
    draws: int,
    seed: int,
) -> _Ranked:
    sizes = sorted({1, min(FOREMOST, len(y))})
    # One-sided sets give the sets of the best, or of the last, of every size.
    best = rank_sets(y, v, level=level, sides="lower", freedom=freedom, draws=draws, seed=seed)
    last = rank_sets(y, v, level=level, sides="upper", freedom=freedom, draws=draws, seed=seed)
    return _Ranked(
        together=rank_sets(y, v, level=level, freedom=freedom, draws=draws, seed=seed),
        alone=rank_sets(
            y, v, level=level, scope="marginal", freedom=freedom, draws=draws, seed=seed
        ),
        may_lead={size: among_best(best, size) for size in sizes},
        may_trail={size: among_worst(last, size) for size in sizes},
    )


def _attempt(refusals: list[Refusal], part: str, compute: Callable[[], T]) -> T | None:
    try:
        return compute()
    except CpsError as error:
        refusals.append(Refusal(part, error.what, error.mend))
        return None
