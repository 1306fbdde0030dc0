"""Gibbs sampling of a hierarchical model of log monthly income, and draws of the last year's total.

The log of village v's income in month m of year y is θ[v,y] + σ[v,m] + δ[y,m] + noise: a level by
year that wanders about the pool's path, the village's own season drawn towards the pool's, and what
was unusual for everyone in that month. Noise has a size by village and by month and long tails;
December's noise may answer the months before it (catch-up booking). All is conjugate but the
covariance of levels, which is moved by Metropolis steps. Gelman, A. & Hill, J. (2006), Data Analysis
Using Regression and Multilevel/Hierarchical Models, doi:10.1017/CBO9780511790942, chapters 13 and 18.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log

import numpy as np
from numpy.typing import NDArray

from cps.forecast._prior import PRIOR, Prior
from cps.forecast._zeros import is_paid

Floats = NDArray[np.float64]
_DEC = 11
_LEAST_NOISE = 0.01
_HIGHEST = 25.0  # log 元 a month: more than any village's, so that a stray draw stays a number


@dataclass(frozen=True, slots=True)
class Chain:
    """How long to sample: sweeps thrown away, sweeps kept, and futures drawn in each kept sweep."""

    n_burn: int = 200
    n_keep: int = 400
    n_futures: int = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Logs of positive months (0 elsewhere), which they are, and each year's regime."""

    logs: Floats  # (n_units, n_years, 12)
    mask: NDArray[np.bool_]
    regime: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Weights:
    """Precisions of the noise, and December's answer to the months before."""

    own: Floats  # (n_units, n_years, 12), 0 in December
    december: Floats  # (n_units, n_years)
    answer: Floats  # (n_units, n_years, 12)


@dataclass(slots=True)
class _State:
    theta: Floats  # (n_units, n_years)
    season: Floats  # (n_units, 12)
    shock: Floats  # (n_years, 12), the regime's step included
    path: Floats  # (n_years,) the pool's level
    growth: float
    growth_var: float
    spread: Floats  # (4,) log village spread, log wander, logit persistence, log break
    season_mean: Floats  # (12,)
    season_var: Floats  # (12,)
    step: Floats  # (n_regimes, 12), zeros for the first
    shock_var: float
    unit_var: Floats  # (n_units,)
    month_var: Floats  # (12,)
    pooled_var: float
    catch_up: float
    tail: float
    mix: Floats  # (n_units, n_years, 12)


def draw_totals(
    income_yuan: Floats, *, regime: NDArray[np.int64], chain: Chain, rng: np.random.Generator
) -> Floats:
    """Draw the last year's total of every village from its predictive distribution.

    Parameters
    ----------
    income_yuan : ndarray, shape (n_units, n_years, 12)
        元; NaN where not reported. Months of the last year that are NaN are drawn, the others are
        taken as they are.
    regime : ndarray, shape (n_years,)
        0 for the first accounting regime, 1 for the next …

    Returns
    -------
    ndarray, shape (n_keep * n_futures, n_units), 元
    """
    mask = income_yuan > 0  # False where NaN
    given = _Data(np.where(mask, np.log(np.where(mask, income_yuan, 1.0)), 0.0), mask, regime)
    state = _start(given)
    draws: list[Floats] = []
    for sweep in range(chain.n_burn + chain.n_keep):
        _sweep(state, given, rng)
        if sweep >= chain.n_burn:
            draws.extend(_future(state, given, income_yuan, rng) for _ in range(chain.n_futures))
    return np.array(draws)


def _start(given: _Data) -> _State:
    logs, mask = given.logs, given.mask
    n, years, _ = logs.shape
    count = mask.sum(axis=2)
    overall = logs[mask].mean()
    by_unit = np.where(mask.any(axis=(1, 2)), logs.sum(axis=(1, 2)), 0.0) / np.maximum(
        mask.sum(axis=(1, 2)), 1
    )
    by_unit[~mask.any(axis=(1, 2))] = overall
    theta = np.where(count >= 6, logs.sum(axis=2) / np.maximum(count, 1), by_unit[:, None])
    centred = np.where(mask, logs - theta[:, :, None], 0.0)
    season = centred.sum(axis=(0, 1)) / np.maximum(mask.sum(axis=(0, 1)), 1)
    return _State(
        theta=theta,
        season=np.tile(season, (n, 1)),
        shock=np.zeros((years, 12)),
        path=theta.mean(axis=0),
        growth=PRIOR.growth[0],
        growth_var=PRIOR.growth_spread[1] ** 2,
        spread=np.array(
            [
                log(PRIOR.village_spread[0]),
                log(PRIOR.wander[0]),
                PRIOR.persistence[0],
                log(PRIOR.break_level[0]),
            ]
        ),
        season_mean=season,
        season_var=np.full(12, PRIOR.season_spread[1] ** 2),
        step=np.zeros((int(given.regime.max()) + 1, 12)),
        shock_var=PRIOR.month_shock[1] ** 2,
        unit_var=np.full(n, PRIOR.noise[1] ** 2),
        month_var=np.ones(12),
        pooled_var=PRIOR.noise[1] ** 2,
        catch_up=0.0,
        tail=PRIOR.tails[1],
        mix=np.ones(logs.shape),
    )


