"""Synthetic difference-in-differences with placebo inference.

Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review 111(12), 4088-4118,
doi:10.1257/aer.20190159. Numbers agree with R ``synthdid``. Synthetic control (Abadie, Diamond &
Hainmueller 2010, doi:10.1198/jasa.2009.ap08746) and difference-in-differences are the same core
with other weights. Cohorts are estimated one at a time against never-treated units and averaged by
treated unit-periods, as in Clarke, Pailañir, Athey & Imbens (2024), doi:10.1177/1536867X241297914.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._frank_wolfe import simplex_weights, sparsify
from cps.estimators._scale import effect_measure, natural_scale, path_points, rank_estimate
from cps.result import Effect, EventTimeEffect, PeriodEffect, Weight

REFERENCE = "Arkhangelsky et al. (2021), AER 111(12), doi:10.1257/aer.20190159"
NAME = Text("合成双重差分", "Synthetic difference-in-differences")
ESTIMAND = Text(
    "启动以后各期对承办单位的平均效应（按承办单位×期数加权）",
    "average effect on the treated over all treated unit-periods",
)
OPTIONS: dict[str, tuple[str, ...]] = {"weights": ("sdid", "sc", "did")}
DRAWS = 200
_STEPS = 10_000  # as synthdid has it
_DRAWN_STEPS = 1_000  # moves a placebo deviation by 0.5% at most; 200 draws, by 5%
_NAMES = {
    "sdid": NAME,
    "sc": Text("合成控制", "Synthetic control"),
    "did": Text("双重差分（同一启动批次逐批比较）", "Difference-in-differences, cohort by cohort"),
}
_CHUNK = 20_000_000  # floats held at a time

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Fit:
    """What one or many assignments of treatment give; the first axis runs over assignments."""

    gaps: Floats  # (n_assignments, n_cohorts, n_periods): treated less counterfactual
    unit_weights: Floats  # (n_assignments, n_cohorts, n_donors)
    period_weights: Floats  # (n_assignments, n_cohorts, n_periods)


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design without two never-treated units, or with too few pre-periods to weight."""
    findings = []
    if design.n_donors < 2:
        findings.append(
            Finding(
                "E-EST-FEW-DONORS",
                "reject",
                Text(
                    f"从未处理的单位只有 {design.n_donors} 个，至少需要 2 个",
                    f"{design.n_donors} never-treated units; at least 2 are needed",
                ),
                design.name,
                Text("放宽对照范围，或补充台账", "widen the comparison, or add ledgers"),
            )
        )
    need = 1 if options["weights"] == "did" else 2
    short = [g for g in design.cohorts if _pre(design, g).sum() < need]
    if short:
        labels = dict(zip(design.periods, design.period_labels, strict=True))
        names = ", ".join(labels.get(g, str(g)) for g in short)
        findings.append(
            Finding(
                "E-EST-FEW-PRE-PERIODS",
                "reject",
                Text(
                    f"有 {len(short)} 个启动批次的启动前期数不足 {need} 期，无法求权重",
                    f"{len(short)} cohorts have fewer than {need} periods before the start: "
                    "no weights can be found",
                ),
                f"{design.name} › {names}",
                Text(
                    "补充更早年份的台账，或改用 weights=did",
                    "add earlier ledgers, or use weights=did",
                ),
            )
        )
    return tuple(findings)


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Estimate the effect and its placebo distribution.

    Placebo: the treated units' pattern of starts is given to randomly drawn comparison units and
    everything is estimated anew, weights too, ``DRAWS`` times; all assignments are enumerated if
    there are no more than that. The standard error is the placebo effects' standard deviation, and
    rests on the treated units' noise being like the comparison units'.
    """
    kind = options["weights"]
    donors, treated = design.y[design.is_donor], _treated_means(design)
    everyone = np.ones((1, len(donors)), dtype=bool)
    actual = _fit(design, donors, treated[None], everyone, kind)
    assigned, drawn = _placebo_assignments(design, seed)
    stand_ins = _as_treated(donors, assigned, design)
    steps = _DRAWN_STEPS if drawn else _STEPS
    placebo = _fit(design, donors, *stand_ins, kind, steps=steps)
    weights = _CellWeights.of(design)
    att, placebos = weights.overall(actual.gaps)[0], weights.overall(placebo.gaps)
    overall = rank_estimate(att, placebos, level)
    first = min(design.cohorts)
    return Effect(
        initiative=design.name,
        outcome=design.outcome,
        measure=effect_measure(design),
        natural_measure=design.measure,
        estimand=ESTIMAND,
        method="synthetic_did",
        method_name=_NAMES[kind],
        reference=REFERENCE,
        options=dict(options),
        overall=overall,
        natural=natural_scale(design, overall),
        level=level,
        inference="placebo" if len(placebos) else "none",
        p_value_floor=1 / (1 + len(placebos)) if len(placebos) else None,
        n_treated=design.n_treated,
        n_comparison=design.n_donors,
        n_pre=int(_pre(design, first).sum()),
        n_post=sum(period >= first for period in design.periods),
        by_event_time=_by_event_time(design, weights, actual.gaps, placebo.gaps, level),
        by_cohort=_by_cohort(design, weights, actual.gaps, placebo.gaps, level),
        by_calendar=_by_calendar(design, weights, actual.gaps, placebo.gaps, level),
        paths=path_points(design, _counterfactual(design, weights, treated, actual.gaps[0])),
        weights=_weights(design, actual),
        placebos=tuple(float(one) for one in placebos),
        findings=_inference_findings(design, len(placebos), drawn),
        design_hash=design.design_hash,
    )


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the estimate alone, without placebo draws, as near as the draws are solved."""
    everyone = np.ones((1, design.n_donors), dtype=bool)
    donors = design.y[design.is_donor]
    treated = _treated_means(design)[None]
    actual = _fit(design, donors, treated, everyone, options["weights"], steps=_DRAWN_STEPS)
    return float(_CellWeights.of(design).overall(actual.gaps)[0])


