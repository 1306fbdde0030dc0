"""What was measured for a claim, the range in which the truth lies, and the words for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cps.errors import Text
from cps.synthesis._claim_evidence import Evidence
from cps.synthesis._claim_keys import choice
from cps.synthesis.claim_file import Claim
from cps.units import YUAN_PER_WAN

SHOWN_UNITS = 5


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured, and the range in which the truth lies given gaps and uncertainty.

    In the claim's unit. ``low`` and ``high`` equal ``value`` for an exact count; a None bound is
    open. ``is_exact`` says that a stated whole number means itself, not a rounded one.
    """

    value: float | None
    low: float | None
    high: float | None
    words: Text
    is_exact: bool = False


def nothing(zh: str, en: str) -> Measurement:
    """Give the measurement of something that could not be measured, and why."""
    return Measurement(None, None, None, Text(f"{zh}。", f"{en[0].upper()}{en[1:]}."))


def exactly(value: float, words: Text, *, claim: Claim, is_exact: bool = False) -> Measurement:
    """Give a measurement without a range, brought from 元, persons or per cent to the unit."""
    own = value / claim.size
    return Measurement(own, own, own, words, is_exact)


def join(first: Text, *others: Text) -> Text:
    """Put sentences together."""
    zh = first.zh + "".join(one.zh for one in others)
    return Text(zh, " ".join(one.en for one in (first, *others) if one.en))


def amount(value: float, claim: Claim) -> Text:
    """Write an amount of the claim's outcome: 万元 with one decimal, or whole persons."""
    if claim.outcome == "jobs_persons":
        return Text(f"{value:,.1f} 人", f"{value:,.1f} persons")
    return Text(f"{value / YUAN_PER_WAN:,.1f} 万元", f"{value / YUAN_PER_WAN:,.1f} 万元")


def units_in(claim: Claim, evidence: Evidence) -> list[str]:
    """Give the villages that a claim is about.

    Raises
    ------
    LedgerError
        If it names an area, village or initiative that the data don't have; names the nearest.
    """
    kind, _, name = claim.scope.partition(":")
    where = f"{claim.where} › scope"
    if kind == "target_area":
        return evidence.target()
    if kind == "hosts":
        return list(evidence.hosts)
    if kind == "all":
        return list(evidence.areas)
    if kind == "area":
        areas = sorted({one for one in evidence.areas.values() if one is not None})
        choice(name, areas, where=where)
        return [unit for unit, area in evidence.areas.items() if area == name]
    if kind == "village":
        return [choice(name, evidence.areas, where=where)]
    return list(evidence.initiatives[choice(name, evidence.initiatives, where=where)].units)


def gap_of(
    claim: Claim, evidence: Evidence, units: Sequence[str], years: Sequence[int]
) -> Measurement | None:
    """Say which villages lack which of ``years``; None if all are there."""
    if claim.outcome not in evidence.values:
        return nothing(f"面板没有 {claim.outcome}", f"the panel has no {claim.outcome}")
    if not units:
        return nothing("范围内没有村", "there is no village in the scope")
    parts = []
    for year in years:
        reported = evidence.of(claim.outcome, units, year)
        missing = sorted({*units} - {*reported})
        if missing:
            shown = ", ".join(missing[:SHOWN_UNITS])
            parts.append((year, len(missing), shown + (" …" if len(missing) > SHOWN_UNITS else "")))
    if not parts:
        return None
    return nothing(
        "缺少全年数据：" + "；".join(f"{year} 年 {n} 个村（{shown}）" for year, n, shown in parts),
        "whole years are missing: "
        + "; ".join(f"{year} for {n} villages ({shown})" for year, n, shown in parts),
    )


def break_between(evidence: Evidence, base_year: int, year: int) -> Text:
    """Warn where two years were kept under different accounting systems."""
    before, after = evidence.regimes.get(base_year, ""), evidence.regimes.get(year, "")
    if not before or not after or before == after:
        return Text("", "")
    return Text(
        f"{base_year} 年用 {before} 年会计制度，{year} 年用 {after} 年会计制度，口径有变。",
        f"The accounts of {base_year} follow the system of {before}, those of {year} that of "
        f"{after}: the definition changed.",
    )
