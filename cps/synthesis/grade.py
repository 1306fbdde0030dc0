"""The grade of evidence: how firmly the data establish that an initiative changed the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cps.design.record import Design
from cps.errors import Finding, Text, UsageError, unknown_choice
from cps.result import Check, Effect
from cps.synthesis._grade_quantities import QUANTITIES, Evidence
from cps.synthesis._grade_rules import LETTERS, PATH, Measured, Rule, Rules, load_rules, worst

if TYPE_CHECKING:
    from cps.robustness.specifications import SpecificationCurve

__all__ = ["LETTERS", "Grade", "RuleResult", "fill_caches", "grade_evidence"]


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule with what was found and the letter that it allows.

    Parameters
    ----------
    value : float or None
        Zero or more; None where the data do not give it. Of a verdict 0 is passed, 1 can't say and
        2 failed.
    shown : {"p_value", "number", "share", "count", "verdict"}
        Kind of the value.
    is_low : bool
        Whether less is better.
    at_a, at_b, at_c : float or None
        Thresholds for each letter; without the last the rule never allows less than C.
    missing : str
        The letter allowed where there is no value.
    letter : {"A", "B", "C", "D"}
        The best letter that this rule allows.
    is_binding : bool
        Whether the grade is this letter because of this rule.
    name, said, why : Text
        Its name, what was found with its numbers, and what for.
    """

    id: str
    name: Text
    value: float | None
    shown: str
    is_low: bool
    at_a: float
    at_b: float
    at_c: float | None
    missing: str
    letter: str
    is_binding: bool
    said: Text
    why: Text
    source: str


@dataclass(frozen=True, slots=True)
class Grade:
    """How firmly it is established that the initiative changed the outcome, whatever way.

    Parameters
    ----------
    letter : {"A", "B", "C", "D"}
        The worst that any rule allows.
    name, meaning : Text
        The letter in words, and what may be said on its strength.
    reading : str
        ``established``, ``stands_out``, ``no_effect_that_matters``, ``open`` or ``none``: what is
        known of the effect. A precise absence of an effect is no A; it is told here.
    reading_said : Text
    rules : tuple of RuleResult
        In the file's order.
    rules_hash : str
        sha256 of the rules as data.
    is_synthetic : bool
        Whether the data are; then the grade is of no real village.
    """

    letter: str
    name: Text
    meaning: Text
    reading: str
    reading_said: Text
    rules: tuple[RuleResult, ...]
    initiative: str
    outcome: str
    method: str
    rules_version: str
    rules_hash: str
    design_hash: str
    is_synthetic: bool

    @property
    def binding(self) -> tuple[RuleResult, ...]:
        """Give the rules that hold the letter down; none for an A."""
        return tuple(one for one in self.rules if one.is_binding)


def grade_evidence(
    design: Design,
    effects: Sequence[Effect],
    checks: Sequence[Check],
    *,
    specifications: SpecificationCurve | None = None,
    findings: Sequence[Finding] = (),
    rules: Path | None = None,
) -> Grade:
    """Grade the evidence that an initiative changed the outcome, by written rules.

    Each rule reads one quantity without a sign from what was estimated and checked, and allows a
    letter; the grade is the worst of them, so that no strength makes up for a weakness. The grade
    says how firmly a change is established, not how large or how welcome it is: an outcome turned
    upside down has the same grade.

    Parameters
    ----------
    design : Design
    effects : sequence of Effect
        As ``estimate_all`` gives them: the headline first.
    checks : sequence of Check
        As ``check_robustness`` gives them, on the headline.
    specifications : SpecificationCurve or None
        As ``trace_specifications`` gives it; without it no more than a B.
    findings : sequence of Finding
        Of the panel: repairs and doubts are counted.
    rules : Path or None
        Another file of rules, as ``cps/synthesis/grades.toml``.

    Raises
    ------
    UsageError
        If there is no effect, effects or checks are of something else, or the rules are no rules.
    """
    _require_same(design, effects, checks, specifications)
    book = load_rules(rules or PATH)
    given = Evidence(
        design,
        effects,
        {one.name: one for one in checks},
        specifications,
        findings,
        book,
    )
    measured = {rule.id: _measure(rule, given) for rule in book.rules}
    letters = {rule.id: rule.allows(measured[rule.id]) for rule in book.rules}
    letter = worst(letters)
    reading, said = _reading(given, letter, book)
    return Grade(
        letter=letter,
        name=book.names[letter],
        meaning=book.meanings[letter],
        reading=reading,
        reading_said=said,
        rules=tuple(_result(rule, measured[rule.id], letter) for rule in book.rules),
        initiative=effects[0].initiative,
        outcome=design.outcome,
        method=effects[0].method,
        rules_version=book.version,
        rules_hash=book.sha256,
        design_hash=design.design_hash,
        is_synthetic=design.is_synthetic,
    )


