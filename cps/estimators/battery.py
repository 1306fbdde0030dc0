"""Every method on one design, the headline first, by a rule declared beforehand."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from cps.design.record import Design
from cps.errors import DesignError, Finding, Text
from cps.estimators._reliability import reliability
from cps.estimators._scale import natural_scale
from cps.estimators.inference._events import bare
from cps.estimators.registry import count_treated, estimate, name_method, settled_options
from cps.result import Effect, Estimate

FEW = 5  # treated units (or clusters) below which analytic errors are not shown at all
MANY = 30  # from which on they are taken; between, they rejected .09 to .12 at 5% in the study


@dataclass(frozen=True, slots=True)
class Specification:
    """One method with its options; ``few`` is the inference where few are treated.

    Parameters
    ----------
    few : tuple of str
        Modules of ``inference`` in place of the method's own errors, with fewer than ``MANY``
        treated units or clusters: the first that the design bears.
    own : str
        What the method's own inference is called in its effects.
    """

    method: str
    options: dict[str, str] = field(default_factory=dict)
    few: tuple[str, ...] = ()
    own: str = "analytic"

    @property
    def words(self) -> tuple[str, ...]:
        """Give the options that make it another method; how a minimum is reached does not."""
        return tuple(value for name, value in self.options.items() if name not in _EXACT)

    def inferences(self, n_treated: int) -> tuple[str, ...]:
        """Give the inferences to ask for in turn; none for the method's own."""
        return self.few if n_treated < MANY else ()


_FEW = ("conley_taber", "randomisation")
# The minimum itself, so that the weights hang neither on where steps stop nor on units' order: where
# no penalty makes them unique (sc), the most even ones.
_EXACT = {"solver": "exact"}

SPECIFICATIONS: tuple[Specification, ...] = (
    Specification("synthetic_did", {"weights": "sdid", **_EXACT}, own="placebo"),
    Specification("synthetic_did", {"weights": "did", **_EXACT}, own="placebo"),
    Specification("group_time_att", {"control": "never", "base": "universal"}, few=_FEW),
    Specification("group_time_att", {"control": "not_yet", "base": "universal"}, few=_FEW),
    Specification("imputation", few=_FEW),
    Specification("interaction_weighted", few=_FEW),
    Specification("stacked", few=_FEW),
    Specification("synthetic_did", {"weights": "sc", **_EXACT}, own="placebo"),
    Specification("synthetic_control", {"intercept": "yes"}, own="placebo"),
    Specification("synthetic_control", {"augment": "ridge"}, own="placebo"),
    Specification("matrix_completion", own="placebo"),
    Specification("structural_time_series", own="simulation"),
    Specification("two_way_fixed_effects"),
)
# Of a design that keeps hosts of several initiatives.
JOINT: tuple[Specification, ...] = (
    Specification("joint_effects", {"own": "imputed"}),
    Specification("joint_effects", {"own": "event_time"}),
)
# The headline is the first of these that the design bears and whose inference held its level.
HEADLINES: tuple[Specification, ...] = SPECIFICATIONS[:5]
_MIN_PRE = 3  # periods before a start from which unit weights can be learnt


def estimate_all(design: Design, *, level: float = 0.95, seed: int = 0) -> tuple[Effect, ...]:
    """Estimate with every method; the headline comes first.

    The headline is chosen by what the design holds and by what the simulation study found of each
    method and inference at this number of treated units, never by what a method finds here:
    synthetic difference-in-differences; difference-in-differences by cohort where fewer than three
    periods lie before a start; group-time effects and imputation where no placebo can be drawn.
    Methods that the design can't bear are named in a finding on the headline. Two-way fixed
    effects and the like are shown as diagnoses, last.

    Raises
    ------
    DesignError
        If no method can be fitted; the reason is the headline's.
    """
    chosen, departures = _headline(design)
    ordered = [chosen, *(one for one in _specifications(design) if one != chosen)]
    n_treated = count_treated(design)
    effects: list[Effect] = []
    refused: list[tuple[str, str, DesignError]] = []
    for one in ordered:
        try:
            effects.append(_estimated(design, one, n_treated, level, seed))
        except DesignError as error:
            names = ", ".join(one.words)
            refused.append((one.method, f" ({names})" if names else "", error))
    usable = [one for one in effects if not one.is_diagnosis]
    if not usable:
        raise refused[0][2]
    first = usable[0]
    findings = (*first.findings, *departures, *(_refused(*one) for one in refused))
    rest = [one for one in effects if one is not first]
    rest.sort(key=lambda one: one.is_diagnosis)
    return (dataclasses.replace(first, findings=findings), *rest)


def estimate_headline(design: Design, *, level: float = 0.95, seed: int = 0) -> Effect:
    """Estimate with the headline's method alone: what ``estimate_all`` gives first.

    Its findings leave out what other methods refused.

    Raises
    ------
    DesignError
        If no method can be fitted; the reason is the headline's.
    """
    chosen, departures = _headline(design)
    reason: DesignError | None = None
    for one in (chosen, *(one for one in _specifications(design) if one != chosen)):
        try:
            effect = _estimated(design, one, count_treated(design), level, seed)
        except DesignError as error:
            reason = reason or error
            continue
        if not effect.is_diagnosis:
            return dataclasses.replace(effect, findings=(*effect.findings, *departures))
    raise reason or DesignError(
        Text("没有可用的方法", "no method is left"),
        where=design.name,
        mend=Text("补充对照单位或更早年份的台账", "add comparison units or earlier ledgers"),
    )