def _sweep(s: _State, given: _Data, rng: np.random.Generator) -> None:
    weight = np.where(given.mask, s.mix / _noise_var(s)[:, None, :], 0.0)
    own = weight.copy()
    own[:, :, _DEC] = 0.0
    weights = _Weights(own, weight[:, :, _DEC], _answer(given.mask, s.catch_up))
    _draw_units(s, given, weights, rng)
    _draw_pool(s, given.regime, PRIOR, rng)
    _draw_shocks(s, given, weights, rng)
    _translate(s, given, PRIOR, rng)
    _draw_noise(s, given, PRIOR, rng)


def _noise_var(s: _State) -> Floats:
    """Give the variance of noise by village and month; no month is known closer than 1%."""
    return np.maximum(s.unit_var[:, None] * s.month_var, _LEAST_NOISE**2)


def _answer(mask: NDArray[np.bool_], catch_up: float) -> Floats:
    """Give the row by which December's own noise is made: (n_units, n_years, 12)."""
    before = mask[:, :, :_DEC]
    row = np.ones(mask.shape)
    row[:, :, :_DEC] = catch_up * before / np.maximum(before.sum(axis=2, keepdims=True), 1)
    return row


def _draw_units(s: _State, given: _Data, w: _Weights, rng: np.random.Generator) -> None:
    """Draw each village's levels and season together, given all that is shared."""
    n, years, _ = given.logs.shape
    own, december, answer = w.own, w.december, w.answer
    target = np.where(own + december[:, :, None] > 0, given.logs - s.shock, 0.0)
    row_sum = answer.sum(axis=2)
    pull = december * (answer * target).sum(axis=2)
    precision = np.zeros((n, years + 12, years + 12))
    cross = own + (december * row_sum)[:, :, None] * answer
    at = np.arange(years)
    inverse = np.linalg.inv(_covariance(s.spread, given.regime))
    precision[:, :years, :years] = inverse
    precision[:, at, at] += own.sum(axis=2) + december * row_sum**2
    precision[:, :years, years:] = cross
    precision[:, years:, :years] = cross.transpose(0, 2, 1)
    scaled = np.sqrt(december)[:, :, None] * answer
    inner = scaled.transpose(0, 2, 1) @ scaled
    inner[:, np.arange(12), np.arange(12)] += own.sum(axis=1) + 1 / s.season_var
    precision[:, years:, years:] = inner
    right = np.empty((n, years + 12))
    right[:, :years] = inverse @ s.path
    right[:, :years] += (own * target).sum(axis=2) + pull * row_sum
    right[:, years:] = (own * target).sum(axis=1) + (pull[:, :, None] * answer).sum(axis=1)
    right[:, years:] += s.season_mean / s.season_var
    drawn = _draw_normal(precision, right, rng)
    s.theta, s.season = drawn[:, :years], drawn[:, years:]


def _draw_normal(precision: Floats, right: Floats, rng: np.random.Generator) -> Floats:
    """Draw from N(precision⁻¹ right, precision⁻¹), one a leading index."""
    lower = np.linalg.cholesky(precision)
    half = np.linalg.solve(lower, right[..., None]) + rng.standard_normal((*right.shape, 1))
    return np.asarray(np.linalg.solve(np.swapaxes(lower, -1, -2), half)[..., 0])


def _covariance(spread: Floats, regime: NDArray[np.int64]) -> Floats:
    village, wander, broken = np.exp(2 * spread[[0, 1, 3]])
    persistence = 1 / (1 + np.exp(-spread[2]))
    years = np.arange(len(regime))
    covariance = village + wander * persistence ** np.abs(years[:, None] - years)
    for one in range(1, int(regime.max()) + 1):
        covariance += broken * np.outer(regime >= one, regime >= one)
    return np.asarray(covariance + 1e-8 * np.eye(len(regime)))


