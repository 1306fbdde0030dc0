"""What comparison units' residuals make of the treated units' weights: an error's distribution.

Conley & Taber (2011), doi:10.1162/REST_a_00049: with few treated units the estimate's error is
theirs alone, and the comparison units show how such errors are distributed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import DesignError, Finding, Text
from cps.estimators._ranks import TIE, accept_half_width, counted_p
from cps.estimators._regression_errors import without_rounding
from cps.estimators._scale import natural_scale
from cps.estimators.inference._events import bare
from cps.estimators.inference._linear import treated_weights
from cps.estimators.inference._refuse import ROWS_MEND, clusters_ignored, seen_once
from cps.estimators.inference._words import floor_finding
from cps.estimators.registry import Refit
from cps.result import Effect, Estimate

Floats = NDArray[np.float64]
MANY = 10  # treated units above which their own spread says more than a few-treated method


@dataclass(frozen=True, slots=True)
class Errors:
    """Draws of the estimate's error, and how they were made.

    Parameters
    ----------
    draws : ndarray, shape (n_draws,)
    is_all : bool
        True if every way to stand in for the treated units is among them.
    factor : float
        By which the draws were widened for the comparison units' own noise.
    n_donors : int
    """

    draws: Floats
    is_all: bool
    factor: float
    n_donors: int


def residual_refusals(design: Design, effect: Effect) -> tuple[Finding, ...]:
    """Reject designs on which there are no residuals to use."""
    found = []
    if effect.overall.att is None:
        found.append(
            Finding(
                "E-INF-NO-ESTIMATE",
                "reject",
                Text("没有估计值可供推断", "there is no estimate to infer on"),
                design.name,
                Text("先换用能给出估计的方法", "take a method that gives an estimate"),
            )
        )
    if not design.is_balanced:
        found.append(
            Finding(
                "E-INF-GAPS",
                "reject",
                Text("面板有缺口，残差不完整", "the panel has gaps: residuals are incomplete"),
                design.name,
                ROWS_MEND
                if seen_once(design)
                else Text("设计时用 missing=drop_unit", "design it with missing='drop_unit'"),
            )
        )
    found += clusters_ignored(design)
    if design.n_donors < 3:
        found.append(
            Finding(
                "E-INF-FEW-DONORS",
                "reject",
                Text(
                    f"从未处理的单位只有 {design.n_donors} 个，看不出误差的分布",
                    f"{design.n_donors} never-treated units can't show how errors are distributed",
                ),
                design.name,
                Text("放宽对照范围", "widen the comparison"),
            )
        )
    return tuple(found)


def weights_or_refuse(design: Design, effect: Effect, refit: Refit) -> Floats:
    """Give the treated units' weights, or say that the estimate has none.

    Raises
    ------
    DesignError
        If the estimate is not linear in the treated units' outcomes.
    """
    weights = treated_weights(design, refit)
    if weights is None:
        raise DesignError(
            Text(
                f"{effect.method_name.zh}的估计对承办单位的结果不是线性的，残差法不适用",
                f"the estimate of {effect.method} is not linear in the treated units' outcomes: "
                "residuals can't stand in for its error",
            ),
            where=f"{design.name} › {effect.method}",
            mend=Text("改用 randomisation", "use inference='randomisation'"),
        )
    return weights


def donor_residuals(design: Design) -> Floats:
    """Give comparison units' outcomes without their periods' mean and covariates' part.

    Returns
    -------
    ndarray, shape (n_donors, n_periods)
        Units' own means are left in: weights that sum to 0 over periods take them away.
    """
    y = design.y[design.is_donor]
    share = np.ones(y.shape) if design.weights is None else design.weights[design.is_donor]
    share = share / share.sum(axis=0)
    rest = np.asarray(y - (share * y).sum(axis=0))
    if design.covariates is None:
        return rest
    x = design.covariates[:, design.is_donor]
    x = x - (share * x).sum(axis=1, keepdims=True)
    within = (x - x.mean(axis=2, keepdims=True)).reshape(len(x), -1).T
    own = (rest - rest.mean(axis=1, keepdims=True)).ravel()
    slopes = np.linalg.lstsq(within, own, rcond=None)[0]
    return np.asarray(rest - np.tensordot(slopes, x, axes=1))


def stand_ins(design: Design, weights: Floats) -> Floats:
    """Give what each comparison unit would add in each treated unit's place.

    Returns
    -------
    ndarray, shape (n_treated, n_donors)
    """
    return np.asarray(weights @ donor_residuals(design).T)


def errors(
    parts: Floats,
    scale: Floats,
    *,
    draws: int,
    seed: int,
    factor: float,
) -> Errors:
    """Draw errors of the estimate: each treated unit is stood in for, with replacement.

    Parameters
    ----------
    parts, scale : ndarray, shape (n_treated, n_donors)
        What each comparison unit adds, and by how much it is rescaled.
    """
    k, n = parts.shape
    scaled = parts * scale * factor
    if n**k <= draws:
        picks = np.array(list(product(range(n), repeat=k)))
        return Errors(scaled[np.arange(k), picks].sum(axis=1), True, factor, n)
    picks = np.random.default_rng(seed).integers(0, n, (draws, k))
    return Errors(scaled[np.arange(k), picks].sum(axis=1), False, factor, n)


def small_sample_factor(design: Design, weights: Floats) -> float:
    """Give by how much the error is wider than the treated units' own residuals show.

    Residuals of ``n`` comparison units lose 1 / n of their variance to the periods' means, and the
    comparison units' mean adds to the estimate the error of the weights' sum over treated units.
    The sum over several treated units has lighter tails than one estimated from ``n`` residuals
    should: it is widened by the deviation of Student's t. One unit's rank needs no such thing.
    """
    rest = donor_residuals(design)
    n = len(rest)
    own = float(((weights @ rest.T) ** 2).sum()) / n
    common = float(((weights.sum(axis=0) @ rest.T) ** 2).sum()) / n
    if own <= 0:
        return 1.0
    tails = (n - 1) / (n - 3) if len(weights) > 1 and n > 3 else 1.0
    return float(np.sqrt((1 + common / own / n) * n / (n - 1) * tails))


def rank_test(
    att: float, found: Errors, level: float, tails: str
) -> tuple[float, float, float | None, float | None]:
    """Give p-value, its floor, and the interval.

    ``symmetric`` counts the estimate among the draws; ``equal`` takes the draws' quantiles as the
    paper does: the ⌊nα/2⌋-th and the ⌈n(1−α/2)⌉-th of n.
    """
    draws, alpha = found.draws, 1 - level
    if tails == "symmetric":
        half, floor = accept_half_width(draws, level), 1 / (1 + len(draws))
        low, high = (att - half, att + half) if np.isfinite(half) else (None, None)
        return counted_p(att, draws), floor, low, high
    n, slack = len(draws), TIE * abs(att)
    above, below = int((draws >= att - slack).sum()), int((draws <= att + slack).sum())
    # The paper's quantiles let one more draw lie above than below.
    p_value, floor = min(1.0, 2 * max(1, min(above, below + 1)) / n), 2 / n
    first, last = int(n * alpha / 2 * (1 + TIE)), int(np.ceil(n * (1 - alpha / 2) * (1 - TIE)))
    if first < 1:
        return p_value, floor, None, None
    ordered = np.sort(draws)
    return p_value, floor, float(att - ordered[last - 1]), float(att - ordered[first - 1])


def infer_from(
    design: Design,
    effect: Effect,
    found: Errors,
    *,
    level: float,
    tails: str,
    said: tuple[Finding, ...],
) -> Effect:
    """Put the errors' distribution in the place of the method's own inference."""
    att = effect.overall.att
    if att is None:
        return effect
    p_value, floor, low, high = rank_test(att, found, level, tails)
    spread = float(np.sqrt((found.draws**2).mean()))
    overall = without_rounding(design, Estimate(att, spread, low, high, p_value))
    findings = [*effect.findings, *said, _how(design, found)]
    if low is None:
        findings.append(floor_finding(design, floor, level, found.n_donors))
    if design.n_treated > MANY:
        findings.append(_many(design))
    return dataclasses.replace(
        bare(effect, overall),
        natural=natural_scale(design, overall),
        level=level,
        p_value_floor=floor,
        findings=tuple(findings),
    )


def _how(design: Design, found: Errors) -> Finding:
    how_zh, how_en = ("穷尽", "all there are") if found.is_all else ("随机抽取", "drawn at random")
    return Finding(
        "N-INF-RESIDUALS",
        "note",
        Text(
            f"由 {found.n_donors} 个对照单位的残差得 {len(found.draws)} 个误差值（{how_zh}），"
            f"放宽系数 {found.factor:.3f}",
            f"{len(found.draws)} errors from the residuals of {found.n_donors} comparison units "
            f"({how_en}), widened by {found.factor:.3f}",
        ),
        design.name,
        Text("无须处理", "nothing to do"),
    )


def _many(design: Design) -> Finding:
    return Finding(
        "N-INF-MANY-TREATED",
        "note",
        Text(
            f"承办单位有 {design.n_treated} 个，不算少：它们自身的离散程度在此没有用上",
            f"{design.n_treated} treated units are not few: their own spread is not used here",
        ),
        design.name,
        Text("与该方法自带的推断对照", "compare with the method's own inference"),
    )
