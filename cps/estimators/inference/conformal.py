"""Conformal inference: permute the residuals over time, with the null imposed on the fit.

Chernozhukov, Wüthrich & Zhu (2021), "An exact and robust conformal inference method for
counterfactual and synthetic controls", JASA 116(536), 1849-1864,
doi:10.1080/01621459.2021.1920957. Numbers agree with R ``scinference``.

Applies to one treated unit, or several that start together and are averaged, with a counterfactual
that can be refitted on arrays: synthetic control, difference-in-differences, interactive fixed
effects and matrix completion.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._options import Number
from cps.estimators._scale import natural_scale
from cps.estimators.inference import _conformal_proxies as proxies
from cps.estimators.inference._conformal_series import (
    Series,
    att_only,
    kept_findings,
    proxy_of,
    refusals,
    series_of,
    with_periods,
)
from cps.estimators.inference._conformal_test import (
    Permutations,
    all_orders,
    moving_blocks,
    not_rejected,
    p_values,
)
from cps.estimators.inference._conformal_words import residual_size, wide_set
from cps.estimators.registry import Refit
from cps.result import Effect, Estimate

NAME = Text("保形推断（时间上的残差置换）", "Conformal inference over time")
REFERENCE = "Chernozhukov, Wüthrich & Zhu (2021), JASA 116(536), doi:10.1080/01621459.2021.1920957"
ASSUMES = Text(
    "在原假设下用全部时期拟合的残差，其时间顺序可以（循环）置换：残差平稳且弱相关，启动前后的波动相同；"
    "总区间以各期效应相同为前提",
    "residuals of the fit under the null, over all periods, may be (cyclically) permuted in time: "
    "they are stationary, weakly dependent, and as noisy before the start as after; the overall "
    "interval takes the effect to be the same in each period",
)
OPTIONS = {
    "permutations": ("moving_block", "iid"),
    "proxy": ("as_estimated", "demeaned_sc", "constrained_lasso"),
    "average": ("constant", "blocks"),
    "norm": Number(1, 1, 10),
    "draws": Number(5000, 99, 1_000_000, is_whole=True),
}

Floats = NDArray[np.float64]
_SLACK = 1e-12


def needs(design: Design, effect: Effect, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject staggered starts, gaps, and methods whose counterfactual can't be refitted."""
    proxy = proxy_of(effect) if options["proxy"] == "as_estimated" else options["proxy"]
    found = refusals(design, effect, proxy, NAME)
    if not found and series_of(design).n_pre < 2:
        found.append(
            Finding(
                "E-INF-FEW-PRE-PERIODS",
                "reject",
                Text(
                    "启动前不足 2 期，无从置换", "fewer than 2 periods before the start to permute"
                ),
                design.name,
                Text("补充更早年份的台账", "add earlier ledgers"),
            )
        )
    return tuple(found)