def _pre(design: Design, cohort: int) -> NDArray[np.bool_]:
    return np.asarray(design.periods) < cohort - design.anticipation


def _post(design: Design, cohort: int) -> NDArray[np.bool_]:
    return np.asarray(design.periods) >= cohort


def _members(design: Design, cohort: int) -> NDArray[np.int64]:
    return np.flatnonzero([one == cohort for one in design.cohort])


def _treated_means(design: Design) -> Floats:
    return np.array([design.y[_members(design, g)].mean(axis=0) for g in design.cohorts])


def _fit(
    design: Design,
    donors: Floats,
    treated: Floats,
    allowed: NDArray[np.bool_],
    kind: str,
    *,
    steps: int = _STEPS,
) -> _Fit:
    """Estimate many assignments: ``treated`` (n, n_cohorts, n_periods), ``allowed`` (n, n_donors)."""
    n, n_cohorts, n_periods = treated.shape
    gaps = np.full((n, n_cohorts, n_periods), np.nan)
    unit_weights = np.zeros((n, n_cohorts, len(donors)))
    period_weights = np.zeros((n, n_cohorts, n_periods))
    for c, g in enumerate(design.cohorts):
        pre, post = _pre(design, g), _post(design, g)
        size = max(1, _CHUNK // max(1, len(donors) * int(pre.sum())))
        n_treated = len(_members(design, g))
        for low in range(0, n, size):
            part = slice(low, low + size)
            omega, lam = _solve(
                donors,
                treated[part, c],
                allowed[part],
                pre=pre,
                post=post,
                n_treated=n_treated,
                kind=kind,
                steps=steps,
            )
            gap = treated[part, c] - omega @ donors
            gaps[part, c] = gap - (gap[:, pre] * lam).sum(axis=1, keepdims=True)
            unit_weights[part, c] = omega
            period_weights[part, c][:, pre] = lam
    return _Fit(gaps, unit_weights, period_weights)


def _solve(
    donors: Floats,
    treated: Floats,
    allowed: NDArray[np.bool_],
    *,
    pre: NDArray[np.bool_],
    post: NDArray[np.bool_],
    n_treated: int,
    kind: str,
    steps: int,
) -> tuple[Floats, Floats]:
    """Find unit weights (n, n_donors) and pre-period weights (n, n_pre)."""
    n, n_pre = len(treated), int(pre.sum())
    n_allowed = allowed.sum(axis=1)
    if kind == "did":
        return allowed / n_allowed[:, None], np.full((n, n_pre), 1 / n_pre)
    # Of all comparison units, for placebo draws too, as synthdid's placebo errors have it.
    noise = np.full(n, np.diff(donors[:, pre], axis=1).std(ddof=1))
    problem = _Problem(noise * 1e-5, steps)
    before = donors[:, pre].T[None]
    target = treated[:, pre]
    rows = np.full(n, n_pre)
    if kind == "sc":
        omega = problem.solve(before, target, allowed, rows, noise * 1e-6)
        return omega, np.zeros((n, n_pre))
    zeta = noise * (n_treated * int(post.sum())) ** 0.25
    omega = problem.solve(
        before - before.mean(axis=1, keepdims=True),
        target - target.mean(axis=1, keepdims=True),
        allowed,
        rows,
        zeta,
    )
    after = donors[:, post].mean(axis=1)
    share = allowed / n_allowed[:, None]
    matrix = (donors[None, :, pre] - (share @ donors[:, pre])[:, None, :]) * allowed[:, :, None]
    end = (after[None] - (share @ after)[:, None]) * allowed
    every = np.ones((n, n_pre), dtype=bool)
    return omega, problem.solve(matrix, end, every, n_allowed, noise * 1e-6)


@dataclass(frozen=True, slots=True)
class _Problem:
    min_decrease: Floats
    steps: int

    def solve(
        self,
        matrix: Floats,
        target: Floats,
        allowed: NDArray[np.bool_],
        n_rows: NDArray[np.int64],
        zeta: Floats,
    ) -> Floats:
        """Solve roughly, drop small weights, solve again from there: as ``synthdid`` does."""
        rough = simplex_weights(
            matrix,
            target,
            allowed,
            n_rows=n_rows,
            zeta=zeta,
            min_decrease=self.min_decrease,
            max_iterations=100,
        )
        return simplex_weights(
            matrix,
            target,
            allowed,
            n_rows=n_rows,
            zeta=zeta,
            min_decrease=self.min_decrease,
            start=sparsify(rough),
            max_iterations=self.steps,
        )


def _placebo_assignments(design: Design, seed: int) -> tuple[NDArray[np.int64], bool]:
    """Give donors, shape (n_draws, n_treated), that stand in for the treated; were they drawn?"""
    n, k = design.n_donors, design.n_treated
    if n - k < 2:
        return np.zeros((0, k), dtype=np.int64), False
    if len(design.cohorts) == 1 and comb(n, k) <= DRAWS:
        return np.array(list(combinations(range(n), k)), dtype=np.int64), False
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(n)[:k] for _ in range(DRAWS)]), True