def _draw_pool(
    s: _State, regime: NDArray[np.int64], prior: Prior, rng: np.random.Generator
) -> None:
    """Draw the pool's path and season, and how far villages lie about them."""
    n = len(s.theta)
    inverse = np.linalg.inv(_covariance(s.spread, regime))
    tight_path, pull = _path_prior(s, prior)
    precision = n * inverse + tight_path
    right = inverse @ s.theta.sum(axis=0) + pull
    s.path = _draw_normal(precision, right, rng)
    steps = np.diff(s.path)
    tight = 1 / prior.growth[1] ** 2 + len(steps) / s.growth_var
    mean = (prior.growth[0] / prior.growth[1] ** 2 + steps.sum() / s.growth_var) / tight
    s.growth = float(mean + rng.standard_normal() / np.sqrt(tight))
    s.growth_var = _variance(steps - s.growth, prior.growth_spread, rng)
    _move_spread(s, regime, prior, rng)
    precision_m = n / s.season_var + 1 / prior.season_mean**2
    mean_m = s.season.sum(axis=0) / s.season_var / precision_m
    s.season_mean = mean_m + rng.standard_normal(12) / np.sqrt(precision_m)
    shape, typical = prior.season_spread
    rate = shape * typical**2 + ((s.season - s.season_mean) ** 2).sum(axis=0) / 2
    s.season_var = rate / rng.gamma(shape + n / 2, size=12)


def _path_prior(s: _State, prior: Prior) -> tuple[Floats, Floats]:
    """Give the precision of the pool's path and precision times mean, given its growth."""
    years = len(s.path)
    link = np.eye(years) - np.eye(years, k=-1)
    size = np.full(years, 1 / s.growth_var)
    size[0] = 1 / prior.level_mean[1] ** 2
    centre = np.full(years, s.growth)
    centre[0] = prior.level_mean[0]
    return link.T * size @ link, link.T @ (size * centre)


def _variance(residuals: Floats, prior: tuple[float, float], rng: np.random.Generator) -> float:
    shape, typical = prior
    rate = shape * typical**2 + (residuals**2).sum() / 2
    return float(rate / rng.gamma(shape + residuals.size / 2))


def _move_spread(
    s: _State, regime: NDArray[np.int64], prior: Prior, rng: np.random.Generator
) -> None:
    off = s.theta - s.path
    scatter = off.T @ off
    centre = np.array(
        [
            log(prior.village_spread[0]),
            log(prior.wander[0]),
            prior.persistence[0],
            log(prior.break_level[0]),
        ]
    )
    wide = np.array(
        [prior.village_spread[1], prior.wander[1], prior.persistence[1], prior.break_level[1]]
    )

    def height(spread: Floats) -> float:
        covariance = _covariance(spread, regime)
        _, size = np.linalg.slogdet(covariance)
        fit = np.trace(np.linalg.solve(covariance, scatter))
        return float(-0.5 * (len(off) * size + fit + (((spread - centre) / wide) ** 2).sum()))

    now = height(s.spread)
    for place in (0, 1, 2, 3, 1, 2):
        moved = s.spread.copy()
        moved[place] += (0.25, 0.25, 0.6, 0.5)[place] * rng.standard_normal()
        then = height(moved)
        if log(rng.random()) < then - now:
            s.spread, now = moved, then


def _draw_shocks(s: _State, given: _Data, w: _Weights, rng: np.random.Generator) -> None:
    """Draw what each month had in common, and each regime's step in the season."""
    own, december, answer = w.own, w.december, w.answer
    regime = given.regime
    rest = given.logs - s.theta[:, :, None] - s.season[:, None, :]
    pull = december * (answer * np.where(own > 0, rest, 0.0)).sum(axis=2)
    pull += december * rest[:, :, _DEC]
    scaled = (np.sqrt(december)[:, :, None] * answer).transpose(1, 2, 0)
    precision = scaled @ scaled.transpose(0, 2, 1)
    at = np.arange(12)
    precision[:, at, at] += own.sum(axis=0) + 1 / s.shock_var
    right = (own * rest).sum(axis=0) + (pull[:, :, None] * answer).sum(axis=0)
    right += s.step[regime] / s.shock_var
    s.shock = _draw_normal(precision, right, rng)
    for one in range(1, len(s.step)):
        of_regime = s.shock[regime == one]
        tight = len(of_regime) / s.shock_var + 1 / PRIOR.break_season**2
        mean = of_regime.sum(axis=0) / s.shock_var / tight
        s.step[one] = mean + rng.standard_normal(12) / np.sqrt(tight)
    s.shock_var = _variance(s.shock - s.step[regime], PRIOR.month_shock, rng)


