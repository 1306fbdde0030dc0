"""Every method on one design, the headline first, by a rule declared beforehand."""

from __future__ import annotations

import dataclasses

from cps.design.record import Design
from cps.errors import DesignError, Finding, Text
from cps.estimators.registry import estimate
from cps.result import Effect

_MIN_PRE = 3

SPECIFICATIONS: tuple[tuple[str, dict[str, str]], ...] = (
    ("synthetic_did", {"weights": "sdid"}),
    ("synthetic_did", {"weights": "did"}),
    ("synthetic_did", {"weights": "sc"}),
    ("group_time_att", {"control": "never", "base": "universal"}),
    ("group_time_att", {"control": "not_yet", "base": "universal"}),
)


def estimate_all(design: Design, *, level: float = 0.95, seed: int = 0) -> tuple[Effect, ...]:
    """Estimate with every method; the headline comes first.

    The headline is chosen by what the design holds, never by what a method finds: synthetic
    difference-in-differences with placebo inference; with fewer than three periods before a start,
    the same with equal weights; where comparison units can't stand in for the treated ones, so that
    no placebo can be drawn, group-time effects with analytic errors. Methods that the design can't
    bear are named in a finding on the headline.

    Raises
    ------
    DesignError
        If no method can be fitted; the reason is the headline's.
    """
    headline, departures = _headline(design)
    ordered = [headline, *(one for one in SPECIFICATIONS if one != headline)]
    effects: list[Effect] = []
    refused: list[tuple[str, DesignError]] = []
    for method, options in ordered:
        try:
            effects.append(estimate(design, method, level=level, seed=seed, options=options))
        except DesignError as error:
            refused.append((f"{method} ({', '.join(options.values())})", error))
    if not effects:
        raise refused[0][1]
    first = effects[0]
    findings = (*first.findings, *departures, *(_refused(*one) for one in refused))
    return (dataclasses.replace(first, findings=findings), *effects[1:])


def _headline(design: Design) -> tuple[tuple[str, dict[str, str]], tuple[Finding, ...]]:
    n_pre = min(
        sum(period < cohort - design.anticipation for period in design.periods)
        for cohort in design.cohorts
    )
    if design.n_donors - design.n_treated < 2:
        return SPECIFICATIONS[3 if design.n_donors else 4], (
            _departure(
                design,
                Text(
                    f"对照单位 {design.n_donors} 个、承办单位 {design.n_treated} 个，无法做安慰剂推断，"
                    "主结果改用分组-时期方法",
                    f"{design.n_donors} comparison and {design.n_treated} treated units allow no "
                    "placebo inference; the headline is the group-time method",
                ),
            ),
        )
    if n_pre < _MIN_PRE:
        return SPECIFICATIONS[1], (
            _departure(
                design,
                Text(
                    f"最早批次启动前只有 {n_pre} 期，主结果改用等权双重差分",
                    f"{n_pre} periods before the earliest start; the headline is "
                    "difference-in-differences with equal weights",
                ),
            ),
        )
    return SPECIFICATIONS[0], ()


def _departure(design: Design, what: Text) -> Finding:
    return Finding(
        "N-EST-HEADLINE",
        "note",
        what,
        design.name,
        Text("补充更早年份或更多对照的台账", "add earlier ledgers, or more comparison units"),
    )


def _refused(name: str, error: DesignError) -> Finding:
    return Finding(
        "W-EST-REFUSED",
        "warn",
        Text(f"{name} 未估计：{error.what.zh}", f"{name} was not fitted: {error.what.en}"),
        error.where,
        error.mend,
    )