def _as_treated(
    donors: Floats, assigned: NDArray[np.int64], design: Design
) -> tuple[Floats, NDArray[np.bool_]]:
    sizes = [len(_members(design, g)) for g in design.cohorts]
    ends = np.cumsum(sizes)
    means = np.zeros((len(assigned), len(sizes), donors.shape[1]))
    allowed = np.ones((len(assigned), len(donors)), dtype=bool)
    if len(assigned):
        for c, (low, high) in enumerate(zip(ends - sizes, ends, strict=True)):
            means[:, c] = donors[assigned[:, low:high]].mean(axis=1)
        np.put_along_axis(allowed, assigned, False, axis=1)
    return means, allowed


@dataclass(frozen=True, slots=True)
class _CellWeights:
    """How cohort × period gaps are averaged; ``sizes`` is the number of treated units."""

    sizes: Floats  # (n_cohorts,)
    is_post: NDArray[np.bool_]  # (n_cohorts, n_periods)

    @classmethod
    def of(cls, design: Design) -> _CellWeights:
        return cls(
            np.array([len(_members(design, g)) for g in design.cohorts], dtype=float),
            np.array([_post(design, g) for g in design.cohorts]),
        )

    def mean(self, gaps: Floats, keep: NDArray[np.bool_]) -> Floats:
        """Average over cells of ``keep`` (n_cohorts, n_periods): shape (n_assignments,)."""
        weight = self.sizes[:, None] * keep
        return np.asarray((gaps * weight).sum(axis=(1, 2)) / weight.sum())

    def overall(self, gaps: Floats) -> Floats:
        return self.mean(gaps, self.is_post)


