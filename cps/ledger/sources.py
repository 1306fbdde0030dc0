"""Where ledgers come from: files, folders and databases, each with the name messages call it by."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cps.errors import LedgerError, Text, UsageError
from cps.ledger._log import Log, Source, visible
from cps.ledger.containers.record import Remark
from cps.ledger.workbook import SUFFIXES, Opened, Sheet

_SCHEMES = ("sqlite", "postgresql", "postgres")
_SIDECAR = ".delivery.toml"


def find(paths: Path | str | Sequence[Path | str], log: Log) -> list[tuple[str, Path | str]]:
    """Give each file or database address with the name that messages and manifests call it by.

    Raises
    ------
    LedgerError
        If a path is not there, or a folder holds no ledger.
    """
    given = [paths] if isinstance(paths, Path | str) else list(paths)
    found: list[tuple[str, Path | str]] = []
    for one in given:
        if isinstance(one, str) and urlsplit(one).scheme in _SCHEMES:
            found.append((_database_name(one), one))
            continue
        path = Path(one)
        if not os.path.lexists(path):
            raise LedgerError(
                Text("找不到台账", "there is no such ledger"),
                where=visible(str(path)),
                mend=Text(
                    "检查路径；示例台账用 cps demo 生成", "check the path; cps demo writes examples"
                ),
            )
        if path.is_dir():
            found += _inside(path, log)
        elif path.name.startswith("~$"):
            _lock(path, log)
        else:
            found.append((visible(path.name), path))
    if not found:
        raise LedgerError(
            Text("没有可读的台账（.xlsx、.csv 等）", "no ledgers (.xlsx, .csv …) to read"),
            where=", ".join(visible(str(one)) for one in given),
            mend=Text(
                "放入台账，或用 cps demo 生成示例",
                "put ledgers there, or write examples with cps demo",
            ),
        )
    return found


def _inside(folder: Path, log: Log) -> list[tuple[str, Path | str]]:
    found: list[tuple[str, Path | str]] = []
    for one in sorted(folder.rglob("*")):
        name = visible(one.relative_to(folder).as_posix())
        if one.is_dir() or one.name.startswith("."):
            continue
        if one.name.startswith("~$"):
            _lock(one, log)
        elif one.suffix.lower() in (*SUFFIXES, ".parquet"):
            found.append((name, one))
        elif not one.name.endswith(_SIDECAR):
            log.add(
                "W-FILE-NOT-READ",
                "warn",
                Text("不是台账文件，未读取", "no ledger's file: not read"),
                source=Source(name, ""),
                mend=Text(
                    "如是台账，另存为 .xlsx 或 .csv", "save it as .xlsx or .csv if it is one"
                ),
            )
    return found


def _lock(path: Path, log: Log) -> None:
    log.add(
        "N-FILE-LOCK",
        "note",
        Text("打开中的工作簿留下的锁文件，已略过", "a lock file of an open workbook: passed over"),
        source=Source(visible(path.name), ""),
    )


def refuse_link(path: Path, name: str) -> Remark | None:
    """Refuse a link that leads out of the folder it lies in."""
    if not path.is_symlink():
        return None
    home, target = path.parent.resolve(), path.resolve()
    if target.is_relative_to(home):
        return None
    return Remark(
        "E-FILE-LINK",
        "reject",
        Text("是指向文件夹之外的链接，未打开", "a link that leads out of its folder: not opened"),
        Text("把文件本身放进来", "put the file itself there"),
    )


def _database_name(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return visible(f"{parts.scheme}://{host}{unquote(parts.path)}")


def open_database(url: str) -> Opened:
    """Read tables of a database to sheets of text: the table after ``#``, or all of them.

    Raises
    ------
    LedgerError, UsageError
        If it can't be reached, or there is no such table; passwords are never shown.
    """
    parts = urlsplit(url)
    tables = [unquote(parts.fragment)] if parts.fragment else []
    if parts.scheme == "sqlite":
        sheets = _sqlite(unquote(parts.path)[1:] or parts.netloc, tables, _database_name(url))
    else:
        sheets = _postgresql(url.partition("#")[0], tables, _database_name(url))
    return Opened(tuple(sheets), (), "", "database", 0)


def _sqlite(path: str, tables: list[str], name: str) -> list[Sheet]:
    if not Path(path).is_file():
        raise LedgerError(
            Text("找不到数据库文件", "there is no such database"),
            where=name,
            mend=Text(
                "写作 sqlite:///相对路径#表 或 sqlite:////绝对路径#表",
                "write sqlite:///relative/path#table or sqlite:////absolute/path#table",
            ),
        )
    try:
        link = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)
        try:
            there = [
                row[0]
                for row in link.execute(
                    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
                )
            ]
            chosen = _chosen(tables, there, name)
            sheets = []
            for table in chosen:
                quoted = '"' + table.replace('"', '""') + '"'
                cursor = link.execute(f"SELECT * FROM {quoted}")  # noqa: S608 - a listed name
                heads = [one[0] for one in cursor.description]
                sheets.append(_rows_to_sheet(table, heads, cursor.fetchall()))
            return sheets
        finally:
            link.close()
    except sqlite3.Error as error:
        raise _database_error(name, str(error)) from error


def _postgresql(url: str, tables: list[str], name: str) -> list[Sheet]:
    try:
        import psycopg
        from psycopg import sql
    except ImportError as error:
        raise UsageError(
            Text("读 PostgreSQL 需要 psycopg", "reading PostgreSQL needs psycopg"),
            where=name,
            mend=Text("pip install 'cps[postgresql]'", "pip install 'cps[postgresql]'"),
        ) from error
    try:
        with psycopg.connect(url, connect_timeout=10) as link:
            link.read_only = True
            there = [
                row[0]
                for row in link.execute(
                    "SELECT table_name FROM information_schema.tables "
                    "WHERE table_schema = ANY (current_schemas(false)) ORDER BY table_name"
                )
            ]
            sheets = []
            for table in _chosen(tables, there, name):
                cursor = link.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
                heads = [one.name for one in cursor.description or ()]
                sheets.append(_rows_to_sheet(table, heads, cursor.fetchall()))
            return sheets
    except psycopg.Error as error:
        raise _database_error(name, str(error).splitlines()[0] if str(error) else "") from error


def _chosen(wanted: list[str], there: list[str], name: str) -> list[str]:
    for one in wanted:
        if one not in there:
            raise LedgerError(
                Text(f"数据库里没有表“{one}”", f"the database has no table {one}"),
                where=name,
                mend=Text(f"可选：{'、'.join(there)}", f"it has: {', '.join(there)}"),
            )
    return wanted or there


def _database_error(name: str, detail: str) -> LedgerError:
    return LedgerError(
        Text(
            f"数据库读取失败：{visible(detail)}", f"the database can't be read: {visible(detail)}"
        ),
        where=name,
        mend=Text("检查地址、用户和权限", "check the address, the user and its rights"),
    )


def _rows_to_sheet(name: str, heads: list[str], rows: Sequence[Sequence[Any]]) -> Sheet:
    grid = [list(heads), *([_text(one) for one in row] for row in rows)]
    return Sheet(
        name=name,
        is_text=False,
        is_hidden=False,
        merged=[],
        marks={},
        hidden_rows=frozenset(),
        hidden_columns=frozenset(),
        lines=None,
        rows=grid,
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        from cps.ledger.containers.numbers import plain_number

        return plain_number(repr(value))
    return str(value)
