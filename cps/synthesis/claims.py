"""The source's published claims against the loaded data: supported, contradicted, not testable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import polars as pl

from cps.errors import Text, unknown_choice
from cps.facts import Comparator, Facts
from cps.indicators.levels import yearly_values
from cps.panel.record import OUTCOME_MEASURES, Panel
from cps.result import Effect
from cps.synthesis.claim_file import Claim, load_claims
from cps.synthesis.claim_measures import MEASURES, Evidence, nothing

Verdict = Literal["supported", "contradicted", "not_testable"]

DEMONSTRATION = Text(
    "（演示数据：此判定只演示方法，不说明任何真实地方。）",
    " (Demonstration data: the verdict shows the mechanism and says nothing of a real place.)",
)
_FILING_DEMONSTRATION = Text(
    "（此判定只依据公开财报；同页其余判定用的是演示数据。）",
    " (This verdict rests on the filing alone; the others beside it use demonstration data.)",
)


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """What the loaded data say of one claim in one reading.

    Parameters
    ----------
    published_value, measured_value : float or None
        In ``unit``; ``measured_value`` is None where nothing could be measured.
    is_demonstration : bool
        True if the panel is synthetic: the verdict is then no statement on a real place.
    """

    claim_id: str
    fact_id: str
    text: Text
    reading: str | None
    verdict: Verdict
    reason: Text
    published_value: float | None
    measured_value: float | None
    unit: str
    is_demonstration: bool


def check_claims(
    panel: Panel,
    effects: Mapping[str, Effect],
    facts: Facts,
    *,
    target_area: str | None,
    hosts: Sequence[str],
) -> tuple[ClaimVerdict, ...]:
    """Hold every claim of ``claims.toml`` against the panel and the effects.

    Parameters
    ----------
    effects : mapping of str to Effect
        By name; reading C looks at ``pooled``: the effect on yearly operating income over all host
        villages together.
    target_area : str or None
        The area that the claims are about; None means every unit of the panel.
    hosts : sequence of str
        Villages that host an initiative.

    Returns
    -------
    tuple of ClaimVerdict
        In the order of the file.

    Raises
    ------
    UsageError
        If the panel has no such area or host.
    """
    book = load_claims(facts)
    evidence = Evidence(
        values={
            outcome: yearly_values(panel, outcome)
            for outcome in OUTCOME_MEASURES
            if outcome in panel.frame.columns
        },
        scopes=_scopes(panel, target_area, hosts=hosts),
        effects=effects,
        book=book,
    )
    return tuple(
        _verdict(claim, evidence, is_demonstration=panel.is_synthetic) for claim in book.claims
    )


def decide(
    comparator: Comparator, published: Decimal, *, low: float | None, high: float | None
) -> Verdict:
    """Compare a measured range with a published figure.

    Supported if every value in [low, high] satisfies the claim, contradicted if none does,
    otherwise not testable. A None bound is open. ``approx_ge`` (余) binds like ``>=``,
    ``approx_lt`` (近) like ``<``.

    Raises
    ------
    ValueError
        If the comparator says nothing that a number can contradict.

    Examples
    --------
    >>> decide(Comparator.GREATER, Decimal(20), low=20.0, high=20.0)
    'contradicted'
    >>> decide(Comparator.AT_LEAST, Decimal(20), low=20.0, high=20.0)
    'supported'
    """
    # The shortest decimal that reads back as the float: 211.7 must equal a published 211.7.
    bottom = Decimal("-Infinity") if low is None else Decimal(repr(low))
    top = Decimal("Infinity") if high is None else Decimal(repr(high))
    if comparator is Comparator.GREATER:
        always, never = bottom > published, top <= published
    elif comparator in (Comparator.AT_LEAST, Comparator.APPROX_AT_LEAST):
        always, never = bottom >= published, top < published
    elif comparator in (Comparator.LESS, Comparator.APPROX_LESS):
        always, never = top < published, bottom >= published
    elif comparator is Comparator.AT_MOST:
        always, never = top <= published, bottom > published
    elif comparator is Comparator.EQUAL:
        always = bottom == published == top
        never = top < published or bottom > published
    else:
        raise ValueError(f"{comparator.value!r} can't be tested")
    return "supported" if always else "contradicted" if never else "not_testable"


def claims_table(verdicts: Sequence[ClaimVerdict]) -> list[dict[str, Any]]:
    """Give the verdicts as plain values for a run; rows in the order given."""
    return [
        {
            "id": one.claim_id,
            "text_zh": one.text.zh,
            "text_en": one.text.en,
            "reading": one.reading,
            "verdict": one.verdict,
            "reason_zh": one.reason.zh,
            "reason_en": one.reason.en,
            "published_value": one.published_value,
            "measured_value": one.measured_value,
            "unit": one.unit,
            "fact_id": one.fact_id,
            "is_demonstration": one.is_demonstration,
        }
        for one in verdicts
    ]


def _verdict(claim: Claim, evidence: Evidence, *, is_demonstration: bool) -> ClaimVerdict:
    missing = [name for name in claim.needs if name not in evidence.values]
    if missing:
        names = [evidence.book.series[name] for name in missing]
        measured = nothing(
            f"缺少：{'、'.join(one.zh for one in names)}",
            f"Missing: {'; '.join(one.en for one in names)}",
        )
    else:
        measured = MEASURES[claim.metric](claim, evidence)
    verdict: Verdict = "not_testable"
    if measured.value is not None:
        verdict = decide(claim.comparator, claim.value, low=measured.low, high=measured.high)
    reason = measured.words
    if is_demonstration:
        stamp = _FILING_DEMONSTRATION if claim.metric == "filing" else DEMONSTRATION
        reason = Text(reason.zh + stamp.zh, reason.en + stamp.en)
    return ClaimVerdict(
        claim_id=claim.id,
        fact_id=claim.fact_id,
        text=claim.text,
        reading=claim.reading,
        verdict=verdict,
        reason=reason,
        published_value=float(claim.value),
        measured_value=measured.value,
        unit=claim.unit,
        is_demonstration=is_demonstration,
    )


def _scopes(panel: Panel, target_area: str | None, *, hosts: Sequence[str]) -> dict[str, list[str]]:
    areas = panel.frame["area"].drop_nulls().unique().to_list()
    units = panel.frame["unit"].unique().sort().to_list()
    if target_area is not None and target_area not in areas:
        raise unknown_choice(
            Text("地区", "area"), target_area, areas, where="check_claims(target_area=…)"
        )
    for host in hosts:
        if host not in units:
            raise unknown_choice(Text("村", "unit"), host, units, where="check_claims(hosts=…)")
    target = units
    if target_area is not None:
        target = panel.frame.filter(pl.col("area") == target_area)["unit"].unique().sort().to_list()
    inside = {*target, *hosts} if target_area is not None else set(hosts)
    return {
        "target_area": target,
        "hosts": sorted(set(hosts)),
        "comparison": [unit for unit in units if unit not in inside],
    }
