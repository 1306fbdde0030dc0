"""A published fact as a card shows it: what is stated, of when, and what is left open."""

from __future__ import annotations

from dataclasses import dataclass

from cps.errors import Text
from cps.facts import Comparator, Fact

# Words around a figure, before and after it.
_ZH: dict[Comparator, tuple[str, str]] = {
    Comparator.GREATER: ("超过 ", ""),
    Comparator.AT_LEAST: ("不低于 ", ""),
    Comparator.LESS: ("低于 ", ""),
    Comparator.AT_MOST: ("不超过 ", ""),
    Comparator.APPROX_AT_LEAST: ("", " 余"),
    Comparator.APPROX_LESS: ("近 ", ""),
    Comparator.APPROX: ("约 ", ""),
}


@dataclass(frozen=True, slots=True)
class Claimed:
    """One published fact.

    Parameters
    ----------
    stated : Text
        In Chinese the figure with its unit and period, in English the paraphrase.
    role : str or None
        ``input, process, output, outcome, context``, a key of the vocabulary.
    ambiguity : str
        Code of what the source leaves open, a key of the vocabulary; empty for nothing.
    """

    fact_id: str
    indicator: Text
    stated: Text
    role: str | None
    ambiguity: str


def claimed(fact: Fact) -> Claimed:
    """Give a fact as a card shows it."""
    return Claimed(
        fact.id,
        fact.indicator,
        Text(_figure(fact), fact.paraphrase),
        fact.claim_role,
        fact.ambiguity_code,
    )


def _figure(fact: Fact) -> str:
    if fact.value is None:
        said = fact.text or fact.indicator.zh
    elif fact.value_to is not None:
        said = f"{fact.value.normalize():,f}—{_with_unit(f'{fact.value_to.normalize():,f}', fact.unit)}"
    else:
        before, after = _ZH.get(fact.comparator or Comparator.EQUAL, ("", ""))
        said = before + _with_unit(f"{fact.value.normalize():,f}{after}", fact.unit)
    return f"{said}（{fact.period}）" if fact.period else said


def _with_unit(figure: str, unit: str) -> str:
    is_close = unit == "%" or not figure[-1].isdigit()
    return f"{figure}{'' if is_close or not unit else ' '}{unit}"
