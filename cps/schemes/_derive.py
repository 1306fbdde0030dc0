"""Columns made of others of the same row, by rules of a closed vocabulary."""

from __future__ import annotations

import polars as pl

from cps.errors import Finding, Text
from cps.schemes.record import Derived, SchemeLedger

_SECONDS = {"minutes_between": 60.0, "hours_between": 3_600.0, "days_between": 86_400.0}


def with_derived(frame: pl.DataFrame, ledger: SchemeLedger) -> tuple[pl.DataFrame, list[Finding]]:
    """Add a ledger's made columns; a case that ends before it begins has no duration, and is said."""
    findings = []
    for one in ledger.derived:
        frame = frame.with_columns(_made(one).alias(one.id))
        if one.rule in _SECONDS:
            negative = frame.filter(pl.col(one.id) < 0)
            if negative.height:
                findings.append(_backwards(one, ledger, negative))
                kept = pl.when(pl.col(one.id) >= 0).then(pl.col(one.id))
                frame = frame.with_columns(kept.alias(one.id))
    return frame, findings


def _made(one: Derived) -> pl.Expr:
    keys = one.keys
    if one.rule in _SECONDS:
        start, end = pl.col(str(keys["from"])), pl.col(str(keys["to"]))
        seconds = (end.cast(pl.Datetime("us")) - start.cast(pl.Datetime("us"))).dt.total_seconds()
        return seconds.cast(pl.Float64) / _SECONDS[one.rule]
    of = pl.col(str(keys["of"]))
    if one.rule in ("is_missing", "is_known"):
        return of.is_null() if one.rule == "is_missing" else of.is_not_null()
    if one.rule == "year":
        return of.dt.year().cast(pl.Float64)
    if one.rule == "at_most":
        return of <= keys["limit"]
    if one.rule == "at_least":
        return of >= keys["limit"]
    if one.rule == "within":
        return (of >= keys["low"]) & (of <= keys["high"])
    if one.rule == "log":
        # A logarithm of nothing is nothing, not minus infinity.
        return pl.when(of > 0).then(of.log())
    by = pl.col(str(keys["by"]))
    if one.rule == "ratio":
        return pl.when(by != 0).then(of / by)
    return of - by if one.rule == "difference" else of * by


def _backwards(one: Derived, ledger: SchemeLedger, rows: pl.DataFrame) -> Finding:
    first = rows.row(0, named=True)
    heads = {column.id: column.heads[0] for column in ledger.layout.columns}
    start, end = heads[str(one.keys["from"])], heads[str(one.keys["to"])]
    return Finding(
        code="W-SCHEME-BACKWARDS",
        severity="warn",
        what=Text(
            f"“{end}”早于“{start}”，该行的用时留空",
            f"{end} is earlier than {start}: the row's duration is left empty",
        ),
        where=f"{first['source_file']} › {first['line']}",
        mend=Text("核对这两个时间", "check the two times"),
        count=rows.height,
        file=first["source_file"],
        line=first["line"],
    )
