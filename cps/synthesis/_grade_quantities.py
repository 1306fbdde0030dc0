"""What the rules of the grade read: p-values, ranks, shares, counts and ratios of sizes.

Every function gives a :class:`Measured` from what the verbs have saved; nothing is estimated anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.result import Check, Effect
from cps.robustness._parts import amount
from cps.synthesis._grade_rules import Measured, Rules
from cps.synthesis._grade_sizes import Sizes, agreement, least_left, sizes_of, typical_size

if TYPE_CHECKING:
    from cps.robustness.specifications import SpecificationCurve

_PASSED, _CANT_SAY, _FAILED = 0.0, 1.0, 2.0
_NO_CHECK = Text("没有做这项检验", "the check was not run")
_NO_INTERVAL = Text("主结果没有区间", "the headline has no interval")
_NO_P_VALUE = Text("主结果没有 p 值", "the headline has no p-value")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a grade is given; ``checks`` by name, ``effects`` with the headline first."""

    design: Design
    effects: Sequence[Effect]
    checks: Mapping[str, Check]
    specifications: SpecificationCurve | None
    findings: Sequence[Finding]
    rules: Rules

    @property
    def sizes(self) -> Sizes:
        """Give the headline's size, margin and reach."""
        return sizes_of(self.design, self.effects[0].overall)

    @property
    def material(self) -> float | None:
        """Give the size from which on an effect matters, on the scale of the design's outcome."""
        share = self.rules.material_share
        if self.design.form == "log":
            return math.log1p(share)
        typical = typical_size(self.design)
        return None if typical is None else share * typical

    def size(self, value: float) -> Text:
        """Write a size as a clerk would say it, without a sign."""
        said = amount(self.design, abs(value))
        return Text(said.zh.replace("+", ""), said.en.replace("+", ""))


def p_value(given: Evidence) -> Measured:
    """Give the headline's p-value."""
    found = given.effects[0].overall.p_value
    if found is None:
        return Measured(None, reason=_NO_P_VALUE)
    return Measured(found, {"p": _decimals(found)})


def clearance(given: Evidence) -> Measured:
    """Give the effect in margins of error."""
    found = given.sizes.clearance
    if found is None:
        return Measured(None, reason=_NO_INTERVAL)
    return Measured(found, {"x": f"{found:.2f}", "level": f"{100 * given.effects[0].level:g}"})


def placebo_rank(given: Evidence) -> Measured:
    """Give the share of placebo effects in space as large as the estimate, itself among them."""
    found = _statistic(given, "placebo_in_space")
    if isinstance(found, Measured):
        return found
    return Measured(found, {"p": f"{100 * found:.1f}%"})


def power(given: Evidence) -> Measured:
    """Give the minimum detectable effect over one that matters; over the effect seen if larger.

    An effect that is not told apart from zero says nothing of the design and is not counted.
    """
    detectable = given.design.minimum_detectable_effect
    sizes, material = given.sizes, given.material
    if detectable is None or not material:
        reason = Text("算不出最小可检出效应", "no minimum detectable effect can be computed")
        return Measured(None, reason=reason)
    what, size, said = (
        Text("有意义的效应", "an effect that matters"),
        material,
        given.size(material),
    )
    if (sizes.clearance or 0.0) > 1 and (sizes.effect or 0.0) > material:
        what, size = Text("所见效应", "the effect seen"), sizes.effect or material
        said = sizes.shown
    found = abs(detectable) / size
    numbers: dict[str, str | Text] = {
        "x": f"{found:.2f}",
        "detectable": given.size(detectable),
        "reference": Text(f"{what.zh}（{said.zh}）", f"{what.en} ({said.en})"),
    }
    return Measured(found, numbers)


def pre_fit(given: Evidence) -> Measured:
    """Give the root mean squared gap before the start over the most that chance makes."""
    return _over_bound(given, "pre_fit")


def pretrend(given: Evidence) -> Measured:
    """Give the verdict on trends before the start."""
    check = given.checks.get("pretrend")
    return _verdict(check, {"x": _two(check), "bound": _two(check, is_bound=True)})