def _translate(s: _State, given: _Data, prior: Prior, rng: np.random.Generator) -> None:
    """Move between parts that only their sum is seen of, so that the chain doesn't creep.

    What all villages had in common can stand in a year's level or in its months' shocks, in the
    season or in the shocks, in a regime's step or in its years' levels: each move leaves every month
    seen as it is, and is drawn from its exact conditional.
    """
    seen = given.mask.any(axis=0).astype(float)
    off = seen * (s.shock - s.step[given.regime]) / s.shock_var
    tight, pull = _path_prior(s, prior)
    precision = tight + np.diag(seen.sum(axis=1) / s.shock_var)
    by_year = _draw_normal(precision, tight @ s.path - pull - off.sum(axis=1), rng)
    s.shock = s.shock + seen * by_year[:, None]
    s.theta, s.path = s.theta - by_year, s.path - by_year
    off = seen * (s.shock - s.step[given.regime]) / s.shock_var
    narrow = seen.sum(axis=0) / s.shock_var + 1 / prior.season_mean**2
    mean = (off.sum(axis=0) - s.season_mean / prior.season_mean**2) / narrow
    by_month = mean + rng.standard_normal(12) / np.sqrt(narrow)
    s.season, s.season_mean = s.season + by_month, s.season_mean + by_month
    s.shock = s.shock - seen * by_month
    for one in range(1, len(s.step)):
        years = (given.regime == one).astype(float)
        months = seen[given.regime == one].any(axis=0).astype(float)
        wide = months.sum() / prior.break_season**2 + years @ tight @ years
        pulled = (
            years @ (tight @ s.path - pull) - (months * s.step[one]).sum() / prior.break_season**2
        )
        moved = float(pulled / wide + rng.standard_normal() / np.sqrt(wide))
        s.step[one] += moved * months
        s.shock = s.shock + moved * np.outer(years, months)
        s.theta, s.path = s.theta - moved * years, s.path - moved * years


def _draw_noise(s: _State, given: _Data, prior: Prior, rng: np.random.Generator) -> None:
    """Draw December's catch-up, the tails and the size of noise by village and month."""
    logs, mask = given.logs, given.mask
    n = len(logs)
    rest = np.where(mask, logs - s.theta[:, :, None] - s.season[:, None, :] - s.shock, 0.0)
    before = mask[:, :, :_DEC].sum(axis=2)
    shortfall = -rest[:, :, :_DEC].sum(axis=2) / np.maximum(before, 1)
    weight = s.mix / _noise_var(s)[:, None, :]
    december = np.where(mask[:, :, _DEC], weight[:, :, _DEC], 0.0)
    tight = 1 / prior.catch_up**2 + (december * shortfall**2).sum()
    mean = (december * shortfall * rest[:, :, _DEC]).sum() / tight
    s.catch_up = float(mean + rng.standard_normal() / np.sqrt(tight))
    rest[:, :, _DEC] -= np.where(mask[:, :, _DEC], s.catch_up * shortfall, 0.0)
    square = rest**2
    scaled = square / _noise_var(s)[:, None, :]
    gammas = rng.gamma((s.tail + 1) / 2, size=logs.shape)
    s.mix = np.where(mask, gammas * 2 / (s.tail + scaled), 1.0)
    count = mask.sum()
    total = np.log(s.mix[mask]).sum() - s.mix[mask].sum()
    heights = np.array(
        [count * ((v / 2) * log(v / 2) - lgamma(v / 2)) + v / 2 * total for v in prior.tails]
    )
    chance = np.exp(heights - heights.max())
    s.tail = float(rng.choice(prior.tails, p=chance / chance.sum()))
    shape = prior.noise[0]
    by_unit = (s.mix * square / s.month_var).sum(axis=(1, 2)) / 2
    s.unit_var = (shape * s.pooled_var + by_unit) / rng.gamma(
        shape + mask.sum(axis=(1, 2)) / 2, size=n
    )
    # The pooled scale of the villages' inverse-gamma: a gamma of its own, worth one village.
    s.pooled_var = float(
        rng.gamma(shape * n + 1) / (shape * (1 / s.unit_var).sum() + 1 / prior.noise[1] ** 2)
    )
    by_month = (s.mix * square / s.unit_var[:, None, None]).sum(axis=(0, 1)) / 2
    s.month_var = (prior.month_noise + by_month) / rng.gamma(
        prior.month_noise + mask.sum(axis=(0, 1)) / 2
    )


def _future(s: _State, given: _Data, income_yuan: Floats, rng: np.random.Generator) -> Floats:
    """Fill the last year's open months once and give its totals, shape (n_units,)."""
    now = income_yuan[:, -1]
    is_open = np.isnan(now)
    mean = s.theta[:, -1:] + s.season + s.shock[-1]
    size = np.sqrt(_noise_var(s))
    noise = size * rng.standard_normal(now.shape)
    noise /= np.sqrt(rng.gamma(s.tail / 2, size=now.shape) * 2 / s.tail)
    rest = np.where(given.mask[:, -1], given.logs[:, -1] - mean, np.where(is_open, noise, 0.0))
    noise[:, _DEC] -= s.catch_up * rest[:, :_DEC].mean(axis=1)
    drawn = np.exp(np.minimum(mean + noise, _HIGHEST)) * is_paid(income_yuan, rng)
    return np.asarray(np.where(is_open, drawn, now).sum(axis=1))