def infer(
    design: Design,
    effect: Effect,
    refit: Refit,
    *,
    level: float,
    seed: int,
    options: Mapping[str, str],
) -> Effect:
    """Test that there was no effect in any period, and invert tests for intervals.

    The overall p-value is that of the sharp null of no effect in any post-period. A period's
    interval holds the effects not rejected when that period alone stands after the start. The
    overall interval holds the constant effects not rejected (``average="constant"``), or, with
    ``"blocks"``, the average effects not rejected on means over blocks as long as the post-period.
    """
    series = series_of(design)
    proxy = _proxy(effect, options)
    norm, draws = float(options["norm"]), int(options["draws"])

    def permutations(n_periods: int, n_post: int) -> Permutations:
        if options["permutations"] == "iid":
            return all_orders(n_periods, n_post, n_draws=draws, seed=seed)
        return moving_blocks(n_periods, n_post)

    test = _Test(proxy, permutations, norm, 1 - level)
    joint = test.p_value(series)
    tested = {
        series.periods[place]: test.estimate(_one_post(series, place), _gap(effect, series, place))
        for place in range(series.n_pre, len(series.periods))
    }
    by_period = {period: one for period, (one, _) in tested.items()}
    floor = permutations(len(series.treated), series.n_post).floor
    folded = series if options["average"] == "constant" else _in_blocks(series)
    average, is_torn = test.estimate(folded, effect.overall.att)
    n_torn = is_torn + sum(torn for _, torn in tested.values())
    overall = dataclasses.replace(average, p_value=joint)
    if options["average"] == "blocks":
        overall = average
        floor = permutations(len(folded.treated), 1).floor
    events, calendar = with_periods(effect, by_period, series.start)
    left = proxy((folded.treated - (overall.att or 0.0) * _is_post(folded))[None], folded.donors)
    wide = wide_set(
        design,
        overall if options["average"] == "constant" else Estimate(overall.att),
        size=residual_size(left[0], folded.n_pre),
        n_pre=folded.n_pre,
        n_post=folded.n_post,
        is_torn=is_torn,
    )
    return dataclasses.replace(
        effect,
        overall=overall,
        natural=natural_scale(design, overall),
        by_event_time=events,
        by_calendar=calendar,
        by_cohort=tuple(
            dataclasses.replace(
                one, estimate=overall if len(effect.by_cohort) == 1 else att_only(one.estimate)
            )
            for one in effect.by_cohort
        ),
        group_time=tuple(
            dataclasses.replace(one, estimate=by_period.get(one.period, att_only(one.estimate)))
            for one in effect.group_time
        ),
        aggregations={name: att_only(one) for name, one in effect.aggregations.items()},
        placebos=(),
        event_covariance=(),
        p_value_floor=floor,
        findings=(
            *kept_findings(effect),
            *_period_findings(design, series, by_period, level),
            *_overall_findings(design, folded, overall, level=level, floor=floor),
            *_torn(design, n_torn),
            *wide,
        ),
        tables={**effect.tables, "conformal": _table(series, test, by_period)},
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Test:
    """The test at hand: how to refit, what to permute, how to weigh, at which size."""

    proxy: proxies.Proxy
    permutations: Callable[[int, int], Permutations]
    norm: float
    alpha: float

    def p_of(self, series: Series) -> Callable[[Floats], Floats]:
        """Give p-values of nulls of an effect that is the same in each post-period."""
        permutations = self.permutations(len(series.treated), series.n_post)
        is_post = _is_post(series)

        def of(effects: Floats) -> Floats:
            residuals = self.proxy(series.treated - np.outer(effects, is_post), series.donors)
            return p_values(residuals, permutations, norm=self.norm)

        return of

    def p_value(self, series: Series) -> float:
        return float(self.p_of(series)(np.zeros(1))[0])

    def estimate(self, series: Series, att: float | None) -> tuple[Estimate, bool]:
        """Give an effect with its p-value and, where the data can carry one, its interval.

        The second is True if the interval holds effects that are rejected.
        """
        p_of = self.p_of(series)
        p_value = float(p_of(np.zeros(1))[0])
        floor = self.permutations(len(series.treated), series.n_post).floor
        if att is None or floor > self.alpha + _SLACK:
            return Estimate(att, p_value=p_value), False
        residuals = self.proxy(series.treated[None], series.donors)[0]
        scale = float(np.sqrt((residuals**2).mean())) or 1.0
        # The whole gap may be effect: the null that is tried first should be near it.
        found = not_rejected(p_of, att, scale, self.alpha)
        if found is None:
            return Estimate(att, p_value=p_value), False
        low, high, is_whole = found
        return Estimate(att, None, low, high, p_value), not is_whole


def _proxy(effect: Effect, options: Mapping[str, str]) -> proxies.Proxy:
    name = options["proxy"]
    if name == "as_estimated":
        name = str(proxy_of(effect))
    if name == "factors":
        return proxies.factor_model(int(effect.tables["model"]["n_factors"][0] or 0))
    if name.startswith("augmented"):
        penalty = float(effect.tables["fit"]["ridge"][0] or 0)
        return proxies.augmented_control(penalty, has_intercept="demeaned" in name)
    if name == "completion":
        return proxies.low_rank(float(effect.tables["model"]["penalty"][0] or 0))
    return {
        "sc": proxies.synthetic_control,
        "did": proxies.difference_in_differences,
        "demeaned_sc": proxies.demeaned_control,
        "constrained_lasso": proxies.constrained_lasso,
    }[name]


def _gap(effect: Effect, series: Series, place: int) -> float | None:
    """Give the effect in one period, as the estimator has it."""
    event = series.periods[place] - series.start
    for one in effect.by_event_time:
        if one.event_time == event:
            return one.estimate.att
    return None


def _is_post(series: Series) -> NDArray[np.bool_]:
    return np.arange(len(series.treated)) >= series.n_pre


def _one_post(series: Series, place: int) -> Series:
    """Keep all pre-periods and one post-period."""
    kept = [*range(series.n_pre), place]
    return Series(
        series.treated[kept],
        series.donors[:, kept],
        series.n_pre,
        1,
        tuple(series.periods[one] for one in kept),
        series.start,
    )


def _in_blocks(series: Series) -> Series:
    """Average over blocks as long as the post-period; the earliest odd periods are dropped."""
    n_pre = series.n_pre // series.n_post
    skipped = series.n_pre - n_pre * series.n_post

    def fold(values: Floats) -> Floats:
        kept = values[..., skipped:]
        return np.asarray(kept.reshape(*kept.shape[:-1], n_pre + 1, series.n_post).mean(axis=-1))

    ends = series.periods[skipped :: series.n_post]
    return Series(fold(series.treated), fold(series.donors), n_pre, 1, ends, series.start)


def _held_out(series: Series, n_post: int) -> Series:
    """Let the last ``n_post`` pre-periods stand for the time after a start that never was."""
    return Series(
        series.treated[: series.n_pre],
        series.donors[:, : series.n_pre],
        series.n_pre - n_post,
        n_post,
        series.periods[: series.n_pre],
        series.start,
    )


def _table(
    series: Series, test: _Test, by_period: dict[int, Estimate]
) -> dict[str, tuple[float | int | str | None, ...]]:
    """Give p-values by period, and of placebo starts 1 to 3 periods before the true one."""
    placebo = [n for n in (1, 2, 3) if series.n_pre - n >= max(2, n)]
    held = [test.p_value(_held_out(series, n)) for n in placebo]
    return {
        "what": ("period",) * len(by_period) + ("placebo_start",) * len(held),
        "period": (*by_period, *(series.periods[series.n_pre - n] for n in placebo)),
        "p_value": (*(one.p_value for one in by_period.values()), *held),
    }


def _period_findings(
    design: Design, series: Series, by_period: dict[int, Estimate], level: float
) -> list[Finding]:
    floor = 1 / (series.n_pre + 1)
    n_without = sum(one.ci_low is None for one in by_period.values())
    if floor > 1 - level + _SLACK:
        return [
            _warning(
                "W-INF-NO-PERIOD-INTERVAL",
                Text(
                    f"启动前 {series.n_pre} 期，单期检验的最小 p 值为 {floor:.3g}，"
                    f"不存在各期的 {level:.0%} 区间",
                    f"with {series.n_pre} periods before the start a single period's smallest "
                    f"p-value is {floor:.3g}: there is no {level:.0%} interval for it",
                ),
                design.name,
                level,
            )
        ]
    return [_unbounded(design, n_without, len(by_period))] if n_without else []


def _overall_findings(
    design: Design, folded: Series, overall: Estimate, *, level: float, floor: float
) -> list[Finding]:
    if overall.ci_low is None and floor > 1 - level + _SLACK:
        n = len(folded.treated)
        return [
            _warning(
                "W-INF-NO-INTERVAL",
                Text(
                    f"共 {n} 期可置换，最小 p 值为 {floor:.3g}，不存在 {level:.0%} 区间",
                    f"with {n} periods to permute the smallest p-value is {floor:.3g}: there is no "
                    f"{level:.0%} interval",
                ),
                design.name,
                level,
            )
        ]
    if overall.ci_low is None or overall.ci_high is None or overall.att is None:
        return [_unbounded(design, 1, 1)]
    if overall.ci_low <= overall.att <= overall.ci_high:
        return []
    return [
        Finding(
            "N-INF-OUTSIDE",
            "note",
            Text(
                "估计值落在区间之外：区间是在各期效应相同的前提下反演得到的，估计值则是各期的平均",
                "the estimate lies outside the interval: the interval inverts tests of an effect "
                "that is the same in each period, the estimate is a mean over periods",
            ),
            design.name,
            Text("以各期的效应为准", "read the effects by period"),
        )
    ]


def _torn(design: Design, n_torn: int) -> list[Finding]:
    if not n_torn:
        return []
    return [
        Finding(
            "N-INF-TORN-SET",
            "note",
            Text(
                f"有 {n_torn} 个区间内部含有被拒绝的效应；所示端点为最外侧未被拒绝者",
                f"{n_torn} intervals hold effects that are rejected; the ends shown are the "
                "outermost that are not",
            ),
            design.name,
            Text("区间偏宽，结合 p 值阅读", "they are wide: read them with the p-values"),
        )
    ]


def _warning(code: str, what: Text, where: str, level: float) -> Finding:
    mend = Text(
        f"补充更早的时期，或降低置信水平（现为 {level:.0%}）",
        f"add earlier periods, or lower the level (now {level:.0%})",
    )
    return Finding(code, "warn", what, where, mend)


def _unbounded(design: Design, n: int, of: int) -> Finding:
    return Finding(
        "W-INF-UNBOUNDED",
        "warn",
        Text(
            f"{of} 个区间中有 {n} 个没有端点：反事实能随原假设中的效应一起移动，任何效应都不被拒绝",
            f"{n} of {of} intervals have no end: the counterfactual moves along with the effect "
            "under the null, and no effect is rejected",
        ),
        design.name,
        Text("减少因子个数，或改用合成控制", "take fewer factors, or a synthetic control"),
    )
