"""A t-test for synthetic controls: cross-fitted, debiased, studentised by its own folds.

Chernozhukov, Wüthrich & Zhu, "A t-test for synthetic controls", arXiv:1812.10820. Numbers agree
with R ``scinference`` (``inference_method = "ttest"``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._options import Number
from cps.estimators._scale import natural_scale
from cps.estimators.inference._conformal_proxies import simplex_weights_exact
from cps.estimators.inference._conformal_series import (
    att_only,
    kept_findings,
    proxy_of,
    refusals,
    series_of,
    with_periods,
)
from cps.estimators.registry import Refit
from cps.result import Effect, Estimate

NAME = Text("合成控制的去偏 t 检验", "Debiased t-test for synthetic controls")
REFERENCE = "Chernozhukov, Wüthrich & Zhu, arXiv:1812.10820"
ASSUMES = Text(
    "承办单位与合成对照之差在启动前后为平稳、弱相关的过程，启动前后的期数都较多，各折的误差近似正态；"
    "t 分布的自由度为折数减 1",
    "the gap between treated units and their synthetic control is a stationary, weakly dependent "
    "process, periods before and after the start are many, and the folds' errors are nearly "
    "normal; t with one degree of freedom fewer than folds",
)
OPTIONS = {"folds": Number(3, 2, 20, is_whole=True)}
_FEW = 10

Floats = NDArray[np.float64]


def needs(design: Design, effect: Effect, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject what is not one treated series beside donors, and too few pre-periods for the folds."""
    proxy = proxy_of(effect)
    offers = ("sc", "did")
    found = refusals(design, effect, proxy if proxy in offers else None, NAME, offers=offers)
    folds = int(options["folds"])
    # A fold of one period, and two periods left to find weights on.
    need = max(folds, 3)
    if not found and series_of(design).n_pre < need:
        found.append(
            Finding(
                "E-INF-FEW-PRE-PERIODS",
                "reject",
                Text(
                    f"启动前 {series_of(design).n_pre} 期，不足以分成 {folds} 折，至少需要 {need} 期",
                    f"{series_of(design).n_pre} periods before the start can't be split into "
                    f"{folds} folds; at least {need} are needed",
                ),
                design.name,
                Text("补充更早年份的台账，或减少折数", "add earlier ledgers, or take fewer folds"),
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
    """Replace the overall effect by its debiased version, with standard error and t interval.

    Each fold of pre-periods is left out in turn: weights are found on the others, and the fold's
    mean gap is subtracted from that of the post-periods. Nothing is drawn; ``seed`` is not used.
    """
    series = series_of(design)
    folds = int(options["folds"])
    parts, size = fold_effects(
        series.treated, series.donors, series.n_pre, folds=folds, kind=str(proxy_of(effect))
    )
    overall = t_estimate(parts, size, series.n_post, level)
    events, calendar = with_periods(effect, {}, series.start)
    return dataclasses.replace(
        effect,
        overall=overall,
        natural=natural_scale(design, overall),
        by_event_time=events,
        by_calendar=calendar,
        by_cohort=tuple(
            dataclasses.replace(one, estimate=att_only(one.estimate)) for one in effect.by_cohort
        ),
        aggregations={name: att_only(one) for name, one in effect.aggregations.items()},
        placebos=(),
        event_covariance=(),
        p_value_floor=None,
        findings=(
            *kept_findings(effect),
            *_findings(
                design, effect, overall, n_pre=series.n_pre, n_post=series.n_post, size=size
            ),
        ),
        tables={
            **effect.tables,
            "folds": {
                "fold": tuple(range(1, folds + 1)),
                "att": tuple(float(one) for one in parts),
                "n_periods": (size,) * folds,
            },
        },
    )


def fold_effects(
    treated: Floats, donors: Floats, n_pre: int, *, folds: int, kind: str
) -> tuple[Floats, int]:
    """Compute the debiased effect of each fold.

    Parameters
    ----------
    treated : ndarray, shape (n_periods,)
    donors : ndarray, shape (n_donors, n_periods)
    n_pre, folds : int
    kind : {"sc", "did"}

    Returns
    -------
    ndarray, shape (folds,), and the number of periods in a fold
    """
    n_post = len(treated) - n_pre
    size = min(n_pre // folds, n_post)
    first = n_pre - size * folds
    found = np.empty(folds)
    for k in range(folds):
        held = np.arange(first + k * size, first + (k + 1) * size)
        kept = np.delete(np.arange(n_pre), held)
        if kind == "sc":
            weights = simplex_weights_exact(donors[:, kept], treated[kept])
        else:
            weights = np.full(len(donors), 1 / len(donors))
        gap = treated - weights @ donors
        found[k] = gap[n_pre:].mean() - gap[held].mean()
    return found, size


def t_estimate(parts: Floats, size: int, n_post: int, level: float) -> Estimate:
    """Give the mean of the folds' effects, self-normalised, with the interval of t(K − 1)."""
    from scipy.stats import t as student

    folds = len(parts)
    att = float(parts.mean())
    spread = float(parts.std(ddof=1))
    if spread <= 1e-12 * max(abs(att), float(np.abs(parts).max())):
        return Estimate(att)
    se = float(np.sqrt(1 + folds * size / n_post) * spread / np.sqrt(folds))
    half = float(student.ppf(0.5 + level / 2, folds - 1)) * se
    p_value = float(2 * student.sf(abs(att) / se, folds - 1))
    return Estimate(att, se, att - half, att + half, p_value)


def _findings(
    design: Design, effect: Effect, overall: Estimate, *, n_pre: int, n_post: int, size: int
) -> list[Finding]:
    found = [
        Finding(
            "N-INF-DEBIASED",
            "note",
            Text(
                f"总效应为去偏估计 {overall.att:.6g}（原估计 {effect.overall.att:.6g}）；各期效应仍为原估计",
                f"the overall effect is the debiased one, {overall.att:.6g} (as estimated: "
                f"{effect.overall.att:.6g}); effects by period are as estimated",
            ),
            design.name,
            Text(
                "两者相差较大时，说明权重并不平衡启动前的差距",
                "far apart, the weights do not balance",
            ),
        )
    ]
    if n_pre < 2 * _FEW or n_post < _FEW:
        found.append(
            Finding(
                "W-INF-FEW-PERIODS",
                "warn",
                Text(
                    f"启动前 {n_pre} 期、启动后 {n_post} 期，每折 {size} 期：t 检验的依据是长序列，"
                    "期数少时区间的把握程度未经证实",
                    f"{n_pre} periods before and {n_post} after the start, folds of {size}: the "
                    "t-test is founded on long series; with few periods its level is not assured",
                ),
                design.name,
                Text("与保形推断或安慰剂推断对照", "compare conformal or placebo inference"),
            )
        )
    return found
