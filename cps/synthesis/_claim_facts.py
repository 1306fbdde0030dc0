"""The facts that no claim of the file tests: what each lacks, or its arithmetic done again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cps.dropin import read_toml
from cps.errors import Text
from cps.facts import Fact, Facts
from cps.synthesis._claim_arithmetic import Sum, work_out
from cps.synthesis._claim_keys import choice, known_keys, text_of
from cps.synthesis._claim_words import figure_words

FILE = "untestable.toml"
_SOURCE_KINDS = ("quantity", "case", "rule")


@dataclass(frozen=True, slots=True)
class Reasons:
    """Words for what makes a fact untestable: by role, by ambiguity, and the series by scheme."""

    role: dict[str, Text]
    ambiguity: dict[str, Text]
    series: dict[str, Text]
    excluded: dict[str, Text]


@dataclass(frozen=True, slots=True)
class FactVerdict:
    """What can be said of one fact that has no claim of its own."""

    fact: Fact
    text: Text
    verdict: str
    reason: Text
    missing: Text  # the series that would test it
    basis: str  # "arithmetic" or "none"
    measured: float | None


@dataclass(frozen=True, slots=True)
class Excluded:
    """Facts that a written rule keeps out of the verdicts."""

    rule: str
    text: Text
    fact_ids: tuple[str, ...]


def load_reasons(facts: Facts) -> Reasons:
    """Read the words that lie beside ``facts``.

    Raises
    ------
    LedgerError
        If a role, ambiguity or scheme of the facts has no words, or words belong to none of them.
    UsageError
        If the file is missing or not TOML.
    """
    stored = read_toml(facts.folder / FILE)
    names = ("role", "ambiguity", "series", "excluded")
    known_keys(stored, names, where=FILE)
    parts = {
        name: {
            key: text_of(words, where=f"{FILE} › {name} › {key}")
            for key, words in dict(stored.get(name, {})).items()
        }
        for name in names
    }
    needed = {
        "role": {one.claim_role for one in facts.facts if one.claim_role},
        "ambiguity": {one.ambiguity_code for one in facts.facts if one.ambiguity_code},
        "series": {one.id for one in facts.schemes},
        "excluded": set(_RULES),
    }
    for name, wanted in needed.items():
        for key in sorted(wanted):
            choice(key, parts[name], where=f"{FILE} › {name}")
        for key in parts[name]:
            choice(key, sorted(wanted), where=f"{FILE} › {name} › {key}")
    return Reasons(**parts)


def judge_facts(
    facts: Facts, reasons: Reasons, *, claimed: Iterable[str]
) -> tuple[list[FactVerdict], list[Excluded]]:
    """Give a verdict on every fact with a number that no claim cites, and name those left out.

    Parameters
    ----------
    claimed : iterable of str
        Facts that claims of the file cite.

    Returns
    -------
    (list of FactVerdict, list of Excluded)
        Together with ``claimed`` they hold every fact exactly once.
    """
    done = set(claimed)
    verdicts, excluded = [], {rule: list[str]() for rule in _RULES}
    for fact in facts.facts:
        if fact.id in done:
            continue
        rule = _rule(fact)
        if rule is not None:
            excluded[rule].append(fact.id)
        elif fact.kind == "derived":
            verdicts.append(_worked_out(fact, facts))
        else:
            verdicts.append(_untestable(fact, reasons))
    return verdicts, [
        Excluded(rule, reasons.excluded[rule], tuple(ids)) for rule, ids in excluded.items() if ids
    ]


_RULES = ("name_or_example", "rule_without_figure", "background")


def _rule(fact: Fact) -> str | None:
    """Say by which rule a fact is no claim with a number; None if it is one."""
    if fact.value is not None:
        return None
    if fact.kind in ("entity", "case", "quantity"):
        return "name_or_example"
    return "rule_without_figure" if fact.kind == "rule" else "background"


def _stated(fact: Fact) -> Text:
    if fact.value is None:
        raise ValueError(f"{fact.id} has no figure")
    words = figure_words(fact.comparator, fact.value, fact.value_to, fact.unit)
    period = fact.period if fact.period and fact.period_basis != "unspecified" else ""
    return Text(
        f"{period + '，' if period else ''}{fact.indicator.zh}：{words.zh}",
        fact.paraphrase if fact.kind in _SOURCE_KINDS else f"{fact.indicator.en}: {words.en}",
    )


def _untestable(fact: Fact, reasons: Reasons) -> FactVerdict:
    """Say what kind of statement it is, what it leaves open, and which series would test it."""
    parts = [reasons.role[fact.claim_role]] if fact.claim_role else []
    if fact.ambiguity_code:
        parts.append(reasons.ambiguity[fact.ambiguity_code])
    return FactVerdict(
        fact=fact,
        text=_stated(fact),
        verdict="not_testable",
        reason=Text("".join(one.zh for one in parts), " ".join(one.en for one in parts)),
        missing=reasons.series[fact.scheme_id],
        basis="none",
        measured=None,
    )


def _worked_out(fact: Fact, facts: Facts) -> FactVerdict:
    done = work_out(fact, facts.facts)
    return FactVerdict(
        fact=fact,
        text=_stated(fact),
        verdict="supported" if done.agrees else "contradicted",
        reason=_sum_words(fact, done),
        missing=Text("", ""),
        basis="arithmetic",
        measured=float(done.result),
    )


def _sum_words(fact: Fact, done: Sum) -> Text:
    formula = fact.formula.replace("*", "×").replace("/", "÷").replace("-", "−")
    words = figure_words(None, done.result, None, fact.unit)
    zh, en = f"{formula} = {words.zh}", f"{formula} = {words.en}"
    if not done.agrees:
        given = figure_words(None, fact.value or done.result, None, fact.unit)
        zh, en = f"{zh}，与所列 {given.zh}不符", f"{en}, not {given.en} as given"
    if not done.assumed:
        return Text(f"{zh}。各数均取自原文。", f"{en}. Every operand is the source's.")
    listed = [f"{one:f}" for one in done.assumed]
    verb = "is" if len(listed) == 1 else "are"
    return Text(
        f"{zh}。{'、'.join(listed)} 是假设，原文没有。",
        f"{en}. {', '.join(listed)} {verb} assumed, not in the source.",
    )
