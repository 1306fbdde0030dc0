"""Partial pooling: each initiative's effect in the light of all fifteen.

Empirical Bayes in the sense of Morris (1983), JASA 78(381), doi:10.1080/01621459.1983.10477920: the
effects are normal about a mean, and what is not known of that mean and of their spread goes into
every interval. It is integrated over, not corrected to first order; with equal, independent errors
the two agree (Morris's formula, with Stein's harmonic prior).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cps.errors import Text, unknown_choice
from cps.synthesis._distributions import normal_cdf
from cps.synthesis._family import Floats, check_level, family
from cps.synthesis._normal_model import NormalModel, normal_model

REFERENCE = "Morris (1983), JASA 78(381), doi:10.1080/01621459.1983.10477920"
PRIORS = ("variance", "spread")
_NODES = 120
_LEAST = 5
_HALVINGS = 32
_LEAST_WEIGHT = 1e-9


@dataclass(frozen=True, slots=True)
class Pooled:
    """Effects of all initiatives, drawn towards their mean; in the estimates' unit.

    Parameters
    ----------
    effect, se, low, high : tuple of (float or None), length n_declared
        Posterior mean, standard deviation and equal-tailed interval; None where there was no
        estimate to pool.
    shrinkage : tuple of (float or None)
        Weight of everything else in an initiative's effect: 0 leaves its own estimate as it is,
        1 replaces it. With correlated errors it can lie outside 0 to 1.
    probability_positive : tuple of (float or None)
        That the effect is above zero.
    mean, mean_low, mean_high : float
        Of the effects' distribution.
    tau, tau_low, tau_high : float
        Standard deviation of true effects: posterior median and interval.
    tau_reml : float
        Where the restricted likelihood is largest; often 0 with few initiatives.
    new_low, new_high : float
        Predictive interval for the effect of a further initiative of the same kind.
    new_probability_positive : float
    n_estimated, n_declared : int
    """

    effect: tuple[float | None, ...]
    se: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    shrinkage: tuple[float | None, ...]
    probability_positive: tuple[float | None, ...]
    mean: float
    mean_low: float
    mean_high: float
    tau: float
    tau_low: float
    tau_high: float
    tau_reml: float
    new_low: float
    new_high: float
    new_probability_positive: float
    level: float
    prior: str
    n_estimated: int
    n_declared: int


def pool_effects(
    estimates: Sequence[float | None] | ArrayLike,
    covariance: ArrayLike,
    *,
    level: float = 0.95,
    prior: str = "variance",
) -> Pooled:
    r"""Pool the estimates of several initiatives partially.

    .. math:: y \mid \theta \sim N(\theta, V), \qquad \theta_i \sim N(\mu, \tau^2)

    ``mu`` has a flat prior, and so has ``tau²`` (Morris, Stein) or ``tau``; both are integrated
    out, so that intervals know how little fifteen initiatives say of them. Units shared between
    initiatives enter through ``V``.

    Parameters
    ----------
    estimates : array_like, shape (n_declared,)
        All of one unit of measure; None or NaN where an initiative has no estimate.
    covariance : array_like, shape (n_declared, n_declared) or (n_declared,)
    level : float
    prior : {"variance", "spread"}
        Flat on ``tau²`` (more cautious), or on ``tau`` (Gelman 2006, doi:10.1214/06-BA117A).

    Returns
    -------
    Pooled

    Raises
    ------
    UsageError
        With fewer than five estimates, or an unknown choice.

    References
    ----------
    Morris (1983), doi:10.1080/01621459.1983.10477920; Rubin (1981), doi:10.3102/10769986006004377.
    """
    where = "pool_effects"
    check_level(level, where=where)
    if prior not in PRIORS:
        raise unknown_choice(Text("先验", "prior"), prior, PRIORS, where=where)
    known = family(estimates, covariance, least=_LEAST, where=where)
    model = normal_model(known.estimates, known.covariance, np.ones((known.n, 1)))
    tau, weight = _spread_weights(model, prior)
    mean, mean_se = _means(model, tau)
    centre, se = _effects(model, tau, mean, mean_se)
    effect = weight @ centre
    spread = np.sqrt(weight @ (se**2 + (centre - effect) ** 2))
    new_se = np.sqrt(tau**2 + mean_se**2)
    tail = (1 - level) / 2
    # The mean and a further initiative are two more columns of the mixture.
    columns = np.column_stack([centre, mean, mean]), np.column_stack([se, mean_se, new_se])
    low, high = (_quantile(*columns, weight, one) for one in (tail, 1 - tail))
    order = np.cumsum(weight) - weight / 2
    taus = [float(np.interp(one, order, tau)) for one in (0.5, tail, 1 - tail)]
    return Pooled(
        effect=known.spread(effect),
        se=known.spread(spread),
        low=known.spread(low[:-2]),
        high=known.spread(high[:-2]),
        shrinkage=known.spread(_shrinkage(model, tau, weight)),
        probability_positive=known.spread(weight @ normal_cdf(centre / se)),
        mean=float(weight @ mean),
        mean_low=float(low[-2]),
        mean_high=float(high[-2]),
        tau=taus[0],
        tau_low=taus[1],
        tau_high=taus[2],
        tau_reml=float(np.sqrt(model.reml())),
        new_low=float(low[-1]),
        new_high=float(high[-1]),
        new_probability_positive=float(weight @ normal_cdf(mean / new_se)),
        level=level,
        prior=prior,
        n_estimated=known.n,
        n_declared=known.n_declared,
    )


def _spread_weights(model: NormalModel, prior: str) -> tuple[Floats, Floats]:
    """Nodes of tau, shape (g,), and their posterior weights, which sum to one."""
    # tau = scale · u / (1 − u) puts the long tail of few initiatives within reach of few nodes.
    nodes, widths = _gauss_legendre()
    u = (nodes + 1) / 2
    tau = model.scale() * u / (1 - u)
    w = 1 / (model.values + tau[:, None] ** 2)
    b, a = model.x[:, 0], model.y
    precision = w @ b**2
    mean = (w @ (a * b)) / precision
    q = (w * (a - b * mean[:, None]) ** 2).sum(axis=1)
    log_weight = (np.log(w).sum(axis=1) - np.log(precision) - q) / 2
    log_weight += np.log(widths) - 2 * np.log1p(-u)
    if prior == "variance":
        log_weight += np.log(tau)
    weight = np.exp(log_weight - log_weight.max())
    return tau, weight / weight.sum()


@functools.cache
def _gauss_legendre() -> tuple[Floats, Floats]:
    nodes, widths = np.polynomial.legendre.leggauss(_NODES)
    return np.asarray(nodes), np.asarray(widths)


def _means(model: NormalModel, tau: Floats) -> tuple[Floats, Floats]:
    """The mean of the effects at each tau, and its error; both of shape (g,)."""
    w = 1 / (model.values + tau[:, None] ** 2)
    b = model.x[:, 0]
    precision = w @ b**2
    return (w @ (model.y * b)) / precision, 1 / np.sqrt(precision)


def _effects(
    model: NormalModel, tau: Floats, mean: Floats, mean_se: Floats
) -> tuple[Floats, Floats]:
    """Each effect given tau: mean and standard deviation, both of shape (g, n)."""
    share = model.values / (model.values + tau[:, None] ** 2)  # of an estimate's spread, its error
    turned = model.y - share * (model.y - model.x[:, 0] * mean[:, None])
    pull = (share * model.x[:, 0]) @ model.vectors.T
    own = (model.values * (1 - share)) @ (model.vectors**2).T
    return turned @ model.vectors.T, np.sqrt(own + (pull * mean_se[:, None]) ** 2)


def _shrinkage(model: NormalModel, tau: Floats, weight: Floats) -> Floats:
    """One less what an initiative's own estimate adds to its effect, the mean held."""
    share = model.values / (model.values + tau[:, None] ** 2)
    return np.asarray(weight @ (share @ (model.vectors**2).T))


def _quantile(centre: Floats, se: Floats, weight: Floats, probability: float) -> Floats:
    """Quantile of mixtures of normals: columns of ``centre`` and ``se``, shape (g, n)."""
    floor = np.maximum(se, 1e-12 * (np.abs(centre) + se).max())
    weighs = weight > _LEAST_WEIGHT
    centre, floor, weight = centre[weighs], floor[weighs], weight[weighs]
    weight = weight / weight.sum()
    low, high = (centre - 8 * floor).min(axis=0), (centre + 8 * floor).max(axis=0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_below = weight @ normal_cdf((middle - centre) / floor) < probability
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return np.asarray((low + high) / 2)
