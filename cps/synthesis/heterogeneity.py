"""How much the initiatives' true effects differ, and what of that goes with their traits.

Cochran's Q, I² and tau² after Higgins & Thompson (2002), doi:10.1002/sim.1186; the interval of
tau² by Viechtbauer's Q-profile (2007), doi:10.1002/sim.2514; meta-regression with the errors of
Knapp & Hartung (2003), doi:10.1002/sim.1482. Numbers agree with R ``metafor``; estimates may depend
on one another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cps.errors import Text, UsageError
from cps.synthesis._distributions import (
    chi_squared_quantile,
    chi_squared_tail,
    f_tail,
    t_quantile,
    t_tail,
)
from cps.synthesis._family import Family, Floats, check_level, family
from cps.synthesis._moderators import Moderator, moderator_columns
from cps.synthesis._normal_model import NormalModel, normal_model

REFERENCE = "Higgins & Thompson (2002), doi:10.1002/sim.1186; Knapp & Hartung (2003)"
_LEAST = 3


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """The spread of true effects, beyond what errors of estimation explain.

    Parameters
    ----------
    q, q_freedom, q_p_value : float, int, float
        Generalised Cochran's Q, and its test of equal effects.
    i2, i2_low, i2_high : float
        Share of the estimates' variance that is true, 0 to 1.
    tau2, tau2_low, tau2_high : float
        Variance of true effects (restricted likelihood; Q-profile), squared unit.
    mean, mean_se, mean_low, mean_high : float
        Random-effects mean with Knapp–Hartung error and Student's t.
    """

    q: float
    q_freedom: int
    q_p_value: float
    i2: float
    i2_low: float
    i2_high: float
    tau2: float
    tau2_low: float
    tau2_high: float
    mean: float
    mean_se: float
    mean_low: float
    mean_high: float
    level: float
    n_estimated: int
    n_declared: int


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One coefficient of a meta-regression: what the effect differs by, all else alike.

    ``moderator`` is None for the intercept; ``against`` is the reference level where the moderator
    is one of words, and ``at`` the level compared with it.
    """

    moderator: str | None
    at: str | None
    against: str | None
    estimate: float
    se: float
    t: float
    p_value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class MetaRegression:
    """Effects of initiatives regressed on their traits.

    Parameters
    ----------
    coefficients : tuple of Coefficient
        The intercept first: the effect at the references, where numbers are at their mean.
    freedom : int
        n_used less the number of coefficients.
    f, f_freedom, f_p_value : float, int, float
        Test that no trait matters.
    q_residual, q_residual_p_value, tau2, i2
        Spread that is left.
    r2 : float or None
        Share of tau² that the traits explain, cut at 0; None where there was none.
    n_used, n_declared : int
        Initiatives with an estimate and every trait, of all.
    """

    coefficients: tuple[Coefficient, ...]
    freedom: int
    f: float
    f_freedom: int
    f_p_value: float
    q_residual: float
    q_residual_p_value: float
    tau2: float
    i2: float
    r2: float | None
    level: float
    n_used: int
    n_declared: int


def measure_heterogeneity(
    estimates: Sequence[float | None] | ArrayLike,
    covariance: ArrayLike,
    *,
    level: float = 0.95,
) -> Heterogeneity:
    """Measure how much true effects differ between initiatives.

    Parameters
    ----------
    estimates : array_like, shape (n_declared,)
        All of one unit of measure; None or NaN where an initiative has no estimate.
    covariance : array_like, shape (n_declared, n_declared) or (n_declared,)
    level : float

    Raises
    ------
    UsageError
        With fewer than three estimates.

    References
    ----------
    Higgins & Thompson (2002), doi:10.1002/sim.1186; Viechtbauer (2007), doi:10.1002/sim.2514.

    Examples
    --------
    >>> found = measure_heterogeneity([1.0, 2.0, 3.0, 4.0], [0.5, 0.5, 0.5, 0.5])
    >>> round(found.q, 3), round(found.tau2, 3)
    (10.0, 1.167)
    """
    where = "measure_heterogeneity"
    check_level(level, where=where)
    known = family(estimates, covariance, least=_LEAST, where=where)
    model = normal_model(known.estimates, known.covariance, np.ones((known.n, 1)))
    q, typical = model.fit(0.0)[2], model.typical_variance()
    tail = (1 - level) / 2
    tau2 = model.reml()
    low, high = (
        model.tau2_where(chi_squared_quantile(one, model.freedom)) for one in (1 - tail, tail)
    )
    beta, covariance_beta = _knapp_hartung(model, tau2)
    mean, se = float(beta[0]), math.sqrt(covariance_beta[0, 0])
    half = t_quantile(1 - tail, model.freedom) * se
    return Heterogeneity(
        q=q,
        q_freedom=model.freedom,
        q_p_value=chi_squared_tail(q, model.freedom),
        i2=tau2 / (tau2 + typical),
        i2_low=low / (low + typical),
        i2_high=high / (high + typical),
        tau2=tau2,
        tau2_low=low,
        tau2_high=high,
        mean=mean,
        mean_se=se,
        mean_low=mean - half,
        mean_high=mean + half,
        level=level,
        n_estimated=known.n,
        n_declared=known.n_declared,
    )


