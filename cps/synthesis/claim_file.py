"""The file of claims: read strictly, key by key, and held against the facts that it cites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from cps.dropin import read_toml
from cps.errors import CpsError, Finding, LedgerError, Text, UsageError
from cps.facts import Comparator, Facts
from cps.synthesis._claim_keys import (
    choice,
    fault,
    known_keys,
    number,
    record_keys,
    text_of,
    typed,
    whole,
    word,
)
from cps.synthesis._claim_metrics import (
    METRICS,
    OUTCOMES,
    SCOPES_WITH_NAME,
    SCOPES_WITHOUT_NAME,
    scopes_of,
    unit_kinds,
)
from cps.synthesis._claim_words import COMPARATORS, unit_of, units_of_kinds

READINGS = ("A", "B", "C")
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_PARTICULAR = (
    "year",
    "base_year",
    "threshold_yuan",
    "threshold_includes",
    "rank",
    "outcome",
    "filing_metric",
    "filing_period",
    "needs",
)
_TYPES: dict[str, type] = {
    **dict.fromkeys(("metric", "comparator", "unit", "scope", "fact_id", "reading"), str),
    **dict.fromkeys(("outcome", "filing_metric", "filing_period"), str),
    **dict.fromkeys(("needs", "context"), list),
    "threshold_includes": bool,
}
_FILING_TYPES: dict[str, type] = dict.fromkeys(
    ("entity", "metric", "period", "unit", "source"), str
)


@dataclass(frozen=True, slots=True)
class Quoted:
    """A figure published elsewhere that bears on a claim; ``of`` is what it is a part of."""

    id: str
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim in one reading.

    Parameters
    ----------
    value, value_to : Decimal
        In ``unit``, with the decimals that were stated.
    scope : str
        ``target_area, hosts, all, area:NAME, village:NAME, initiative:ID``, or the firm of a filing.
    reading : {"A", "B", "C"} or None
        Which meaning of an ambiguous claim this is.
    needs : tuple of str
        Of what can't be measured: names of ``[series]`` that are missing.
    threshold_includes : bool
        True if a village exactly at the threshold counts.
    rank : int or None
        The village with the rank-th highest value.
    tolerance_pct : Decimal
        How far 约 and 近 reach, in per cent of the value.
    where : str
        ``file › claim id``, for messages.
    """

    id: str
    text: Text
    metric: str
    comparator: Comparator
    value: Decimal
    unit: str
    scope: str
    fact_id: str = ""
    reading: str | None = None
    value_to: Decimal | None = None
    outcome: str = "income_yuan"
    year: int | None = None
    base_year: int | None = None
    threshold_yuan: int | None = None
    threshold_includes: bool = False
    rank: int | None = None
    tolerance_pct: Decimal = Decimal(10)
    filing_metric: str | None = None
    filing_period: str | None = None
    needs: tuple[str, ...] = ()
    context: tuple[Quoted, ...] = ()
    where: str = ""

    @property
    def size(self) -> float:
        """How many 元, persons or per cent one of ``unit`` is; 1 for units without a kind."""
        found = unit_of(self.unit)
        return float(found[1]) if found else 1.0

    @property
    def kind(self) -> str:
        """What ``unit`` counts: ``money, persons, rate, times, points, count`` or ``plain``."""
        found = unit_of(self.unit)
        return found[0] if found else ""


@dataclass(frozen=True, slots=True)
class Filing:
    """One figure that a firm or office filed."""

    entity: str
    metric: str
    name: Text
    period: str
    value: Decimal
    unit: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class ClaimFile:
    """Claims, the filings that they are held against, and the words for series and places."""

    claims: tuple[Claim, ...]
    filings: tuple[Filing, ...]
    series: dict[str, Text]
    places: dict[str, Text]


