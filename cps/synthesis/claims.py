"""Published claims against a saved run: supported, contradicted or not testable, with the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Protocol

from cps.design.record import Initiative
from cps.errors import Text, UsageError
from cps.facts import Comparator, Facts
from cps.panel.record import Panel
from cps.result import Effect
from cps.synthesis._claim_context import quote
from cps.synthesis._claim_evidence import Evidence, evidence_of, gather_evidence
from cps.synthesis._claim_facts import Excluded, FactVerdict, judge_facts, load_reasons
from cps.synthesis._claim_filings import against_filings
from cps.synthesis._claim_measurement import Measurement, join, nothing
from cps.synthesis._claim_words import decimals_of, figure_words
from cps.synthesis.claim_file import Claim, ClaimFile, load_claims
from cps.synthesis.claim_measures import measure

Verdict = Literal["supported", "contradicted", "not_testable"]
Basis = Literal["panel", "filing", "arithmetic", "none"]
EVIDENCE = "claim_evidence"  # key of Run.extra
DEMONSTRATION = Text("（演示数据）", "(Demonstration data.)")


class HasEvidence(Protocol):
    """What is read of a ``Run``."""

    @property
    def design(self) -> dict[str, Any]:
        """The design's summary."""

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Effects, that on all hosts together first."""

    @property
    def extra(self) -> dict[str, Any]:
        """What ``synthesise`` gave."""


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """What the loaded data say of one claim in one reading.

    Parameters
    ----------
    stated : Text
        The figure claimed with its comparator, as ``超 20 万元``.
    verdict : {"supported", "contradicted", "not_testable"}
    reason : Text
        With the numbers, or why it can't be tested.
    missing : Text
        The series that would test a fact that can't be; empty otherwise.
    basis : {"panel", "filing", "arithmetic", "none"}
        What the verdict rests on.
    published_value, measured_value, measured_low, measured_high : float or None
        In ``unit``; the measured ones are None where nothing could be measured, or a bound is open.
    is_demonstration : bool
        True if the verdict rests on a synthetic panel: it is then no statement on a real place.
    """

    claim_id: str
    fact_id: str
    scheme: Text
    text: Text
    stated: Text
    reading: str | None
    verdict: Verdict
    reason: Text
    missing: Text
    basis: Basis
    published_value: float | None
    measured_value: float | None
    measured_low: float | None
    measured_high: float | None
    unit: str
    is_demonstration: bool


def check_claims(
    run: HasEvidence, facts: Facts, *, claims: Path | str | None = None
) -> tuple[ClaimVerdict, ...]:
    """Hold claims against a saved overview run.

    Parameters
    ----------
    run : Run
        An overview, just made or loaded: its ``extra`` holds yearly values by village, the table of
        initiatives and their costs; its first effect is that on all hosts together.
    facts : Facts
    claims : path or None
        A TOML file of claims; its keys are in ``docs/claims.md``. None tests the facts: every claim
        of ``claims.toml`` and every other fact with a number.

    Returns
    -------
    tuple of ClaimVerdict
        In the order of the file, then in that of the facts.

    Raises
    ------
    UsageError
        If the run is no overview, or the file is missing.
    LedgerError
        If the file has a fault, or names a village, area or initiative that the run doesn't have;
        names ``file › claim › key`` and the nearest choice.

    Examples
    --------
    >>> verdicts = check_claims(run, load_facts(), claims="own.toml")  # doctest: +SKIP
    >>> [(one.claim_id, one.verdict) for one in verdicts]  # doctest: +SKIP
    [('median_2022', 'supported')]
    """
    gathered = run.extra.get(EVIDENCE)
    if gathered is None:
        raise UsageError(
            Text("这次运行没有存下核对说法所需的数", "this run holds nothing to test claims with"),
            where="check_claims(run)",
            mend=Text(
                "给出总览的运行结果（runs/overview）；旧版的结果要重新运行",
                "give the overview's run (runs/overview); run it again if it is of an older version",
            ),
        )
    evidence = evidence_of(
        gathered,
        run.extra["comparison"],
        pooled=run.effects[0] if run.effects else None,
        outcome=str(run.design["outcome"]),
    )
    return judge(evidence, facts, own=Path(claims) if claims is not None else None)


def hold_claims(
    panel: Panel,
    initiatives: Sequence[Initiative],
    comparison: Mapping[str, Sequence[Any]],
    *,
    pooled: Effect | None,
    target_area: str | None,
    facts: Facts,
    own: Path | str | None = None,
) -> dict[str, Any]:
    """Judge all facts on a panel, and keep what any later claim needs.

    Parameters
    ----------
    comparison : mapping of column to values
        As ``compare_initiatives`` gives it.
    own : path or None
        A file of the user's own claims.

    Returns
    -------
    dict
        ``claims`` (rows), ``claims_excluded`` (rule, words, number of facts), ``own_claims`` (rows;
        empty without a file) and ``claim_evidence``; JSON-able.
    """
    gathered = gather_evidence(panel, initiatives, target_area=target_area)
    outcome = pooled.outcome if pooled is not None else "income_yuan"
    evidence = evidence_of(gathered, comparison, pooled=pooled, outcome=outcome)
    mine = judge(evidence, facts, own=Path(own)) if own is not None else ()
    return {
        "claims": claims_table(judge(evidence, facts)),
        "claims_excluded": [
            {
                "rule": one.rule,
                "text_zh": one.text.zh,
                "text_en": one.text.en,
                "n_facts": len(one.fact_ids),
            }
            for one in excluded_facts(facts)
        ],
        "own_claims": claims_table(mine),
        EVIDENCE: gathered,
    }


def judge(evidence: Evidence, facts: Facts, *, own: Path | None = None) -> tuple[ClaimVerdict, ...]:
    """Judge the claims of a file of the user's own, or all facts where none is given.

    Raises
    ------
    LedgerError, UsageError
        As :func:`check_claims`.
    """
    book = load_claims(facts)
    if own is not None:
        mine = load_claims(facts, own)
        filed = ClaimFile(
            mine.claims,
            (*mine.filings, *book.filings),
            {**book.series, **mine.series},
            {**book.places, **mine.places},
        )
        return tuple(_verdict(one, evidence, filed, facts) for one in mine.claims)
    verdicts = [_verdict(one, evidence, book, facts) for one in book.claims]
    rest, _ = judge_facts(facts, load_reasons(facts), claimed=[one.fact_id for one in book.claims])
    return (*verdicts, *map(_of_fact, rest))


def excluded_facts(facts: Facts) -> tuple[Excluded, ...]:
    """Give the facts that are no claim with a number, by the rule that keeps them out."""
    book, reasons = load_claims(facts), load_reasons(facts)
    _, excluded = judge_facts(facts, reasons, claimed=[one.fact_id for one in book.claims])
    return tuple(excluded)


def decide(
    comparator: Comparator,
    published: Decimal,
    *,
    low: float | None,
    high: float | None,
    published_to: Decimal | None = None,
    is_exact: bool = False,
    tolerance_pct: Decimal = Decimal(10),
) -> Verdict:
    """Compare a measured range with a published figure.

    Supported if every value in [low, high] satisfies the claim, contradicted if none does,
    otherwise not testable. A None bound is open.

    ``=`` holds for every value that rounds to the figure at its own decimals, unless ``is_exact``;
    余 (``approx_ge``) binds like ``>=``; 近 (``approx_lt``) is below the figure, by at most
    ``tolerance_pct`` of it; 约 (``approx``) is within ``tolerance_pct`` on either side.

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
    >>> decide(Comparator.EQUAL, Decimal("47.5"), low=47.511, high=47.511)
    'supported'
    """
    # The shortest decimal that reads back as the float: 211.7 must equal a published 211.7.
    bottom = Decimal("-Infinity") if low is None else Decimal(repr(float(low)))
    top = Decimal("Infinity") if high is None else Decimal(repr(float(high)))
    slack = abs(published) * tolerance_pct / 100
    if comparator is Comparator.GREATER:
        always, never = bottom > published, top <= published
    elif comparator in (Comparator.AT_LEAST, Comparator.APPROX_AT_LEAST):
        always, never = bottom >= published, top < published
    elif comparator is Comparator.LESS:
        always, never = top < published, bottom >= published
    elif comparator is Comparator.AT_MOST:
        always, never = top <= published, bottom > published
    elif comparator is Comparator.APPROX_LESS:
        least = published - slack
        always = least <= bottom and top < published
        never = bottom >= published or top < least
    else:
        first, last = _holding(comparator, published, published_to, slack, is_exact)
        always = first <= bottom and top <= last
        never = top < first or bottom > last
    return "supported" if always else "contradicted" if never else "not_testable"


def claims_table(verdicts: Sequence[ClaimVerdict]) -> list[dict[str, Any]]:
    """Give the verdicts as plain values for a run; rows in the order given."""
    return [
        {
            "id": one.claim_id,
            "scheme_zh": one.scheme.zh,
            "scheme_en": one.scheme.en,
            "text_zh": one.text.zh,
            "text_en": one.text.en,
            "stated_zh": one.stated.zh,
            "stated_en": one.stated.en,
            "reading": one.reading,
            "verdict": one.verdict,
            "reason_zh": one.reason.zh,
            "reason_en": one.reason.en,
            "missing_zh": one.missing.zh,
            "missing_en": one.missing.en,
            "basis": one.basis,
            "published_value": one.published_value,
            "measured_value": one.measured_value,
            "measured_low": one.measured_low,
            "measured_high": one.measured_high,
            "unit": one.unit,
            "fact_id": one.fact_id,
            "is_demonstration": one.is_demonstration,
        }
        for one in verdicts
    ]


def _holding(
    comparator: Comparator,
    published: Decimal,
    published_to: Decimal | None,
    slack: Decimal,
    is_exact: bool,
) -> tuple[Decimal, Decimal]:
    """Give the closed range of values for which 约, a range or ``=`` holds."""
    if comparator is Comparator.APPROX:
        return published - slack, published + slack
    if comparator is Comparator.BETWEEN and published_to is not None:
        return published, published_to
    if comparator is Comparator.EQUAL:
        half = Decimal(0) if is_exact else Decimal(1).scaleb(-decimals_of(published)) / 2
        return published - half, published + half
    raise ValueError(f"{comparator.value!r} can't be tested")


def _verdict(claim: Claim, evidence: Evidence, book: ClaimFile, facts: Facts) -> ClaimVerdict:
    measured, basis = _measured(claim, evidence, book)
    verdict: Verdict = "not_testable"
    if measured.value is None:
        basis = basis if basis == "filing" else "none"
    else:
        verdict = decide(
            claim.comparator,
            claim.value,
            low=measured.low,
            high=measured.high,
            published_to=claim.value_to,
            is_exact=measured.is_exact,
            tolerance_pct=claim.tolerance_pct,
        )
    is_demonstration = evidence.is_synthetic and basis == "panel"
    quoted = quote(claim.context, facts, book.places)
    stamp = [DEMONSTRATION] if is_demonstration else []
    return ClaimVerdict(
        claim_id=claim.id,
        fact_id=claim.fact_id,
        scheme=facts.fact(claim.fact_id).scheme if claim.fact_id else Text("", ""),
        text=claim.text,
        stated=figure_words(claim.comparator, claim.value, claim.value_to, claim.unit),
        reading=claim.reading,
        verdict=verdict,
        reason=join(measured.words, *stamp, quoted),
        missing=Text("", ""),
        basis=basis,
        published_value=float(claim.value),
        measured_value=measured.value,
        measured_low=measured.low,
        measured_high=measured.high,
        unit=claim.unit,
        is_demonstration=is_demonstration,
    )


def _measured(claim: Claim, evidence: Evidence, book: ClaimFile) -> tuple[Measurement, Basis]:
    if claim.metric == "filing":
        return against_filings(claim, book.filings), "filing"
    if claim.metric == "not_measurable":
        names = [book.series[name] for name in claim.needs]
        missing = nothing(
            f"缺少：{'、'.join(one.zh for one in names)}",
            f"Missing: {'; '.join(one.en for one in names)}",
        )
        return missing, "none"
    return measure(claim, evidence), "panel"


def _of_fact(one: FactVerdict) -> ClaimVerdict:
    fact = one.fact
    verdicts: Mapping[str, Verdict] = {
        "supported": "supported",
        "contradicted": "contradicted",
        "not_testable": "not_testable",
    }
    return ClaimVerdict(
        claim_id=fact.id,
        fact_id=fact.id,
        scheme=fact.scheme,
        text=one.text,
        stated=figure_words(fact.comparator, fact.value or Decimal(0), fact.value_to, fact.unit),
        reading=None,
        verdict=verdicts[one.verdict],
        reason=one.reason,
        missing=one.missing,
        basis="arithmetic" if one.basis == "arithmetic" else "none",
        published_value=float(fact.value or 0),
        measured_value=one.measured,
        measured_low=one.measured,
        measured_high=one.measured,
        unit=fact.unit,
        is_demonstration=False,
    )
