"""The file of published claims: read strictly and held against the facts that it cites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from cps.dropin import read_toml
from cps.errors import LedgerError, Text, nearest
from cps.facts import Comparator, Facts

METRICS = (
    "local_jobs_total",
    "mean_yearly_gain",
    "mean_rise",
    "pooled_effect",
    "share_above",
    "count_above",
    "filing",
    "not_measurable",
)
# What a metric cannot be measured without.
_PARAMETERS = {
    "mean_yearly_gain": ("base_year", "year"),
    "mean_rise": ("year",),
    "pooled_effect": ("effect",),
    "share_above": ("threshold_yuan", "year"),
    "count_above": ("threshold_yuan", "year"),
    "filing": ("filing_metric", "filing_period"),
}
# The panel's outcome that a metric reads, over the villages of a scope.
_OUTCOMES = {
    "local_jobs_total": "jobs_persons",
    "mean_yearly_gain": "income_yuan",
    "mean_rise": "income_yuan",
    "share_above": "income_yuan",
    "count_above": "income_yuan",
}
SCOPES = ("target_area", "hosts")


@dataclass(frozen=True, slots=True)
class Claim:
    """One published claim in one reading.

    Parameters
    ----------
    value : Decimal
        In ``unit``, as published.
    scope : str
        ``target_area``, ``hosts``, ``collectives`` or the name of a firm.
    reading : {"A", "B", "C"} or None
        Which meaning of an ambiguous claim this is.
    needs : tuple of str
        Series without which it can't be tested: outcome columns or names of ``[series]``.
    """

    id: str
    fact_id: str
    text: Text
    metric: str
    comparator: Comparator
    value: Decimal
    unit: str
    scope: str
    needs: tuple[str, ...]
    reading: str | None = None
    base_year: int | None = None
    year: int | None = None
    threshold_yuan: int | None = None
    effect: str | None = None
    filing_metric: str | None = None
    filing_period: str | None = None


@dataclass(frozen=True, slots=True)
class Filing:
    """One figure of a firm's filing."""

    entity: str
    metric: str
    name: Text
    period: str
    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class ClaimFile:
    """All claims, the filings they are held against, and the names of the series they need."""

    claims: tuple[Claim, ...]
    filings: tuple[Filing, ...]
    series: dict[str, Text]


def load_claims(facts: Facts, path: Path | None = None) -> ClaimFile:
    """Read the claims that lie beside ``facts``.

    Raises
    ------
    LedgerError
        If a key, metric, comparator, series or fact is unknown or missing, an id comes twice, or
        value, comparator or unit differ from the fact's.
    UsageError
        If the file is missing or not TOML.
    """
    source = path or facts.folder / "claims.toml"
    stored = read_toml(source)
    _known_keys(stored, ("series", "claim", "filing"), where=source.name)
    series = {
        name: _text(words, where=f"{source.name} › series › {name}")
        for name, words in stored.get("series", {}).items()
    }
    claims: list[Claim] = []
    for number, table in enumerate(stored.get("claim", []), start=1):
        where = f"{source.name} › claim {table.get('id', number)}"
        claim = _claim(table, where=where)
        _agrees_with_fact(claim, facts, where=where)
        for name in claim.needs:
            _choice(name, series, where=f"{where} › needs")
        if claim.id in {one.id for one in claims}:
            raise _fault("编号重复", "the id is used twice", where=f"{where} › id")
        claims.append(claim)
    filings = tuple(
        _filing(table, where=f"{source.name} › filing {number}")
        for number, table in enumerate(stored.get("filing", []), start=1)
    )
    return ClaimFile(tuple(claims), filings, series)


def _claim(table: Mapping[str, Any], *, where: str) -> Claim:
    _record_keys(table, Claim, where=where)
    metric = _choice(str(table["metric"]), METRICS, where=f"{where} › metric")
    for name in _PARAMETERS.get(metric, ()):
        if name not in table:
            raise _fault(
                f"指标 {metric} 需要 {name}",
                f"metric {metric} needs {name}",
                where=f"{where} › {name}",
            )
    if metric in _OUTCOMES:
        _choice(str(table["scope"]), SCOPES, where=f"{where} › scope")
        if _OUTCOMES[metric] not in table["needs"]:
            raise _fault(
                f"指标 {metric} 需要序列 {_OUTCOMES[metric]}",
                f"metric {metric} needs the series {_OUTCOMES[metric]}",
                where=f"{where} › needs",
            )
    if table.get("reading") is not None:
        _choice(str(table["reading"]), ("A", "B", "C"), where=f"{where} › reading")
    comparator = _choice(
        str(table["comparator"]), [one.value for one in Comparator], where=f"{where} › comparator"
    )
    return Claim(
        **{
            **table,
            "text": _text(table["text"], where=f"{where} › text"),
            "comparator": Comparator(comparator),
            "value": _number(table["value"], where=f"{where} › value"),
            "needs": tuple(table["needs"]),
        }
    )


def _filing(table: Mapping[str, Any], *, where: str) -> Filing:
    _record_keys(table, Filing, where=where)
    return Filing(
        **{
            **table,
            "name": _text(table["name"], where=f"{where} › name"),
            "value": _number(table["value"], where=f"{where} › value"),
        }
    )


def _agrees_with_fact(claim: Claim, facts: Facts, *, where: str) -> None:
    _choice(claim.fact_id, [one.id for one in facts.facts], where=f"{where} › fact_id")
    fact = facts.fact(claim.fact_id)
    pairs = {
        "value": (claim.value, fact.value),
        "comparator": (claim.comparator, fact.comparator),
        "unit": (claim.unit, fact.unit),
    }
    for name, (ours, published) in pairs.items():
        if ours != published:
            raise _fault(
                f"{ours} 与事实 {fact.id} 的 {published} 不同",
                f"{ours} differs from {published} in fact {fact.id}",
                where=f"{where} › {name}",
            )


def _record_keys(table: Mapping[str, Any], record: type, *, where: str) -> None:
    names = [one.name for one in fields(record)]
    _known_keys(table, names, where=where)
    for one in fields(record):
        if one.default is MISSING and one.name not in table:
            raise _fault(
                f"缺少 {one.name}", f"{one.name} is missing", where=f"{where} › {one.name}"
            )


def _known_keys(
    table: Mapping[str, Any], names: tuple[str, ...] | list[str], *, where: str
) -> None:
    for key in table:
        _choice(key, names, where=where)


def _choice(
    value: str, choices: tuple[str, ...] | list[str] | Mapping[str, Any], *, where: str
) -> str:
    if value in choices:
        return value
    near = nearest(value, choices)
    hint = (f"；是否想写“{near}”？", f"; did you mean {near!r}?") if near else ("", "")
    raise _fault(
        f"没有名为“{value}”的选项{hint[0]}", f"{value!r} is not known here{hint[1]}", where=where
    )


def _number(value: Any, *, where: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _fault(f"{value!r} 不是数字", f"{value!r} is not a number", where=where)
    return Decimal(str(value))


def _text(value: Any, *, where: str) -> Text:
    if not isinstance(value, Mapping) or set(value) != {"zh", "en"}:
        raise _fault("须有 zh 和 en 两种文字", "needs zh and en", where=where)
    return Text(str(value["zh"]), str(value["en"]))


def _fault(zh: str, en: str, *, where: str) -> LedgerError:
    return LedgerError(
        Text(zh, en),
        where=where,
        mend=Text("在 claims.toml 中更正", "correct it in claims.toml"),
    )