def _estimated(
    design: Design, one: Specification, n_treated: int, level: float, seed: int
) -> Effect:
    """Fit one specification; an estimate whose inference can't be had keeps no error of its own.

    From ``FEW`` treated on it keeps them, marked as the study has them.
    """
    asked = {"level": level, "seed": seed, "options": one.options}
    reason: DesignError | None = None
    for way in one.inferences(n_treated):
        try:
            return estimate(design, one.method, inference=way, **asked)  # type: ignore[arg-type]
        except DesignError as error:
            reason = error
    if reason is None or n_treated >= FEW:
        return estimate(design, one.method, **asked)  # type: ignore[arg-type]
    alone = estimate(design, one.method, **asked)  # type: ignore[arg-type]
    told = Finding(
        "W-EST-NO-INFERENCE",
        "warn",
        Text(
            f"处理单位（聚类）只有 {n_treated} 个，{one.method} 自身的标准误不可信，"
            f"替代的推断又用不上（{reason.what.zh}），故不给区间",
            f"{n_treated} treated units (clusters): {one.method}'s own errors can't be trusted, and "
            f"the inference for few treated does not apply ({reason.what.en}), so no interval is given",
        ),
        design.name,
        reason.mend,
    )
    stripped = bare(alone, Estimate(alone.overall.att))
    return dataclasses.replace(
        stripped,
        natural=natural_scale(design, stripped.overall),
        inference="none",
        assumes=None,
        p_value_floor=None,
        findings=(*alone.findings, told),
    )


def _specifications(design: Design) -> tuple[Specification, ...]:
    if design.other_cohorts:
        return JOINT
    found = SPECIFICATIONS
    if design.dose is not None:
        found = (*found, Specification("dose_response"))
    if not design.is_balanced and int((~np.isnan(design.y)).sum(axis=1).max()) <= 1:
        # Nobody is seen twice: levels are those of cohorts, not of units.
        by_cohort = ("imputation", "interaction_weighted", "stacked", "two_way_fixed_effects")
        found = tuple(
            dataclasses.replace(one, options={**one.options, "levels": "cohort"})
            if one.method in by_cohort and "levels" in settled_options(one.method, {})
            else one
            for one in found
        )
    return found


def _headline(design: Design) -> tuple[Specification, tuple[Finding, ...]]:
    if design.other_cohorts:
        return JOINT[0], ()
    n_treated = count_treated(design)
    passed: list[tuple[Specification, Text]] = []
    for one in HEADLINES:
        reason = _why_not(design, one, n_treated)
        if reason is None:
            return one, tuple(_departure(design, first, why) for first, why in passed[:1])
        passed.append((one, reason))
    # Nothing holds: what suits the design best is shown, and says itself that it misses its level.
    suited = [one for one in HEADLINES if _unsuited(design, one) is None]
    return (suited or list(HEADLINES))[0], (_departure(design, passed[0][0], passed[0][1]),)


def _why_not(design: Design, one: Specification, n_treated: int) -> Text | None:
    unsuited = _unsuited(design, one)
    if unsuited is not None:
        return unsuited
    options = settled_options(one.method, one.options)
    inference = next(iter(one.inferences(n_treated)), one.own)
    record = reliability(one.method, options, inference, n_treated)
    if record is not None and record.is_judged and not record.is_offered:
        return Text(
            f"处理单位为 {record.treated} 个时，其推断在模拟中未守住名义水平",
            f"with {record.treated} treated its inference missed its level in simulations",
        )
    return None


def _unsuited(design: Design, one: Specification) -> Text | None:
    """Say what the design lacks for this method, or None."""
    if one.method == "synthetic_did" and design.n_donors - design.n_treated < 2:
        return Text(
            f"对照单位 {design.n_donors} 个、承办单位 {design.n_treated} 个，无法做安慰剂推断",
            f"{design.n_donors} comparison and {design.n_treated} treated units allow no placebo "
            "inference",
        )
    if one.method == "synthetic_did" and (
        design.covariates is not None
        or design.weights is not None
        or design.cluster is not None
        or not design.is_balanced
    ):
        return Text(
            "设计含协变量、权重、聚类或缺口",
            "the design has covariates, weights, clusters or gaps",
        )
    if one.options.get("control") == "never" and not design.n_donors:
        return Text("没有从未处理的单位", "no unit is never treated")
    n_pre = min(
        sum(period < cohort - design.anticipation for period in design.periods)
        for cohort in design.cohorts
    )
    if one.options.get("weights") == "sdid" and n_pre < _MIN_PRE:
        return Text(
            f"最早批次启动前只有 {n_pre} 期",
            f"{n_pre} periods before the earliest start",
        )
    return None


def _departure(design: Design, first: Specification, why: Text) -> Finding:
    return Finding(
        "N-EST-HEADLINE",
        "note",
        Text(
            f"主结果没有采用 {first.method}（{'、'.join(first.words)}）：{why.zh}",
            f"the headline is not {first.method} ({', '.join(first.words)}): {why.en}",
        ),
        design.name,
        Text("补充更早年份或更多对照的台账", "add earlier ledgers, or more comparison units"),
    )


def _refused(method: str, words: str, error: DesignError) -> Finding:
    name = name_method(method)
    return Finding(
        "W-EST-REFUSED",
        "warn",
        Text(
            f"{name.zh}（{method}{words}）未估计：{error.what.zh}",
            f"{name.en} ({method}{words}) was not fitted: {error.what.en}",
        ),
        error.where,
        error.mend,
    )


def fill_caches() -> None:
    """Read the study's verdicts on what is shown by default."""
    for one in SPECIFICATIONS:
        for way in {*one.few[:1], one.own}:
            reliability(one.method, settled_options(one.method, one.options), way, 1)