def regress_effects(
    estimates: Sequence[float | None] | ArrayLike,
    covariance: ArrayLike,
    moderators: Mapping[str, Moderator],
    *,
    level: float = 0.95,
) -> MetaRegression:
    """Regress effects on what initiatives are: format, start year, baseline wealth, money.

    Weighted least squares with the estimates' covariance plus tau² (restricted likelihood); errors
    after Knapp & Hartung with Student's t. This compares initiatives that chose their traits: it
    describes, it does not say what a trait would change.

    Parameters
    ----------
    estimates : array_like, shape (n_declared,)
    covariance : array_like, shape (n_declared, n_declared) or (n_declared,)
    moderators : mapping of str to sequence of (float, str or None), length n_declared
        Numbers are centred at their mean over the initiatives used; words become differences from
        the commonest one (the first of these in alphabetical order). None or NaN: that initiative
        is left out and counted.

    Raises
    ------
    UsageError
        If a moderator has another length, mixes words and numbers, or does not vary, if they can't
        be told apart, or fewer than three degrees of freedom are left.

    References
    ----------
    Knapp & Hartung (2003), doi:10.1002/sim.1482.
    """
    where = "regress_effects"
    check_level(level, where=where)
    all_known = family(estimates, covariance, least=_LEAST, where=where)
    known, x, labels = moderator_columns(all_known, moderators, where=where)
    _check_rank(x, where)
    model = normal_model(known.estimates, known.covariance, x)
    tau2 = model.reml()
    beta, covariance_beta = _knapp_hartung(model, tau2)
    critical = t_quantile(0.5 + level / 2, model.freedom)
    coefficients = []
    for (moderator, at, against), one, variance in zip(
        labels, beta, np.diag(covariance_beta), strict=True
    ):
        se = math.sqrt(variance)
        coefficients.append(
            Coefficient(
                moderator,
                at,
                against,
                float(one),
                se,
                float(one) / se,
                t_tail(float(one) / se, model.freedom),
                float(one) - critical * se,
                float(one) + critical * se,
            )
        )
    f_freedom = x.shape[1] - 1
    f = float(beta[1:] @ np.linalg.solve(covariance_beta[1:, 1:], beta[1:])) / f_freedom
    q, typical = model.fit(0.0)[2], model.typical_variance()
    return MetaRegression(
        coefficients=tuple(coefficients),
        freedom=model.freedom,
        f=f,
        f_freedom=f_freedom,
        f_p_value=f_tail(f, f_freedom, model.freedom),
        q_residual=q,
        q_residual_p_value=chi_squared_tail(q, model.freedom),
        tau2=tau2,
        i2=tau2 / (tau2 + typical),
        r2=_explained(known, tau2),
        level=level,
        n_used=known.n,
        n_declared=known.n_declared,
    )


def _knapp_hartung(model: NormalModel, tau2: float) -> tuple[Floats, Floats]:
    beta, covariance, q = model.fit(tau2)
    return beta, covariance * q / model.freedom


def _explained(known: Family, tau2: float) -> float | None:
    alone = normal_model(known.estimates, known.covariance, np.ones((known.n, 1))).reml()
    return max(0.0, 1 - tau2 / alone) if alone > 0 else None


def _check_rank(x: Floats, where: str) -> None:
    n, p = x.shape
    if n - p < _LEAST:
        raise UsageError(
            Text(
                f"{n} 个项目、{p} 个系数，剩余自由度不足 {_LEAST}",
                f"{n} initiatives and {p} coefficients leave fewer than {_LEAST} degrees of freedom",
            ),
            where=where,
            mend=Text("减少特征，或合并类别", "take fewer traits, or merge their levels"),
        )
    if np.linalg.matrix_rank(x / np.abs(x).max(axis=0)) < p:
        raise UsageError(
            Text(
                "各特征之间线性相关，无法分开", "the traits can't be told apart: they are collinear"
            ),
            where=where,
            mend=Text("去掉其中一个", "leave one of them out"),
        )