def load_claims(facts: Facts, path: Path | None = None) -> ClaimFile:
    """Read claims; by default those that lie beside ``facts``.

    Raises
    ------
    LedgerError
        If the file is not TOML, or a key, metric, comparator, unit, scope, series or fact in it is
        unknown, missing or of no use to the metric, or figures differ from the cited fact's. Names
        ``file › claim › key``; the faults of all claims are in ``findings``.
    UsageError
        If the file is missing.
    """
    source = Path(path) if path is not None else facts.folder / "claims.toml"
    stored = _read(source)
    faults: list[CpsError] = []
    _collect(
        faults,
        lambda: known_keys(stored, ("series", "claim", "filing", "place"), where=source.name),
    )
    series = _named_texts(stored, "series", source.name)
    places = _named_texts(stored, "place", source.name)
    claims: list[Claim] = []
    seen: set[str] = set()
    for place, table in enumerate(_tables(stored, "claim", source.name), start=1):
        where = f"{source.name} › claim {table.get('id', place)}"

        def read(table: Mapping[str, Any] = table, where: str = where) -> None:
            claim = _claim(table, facts, series, where=where)
            if claim.id in seen:
                raise fault(
                    Text("编号重复", "the id is used twice"),
                    Text("每条说法用不同的编号", "give each claim an id of its own"),
                    where=f"{where} › id",
                )
            seen.add(claim.id)
            claims.append(claim)

        _collect(faults, read)
    filings: list[Filing] = []
    for place, table in enumerate(_tables(stored, "filing", source.name), start=1):
        where = f"{source.name} › filing {place}"
        _collect(faults, lambda t=table, w=where: filings.append(_filing(t, where=w)))
    if faults:
        first = faults[0]
        found = [Finding("E-CLAIM", "reject", one.what, one.where, one.mend) for one in faults]
        raise LedgerError(first.what, where=first.where, mend=first.mend, findings=found)
    return ClaimFile(tuple(claims), tuple(filings), series, places)


def _collect(faults: list[CpsError], read: Any) -> None:
    try:
        read()
    except LedgerError as found:
        faults.append(found)


def _read(source: Path) -> dict[str, Any]:
    try:
        return read_toml(source)
    except UsageError as error:
        if not source.is_file():
            raise
        raise LedgerError(error.what, where=error.where, mend=error.mend) from error


def _tables(stored: Mapping[str, Any], name: str, file: str) -> list[Mapping[str, Any]]:
    tables = stored.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(one, Mapping) for one in tables):
        raise fault(
            Text(f"{name} 不是一组表", f"{name} is not a list of tables"),
            Text(f"每条以 [[{name}]] 开头", f"begin each with [[{name}]]"),
            where=f"{file} › {name}",
        )
    return tables


def _named_texts(stored: Mapping[str, Any], name: str, file: str) -> dict[str, Text]:
    typed(stored, {name: dict}, where=file)
    return {
        key: text_of(words, where=f"{file} › {name} › {key}")
        for key, words in stored.get(name, {}).items()
    }


def _claim(
    table: Mapping[str, Any], facts: Facts, series: Mapping[str, Text], *, where: str
) -> Claim:
    record_keys(table, Claim, where=where, hidden=("where",))
    typed(table, _TYPES, where=where)
    metric = choice(str(table["metric"]), METRICS, where=f"{where} › metric")
    _keys_of_metric(table, metric, where=where)
    comparator = choice(str(table["comparator"]), COMPARATORS, where=f"{where} › comparator")
    given: dict[str, Any] = {
        **table,
        "id": word(table["id"], where=f"{where} › id"),
        "text": text_of(table["text"], where=f"{where} › text"),
        "comparator": COMPARATORS[comparator],
        "value": number(table["value"], where=f"{where} › value"),
        "unit": str(table["unit"]),
        "needs": tuple(table.get("needs", ())),
        "context": tuple(
            _quoted(one, facts, where=f"{where} › context") for one in table.get("context", ())
        ),
        "where": where,
    }
    for name in ("value_to", "tolerance_pct"):
        if name in table:
            given[name] = number(table[name], where=f"{where} › {name}")
    for name in ("year", "base_year"):
        if name in table:
            given[name] = whole(table[name], _FIRST_YEAR, _LAST_YEAR, where=f"{where} › {name}")
    for name in ("threshold_yuan", "rank"):
        if name in table:
            given[name] = whole(table[name], 1, 10**12, where=f"{where} › {name}")
    claim = Claim(**given)
    _check_choices(claim, series, where=where)
    _check_figures(claim, where=where)
    if claim.fact_id:
        _agrees_with_fact(claim, facts, where=where)
    return claim


def _keys_of_metric(table: Mapping[str, Any], metric: str, *, where: str) -> None:
    of = METRICS[metric]
    for name in of.needs:
        if name not in table:
            raise fault(
                Text(f"指标 {metric} 需要 {name}", f"metric {metric} needs {name}"),
                Text(f"补上 {name}", f"add {name}"),
                where=f"{where} › {name}",
            )
    for name in _PARTICULAR:
        if name in table and name not in (*of.needs, *of.may):
            raise fault(
                Text(f"指标 {metric} 用不到 {name}", f"metric {metric} has no use for {name}"),
                Text("删去它，或换一个指标", "drop it, or choose another metric"),
                where=f"{where} › {name}",
            )


