"""Read ledger files into rows that know their file, sheet and cell, and say what is wrong."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cps.errors import Severity, Text
from cps.ledger import _compare, sources
from cps.ledger._given import Given
from cps.ledger._inspection import Inspection
from cps.ledger._kinds import (
    read_accounts,
    read_long,
    read_transposed,
    read_vouchers,
    read_wide,
)
from cps.ledger._layout import Header, Layout, Near, find_header, load_layouts, nearest_header
from cps.ledger._log import Log, Source
from cps.ledger._reading import Reading
from cps.ledger._sheet import note_columns, settle_unit
from cps.ledger._tidy import read_tidy
from cps.ledger.corrections import Corrections, load_corrections
from cps.ledger.delivery import check_sidecar
from cps.ledger.names import Registry, load_registry
from cps.ledger.rows import ENTRIES_SCHEMA, ITEM_NAMES, Ledgers, SourceFile
from cps.ledger.rules import apply_rules
from cps.ledger.workbook import Opened, Opener, Sheet

__all__ = ["Inspection", "Paths", "inspect_ledgers", "read_ledgers", "read_sheet"]

SYNTHETIC = "合成"
_Where = tuple[str, Sheet] | tuple[str, Sheet, tuple[int, int]]
Paths = Path | str | Sequence[Path | str]


def read_ledgers(
    paths: Paths,
    *,
    formats: Path | None = None,
    units: Path | None = None,
    previous: Paths | None = None,
    corrections: Path | None = None,
    as_of: datetime.date | None = None,
    strict: bool = True,
) -> Ledgers:
    """Read, normalise and check ledgers of any known layout, from files or databases.

    Every sheet must fit exactly one layout. Nothing is guessed: what can't be read is collected
    and refused together; what was normalised, passed over or looks wrong is a finding.

    Parameters
    ----------
    paths : path, URL, or sequence of them
        Files; folders, all of whose ledgers are read; ``sqlite:///file#table`` or
        ``postgresql://…#table``.
    formats : Path or None
        Folder with further layouts.
    units : Path or None
        Registry of villages; without it names are settled by ``build_panel`` alone.
    previous : path or sequence of paths, or None
        An earlier delivery: what was revised or is gone is said.
    corrections : Path or None
        File or folder of corrections, applied to what is read; the files are never touched.
    as_of : date or None
        Later periods are refused; today if None.
    strict : bool
        If false, what can't be read is left out and said in ``findings``, and nothing is raised.

    Raises
    ------
    LedgerError
        If a file is missing or damaged, a sheet fits no layout, or a cell can't be read; names
        file › sheet › cell.
    """
    found = inspect_ledgers(
        paths,
        formats=formats,
        units=units,
        previous=previous,
        corrections=corrections,
        as_of=as_of,
    )
    if strict:
        found.accepted()
    return Ledgers(found.rows(), found.findings, found.files)


def inspect_ledgers(
    paths: Paths,
    *,
    formats: Path | None = None,
    units: Path | None = None,
    initiatives: Path | None = None,
    previous: Paths | None = None,
    corrections: Path | None = None,
    as_of: datetime.date | None = None,
) -> Inspection:
    """Read and check ledgers as ``read_ledgers`` does, raising for nothing that they hold.

    Raises
    ------
    LedgerError, UsageError
        If a path, a registry, a correction or a layout file is itself at fault.
    """
    layouts = load_layouts(formats)
    registry = load_registry(units) if units is not None else None
    log = Log()
    reader = _Reader(layouts, log, load_corrections(corrections))
    with Opener() as opener:
        reader.read(paths, opener)
        earlier = None
        if previous is not None:
            quiet = _Reader(layouts, Log(), Corrections())
            quiet.read(previous, opener)
            earlier = _settled(quiet.entries(), registry)
    entries = reader.entries()
    series = _settled(entries, registry)
    given = Given(series, reader.parts, log, registry, as_of or datetime.date.today())
    if not series.is_empty():
        apply_rules(given)
    if earlier is not None:
        _compare.revisions(given, earlier)
    if initiatives is not None:
        _compare.check_schedule(given, initiatives)
    if entries.is_empty() and not any(one.severity == "reject" for one in log.found):
        reader.say_nothing_read()
    return Inspection(entries, series, reader.parts, tuple(reader.files), log.findings())


class _Reader:
    """Reads files to entries, one after another."""

    def __init__(self, layouts: dict[str, Layout], log: Log, corrections: Corrections) -> None:
        self.layouts, self.log, self.corrections = layouts, log, corrections
        self.parts: list[Source] = []
        self.files: list[SourceFile] = []
        self._frames: list[pl.DataFrame] = []

    def entries(self) -> pl.DataFrame:
        return pl.concat([pl.DataFrame(schema=ENTRIES_SCHEMA), *self._frames])

    def read(self, paths: Paths, opener: Opener) -> None:
        for name, place in sources.find(paths, self.log):
            if isinstance(place, str):
                self._file(name, sources.open_database(place), None)
                continue
            refusal = sources.refuse_link(place, name)
            if refusal is not None:
                self.log.remark(refusal, name)
                continue
            opened = opener.open(place)
            self._file(name, opened, place)

    def _file(self, name: str, opened: Opened, path: Path | None) -> None:
        for remark in opened.remarks:
            self.log.remark(remark, name)
        if not opened.sheets or self._is_copy(name, opened.sha256):
            return
        if path is not None:
            check_sidecar(path, opened.sha256, name, self.log, is_needed=opened.kind == "parquet")
        self.corrections.apply(name, opened.sheets, self.log)
        before = sum(one.height for one in self._frames)
        shown = [one for one in opened.sheets if not one.is_hidden]
        fits = [(sheet, self._fitting(sheet)) for sheet in shown if not _is_empty(sheet)]
        for sheet in opened.sheets:
            if sheet.is_hidden and not _is_empty(sheet):
                self._say(
                    (name, sheet),
                    "W-LEDGER-HIDDEN",
                    "warn",
                    Text(
                        f"隐藏的工作表“{sheet.name}”未读取", f"hidden sheet {sheet.name}: not read"
                    ),
                    Text(
                        "如应读取，请取消隐藏；否则删除",
                        "unhide it if it should be, else delete it",
                    ),
                )
            elif _is_empty(sheet):
                self._say(
                    (name, sheet),
                    "N-LEDGER-EMPTY-SHEET",
                    "note",
                    Text("工作表为空，已略过", "an empty sheet: passed over"),
                    Text("无需处理", "nothing to do"),
                )
        is_known = any(len(fitting) == 1 for _, fitting in fits)
        read = [
            one
            for sheet, fitting in fits
            if (one := self._sheet(name, sheet, fitting, is_known=is_known)) is not None
        ]
        if not fits:
            self._say(
                (name, opened.sheets[0]),
                "E-LEDGER-NO-DATA",
                "reject",
                Text("文件里没有任何内容", "the file holds nothing"),
                Text("补齐数据行", "supply the rows"),
            )
        self._missing_sheets(name, read)
        n_rows = sum(one.height for one in self._frames) - before
        layouts = ", ".join(dict.fromkeys(one.layout.id for one in read))
        source = SourceFile(name, opened.sha256, layouts, n_rows)
        self.files.append(source)

    def _is_copy(self, name: str, sha256: str) -> bool:
        """Say whether a file of the same bytes was read before; warns, for it counts once."""
        twin = next((one for one in self.files if one.sha256 == sha256 != ""), None)
        if twin is not None:
            self.log.add(
                "W-FILE-TWICE",
                "warn",
                Text(
                    f"与 {twin.name} 内容完全相同，只计一次",
                    f"the same file as {twin.name}: counted once",
                ),
                source=Source(name, ""),
                mend=Text("删去其中一份", "remove one of them"),
            )
        return twin is not None

    def _fitting(self, sheet: Sheet) -> list[tuple[Layout, Header]]:
        return [
            (layout, header)
            for layout in self.layouts.values()
            if (header := find_header(sheet, layout))
        ]

    def _sheet(
        self, file: str, sheet: Sheet, fitting: list[tuple[Layout, Header]], *, is_known: bool
    ) -> Reading | None:
        if len(fitting) != 1:
            self._no_layout(file, sheet, [one.id for one, _ in fitting], is_known=is_known)
            return None
        layout, header = fitting[0]
        synthetic = SYNTHETIC in file or SYNTHETIC in header.title
        unit_at = header.column(layout.columns.get("unit", ()))
        source = Source(file, sheet.name, sheet.is_text, layout.id, synthetic, sheet.lines, unit_at)
        self.parts.append(source)
        reading = Reading(source, len(self.parts) - 1, sheet, layout, header, self.log)
        self._frames.append(read_sheet(reading))
        return reading

    def _no_layout(self, file: str, sheet: Sheet, fitting: list[str], *, is_known: bool) -> None:
        if fitting:
            names = ", ".join(fitting)
            self._say(
                (file, sheet),
                "E-LEDGER-AMBIGUOUS",
                "reject",
                Text(f"同时符合多个版式：{names}", f"fits several layouts: {names}"),
                Text("在标题中写明内容，或删去多余的版式", "say in the title what it is"),
            )
            return
        near = nearest_header(sheet, self.layouts)
        if is_known and near[0].n_found <= 1 and len(near[0].lacks) > 1:
            self._say(
                (file, sheet),
                "W-LEDGER-SHEET-NOT-READ",
                "warn",
                Text(f"工作表“{sheet.name}”不是台账，未读取", "no ledger: the sheet was not read"),
                Text("如是台账，请按版式写表头", "give it a ledger's header if it is one"),
            )
            return
        first = near[0]
        at = (first.row, 0)
        zh, en = _lacks(near[:3])
        self._say(
            (file, sheet, at),
            "E-LEDGER-LAYOUT",
            "reject",
            Text(
                f"没有与该表相符的版式；最接近“{first.layout.name.zh}”（{first.layout.id}），"
                f"缺少：{'、'.join(first.lacks)}",
                f"the sheet fits no known layout; the nearest is {first.layout.id}, "
                f"it lacks: {', '.join(first.lacks)}",
            ),
            Text(
                f"补上缺少的表头；或用 cps new layout 为它登记版式。{zh}",
                f"add the header that is missing, or draft a layout: cps new layout. {en}",
            ),
        )

    def _missing_sheets(self, file: str, read: list[Reading]) -> None:
        expected = {item: one for one in read for item in one.layout.expects}
        there = {one.layout.item for one in read if one.layout.expects}
        if len(there & set(expected)) < 2:
            return
        for item, reading in expected.items():
            if item not in there:
                self.log.add(
                    "W-LEDGER-SHEET-MISSING",
                    "warn",
                    Text(
                        f"没有“{ITEM_NAMES[item]}”工作表", f"there is no sheet {ITEM_NAMES[item]}"
                    ),
                    source=Source(file, "", layout=reading.layout.id),
                    mend=Text("补上该工作表；确无数据请说明", "add it, or say why it is not there"),
                    value=ITEM_NAMES[item],
                )

    def _say(self, where: _Where, code: str, severity: Severity, what: Text, mend: Text) -> None:
        file, sheet, *at = where
        source = Source(file, sheet.name, sheet.is_text, lines=sheet.lines)
        place = at[0] if at else None
        self.log.add(code, severity, what, source=source, at=place, mend=mend)

    def say_nothing_read(self) -> None:
        """Refuse ledgers that hold no row of data."""
        source = (
            self.parts[0] if self.parts else Source(self.files[0].name if self.files else "", "")
        )
        self.log.add(
            "E-LEDGER-NO-DATA",
            "reject",
            Text("只有表头，没有数据行", "a header and no row of data"),
            source=source,
            mend=Text("补齐数据行", "supply the rows"),
        )


def read_sheet(reading: Reading) -> pl.DataFrame:
    """Read one sheet to entries, columns as ``ENTRIES_SCHEMA``."""
    settle_unit(reading)
    kind = reading.layout.kind
    if kind == "tidy":
        note_columns(reading)
        return read_tidy(reading)
    if kind == "wide":
        read_wide(reading)
    elif kind == "transposed":
        read_transposed(reading)
    elif kind == "voucher":
        read_vouchers(reading)
    elif reading.layout.accounts:
        read_accounts(reading)
    else:
        read_long(reading)
    note_columns(reading)
    return pl.DataFrame(reading.columns, schema=ENTRIES_SCHEMA)


def _lacks(near: list[Near]) -> tuple[str, str]:
    said = "；".join(f"{one.layout.id}：{'、'.join(one.lacks[:3])}" for one in near)
    said_en = "; ".join(f"{one.layout.id}: {', '.join(one.lacks[:3])}" for one in near)
    return f"各版式所缺：{said}", f"what each lacks: {said_en}"


def _is_empty(sheet: Sheet) -> bool:
    return not any(cell.strip() for row in sheet.head(2_000) for cell in row) and (
        sheet.n_rows < 2_000 or not any(cell.strip() for row in sheet.grid for cell in row)
    )


def _settled(entries: pl.DataFrame, registry: Registry | None) -> pl.DataFrame:
    # Of millions of rows none is copied that need not be.
    is_whole = not entries["period_start"].null_count()
    dated = entries if is_whole else entries.filter(pl.col("period_start").is_not_null())
    series = dated.hstack([dated["unit"].rename("name")])
    if registry is None:
        return series
    names = series["name"].unique().to_list()
    settled = {one: registry.unit(one) or one for one in names}
    changed = {one: unit for one, unit in settled.items() if one != unit}
    return (
        series.with_columns(pl.col("unit").cast(pl.String).replace(changed).cast(pl.Categorical))
        if changed
        else series
    )
