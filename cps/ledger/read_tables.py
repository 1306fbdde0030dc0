"""Read ledgers of one row a case into typed frames whose rows know their file, sheet and line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from cps.errors import Finding, Text
from cps.ledger import sources
from cps.ledger._log import Log, Source, refuse_rejected
from cps.ledger._table_cells import Reader
from cps.ledger._table_sheets import Fit, fitting, nearest_layout, passed_over
from cps.ledger.delivery import check_sidecar
from cps.ledger.read import SYNTHETIC, Paths
from cps.ledger.rows import SourceFile
from cps.ledger.tables import TableLayout
from cps.ledger.workbook import Opener, Sheet

POLARS_TYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "number": pl.Float64(),
    "money": pl.Int64(),  # 分, hundredths of 元
    "date": pl.Date(),
    "month": pl.Date(),
    "moment": pl.Datetime("us"),
    "flag": pl.Boolean(),
}
PLACE = ("source_file", "sheet", "line")


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What was read: a frame a layout, findings, files.

    Parameters
    ----------
    frames : dict of layout id to polars.DataFrame
        The layout's columns, and ``source_file, sheet, line`` of each row; money in 分.
    """

    frames: dict[str, pl.DataFrame]
    findings: tuple[Finding, ...]
    sources: tuple[SourceFile, ...]
    is_synthetic: bool


def read_tables(paths: Paths, layouts: Sequence[TableLayout], *, strict: bool = True) -> Tables:
    """Read every file of ``paths``; each sheet must fit exactly one of ``layouts``.

    What can't be read is collected and refused together. A cell that says nothing is null.

    Parameters
    ----------
    paths : path or sequence of paths
        Files, or folders all of whose ledgers are read.
    layouts : sequence of TableLayout
    strict : bool
        If false, what can't be read is left out and said in ``findings``.

    Raises
    ------
    LedgerError
        If a file is missing or damaged, a sheet fits no layout or several, a cell can't be read, or
        a key comes twice; names file › sheet › cell.
    """
    log = Log()
    frames: dict[str, list[pl.DataFrame]] = {one.id: [] for one in layouts}
    files: list[SourceFile] = []
    is_synthetic = False
    with Opener() as opener:
        for name, place in sources.find(paths, log):
            if isinstance(place, str):
                opened = sources.open_database(place)
            elif (refusal := sources.refuse_link(place, name)) is not None:
                log.remark(refusal, name)
                continue
            else:
                opened = opener.open(place)
            for remark in opened.remarks:
                log.remark(remark, name)
            if not opened.sheets or _is_copy(name, opened.sha256, files, log):
                continue
            if not isinstance(place, str):
                check_sidecar(place, opened.sha256, name, log)
            read = [
                one
                for sheet in opened.sheets
                if (one := _sheet(name, sheet, layouts, log)) is not None
            ]
            for fit, frame in read:
                frames[fit.layout.id].append(frame)
                is_synthetic |= SYNTHETIC in name or SYNTHETIC in fit.header.title
            kinds = ", ".join(dict.fromkeys(fit.layout.id for fit, _ in read))
            n_rows = sum(frame.height for _, frame in read)
            files.append(SourceFile(name, opened.sha256, kinds, n_rows))
    whole = {
        one.id: pl.concat([pl.DataFrame(schema=_schema(one)), *frames[one.id]]) for one in layouts
    }
    for layout in layouts:
        _refuse_repeated(whole[layout.id], layout, log)
    findings = log.findings()
    if strict:
        refuse_rejected(findings)
    return Tables(whole, findings, tuple(files), is_synthetic)


def _schema(layout: TableLayout) -> dict[str, pl.DataType]:
    columns = {one.id: POLARS_TYPES[one.type] for one in layout.columns}
    return {**columns, "source_file": pl.String(), "sheet": pl.String(), "line": pl.Int32()}


