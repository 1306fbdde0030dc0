"""How well does the comparison follow the treated units before the start?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from cps.design.record import Design
from cps.errors import Text
from cps.result import Check, Effect
from cps.robustness._parts import amount
from cps.robustness._units import mean_seen

NAME = Text("启动前拟合", "Fit before the start")
SIZE = 0.05


@dataclass(frozen=True, slots=True)
class _Fit:
    """The gaps of one cohort, or of all, before its start; ``load`` is their variance over noise's."""

    name: str
    gaps: list[float]
    load: float


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why there is no fit to judge, or None."""
    if design.n_donors < 3 or not _fits(design, effect):
        return Text("启动前不足两期有对照路径", "fewer than two pre-periods with a counterfactual")
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Set each cohort's root mean squared gap before its start against what noise alone makes.

    Noise is the standard deviation of comparison units around their own means and the periods'; the
    gap between a mean of so many treated units and the weighted comparison then has a known size,
    and the bound is what chance exceeds in 5% of cases, over cohorts together. Methods that choose
    weights to fit these periods pass easily: failing says more than passing.
    """
    fits = _fits(design, effect)
    noise = _noise(design)
    if not np.isfinite(noise) or noise <= 0:
        reason = Text(
            "对照单位没有波动，无从衡量", "comparison units don't vary: there is no yardstick"
        )
        return Check("pre_fit", effect.method, None, None, None, NAME, reason)
    rmse = [math.sqrt(sum(gap**2 for gap in one.gaps) / len(one.gaps)) for one in fits]
    usual = [noise * math.sqrt(one.load) for one in fits]
    ratios = [error / size for error, size in zip(rmse, usual, strict=True)]
    bounds = [_chance_bound(len(one.gaps), len(fits)) for one in fits]
    worst = max(range(len(fits)), key=lambda i: ratios[i] / bounds[i])
    one = fits[worst]
    error, size = amount(design, rmse[worst]), amount(design, usual[worst])
    name_zh = f"{one.name} 批次" if one.name else ""
    name_en = f"cohort {one.name}, " if one.name else ""
    return Check(
        name="pre_fit",
        method=effect.method,
        verdict=ratios[worst] <= bounds[worst],
        statistic=ratios[worst],
        threshold=bounds[worst],
        title=NAME,
        explanation=Text(
            f"{name_zh}启动前 {len(one.gaps)} 期实际与对照的均方根差为 {error.zh.lstrip('+')}，"
            f"偶然波动通常为 {size.zh.lstrip('+')}，是其 {ratios[worst]:.2f} 倍，界限 {bounds[worst]:.2f} 倍",
            f"{name_en}{len(one.gaps)} periods before the start: the root mean squared gap is "
            f"{error.en.replace('+', '')} where noise alone makes {size.en.replace('+', '')}: "
            f"{ratios[worst]:.2f} times, against a bound of {bounds[worst]:.2f}",
        ),
        table={
            "cohort": tuple(one.name for one in fits),
            "rmse": tuple(rmse),
            "usual": tuple(usual),
        },
    )


def _fits(design: Design, effect: Effect) -> list[_Fit]:
    is_level = effect.options.get("weights") != "sc"
    by_cohort = _by_cohort(design, effect, is_level)
    return by_cohort or _overall(design, effect, is_level)


def _by_cohort(design: Design, effect: Effect, is_level: bool) -> list[_Fit]:
    place = {unit: row for row, unit in enumerate(design.units)}
    given: dict[int, np.ndarray] = {}
    for one in effect.weights:
        if one.unit is not None and one.unit in place:
            given.setdefault(one.cohort, np.zeros(len(place)))[place[one.unit]] = one.weight
    if set(given) != set(design.cohorts) or np.isnan(design.y).any():
        return []
    labels = dict(zip(design.periods, design.period_labels, strict=True))
    periods, starts = np.asarray(design.periods), design.starts
    found = []
    for cohort, weights in given.items():
        # Weights that do not add up to one belong to a model with an intercept or a bias correction.
        if abs(weights.sum() - 1) > 1e-6:
            return []
        before = periods < cohort - design.anticipation
        treated = starts == cohort
        gaps = (design.y[treated].mean(axis=0) - weights @ design.y)[before]
        load = 1 / treated.sum() + float((weights**2).sum())
        found += _fit(labels.get(cohort, str(cohort)), list(gaps), load, is_level)
    return found


def _overall(design: Design, effect: Effect, is_level: bool) -> list[_Fit]:
    first = min(design.cohorts) - design.anticipation
    gaps = [
        one.observed - one.counterfactual
        for one in effect.paths
        if one.period < first and one.observed is not None and one.counterfactual is not None
    ]
    return _fit("", gaps, 1 / design.n_treated + 1 / design.n_donors, is_level)


def _fit(name: str, gaps: list[float], load: float, is_level: bool) -> list[_Fit]:
    if len(gaps) < 2:
        return []
    if not is_level:
        return [_Fit(name, [float(one) for one in gaps], load)]
    # A constant distance is no misfit to methods that difference it out.
    level = sum(gaps) / len(gaps)
    return [_Fit(name, [float(one - level) for one in gaps], load * (1 - 1 / len(gaps)))]


def _noise(design: Design) -> float:
    """Give the standard deviation of comparison units around unit and period means."""
    before = np.asarray(design.periods) < max(design.cohorts) - design.anticipation
    y = design.y[design.is_donor][:, before]
    y = y[~np.isnan(y).any(axis=1)] if np.isnan(y).any() else y
    if len(y) < 3 or y.shape[1] < 2:
        return float("nan")
    residual = y - mean_seen(y)[:, None] - y.mean(axis=0)[None, :] + y.mean()
    return float(np.sqrt((residual**2).sum() / ((len(y) - 1) * (y.shape[1] - 1))))


def _chance_bound(n_periods: int, n_fits: int) -> float:
    """Give the root of a mean square of standard normals that chance exceeds in 5%, over all fits.

    Wilson & Hilferty (1931) for the chi-squared quantile, doi:10.1073/pnas.17.12.684.
    """
    z = NormalDist().inv_cdf(1 - SIZE / n_fits)
    df = max(n_periods - 1, 1)
    return math.sqrt((1 - 2 / (9 * df) + z * math.sqrt(2 / (9 * df))) ** 3)
