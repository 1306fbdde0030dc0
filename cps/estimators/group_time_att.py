"""Group-time average treatment effects with analytic standard errors.

Callaway & Sant'Anna (2021), Journal of Econometrics 225(2), 200-230,
doi:10.1016/j.jeconom.2020.12.001; without covariates. Numbers agree with R ``did``
(``bstrap = FALSE``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import DesignError, Finding, Text
from cps.estimators._scale import effect_measure, natural_scale, normal_estimate, path_points
from cps.result import Effect, Estimate, EventTimeEffect, GroupTimeEffect, PeriodEffect

REFERENCE = "Callaway & Sant'Anna (2021), J. Econometrics 225(2), doi:10.1016/j.jeconom.2020.12.001"
NAME = Text("分组-时期平均处理效应", "Group-time average treatment effects")
ESTIMAND = Text(
    "各启动批次在各时期对承办单位的平均效应（ATT(g,t)），按承办单位数加权",
    "average effect on the treated by cohort and period, ATT(g,t), weighted by cohort size",
)
OPTIONS: dict[str, tuple[str, ...]] = {
    "control": ("never", "not_yet"),
    "base": ("varying", "universal"),
}
_FEW = 5


@dataclass(frozen=True, slots=True)
class _Cells:
    """ATT(g, t) cells: ``influence`` has shape (n_units, n_cells), scaled as if all n entered."""

    cohort: NDArray[np.int64]
    period: NDArray[np.int64]
    att: NDArray[np.float64]
    influence: NDArray[np.float64]


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design without the comparison units that ``options`` asks for."""
    if options["control"] == "never" and design.n_donors == 0:
        return (
            Finding(
                "E-EST-NO-NEVER-TREATED",
                "reject",
                Text("没有从未处理的单位作对照", "no never-treated unit to compare with"),
                f"{design.name} › control=never",
                Text(
                    "改用 control=not_yet，或加入从未处理的单位",
                    "use control=not_yet, or add never-treated units",
                ),
            ),
        )
    return ()


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Estimate every ATT(g, t) that has a comparison, and the four aggregations.

    Pre-treatment periods use the period before (``base="varying"``) or the last one before
    treatment (``"universal"``), as R ``did`` does. ``seed`` is not used: nothing is drawn.
    """
    cells = group_time_cells(design, options["control"], options["base"])
    if not (cells.cohort <= cells.period).any():
        raise _nothing_after(design, options["control"])
    cohort = _cohort_codes(design)
    anticipation = design.anticipation
    shares = {int(g): float((cohort == g).mean()) for g in np.unique(cells.cohort)}
    simple = _weighted(cells, cells.cohort <= cells.period, cohort, shares)
    dynamic, by_event = _dynamic(cells, cohort, shares, level)
    group, by_cohort = _by_cohort(cells, cohort, shares, level)
    calendar, by_calendar = _by_calendar(cells, cohort, shares, level)
    aggregations = {
        name: _estimate(*one, level)
        for name, one in {
            "simple": simple,
            "dynamic": dynamic,
            "group": group,
            "calendar": calendar,
        }.items()
    }
    overall = aggregations["simple"]
    first = min(design.cohorts)
    return Effect(
        initiative=design.name,
        outcome=design.outcome,
        measure=effect_measure(design),
        natural_measure=design.measure,
        estimand=ESTIMAND,
        method="group_time_att",
        method_name=NAME,
        reference=REFERENCE,
        options=dict(options),
        overall=overall,
        natural=natural_scale(design, overall),
        level=level,
        inference="analytic",
        p_value_floor=None,
        n_treated=design.n_treated,
        n_comparison=design.n_donors,
        n_pre=sum(period < first - anticipation for period in design.periods),
        n_post=sum(period >= first for period in design.periods),
        by_event_time=by_event,
        by_cohort=by_cohort,
        by_calendar=by_calendar,
        group_time=_group_time(cells, level),
        aggregations=aggregations,
        paths=path_points(design, _counterfactual(design, options["control"])),
        findings=_few_treated(design),
        design_hash=design.design_hash,
    )


def group_time_cells(design: Design, control: str, base: str) -> _Cells:
    """Compute ATT(g, t) and its influence function for every cohort and period.

    A cell without a comparison unit is left out. With ``base="universal"`` the base period itself
    is a cell, zero by construction.
    """
    periods = np.asarray(design.periods)
    cohort = _cohort_codes(design)
    rows: list[tuple[int, int, float, NDArray[np.float64]]] = []
    for g in design.cohorts:
        before = np.flatnonzero(periods + design.anticipation < g)
        for t in range(0 if base == "universal" else 1, len(periods)):
            is_long = base == "universal" or periods[t] >= g
            b = int(before[-1]) if is_long else t - 1
            if b == t:
                rows.append((g, int(periods[t]), 0.0, np.zeros(len(cohort))))
                continue
            compared = _comparison(cohort, g, periods[max(t, b)], design.anticipation, control)
            if compared.any():
                change = design.y[:, t] - design.y[:, b]
                rows.append((g, int(periods[t]), *_two_by_two(change, cohort == g, compared)))
    return _Cells(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array([row[2] for row in rows]),
        np.array([row[3] for row in rows]).T.reshape(len(cohort), len(rows)),
    )


def _nothing_after(design: Design, control: str) -> DesignError:
    return DesignError(
        Text(
            "启动以后没有任何一期有可比较的单位",
            "no period after a start has a unit to compare with",
        ),
        where=f"{design.name} › control={control}",
        mend=Text(
            "加入从未处理或更晚处理的单位", "add units that are never treated, or treated later"
        ),
    )


def _cohort_codes(design: Design) -> NDArray[np.float64]:
    return np.array([np.inf if cohort is None else cohort for cohort in design.cohort])


def _comparison(
    cohort: NDArray[np.float64], g: int, period: int, anticipation: int, control: str
) -> NDArray[np.bool_]:
    if control == "never":
        return np.isinf(cohort)
    return (cohort > period + anticipation) & (cohort != g)


def _two_by_two(
    change: NDArray[np.float64], treated: NDArray[np.bool_], compared: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float64]]:
    n = len(change)
    gain, other = change[treated].mean(), change[compared].mean()
    influence = np.zeros(n)
    influence[treated] = n / treated.sum() * (change[treated] - gain)
    influence[compared] = -n / compared.sum() * (change[compared] - other)
    return float(gain - other), influence


def _standard_error(influence: NDArray[np.float64]) -> float | None:
    n = len(influence)
    se = float(np.sqrt((influence**2).mean() / n))
    # The same threshold as R did: an error of zero means that there is none to speak of.
    return se if se > 10 * np.sqrt(np.finfo(float).eps) else None


def _estimate(att: float, influence: NDArray[np.float64], level: float) -> Estimate:
    return normal_estimate(att, _standard_error(influence), level)


def _weighted(
    cells: _Cells,
    keep: NDArray[np.bool_],
    cohort: NDArray[np.float64],
    shares: Mapping[int, float],
) -> tuple[float, NDArray[np.float64]]:
    """Average cells by cohort share; the influence counts that the shares are estimated too."""
    kept = np.flatnonzero(keep)
    share = np.array([shares[int(g)] for g in cells.cohort[kept]])
    weights = share / share.sum()
    att = cells.att[kept]
    deviation = (cohort[:, None] == cells.cohort[kept][None, :]) - share[None, :]
    of_weights = deviation / share.sum() - np.outer(deviation.sum(axis=1), share) / share.sum() ** 2
    return float(weights @ att), cells.influence[:, kept] @ weights + of_weights @ att


def _mean(
    parts: Sequence[tuple[float, NDArray[np.float64]]],
) -> tuple[float, NDArray[np.float64]]:
    return (
        float(np.mean([att for att, _ in parts])),
        np.mean([influence for _, influence in parts], axis=0),
    )


def _dynamic(
    cells: _Cells,
    cohort: NDArray[np.float64],
    shares: Mapping[int, float],
    level: float,
) -> tuple[tuple[float, NDArray[np.float64]], tuple[EventTimeEffect, ...]]:
    event_time = cells.period - cells.cohort
    parts = {
        int(e): _weighted(cells, event_time == e, cohort, shares) for e in np.unique(event_time)
    }
    effects = tuple(
        EventTimeEffect(
            e,
            _estimate(*part, level),
            int(np.isin(cohort, cells.cohort[event_time == e]).sum()),
        )
        for e, part in parts.items()
    )
    return _mean([part for e, part in parts.items() if e >= 0]), effects


def _by_cohort(
    cells: _Cells,
    cohort: NDArray[np.float64],
    shares: Mapping[int, float],
    level: float,
) -> tuple[tuple[float, NDArray[np.float64]], tuple[PeriodEffect, ...]]:
    parts: dict[int, tuple[float, NDArray[np.float64]]] = {}
    for g in shares:
        keep = (cells.cohort == g) & (cells.period >= g)
        if keep.any():
            parts[g] = (float(cells.att[keep].mean()), cells.influence[:, keep].mean(axis=1))
    stacked = _Cells(
        np.array(list(parts), dtype=np.int64),
        np.array(list(parts), dtype=np.int64),
        np.array([att for att, _ in parts.values()]),
        np.array([influence for _, influence in parts.values()]).T,
    )
    overall = _weighted(stacked, np.ones(len(parts), dtype=bool), cohort, shares)
    effects = tuple(
        PeriodEffect(g, _estimate(*part, level), int((cohort == g).sum()))
        for g, part in parts.items()
    )
    return overall, effects


def _by_calendar(
    cells: _Cells, cohort: NDArray[np.float64], shares: Mapping[int, float], level: float
) -> tuple[tuple[float, NDArray[np.float64]], tuple[PeriodEffect, ...]]:
    is_post = cells.cohort <= cells.period
    parts = {
        int(t): _weighted(cells, is_post & (cells.period == t), cohort, shares)
        for t in np.unique(cells.period[is_post])
    }
    effects = tuple(
        PeriodEffect(t, _estimate(*part, level), int((cohort <= t).sum()))
        for t, part in parts.items()
    )
    return _mean(list(parts.values())), effects


def _group_time(cells: _Cells, level: float) -> tuple[GroupTimeEffect, ...]:
    return tuple(
        GroupTimeEffect(
            int(g), int(t), _estimate(float(cells.att[i]), cells.influence[:, i], level)
        )
        for i, (g, t) in enumerate(zip(cells.cohort, cells.period, strict=True))
    )


def _counterfactual(design: Design, control: str) -> NDArray[np.float64]:
    """Give the treated units' mean without treatment: observed less the long difference."""
    cells = group_time_cells(design, control, "universal")
    cohort = _cohort_codes(design)
    treated = np.isfinite(cohort)
    path = np.full(len(design.periods), np.nan)
    for place, period in enumerate(design.periods):
        here = cells.period == period
        size = np.array([(cohort == g).sum() for g in cells.cohort[here]])
        if size.sum() == treated.sum():
            gap = float(size @ cells.att[here] / size.sum())
            path[place] = design.y[treated, place].mean() - gap
    return path


def _few_treated(design: Design) -> tuple[Finding, ...]:
    sizes = {g: sum(cohort == g for cohort in design.cohort) for g in design.cohorts}
    few = [g for g, size in sizes.items() if size < _FEW]
    if not few:
        return ()
    labels = dict(zip(design.periods, design.period_labels, strict=True))
    return (
        Finding(
            "W-EST-FEW-TREATED",
            "warn",
            Text(
                f"{len(few)} 个启动批次的承办单位不足 {_FEW} 个，解析标准误偏小，区间不可尽信",
                f"{len(few)} cohorts have fewer than {_FEW} treated units: analytic standard "
                "errors are too small there",
            ),
            ", ".join(f"{labels.get(g, g)} (n={sizes[g]})" for g in few[:5]),
            Text("以安慰剂推断的结果为准", "rely on the placebo inference"),
            count=len(few),
        ),
    )