def _is_copy(name: str, sha256: str, files: Sequence[SourceFile], log: Log) -> bool:
    twin = next((one for one in files if one.sha256 == sha256 != ""), None)
    if twin is None:
        return False
    log.add(
        "W-FILE-TWICE",
        "warn",
        Text(
            f"与 {twin.name} 内容完全相同，只计一次",
            f"the same file as {twin.name}: counted once",
        ),
        source=Source(name, ""),
        mend=Text("删去其中一份", "remove one of them"),
    )
    return True


def _sheet(
    file: str, sheet: Sheet, layouts: Sequence[TableLayout], log: Log
) -> tuple[Fit, pl.DataFrame] | None:
    """Read one sheet, or say why it is not read."""
    source = Source(file, sheet.name, sheet.is_text, lines=sheet.lines)
    if not any(one.strip() for row in sheet.head(50) for one in row):
        return None
    if sheet.is_hidden:
        log.add(
            "W-LEDGER-HIDDEN",
            "warn",
            Text(f"隐藏的工作表“{sheet.name}”未读取", f"hidden sheet {sheet.name}: not read"),
            source=source,
            mend=Text(
                "如应读取，请取消隐藏；否则删除", "unhide it if it should be, else delete it"
            ),
        )
        return None
    fits = fitting(sheet, layouts)
    if len(fits) != 1:
        _say_no_layout(source, sheet, layouts, fits, log)
        return None
    fit = fits[0]
    rows, lines = passed_over(sheet, fit, source, log)
    reader = Reader(fit, source, log)
    columns = {one.id: reader.column(one, rows, lines) for one in fit.layout.columns}
    frame = pl.DataFrame(
        {
            **columns,
            "source_file": [file] * len(rows),
            "sheet": [sheet.name] * len(rows),
            "line": [sheet.line(one) for one in lines],
        },
        schema=_schema(fit.layout),
    )
    return fit, frame


def _say_no_layout(
    source: Source, sheet: Sheet, layouts: Sequence[TableLayout], fits: list[Fit], log: Log
) -> None:
    if fits:
        names = "、".join(one.layout.name.zh for one in fits)
        english = ", ".join(one.layout.name.en for one in fits)
        log.add(
            "E-LEDGER-AMBIGUOUS",
            "reject",
            Text(f"同时符合几种台账：{names}", f"it fits several kinds of ledger: {english}"),
            source=source,
            mend=Text("删去多余的列，使它只符合一种", "drop columns until it fits one"),
        )
        return
    layout, missing = nearest_layout(sheet, layouts)
    log.add(
        "E-LEDGER-NO-LAYOUT",
        "reject",
        Text(
            f"不符合任何台账；与“{layout.name.zh}”最近，缺少列：{'、'.join(missing)}",
            f"it fits no kind of ledger; nearest is {layout.name.en!r}, without the columns "
            f"{', '.join(missing)}",
        ),
        source=source,
        mend=Text("补上这些列，或把文件移出文件夹", "add these columns, or take the file away"),
    )


def _refuse_repeated(frame: pl.DataFrame, layout: TableLayout, log: Log) -> None:
    """Refuse rows whose key was there before; a key that is not whole can't repeat."""
    if not layout.key:
        return
    whole = frame.drop_nulls(list(layout.key))
    twice = whole.filter(whole.select(layout.key).is_duplicated())
    if twice.is_empty():
        return
    groups = twice.group_by(layout.key, maintain_order=True).agg(pl.col(PLACE))
    one = groups.row(0, named=True)
    places = "; ".join(
        f"{file} › {line}" for file, line in zip(one["source_file"], one["line"], strict=True)
    )
    heads = "、".join(layout.column(name).heads[0] for name in layout.key)
    log.add(
        "E-LEDGER-KEY-TWICE",
        "reject",
        Text(
            f"{layout.name.zh}中“{heads}”相同的行出现多次（{places}）",
            f"rows of {layout.name.en!r} repeat in {heads} ({places})",
        ),
        source=Source(one["source_file"][0], one["sheet"][0]),
        mend=Text("删去重复的行，或更正其中一行", "remove the repeated row, or correct one"),
        count=groups.height,
    )
