"""One treated series beside its donors, cut out of a design, with the refusals that it asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators.inference._conformal_words import PROXIES, refit_refusal
from cps.result import Effect, Estimate, EventTimeEffect, PeriodEffect

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """Periods before the start (less those of anticipation), then those after it.

    Parameters
    ----------
    treated : ndarray, shape (n_pre + n_post,)
        Mean of the treated units.
    donors : ndarray, shape (n_donors, n_pre + n_post)
    n_pre, n_post : int
    periods : tuple of int, length n_pre + n_post
    start : int
        First treated period.
    """

    treated: Floats
    donors: Floats
    n_pre: int
    n_post: int
    periods: tuple[int, ...]
    start: int


def series_of(design: Design) -> Series:
    """Cut the series of a design with one start; periods of anticipation are left out."""
    start = design.cohorts[0]
    periods = np.asarray(design.periods)
    pre, post = periods < start - design.anticipation, periods >= start
    kept = pre | post
    is_treated = np.array([one is not None for one in design.cohort])
    return Series(
        treated=design.y[is_treated].mean(axis=0)[kept],
        donors=design.y[design.is_donor][:, kept],
        n_pre=int(pre.sum()),
        n_post=int(post.sum()),
        periods=tuple(int(one) for one in periods[kept]),
        start=start,
    )


def refusals(
    design: Design,
    effect: Effect,
    proxy: str | None,
    name: Text,
    *,
    offers: tuple[str, ...] = PROXIES,
) -> list[Finding]:
    """Give what keeps a design from being one treated series beside donors.

    Parameters
    ----------
    proxy : str or None
        How ``effect``'s counterfactual is refitted; None if nobody knows.
    name : Text
        The inference's name.
    offers : tuple of str
        Counterfactuals that the inference can refit.
    """
    found = []
    if proxy is None:
        found.append(refit_refusal(design, effect, name, offers))
    if len(design.cohorts) > 1:
        found.append(
            _reject(
                "E-INF-ONE-START",
                Text(
                    f"{name.zh}只适用于同一时期启动的承办单位，此处有 {len(design.cohorts)} 个启动批次",
                    f"{name.en} takes units that start together; there are {len(design.cohorts)} "
                    "cohorts here",
                ),
                design.name,
                Text("逐个启动批次分别估计", "estimate one cohort at a time"),
            )
        )
    if not design.is_balanced:
        found.append(
            _reject(
                "E-INF-GAPS",
                Text(
                    f"{name.zh}不能用于有缺口的面板",
                    f"{name.en} can't be used on a panel with gaps",
                ),
                design.name,
                Text("设计时用 missing=drop_unit", "design it with missing='drop_unit'"),
            )
        )
    if design.covariates is not None or design.weights is not None:
        found.append(
            _reject(
                "E-INF-PLAIN-ONLY",
                Text(
                    f"{name.zh}的重新拟合不含协变量和抽样权重",
                    f"{name.en} refits without covariates and sampling weights",
                ),
                design.name,
                Text("设计时不列协变量和权重", "design it without covariates and weights"),
            )
        )
    if design.n_donors < 2:
        found.append(
            _reject(
                "E-INF-FEW-DONORS",
                Text(
                    f"从未处理的单位只有 {design.n_donors} 个，至少需要 2 个",
                    f"{design.n_donors} never-treated units; at least 2 are needed",
                ),
                design.name,
                Text("放宽对照范围，或补充台账", "widen the comparison, or add ledgers"),
            )
        )
    return found


def proxy_of(effect: Effect) -> str | None:
    """Name the counterfactual that an estimator's effect rests on; None if it can't be refitted."""
    options = effect.options
    if effect.method == "synthetic_did":
        known = {"sc": "sc", "did": "did", "difp": "demeaned_sc"}
        return known.get(options.get("weights", ""))
    if effect.method == "synthetic_control":
        is_pooled = options.get("units") == "pooled" or effect.n_treated == 1
        if options.get("fit") != "outcomes" or not is_pooled:
            return None
        name = "demeaned_sc" if options.get("intercept") == "yes" else "sc"
        return f"augmented_{name}" if options.get("augment") == "ridge" else name
    if effect.method in ("imputation", "two_way_fixed_effects"):
        return "did" if options.get("levels") == "unit" else None
    return {"interactive_fixed_effects": "factors", "matrix_completion": "completion"}.get(
        effect.method
    )


def att_only(estimate: Estimate) -> Estimate:
    """Drop what another inference said of an estimate."""
    return Estimate(estimate.att)


def kept_findings(effect: Effect) -> tuple[Finding, ...]:
    """Drop what an estimator said of its own inference, now that another takes its place."""
    own = ("PLACEBO", "FEW-TREATED", "PARAMETRIC", "BOOTSTRAP", "NO-ERROR")
    return tuple(one for one in effect.findings if not one.code.endswith(own))


def with_periods(
    effect: Effect, found: dict[int, Estimate], start: int
) -> tuple[tuple[EventTimeEffect, ...], tuple[PeriodEffect, ...]]:
    """Give effects by event time and by period with the estimates of ``found``, by period.

    A period that is not in ``found`` keeps its effect alone.
    """
    events = tuple(
        EventTimeEffect(
            one.event_time,
            found.get(start + one.event_time, att_only(one.estimate)),
            one.n_treated,
        )
        for one in effect.by_event_time
    )
    calendar = tuple(
        PeriodEffect(one.period, found.get(one.period, att_only(one.estimate)), one.n_treated)
        for one in effect.by_calendar
    )
    return events, calendar


def _reject(code: str, what: Text, where: str, mend: Text) -> Finding:
    return Finding(code, "reject", what, where, mend)
