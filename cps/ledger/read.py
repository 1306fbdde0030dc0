"""Read ledger files into rows that know their file, sheet and cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cps.errors import LedgerError, Text
from cps.ledger._extract import Reading
from cps.ledger._layout import Layout, find_header, load_layouts, nearest_header
from cps.ledger._log import Log, refuse_rejected
from cps.ledger.rows import ROWS_SCHEMA, Ledgers, SourceFile
from cps.ledger.workbook import SUFFIXES, Sheet, read_sheets
from cps.provenance import sha256_file

SYNTHETIC = "合成"


def read_ledgers(
    paths: Path | str | Sequence[Path | str], *, formats: Path | None = None
) -> Ledgers:
    """Read ledger files of any known layout.

    Every sheet must fit exactly one layout. Cells that can't be read without guessing are
    collected and refused together; what was normalised or passed over is a finding.

    Parameters
    ----------
    paths : path or sequence of paths
        Files, or folders whose ``.csv`` and ``.xlsx`` files are all read.
    formats : Path or None
        Folder with further layouts.

    Raises
    ------
    LedgerError
        If a file is missing or damaged, a sheet fits no layout, or a cell can't be read; names
        file › sheet › cell.
    """
    layouts = load_layouts(formats)
    log = Log()
    columns: dict[str, list[Any]] = {name: [] for name in ROWS_SCHEMA}
    sources: list[SourceFile] = []
    for name, path in _files(paths, log):
        before = len(columns["unit"])
        layout_ids = []
        for sheet in read_sheets(path):
            layout = _read_sheet(name, sheet, layouts, log, columns)
            layout_ids += [layout] if layout else []
        source = SourceFile(
            name,
            sha256_file(path),
            ", ".join(dict.fromkeys(layout_ids)),
            len(columns["unit"]) - before,
        )
        twin = next((one for one in sources if one.sha256 == source.sha256), None)
        if twin:
            log.add(
                "E-LEDGER-TWICE",
                "reject",
                Text(f"与 {twin.name} 内容完全相同", f"the same file as {twin.name}"),
                sheet=name,
                mend=Text("删去其中一份", "remove one of them"),
            )
        sources.append(source)
    findings = log.collapsed()
    refuse_rejected(findings)
    return Ledgers(pl.DataFrame(columns, schema=ROWS_SCHEMA), findings, tuple(sources))


def _read_sheet(
    file: str,
    sheet: Sheet,
    layouts: dict[str, Layout],
    log: Log,
    columns: dict[str, list[Any]],
) -> str | None:
    where = f"{file} › {sheet.name}"
    if not any(cell.strip() for row in sheet.grid for cell in row):
        log.add(
            "N-LEDGER-EMPTY-SHEET",
            "note",
            Text("工作表为空，已略过", "an empty sheet: passed over"),
            sheet=where,
            mend=Text("无需处理", "nothing to do"),
        )
        return None
    fitting = [
        (layout, header) for layout in layouts.values() if (header := find_header(sheet, layout))
    ]
    if len(fitting) != 1:
        _add_layout_finding(sheet, layouts, [one.id for one, _ in fitting], where, log)
        return None
    layout, header = fitting[0]
    if sheet.is_hidden:
        log.add(
            "W-LEDGER-HIDDEN",
            "warn",
            Text("隐藏的工作表也已读取", "a hidden sheet was read too"),
            sheet=where,
            mend=Text("如不应读取，请删除该工作表", "delete it if it should not be"),
        )
    is_synthetic = SYNTHETIC in file or SYNTHETIC in header.title
    read = Reading(file, sheet, layout, header, log, is_synthetic).run()
    for name, values in read.items():
        columns[name] += values
    return layout.id


def _add_layout_finding(
    sheet: Sheet, layouts: dict[str, Layout], fitting: list[str], where: str, log: Log
) -> None:
    if fitting:
        names = ", ".join(fitting)
        log.add(
            "E-LEDGER-AMBIGUOUS",
            "reject",
            Text(f"同时符合多个版式：{names}", f"fits several layouts: {names}"),
            sheet=where,
            mend=Text("在标题中写明内容，或删去多余的版式", "say in the title what it is"),
        )
        return
    layout, lacks = nearest_header(sheet, layouts)
    log.add(
        "E-LEDGER-LAYOUT",
        "reject",
        Text("没有与该表相符的版式", "the sheet fits no known layout"),
        sheet=where,
        mend=Text(
            f"最接近“{layout.name.zh}”（{layout.id}），缺少：{'、'.join(lacks)}",
            f"the nearest is {layout.id} ({layout.name.en}); it lacks: {', '.join(lacks)}",
        ),
    )


def _files(paths: Path | str | Sequence[Path | str], log: Log) -> list[tuple[str, Path]]:
    """Give each file with the name that messages and manifests call it by."""
    given = [paths] if isinstance(paths, Path | str) else list(paths)
    found: list[tuple[str, Path]] = []
    for path in map(Path, given):
        if not path.exists():
            raise LedgerError(
                Text("找不到台账", "there is no such ledger"),
                where=str(path),
                mend=Text(
                    "检查路径；示例台账用 cps demo 生成", "check the path; cps demo writes examples"
                ),
            )
        if path.is_file():
            found.append((path.name, path))
            continue
        inside = [one for one in sorted(path.rglob("*")) if one.is_file()]
        shown = [one for one in inside if not one.name.startswith((".", "~$"))]
        for one in shown:
            if one.suffix.lower() in SUFFIXES:
                found.append((one.relative_to(path).as_posix(), one))
            else:
                log.add(
                    "W-LEDGER-NOT-READ",
                    "warn",
                    Text("不是 csv 或 xlsx，未读取", "neither csv nor xlsx: not read"),
                    sheet=one.relative_to(path).as_posix(),
                    mend=Text("另存为 .xlsx 或 .csv", "save it as .xlsx or .csv"),
                )
    if not found:
        raise LedgerError(
            Text("文件夹里没有台账（.csv 或 .xlsx）", "no ledgers (.csv or .xlsx) in the folder"),
            where=", ".join(map(str, given)),
            mend=Text(
                "放入台账，或用 cps demo 生成示例",
                "put ledgers there, or write examples with cps demo",
            ),
        )
    return found
