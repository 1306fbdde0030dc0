"""An estimate as a weighted sum of outcomes: who and when it weighs, and by how much.

Difference-in-differences, imputation and, with the weights that it found, synthetic
difference-in-differences are linear in the outcomes of hosts and comparison units. The sums of two
initiatives over one comparison group are what their errors have in common.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import DesignError, Text, UsageError
from cps.estimators.registry import refit
from cps.result import Effect
from cps.synthesis._joint_checks import check_count
from cps.synthesis.joint_covariance import JointSource

Floats = NDArray[np.float64]

_AGREES = 1e-6  # of the estimate and of the outcomes' spread: more is another estimator
_LEAST_POOL = 5
# Weights that the saved effect holds.
_WEIGHTED = ("synthetic_did",)
# Linear in outcomes; all but the last quick with many of them.
_DERIVED = ("imputation", "group_time_att", "interaction_weighted", "stacked", "joint_effects")


@dataclass(frozen=True, slots=True, eq=False)
class LinearForm:
    """The weights of an estimate, shape (n_units, n_periods): it is their sum with the outcomes."""

    units: tuple[str, ...]
    periods: tuple[int, ...]
    weights: Floats


def linear_form(design: Design, effect: Effect) -> LinearForm:
    """Give the weights of an effect's estimate on its design's outcomes.

    Those of synthetic difference-in-differences are read from the effect; those of methods that
    are linear whatever the outcomes are found by moving one outcome at a time.

    Parameters
    ----------
    design : Design
        The one that the effect was estimated from.
    effect : Effect

    Raises
    ------
    DesignError
        If the effect has no estimate or is of another design, the design holds what enters the
        estimate beside outcomes, the method is not linear, or the weights found do not give the
        estimate back.
    """
    where = f"linear_form › {design.name}"
    if effect.overall.att is None:
        raise _fault("没有估计值", "there is no estimate", where, "先完成估计", "estimate it first")
    if effect.design_hash != design.design_hash:
        raise _fault(
            "保存的效应不是由当前面板得出的",
            "the saved effect was not estimated from this panel",
            where,
            "用当前面板重新运行该项目",
            "run the initiative again with this panel",
        )
    _check_features(design, where)
    if effect.method in _WEIGHTED:
        weights = _from_weights(design, effect)
    elif effect.method in _DERIVED:
        weights = _by_moving(design, effect)
    else:
        raise _fault(
            f"{effect.method} 的估计值不是结果的加权和",
            f"the estimate of {effect.method} is no weighted sum of outcomes",
            where,
            "用 resample_effects",
            "take resample_effects",
        )
    y = design.y - design.y.mean(axis=0)
    again = float((weights * y).sum())
    if abs(again - effect.overall.att) > _AGREES * (abs(effect.overall.att) + float(y.std())):
        raise _fault(
            f"按权重算得 {again:.4g}，与保存的估计值 {effect.overall.att:.4g} 不符",
            f"the weights give {again:.4g}, the saved estimate is {effect.overall.att:.4g}",
            where,
            "重新运行该项目",
            "run the initiative again",
        )
    return LinearForm(design.units, design.periods, weights)


def fixed_weight_covariance(
    designs: Mapping[str, Design], effects: Mapping[str, Effect]
) -> JointSource:
    r"""Give the covariance of estimates whose weights are held, from the comparison units' spread.

    .. math:: \mathrm{cov}(\hat\tau_i, \hat\tau_j) = \sum_u a_{iu}' \, S \, a_{ju}

    where ``a`` are the weights of :func:`linear_form` and ``S``, shape (n_periods, n_periods), is
    the covariance between periods of the series of the units that serve any initiative as
    comparison. It is what resampling whole series of comparison units, weights held, comes to: units
    are independent, and alike but for their level. A unit that enters two estimates, as host or as
    comparison, makes them vary together.

    Raises
    ------
    UsageError
        With fewer than two initiatives, or designs of different periods.
    DesignError
        As :func:`linear_form`, or with fewer than five comparison units.
    """
    where = "fixed_weight_covariance"
    check_count(len(designs), where)
    forms = {name: linear_form(one, effects[name]) for name, one in designs.items()}
    if len({one.periods for one in forms.values()}) != 1:
        raise UsageError(
            Text("各设计的时期不同", "the designs are of different periods"),
            where=where,
            mend=Text("用同一面板构建设计", "make the designs from one panel"),
        )
    pool = {
        unit: one.y[k]
        for one in designs.values()
        for k, unit in enumerate(one.units)
        if one.is_donor[k]
    }
    if len(pool) < _LEAST_POOL:
        raise _fault(
            f"对照单位 {len(pool)} 个，至少需要 {_LEAST_POOL} 个",
            f"{len(pool)} comparison units; this needs {_LEAST_POOL}",
            where,
            "放宽对照范围",
            "widen the comparison",
        )
    series = np.array([pool[unit] for unit in sorted(pool)])
    # A unit's level is its own: every estimate weighs it with weights that sum to zero.
    series = series - series.mean(axis=1, keepdims=True)
    series = series - series.mean(axis=0)
    spread = np.einsum("us,ut->st", series, series) / (len(series) - 1)
    units = sorted({unit for one in forms.values() for unit in one.units})
    place = {unit: k for k, unit in enumerate(units)}
    weights = np.zeros((len(forms), len(units), series.shape[1]))
    for k, one in enumerate(forms.values()):
        weights[k, [place[unit] for unit in one.units]] = one.weights
    turned = np.einsum("ius,st->iut", weights, spread)
    covariance = np.einsum("iut,jut->ij", turned, weights)
    takes_part = (np.abs(weights) > 0).any(axis=2)
    return JointSource(
        names=tuple(forms),
        covariance=(covariance + covariance.T) / 2,
        draws=None,
        kind="fixed_weights",
        design_hashes={name: one.design_hash for name, one in designs.items()},
        methods={name: effects[name].method for name in designs},
        n_pool=len(pool),
        # Each error is told by its own comparison units; the fewest are the most cautious.
        freedom=min(one.n_donors for one in designs.values()) - 1,
        n_shared=int((takes_part.sum(axis=0) > 1).sum()),
    )


def _check_features(design: Design, where: str) -> None:
    held = {
        Text("协变量", "covariates"): design.covariates is not None,
        Text("抽样权重", "weights"): design.weights is not None,
        Text("聚类", "clusters"): design.cluster is not None,
        Text("缺口", "gaps"): not design.is_balanced,
    }
    for words, is_held in held.items():
        if is_held:
            raise _fault(
                f"设计含{words.zh}，估计值不只取决于结果，或其误差另有来源",
                f"the design has {words.en}: outcomes alone do not make the estimate or its error",
                where,
                "用 jackknife_influence 和 influence_covariance",
                "take jackknife_influence and influence_covariance",
            )


def _from_weights(design: Design, effect: Effect) -> Floats:
    """Weights of synthetic difference-in-differences: cohorts averaged by treated unit-periods."""
    periods, starts = np.asarray(design.periods), design.starts
    place = {unit: k for k, unit in enumerate(design.units)}
    when = {period: k for k, period in enumerate(design.periods)}
    total = np.zeros(design.y.shape)
    n_cells = 0
    for cohort in design.cohorts:
        hosts, is_post = starts == cohort, periods >= cohort
        over_time = is_post / is_post.sum()
        over_units = hosts / hosts.sum()
        for one in effect.weights:
            if one.cohort != cohort:
                continue
            if one.unit is not None:
                over_units[place[one.unit]] -= one.weight
            elif one.period is not None:
                over_time[when[one.period]] -= one.weight
        cells = int(hosts.sum() * is_post.sum())
        total += cells * over_units[:, None] * over_time[None, :]
        n_cells += cells
    return np.asarray(total / n_cells)


def _by_moving(design: Design, effect: Effect) -> Floats:
    """Weights of an estimator that is linear: what the estimate gains as one outcome does."""
    again = refit(design, effect.method, options=effect.options)
    n_units, n_periods = design.y.shape
    step = float(design.y.std()) or 1.0
    moved = np.repeat(design.y[None], 1 + n_units * n_periods, axis=0)
    cells = np.arange(n_units * n_periods)
    moved[1 + cells, cells // n_periods, cells % n_periods] += step
    found = again.of(moved)
    return np.asarray(((found[1:] - found[0]) / step).reshape(n_units, n_periods))


def _fault(zh: str, en: str, where: str, mend_zh: str, mend_en: str) -> DesignError:
    return DesignError(Text(zh, en), where=where, mend=Text(mend_zh, mend_en))