def breakdown(given: Evidence) -> Measured:
    """Give the breakdown value; 0 where the interval covers zero without any departure."""
    check = given.checks.get("honest_did")
    if check is None or (check.statistic is None and not check.table):
        return Measured(None, reason=_NO_CHECK if check is None else check.explanation)
    reason = None
    if check.statistic is None:
        reason = Text(
            "按严格平行趋势，事件研究的区间已含零",
            "under strictly parallel trends the event study's interval covers zero already",
        )
    found = check.statistic or 0.0
    return Measured(found, {"x": f"{found:.2f}"}, reason)


def placebo_in_time(given: Evidence) -> Measured:
    """Give the verdict on starts pretended earlier."""
    check = given.checks.get("placebo_in_time")
    known = check is not None and check.statistic is not None and check.threshold is not None
    return _verdict(
        check,
        {
            "p": _decimals(check.statistic or 0.0) if known and check else "",
            "bound": _decimals(check.threshold or 0.0) if known and check else "",
        },
    )


def periods_before(given: Evidence) -> Measured:
    """Give the number of periods before the start that at least half of the treated units have."""
    design = given.design
    seen = sorted(
        sum(period < cohort - design.anticipation for period in design.periods)
        for cohort in design.cohort
        if cohort is not None
    )
    return _count(seen[(len(seen) - 1) // 2])


def methods_inside(given: Evidence) -> Measured:
    """Give the share of other methods within the headline's interval."""
    found = agreement(given.effects, level=given.rules.replication_level)
    if not found.n or found.n_inside is None:
        reason = _NO_INTERVAL if found.n else _NO_METHOD
        return Measured(None, reason=reason)
    return Measured(found.n_inside / found.n, {"n": str(found.n), "k": str(found.n_inside)})


def methods_found(given: Evidence) -> Measured:
    """Give the share of other methods that find an effect on the headline's side."""
    level = given.rules.replication_level
    found = agreement(given.effects, level=level)
    if not found.n_tested:
        return Measured(None, reason=_NO_METHOD)
    numbers = {"n": str(found.n_tested), "k": str(found.n_found), "level": f"{level:g}"}
    return Measured(found.n_found / found.n_tested, numbers)


_NO_METHOD = Text("没有别的方法可比", "there is no other method to compare with")


def leave_one_out(given: Evidence) -> Measured:
    """Give the least effect that is left without one unit, in margins of error.

    Hosts that gain unequally move the mean and still all gain: what counts is whether the finding
    stands without any one of them.
    """
    found = _statistic(given, "leave_one_out")
    if isinstance(found, Measured):
        return found
    left = least_left(given.checks["leave_one_out"].table.get("att", ()), given.effects[0].overall)
    margin = given.sizes.margin
    if left is None or not margin:
        return Measured(None, reason=_NO_INTERVAL)
    return Measured(left / margin, {"x": f"{left / margin:.2f}"})


def curve_share(given: Evidence) -> Measured:
    """Give the share of declared specifications on the headline's side of zero."""
    curve = given.specifications
    if curve is None or curve.share_agreeing is None:
        reason = Text("没有做设定曲线", "no specification curve was traced")
        return Measured(None, reason=reason)
    share = curve.share_agreeing
    return Measured(share, {"n": str(curve.n_estimated), "share": f"{100 * share:.1f}%"})


def curve_joint(given: Evidence) -> Measured:
    """Give the joint p-value of all specifications."""
    curve = given.specifications
    if curve is None or curve.joint is None:
        none = Text("没有做设定曲线", "no specification curve was traced")
        return Measured(None, reason=none if curve is None else curve.no_joint)
    found = curve.joint.p_joint
    return Measured(found, {"n": str(curve.joint.n_cells), "p": _decimals(found)})


def threats(given: Evidence) -> Measured:
    """Give the number of checks of single threats that failed."""
    judged = [
        check
        for name in given.rules.threats
        if (check := given.checks.get(name)) is not None and check.verdict is not None
    ]
    if not judged:
        reason = Text("没有一项检验能判断", "no check can tell")
        return Measured(None, reason=reason)
    failed = [check.title for check in judged if not check.verdict]
    names = Text("", "")
    if failed:
        listed = ", ".join(one.en for one in failed)
        names = Text(f"（{'、'.join(one.zh for one in failed)}）", f" ({listed})")
    numbers: dict[str, str | Text] = {"n": str(len(judged)), "k": str(len(failed)), "names": names}
    return Measured(float(len(failed)), numbers)


def hosts(given: Evidence) -> Measured:
    """Give the number of treated units; of treated clusters where units are grouped."""
    design = given.design
    if design.cluster is None:
        return _count(design.n_treated)
    grouped = zip(design.cluster, design.cohort, strict=True)
    return _count(len({name for name, cohort in grouped if cohort is not None}))


def comparisons(given: Evidence) -> Measured:
    """Give the number of comparison units."""
    return _count(given.effects[0].n_comparison)


def repairs(given: Evidence) -> Measured:
    """Give the count of repaired or doubtful figures over the cells used; at most 1.

    Findings do not name every cell, so each counts as if it lay in the design: an upper bound.
    """
    told = dict.fromkeys((*given.findings, *given.design.findings))
    count = sum(one.count for one in told if one.code in given.rules.repairs)
    cells = given.design.y.size - int(np.isnan(given.design.y).sum())
    share = min(1.0, count / max(cells, 1))
    return Measured(share, {"k": f"{count:,}", "share": f"{100 * share:.1f}%"})


def gaps(given: Evidence) -> Measured:
    """Give the share of unit-periods missing, units left out for it included."""
    design = given.design
    n_periods = len(design.periods)
    dropped = sum(one.reason == "missing" and one.unit is not None for one in design.exclusions)
    missing = int(np.isnan(design.y).sum()) + dropped * n_periods
    share = missing / max(design.y.size + dropped * n_periods, 1)
    return Measured(share, {"share": f"{100 * share:.1f}%"})


def inference(given: Evidence) -> Measured:
    """Give whether the headline's inference held its level in the simulation study."""
    headline = given.effects[0]
    value = {True: _PASSED, None: _CANT_SAY, False: _FAILED}[headline.is_reliable]
    said = {
        _PASSED: Text("守住了名义水平", "held its level"),
        _CANT_SAY: Text("未经研究", "was not tried in such a case"),
        _FAILED: Text("没有守住名义水平", "missed its level"),
    }[value]
    return Measured(value, {"method": headline.method_name, "how": said})


QUANTITIES: dict[str, Callable[[Evidence], Measured]] = {
    one.__name__: one
    for one in (
        p_value,
        clearance,
        placebo_rank,
        power,
        pre_fit,
        pretrend,
        breakdown,
        placebo_in_time,
        periods_before,
        methods_inside,
        methods_found,
        leave_one_out,
        curve_share,
        curve_joint,
        threats,
        hosts,
        comparisons,
        repairs,
        gaps,
        inference,
    )
}


def _count(n: int) -> Measured:
    return Measured(float(n), {"n": str(n)})


def _statistic(given: Evidence, name: str) -> float | Measured:
    check = given.checks.get(name)
    if check is None or check.statistic is None:
        return Measured(None, reason=_NO_CHECK if check is None else check.explanation)
    return check.statistic


def _over_bound(given: Evidence, name: str) -> Measured:
    found = _statistic(given, name)
    if isinstance(found, Measured):
        return found
    bound = given.checks[name].threshold
    if not bound:
        return Measured(None, reason=_NO_INTERVAL)
    return Measured(found / bound, {"x": f"{found / bound:.2f}"})


def _verdict(check: Check | None, numbers: Mapping[str, str]) -> Measured:
    """Code a verdict; a check that was not or could not be run has none."""
    if check is None or check.statistic is None:
        return Measured(None, reason=_NO_CHECK if check is None else check.explanation)
    return Measured({True: _PASSED, None: _CANT_SAY, False: _FAILED}[check.verdict], numbers)


def _two(check: Check | None, *, is_bound: bool = False) -> str:
    value = None if check is None else check.threshold if is_bound else check.statistic
    return "" if value is None else f"{value:.2f}"


def _decimals(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