def fill_caches() -> None:
    """Read the rules."""
    load_rules()


def _measure(rule: Rule, given: Evidence) -> Measured:
    if rule.quantity not in QUANTITIES:
        raise unknown_choice(
            Text("可用的量", "quantity"), rule.quantity, QUANTITIES, where=f"rule {rule.id}"
        )
    return QUANTITIES[rule.quantity](given)


def _result(rule: Rule, measured: Measured, letter: str) -> RuleResult:
    allowed = rule.allows(measured)
    return RuleResult(
        id=rule.id,
        name=rule.name,
        value=measured.value,
        shown=rule.shown,
        is_low=rule.is_low,
        at_a=rule.at["A"],
        at_b=rule.at["B"],
        at_c=rule.at.get("C"),
        missing=rule.missing,
        letter=allowed,
        is_binding=allowed == letter != "A",
        said=rule.sentence(measured),
        why=rule.why,
        source=rule.source,
    )


def _reading(given: Evidence, letter: str, book: Rules) -> tuple[str, Text]:
    """Say what is known of the effect, by sizes alone."""
    sizes, material = given.sizes, given.material
    p_value, level = given.effects[0].overall.p_value, 1 - given.effects[0].level
    clear = sizes.clearance
    if clear is None or p_value is None:
        name = "none"
    elif letter in ("A", "B"):
        name = "established"
    elif clear > 1 and p_value <= level + 1e-12:
        name = "stands_out"
    elif sizes.farthest is None or material is None:
        name = "none"
    else:
        name = "no_effect_that_matters" if sizes.farthest <= material else "open"
    text = book.readings[name]
    share = f"{100 * given.effects[0].level:g}"
    size = given.size(material or 0.0)
    return name, Text(
        text.zh.format(level=share, interval=sizes.shown_interval.zh, material=size.zh),
        text.en.format(level=share, interval=sizes.shown_interval.en, material=size.en),
    )


def _require_same(
    design: Design,
    effects: Sequence[Effect],
    checks: Sequence[Check],
    specifications: SpecificationCurve | None,
) -> None:
    mend = Text(
        "依次给出 make_design、estimate_all、check_robustness 的结果",
        "give what make_design, estimate_all and check_robustness gave, in turn",
    )
    where = f"grade_evidence({design.name})"
    if not effects:
        what = Text("没有效应可以评级", "there is no effect to grade")
        raise UsageError(what, where=where, mend=mend)
    if any(one.design_hash != design.design_hash for one in effects):
        what = Text("效应不是由这个设计估计的", "the effects were not estimated from this design")
        raise UsageError(what, where=where, mend=mend)
    if specifications is not None and specifications.design_hash != design.design_hash:
        what = Text("设定曲线不是由这个设计得出的", "the specification curve is not of this design")
        raise UsageError(what, where=where, mend=mend)
    if any(one.method != effects[0].method for one in checks):
        what = Text("检验的不是主结果的方法", "the checks are not of the headline's method")
        raise UsageError(what, where=where, mend=mend)