def _check_choices(claim: Claim, series: Mapping[str, Text], *, where: str) -> None:
    if claim.reading is not None:
        choice(claim.reading, READINGS, where=f"{where} › reading")
    choice(claim.outcome, OUTCOMES, where=f"{where} › outcome")
    for name in claim.needs:
        choice(str(name), series, where=f"{where} › needs")
    scopes = METRICS[claim.metric].scopes
    if scopes:
        kind, _, name = claim.scope.partition(":")
        is_known = kind in scopes and bool(name) == (kind in SCOPES_WITH_NAME)
        if not is_known or (name and kind in SCOPES_WITHOUT_NAME):
            choice(claim.scope, scopes_of(claim.metric), where=f"{where} › scope")
    kinds = unit_kinds(claim.metric, claim.outcome)
    if kinds and claim.kind not in kinds:
        units = units_of_kinds(kinds)
        raise fault(
            Text(
                f"指标 {claim.metric} 不能以“{claim.unit}”计",
                f"metric {claim.metric} can't be stated in {claim.unit!r}",
            ),
            Text(f"可选：{'、'.join(units)}", f"choose one of: {', '.join(units) or 'no unit'}"),
            where=f"{where} › unit",
        )


def _check_figures(claim: Claim, *, where: str) -> None:
    is_range = claim.comparator is Comparator.BETWEEN
    if is_range != (claim.value_to is not None):
        raise fault(
            Text("区间须有上限，且只有区间才有", "a range, and only a range, has an upper end"),
            Text("补上或删去 value_to", "add or drop value_to"),
            where=f"{where} › value_to",
        )
    if claim.value_to is not None and claim.value_to < claim.value:
        raise fault(
            Text("上限小于下限", "the upper end is below the lower"),
            Text("更正 value 或 value_to", "correct value or value_to"),
            where=f"{where} › value_to",
        )
    if not 0 <= claim.tolerance_pct < 100:
        raise fault(
            Text("容差须在 0 与 100 之间", "the tolerance must lie between 0 and 100"),
            Text("写成如 10", "write it as 10"),
            where=f"{where} › tolerance_pct",
        )
    if claim.base_year is not None and claim.year is not None and claim.base_year >= claim.year:
        raise fault(
            Text(
                f"基年 {claim.base_year} 不早于 {claim.year}",
                f"base year {claim.base_year} is not before {claim.year}",
            ),
            Text("更正其中一个年份", "correct one of the years"),
            where=f"{where} › base_year",
        )


def _filing(table: Mapping[str, Any], *, where: str) -> Filing:
    record_keys(table, Filing, where=where)
    typed(table, _FILING_TYPES, where=where)
    return Filing(
        **{
            **table,
            "name": text_of(table["name"], where=f"{where} › name"),
            "value": number(table["value"], where=f"{where} › value"),
        }
    )


def _quoted(entry: Any, facts: Facts, *, where: str) -> Quoted:
    known = [one.id for one in facts.context]
    if isinstance(entry, Mapping):
        known_keys(entry, ("id", "of"), where=where)
        part = choice(str(entry.get("id", "")), known, where=where)
        return Quoted(part, choice(str(entry["of"]), known, where=where) if "of" in entry else None)
    return Quoted(choice(str(entry), known, where=where))


def _agrees_with_fact(claim: Claim, facts: Facts, *, where: str) -> None:
    choice(claim.fact_id, [one.id for one in facts.facts], where=f"{where} › fact_id")
    fact = facts.fact(claim.fact_id)
    pairs = {
        "value": (claim.value, fact.value),
        "value_to": (claim.value_to, fact.value_to),
        "comparator": (claim.comparator, fact.comparator),
        "unit": (claim.unit, fact.unit),
    }
    for name, (ours, published) in pairs.items():
        if ours != published:
            raise fault(
                Text(
                    f"{ours} 与事实 {fact.id} 的 {published} 不同",
                    f"{ours} differs from {published} in fact {fact.id}",
                ),
                Text("按 facts.csv 更正", "correct it after facts.csv"),
                where=f"{where} › {name}",
            )
