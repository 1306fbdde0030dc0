"""Forecast years that are over from their first months, and score what was said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.errors import DesignError, Text, UsageError, unknown_choice
from cps.forecast._model import Chain
from cps.forecast.months import Months
from cps.forecast.outlook import BREAKS, THRESHOLDS_YUAN, predictive_draws
from cps.forecast.rivals import holt_winters_draws, naive_draws
from cps.forecast.scores import Bin, brier, crps, pit, reliability, uniformity
from cps.units import YUAN_PER_WAN

Floats = NDArray[np.float64]
_NAMES: dict[str, Text] = {
    "pooled_seasons": Text("分层季节模型", "pooled seasons"),
    "seasonal_naive": Text("季节朴素法", "seasonal naive"),
    "naive_with_growth": Text("季节朴素法（按同比推算）", "seasonal naive with growth so far"),
    "holt_winters": Text("霍尔特—温特斯指数平滑", "Holt–Winters"),
}
METHODS: tuple[str, ...] = tuple(_NAMES)


@dataclass(frozen=True, slots=True)
class Score:
    """How one method did, over the cases that every method had an answer for.

    A case is a village, a year and a month at the end of which its year was forecast.

    Parameters
    ----------
    month : int or None
        Month of the forecasts; None for all months together.
    n_cases, n_answered : int
        Cases scored, and cases that this method had an answer for.
    brier : tuple of float, by threshold
    crps_wan : float
        Mean CRPS of totals, 万元.
    crps_log : float
        Mean CRPS of log totals: every village counts alike.
    bias_log : float
        Mean of the predictive medians' log error: above 0 is too high.
    coverage_80, coverage_95 : float
        Share of totals inside the central intervals.
    width_80 : float
        Sharpness: median over cases of log(upper end / lower end).
    pit_counts : tuple of int
        PIT values in ten bins.
    reliability : tuple of Bin
        Of all thresholds' probabilities together.
    """

    method: str
    name: Text
    month: int | None
    n_cases: int
    n_answered: int
    brier: tuple[float, ...]
    crps_wan: float
    crps_log: float
    bias_log: float
    coverage_80: float
    coverage_95: float
    width_80: float
    pit_counts: tuple[int, ...]
    reliability: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class BackTest:
    """Scores of all methods, by month and together.

    Parameters
    ----------
    years : tuple of int
        Years forecast. Villages share a year's growth, so that cases of one year err together: the
        independent pieces of evidence are nearer the number of years than of cases.
    """

    years: tuple[int, ...]
    months: tuple[int, ...]
    thresholds_yuan: tuple[int, ...]
    scores: tuple[Score, ...]
    n_without_truth: int
    caution: Text
    is_synthetic: bool

    def of(self, method: str, month: int | None = None) -> Score:
        """Give one method's score of a month, or of all months together."""
        for one in self.scores:
            if one.method == method and one.month == month:
                return one
        raise unknown_choice(
            Text("方法或月份", "method or month"),
            f"{method}/{month}",
            sorted({one.method for one in self.scores}),
            where="BackTest.of",
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """All villages' forecasts of one origin: draws (n_draws, n_units) by method, NaN for none."""

    month: int
    truth: Floats
    draws: dict[str, Floats]


def back_test(
    months: Months,
    *,
    years: Sequence[int],
    at_months: Sequence[int] = tuple(range(1, 12)),
    thresholds_yuan: Sequence[int] = THRESHOLDS_YUAN,
    breaks: Sequence[int] = BREAKS,
    methods: Sequence[str] = METHODS,
    chain: Chain | None = None,
    n_draws: int = 2_000,
    seed: int = 0,
) -> BackTest:
    """Forecast past years with a rolling origin: each from what was known at each month's end.

    Nothing after the origin is seen by any method, and all are fed the same months.

    Parameters
    ----------
    years : sequence of int
        Each needs at least two earlier years in ``months``.
    n_draws : int
        Of the rivals; the model's are set by ``chain``.

    Raises
    ------
    UsageError
        If a method or month doesn't exist.
    DesignError
        If a year has fewer than two years before it, or there is no case that all methods answer.
    """
    for name in methods:
        if name not in _NAMES:
            raise unknown_choice(
                Text("方法", "method"), name, METHODS, where="back_test(methods=…)"
            )
    if not years or not at_months or not all(1 <= one <= 11 for one in at_months):
        raise UsageError(
            Text(
                "回测需要年份，月份取 1 至 11", "a back-test needs years, and months from 1 to 11"
            ),
            where="back_test(years=…, at_months=…)",
            mend=Text("例如 at_months=(3, 6, 9)", "for example at_months=(3, 6, 9)"),
        )
    for year in years:
        if year - 2 not in months.years or year not in months.years:
            raise DesignError(
                Text(
                    f"{year} 年之前不足两年数据，无法回测",
                    f"{year} has fewer than two earlier years to learn from",
                ),
                where=f"back_test › {year}",
                mend=Text("选较晚的年份", "take a later year"),
            )
    cases = [
        _case(months, year, month, methods, _draw_with(breaks, chain, n_draws, seed))
        for year in years
        for month in at_months
    ]
    scores = [
        _score(name, month, cases, tuple(thresholds_yuan))
        for month in (None, *at_months)
        for name in methods
    ]
    return BackTest(
        years=tuple(years),
        months=tuple(at_months),
        thresholds_yuan=tuple(thresholds_yuan),
        scores=tuple(scores),
        n_without_truth=int(sum(np.isnan(one.truth).sum() for one in cases)),
        caution=Text(
            f"同一年各村误差相关，独立证据更接近 {len(years)} 个年份而非案例数",
            "villages of one year err together: the evidence is nearer "
            f"{len(years)} years than the number of cases",
        ),
        is_synthetic=months.is_synthetic,
    )


Draw = Callable[[str, Months, int], Floats]


def _draw_with(breaks: Sequence[int], chain: Chain | None, n_draws: int, seed: int) -> Draw:
    def draw(name: str, known: Months, month: int) -> Floats:
        if name == "pooled_seasons":
            drawn, rows = predictive_draws(known, breaks=breaks, chain=chain, seed=seed)
            whole = np.full((len(drawn), len(known.units)), np.nan)
            whole[:, rows] = drawn
            return whole
        if name == "holt_winters":
            return holt_winters_draws(known, month, n_draws=n_draws, seed=seed)
        grown = name == "naive_with_growth"
        return naive_draws(known, month, with_growth=grown, n_draws=n_draws, seed=seed)

    return draw


def _case(months: Months, year: int, month: int, methods: Sequence[str], draw: Draw) -> _Case:
    known = months.seen_until(year, month)
    return _Case(
        month,
        months.totals_yuan()[:, months.years.index(year)],
        {name: draw(name, known, month) for name in methods},
    )


def _score(name: str, month: int | None, cases: list[_Case], thresholds: tuple[int, ...]) -> Score:
    chosen = [one for one in cases if month in (None, one.month)]
    common = [_answered_by_all(one) for one in chosen]
    truth = np.concatenate([one.truth[good] for one, good in zip(chosen, common, strict=True)])
    if truth.size == 0:
        raise DesignError(
            Text("没有各方法都能预测的案例", "there is no case that every method answers"),
            where=f"back_test › {month or 'all months'}",
            mend=Text("减少方法，或补齐月报", "name fewer methods, or fill the ledgers' gaps"),
        )
    draws = np.concatenate(
        [one.draws[name][:, good] for one, good in zip(chosen, common, strict=True)], axis=1
    )
    logs, log_truth = np.log(np.maximum(draws, 1.0)), np.log(np.maximum(truth, 1.0))
    said = [(draws > one).mean(axis=0) for one in thresholds]
    came = [truth > one for one in thresholds]
    ends = np.quantile(logs, [0.025, 0.1, 0.5, 0.9, 0.975], axis=0)
    return Score(
        method=name,
        name=_NAMES[name],
        month=month,
        n_cases=truth.size,
        n_answered=int(sum((~np.isnan(one.draws[name][0])).sum() for one in chosen)),
        brier=tuple(float(brier(p, c) or 0.0) for p, c in zip(said, came, strict=True)),
        crps_wan=float(crps(draws / YUAN_PER_WAN, truth / YUAN_PER_WAN).mean()),
        crps_log=float(crps(logs, log_truth).mean()),
        bias_log=float((ends[2] - log_truth).mean()),
        coverage_80=float(((ends[1] <= log_truth) & (log_truth <= ends[3])).mean()),
        coverage_95=float(((ends[0] <= log_truth) & (log_truth <= ends[4])).mean()),
        width_80=float(np.median(ends[3] - ends[1])),
        pit_counts=uniformity(pit(draws, truth)),
        reliability=reliability(np.concatenate(said), np.concatenate(came)),
    )


def _answered_by_all(case: _Case) -> NDArray[np.bool_]:
    good = ~np.isnan(case.truth)
    for draws in case.draws.values():
        good &= ~np.isnan(draws).any(axis=0)
    return good