def _by_event_time(
    design: Design, weights: _CellWeights, actual: Floats, placebo: Floats, level: float
) -> tuple[EventTimeEffect, ...]:
    event = np.asarray(design.periods)[None, :] - np.asarray(design.cohorts)[:, None]
    return tuple(
        EventTimeEffect(
            int(e),
            rank_estimate(
                weights.mean(actual, event == e)[0], weights.mean(placebo, event == e), level
            ),
            int(weights.sizes[(event == e).any(axis=1)].sum()),
        )
        for e in np.unique(event)
    )


def _by_cohort(
    design: Design, weights: _CellWeights, actual: Floats, placebo: Floats, level: float
) -> tuple[PeriodEffect, ...]:
    effects = []
    for c, g in enumerate(design.cohorts):
        keep = np.zeros_like(weights.is_post)
        keep[c] = weights.is_post[c]
        one = rank_estimate(weights.mean(actual, keep)[0], weights.mean(placebo, keep), level)
        effects.append(PeriodEffect(g, one, int(weights.sizes[c])))
    return tuple(effects)


def _by_calendar(
    design: Design, weights: _CellWeights, actual: Floats, placebo: Floats, level: float
) -> tuple[PeriodEffect, ...]:
    effects = []
    for place, period in enumerate(design.periods):
        keep = np.zeros_like(weights.is_post)
        keep[:, place] = weights.is_post[:, place]
        if keep.any():
            one = rank_estimate(weights.mean(actual, keep)[0], weights.mean(placebo, keep), level)
            effects.append(PeriodEffect(period, one, int(weights.sizes[keep.any(axis=1)].sum())))
    return tuple(effects)


def _counterfactual(design: Design, weights: _CellWeights, treated: Floats, gaps: Floats) -> Floats:
    share = weights.sizes / weights.sizes.sum()
    return np.asarray(share @ (treated - gaps))


def _weights(design: Design, actual: _Fit) -> tuple[Weight, ...]:
    donors = [unit for unit, is_one in zip(design.units, design.is_donor, strict=True) if is_one]
    found = []
    for c, g in enumerate(design.cohorts):
        units = zip(donors, actual.unit_weights[0, c], strict=True)
        periods = zip(design.periods, actual.period_weights[0, c], strict=True)
        found += [Weight(g, unit, None, float(weight)) for unit, weight in units if weight > 0]
        found += [
            Weight(g, None, period, float(weight)) for period, weight in periods if weight > 0
        ]
    return tuple(found)


def _inference_findings(design: Design, n_placebos: int, drawn: bool) -> tuple[Finding, ...]:
    if not n_placebos:
        return (
            Finding(
                "W-EST-NO-PLACEBO",
                "warn",
                Text(
                    f"对照单位 {design.n_donors} 个，不足以替代 {design.n_treated} 个承办单位做安慰剂，"
                    "没有标准误和区间",
                    f"{design.n_donors} comparison units can't stand in for {design.n_treated} "
                    "treated ones: no standard error, no interval",
                ),
                design.name,
                Text(
                    "增加对照单位，或以分组-时期方法的区间为准",
                    "add comparison units, or rely on the group-time method's interval",
                ),
            ),
        )
    how_zh = "随机抽取" if drawn else "穷尽"
    how_en = "drawn at random" if drawn else "all there are"
    return (
        Finding(
            "N-EST-PLACEBO",
            "note",
            Text(
                f"安慰剂推断共 {n_placebos} 次指派（{how_zh}）；标准误以承办单位与对照单位波动相近为前提",
                f"{n_placebos} placebo assignments ({how_en}); the standard error takes the treated "
                "units' noise to be like the comparison units'",
            ),
            design.name,
            Text("结合留一和安慰剂检验阅读", "read it with the checks of robustness"),
        ),
    )
