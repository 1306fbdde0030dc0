"""From a scheme's ledger files to tables of cases, with the columns that are made of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from cps.errors import Finding, SchemeError, Text
from cps.ledger.read import Paths
from cps.ledger.read_tables import POLARS_TYPES, read_tables
from cps.ledger.rows import SourceFile
from cps.schemes._derive import with_derived
from cps.schemes.record import Scheme


@dataclass(frozen=True, slots=True, eq=False)
class SchemeLedgers:
    """What a scheme's ledgers hold.

    Parameters
    ----------
    tables : dict of ledger id to polars.DataFrame
        One row a case: the columns that the scheme's file declares, those made of them, and
        ``source_file, sheet, line``. Money is in 元.
    """

    tables: Mapping[str, pl.DataFrame]
    findings: tuple[Finding, ...]
    sources: tuple[SourceFile, ...]
    is_synthetic: bool


def read_scheme(scheme: Scheme, paths: Paths, *, strict: bool = True) -> SchemeLedgers:
    """Read a scheme's ledgers.

    Parameters
    ----------
    paths : path or sequence of paths
        Files, or folders all of whose ledgers are read.
    strict : bool
        If false, what can't be read is left out and said in ``findings``.

    Raises
    ------
    SchemeError
        If the scheme declares no ledgers.
    LedgerError
        If a file, sheet or cell can't be read; names file › sheet › cell.
    """
    if not scheme.ledgers:
        raise SchemeError(
            Text(f"“{scheme.name.zh}”没有声明台账格式", f"{scheme.name.en} declares no ledgers"),
            where=f"{scheme.id}.toml › ledgers",
            mend=Text("在该文件中写明台账的列", "describe the ledger's columns in that file"),
        )
    read = read_tables(paths, [one.layout for one in scheme.ledgers], strict=strict)
    tables, findings = {}, list(read.findings)
    for ledger in scheme.ledgers:
        frame = read.frames[ledger.id].with_columns(
            pl.col(one.id).cast(pl.Float64) / 100
            for one in ledger.layout.columns
            if one.type == "money"
        )
        tables[ledger.id], notes = with_derived(frame, ledger)
        findings += notes
    return SchemeLedgers(tables, tuple(findings), read.sources, read.is_synthetic)


def empty_ledgers(scheme: Scheme) -> SchemeLedgers:
    """Give a scheme's tables without a row, as where no ledger has come."""
    tables = {}
    for ledger in scheme.ledgers:
        schema = {
            one.id: pl.Float64() if one.type == "money" else POLARS_TYPES[one.type]
            for one in ledger.layout.columns
        }
        frame = pl.DataFrame(
            schema={**schema, "source_file": pl.String, "sheet": pl.String, "line": pl.Int32}
        )
        tables[ledger.id], _ = with_derived(frame, ledger)
    return SchemeLedgers(tables, (), (), is_synthetic=False)
